"""Functions of numbers applied to whole arrays: the same code with NumPy's functions in place of Python's."""

from __future__ import annotations

import dis
import math
import numbers
from collections.abc import Callable, Iterator
from functools import lru_cache, reduce
from types import CodeType, FunctionType, ModuleType

import numpy as np

#: What NumPy calls by another name.
RENAMED = {"pow": "power", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2"}


def _smallest(*values):
    return reduce(np.minimum, values)


def _largest(*values):
    return reduce(np.maximum, values)


def _log(x, base=None):
    return np.log(x) if base is None else np.log(x) / np.log(base)


ARRAY_MATH = ModuleType("math", "NumPy's functions by the names of Python's module.")
for _name, _value in vars(math).items():
    _twin = getattr(np, RENAMED.get(_name, _name), None)
    if isinstance(_value, float):
        setattr(ARRAY_MATH, _name, _value)
    elif isinstance(_twin, np.ufunc):
        setattr(ARRAY_MATH, _name, _twin)
ARRAY_MATH.log = _log  # type: ignore[attr-defined]
#: What a function of numbers may use, for arrays and for NumPy's numbers: 1/0 and e^1000 are infinite there.
NAMES = {"math": ARRAY_MATH, "min": _smallest, "max": _largest, "abs": np.abs}
#: Where functions stand that work on arrays as they are.
BODIES = "iterorder.kernels.bodies."


@lru_cache(maxsize=256)
def on_arrays(function: FunctionType) -> Callable[..., np.ndarray]:
    """The function (x, …, params) of numbers as one of arrays that broadcast; its last argument stays.

    Where it asks for the value of a number, in a condition or a loop, it is called for every number in turn. What it
    cannot compute is NaN.

    Examples
    --------
    >>> cut = on_arrays(lambda u, params: min(u, params[0]))
    >>> cut(np.array([1.0, 3.0]), (2.0,)).tolist()
    [1.0, 2.0]
    """
    made, asks = _with_array_names(function), _asks(function)

    def applied(*arguments):
        *given, params = arguments
        # Copies: a function may write z -= target, which means a number.
        arrays = [np.array(a, np.float64) for a in np.broadcast_arrays(*given)]
        shape = arrays[0].shape
        with np.errstate(all="ignore"):
            if not asks:
                try:
                    found = made(*arrays, params)
                    return np.array(np.broadcast_to(found, shape), np.float64)
                except (TypeError, ValueError):  # a function that is for numbers, after all
                    arrays = [np.array(a, np.float64) for a in np.broadcast_arrays(*given)]
            rows = zip(*(a.ravel() for a in arrays), strict=True)
            return np.array([_number(made, function, row, params) for row in rows], np.float64).reshape(shape)

    return applied


def _asks(function: FunctionType) -> bool:
    """Whether the code jumps, as conditions and loops do, or reads what may not be for arrays."""
    codes = list(_codes(function.__code__))
    jumps = any(
        "JUMP" in step.opname or "ITER" in step.opname or step.opname == "UNARY_NOT"
        for code in codes
        for step in dis.get_instructions(code)
    )
    outside = {**function.__globals__, **dict(_enclosed(function))}
    foreign = {name for code in codes for name in code.co_names if name not in NAMES and not hasattr(ARRAY_MATH, name)}
    foreign |= set(function.__code__.co_freevars)
    return jumps or not all(_is_harmless(outside.get(name)) for name in foreign)


def _is_harmless(value) -> bool:
    return isinstance(value, numbers.Real) or getattr(value, "__module__", "").startswith(BODIES)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _enclosed(function: FunctionType) -> Iterator[tuple[str, object]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents


def _with_array_names(function: FunctionType) -> FunctionType:
    code, cells = function.__code__, function.__closure__
    return FunctionType(code, {**function.__globals__, **NAMES}, function.__name__, function.__defaults__, cells)


def _number(made, function, row, params) -> float:
    """By NumPy's functions, which overflow as compiled code does; by Python's where those are not for it."""
    for some in (made, function):
        try:
            return float(some(*row, params))
        except (ArithmeticError, TypeError, ValueError):
            continue
    return math.nan
