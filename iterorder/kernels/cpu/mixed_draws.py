"""Draws whose entry 0 is an index and whose other entries are floats, for one replica or for several."""

from __future__ import annotations

import math
import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model


class IndexAndFloats(types.Type):
    """The type of such a draw: that of its index, and that of the array whose entries 1 … are its floats."""

    def __init__(self, index, words):
        self.index, self.words = index, words
        super().__init__(f"IndexAndFloats({index}, {words})")


@register_model(IndexAndFloats)
class _Model(models.StructModel):
    def __init__(self, data_models, kind):
        super().__init__(data_models, kind, [("index", kind.index), ("words", kind.words)])


def index_and_floats(context, builder, kind: IndexAndFloats, index, words):
    """A draw from its two parts."""
    draw = cgutils.create_struct_proxy(kind)(context, builder)
    draw.index, draw.words = index, words
    return draw._getvalue()


@infer_global(len)
class _Length(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.intp, *args) if len(args) == 1 and isinstance(args[0], IndexAndFloats) else None


@lower_builtin(len, IndexAndFloats)
def _length(context, builder, kind, args):
    draw = cgutils.create_struct_proxy(kind.args[0])(context, builder, args[0])
    return builder.extract_value(context.make_array(kind.args[0].words)(context, builder, draw.words).shape, 0)


@infer_global(operator.getitem)
class _Entry(AbstractTemplate):
    prefer_literal = True

    def generic(self, args, kws):
        if len(args) != 2 or not isinstance(args[0], IndexAndFloats) or not isinstance(args[1], types.Integer):
            return None
        first = isinstance(args[1], types.IntegerLiteral) and args[1].literal_value == 0
        return signature(args[0].index if first else args[0].words.dtype, *args)


@lower_builtin(operator.getitem, IndexAndFloats, types.IntegerLiteral)
@lower_builtin(operator.getitem, IndexAndFloats, types.Integer)
def _entry(context, builder, kind, args):
    """Entry 0 is a float where the index is not written out, as its type may not depend on it; NaN beyond the end."""
    drawn, position = kind.args
    draw = cgutils.create_struct_proxy(drawn)(context, builder, args[0])
    if kind.return_type == drawn.index:
        return draw.index
    words = context.make_array(drawn.words)(context, builder, draw.words)
    length = builder.extract_value(words.shape, 0)
    position = context.cast(builder, args[1], types.unliteral(position), types.intp)
    negative = builder.icmp_signed("<", position, position.type(0))
    position = builder.select(negative, builder.add(position, length), position)
    inside = builder.icmp_unsigned("<", position, length)
    position = builder.select(inside, position, position.type(0))
    address = builder.gep(
        builder.bitcast(words.data, ir.IntType(8).as_pointer()),
        [builder.mul(position, builder.extract_value(words.strides, 0))],
    )
    numbers = builder.load(builder.bitcast(address, words.data.type))
    is_index = builder.icmp_signed("==", position, position.type(0))
    value = builder.select(is_index, builder.sitofp(draw.index, numbers.type), numbers)
    lanes = getattr(numbers.type, "count", 0)
    return builder.select(inside, value, ir.Constant(numbers.type, [math.nan] * lanes if lanes else math.nan))
