"""A scalar function rewritten for several lanes at once: a branch that may differ between lanes becomes a choice.

Both ways are taken in all lanes, and each lane keeps what is its own. That is allowed, as a body does nothing but
calculate: what it must not do on the way that it does not take (read beyond an array) raises, and then the step is
repeated one replica at a time.
"""

from __future__ import annotations

import types
from functools import lru_cache

from iterorder.forms import FINGERPRINT, is_compiled, name_apart
from iterorder.kernels.cpu.lift import varying_arrays
from iterorder.kernels.cpu.lift.choices import Choices
from iterorder.kernels.cpu.lift.function_text import code_of, tree_of
from iterorder.kernels.cpu.lift.one_exit import CannotLift

#: What rewritten functions call, under names that no function of a user has.
TOOLS = {f"_lanes_{name}": getattr(varying_arrays, name) for name in ("truth", "both", "either", "opposite", "choose")}
TOOLS |= {"_lanes_entry": varying_arrays.entry_of, "_lanes_row": varying_arrays.row_of}


def lifted_function(function: types.FunctionType, varying=None, tables=()) -> types.FunctionType:
    """The function for arguments of which some hold several lanes.

    Parameters
    ----------
    varying : names of arguments, optional
        Those that may differ between lanes; default all.
    tables : sequence of (int or None)
        For the entries of the argument `params`: the length of the rows of two-dimensional arrays.
    """
    names = {**function.__globals__, **TOOLS}
    for name in function.__code__.co_names:
        if is_compiled(names.get(name)):
            names[name] = _lifted_helper(names[name])
    code = function.__code__
    tree = tree_of(function)
    if tree is not None:
        Choices(tree, varying, tables).rewrite()
        code = code_of(tree, function)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    closure = tuple(_lifted_cell(cells[name]) for name in code.co_freevars)
    lifted = types.FunctionType(code, names, function.__name__, function.__defaults__, closure)
    lifted.__kwdefaults__ = function.__kwdefaults__
    if (found := getattr(function, FINGERPRINT, None)) is not None:
        # Without its text a function is lifted as it is, or not at all.
        how = tree is not None, sorted(varying or ()), tuple(tables)
        setattr(lifted, FINGERPRINT, found and f"{found}, lifted {how}")
        name_apart(lifted)
    return lifted


def has_text(function: types.FunctionType) -> bool:
    """Whether the text of a function can be read, and of every function of numba.njit that it calls."""
    helpers = [function.__globals__.get(name) for name in function.__code__.co_names]
    plain = [getattr(helper, "py_func", None) for helper in helpers if is_compiled(helper)]
    return all(tree_of(part) is not None for part in (function, *plain))


def _lifted_cell(cell):
    try:
        value = cell.cell_contents
    except ValueError:  # empty
        return cell
    return types.CellType(_lifted_helper(value)) if is_compiled(value) else cell


@lru_cache(maxsize=256)
def _lifted_helper(dispatcher):
    """A function of numba.njit that a body calls, compiled with its own options."""
    import numba

    options = dict(dispatcher.targetoptions)
    plain = dispatcher.py_func
    if options.get("fastmath") or options.get("parallel") or not getattr(dispatcher, "_can_compile", True):
        raise CannotLift(f"{plain.__name__} has fastmath, parallel loops or types of its own")
    if plain.__name__ in plain.__code__.co_names or plain.__name__ in plain.__code__.co_freevars:
        raise CannotLift(f"{plain.__name__} calls itself")
    options.pop("cache", None)
    return numba.jit(**options | {"forceinline": True})(lifted_function(plain))
