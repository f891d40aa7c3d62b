"""exp, log, tanh, sine and cosine as users mean them, of a float64 or of each lane of a vector: the same bits in both.

Those of `exponential` and `normals` are for the arguments of sigmoids and of noise; these are for all. There is no
vector library behind LLVM that Numba could call, and what a C library gives one number at a time is what a body of a
few products waits for. Each function says how far it may be from the exact value, in units in the last place;
`tests/test_mathematics.py` holds it to that. Where it is much smaller than the smallest normal number, so is the unit.
A product and an addition are one rounding where the processor can (`lanes.madd`), so last places may differ between
processors, and never between one number and eight.
"""

from __future__ import annotations

import numpy as np

from iterorder import noise
from iterorder.kernels.bodies.exponential import BIAS, LN2_HIGH, LN2_LOW, LOG2E, MANTISSA_BITS, ROUND
from iterorder.kernels.bodies.normals import MANTISSA, ONE, ONE_BITS, SQRT2, TWO
from iterorder.kernels.bodies.primitives import alike, as_bits, from_bits, madd, to_float, where

L1, L2, L3, L4, L5, L6, L7 = noise.LOG_SERIES
S1, S2, S3, S4, S5, S6 = noise.SINE_SERIES
C1, C2, C3, C4, C5, C6 = noise.COSINE_SERIES
THREE, SIGN, SMALLEST_NORMAL = np.uint64(3), np.uint64(0x8000000000000000), 2.0**-1022
# π/2 in parts of 33 bits and a rest: n times a part is exact for |n| ≤ 2²⁰ (fdlibm, e_rem_pio2.c).
TWO_OVER_PI = 6.36619772367581382433e-01
HALF_PI_1, HALF_PI_2 = 1.57079632673412561417e00, 6.07710050630396597660e-11
HALF_PI_3, HALF_PI_4 = 2.02226624871116645580e-21, 8.47842766036889956997e-32
#: Up to here sine and cosine are these; beyond, those of the C library.
LARGEST_ANGLE = 1e6
# tanh x = x + x³P(x²)/Q(x²) for |x| < 0.625 (Moshier, Cephes, tanh.c).
P0, P1, P2 = -9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3
Q0, Q1, Q2 = 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3


def power_of_two(shifted):
    """2ⁿ for −1022 ≤ n ≤ 1023, of n + ROUND."""
    return from_bits((as_bits(shifted) + BIAS) << MANTISSA_BITS)


def exp(x):
    """e^x within 1.5 units.

    x = n·log 2 + r with |r| ≤ log(2)/2 and a Taylor series of degree 13 in r, whose first neglected term is 4e−18; then
    2ⁿ in two factors, so that overflow is infinite and underflow is rounded once. The last sum, 1 + r(…), is at least
    1/√2: half a unit there is one of a number below 1, and what r(…) is wrong by, |r|·eps, less than half a unit more.
    """
    x = where(x < -746.0, alike(-746.0, x), x)
    x = where(x > 710.0, alike(710.0, x), x)
    n = madd(x, LOG2E, ROUND) - ROUND
    r = madd(n, -LN2_LOW, madd(n, -LN2_HIGH, x))
    r2 = r * r
    r4 = r2 * r2
    t2 = madd(r, 1.0 / 6.0, 1.0 / 2.0)
    t4 = madd(r, 1.0 / 120.0, 1.0 / 24.0)
    t6 = madd(r, 1.0 / 5040.0, 1.0 / 720.0)
    t8 = madd(r, 1.0 / 362880.0, 1.0 / 40320.0)
    t10 = madd(r, 1.0 / 39916800.0, 1.0 / 3628800.0)
    t12 = madd(r, 1.0 / 6227020800.0, 1.0 / 479001600.0)
    tail = madd(r4, madd(r4, t12, madd(r2, t10, t8)), madd(r2, t6, t4))
    series = 1.0 + madd(r2, madd(r2, tail, t2), r)
    half = n * 0.5 + ROUND
    return series * power_of_two(half) * power_of_two(n - (half - ROUND) + ROUND)


