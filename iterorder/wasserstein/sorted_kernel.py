"""Kernels on sorted samples of the line: the distance between two, a sorted resample, a sorted random split.

The distance is W_p = (∫₀¹ |F⁻¹(q) − G⁻¹(q)|^p dq)^(1/p) [1]_; between samples both quantile functions are steps, so
the integral is a sum over the levels where either one jumps. Levels are compared as integers wherever the masses are.

References
----------
.. [1] Villani (2003), Topics in Optimal Transportation, Theorem 2.18.
"""

from __future__ import annotations

import math

from iterorder.kernels.targets import jit, jit_any_order, jit_entry

# A mean of squares above this lost less than one part in 2^50 to underflow: a lost term is below 2^-1022.
SAFE_MEAN = 2.0**-970

# Points projected together: their coordinates stay in the cache for all directions, up to about a hundred dimensions.
POINT_BLOCK = 1024


@jit_any_order
def sum_of_differences(x, y):
    """Σ |x_i − y_i|."""
    total = 0.0
    for i in range(x.size):
        total += abs(x[i] - y[i])
    return total


@jit_any_order
def sum_of_squares(x, y):
    """Σ (x_i − y_i)²."""
    total = 0.0
    for i in range(x.size):
        difference = x[i] - y[i]
        total += difference * difference
    return total


@jit
def sum_of_powers(x, y, p, scale):
    """Σ (|x_i − y_i| / scale)^p; with the largest difference as scale no term overflows and one is 1."""
    total = 0.0
    for i in range(x.size):
        total += (abs(x[i] - y[i]) / scale) ** p
    return total


@jit
def largest_difference(x, y):
    """The maximum of |x_i − y_i|."""
    largest = 0.0
    for i in range(x.size):
        largest = max(largest, abs(x[i] - y[i]))
    return largest


@jit_entry
def equal_size_distance(x, y, p):
    """W_p of two sorted samples of one size: the i-th point goes to the i-th point. Inf where a difference is."""
    if p == math.inf:
        return largest_difference(x, y)
    if p == 1.0:
        mean = sum_of_differences(x, y) / x.size
        if mean < math.inf:
            return mean
    if p == 2.0:
        mean = sum_of_squares(x, y) / x.size
        if SAFE_MEAN < mean < math.inf:
            return math.sqrt(mean)
    scale = largest_difference(x, y)
    if scale == 0.0 or scale == math.inf:
        return scale
    return scale * (sum_of_powers(x, y, p, scale) / x.size) ** (1.0 / p)


@jit
def merged_sum(x, y, x_masses, y_masses, x_unit, y_unit, p, scale):
    """Σ over the common levels of length · (|x_i − y_j| / scale)^p.

    A level is the mass to the left times the unit. The units make both totals one number: to each sample the total mass
    of the other, so that nothing is divided and integer masses are compared exactly.
    """
    i = 0
    j = 0
    x_mass = x_masses[0]
    y_mass = y_masses[0]
    level = 0 * (x_mass * x_unit)  # of the type of the levels
    total = 0.0
    while True:
        x_level = x_mass * x_unit
        y_level = y_mass * y_unit
        next_level = min(x_level, y_level)
        length = next_level - level
        if length > 0:
            difference = abs(x[i] - y[j]) / scale
            if p == 1.0:
                total += length * difference
            elif p == 2.0:
                total += length * (difference * difference)
            else:
                total += length * difference**p
        level = next_level
        if x_level <= y_level:
            i += 1
            if i == x.size:
                return total
            x_mass += x_masses[i]
        else:
            j += 1
            if j == y.size:
                return total
            y_mass += y_masses[j]


@jit
def merged_largest(x, y, x_masses, y_masses, x_unit, y_unit, tolerance):
    """The largest |x_i − y_j| over the common levels that are longer than `tolerance`."""
    i = 0
    j = 0
    x_mass = x_masses[0]
    y_mass = y_masses[0]
    level = 0 * (x_mass * x_unit)  # of the type of the levels
    largest = 0.0
    while True:
        x_level = x_mass * x_unit
        y_level = y_mass * y_unit
        next_level = min(x_level, y_level)
        if next_level - level > tolerance:
            largest = max(largest, abs(x[i] - y[j]))
        level = next_level
        if x_level <= y_level:
            i += 1
            if i == x.size:
                return largest
            x_mass += x_masses[i]
        else:
            j += 1
            if j == y.size:
                return largest
            y_mass += y_masses[j]


@jit_entry
def merged_distance(x, y, x_masses, y_masses, x_unit, y_unit, total, tolerance, p):
    """W_p of two sorted samples with masses, `total` = mass of x · x_unit = mass of y · y_unit.

    `tolerance` is the length of a level that rounding of the masses can make from nothing; it matters for p = inf only.
    """
    if p == math.inf:
        return merged_largest(x, y, x_masses, y_masses, x_unit, y_unit, tolerance)
    if p == 1.0 or p == 2.0:
        mean = merged_sum(x, y, x_masses, y_masses, x_unit, y_unit, p, 1.0) / total
        if (p == 1.0 or mean > SAFE_MEAN) and mean < math.inf:
            return mean if p == 1.0 else math.sqrt(mean)
    scale = merged_largest(x, y, x_masses, y_masses, x_unit, y_unit, 0.0)
    if scale == 0.0 or scale == math.inf:
        return scale
    return scale * (merged_sum(x, y, x_masses, y_masses, x_unit, y_unit, p, scale) / total) ** (1.0 / p)


@jit_entry
def sorted_split(pooled, uniforms, first, second):
    """Split the sorted `pooled` at random into two sorted parts, every choice of the first part equally likely.

    Selection sampling: a point joins the first part with probability (places left in it) / (points left).
    Both parts have one slot more than they get points.
    """
    places = first.size - 1
    i = 0
    j = 0
    for k in range(pooled.size):
        chosen = uniforms[k] * (pooled.size - k) < places - i
        # Both stores always happen and one of them counts: no branch to mispredict.
        first[i] = pooled[k]
        second[j] = pooled[k]
        i += chosen
        j += not chosen


@jit_entry
def project(coordinates, directions, out):
    """Fill out[r, i] with directions[r] · point i, for coordinates (d, n) and directions (k, d).

    Not a matrix product of BLAS: its threads wait in a busy loop and take the processors from the threads that sort.
    """
    dim, n_points = coordinates.shape
    for low in range(0, n_points, POINT_BLOCK):
        high = min(low + POINT_BLOCK, n_points)
        for r in range(directions.shape[0]):
            target = out[r, low:high]  # slices, indexed from 0: LLVM then knows that no index is negative
            target[:] = 0.0
            for k in range(0, dim - dim % 4, 4):
                a, b, c, d = directions[r, k], directions[r, k + 1], directions[r, k + 2], directions[r, k + 3]
                first, second = coordinates[k, low:high], coordinates[k + 1, low:high]
                third, fourth = coordinates[k + 2, low:high], coordinates[k + 3, low:high]
                for i in range(target.size):
                    target[i] += (a * first[i] + b * second[i]) + (c * third[i] + d * fourth[i])
            for k in range(dim - dim % 4, dim):
                a, first = directions[r, k], coordinates[k, low:high]
                for i in range(target.size):
                    target[i] += a * first[i]
