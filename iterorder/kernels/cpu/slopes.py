"""The slope of a loss in compiled code: what a row of data adds to a state, for several lanes at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import NamedTuple

import numpy as np
from numba import njit, types

from iterorder.forms import Slope
from iterorder.kernels.cpu.bodies import comparisons, exp, mathematics
from iterorder.kernels.cpu.body_steps import layout_of, parameter_types, parameters_at
from iterorder.kernels.cpu.explain import allocates, explained, makes_arrays
from iterorder.kernels.cpu.lane_conversions import to_float64, to_type_of
from iterorder.kernels.cpu.lanes import sqrt
from iterorder.kernels.cpu.lift.in_lanes import lifted, lifts
from iterorder.kernels.cpu.lift.own_functions import with_own_functions
from iterorder.kernels.disk_cache import is_kept
from iterorder.kernels.targets import OPTIONS, check_compiler, jit, jit_inline
from iterorder.roles import of_loss

#: The arguments of a slope that differ between lanes: the margin and the target.
VARYING = (0, 1)


def _kinds(layout: tuple) -> tuple:
    """The types of the arguments of a slope of numbers."""
    return types.float64, types.float64, parameter_types(layout)


class Move(NamedTuple):
    """A slope, ready to be called in a step.

    ``apply(z, c, factor, given)`` is the factor times φ for each lane of the margins z, c the targets where they are
    not `folded` into the rows; ``parameters(memory)`` reads the `given` of packed maps. `free` is the function of a
    user, with the layout of its parameters.
    """

    apply: Callable
    parameters: Callable
    folded: bool
    free: tuple[Callable, tuple] | None = None

    @property
    def lifts(self) -> bool:
        """Whether all lanes are worked on at once; else one after the other, each written out in the step."""
        if self.free is None:
            return True
        function, layout = self.free
        return lifts(function, VARYING, _kinds(layout))


def move_of(slope: Slope) -> Move:
    """The compiled slope; the same object for all slopes of one function whose parameters have the same types."""
    return _move(slope.function, layout_of(slope.params), slope.folded, slope.exact)


@lru_cache(maxsize=256)
def _move(function, layout: tuple, folded: bool, exact: bool) -> Move:
    if not folded:
        return Move(_free(lifted(function, VARYING)), parameters_at(layout), folded, (function, layout))
    phi = jit_inline(on_lanes(function))
    return Move((_folded_exact if exact else _folded)(phi), parameters_at(layout), folded)


@lru_cache(maxsize=256)
def _of_numbers(function):
    """``function(z, target, params)`` for numbers, called from a kernel that is kept where the function can be."""
    slope = njit(**OPTIONS, boundscheck=True)(with_own_functions(function))

    @jit
    def kernel(z, target, given):
        return slope(z, target, given)

    return kernel, slope


def check_compiles(slope: Slope) -> None:
    """Compile a slope that a user gave; what fails is a `MapCompilationError` with place and reason."""
    check_compiler()
    function, kinds = slope.function, _kinds(layout_of(slope.params))
    assert isinstance(function, FunctionType)
    kernel, body = _of_numbers(function)
    if is_kept(kernel, kinds):  # it was without fault when that was compiled
        return

    def compiles(another):
        _, made = _of_numbers.__wrapped__(another)
        made.compile(kinds)
        return made

    try:
        body.compile(kinds)
    except Exception as error:  # Numba raises many kinds
        raise explained(function, error, compiles, of_loss("slope")) from error
    if makes_arrays(body):
        raise allocates(function, body, compiles, of_loss("slope"))
    kernel.compile(kinds)


def _free(slope):
    """A slope of a margin and a target, for all lanes at once where it can be lifted; what raises gives no number."""

    @jit_inline
    def apply(z, c, factor, given):
        slopes = to_float64(slope(to_float64(z), to_float64(c), given))
        return to_type_of(slopes * np.float64(factor), z)

    return apply


def on_lanes(function: FunctionType) -> FunctionType:
    """The same code, whose `math` is that of vectors of lanes."""
    names = {**function.__globals__, **NAMES}
    return FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)


LANE_MATH = ModuleType("math", "The functions of vectors of lanes by the names of Python's module.")
vars(LANE_MATH).update(vars(mathematics), sqrt=sqrt, fabs=comparisons.size)
#: `exp` by itself is that of `bodies.exponential`, cut to where a sigmoid is no 0 or 1.
NAMES = {
    "math": LANE_MATH,
    "min": comparisons.smaller,
    "max": comparisons.larger,
    "abs": comparisons.size,
    "exp": exp,
}


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
