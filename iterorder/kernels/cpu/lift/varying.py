"""Numbers of a user's body, one for each of several replicas: `Varying`, with the arithmetic of Numba's own numbers.

A `Vector` of the kernels takes the type of its neighbours; a body that was written for single numbers must find here
what it finds there: float32 times float64 is float64, an integer divided is a float. So every operation
(`varying_operations`) asks Numba for the types, and then does the same in all lanes: by one vector instruction where
there is one that rounds alike, and else lane after lane, by the very code that single numbers get. Nothing looks across
lanes.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core.typeconv import Conversion
from numba.extending import lower_cast, models, register_model

from iterorder.kernels.cpu.lanes import Vector, llvm_type, spread


class Varying(types.Type):
    """The type of `lanes` numbers of the scalar type `dtype`."""

    def __init__(self, dtype, lanes):
        self.dtype, self.lanes = dtype, lanes
        super().__init__(f"Varying({dtype}, {lanes})")

    def unify(self, typingctx, other):
        """What a variable is that holds this on one way and the other on another: as of single numbers."""
        if not isinstance(other, (Varying, types.Number, types.Boolean)):
            return None
        dtype = typingctx.unify_pairs(self.dtype, scalar_of(other))
        return None if dtype is None else Varying(dtype, self.lanes)

    def can_convert_from(self, typingctx, other):
        """A number can stand in every lane."""
        if not isinstance(other, (Varying, types.Number, types.Boolean)):
            return None
        found = typingctx.can_convert(scalar_of(other), self.dtype)
        return None if found is None else max(found, Conversion.promote)


@register_model(Varying)
class _VaryingModel(models.PrimitiveModel):
    def __init__(self, data_models, kind):
        super().__init__(data_models, kind, llvm_type(Vector(kind.dtype, kind.lanes)))


def scalar_of(kind):
    """The type of the number in one lane; of a number, its own."""
    return kind.dtype if isinstance(kind, Varying) else types.unliteral(kind)


def lanes_of(kinds) -> int | None:
    """The lanes of the first type that has some."""
    return next((kind.lanes for kind in kinds if isinstance(kind, Varying)), None)


# --------------------------------------------------------------------------------------------------------- conversions


def lane_of(builder, vector, lane):
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), lane))


def in_each_lane(builder, kind, function):
    """The vector that holds `function(lane)` in each lane."""
    vector = ir.Constant(kind, ir.Undefined)
    for lane in range(kind.count):
        vector = builder.insert_element(vector, function(lane), ir.Constant(ir.IntType(32), lane))
    return vector


def converted(context, builder, value, source, target, lanes):
    """A vector of numbers of one scalar type as another, with the roundings of single numbers."""
    if source == target:
        return value
    kind = ir.VectorType(context.get_value_type(target), lanes)
    if isinstance(target, types.Float):
        if isinstance(source, types.Float):
            return (builder.fpext if target.bitwidth > source.bitwidth else builder.fptrunc)(value, kind)
        if isinstance(source, types.Boolean):
            return builder.uitofp(value, kind)
        return (builder.sitofp if source.signed else builder.uitofp)(value, kind)
    if isinstance(source, types.Boolean) and isinstance(target, types.Integer):
        return builder.zext(value, kind)
    return in_each_lane(
        builder, kind, lambda lane: context.cast(builder, lane_of(builder, value, lane), source, target)
    )


@lower_cast(Varying, Varying)
def _convert(context, builder, source, target, value):
    return converted(context, builder, value, source.dtype, target.dtype, target.lanes)


@lower_cast(types.Number, Varying)
@lower_cast(types.Boolean, Varying)
def _spread(context, builder, source, target, value):
    return spread(builder, context.cast(builder, value, source, target.dtype), target.lanes)


def some_lane(builder, condition):
    """Whether a condition holds in some lane."""
    mask = ir.IntType(condition.type.count)
    return builder.icmp_unsigned("!=", builder.bitcast(condition, mask), ir.Constant(mask, 0))
