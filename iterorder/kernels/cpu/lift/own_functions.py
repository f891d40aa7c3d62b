"""`math.exp` and its like in bodies of users: the package's own, whether a body is compiled for one number or many.

The engines share every bit because they share every function. All other functions, and those in functions of numba.njit
that a body calls, are what Numba makes of them, in lanes one after the other.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import FunctionType

from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from iterorder.forms import name_apart
from iterorder.kernels.bodies.mathematics import LARGEST_ANGLE
from iterorder.kernels.cpu.bodies import mathematics
from iterorder.kernels.cpu.lanes import Vector
from iterorder.kernels.cpu.lift.varying import Varying, converted, some_lane
from iterorder.kernels.cpu.lift.varying_arrays import choose
from iterorder.kernels.rebound import of_library, rebound
from iterorder.kernels.targets import jit_inline


@intrinsic
def widened(typing_context, x):
    """A number as float64; of a body, numbers of several lanes as a vector of the kernels."""
    if isinstance(x, types.Array):
        raise TypingError("functions of whole arrays are not supported here: write a loop over entries")
    if isinstance(x, Varying):

        def generate(context, builder, signature, arguments):
            return converted(context, builder, arguments[0], x.dtype, types.float64, x.lanes)

        return Vector(types.float64, x.lanes)(x), generate
    if not isinstance(x, (types.Number, types.Boolean)):
        return None
    return types.float64(types.float64), lambda context, builder, signature, arguments: arguments[0]


@intrinsic
def narrowed(typing_context, value, like):
    """What `widened` gave, or a function of it, as the type that Numba's own function has."""
    dtype = like.dtype if isinstance(like, Varying) else like
    kind = types.float32 if dtype == types.float32 else types.float64

    def generate(context, builder, signature, arguments):
        if isinstance(like, Varying):
            return converted(context, builder, arguments[0], types.float64, kind, like.lanes)
        return context.cast(builder, arguments[0], types.float64, kind)

    return (Varying(kind, like.lanes) if isinstance(like, Varying) else kind)(value, like), generate


@intrinsic
def somewhere(typing_context, condition):
    """Whether a condition holds, in some lane."""

    def generate(context, builder, signature, arguments):
        return some_lane(builder, arguments[0]) if isinstance(condition, Varying) else arguments[0]

    return types.boolean(condition), generate


# Names of their own: compiled code looks nothing up in a namespace.
own_exp, own_log, own_tanh = mathematics.exp, mathematics.log, mathematics.tanh
own_sin, own_cos = mathematics.sin, mathematics.cos


@jit_inline
def exp(x):
    """`math.exp` of numbers, or of each lane."""
    return narrowed(own_exp(widened(x)), x)


@jit_inline
def log(x):
    """`math.log` of numbers, or of each lane."""
    return narrowed(own_log(widened(x)), x)


@jit_inline
def tanh(x):
    """`math.tanh` of numbers, or of each lane."""
    return narrowed(own_tanh(widened(x)), x)


@jit_inline
def sin(x):
    """`math.sin` of numbers, or of each lane; of large ones, the C library's."""
    found, far = narrowed(own_sin(widened(x)), x), abs(x) > LARGEST_ANGLE
    if somewhere(far):
        found = choose(far, math.sin(x), found)
    return found


@jit_inline
def cos(x):
    """`math.cos` of numbers, or of each lane; of large ones, the C library's."""
    found, far = narrowed(own_cos(widened(x)), x), abs(x) > LARGEST_ANGLE
    if somewhere(far):
        found = choose(far, math.cos(x), found)
    return found


OWN = {"exp": exp, "log": log, "tanh": tanh, "sin": sin, "cos": cos}


@lru_cache(maxsize=256)
def with_own_functions(function: FunctionType) -> FunctionType:
    """The function, which calls these instead of those of `math` and NumPy."""
    made = rebound(function, lambda value, names: of_library(value, names, OWN))
    name_apart(made)
    return made
