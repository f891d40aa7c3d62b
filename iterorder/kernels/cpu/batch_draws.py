"""Batches of a few points, whose words and points stay in registers: `index_draws.batches` for one size.

Written out for its size, Floyd's algorithm is compiled anew for each: within half a second for eight points, over a
second for sixteen, three and a half for 32. So there is another text of it, `index_draws.distinct_by_search`, which
takes the size as a number: for two points, for more than `LARGEST`, and for the draws of few replicas. In memory it
takes 1.2 times (eight points) to twice (three) as long.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from iterorder.kernels.cpu.bodies import philox
from iterorder.kernels.cpu.lane_groups import fill_over_lanes
from iterorder.kernels.cpu.lanes import counting, spread
from iterorder.kernels.cpu.loads import items_of, store_columns
from iterorder.kernels.draw_tables import BATCH, Draws
from iterorder.kernels.targets import jit_inline

#: Sizes from the first up to the second; a block of noise serves two batches of two.
SMALLEST, LARGEST = 3, 16


def has_own_fill(draws: Draws) -> bool:
    """Whether there is a function of its own for the size of these batches."""
    return draws.kind == BATCH and SMALLEST <= draws.batch_size <= LARGEST


@cache
def batches(size: int, groups: int):
    """The function that fills the draws of batches of `size` points, as `index_draws` describes it.

    It draws for `groups` of eight lanes at once, as far as they go.
    """
    words_of = _words_of((size + 3) // 4)

    def draw_of(width: int):
        @jit_inline
        def draw(draws, drawn, replica, stride, base, first, last, lane):
            replicas = counting(replica + np.uint64(lane) * stride, stride, width)
            for row in range(first, last):
                words = words_of(base + np.uint64(row), replicas, draws.key_low, draws.key_high)
                store_columns(distinct(words, draws.n_items, size), drawn, row * size, lane)

        return draw

    return fill_over_lanes(draw_of, groups)


def _words_of(blocks: int):
    """The words of a step, four a block."""
    stream = np.uint64(blocks - 1)

    @jit_inline
    def last_block(step, replicas, key_low, key_high):
        return philox(step, replicas, stream, key_low, key_high)

    if blocks == 1:
        return last_block
    before = _words_of(blocks - 1)

    @jit_inline
    def words(step, replicas, key_low, key_high):
        return before(step, replicas, key_low, key_high) + last_block(step, replicas, key_low, key_high)

    return words


@intrinsic(prefer_literal=True)
def distinct(typing_context, words, n, size):
    """`size` (literal) points below n, one from each word: Floyd's algorithm in every lane.

    A point that the batch already has is replaced by the last of the points that the slot may take. Points are halves
    of words here, so that a vector of them takes half of the registers.
    """
    if not (isinstance(words, types.UniTuple) and isinstance(size, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(words.dtype, size.literal_value)

    def generate(context, builder, signature, arguments):
        points: list = []
        whole, half = (ir.VectorType(ir.IntType(bits), words.dtype.lanes) for bits in (64, 32))
        thirty_two = ir.Constant(whole, [32] * whole.count)
        for slot, word in enumerate(items_of(builder, arguments[0], kind.count)):
            last = builder.trunc(builder.sub(arguments[1], ir.Constant(whole.element, kind.count - slot)), half.element)
            count = builder.zext(builder.add(last, ir.Constant(half.element, 1)), whole.element)
            low = builder.zext(builder.trunc(word, half), whole)
            product = builder.mul(low, spread(builder, count, whole.count))
            point = builder.trunc(builder.lshr(product, thirty_two), half)
            if points:
                taken = _is_among(builder, point, points)
                point = builder.select(taken, spread(builder, last, half.count), point)
            points.append(point)
        return context.make_tuple(builder, kind, [builder.zext(point, whole) for point in points])

    return kind(words, n, size), generate


def _is_among(builder, point, others):
    """In which lanes a point is one of others: the least of their differences is zero.

    To join the results of as many comparisons costs more, where masks have no registers most of all.
    """
    least = builder.xor(point, others[0])
    for other in others[1:]:
        difference = builder.xor(point, other)
        least = builder.select(builder.icmp_unsigned("<", difference, least), difference, least)
    return builder.icmp_unsigned("==", least, ir.Constant(least.type, [0] * least.type.count))
