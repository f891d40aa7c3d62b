"""Uniforms and normals from words of noise, with the bits of `iterorder.noise`."""

from __future__ import annotations

import numpy as np

from iterorder import noise
from iterorder.kernels.bodies.exponential import MANTISSA_BITS
from iterorder.kernels.bodies.primitives import as_bits, from_bits, sqrt, to_float, where

L1, L2, L3, L4, L5, L6, L7 = noise.LOG_SERIES
S1, S2, S3, S4, S5, S6 = noise.SINE_SERIES
C1, C2, C3, C4, C5, C6 = noise.COSINE_SERIES
LN2_HIGH, LN2_LOW, ROUND = noise.LN2_HIGH, noise.LN2_LOW, noise.ROUND
HALF_PI, SQRT2, UNIT = 1.5707963267948966, 1.4142135623730951, 2.0**-53
MANTISSA, ONE_BITS = np.uint64(0xFFFFFFFFFFFFF), np.uint64(0x3FF0000000000000)
ZERO, ONE, TWO, FIVE, SIX = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(5), np.uint64(6)


def uniform(high, low):
    """A float in [0, 1) of 53 bits from two words."""
    return (to_float(high >> FIVE) * 67108864.0 + to_float(low >> SIX)) * UNIT


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
