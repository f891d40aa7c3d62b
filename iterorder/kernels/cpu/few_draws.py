"""Draws of one to four replicas: eight blocks of noise, one after the other in time, stand in the lanes of a vector.

Noise is a function of its index, so that any eight indices can be worked on together: the draws are those of
`index_draws` and `float_draws`, of the first lanes alone. All functions have the arguments described there.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import types
from numba.extending import intrinsic

from iterorder.kernels.cpu.bodies import philox
from iterorder.kernels.cpu.float_draws import normal_rows, uniform_rows
from iterorder.kernels.cpu.index_draws import (
    FEW_THRESHOLDS,
    SMALL_BATCH,
    as_it_is,
    batch_words,
    below_n,
    distinct_by_search,
    reached,
)
from iterorder.kernels.cpu.lanes import LANES, Vector, counting, row_pointer, shuffle, splat, store, store_to
from iterorder.kernels.cpu.loads import is_table
from iterorder.kernels.draw_tables import BATCH, INDEX, NORMALS, PACKED_BITS, UNIFORMS, WEIGHTED, Draws
from iterorder.kernels.targets import jit, jit_inline

ZERO, ONE = np.uint64(0), np.uint64(1)


def few_fill(draws: Draws, few: int, chunk: int):
    """The function that fills the draws of the first `few` lanes; None where there is none but that of all lanes."""
    of_words = {PACKED_BITS: (128, as_it_is), INDEX: (4, below_n), WEIGHTED: (4, reached)}
    if draws.kind in of_words:
        # Of four replicas, eight lanes are half used: as fast as the way through memory in time.
        searched = draws.thresholds.size > FEW_THRESHOLDS
        return None if few == 4 or searched or chunk < 4 * LANES else words(few, *of_words[draws.kind])
    if draws.kind == BATCH:
        small = 2 < draws.batch_size <= SMALL_BATCH  # of two points, a block serves two steps
        return batches(few) if small and chunk >= LANES else None
    of_steps = {UNIFORMS: uniform_rows, NORMALS: own_normal_rows}
    if draws.kind not in of_steps or chunk < LANES or draws.batch_size == 1:  # of one uniform, a block serves two steps
        return None
    return floats(few, of_steps[draws.kind])


@jit_inline
def _store_in_time(found, slots, drawn, first, lane):
    """drawn[first + i·slots + s, lane] ← found[s, i]: entry s of eight blocks, or steps, that follow each other."""
    for i in range(LANES):
        for s in range(slots):
            drawn[np.uintp(first + i * slots + s), np.uintp(lane)] = found[np.uintp(s), np.uintp(i)]


@jit_inline
def _words(draws, block, replica):
    """The words of eight blocks of one replica."""
    return philox(counting(block, ONE, LANES), splat(replica, LANES), ZERO, draws.key_low, draws.key_high)


@intrinsic
def store_four_in_time(typing_context, w0, w1, w2, w3, drawn, row):
    """drawn[row + 4·i + s, 0] ← w_s[i], for an array of one column."""
    if not (isinstance(w0, Vector) and w0 == w1 == w2 == w3 and is_table(drawn)):
        return None

    def generate(context, builder, signature, arguments):
        words, of_two, n = arguments[:4], 2 * w0.lanes, w0.lanes
        order = [lane for i in range(n) for lane in (i, n + i)]
        first, second = (shuffle(builder, words[k], words[k + 1], order) for k in (0, 2))
        order = [lane for i in range(0, of_two, 2) for lane in (i, i + 1, of_two + i, of_two + i + 1)]
        store_to(builder, shuffle(builder, first, second, order), row_pointer(context, builder, drawn, *arguments[4:]))
        return context.get_dummy_value()

    return types.void(w0, w1, w2, w3, drawn, types.intp), generate


@jit_inline
def _store_words(w0, w1, w2, w3, found, drawn, row, lane):
    """The words of eight blocks, or what was made of them, in rows `row` … `row` + 31."""
    store(w0, found, 0, 0)
    store(w1, found, 1, 0)
    store(w2, found, 2, 0)
    store(w3, found, 3, 0)
    _store_in_time(found, 4, drawn, row, lane)


@cache
def words(few: int, steps: int, made):
    """Draws of which a block of noise serves so many steps, 32 words at once; `made` as in `index_draws`."""

    @jit
    def fill(draws, drawn, shuffle, replica, stride, base, first, last):
        a_word = steps // 4
        for row in range(first // (8 * steps) * 32, (last + a_word - 1) // a_word, 32):
            block = base // np.uint64(steps) + np.uint64(row // 4)
            for lane in range(few):
                w0, w1, w2, w3 = _words(draws, block, replica + np.uint64(lane) * stride)
                w0, w1, w2, w3 = made(draws, w0), made(draws, w1), made(draws, w2), made(draws, w3)
                if drawn.shape[1] == 1:
                    store_four_in_time(w0, w1, w2, w3, drawn, row)
                else:
                    _store_words(w0, w1, w2, w3, shuffle.workspace, drawn, row, lane)

    return fill


@cache
def batches(few: int):
    """Batches of three to `SMALL_BATCH` points: those of eight steps at once."""

    @jit
    def fill(draws, drawn, shuffle, replica, stride, base, first, last):
        size, n = draws.batch_size, np.int64(draws.n_items)
        for row in range(first // LANES * LANES, last, LANES):
            steps = counting(base + np.uint64(row), ONE, LANES)
            for lane in range(few):
                batch_words(draws, shuffle.workspace, 0, 0, steps, splat(replica + np.uint64(lane) * stride, LANES))
                distinct_by_search(shuffle.workspace, 0, size, n, 0)
                _store_in_time(shuffle.workspace, size, drawn, row * size, lane)

    return fill


@jit_inline
def own_normal_rows(draws, drawn, first, count, lane, step, replicas):
    """`normal_rows` of a step that has nothing but normals."""
    normal_rows(draws, drawn, first, count, lane, step, replicas, ZERO)


@cache
def floats(few: int, fill_rows):
    """Uniforms or normals: those of eight steps at once, by the function that fills the rows of one."""

    @jit
    def fill(draws, drawn, shuffle, replica, stride, base, first, last):
        count = draws.batch_size
        for row in range(first // LANES * LANES, last, LANES):
            steps = counting(base + np.uint64(row), ONE, LANES)
            for lane in range(few):
                replicas = splat(replica + np.uint64(lane) * stride, LANES)
                fill_rows(draws, shuffle.workspace, 0, count, 0, steps, replicas)
                _store_in_time(shuffle.workspace, count, drawn, row * count, lane)

    return fill
