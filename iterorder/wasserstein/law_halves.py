"""W_p^p from a sorted sample to a law that is made of two smaller copies of itself, half each: no quadrature.

X is λX' + low or λX' + high with probability one half each, λ < ½: the quantiles of levels in [0, ½] belong to the
first copy and those in [½, 1] to the second. A node, 2^−m of the levels, carries a copy of the law by λ^m. Where all of
it goes to one sample point that is far enough from it, the mean of |x − X|^p follows from the moments of the law with
all digits; every other node is cut in two.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.wasserstein.quantiles import inner_levels

EPS = float(np.finfo(float).eps)
# Even central moments that are used. With a half-width of at most 1/(4 + p) of the distance the terms left out are
# below 4^−26 of the sum.
TERMS = 13
# Orders with which the sum ends, so that a node must only lie on one side of the point; for the square anywhere.
SHORT_ORDERS = {1.0: 1.0, 3.0: 1.0}


def halves_power(points: np.ndarray, weights: np.ndarray | None, halves, p: float) -> tuple[float, float]:
    """(W_p^p/scale^p, scale) for finite p and sorted points (n,), with positive weights or none.

    Each half of the law takes the levels that are counted from its own end; the upper one is a mirror image.
    """
    ratio, low, high = halves
    below, above = inner_levels(points.size, weights)
    ends = np.array([low, high]) / (1.0 - ratio)
    scale = float(np.abs(points[:, None] - ends).max())
    if scale == 0.0:
        return 0.0, 0.0
    sides = ((points, below, low, high), (-points[::-1], above[::-1], -high, -low))
    total = 0.0
    for side, edges, first, second in sides:
        total += _half(side / scale, edges, ratio, first / scale, second / scale, p)
    return total, scale


def central_moments(ratio: float) -> list[float]:
    """E C^(2j), j = 0 … TERMS − 1, of the copy on [−½, ½]: C is λC' ± (1 − λ)/2.

    Examples
    --------
    >>> central_moments(1 / 3)[:2]
    [1.0, 0.12500000000000003]
    """
    moments = [1.0]
    shift = 0.5 * (1.0 - ratio)
    for j in range(1, TERMS):
        terms = (math.comb(2 * j, 2 * i) * ratio ** (2 * i) * moments[i] * shift ** (2 * (j - i)) for i in range(j))
        moments.append(math.fsum(terms) / (1.0 - ratio ** (2 * j)))
    return moments


def _half(points: np.ndarray, edges: np.ndarray, ratio: float, low: float, high: float, p: float) -> float:
    """∫ |F⁻¹ − G⁻¹|^p over the levels in [0, ½], for the law's copy of the ends `low` and `high`."""
    width = (high - low) / (1.0 - ratio)
    moments = central_moments(ratio)
    near_enough = SHORT_ORDERS.get(p, 1.0 / (4.0 + p))
    # Nodes below the rounding of values: what is left of them is cut at the edges. An atom is a node at once.
    depth = 1 if ratio == 0.0 else max(math.ceil(math.log(EPS) / math.log(ratio)), 1) + 1
    starts, lows = np.zeros(1), np.full(1, low / (1.0 - ratio))
    size, spread, total = 0.5, ratio * width, 0.0
    for _ in range(depth - 1):
        first = np.searchsorted(edges, starts, "right")
        alone = first == np.searchsorted(edges, starts + size, "left")
        distance = np.abs(points[np.minimum(first, points.size - 1)] - (lows + 0.5 * spread))
        settled = alone & ((p == 2.0) | (0.5 * spread <= near_enough * distance))
        total += size * float(_means(distance[settled], spread, moments, p).sum())
        starts, lows = starts[~settled], lows[~settled]
        if starts.size == 0:
            return total
        size *= 0.5
        starts = np.concatenate([starts, starts + size])
        # Two copies of λ times the spread at the ends of each.
        lows = np.concatenate([lows, lows + (1.0 - ratio) * spread])
        spread *= ratio
    return total + _cut(points, edges, starts, starts + size, lows + 0.5 * spread, p)


def _means(distance: np.ndarray, spread: float, moments: list[float], p: float) -> np.ndarray:
    """E |distance + spread·C|^p: the binomial series, without its odd terms as C is symmetric."""
    if p == 2.0:
        return distance**2 + moments[1] * spread**2
    total = np.zeros(distance.shape)
    square = (spread / distance) ** 2
    coefficient = 1.0  # p over 2j
    for j, moment in enumerate(moments):
        if coefficient == 0.0:
            break
        total += coefficient * moment * square**j
        coefficient *= (p - 2 * j) * (p - 2 * j - 1) / ((2 * j + 1) * (2 * j + 2))
    return distance**p * total


def _cut(points: np.ndarray, edges: np.ndarray, starts: np.ndarray, ends: np.ndarray, values: np.ndarray, p) -> float:
    """Σ mass·|x − value|^p over nodes that are cut at the edges between the points."""
    first, last = np.searchsorted(edges, starts, "right"), np.searchsorted(edges, ends, "left")
    counts = last - first + 1
    node = np.repeat(np.arange(starts.size), counts)
    cell = np.arange(node.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[node]
    borders = np.concatenate([[0.0], edges, [1.0]])
    masses = np.minimum(ends[node], borders[cell + 1]) - np.maximum(starts[node], borders[cell])
    return float(np.maximum(masses, 0.0) @ np.abs(points[cell] - values[node]) ** p)
