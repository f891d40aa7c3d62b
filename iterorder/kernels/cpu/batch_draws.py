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
from iterorder.kernels.cpu.draw_tables import BATCH, Draws
from iterorder.kernels.cpu.lane_groups import fill_over_lanes
from iterorder.kernels.cpu.lanes import counting, spread
from iterorder.kernels.cpu.loads import items_of, store_columns
from iterorder.kernels.targets import jit_inline

#: Sizes from the first up to the second; a block of noise serves two batches of two.
SMALLEST, LARGEST = 3, 16


def has_own_fill(draws: Draws) -> bool:
    """Whether there is a function of its own for the size of these batches."""
    return draws.kind == BATCH and SMALLEST <= draws.batch_size <= LARGEST


@cache
def batches(size: int):
    """The function that fills the draws of batches of `size` points, as `index_draws` describes it."""
    words_of = _words_of((size + 3) // 4)

    def draw_of(width: int):
        @jit_inline
        def draw(draws, drawn, replica, stride, base, first, last, lane):
            replicas = counting(replica + np.uint64(lane) * stride, stride, width)
            for row in range(first, last):
                words = words_of(base + np.uint64(row), replicas, draws.key_low, draws.key_high)
                store_columns(distinct(words, draws.n_items, size), drawn, row * size, lane)

        return draw

    return fill_over_lanes(draw_of)


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

    A point that the batch already has is replaced by the last of the points that the slot may take.
    """
    if not (isinstance(words, types.UniTuple) and isinstance(size, types.IntegerLiteral)):
        return None
    kind = types.UniTuple(words.dtype, size.literal_value)

    def generate(context, builder, signature, arguments):
        points: list = []
        lanes, word_type = words.dtype.lanes, ir.IntType(64)

        def everywhere(number):
            return spread(builder, number, lanes)

        low = ir.Constant(word_type, 2**32 - 1)
        for slot, word in enumerate(items_of(builder, arguments[0], kind.count)):
            last = builder.sub(arguments[1], ir.Constant(word_type, kind.count - slot))
            count = builder.and_(builder.add(last, ir.Constant(word_type, 1)), low)
            product = builder.mul(builder.and_(word, everywhere(low)), everywhere(count))
            point = builder.lshr(product, everywhere(ir.Constant(word_type, 32)))
            for taken in [builder.icmp_unsigned("==", point, earlier) for earlier in points]:
                point = builder.select(taken, everywhere(last), point)
            points.append(point)
        return context.make_tuple(builder, kind, points)

    return kind(words, n, size), generate
