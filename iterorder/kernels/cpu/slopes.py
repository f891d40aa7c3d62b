"""The slope of a loss in compiled code: what a row of data adds to a state, for eight lanes at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import NamedTuple

import numpy as np

from iterorder.forms import Slope
from iterorder.kernels.cpu import vector
from iterorder.kernels.cpu.body_steps import layout_of, parameters_at
from iterorder.kernels.cpu.lanes import alike, to_float64, to_type_of, where
from iterorder.kernels.targets import jit_inline


class Move(NamedTuple):
    """A slope, ready to be called in a step.

    ``apply(z, c, factor, given)`` is the factor times φ for each lane of the margins z, c the targets where they are
    not `folded` into the rows; ``parameters(memory)`` reads the `given` of a packed system.
    """

    apply: Callable
    parameters: Callable
    folded: bool


def move_of(slope: Slope) -> Move:
    """The compiled slope; the same object for all slopes of one function whose parameters have the same types."""
    return _move(slope.function, layout_of(slope.params), slope.folded, slope.exact)


@lru_cache(maxsize=256)
def _move(function, layout: tuple, folded: bool, exact: bool) -> Move:
    phi = jit_inline(on_lanes(function))
    return Move((_folded_exact if exact else _folded)(phi), parameters_at(layout), folded)


def on_lanes(function: FunctionType) -> FunctionType:
    """The same code, whose `math` is that of vectors of lanes."""
    names = {**function.__globals__, **NAMES}
    return FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)


@jit_inline
def smaller(a, b):
    """Python's min of two, of which one is a vector."""
    a, b = alike(a, b), alike(b, a)
    return where(b < a, b, a)


@jit_inline
def larger(a, b):
    """Python's max of two, of which one is a vector."""
    a, b = alike(a, b), alike(b, a)
    return where(b > a, b, a)


LANE_MATH = ModuleType("math", "The functions of vectors of lanes by the names of Python's module.")
LANE_MATH.exp = vector.exp  # type: ignore[attr-defined]
NAMES = {"math": LANE_MATH, "min": smaller, "max": larger}


def _folded_exact(phi):
    @jit_inline
    def apply(z, c, factor, given):
        return phi(z, factor, given)

    return apply


def _folded(phi):
    @jit_inline
    def apply(z, c, factor, given):
        return to_type_of(phi(to_float64(z), np.float64(factor), given), z)

    return apply
