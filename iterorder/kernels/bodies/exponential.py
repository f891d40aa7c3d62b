"""The exponential of a number, or of each lane of a vector: there is none in LLVM for Numba to call."""

from __future__ import annotations

import numpy as np

from iterorder import noise
from iterorder.kernels.bodies.primitives import alike, as_bits, from_bits, madd, where

LOG2E, BIAS, MANTISSA_BITS = 1.4426950408889634, np.uint64(1023), np.uint64(52)
LN2_HIGH, LN2_LOW, ROUND = noise.LN2_HIGH, noise.LN2_LOW, noise.ROUND


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
    return series * from_bits((as_bits(shifted) + BIAS) << MANTISSA_BITS)
