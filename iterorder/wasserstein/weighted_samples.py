"""Weighted samples of the line: sorted with their weights, in integers, in pairs of floats, or in whole numbers."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.validation import as_floats
from iterorder.wasserstein.sorted_samples import THREAD_SIZE, thread_map, without_overflow

EPS = float(np.finfo(float).eps)
# Level errors that the mass of a point must have for its segments to be told from rounding (p = inf).
TELLING = 64.0


def weighted_distances_between_columns(u, v, u_weights, v_weights, p: float) -> np.ndarray:
    """W_p of each column of u (n,) or (n, k) to that of v (m,) or (m, k), as an array (k,); weights (n,), (m,) or None.

    Points without a weight are left out.
    """
    u, u_weights = with_weights("u", u, u_weights)
    v, v_weights = with_weights("v", v, v_weights)

    of_sorted = _integer_distance if _are_exact(u_weights, v_weights) else _real_distance

    def distance(column: int) -> float:
        x_order, y_order = thread_map(np.argsort, (u[:, column], v[:, column]), threads=len(u) + len(v) >= THREAD_SIZE)
        x, y = u[x_order, column], v[y_order, column]
        return without_overflow(lambda a, b: of_sorted(a, b, u_weights[x_order], v_weights[y_order], p), x, y)

    return np.array([distance(column) for column in range(u.shape[1])])


def distance_of_sorted(x, y, x_weights, y_weights, p: float, enough: float) -> float:
    """W_p of sorted points (n,) and (m,) with positive weights, to a relative error of `enough` for want of digits."""
    return without_overflow(lambda a, b: _real_distance(a, b, x_weights, y_weights, p, enough), x, y)


def _integer_distance(x, y, x_weights, y_weights, p: float) -> float:
    """W_p with integer weights whose levels, sums times the other total, are exact floats."""
    from iterorder.wasserstein.sorted_kernel import merged_distance

    x_total, y_total = float(x_weights.sum()), float(y_weights.sum())
    return merged_distance(x, y, x_weights, y_weights, y_total, x_total, x_total * y_total, 0.0, p)


def _real_distance(x, y, x_weights, y_weights, p: float, enough: float = EPS) -> float:
    """W_p with any weights: in pairs of floats, and in whole numbers where these have too few digits."""
    from iterorder.wasserstein.exact_masses import exact_distance
    from iterorder.wasserstein.weighted_kernel import LEVEL_ERROR, pair_total, segment_largest, segment_sum, segments

    # Division by a power of two is exact and keeps the product of the totals from overflowing.
    masses = [np.ldexp(w, -np.frexp(w.max())[1]) for w in (x_weights, y_weights)]
    if np.array_equal(x, y) and np.array_equal(*masses):
        return 0.0
    (x_total, x_low), (y_total, y_low) = (pair_total(w) for w in masses)
    total, count = x_total * y_total, x.size + y.size
    level_error = (count + 8) * LEVEL_ERROR * total
    lengths, places = np.empty(count - 1), np.empty(count - 1, np.int64)
    segments(*masses, x_total, x_low, y_total, y_low, lengths, places)
    largest = partial(segment_largest, x, y, lengths, places, *masses, x_total, y_total)
    if p == math.inf:
        if min(masses[0].min() * y_total, masses[1].min() * x_total) > TELLING * level_error:
            return largest(count * EPS * total)
        return exact_distance(x, y, x_weights, y_weights, p)
    scale = 1.0
    if p == 1.0:
        sums = segment_sum(x, y, lengths, places, p, scale, level_error)
    if p != 1.0 or sums[0] == math.inf:
        scale = largest(0.0)
        if scale == math.inf:
            return scale
        sums = segment_sum(x, y, lengths, places, p, scale or 1.0, level_error)
    mean, uncertain = sums[0] / total, sums[1] / total
    # The bound of the error is within one rounding of the result, unless less is asked for; and a term that was lost to
    # underflow is below 2^−1022.
    if uncertain <= enough * mean and mean > (0.0 if p == 1.0 else count * 2.0**-1022 / EPS):
        return scale * (math.sqrt(mean) if p == 2.0 else mean ** (1.0 / p))
    return exact_distance(x, y, x_weights, y_weights, p)


def with_weights(name: str, samples: np.ndarray, weights) -> tuple[np.ndarray, np.ndarray]:
    """The points (n, k) that have a weight, and the checked weights: ones where none are given or all are equal."""
    samples = as_floats(name, samples).reshape(len(samples), -1)
    if weights is None:
        return samples, np.ones(len(samples))
    argument = f"{name}_weights"
    array = as_floats(argument, weights, ndim=(1,))
    if array.size != len(samples):
        raise InvalidInputError(
            f"{argument} has shape {array.shape}: give one weight for each of the {len(samples)} points of {name}"
        )
    if (array < 0).any():
        i = int(np.argmin(array))
        raise InvalidInputError(f"{argument}[{i}] is {array[i]}: give weights of at least zero")
    if not array.any():
        raise InvalidInputError(f"{argument} sums to zero: give at least one positive weight")
    kept = array > 0
    samples, array = samples[kept], array[kept]
    return samples, np.ones(array.size) if array.min() == array.max() else array


def _are_exact(u_weights: np.ndarray, v_weights: np.ndarray) -> bool:
    """Whether the weights are integers whose levels, products of sums, are exact floats."""
    integers = all(w.max() <= 2.0**53 and (w == np.rint(w)).all() for w in (u_weights, v_weights))
    return integers and u_weights.sum() * v_weights.sum() <= 2.0**53
