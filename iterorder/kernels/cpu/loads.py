"""Loads and stores of states and rows of data as tuples of vectors, which live in registers.

A state in few dimensions is a tuple of `dim` vectors, one a coordinate, whose lanes are replicas. A state in many
dimensions is a tuple of vectors along its coordinates.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from iterorder.kernels.cpu.lanes import (
    LANES,
    Vector,
    load_from,
    row_pointer,
    shuffle,
    spread,
    store_to,
)

#: Rows of many coordinates are padded to whole vectors of this size: eight doubles or sixteen floats.
VECTOR_BYTES = 64


def is_table(kind) -> bool:
    return isinstance(kind, types.Array) and kind.ndim == 2 and kind.layout == "C"


def row_lanes(kind) -> int:
    return VECTOR_BYTES * 8 // kind.dtype.bitwidth


def padded_columns(count: int) -> int:
    """The numbers of a row of `count`, few, in a table: what `gather_columns` reads, and a stride that it knows."""
    return 2 if count <= 2 else -(-count // 4) * 4


@intrinsic(prefer_literal=True)
def with_columns(typing_context, array, count):
    """The same array, of which the compiler learns that it has `count` (literal) columns: it need not multiply."""
    if not (is_table(array) and isinstance(count, types.IntegerLiteral)):
        return None

    def generate(context, builder, signature, arguments):
        view = context.make_array(array)(context, builder, arguments[0])
        rows = builder.extract_value(view.shape, 0)
        view.shape = cgutils.pack_array(builder, [rows, ir.Constant(rows.type, count.literal_value)])
        return view._getvalue()

    return array(array, count), generate


def items_of(builder, value, count):
    return [builder.extract_value(value, k) for k in range(count)]


@intrinsic(prefer_literal=True)
def load_columns(typing_context, states, first, lane, count):
    """states[first + k, lane : lane + 8] for each k < count (literal)."""
    return _loaded(states, (states, types.intp, types.intp, count), count, LANES)


@intrinsic(prefer_literal=True)
def load_few_columns(typing_context, states, first, lane, count, width):
    """`load_columns` of `width` (literal) lanes."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    return _loaded(states, (states, types.intp, types.intp, count, width), count, width.literal_value)


def _loaded(states, kinds, count, width):
    if not (is_table(states) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(Vector(states.dtype, width), count.literal_value)

    def generate(context, builder, signature, arguments):
        rows = following_rows(context, builder, states, arguments[:3], kind.count)
        return context.make_tuple(builder, kind, [load_from(builder, row, width) for row in rows])

    return kind(*kinds), generate


@intrinsic
def store_columns(typing_context, x, states, first, lane):
    """states[first + k, lane : lane + 8] ← x[k]."""
    if not (is_table(states) and isinstance(x, types.UniTuple)):
        return None

    def generate(context, builder, signature, arguments):
        rows = following_rows(context, builder, states, arguments[1:], x.count)
        for row, vector in zip(rows, items_of(builder, arguments[0], x.count), strict=True):
            store_to(builder, vector, row)
        return context.get_dummy_value()

    return types.void(x, states, types.intp, types.intp), generate


def following_rows(context, builder, kind, array_row_column, count):
    array, first, column = array_row_column
    rows = [builder.add(first, ir.Constant(first.type, k)) for k in range(count)]
    return [row_pointer(context, builder, kind, array, row, column) for row in rows]


@intrinsic
def store_transposed(typing_context, source, first, lane, target, row, column):
    """target[row + i, column + k] ← source[first + k, lane + i], i, k < 8: neighbours, pairs and halves exchanged."""
    if not (is_table(source) and is_table(target) and source.dtype == target.dtype):
        return None

    def generate(context, builder, signature, arguments):
        pointers = following_rows(context, builder, source, arguments[:3], LANES)
        vectors = [load_from(builder, pointer, LANES) for pointer in pointers]
        for distance in (1, 2, 4):
            low = [lane if lane & distance == 0 else lane - distance + 8 for lane in range(8)]
            high = [lane + distance if lane & distance == 0 else lane + 8 for lane in range(8)]
            for i in range(8):
                if i & distance == 0:
                    pair = vectors[i], vectors[i + distance]
                    vectors[i], vectors[i + distance] = (shuffle(builder, *pair, order) for order in (low, high))
        for vector, pointer in zip(
            vectors, following_rows(context, builder, target, arguments[3:], LANES), strict=True
        ):
            store_to(builder, vector, pointer)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp, types.intp), generate


