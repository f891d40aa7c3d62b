"""Functions with what they read from outside at one moment, for ever.

A compiler reads a global variable once, and plain Python at each call: a function that both are to understand alike
must not see its variables change. So a function of a user gets globals of its own, and so do the compiled functions
that it calls and the modules of the user whose attributes it reads.
"""

from __future__ import annotations

import builtins
import types
from functools import lru_cache

from iterorder.forms import FINGERPRINT, name_apart
from iterorder.maps.fingerprint import fingerprint
from iterorder.maps.outside import MUTABLE, Outside, can_be_kept, content


def with_outside(function: types.FunctionType, outside: Outside) -> types.FunctionType:
    """The function with globals and closures that hold what was read, and change no more: one for equal values."""
    copies = any(True for _ in outside.held(MUTABLE))
    return (_with_outside.__wrapped__ if copies else _with_outside)(function, outside)  # arrays are not kept alive


@lru_cache(maxsize=256)
def _with_outside(function, outside: Outside):
    values = _settled(outside)
    # What is compiled of it is looked up on disk in the module of this name, which is there in every process.
    names = {"__builtins__": builtins, "__name__": __name__, **values}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    closure = tuple(types.CellType(values[name]) if name in values else cell for name, cell in cells)
    made = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, closure)
    _refer(made, function, made)
    for name in ("__kwdefaults__", "__qualname__", "__module__", "__doc__"):
        setattr(made, name, getattr(function, name))
    setattr(made, FINGERPRINT, fingerprint(function, outside))
    return made


def _refer(function: types.FunctionType, before, now) -> None:
    """Where a function refers to itself, let it be to what was made of it."""
    for name in [name for name, value in function.__globals__.items() if value is before]:
        function.__globals__[name] = now
    for cell in function.__closure__ or ():
        if content(cell) is before:
            cell.cell_contents = now


def _settled(outside: Outside) -> dict[str, object]:
    """The values, of which those that read or hold others are made anew with them."""
    values = dict(outside.values)
    for name, inner in outside.inner.items():
        value = values[name]
        if isinstance(value, types.ModuleType):
            values[name] = _module_with(value, inner)
        elif isinstance(value, types.FunctionType):
            values[name] = with_outside(value, inner)
        elif can_be_kept(value):
            values[name] = _compiled_anew(value, inner)
    return values


def _module_with(module: types.ModuleType, inner: Outside) -> types.ModuleType:
    made = types.ModuleType(module.__name__)
    made.__dict__.update({**vars(module), **_settled(inner)})
    return made


@lru_cache(maxsize=256)
def _compiled_anew(dispatcher, outside: Outside):
    """The function of numba.njit with what it reads, for the signatures that it was given, if it was given any."""
    import numba

    function = with_outside(dispatcher.py_func, outside)
    name_apart(function)
    made = numba.jit(**dispatcher.targetoptions)(function)
    _refer(function, dispatcher, made)
    if not getattr(dispatcher, "_can_compile", True):
        for signature in dispatcher.nopython_signatures:  # with the types that were declared to come back
            made.compile(signature)
        made.disable_compile()
    return made
