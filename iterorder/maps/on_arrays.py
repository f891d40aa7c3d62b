"""Functions of numbers applied to whole arrays: the same code with NumPy's functions in place of Python's."""

from __future__ import annotations

import dis
import math
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType, ModuleType

import numpy as np

ARRAY_MATH = ModuleType("math", "NumPy's functions by the names of Python's module.")
for _name in dir(math):
    _numpy = {"pow": "power", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2"}.get(
        _name, _name
    )
    if not _name.startswith("_") and (hasattr(np, _numpy) or isinstance(getattr(math, _name), float)):
        setattr(ARRAY_MATH, _name, getattr(np, _numpy, getattr(math, _name)))
#: What a function of numbers may use, for arrays.
NAMES = {"math": ARRAY_MATH, "min": np.minimum, "max": np.maximum, "abs": np.abs}


@lru_cache(maxsize=256)
def on_arrays(function: FunctionType) -> Callable[..., np.ndarray]:
    """The function (x, …, params) of numbers as one of arrays that broadcast, shape of x; its last argument stays.

    Where it asks for the value of a number, in a condition or a loop, it is called for every number in turn. What it
    cannot compute is NaN.

    Examples
    --------
    >>> cut = on_arrays(lambda u, params: min(u, params[0]))
    >>> cut(np.array([1.0, 3.0]), (2.0,)).tolist()
    [1.0, 2.0]
    """
    whole = None if _asks(function) else _with_array_names(function)

    def applied(x, *rest):
        *arrays, params = rest
        x = np.asarray(x, np.float64)
        with np.errstate(all="ignore"):
            if whole is not None:
                return np.array(np.broadcast_to(whole(x, *arrays, params), x.shape), np.float64)
            rows = np.stack(np.broadcast_arrays(x, *arrays), axis=-1).reshape(-1, 1 + len(arrays)).tolist()
        return np.array([_value(function, *row, params) for row in rows], np.float64).reshape(x.shape)

    return applied


def _asks(function: FunctionType) -> bool:
    """Whether the code jumps, as conditions and loops do, or calls what only numbers have."""
    names = {*function.__code__.co_names, *function.__code__.co_freevars}
    foreign = names - set(NAMES) - set(dir(ARRAY_MATH))
    return bool(foreign) or any(
        "JUMP" in step.opname or "ITER" in step.opname for step in dis.get_instructions(function)
    )


def _with_array_names(function: FunctionType) -> FunctionType:
    code, cells = function.__code__, function.__closure__
    return FunctionType(code, {**function.__globals__, **NAMES}, function.__name__, function.__defaults__, cells)


def _value(function, *arguments) -> float:
    try:
        return float(function(*arguments))
    except (ArithmeticError, ValueError):
        return math.nan
