"""The slope of a loss on a device: what a row of data adds to a state."""

from __future__ import annotations

from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from iterorder.forms import Slope
from iterorder.kernels.device import compilers
from iterorder.kernels.device.compilers import device_function
from iterorder.kernels.device.own_functions import number_of


class DeviceSlope(NamedTuple):
    """A compiled slope, as `bodies.steps.Slope`."""

    apply: Any
    folded: bool


def slope_of(slope: Slope, dtype: np.dtype) -> DeviceSlope:
    """The compiled slope; the same object for all slopes of one function."""
    return _slope(slope.function, slope.folded, slope.exact, dtype)


@lru_cache(maxsize=256)
def _slope(function: FunctionType, folded: bool, exact: bool, dtype: np.dtype) -> DeviceSlope:
    narrowed = compilers.to_float64 if dtype == np.float64 else compilers.to_float32
    widened = compilers.to_float64
    if not folded:
        slope = number_of(function)

        @device_function
        def apply(z, c, factor, given):
            return narrowed(slope(widened(z), widened(c), given) * widened(factor))

    elif exact:
        phi = _known_slope(function, dtype)

        @device_function
        def apply(z, c, factor, given):
            return phi(z, factor, given)

    else:
        phi = _known_slope(function, np.dtype(np.float64))

        @device_function
        def apply(z, c, factor, given):
            return narrowed(phi(widened(z), widened(factor), given))

    return DeviceSlope(apply, folded)


def _known_slope(function: FunctionType, dtype: np.dtype):
    """A slope of the package's own, whose `math` is that of the kernels and whose constants are of one type."""
    names = {**function.__globals__, **_names(dtype)}
    renamed = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
    return device_function(compilers.of_constants(renamed, dtype))


@lru_cache(maxsize=2)
def _names(dtype: np.dtype) -> dict:
    known = compilers.comparisons(dtype)
    math = ModuleType("math", "The functions of kernels by the names of Python's module.")
    vars(math).update(vars(compilers.mathematics), sqrt=compilers.sqrt, fabs=known.size)
    return {"math": math, "min": known.smaller, "max": known.larger, "abs": known.size, "exp": compilers.exp}