def log(x):
    """The natural logarithm within 1 unit (fdlibm, e_log.c, without its branches); −∞ at 0, NaN below."""
    small = x < SMALLEST_NORMAL
    bits = as_bits(where(small, x * 2.0**54, x))
    k = to_float(bits >> MANTISSA_BITS) - 1023.0
    k = where(small, k - 54.0, k)
    m = from_bits((bits & MANTISSA) | ONE_BITS)
    large = m > SQRT2
    k, m = where(large, k + 1.0, k), where(large, m * 0.5, m)
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    w = z * z
    odd = w * madd(w, madd(w, L6, L4), L2)
    even = z * madd(w, madd(w, madd(w, L7, L5), L3), L1)
    half = f * 0.5 * f
    found = k * LN2_HIGH - ((half - (s * (half + (odd + even)) + k * LN2_LOW)) - f)
    found = where(x < np.inf, found, x)  # so is what is not a number
    found = where(x == 0.0, alike(-np.inf, x), found)
    return where(x < 0.0, alike(np.nan, x), found)


def tanh(x):
    """The hyperbolic tangent within 2 units: a quotient of polynomials for |x| < 0.625, above 1 − 2/(e^(2|x|) + 1).

    Above, the quotient is at most 0.45: what is wrong with e^(2|x|), with the addition and with the division, two and a
    half units together, are 1.3 units of a result of at least 0.55, and the subtraction adds a half.
    """
    size = from_bits(as_bits(x) & ~SIGN)
    z = size * size
    ratio = madd(z, madd(z, P0, P1), P2) / madd(z, madd(z, z + Q0, Q1), Q2)
    near = madd(size * z, ratio, size)
    far = 1.0 - 2.0 / (exp(size + size) + 1.0)
    return from_bits(as_bits(where(size < 0.625, near, far)) | (as_bits(x) & SIGN))


def rest_of(a, b):
    """a − b and what rounding took from it."""
    difference = a - b
    taken = a - difference
    return difference, (a - (difference + taken)) + (taken - b)


def quarter_turns(x):
    """n + ROUND and x − n·π/2 in two parts, for |x| ≤ LARGEST_ANGLE.

    The first difference is exact, and so are the products; 133 bits of π leave less than 2⁻¹¹³ of any rest.
    """
    shifted = x * TWO_OVER_PI + ROUND
    n = shifted - ROUND
    first, lost = rest_of(x - n * HALF_PI_1, n * HALF_PI_2)
    second, more = rest_of(first, n * HALF_PI_3)
    tail = (lost + more) - n * HALF_PI_4
    angle = second + tail
    return shifted, angle, (second - angle) + tail


def waves(r, tail):
    """Sine and cosine of r + tail, |r| ≤ π/4 (fdlibm, k_sin.c and k_cos.c)."""
    z = r * r
    cube = z * r
    series = madd(z, madd(z, madd(z, madd(z, S6, S5), S4), S3), S2)
    sine = r - ((z * (tail * 0.5 - cube * series) - tail) - cube * S1)
    series = z * madd(z, madd(z, madd(z, madd(z, madd(z, C6, C5), C4), C3), C2), C1)
    half = z * 0.5
    w = 1.0 - half
    return sine, w + (((1.0 - w) - half) + (z * series - r * tail))


def sin(x):
    """The sine within 1 unit, for |x| ≤ LARGEST_ANGLE."""
    shifted, angle, tail = quarter_turns(x)
    sine, cosine = waves(angle, tail)
    n = as_bits(shifted)
    found = where((n & ONE) != n - n, cosine, sine)
    found = where((n & TWO) != n - n, found * -1.0, found)
    return where(from_bits(as_bits(x) & ~SIGN) < 2.0**-27, x, found)  # the sign of a zero, too


def cos(x):
    """The cosine within 1 unit, for |x| ≤ LARGEST_ANGLE."""
    shifted, angle, tail = quarter_turns(x)
    sine, cosine = waves(angle, tail)
    n = as_bits(shifted)
    found = where((n & ONE) != n - n, sine, cosine)
    return where(((n + ONE) & TWO) != n - n, found * -1.0, found)
