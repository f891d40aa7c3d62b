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

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return _like(x, types.uint64)(x), generate


@intrinsic
def from_bits(typing_context, x):
    """The float64 with the bits of a uint64, of each lane."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return _like(x, types.float64)(x), generate


@intrinsic
def to_float64(typing_context, x):
    """A float as float64."""
    result = _like(x, types.float64)

    def generate(context, builder, signature, arguments):
        return arguments[0] if x == result else builder.fpext(arguments[0], context.get_value_type(result))

    return result(x), generate


@intrinsic
def widened(typing_context, x):
    """Unsigned integers as uint64, of each lane."""

    def generate(context, builder, signature, arguments):
        return builder.zext(arguments[0], context.get_value_type(signature.return_type))

    return _like(x, types.uint64)(x), generate


@intrinsic
def to_float(typing_context, x):
    """Unsigned integers below 2⁵³ as float64, exactly, of each lane."""

    def generate(context, builder, signature, arguments):
        return builder.uitofp(arguments[0], context.get_value_type(signature.return_type))

    return _like(x, types.float64)(x), generate


@intrinsic
def to_type_of(typing_context, x, example):
    """A float64, rounded to the type of the example."""
    result = _like(x, example.dtype if isinstance(example, (Vector, types.Array)) else example)

    def generate(context, builder, signature, arguments):
        value = arguments[0]
        return value if x == result else builder.fptrunc(value, context.get_value_type(result))

    return result(x, example), generate


def _like(kind, dtype):
    return Vector(dtype, kind.lanes) if isinstance(kind, Vector) else dtype
