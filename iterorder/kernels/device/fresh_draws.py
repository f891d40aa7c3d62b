"""Draws of floats on a device: uniforms, normals, and normals behind an index. Their bits are those of `noise`."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from iterorder import noise
from iterorder.kernels import draw_tables
from iterorder.kernels.device.compilers import below, device_function, memory, normal_pair, philox, uniform
from iterorder.kernels.device.mixed_draws import mixed
from iterorder.kernels.device.words import word_at

NORMALS_STREAM = np.uint64(noise.NORMALS << noise.PURPOSE_SHIFT)
ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
FIVE, SEVEN, LAST_BIT = np.uint64(5), np.uint64(7), np.uint64(31)
FLOAT = np.float64


@lru_cache(maxsize=256)
def of_step(kind: int, count: int, image):
    """``apply(x, step, row, replica, draws, maps)``: the image under the map of a step that reads `count` numbers."""
    fill, then = _FILLED[kind](count), image.under

    @device_function
    def of_floats(x, step, row, replica, draws, maps):
        words = memory.local.array(count, FLOAT)
        fill(words, step, replica, draws)
        return then(x, words, maps)

    @device_function
    def of_an_index_too(x, step, row, replica, draws, maps):
        words = memory.local.array(count, FLOAT)
        fill(words, step, replica, draws)
        return then(x, mixed(np.int64(index_of(step, replica, draws)), words), maps)

    return of_an_index_too if kind == draw_tables.INDEX_AND_NORMALS else of_floats


def _uniforms(count: int):
    """`noise.uniforms`: slot j reads words 2j and 2j + 1 of its step; of one a step, a block serves two steps."""

    @device_function
    def one(words, step, replica, draws):
        w0, w1, w2, w3 = philox(step >> ONE, replica, ZERO, draws.key_low, draws.key_high)
        odd = step & ONE == ONE
        words[0] = uniform(w2 if odd else w0, w3 if odd else w1)

    @device_function
    def many(words, step, replica, draws):
        for slot in range(0, count, 2):
            w0, w1, w2, w3 = philox(step, replica, np.uint64(slot // 2), draws.key_low, draws.key_high)
            words[slot] = uniform(w0, w1)
            if slot + 1 < count:
                words[slot + 1] = uniform(w2, w3)

    return one if count == 1 else many


def _normals_from(first: int, stream: np.uint64, count: int):
    """Normals in entries first … count − 1: a pair from the four words of a group."""

    @device_function
    def fill(words, step, replica, draws):
        for slot in range(0, count - first, 2):
            group = stream + np.uint64(slot // 2)
            w0, w1, w2, w3 = philox(step, replica, group, draws.key_low, draws.key_high)
            x, y = normal_pair(w0, w1, w2, w3)
            words[first + slot] = x
            if first + slot + 1 < count:
                words[first + slot + 1] = y

    return fill


_FILLED = {
    draw_tables.UNIFORMS: _uniforms,
    draw_tables.NORMALS: lambda count: _normals_from(0, ZERO, count),
    draw_tables.INDEX_AND_NORMALS: lambda count: _normals_from(1, NORMALS_STREAM, count),
}


@device_function
def index_of(step, replica, draws):
    """The index of one step: a fair bit of two maps, a word below n of more."""
    two = draws.n_items == TWO
    block = step >> (SEVEN if two else TWO)
    w0, w1, w2, w3 = philox(block, replica, ZERO, draws.key_low, draws.key_high)
    word = word_at((step >> FIVE if two else step) & THREE, w0, w1, w2, w3)
    if two:
        return (word >> (LAST_BIT - (step & LAST_BIT))) & ONE
    return below(word, draws.n_items)
