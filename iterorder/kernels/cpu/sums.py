"""Sums, products and moves of tuples of vectors.

Every sum is written out in the order of its roundings, that of `kernels.bodies.sums`: all kernels get the same bits.
`tests/naive.py` has a literal twin of each function.
"""

from __future__ import annotations

from typing import NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from iterorder.kernels.bodies import sums as bodies
from iterorder.kernels.bodies.sums import LANE_CHAINS, ROW_CHAINS, added_inwards, chained
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


class Instructions(NamedTuple):
    """`bodies.sums.Arithmetic` in instructions of LLVM, on numbers or vectors."""

    builder: ir.IRBuilder

    def product(self, a, b):
        """a·b."""
        return self.builder.fmul(a, b)

    def product_added(self, a, b, c):
        """a·b + c."""
        return multiply_add(self.builder, a, b, c)

    def sum_of(self, a, b):
        """a + b."""
        return self.builder.fadd(a, b)


def first_chain(context, builder, dtype, lanes: int, start):
    """The vector that the first chain begins with: `start` in its first lane."""
    zero = ir.Constant(ir.VectorType(context.get_value_type(dtype), lanes), [0.0] * lanes)
    return builder.insert_element(zero, start, ir.Constant(ir.IntType(32), 0))


@intrinsic
def dot(typing_context, a, x, start):
    """start + Σ_k a[k]·x[k] in every lane, over the coordinates of x: two chains of multiply-adds, then their sum."""
    if not (isinstance(a, types.UniTuple) and isinstance(x, types.UniTuple) and a.count >= x.count):
        return None

    def generate(context, builder, signature, arguments):
        factors, numbers = items_of(builder, arguments[0], x.count), items_of(builder, arguments[1], x.count)
        return chained(Instructions(builder), factors, numbers, arguments[2], LANE_CHAINS)

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
        return folded_to_lanes(builder, chained(Instructions(builder), factors, numbers, first, ROW_CHAINS))

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

        def add_at(position, chain):
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
                add_at(position, chain)
        for chain in range(ROW_CHAINS - 1):
            end = builder.add(whole, ir.Constant(length.type, chain * lanes))
            with builder.if_then(builder.icmp_signed("<", end, length)):
                add_at(whole, chain)
        loaded = [builder.load(pointer) for pointer in sums]
        return folded_to_lanes(builder, added_inwards(Instructions(builder), loaded))

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
        moves, numbers = items_of(builder, arguments[2], x.count), items_of(builder, arguments[0], x.count)
        return context.make_tuple(builder, x, bodies.plus_multiple(Instructions(builder), numbers, many, moves))

    return x(x, factor, a), generate


@intrinsic
def multiple(typing_context, factor, x):
    """factor·x, coordinate by coordinate, for a number."""
    if not (isinstance(x, types.UniTuple) and factor == x.dtype.dtype):
        return None

    def generate(context, builder, signature, arguments):
        many, numbers = spread(builder, arguments[0], x.dtype.lanes), items_of(builder, arguments[1], x.count)
        return context.make_tuple(builder, x, bodies.multiple(Instructions(builder), many, numbers))

    return x(factor, x), generate


@intrinsic
def plus(typing_context, x, y):
    """x + y, coordinate by coordinate."""
    if not (isinstance(x, types.UniTuple) and x == y):
        return None

    def generate(context, builder, signature, arguments):
        both = [items_of(builder, argument, x.count) for argument in arguments]
        return context.make_tuple(builder, x, bodies.plus(Instructions(builder), *both))

    return x(x, y), generate


@intrinsic
def affine_image(typing_context, augmented, x):
    """A x + b in every lane; `augmented` holds the rows of (A | b), x has one vector a coordinate.

    One chain a coordinate, which begins with b.
    """
    if not (isinstance(augmented, types.UniTuple) and augmented.count == x.count * (x.count + 1)):
        return None

    def generate(context, builder, signature, arguments):
        rows, numbers = items_of(builder, arguments[0], augmented.count), items_of(builder, arguments[1], x.count)
        return context.make_tuple(builder, x, bodies.affine_image(Instructions(builder), rows, numbers))

    return x(augmented, x), generate


@intrinsic
def offsets(typing_context, augmented, x):
    """b in every lane; `augmented` holds the rows of (A | b), x has one vector a coordinate."""
    if not (isinstance(augmented, types.UniTuple) and augmented.count == x.count * (x.count + 1)):
        return None

    def generate(context, builder, signature, arguments):
        numbers = items_of(builder, arguments[0], augmented.count)
        return context.make_tuple(builder, x, bodies.offsets(numbers, x.count))

    return x(augmented, x), generate


@intrinsic
def linear_image(typing_context, row, augmented):
    """row·A in every lane; `augmented` holds the rows of (A | b), of which b is left out."""
    if not (isinstance(row, types.UniTuple) and augmented.count == row.count * (row.count + 1)):
        return None

    def generate(context, builder, signature, arguments):
        factors, numbers = items_of(builder, arguments[0], row.count), items_of(builder, arguments[1], augmented.count)
        return context.make_tuple(builder, row, bodies.linear_image(Instructions(builder), factors, numbers))

    return row(row, augmented), generate
