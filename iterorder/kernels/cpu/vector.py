"""Vector primitives: exp, and sums, moves and transposed loads of tuples of vectors.

A state in few dimensions is a tuple of `dim` vectors, one a coordinate, whose lanes are replicas. A state in many
dimensions is a tuple of vectors along its coordinates. The tuples live in registers. Every sum is written out in the
order of its roundings, because the compiler may not, and must not, reorder a sum by itself: all kernels get the same
bits. `tests/naive.py` has a literal twin of each function.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from iterorder.kernels.cpu.lanes import (
    LANES,
    Vector,
    alike,
    as_bits,
    from_bits,
    load_from,
    madd,
    multiply_add,
    row_pointer,
    shuffle,
    spread,
    store_to,
    where,
)
from iterorder.kernels.targets import jit_inline

#: Rows of many coordinates are padded to whole vectors of this size: eight doubles or sixteen floats.
VECTOR_BYTES = 64
#: Chains of multiply-adds of a sum: few and long beside the other lanes, several and short within one state.
LANE_CHAINS, ROW_CHAINS = 2, 5

LOG2E = 1.4426950408889634
# log 2 in two parts; the first has 32 trailing zero bits, so that n·LN2_HIGH is exact for |n| < 2¹¹.
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Adding 1.5·2⁵² rounds to an integer, which then stands in the low bits of the sum.
ROUND = 6755399441055744.0
BIAS, MANTISSA = np.uint64(1023), np.uint64(52)


@jit_inline
def exp(x):
    """e^x to about an ulp, of a float64 or of each lane; arguments are cut to [−708, 709], NaN stays NaN.

    x = n·log 2 + r with |r| ≤ log(2)/2, a Taylor series of degree 13 in r (first neglected term 4e−18), and n put into
    the exponent. Branch-free; there is no vector exp in LLVM for Numba to call.
    """
    x = where(x < -708.0, alike(-708.0, x), x)
    x = where(x > 709.0, alike(709.0, x), x)
    shifted = madd(x, LOG2E, ROUND)
    n = shifted - ROUND
    r = madd(n, -LN2_LOW, madd(n, -LN2_HIGH, x))
    r2 = r * r
    r4 = r2 * r2
    t0 = r + 1.0
    t2 = madd(r, 1.0 / 6.0, 1.0 / 2.0)
    t4 = madd(r, 1.0 / 120.0, 1.0 / 24.0)
    t6 = madd(r, 1.0 / 5040.0, 1.0 / 720.0)
    t8 = madd(r, 1.0 / 362880.0, 1.0 / 40320.0)
    t10 = madd(r, 1.0 / 39916800.0, 1.0 / 3628800.0)
    t12 = madd(r, 1.0 / 6227020800.0, 1.0 / 479001600.0)
    series = madd(r4, madd(r4, madd(r4, t12, madd(r2, t10, t8)), madd(r2, t6, t4)), madd(r2, t2, t0))
    return series * from_bits((as_bits(shifted) + BIAS) << MANTISSA)


# ---------------------------------------------------------------------------------------------------- loads and stores


def _is_table(kind) -> bool:
    return isinstance(kind, types.Array) and kind.ndim == 2 and kind.layout == "C"


def _row_lanes(kind) -> int:
    return VECTOR_BYTES * 8 // kind.dtype.bitwidth


def _tuple(context, builder, kind, values):
    return context.make_tuple(builder, kind, values)


def _items(builder, value, count):
    return [builder.extract_value(value, k) for k in range(count)]


@intrinsic(prefer_literal=True)
def load_columns(typing_context, states, first, lane, count):
    """states[first + k, lane : lane + 8] for each k < count (literal)."""
    if not (_is_table(states) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(Vector(states.dtype, LANES), count.literal_value)

    def generate(context, builder, signature, arguments):
        rows = _following_rows(context, builder, states, arguments[:3], kind.count)
        return _tuple(context, builder, kind, [load_from(builder, row, LANES) for row in rows])

    return kind(states, types.intp, types.intp, count), generate


@intrinsic
def store_columns(typing_context, x, states, first, lane):
    """states[first + k, lane : lane + 8] ← x[k]."""
    if not (_is_table(states) and isinstance(x, types.UniTuple)):
        return None

    def generate(context, builder, signature, arguments):
        rows = _following_rows(context, builder, states, arguments[1:], x.count)
        for row, vector in zip(rows, _items(builder, arguments[0], x.count), strict=True):
            store_to(builder, vector, row)
        return context.get_dummy_value()

    return types.void(x, states, types.intp, types.intp), generate


def _following_rows(context, builder, kind, array_row_column, count):
    array, first, column = array_row_column
    rows = [builder.add(first, ir.Constant(first.type, k)) for k in range(count)]
    return [row_pointer(context, builder, kind, array, row, column) for row in rows]


@intrinsic
def store_transposed(typing_context, source, first, lane, target, row, column):
    """target[row + i, column + k] ← source[first + k, lane + i], i, k < 8: neighbours, pairs and halves exchanged."""
    if not (_is_table(source) and _is_table(target) and source.dtype == target.dtype):
        return None

    def generate(context, builder, signature, arguments):
        pointers = _following_rows(context, builder, source, arguments[:3], LANES)
        vectors = [load_from(builder, pointer, LANES) for pointer in pointers]
        for distance in (1, 2, 4):
            low = [lane if lane & distance == 0 else lane - distance + 8 for lane in range(8)]
            high = [lane + distance if lane & distance == 0 else lane + 8 for lane in range(8)]
            for i in range(8):
                if i & distance == 0:
                    pair = vectors[i], vectors[i + distance]
                    vectors[i], vectors[i + distance] = (shuffle(builder, *pair, order) for order in (low, high))
        for vector, pointer in zip(
            vectors, _following_rows(context, builder, target, arguments[3:], LANES), strict=True
        ):
            store_to(builder, vector, pointer)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp, types.intp), generate


@intrinsic(prefer_literal=True)
def load_row(typing_context, table, row, column, count):
    """The `count` (literal) whole vectors of table[row, column:]."""
    if not (_is_table(table) and isinstance(count, types.IntegerLiteral)):
        return None
    lanes = _row_lanes(table)
    kind = types.UniTuple(Vector(table.dtype, lanes), count.literal_value)

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, table, *arguments[:3])
        vectors = [load_from(builder, pointer, lanes, v * lanes) for v in range(kind.count)]
        return _tuple(context, builder, kind, vectors)

    return kind(table, types.intp, types.intp, count), generate


@intrinsic
def store_row(typing_context, x, table, row):
    """table[row] ← the vectors of x, one behind the other."""
    if not (_is_table(table) and isinstance(x, types.UniTuple)):
        return None

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, table, *arguments[1:])
        for v, vector in enumerate(_items(builder, arguments[0], x.count)):
            store_to(builder, vector, pointer, v * x.dtype.lanes)
        return context.get_dummy_value()

    return types.void(x, table, types.intp), generate


@intrinsic(prefer_literal=True)
def broadcast_columns(typing_context, table, item, count):
    """table[item, k] in all eight lanes, for each k < count (literal)."""
    if not (_is_table(table) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(Vector(table.dtype, LANES), count.literal_value)

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, table, *arguments[:2])
        numbers = [builder.load(builder.gep(pointer, [ir.Constant(ir.IntType(64), k)])) for k in range(kind.count)]
        return _tuple(context, builder, kind, [spread(builder, number, LANES) for number in numbers])

    return kind(table, types.intp, count), generate


@intrinsic(prefer_literal=True)
def gather_columns(typing_context, table, drawn, row, lane, count):
    """table[drawn[row, lane + i], k] in lane i, for eight lanes and each k < count (literal): a transposed load.

    Four (or two) numbers of each of the eight rows are loaded together and transposed in registers: eight loads, four
    joins and eight exchanges replace 32 scalar loads. The rows of the table are padded to multiples of four (of two,
    where count is at most two) numbers.
    """
    if not (_is_table(table) and _is_table(drawn) and isinstance(count, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(Vector(table.dtype, LANES), count.literal_value)

    def generate(context, builder, signature, arguments):
        items = row_pointer(context, builder, drawn, *arguments[1:4])
        rows = []
        for i in range(LANES):
            item = builder.load(builder.gep(items, [ir.Constant(ir.IntType(64), i)]))
            rows.append(row_pointer(context, builder, table, arguments[0], item))
        columns: list = []
        while len(columns) < kind.count:
            read = _two_columns if kind.count - len(columns) <= 2 else _four_columns
            columns += read(builder, rows, len(columns))
        return _tuple(context, builder, kind, columns[: kind.count])

    return kind(table, drawn, types.intp, types.intp, count), generate


def _four_columns(builder, rows, first):
    """Row i in the low and row i + 4 in the high half of four vectors; then neighbours, then pairs, exchanged."""
    halves = [load_from(builder, row, 4, first) for row in rows]
    joined = [shuffle(builder, halves[i], halves[i + 4], range(8)) for i in range(4)]
    even = [shuffle(builder, joined[i], joined[i + 1], (0, 8, 2, 10, 4, 12, 6, 14)) for i in (0, 2)]
    odd = [shuffle(builder, joined[i], joined[i + 1], (1, 9, 3, 11, 5, 13, 7, 15)) for i in (0, 2)]
    left, right = (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)
    return [shuffle(builder, pair[0], pair[1], order) for order in (left, right) for pair in (even, odd)]


def _two_columns(builder, rows, first):
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


# ---------------------------------------------------------------------------------------------------- sums and moves


def _chained(builder, a, x, start, chains):
    """start + Σ a·x: term k is added to chain k mod `chains`, the first of which begins with `start`."""
    sums = [start, *[None] * (chains - 1)]
    for k, (factor, number) in enumerate(zip(a, x, strict=True)):
        chain = k % chains
        if sums[chain] is None:
            sums[chain] = builder.fmul(factor, number)
        else:
            sums[chain] = multiply_add(builder, factor, number, sums[chain])
    return _added_inwards(builder, [value for value in sums if value is not None])


def _added_inwards(builder, values):
    """The last is added to the first, the one before to the second, … until one is left."""
    while len(values) > 1:
        n = len(values)
        values = [
            builder.fadd(values[k], values[n - 1 - k]) if k < n - 1 - k else values[k] for k in range((n + 1) // 2)
        ]
    return values[0]


@intrinsic
def dot(typing_context, a, x, start):
    """start + Σ_k a[k]·x[k] in every lane, over the coordinates of x: two chains of multiply-adds, then their sum."""
    if not (isinstance(a, types.UniTuple) and isinstance(x, types.UniTuple) and a.count >= x.count):
        return None

    def generate(context, builder, signature, arguments):
        factors, numbers = _items(builder, arguments[0], x.count), _items(builder, arguments[1], x.count)
        return _chained(builder, factors, numbers, arguments[2], LANE_CHAINS)

    return x.dtype(a, x, start), generate


@intrinsic
def partial_sums(typing_context, a, x, start):
    """Eight numbers that sum to start + aᵀx, a and x tuples along the coordinates; `start` enters the first.

    Five chains, since their latency is what a long product waits for; sixteen float32 lanes are folded to eight.
    """
    if not (isinstance(a, types.UniTuple) and a == x and start == x.dtype.dtype):
        return None
    kind = x.dtype

    def generate(context, builder, signature, arguments):
        factors, numbers = _items(builder, arguments[0], x.count), _items(builder, arguments[1], x.count)
        zero = ir.Constant(context.get_value_type(kind), [0.0] * kind.lanes)
        first = builder.insert_element(zero, arguments[2], ir.Constant(ir.IntType(32), 0))
        return _folded(builder, _chained(builder, factors, numbers, first, ROW_CHAINS))

    return Vector(kind.dtype, LANES)(a, x, start), generate


@intrinsic
def long_partial_sums(typing_context, table, item, offset, x, lane, size, start):
    """`partial_sums` of table[item, offset:] and x[lane] over `size` numbers in memory, whole vectors.

    In the same order from five vectors on; below, the chains without a term are zeros that take part in the last sums.
    """
    if not (_is_table(table) and _is_table(x) and table.dtype == x.dtype == start):
        return None
    lanes = _row_lanes(x)

    def generate(context, builder, signature, arguments):
        factors = row_pointer(context, builder, table, *arguments[:3])
        numbers = row_pointer(context, builder, x, *arguments[3:5])
        zero = ir.Constant(ir.VectorType(context.get_value_type(x.dtype), lanes), [0.0] * lanes)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(ROW_CHAINS)]
        for pointer in sums:
            builder.store(zero, pointer)
        builder.store(builder.insert_element(zero, arguments[6], ir.Constant(ir.IntType(32), 0)), sums[0])

        def add_product(position, chain):
            factor, number = (
                load_from(builder, builder.gep(row, [position]), lanes, chain * lanes) for row in (factors, numbers)
            )
            builder.store(multiply_add(builder, factor, number, builder.load(sums[chain])), sums[chain])

        length = arguments[5]
        step = ir.Constant(length.type, ROW_CHAINS * lanes)
        whole = builder.sub(length, builder.urem(length, step))
        with cgutils.for_range_slice(builder, ir.Constant(length.type, 0), whole, step, intp=length.type) as (
            position,
            _,
        ):
            for chain in range(ROW_CHAINS):
                add_product(position, chain)
        for chain in range(ROW_CHAINS - 1):
            end = builder.add(whole, ir.Constant(length.type, chain * lanes))
            with builder.if_then(builder.icmp_signed("<", end, length)):
                add_product(whole, chain)
        return _folded(builder, _added_inwards(builder, [builder.load(pointer) for pointer in sums]))

    arguments = (table, types.intp, types.intp, x, types.intp, types.intp, start)
    return Vector(x.dtype, LANES)(*arguments), generate


@intrinsic
def shrink_and_move(typing_context, x, lane, shrink, move, table, item, size):
    """x[lane] ← shrink·x[lane] + move·table[item] over the first `size` numbers in memory, whole vectors."""
    if not (_is_table(table) and _is_table(x) and table.dtype == x.dtype == shrink == move):
        return None
    lanes = _row_lanes(x)

    def generate(context, builder, signature, arguments):
        state = row_pointer(context, builder, x, *arguments[:2])
        row = row_pointer(context, builder, table, *arguments[4:6])
        shrinks, moves = (spread(builder, number, lanes) for number in arguments[2:4])
        length = arguments[6]
        zero, step = ir.Constant(length.type, 0), ir.Constant(length.type, lanes)
        with cgutils.for_range_slice(builder, zero, length, step, intp=length.type) as (position, _):
            target = builder.gep(state, [position])
            shrunk = builder.fmul(shrinks, load_from(builder, target, lanes))
            change = load_from(builder, builder.gep(row, [position]), lanes)
            store_to(builder, multiply_add(builder, moves, change, shrunk), target)
        return context.get_dummy_value()

    return types.void(x, types.intp, shrink, move, table, types.intp, types.intp), generate


def _folded(builder, vector):
    """Halves added until eight lanes are left."""
    while vector.type.count > LANES:
        half = vector.type.count // 2
        low = shuffle(builder, vector, vector, range(half))
        high = shuffle(builder, vector, vector, range(half, 2 * half))
        vector = builder.fadd(low, high)
    return vector


@intrinsic
def sum_each(typing_context, sums, first):
    """Lane i: the sum of the eight numbers of sums[first + i], neighbours first: a transposed sum, 14 exchanges."""
    if not _is_table(sums):
        return None

    def generate(context, builder, signature, arguments):
        rows = [builder.add(arguments[1], ir.Constant(arguments[1].type, i)) for i in range(LANES)]
        vectors = [load_from(builder, row_pointer(context, builder, sums, arguments[0], row), LANES) for row in rows]
        orders = [
            ((0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15)),  # pairs of neighbours
            ((0, 1, 4, 5, 8, 9, 12, 13), (2, 3, 6, 7, 10, 11, 14, 15)),  # then pairs of quarters
            ((0, 1, 4, 5, 8, 9, 12, 13), (2, 3, 6, 7, 10, 11, 14, 15)),
        ]
        for even, odd in orders:
            vectors = [
                builder.fadd(shuffle(builder, *pair, even), shuffle(builder, *pair, odd))
                for pair in zip(vectors[::2], vectors[1::2], strict=True)
            ]
        return vectors[0]

    return Vector(sums.dtype, LANES)(sums, types.intp), generate


@intrinsic
def total(typing_context, sums, x):
    """The sum of eight numbers in every lane of a vector like those of x: halves, quarters, then neighbours added."""
    if not (isinstance(sums, Vector) and sums.lanes == LANES and isinstance(x, types.UniTuple)):
        return None

    def generate(context, builder, signature, arguments):
        vector = arguments[0]
        for distance in (4, 2, 1):
            vector = builder.fadd(vector, shuffle(builder, vector, vector, [lane ^ distance for lane in range(LANES)]))
        return shuffle(builder, vector, vector, [lane % LANES for lane in range(x.dtype.lanes)])

    return x.dtype(sums, x), generate


@intrinsic
def plus_multiple(typing_context, x, factor, a):
    """x + factor·a, coordinate by coordinate; the factor is a vector, or a number that stands in every lane."""
    if not (isinstance(x, types.UniTuple) and isinstance(a, types.UniTuple) and a.count >= x.count):
        return None

    def generate(context, builder, signature, arguments):
        many = arguments[1] if isinstance(factor, Vector) else spread(builder, arguments[1], x.dtype.lanes)
        pairs = zip(_items(builder, arguments[2], x.count), _items(builder, arguments[0], x.count), strict=True)
        return _tuple(context, builder, x, [multiply_add(builder, many, move, number) for move, number in pairs])

    return x(x, factor, a), generate


@intrinsic
def multiple(typing_context, factor, x):
    """factor·x, coordinate by coordinate, for a number."""
    if not (isinstance(x, types.UniTuple) and factor == x.dtype.dtype):
        return None

    def generate(context, builder, signature, arguments):
        many = spread(builder, arguments[0], x.dtype.lanes)
        return _tuple(
            context, builder, x, [builder.fmul(many, number) for number in _items(builder, arguments[1], x.count)]
        )

    return x(factor, x), generate


@intrinsic
def plus(typing_context, x, y):
    """x + y, coordinate by coordinate."""
    if not (isinstance(x, types.UniTuple) and x == y):
        return None

    def generate(context, builder, signature, arguments):
        pairs = zip(*(_items(builder, argument, x.count) for argument in arguments), strict=True)
        return _tuple(context, builder, x, [builder.fadd(*pair) for pair in pairs])

    return x(x, y), generate


@intrinsic
def affine_image(typing_context, augmented, x):
    """A x + b in every lane; `augmented` holds the rows of (A | b), x has one vector a coordinate.

    One chain a coordinate, which begins with b.
    """
    if not (isinstance(augmented, types.UniTuple) and augmented.count == x.count * (x.count + 1)):
        return None
    d = x.count

    def generate(context, builder, signature, arguments):
        rows, numbers = _items(builder, arguments[0], augmented.count), _items(builder, arguments[1], d)
        image = []
        for k in range(d):
            row = rows[k * (d + 1) : (k + 1) * (d + 1)]
            image.append(_chained(builder, row[:d], numbers, row[d], 1))
        return _tuple(context, builder, x, image)

    return x(augmented, x), generate


@intrinsic
def offsets(typing_context, augmented, x):
    """b in every lane; `augmented` holds the rows of (A | b), x has one vector a coordinate."""
    if not (isinstance(augmented, types.UniTuple) and augmented.count == x.count * (x.count + 1)):
        return None

    def generate(context, builder, signature, arguments):
        return _tuple(context, builder, x, _items(builder, arguments[0], augmented.count)[x.count :: x.count + 1])

    return x(augmented, x), generate


@intrinsic
def linear_image(typing_context, row, augmented):
    """row·A in every lane; `augmented` holds the rows of (A | b), of which b is left out."""
    if not (isinstance(row, types.UniTuple) and augmented.count == row.count * (row.count + 1)):
        return None
    d = row.count

    def generate(context, builder, signature, arguments):
        factors, numbers = _items(builder, arguments[0], d), _items(builder, arguments[1], augmented.count)
        columns = [[numbers[m * (d + 1) + k] for m in range(d)] for k in range(d)]
        image = []
        for column in columns:
            first = builder.fmul(factors[0], column[0])
            image.append(_chained(builder, factors[1:], column[1:], first, 1))
        return _tuple(context, builder, row, image)

    return row(row, augmented), generate
