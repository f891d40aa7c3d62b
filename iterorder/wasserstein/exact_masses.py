"""The distance between weighted samples in whole numbers: slow, and right for all weights that floats can hold.

Every float is a whole number times a power of two. So are the masses u_i·V and v_j·U with the totals U and V, and what
a walk along both samples leaves of them: nothing is rounded before a mass is divided by the total.
"""

from __future__ import annotations

import math

import numpy as np

EPS = float(np.finfo(float).eps)
# Bits that are kept of a length: more than a float has.
KEPT = 64


def exact_distance(x: np.ndarray, y: np.ndarray, x_weights: np.ndarray, y_weights: np.ndarray, p: float) -> float:
    """W_p of sorted samples with positive weights. Inf where a difference is above the largest float."""
    segments, total = _segments(_whole(x_weights), _whole(y_weights))
    i, j = (np.array([segment[k] for segment in segments]) for k in (1, 2))
    differences = np.abs(x[i] - y[j])
    if p == math.inf:
        # As in `kernels.weighted_distance.segment_largest`.
        tolerance = int(EPS * 2.0**KEPT) * (x.size + y.size) * total >> KEPT
        counts = [length > tolerance or 4 * length >= mass for length, _, _, mass in segments]
        return float(differences[counts].max())
    moved = differences > 0.0
    if not moved.any() or not np.isfinite(differences).all():
        return float(differences.max())
    mantissas, exponents = _parts([segment[0] for segment in segments])
    (total_mantissa,), (total_exponent,) = _parts([total])
    mantissas, exponents, differences = mantissas[moved], exponents[moved] - total_exponent, differences[moved]
    # Terms relative to the largest, whose p-th power and mass may each be beyond the floats: a power of a difference is
    # the eighth power of something that is not.
    best = int(np.argmax(np.log2(mantissas) + exponents + p * np.log2(differences)))
    gaps = exponents - exponents[best]
    with np.errstate(under="ignore"):
        eighths = np.ldexp((differences / differences[best]) ** (p / 8.0), gaps // 8)
        terms = np.ldexp(mantissas * eighths**8, gaps % 8)
    mean = math.fsum(terms) / float(total_mantissa)
    return float(differences[best]) * _root(mean, int(exponents[best]), p)


def _root(mantissa: float, exponent: int, p: float) -> float:
    """(mantissa·2^exponent)^(1/p), also where the power of two is below the smallest float.

    Examples
    --------
    >>> _root(1.0, -2200, 50.0) == 2.0**-44
    True
    """
    if p == 1.0:
        return math.ldexp(mantissa, exponent)
    root = mantissa ** (1.0 / p) * 2.0 ** (exponent / p)
    if not -1000 < exponent < 900:
        return root
    # 1/p is rounded, which the power multiplies by the logarithm: one step of Newton's takes it back.
    return root * (1.0 + (math.ldexp(mantissa, exponent) / root**p - 1.0) / p) if root**p > 0.0 else root


def _whole(weights: np.ndarray) -> list[int]:
    """Integers in the proportions of the weights."""
    mantissas, exponents = np.frexp(weights)
    shifts = (exponents - exponents.min()).tolist()
    return [int(m) << shift for m, shift in zip(np.ldexp(mantissas, 53).tolist(), shifts, strict=True)]


def _segments(x_masses: list[int], y_masses: list[int]) -> tuple[list[tuple[int, int, int, int]], int]:
    """(length, i, j, the smaller mass of the two points) between common levels, and the total, all in one unit."""
    x_total, y_total = sum(x_masses), sum(y_masses)
    segments = []
    i = j = 0
    x_mass = x_left = x_masses[0] * y_total
    y_mass = y_left = y_masses[0] * x_total
    while True:
        length = min(x_left, y_left)
        if length:
            segments.append((length, i, j, min(x_mass, y_mass)))
        x_left -= length
        y_left -= length
        if not x_left:
            i += 1
            if i == len(x_masses):
                return segments, x_total * y_total
            x_mass = x_left = x_masses[i] * y_total
        if not y_left:
            j += 1
            y_mass = y_left = y_masses[j] * x_total


def _parts(lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers as floats in [½, 1] and powers of two."""
    exponents = [length.bit_length() for length in lengths]
    # The leading bits, rounded once by the division, which is exact for a shift.
    tops = [length >> max(bits - KEPT, 0) for length, bits in zip(lengths, exponents, strict=True)]
    mantissas = [top / (1 << min(bits, KEPT)) for top, bits in zip(tops, exponents, strict=True)]
    return np.array(mantissas), np.array(exponents)
