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


def resampled_slopes(steps, per_replica, p, resamples) -> np.ndarray:
    """Slopes of whole tables whose rows were drawn with replacement, the same rows as the fit draws."""
    n = len(per_replica)
    tables = (per_replica[rows] for rows in np.random.default_rng(0).integers(n, size=(resamples, n)))
    return np.array([slope(steps, [mean_of_powers(column, p) for column in table.T]) for table in tables])


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


def verdict(early_paths, late_paths, n, p_value) -> str:
    """The rule of the public contract for n steps, from the states in both windows (replica, step, dim)."""
    left = [not np.isfinite(path).all() for path in late_paths]
    if sum(left) * 2 >= len(left):
        return "diverges"
    early, late = (np.median([diameter(path) for path in paths]) for paths in (early_paths, late_paths))
    sizes = [max(math.hypot(*x) for x in [*a, *b]) for a, b in zip(early_paths, late_paths, strict=True)]
    eps = float(np.finfo(float).eps)
    scale = np.median(sizes) * max(1, n / (2 * math.log(1 / eps)))
    if late <= 64 * eps * scale:
        return "point"
    ratio = late / early if early else math.inf
    if ratio > 10:
        return "diverges"
    if ratio <= 0.75:
        return "point"
    return "distribution" if ratio >= 0.9 and p_value >= 1e-3 else "inconclusive"
