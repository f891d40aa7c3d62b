"""Draws of floats: uniforms, normals, and normals behind an index. Their bits are those of `iterorder.noise`.

The rows of a step hold the bits of its floats, float j in row t·size + j of the chunk; behind an index, which comes
first, in row t·size + 1 + j. All functions have the arguments that `iterorder.kernels.cpu.index_draws` describes.
"""

from __future__ import annotations

import numpy as np

from iterorder import noise
from iterorder.kernels.cpu.lanes import LANES, as_bits, counting, from_bits, sqrt, store, to_float, where
from iterorder.kernels.cpu.philox import LOW, below, philox
from iterorder.kernels.targets import jit, jit_inline

L1, L2, L3, L4, L5, L6, L7 = noise.LOG_SERIES
S1, S2, S3, S4, S5, S6 = noise.SINE_SERIES
C1, C2, C3, C4, C5, C6 = noise.COSINE_SERIES
LN2_HIGH, LN2_LOW, ROUND = noise.LN2_HIGH, noise.LN2_LOW, noise.ROUND
HALF_PI, SQRT2, UNIT = 1.5707963267948966, 1.4142135623730951, 2.0**-53
MANTISSA_BITS, MANTISSA, ONE_BITS = np.uint64(52), np.uint64(0xFFFFFFFFFFFFF), np.uint64(0x3FF0000000000000)
NORMALS_STREAM = np.uint64(noise.NORMALS << noise.PURPOSE_SHIFT)
ZERO, ONE, TWO, THREE = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
FIVE, SIX, SEVEN = np.uint64(5), np.uint64(6), np.uint64(7)


@jit_inline
def uniform(high, low):
    """A float in [0, 1) of 53 bits from two words."""
    return (to_float(high >> FIVE) * 67108864.0 + to_float(low >> SIX)) * UNIT


@jit_inline
def log(x):
    """`noise._log`, of a float64 or of each lane."""
    bits = as_bits(x)
    k = to_float(bits >> MANTISSA_BITS) - 1023.0
    m = from_bits((bits & MANTISSA) | ONE_BITS)
    large = m > SQRT2
    k, m = where(large, k + 1.0, k), where(large, m * 0.5, m)
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    w = z * z
    odd = w * ((w * ((w * L6) + L4)) + L2)
    even = z * ((w * ((w * ((w * L7) + L5)) + L3)) + L1)
    half = f * 0.5 * f
    return k * LN2_HIGH - ((half - (s * (half + (odd + even)) + k * LN2_LOW)) - f)


@jit_inline
def normal_pair(w0, w1, w2, w3):
    """Two standard normals from four words: `noise._box_muller`."""
    radius = sqrt(log(1.0 - uniform(w0, w1)) * -2.0)
    angle = uniform(w2, w3) * 4.0
    shifted = angle + ROUND
    n = as_bits(shifted)
    r = (angle - (shifted - ROUND)) * HALF_PI
    z = r * r
    sine = r + (r * z) * ((z * ((z * ((z * ((z * ((z * S6) + S5)) + S4)) + S3)) + S2)) + S1)
    cosine = 1.0 - z * 0.5 + (z * z) * ((z * ((z * ((z * ((z * ((z * C6) + C5)) + C4)) + C3)) + C2)) + C1)
    odd = (n & ONE) != ZERO
    x, y = where(odd, sine, cosine), where(odd, cosine, sine)
    x = where(((n + ONE) & TWO) != ZERO, x * -1.0, x)
    y = where((n & TWO) != ZERO, y * -1.0, y)
    return radius * x, radius * y


@jit
def uniforms(draws, drawn, shuffle, replica, stride, base, first, last):
    """`noise.uniforms`: slot j reads words 2j and 2j + 1 of its step."""
    count = draws.batch_size
    if count == 1:  # a block serves two steps
        for block in range(first // 2, (last + 1) // 2):
            index = (base >> ONE) + np.uint64(block)
            for lane in range(0, drawn.shape[1], LANES):
                replicas = counting(replica + np.uint64(lane) * stride, stride, LANES)
                w0, w1, w2, w3 = philox(index, replicas, ZERO, draws.key_low, draws.key_high)
                store(as_bits(uniform(w0, w1)), drawn, 2 * block, lane)
                store(as_bits(uniform(w2, w3)), drawn, 2 * block + 1, lane)
        return
    for row in range(first, last):
        for lane in range(0, drawn.shape[1], LANES):
            replicas = counting(replica + np.uint64(lane) * stride, stride, LANES)
            uniform_rows(draws, drawn, row * count, count, lane, base + np.uint64(row), replicas)


@jit_inline
def uniform_rows(draws, drawn, first, count, lane, step, replicas):
    """The uniforms of one step; or of eight steps, in a vector, of as many replicas."""
    for slot in range(0, count, 2):
        w0, w1, w2, w3 = philox(step, replicas, np.uint64(slot // 2), draws.key_low, draws.key_high)
        store(as_bits(uniform(w0, w1)), drawn, first + slot, lane)
        if slot + 1 < count:
            store(as_bits(uniform(w2, w3)), drawn, first + slot + 1, lane)


@jit
def normals(draws, drawn, shuffle, replica, stride, base, first, last):
    """`noise.normals`: a pair from the four words of a group."""
    count = draws.batch_size
    for row in range(first, last):
        for lane in range(0, drawn.shape[1], LANES):
            replicas = counting(replica + np.uint64(lane) * stride, stride, LANES)
            normal_rows(draws, drawn, row * count, count, lane, base + np.uint64(row), replicas, ZERO)


@jit_inline
def normal_rows(draws, drawn, first, count, lane, step, replicas, stream):
    for slot in range(0, count, 2):
        w0, w1, w2, w3 = philox(step, replicas, stream + np.uint64(slot // 2), draws.key_low, draws.key_high)
        x, y = normal_pair(w0, w1, w2, w3)
        store(as_bits(x), drawn, first + slot, lane)
        if slot + 1 < count:
            store(as_bits(y), drawn, first + slot + 1, lane)


@jit
def index_and_normals(draws, drawn, shuffle, replica, stride, base, first, last):
    """`noise.indices`, and behind each index `noise.normals_beside_index`."""
    size = draws.batch_size
    for row in range(first, last):
        step = base + np.uint64(row)
        for lane in range(0, drawn.shape[1], LANES):
            replicas = counting(replica + np.uint64(lane) * stride, stride, LANES)
            store(_index(draws, step, replicas), drawn, row * size, lane)
            normal_rows(draws, drawn, row * size + 1, size - 1, lane, step, replicas, NORMALS_STREAM)


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
