"""Functions of numbers that a user wrote, such as the slope of a loss, as kernels call them on vectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from iterorder.kernels.cpu.lanes import LANES, Vector, spread
from iterorder.kernels.cpu.lift import varying_operations  # noqa: F401, which teaches the compiler what functions use
from iterorder.kernels.cpu.lift.one_exit import CannotLift
from iterorder.kernels.cpu.lift.own_functions import with_own_functions
from iterorder.kernels.cpu.lift.rewrite import lifted_function
from iterorder.kernels.cpu.lift.varying import Varying, in_each_lane, lane_of
from iterorder.kernels.disk_cache import is_kept
from iterorder.kernels.targets import OPTIONS, jit, jit_inline


@lru_cache(maxsize=256)
def lifted(function: Callable, varying: tuple[int, ...]):
    """A compiled function for calls from kernels, with vectors of floats in the place of some numbers.

    Parameters
    ----------
    function : function
        Of numbers, arrays and tuples, in plain Python; returns a number.
    varying : tuple of int
        The places of the arguments that are vectors.

    Returns
    -------
    dispatcher
        Of vectors, with the bits that the function has for single numbers: `of_vectors(*arguments)` is a vector. Where
        the function cannot be lifted its lanes are worked on one after the other; where it raises a lane is NaN.
    """
    single = njit(**OPTIONS, forceinline=True, boundscheck=True)(with_own_functions(function))
    many = _for_lanes(function, varying)

    @jit_inline
    def of_vectors(*arguments):
        return _called(many, single, arguments)

    return of_vectors


@lru_cache(maxsize=256)
def _for_lanes(function: Callable, varying: tuple[int, ...]):
    """The function rewritten for several lanes, to be compiled; None where that cannot be."""
    plain = with_own_functions(function)
    try:
        many = lifted_function(plain, [plain.__code__.co_varnames[k] for k in varying])
    except CannotLift:
        return None
    return njit(**OPTIONS, forceinline=True, boundscheck=True)(many)


@lru_cache(maxsize=256)
def lifts(function: Callable, varying: tuple[int, ...], kinds: tuple) -> bool:
    """Whether `lifted` works on all lanes at once: the text can be rewritten, and then compiled.

    Parameters
    ----------
    function, varying
        As for `lifted`.
    kinds : tuple of Numba types
        Of the arguments for single numbers.
    """
    many = _for_lanes(function, varying)
    if many is None:
        return False
    several = [Varying(kind, LANES) if place in varying else kind for place, kind in enumerate(kinds)]
    at_once, apart = _answers(many, njit(**OPTIONS, boundscheck=True)(with_own_functions(function)))
    of_several, of_one = (types.Tuple(several),), (types.Tuple(kinds),)
    if is_kept(at_once, of_several) or is_kept(apart, of_one):  # which spares other processes the trial
        return is_kept(at_once, of_several)
    try:
        at_once.compile(of_several)
    except Exception:  # Numba raises many kinds
        apart.compile(of_one)
        return False
    return True


def _answers(many, single):
    """Two kernels that nobody calls: which of them is on disk says whether the first can be compiled."""

    @jit
    def at_once(arguments):
        return many(*arguments)

    @jit
    def apart(arguments):
        return single(*arguments)

    return at_once, apart


def _call_type(many, typing_context, kinds):
    """The signature of a lifted function; None where it cannot be compiled."""
    if many == types.none:
        return None
    try:
        return many.get_call_type(typing_context, kinds, {})
    except Exception:  # Numba raises many kinds
        return None


def _of_body(kind):
    return Varying(kind.dtype, kind.lanes) if isinstance(kind, Vector) else kind


@intrinsic
def _called(typing_context, many, single, arguments):
    """The function for all lanes; where it raises, or is not there, for one lane after the other."""
    kinds = tuple(arguments)
    lanes = next(kind.lanes for kind in kinds if isinstance(kind, Vector))
    one = single.get_call_type(typing_context, tuple(k.dtype if isinstance(k, Vector) else k for k in kinds), {})
    several = _call_type(many, typing_context, tuple(map(_of_body, kinds)))
    result = Vector(one.return_type, lanes)
    if not isinstance(one.return_type, types.Float):
        return None

    def generate(context, builder, signature, values):
        items = cgutils.unpack_tuple(builder, values[2], len(kinds))
        space = cgutils.alloca_once(builder, context.get_value_type(result))
        if several is None:
            builder.store(_lane_after_lane(context, builder, single, one, kinds, items, lanes), space)
            return builder.load(space)
        done, found = _attempted(context, builder, many, several, items)
        if not isinstance(several.return_type, Varying):
            found = spread(builder, found, lanes)
        builder.store(found, space)
        with cgutils.if_unlikely(builder, builder.not_(done)):
            builder.store(_lane_after_lane(context, builder, single, one, kinds, items, lanes), space)
        return builder.load(space)

    return result(many, single, arguments), generate


def _attempted(context, builder, function, signature, values):
    """Whether a compiled function came to its end, and what it returned."""
    compiled = function.dispatcher.get_compile_result(signature)
    context.active_code_library.add_linking_library(compiled.library)
    status, found = context.call_internal_no_propagate(builder, compiled.fndesc, signature, values)
    return status.is_ok, found


def _lane_after_lane(context, builder, single, signature, kinds, values, lanes):
    number = context.get_value_type(signature.return_type)

    def one(lane):
        arguments = [
            lane_of(builder, value, lane) if isinstance(kind, Vector) else value
            for value, kind in zip(values, kinds, strict=True)
        ]
        done, found = _attempted(context, builder, single, signature, arguments)
        return builder.select(done, found, ir.Constant(number, float("nan")))

    return in_each_lane(builder, ir.VectorType(number, lanes), one)