@intrinsic(prefer_literal=True)
def load_row(typing_context, table, row, column, count):
    """The `count` (literal) whole vectors of table[row, column:]."""
    if not (is_table(table) and isinstance(count, types.IntegerLiteral)):
        return None
    lanes = row_lanes(table)
    kind = types.UniTuple(Vector(table.dtype, lanes), count.literal_value)

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, table, *arguments[:3])
        vectors = [load_from(builder, pointer, lanes, v * lanes) for v in range(kind.count)]
        return context.make_tuple(builder, kind, vectors)

    return kind(table, types.intp, types.intp, count), generate


@intrinsic
def prefetch_row(typing_context, table, row):
    """Ask for the first cache line of table[row], which is read soon; the processor fetches what follows by itself."""
    if not is_table(table):
        return None

    def generate(context, builder, signature, arguments):
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        pointer = builder.bitcast(row_pointer(context, builder, table, *arguments), byte)
        to_read, into_first_cache, data = 0, 3, 1
        builder.call(function, [pointer, *(ir.Constant(number, k) for k in (to_read, into_first_cache, data))])
        return context.get_dummy_value()

    return types.void(table, types.intp), generate


@intrinsic
def store_row(typing_context, x, table, row):
    """table[row] ← the vectors of x, one behind the other."""
    if not (is_table(table) and isinstance(x, types.UniTuple)):
        return None

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, table, *arguments[1:])
        for v, vector in enumerate(items_of(builder, arguments[0], x.count)):
            store_to(builder, vector, pointer, v * x.dtype.lanes)
        return context.get_dummy_value()

    return types.void(x, table, types.intp), generate


@intrinsic(prefer_literal=True)
def broadcast_columns(typing_context, table, item, count):
    """table[item, k] in all eight lanes, for each k < count (literal)."""
    if not (is_table(table) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(Vector(table.dtype, LANES), count.literal_value)

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, table, *arguments[:2])
        numbers = [builder.load(builder.gep(pointer, [ir.Constant(ir.IntType(64), k)])) for k in range(kind.count)]
        return context.make_tuple(builder, kind, [spread(builder, number, LANES) for number in numbers])

    return kind(table, types.intp, count), generate


@intrinsic(prefer_literal=True)
def gather_columns(typing_context, table, drawn, row, lane, count):
    """table[drawn[row, lane + i], k] in lane i, for eight lanes and each k < count (literal): a transposed load.

    Four (or two) numbers of each of the eight rows are loaded together and transposed in registers: eight loads, four
    joins and eight exchanges replace 32 scalar loads. The rows of the table have `padded_columns` numbers.
    """
    return _gathered(table, drawn, (table, drawn, types.intp, types.intp, count), count, LANES)


