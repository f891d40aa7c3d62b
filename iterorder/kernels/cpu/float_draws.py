"""Draws of floats: uniforms, normals, and normals behind an index. Their bits are those of `iterorder.noise`.

The rows of a step hold the bits of its floats, float j in row t·size + j of the chunk; behind an index, which comes
first, in row t·size + 1 + j. All functions have the arguments that `iterorder.kernels.cpu.index_draws` describes.
"""

from __future__ import annotations

import numpy as np

from iterorder import noise
from iterorder.kernels.bodies.philox import LOW
from iterorder.kernels.cpu.bodies import below, normal_pair, philox, uniform
from iterorder.kernels.cpu.lane_conversions import as_bits
from iterorder.kernels.cpu.lane_groups import fill_over_lanes
from iterorder.kernels.cpu.lanes import counting, store
from iterorder.kernels.targets import jit_inline

NORMALS_STREAM = np.uint64(noise.NORMALS << noise.PURPOSE_SHIFT)
ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
FIVE, SEVEN = np.uint64(5), np.uint64(7)


def _uniforms_of(width: int):
    """`noise.uniforms`: slot j reads words 2j and 2j + 1 of its step."""

    @jit_inline
    def draw(draws, drawn, replica, stride, base, first, last, lane):
        count, replicas = draws.batch_size, counting(replica + np.uint64(lane) * stride, stride, width)
        if count == 1:  # a block serves two steps
            for block in range(first // 2, (last + 1) // 2):
                index = (base >> ONE) + np.uint64(block)
                w0, w1, w2, w3 = philox(index, replicas, ZERO, draws.key_low, draws.key_high)
                store(as_bits(uniform(w0, w1)), drawn, 2 * block, lane)
                store(as_bits(uniform(w2, w3)), drawn, 2 * block + 1, lane)
        else:
            for row in range(first, last):
                uniform_rows(draws, drawn, row * count, count, lane, base + np.uint64(row), replicas)

    return draw


@jit_inline
def uniform_rows(draws, drawn, first, count, lane, step, replicas):
    """The uniforms of one step; or of eight steps, in a vector, of as many replicas."""
    for slot in range(0, count, 2):
        w0, w1, w2, w3 = philox(step, replicas, np.uint64(slot // 2), draws.key_low, draws.key_high)
        store(as_bits(uniform(w0, w1)), drawn, first + slot, lane)
        if slot + 1 < count:
            store(as_bits(uniform(w2, w3)), drawn, first + slot + 1, lane)


def _normals_of(width: int):
    """`noise.normals`: a pair from the four words of a group."""

    @jit_inline
    def draw(draws, drawn, replica, stride, base, first, last, lane):
        count, replicas = draws.batch_size, counting(replica + np.uint64(lane) * stride, stride, width)
        for row in range(first, last):
            normal_rows(draws, drawn, row * count, count, lane, base + np.uint64(row), replicas, ZERO)

    return draw


@jit_inline
def normal_rows(draws, drawn, first, count, lane, step, replicas, stream):
    for slot in range(0, count, 2):
        w0, w1, w2, w3 = philox(step, replicas, stream + np.uint64(slot // 2), draws.key_low, draws.key_high)
        x, y = normal_pair(w0, w1, w2, w3)
        store(as_bits(x), drawn, first + slot, lane)
        if slot + 1 < count:
            store(as_bits(y), drawn, first + slot + 1, lane)


def _index_and_normals_of(width: int):
    """`noise.indices`, and behind each index `noise.normals_beside_index`."""

    @jit_inline
    def draw(draws, drawn, replica, stride, base, first, last, lane):
        size, replicas = draws.batch_size, counting(replica + np.uint64(lane) * stride, stride, width)
        for row in range(first, last):
            step = base + np.uint64(row)
            store(_index(draws, step, replicas), drawn, row * size, lane)
            normal_rows(draws, drawn, row * size + 1, size - 1, lane, step, replicas, NORMALS_STREAM)

    return draw


@jit_inline
def _index(draws, step, replicas):
    """The index of one step: a fair bit of two maps, a word below n of more."""
    two = draws.n_items == TWO
    block = step >> (SEVEN if two else TWO)
    w0, w1, w2, w3 = philox(block, replicas, ZERO, draws.key_low, draws.key_high)
    quarter = ((step >> FIVE) if two else step) & THREE
    low, high = (w0, w1) if quarter < TWO else (w2, w3)
    word = low if quarter & ONE == ZERO else high
    if two:
        return (word >> (np.uint64(31) - (step & np.uint64(31)))) & ONE
    return below(word, draws.n_items & LOW)


uniforms, normals, index_and_normals = (
    fill_over_lanes(draw_of) for draw_of in (_uniforms_of, _normals_of, _index_and_normals_of)
)
