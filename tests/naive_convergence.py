"""Literal twins of the convergence modules: one replica, one pair, one resample at a time."""

from __future__ import annotations

import math

import numpy as np

from tests import naive


def coupling(maps, x0, y0, steps, *, order, n_replicas, seed, p) -> tuple[np.ndarray, np.ndarray]:
    """Distances of two starts (n_replicas, steps), and their mean of order p at each step."""
    place = {"order": order, "seed": seed, "n_replicas": n_replicas}
    first = naive.trajectory(maps, x0, steps, **place)
    second = naive.trajectory(maps, y0, steps, **place)
    table = [[math.dist(first[r, s], second[r, s]) for s in range(len(steps))] for r in range(n_replicas)]
    return np.array(table), np.array([mean_of_powers(column, p) for column in zip(*table, strict=True)])


def mean_of_powers(values, p) -> float:
    if math.isinf(p):
        return max(values)
    return (sum(value**p for value in values) / len(values)) ** (1 / p)


def diameter(path) -> float:
    """The largest of all pairs of points."""
    return max(math.dist(u, v) for u in path for v in path)


def slope(steps, distance) -> float:
    return float(np.polyfit(np.asarray(steps, float), np.log(distance), 1)[0])


def relative_rounding(steps, distance, scale) -> list[float]:
    """4·eps·Σ scale/distance over all steps, the logarithm of the ratio linear between saved ones."""
    total, sums = 0.0, []
    ratio = np.log(np.array(scale) / np.array(distance))
    for step in range(steps[0], steps[-1] + 1):
        total += 4 * np.finfo(float).eps * math.exp(np.interp(step, steps, ratio))
        if step in steps:
            sums.append(total)
    return sums


def resampled_slopes(steps, per_replica, p, resamples, limit, *, whole=False) -> np.ndarray:
    """Slopes of whole tables whose rows were drawn with replacement, the same rows as the fit draws.

    Each is fitted to the second half of the steps before the first at which the relative variance of its own mean is
    above `limit`; with `whole` to all steps.
    """
    n, slopes = len(per_replica), []
    for rows in np.random.default_rng(0).integers(n, size=(resamples, n)):
        powers = per_replica[rows] ** p
        end = 0
        # The variance of the drawn rows about their mean, over n − 1: that of the mean.
        while end < len(steps) and powers[:, end].var() / (n - 1) <= limit * powers[:, end].mean() ** 2:
            end += 1
        end = max(end, 3)
        first = (
            0
            if whole
            else min(next(k for k in range(end) if 2 * (steps[k] - steps[0]) >= steps[end - 1] - steps[0]), end - 3)
        )
        part = slice(first, end)
        slopes.append(slope(steps[part], [mean_of_powers(column, p) for column in per_replica[rows, part].T]))
    return np.array(slopes)


def slope_error(weights, correlation, innovation_variance) -> float:
    """√(wᵀΣw) for residuals of a first-order autoregression, Σ written out; a random walk from 0 at correlation 1."""
    i = np.arange(len(weights))
    if correlation == 1:
        covariance = np.minimum(i[:, None], i[None, :]).astype(float)
    else:
        covariance = correlation ** np.abs(i[:, None] - i[None, :]) / (1 - correlation**2)
    return math.sqrt(innovation_variance * float(weights @ covariance @ weights))


def best_break(x, y, min_head, min_tail) -> int:
    """Where to split a curve so that two lines fit it best, by fitting every pair."""

    def residual(x, y):
        return float(((y - np.polyval(np.polyfit(x, y, 1), x)) ** 2).sum())

    breaks = range(min_head, len(x) - min_tail + 1)
    return min(breaks, key=lambda k: residual(x[:k], y[:k]) + residual(x[k:], y[k:]))


def verdict(early_paths, late_paths, amplification, p_value) -> str:
    """The rule of the public contract, from the states in both windows (replica, step, dim)."""
    left = [not np.isfinite(path).all() for path in late_paths]
    if sum(left) * 2 >= len(left):
        return "diverges"
    diameters = [[diameter(path) for path in paths] for paths in (early_paths, late_paths)]
    early, late = map(np.median, diameters)
    sizes = [max(math.hypot(*x) for x in [*a, *b]) for a, b in zip(early_paths, late_paths, strict=True)]
    if late <= 64 * float(np.finfo(float).eps) * np.median(sizes) * amplification:
        return "point"
    ratio = late / early if early else math.inf
    if ratio > 10:
        return "diverges"
    if ratio <= 0.75:
        shortest, rounding = len(early_paths[0]), 64 * float(np.finfo(float).eps) * np.median(sizes)
        before, now = (np.median([third_difference(x, shortest) for x in paths]) for paths in (early_paths, late_paths))
        return "point" if now <= rounding or now <= math.sqrt(ratio) * before else "inconclusive"
    low, high = growth_interval(*diameters)
    steady = 0.9 <= ratio <= 1.1 and low > 0.75 and high < math.sqrt(2) and p_value >= 1e-3
    return "distribution" if steady else "inconclusive"


def third_difference(path, shortest) -> float:
    """The mean length of x₃ − 3x₂ + 3x₁ − x₀, of x₂ − 2x₁ + x₀ or of x₁ − x₀ where a window has three or two points."""
    signs = {2: [-1, 1], 3: [1, -2, 1]}.get(shortest, [-1, 3, -3, 1])
    sums = [sum(c * x for c, x in zip(signs, path[i:], strict=False)) for i in range(len(path) - len(signs) + 1)]
    return float(np.mean([math.hypot(*x) for x in sums]))


def growth_interval(early, late) -> tuple[float, float]:
    """The k-th smallest and largest ratio, k the last for which fewer than k heads of n coins are rarer than 5·10⁻⁴."""
    ends = []
    for unknown in (0.0, math.inf):
        ratios = []
        for a, b in zip(early, late, strict=True):
            known = (a or b) and math.isfinite(a)
            ratios.append((b / a if a else math.inf) if known else unknown)
        ends.append(sorted(ratios))
    n, k = len(early), 0
    while sum(math.comb(n, j) for j in range(k + 1)) / 2**n <= 5e-4:
        k += 1
    return (ends[0][k - 1], ends[1][n - k]) if k else (0.0, math.inf)
