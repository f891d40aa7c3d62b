"""Whether a law stays as it is: two samples of states, and the growth of paths over the replicas."""

from __future__ import annotations

import math

import numpy as np

#: The level of the two-sample test, and of what is outside the interval of the growth.
STEADY_LEVEL = 1e-3
# The share of that level for the distances from the median: they see a law that spreads about one centre, such as a
# walk's, of which the states themselves say little. The larger share is left to the states, so that 14 replicas do.
SPREAD_SHARE = 0.25
# Values so close, in units of the diameter of a path, are one: atoms that rounding has driven apart. The statistic
# loses what two laws differ by below a thousandth of the diameter.
SAME_ATOM = 2.0**-10


def steadiness(compared: np.ndarray, tolerance: float) -> float:
    """p-value of equal laws at two steps, from two tests of each coordinate.

    Kolmogorov–Smirnov for the states, and the rank sum of their distances from the pooled median.

    The two states of one replica depend on each other, so a random half of the replicas (always the same) is taken at
    the one step and the rest at the other. Whatever the starts are, and in whatever order they come, the halves differ
    by chance alone while the law of each replica is steady. A diverged state counts as beyond all others.

    Parameters
    ----------
    compared : ndarray, shape (2, n_replicas, dim)
        The states of all replicas at the two steps.
    tolerance : float
        Values this close are taken for equal.

    Returns
    -------
    float
        The smallest p-value, times the tests that it was chosen from. NaN where so few replicas cannot reach the level.
    """
    from scipy.stats import ks_2samp, mannwhitneyu

    _, n_replicas, dim = compared.shape
    half = n_replicas // 2
    # The binomial coefficient of a large sample is a number of thousands of digits.
    smallest = 2.0 * dim / (1.0 - SPREAD_SHARE) / math.comb(2 * min(half, 100), min(half, 100))
    if smallest > STEADY_LEVEL:
        return math.nan
    shuffled = np.random.default_rng(0).permutation(n_replicas)
    pooled = np.concatenate([compared[0, shuffled[:half]], compared[1, shuffled[half : 2 * half]]])
    pooled = np.where(np.isnan(pooled), np.inf, pooled)
    p_values = []
    for values in pooled.T:
        finite = values[np.isfinite(values)]
        spread = np.abs(values - (np.median(finite) if finite.size else 0.0))
        places, distances = _ranks(values, tolerance), _ranks(spread, tolerance)
        p_values.append(float(ks_2samp(places[:half], places[half:]).pvalue) / (1.0 - SPREAD_SHARE))
        if distances.any():  # of equal ones a rank sum says nothing
            p_values.append(float(mannwhitneyu(distances[:half], distances[half:]).pvalue) / SPREAD_SHARE)
    return min(1.0, dim * min(p_values))


def _ranks(values: np.ndarray, tolerance: float) -> np.ndarray:
    """The rank of each value among groups of at most `tolerance` from end to end.

    Groups, and not chains of neighbours: those of a large sample would join all of it.
    """
    order = np.argsort(values)
    rising = values[order]
    ranks, first, rank = np.empty(len(values), np.int64), 0, 0
    while first < len(rising):
        end = max(int(np.searchsorted(rising, rising[first] + tolerance, side="right")), first + 1)
        ranks[order[first:end]] = rank
        first, rank = end, rank + 1
    return ranks


def growth_interval(diameters: np.ndarray) -> tuple[float, float]:
    """Interval for the median over the replicas of late over early diameter, from order statistics.

    It misses the median with a chance of at most `STEADY_LEVEL`, whatever the law of the ratios is. One that is not
    known, 0/0 or of a path that left the finite numbers, counts as beyond either end.

    Parameters
    ----------
    diameters : ndarray, shape (2, n_replicas)
        Early and late.

    Returns
    -------
    low, high : float
        0 and inf where so few replicas have no such interval.

    Examples
    --------
    >>> growth_interval(np.array([np.ones(40), np.linspace(0.8, 1.2, 40)]))
    (0.892..., 1.107...)
    """
    from scipy.special import bdtr

    n = diameters.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = diameters[1] / diameters[0]
    counts = np.arange(n // 2 + 1)
    # The k-th smallest is above the median when fewer than k ratios are below it.
    k = int((bdtr(counts, n, 0.5) <= 0.5 * STEADY_LEVEL).sum())
    if k == 0:
        return 0.0, math.inf
    unknown = np.isnan(ratios)
    low = np.sort(np.where(unknown, 0.0, ratios))[k - 1]
    high = np.sort(np.where(unknown, np.inf, ratios))[n - k]
    return float(low), float(high)