@intrinsic(prefer_literal=True)
def gather_few_columns(typing_context, table, drawn, row, lane, count, width):
    """`gather_columns` for `width` (literal) lanes: one, two, four, or groups of eight."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    kinds = (table, drawn, types.intp, types.intp, count, width)
    return _gathered(table, drawn, kinds, count, width.literal_value)


def _gathered(table, drawn, kinds, count, width):
    if not (is_table(table) and is_table(drawn) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(Vector(table.dtype, width), count.literal_value)

    def generate(context, builder, signature, arguments):
        first = context.make_array(table)(context, builder, arguments[0]).data
        items = row_pointer(context, builder, drawn, *arguments[1:4])
        stride = ir.Constant(ir.IntType(64), padded_columns(kind.count))  # shifts and additions, no multiplication
        rows = []
        for i in range(width):
            item = builder.load(builder.gep(items, [ir.Constant(ir.IntType(64), i)]))
            rows.append(builder.gep(first, [builder.mul(item, stride)]))
        columns: list = []
        while len(columns) < kind.count:
            if width >= LANES:
                read = two_columns if kind.count - len(columns) <= 2 else four_columns
            else:
                few = _two_columns_of_four if kind.count - len(columns) <= 2 else _four_columns_of_four
                read = {1: _column_of_one, 2: _columns_of_two, 4: few}[width]
            groups = [read(builder, rows[i : i + LANES], len(columns)) for i in range(0, width, LANES)]
            columns += [joined(builder, vectors) for vectors in zip(*groups, strict=True)]
        return context.make_tuple(builder, kind, columns[: kind.count])

    return kind(*kinds), generate


def joined(builder, vectors):
    """The lanes of one, two or four vectors in one."""
    while len(vectors) > 1:
        lanes = range(2 * vectors[0].type.count)
        vectors = [shuffle(builder, vectors[i], vectors[i + 1], lanes) for i in range(0, len(vectors), 2)]
    return vectors[0]


def _column_of_one(builder, rows, first):
    return [load_from(builder, rows[0], 1, first)]


def _columns_of_two(builder, rows, first):
    """Two numbers of each of two rows."""
    pair = [load_from(builder, row, 2, first) for row in rows]
    return [shuffle(builder, pair[0], pair[1], order) for order in ((0, 2), (1, 3))]


def _four_columns_of_four(builder, rows, first):
    """Neighbours exchanged, then halves."""
    whole = [load_from(builder, row, 4, first) for row in rows]
    even = [shuffle(builder, whole[i], whole[i + 1], (0, 4, 2, 6)) for i in (0, 2)]
    odd = [shuffle(builder, whole[i], whole[i + 1], (1, 5, 3, 7)) for i in (0, 2)]
    low, high = (0, 1, 4, 5), (2, 3, 6, 7)
    return [shuffle(builder, pair[0], pair[1], order) for order in (low, high) for pair in (even, odd)]


def _two_columns_of_four(builder, rows, first):
    """Two numbers of each of four rows: even rows in one vector, odd rows in another; then neighbours exchanged."""
    pairs = [load_from(builder, row, 2, first) for row in rows]
    even, odd = (shuffle(builder, pairs[i], pairs[i + 2], range(4)) for i in (0, 1))
    return [shuffle(builder, even, odd, order) for order in ((0, 4, 2, 6), (1, 5, 3, 7))]


def four_columns(builder, rows, first):
    """Row i in the low and row i + 4 in the high half of four vectors; then neighbours, then pairs, exchanged."""
    halves = [load_from(builder, row, 4, first) for row in rows]
    joined = [shuffle(builder, halves[i], halves[i + 4], range(8)) for i in range(4)]
    even = [shuffle(builder, joined[i], joined[i + 1], (0, 8, 2, 10, 4, 12, 6, 14)) for i in (0, 2)]
    odd = [shuffle(builder, joined[i], joined[i + 1], (1, 9, 3, 11, 5, 13, 7, 15)) for i in (0, 2)]
    left, right = (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)
    return [shuffle(builder, pair[0], pair[1], order) for order in (left, right) for pair in (even, odd)]


def two_columns(builder, rows, first):
    """Even rows in one vector, odd rows in another; then neighbours exchanged."""
    pairs = [load_from(builder, row, 2, first) for row in rows]
    joined = []
    for i in (0, 1):
        low = shuffle(builder, pairs[i], pairs[i + 2], range(4))
        high = shuffle(builder, pairs[i + 4], pairs[i + 6], range(4))
        joined.append(shuffle(builder, low, high, range(8)))
    return [
        shuffle(builder, joined[0], joined[1], (0, 8, 2, 10, 4, 12, 6, 14)),
        shuffle(builder, joined[0], joined[1], (1, 9, 3, 11, 5, 13, 7, 15)),
    ]
