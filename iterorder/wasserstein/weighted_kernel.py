"""Kernels on sorted samples of the line with any floats as weights: levels with twice the digits.

The masses u_i·V and v_j·U, with the totals U and V, are pairs of floats (a rounded sum and its rounding error [1]_). A
walk keeps what is left of the current two points and takes the smaller from both, so that a mass keeps its digits where
it stands, on the left, in the middle, or on the right.

References
----------
.. [1] Dekker (1971), A floating-point technique for extending the available precision, Numerische Mathematik 18.
"""

from __future__ import annotations

import math

from iterorder.kernels.targets import jit_entry, jit_inline

# 2²⁷ + 1 cuts 53 digits into two halves whose products are exact.
SPLITTER = 134217729.0
# Levels are off by (n + m + 8)·2⁻¹⁰¹ of the total at most: each of the n + m products, and of the n + m subtractions,
# by 2⁻¹⁰³ of what it works on, which is below the total; the two totals by n·2⁻¹⁰⁵ and m·2⁻¹⁰⁵ of themselves.
LEVEL_ERROR = 2.0**-101
# A segment of less than so many level errors may be made of rounding altogether.
SHORT = 4.0


@jit_inline
def exact_sum(a, b):
    """a + b as a float and the error of its rounding."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@jit_inline
def exact_product(a, b):
    """a·b as a float and the error of its rounding."""
    product = a * b
    shift = SPLITTER * a
    a_high = shift - (shift - a)
    a_low = a - a_high
    shift = SPLITTER * b
    b_high = shift - (shift - b)
    b_low = b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@jit_inline
def pair_difference(a, a_low, b, b_low):
    """(a + a_low) − (b + b_low) as a pair, to 2⁻¹⁰⁴ of the sum of both sizes."""
    high, low = exact_sum(a, -b)
    return exact_sum(high, low + (a_low - b_low))


@jit_inline
def mass_of(weight, total, total_low):
    """weight·(total + total_low) as a pair."""
    high, low = exact_product(weight, total)
    return exact_sum(high, low + weight * total_low)


@jit_entry
def pair_total(weights):
    """Σ weights as a pair."""
    total = 0.0
    low = 0.0
    for i in range(weights.size):
        total, error = exact_sum(total, weights[i])
        low += error
    return exact_sum(total, low)


@jit_entry
def segments(x_weights, y_weights, x_total, x_low, y_total, y_low, lengths, places):
    """Fill `lengths` with the lengths between the common levels, of U·V altogether, and `places` with the i of each.

    Each of the n + m − 1 segments leaves one point behind, so that the j of segment k is k − i.
    """
    i = 0
    j = 0
    x_left, x_left_low = mass_of(x_weights[0], y_total, y_low)
    y_left, y_left_low = mass_of(y_weights[0], x_total, x_low)
    for k in range(lengths.size):
        left, left_low = pair_difference(x_left, x_left_low, y_left, y_left_low)
        # When one sample is down to its last point, that point takes all of the other: the totals differ by rounding.
        x_ends = j == y_weights.size - 1 or (left <= 0.0 and i < x_weights.size - 1)
        lengths[k] = max(x_left if x_ends else y_left, 0.0)
        places[k] = i
        if x_ends:
            if k == lengths.size - 1:
                return
            y_left, y_left_low = -left, -left_low
            i += 1
            x_left, x_left_low = mass_of(x_weights[i], y_total, y_low)
        else:
            x_left, x_left_low = left, left_low
            j += 1
            y_left, y_left_low = mass_of(y_weights[j], x_total, x_low)


@jit_inline
def power(difference, p):
    """difference^p, the common orders without a logarithm."""
    if p == 1.0:
        return difference
    if p == 2.0:
        return difference * difference
    return difference**p


@jit_entry
def segment_sum(x, y, lengths, places, p, scale, level_error):
    """Σ length·(|x_i − y_j|/scale)^p over the segments, and a bound of its error for want of digits.

    Away from its ends by the level error a long segment pairs the points that the exact levels pair; a level between
    two of them that moves by as much changes the sum by as much of the change of the term. Where short segments lie
    between (i, j) and (k, l) it is open which points from i to k meet which from j to l: no difference there is above
    |x_i − y_l| or |x_k − y_j|, and the mass is below SHORT level errors a short segment and one at each side.
    """
    total = 0.0
    lost = 0.0  # many small terms after a large sum
    uncertain = 0.0
    term = 0.0
    first_i = 0  # the last long segment
    first_j = 0
    shorts = 0
    for k in range(lengths.size):
        i = places[k]
        j = k - i
        last_term = term
        term = power(abs(x[i] - y[j]) / scale, p)
        total, error = exact_sum(total, lengths[k] * term)
        lost += error
        is_long = lengths[k] > SHORT * level_error
        if not is_long:
            shorts += 1
        elif shorts == 0:
            uncertain += abs(term - last_term)
        if shorts > 0 and (is_long or k == lengths.size - 1):
            widest = max(abs(x[i] - y[first_j]), abs(x[first_i] - y[j]))
            uncertain += (2.0 + SHORT * shorts) * power(widest / scale, p)
        if is_long:
            first_i = i
            first_j = j
            shorts = 0
    if total < math.inf:
        total += lost
    return total, (uncertain + term) * level_error


@jit_entry
def segment_largest(x, y, lengths, places, x_weights, y_weights, x_total, y_total, tolerance):
    """The largest |x_i − y_j| over the segments that are longer than `tolerance` or a good part of a point.

    Rounding of the weights makes segments, but no points: a point that no other lies in has two segments at most, and
    one of them is half of it. A quarter is asked for, so that two halves count alike.
    """
    largest = 0.0
    for k in range(lengths.size):
        i = places[k]
        j = k - i
        mass = min(x_weights[i] * y_total, y_weights[j] * x_total)
        if lengths[k] > tolerance or 4.0 * lengths[k] >= mass:
            largest = max(largest, abs(x[i] - y[j]))
    return largest
