"""Draws whose entry 0 is an index and whose other entries are floats, for a compiler.

Numba and numba-cuda have each a set of types of their own, with the same names: what is said here serves both.
"""

from __future__ import annotations

import math
import operator
from types import SimpleNamespace
from typing import Any

from llvmlite import ir


def defined_for(compiler: SimpleNamespace, kind_of_draw: Any) -> Any:
    """What makes a draw in compiled code, ``(context, builder, kind, index, floats)``; `len` and entries are defined.

    Parameters
    ----------
    compiler : namespace
        With `types`, `models`, `register_model`, `infer_global`, `AbstractTemplate`, `signature`, `lower` and
        `struct_proxy`, by the names that Numba has for them.
    kind_of_draw : class
        A type of that compiler, whose `index` and `words` are the types of the two parts.
    """
    types = compiler.types
    Template: Any = compiler.AbstractTemplate
    StructModel: Any = compiler.models.StructModel

    @compiler.register_model(kind_of_draw)
    class Model(StructModel):
        def __init__(self, data_models, kind):
            super().__init__(data_models, kind, [("index", kind.index), ("words", kind.words)])

    def made(context, builder, kind, index, words):
        draw = compiler.struct_proxy(kind)(context, builder)
        draw.index, draw.words = index, words
        return draw._getvalue()

    @compiler.infer_global(len)
    class Length(Template):
        def generic(self, args, kws):
            mixed = len(args) == 1 and isinstance(args[0], kind_of_draw)
            return compiler.signature(types.intp, *args) if mixed else None

    @compiler.lower(len, kind_of_draw)
    def length(context, builder, kind, args):
        draw = compiler.struct_proxy(kind.args[0])(context, builder, args[0])
        return _length_of(context, builder, kind.args[0].words, draw.words)

    @compiler.infer_global(operator.getitem)
    class Entry(Template):
        prefer_literal = True

        def generic(self, args, kws):
            if len(args) != 2 or not isinstance(args[0], kind_of_draw) or not isinstance(args[1], types.Integer):
                return None
            first = isinstance(args[1], types.IntegerLiteral) and args[1].literal_value == 0
            return compiler.signature(args[0].index if first else args[0].words.dtype, *args)

    @compiler.lower(operator.getitem, kind_of_draw, types.IntegerLiteral)
    @compiler.lower(operator.getitem, kind_of_draw, types.Integer)
    def entry(context, builder, kind, args):
        drawn, position = kind.args
        draw = compiler.struct_proxy(drawn)(context, builder, args[0])
        if kind.return_type == drawn.index:
            return draw.index
        position = context.cast(builder, args[1], types.unliteral(position), types.intp)
        return _entry(context, builder, drawn, draw, position)

    return made


def _length_of(context, builder, kind, array):
    return builder.extract_value(context.make_array(kind)(context, builder, array).shape, 0)


def _entry(context, builder, drawn, draw, position):
    """Entry 0 is a float where the index is not written out, as its type may not depend on it; NaN beyond the end."""
    words = context.make_array(drawn.words)(context, builder, draw.words)
    length = builder.extract_value(words.shape, 0)
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
