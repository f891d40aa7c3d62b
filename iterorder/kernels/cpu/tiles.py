"""Tiles of a matrix in registers: some rows, one vector of columns wide, to which products of two others are added.

An entry of a tile adds its products in the order in which they are given, one after the other, so its bits depend on
neither the size of the tile nor the width of the registers.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from iterorder.kernels.cpu.lanes import (
    Vector,
    align_stack,
    constant,
    llvm_type,
    load_from,
    multiply_add,
    row_pointer,
    shuffle,
    spread,
)
from iterorder.kernels.cpu.loads import following_rows, is_table, items_of, row_lanes


@intrinsic
def zeros_along(typing_context, table):
    """The vector of zeros that fills a register of 64 bytes with numbers of a table."""
    if not is_table(table):
        return None
    kind = Vector(table.dtype, row_lanes(table))

    def generate(context, builder, signature, arguments):
        align_stack(builder)
        return constant(kind, 0.0)

    return kind(table), generate


@intrinsic
def lanes_in(typing_context, vector):
    """How many lanes a vector has."""
    if not isinstance(vector, Vector):
        return None

    def generate(context, builder, signature, arguments):
        return context.get_constant(types.intp, vector.lanes)

    return types.intp(vector), generate


@intrinsic
def lanes_below(typing_context, count, first, like):
    """Of each lane of a vector like this one, whether its number and `first` add up to less than a count."""
    if not isinstance(like, Vector):
        return None
    kind = Vector(types.boolean, like.lanes)

    def generate(context, builder, signature, arguments):
        align_stack(builder)
        left = spread(builder, builder.sub(*arguments[:2]), like.lanes)
        numbers = ir.Constant(left.type, list(range(like.lanes)))
        return builder.icmp_signed("<", numbers, left)

    return kind(types.intp, types.intp, like), generate


@intrinsic(prefer_literal=True)
def spread_tile(typing_context, table, row, column, like, count):
    """table[row, column + k] in every lane of row k, for each k < count (literal)."""
    if not (is_table(table) and isinstance(like, Vector) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(like, count.literal_value)

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, table, *arguments[:3])
        numbers = [builder.load(builder.gep(pointer, [ir.Constant(ir.IntType(64), k)])) for k in range(kind.count)]
        return context.make_tuple(builder, kind, [spread(builder, number, like.lanes) for number in numbers])

    return kind(table, types.intp, types.intp, like, count), generate


@intrinsic
def plus_outer(typing_context, tile, table, row, column, x):
    """Row k of a tile plus table[row + k, column]·x."""
    return _plus_outer(tile, table, x, along_row=False)


@intrinsic
def plus_outer_along(typing_context, tile, table, row, column, x):
    """Row k of a tile plus table[row, column + k]·x."""
    return _plus_outer(tile, table, x, along_row=True)


def _plus_outer(tile, table, x, along_row: bool):
    if not (is_table(table) and isinstance(tile, types.UniTuple) and tile.dtype == x and x.dtype == table.dtype):
        return None

    def generate(context, builder, signature, arguments):
        sums, place, vector = items_of(builder, arguments[0], tile.count), arguments[1:4], arguments[4]
        if along_row:
            first = row_pointer(context, builder, table, *place)
            pointers = [builder.gep(first, [ir.Constant(ir.IntType(64), k)]) for k in range(tile.count)]
        else:
            pointers = following_rows(context, builder, table, place, tile.count)
        factors = [spread(builder, builder.load(pointer), x.lanes) for pointer in pointers]
        added = [multiply_add(builder, factor, vector, total) for factor, total in zip(factors, sums, strict=True)]
        return context.make_tuple(builder, tile, added)

    return tile(tile, table, types.intp, types.intp, x), generate


@intrinsic(prefer_literal=True)
def repeated(typing_context, vector, count):
    """A tile of `count` (literal) rows that are all this vector."""
    if not (isinstance(vector, Vector) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(vector, count.literal_value)

    def generate(context, builder, signature, arguments):
        return context.make_tuple(builder, kind, [arguments[0]] * kind.count)

    return kind(vector, count), generate


@intrinsic(prefer_literal=True)
def load_tile(typing_context, table, row, column, like, count):
    """table[row + k, column:] for each k < count (literal), as many columns as the vector `like` has lanes."""
    if not (is_table(table) and isinstance(like, Vector) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(like, count.literal_value)

    def generate(context, builder, signature, arguments):
        pointers = following_rows(context, builder, table, arguments[:3], kind.count)
        return context.make_tuple(builder, kind, [load_from(builder, pointer, like.lanes) for pointer in pointers])

    return kind(table, types.intp, types.intp, like, count), generate


@intrinsic(prefer_literal=True)
def load_tile_part(typing_context, table, row, column, condition, like, count):
    """`load_tile` in the lanes where a condition holds, zero elsewhere, where nothing is read."""
    if not (is_table(table) and isinstance(like, Vector) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(like, count.literal_value)

    def generate(context, builder, signature, arguments):
        align_stack(builder)
        vector, mask, rows = llvm_type(like), arguments[3], []
        for pointer in following_rows(context, builder, table, arguments[:3], kind.count):
            place = builder.bitcast(pointer, vector.as_pointer())
            function = _masked(builder, "load", vector, vector, [place.type, ir.IntType(32), mask.type, vector])
            rows.append(builder.call(function, [place, _alignment(table), mask, constant(like, 0.0)]))
        return context.make_tuple(builder, kind, rows)

    return kind(table, types.intp, types.intp, condition, like, count), generate


@intrinsic
def store_tile_part(typing_context, tile, table, row, column, condition):
    """table[row + k, column + i] ← lane i of row k where a condition holds; nothing else is written."""
    if not (is_table(table) and isinstance(tile, types.UniTuple)):
        return None

    def generate(context, builder, signature, arguments):
        align_stack(builder)
        vector, mask = llvm_type(tile.dtype), arguments[4]
        pointers = following_rows(context, builder, table, arguments[1:4], tile.count)
        for row, pointer in zip(items_of(builder, arguments[0], tile.count), pointers, strict=True):
            place = builder.bitcast(pointer, vector.as_pointer())
            kinds = [vector, place.type, ir.IntType(32), mask.type]
            function = _masked(builder, "store", vector, ir.VoidType(), kinds)
            builder.call(function, [row, place, _alignment(table), mask])
        return context.get_dummy_value()

    return types.void(tile, table, types.intp, types.intp, condition), generate


def _alignment(table):
    return ir.Constant(ir.IntType(32), table.dtype.bitwidth // 8)


def _masked(builder, what: str, kind, result, kinds):
    name = f"llvm.masked.{what}.v{kind.count}f{64 if isinstance(kind.element, ir.DoubleType) else 32}.p0"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, kinds), name)


@intrinsic
def sum_of_lanes(typing_context, vector):
    """The sum of the lanes: halves added to halves."""
    if not isinstance(vector, Vector):
        return None

    def generate(context, builder, signature, arguments):
        value = arguments[0]
        while (half := value.type.count // 2) > 0:
            low = shuffle(builder, value, value, range(half))
            value = builder.fadd(low, shuffle(builder, value, value, range(half, 2 * half)))
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return vector.dtype(vector), generate
