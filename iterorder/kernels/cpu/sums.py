"""Sums, products and moves of tuples of vectors.

Every sum is written out in the order of its roundings, because the compiler may not, and must not, reorder a sum by
itself: all kernels get the same bits. `tests/naive.py` has a literal twin of each function.
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
    multiply_add,
    row_pointer,
    shuffle,
    spread,
    store_to,
)
from iterorder.kernels.cpu.loads import is_table, items_of, row_lanes

#: Chains of multiply-adds of a sum: few and long beside the other lanes, several and short within one state.
LANE_CHAINS, ROW_CHAINS = 2, 5


def _chained(builder, a, x, start, chains):
    """start + Σ a·x: term k is added to chain k mod `chains`, the first of which begins with `start`."""
    sums = [start, *[None] * (chains - 1)]
    for k, (factor, number) in enumerate(zip(a, x, strict=True)):
        add_product(builder, sums, k, factor, number)
    return added_inwards(builder, [value for value in sums if value is not None])


def add_product(builder, sums: list, k: int, factor, number) -> None:
    """Add term k to its chain, which the first of its terms begins."""
    chain = k % len(sums)
    known = sums[chain]
    sums[chain] = builder.fmul(factor, number) if known is None else multiply_add(builder, factor, number, known)


def first_chain(context, builder, dtype, lanes: int, start):
    """The vector that the first chain begins with: `start` in its first lane."""
    zero = ir.Constant(ir.VectorType(context.get_value_type(dtype), lanes), [0.0] * lanes)
    return builder.insert_element(zero, start, ir.Constant(ir.IntType(32), 0))


def added_inwards(builder, values):
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
        factors, numbers = items_of(builder, arguments[0], x.count), items_of(builder, arguments[1], x.count)
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
        factors, numbers = items_of(builder, arguments[0], x.count), items_of(builder, arguments[1], x.count)
        first = first_chain(context, builder, kind.dtype, kind.lanes, arguments[2])
        return folded_to_lanes(builder, _chained(builder, factors, numbers, first, ROW_CHAINS))

    return Vector(kind.dtype, LANES)(a, x, start), generate


@intrinsic
def long_partial_sums(typing_context, table, item, offset, x, lane, size, start):
    """`partial_sums` of table[item, offset:] and x[lane] over `size` numbers in memory, whole vectors.

    In the same order from five vectors on; below, the chains without a term are zeros that take part in the last sums.
    """
    if not (is_table(table) and is_table(x) and table.dtype == x.dtype == start):
        return None
    lanes = row_lanes(x)

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
        return folded_to_lanes(builder, added_inwards(builder, [builder.load(pointer) for pointer in sums]))

    arguments = (table, types.intp, types.intp, x, types.intp, types.intp, start)
    return Vector(x.dtype, LANES)(*arguments), generate


@intrinsic
def shrink_and_move(typing_context, x, lane, shrink, move, table, item, size):
    """x[lane] ← shrink·x[lane] + move·table[item] over the first `size` numbers in memory, whole vectors."""
    if not (is_table(table) and is_table(x) and table.dtype == x.dtype == shrink == move):
        return None
    lanes = row_lanes(x)

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


def folded_to_lanes(builder, vector):
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
    if not is_table(sums):
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
        pairs = zip(items_of(builder, arguments[2], x.count), items_of(builder, arguments[0], x.count), strict=True)
        return context.make_tuple(builder, x, [multiply_add(builder, many, move, number) for move, number in pairs])

    return x(x, factor, a), generate


@intrinsic
def multiple(typing_context, factor, x):
    """factor·x, coordinate by coordinate, for a number."""
    if not (isinstance(x, types.UniTuple) and factor == x.dtype.dtype):
        return None

    def generate(context, builder, signature, arguments):
        many = spread(builder, arguments[0], x.dtype.lanes)
        return context.make_tuple(
            builder, x, [builder.fmul(many, number) for number in items_of(builder, arguments[1], x.count)]
        )

    return x(factor, x), generate


@intrinsic
def plus(typing_context, x, y):
    """x + y, coordinate by coordinate."""
    if not (isinstance(x, types.UniTuple) and x == y):
        return None

    def generate(context, builder, signature, arguments):
        pairs = zip(*(items_of(builder, argument, x.count) for argument in arguments), strict=True)
        return context.make_tuple(builder, x, [builder.fadd(*pair) for pair in pairs])

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
        rows, numbers = items_of(builder, arguments[0], augmented.count), items_of(builder, arguments[1], d)
        image = []
        for k in range(d):
            row = rows[k * (d + 1) : (k + 1) * (d + 1)]
            image.append(_chained(builder, row[:d], numbers, row[d], 1))
        return context.make_tuple(builder, x, image)

    return x(augmented, x), generate


@intrinsic
def offsets(typing_context, augmented, x):
    """b in every lane; `augmented` holds the rows of (A | b), x has one vector a coordinate."""
    if not (isinstance(augmented, types.UniTuple) and augmented.count == x.count * (x.count + 1)):
        return None

    def generate(context, builder, signature, arguments):
        return context.make_tuple(builder, x, items_of(builder, arguments[0], augmented.count)[x.count :: x.count + 1])

    return x(augmented, x), generate


@intrinsic
def linear_image(typing_context, row, augmented):
    """row·A in every lane; `augmented` holds the rows of (A | b), of which b is left out."""
    if not (isinstance(row, types.UniTuple) and augmented.count == row.count * (row.count + 1)):
        return None
    d = row.count

    def generate(context, builder, signature, arguments):
        factors, numbers = items_of(builder, arguments[0], d), items_of(builder, arguments[1], augmented.count)
        columns = [[numbers[m * (d + 1) + k] for m in range(d)] for k in range(d)]
        image = []
        for column in columns:
            first = builder.fmul(factors[0], column[0])
            image.append(_chained(builder, factors[1:], column[1:], first, 1))
        return context.make_tuple(builder, row, image)

    return row(row, augmented), generate
