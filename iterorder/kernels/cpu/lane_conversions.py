"""Numbers and vectors of one type as those of another, lane by lane. Nothing in this file can be called from Python."""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from iterorder.kernels.cpu.lanes import Vector, spread


@intrinsic
def alike(typing_context, value, example):
    """A number, in every lane and of the type of the example if that is a vector; a vector as it is."""
    kind = types.unliteral(value)
    result = example if isinstance(example, Vector) and not isinstance(kind, Vector) else kind

    def generate(context, builder, signature, arguments):
        if result == kind:
            return arguments[0]
        return spread(builder, context.cast(builder, arguments[0], kind, result.dtype), result.lanes)

    return result(kind, example), generate


@intrinsic
def as_bits(typing_context, x):
    """The bits of a float64 as a uint64, of each lane."""
    return _cast(x, types.uint64, "bitcast")


@intrinsic
def from_bits(typing_context, x):
    """The float64 with the bits of a uint64, of each lane."""
    return _cast(x, types.float64, "bitcast")


@intrinsic
def to_float64(typing_context, x):
    """A float as float64."""
    return _cast(x, types.float64, "fpext")


@intrinsic
def widened(typing_context, x):
    """Unsigned integers as uint64, of each lane."""
    return _cast(x, types.uint64, "zext")


@intrinsic
def to_float(typing_context, x):
    """Unsigned integers below 2⁵³ as float64, exactly, of each lane."""
    return _cast(x, types.float64, "uitofp")


@intrinsic
def to_type_of(typing_context, x, example):
    """A float64, rounded to the type of the example."""
    kind = example.dtype if isinstance(example, (Vector, types.Array)) else example
    signature, generate = _cast(x, kind, "fptrunc")
    return signature.return_type(x, example), generate


def _like(kind, dtype):
    return Vector(dtype, kind.lanes) if isinstance(kind, Vector) else dtype


def _cast(x, dtype, instruction: str):
    """The signature and the code of an instruction of LLVM on a number or each lane; none where the type is right."""
    result = _like(x, dtype)

    def generate(context, builder, signature, arguments):
        if x == result:
            return arguments[0]
        return getattr(builder, instruction)(arguments[0], context.get_value_type(result))

    return result(x), generate
