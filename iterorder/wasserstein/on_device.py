"""Wasserstein distances of samples in the memory of a GPU, by its library: only sums round otherwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from iterorder.device_arrays import at_once, namespace_of
from iterorder.wasserstein.sorted_samples import without_overflow
from iterorder.wasserstein.transport import SLICE_VALUES, directions_of, over_directions


def distances(u, v, p: float) -> np.ndarray:
    """W_p of each column of u (n,) or (n, k) to that of v (m,) or (m, k), as an array (k,) of main memory."""
    pairs = zip(*_sorted(u, v), strict=True)
    return np.array([without_overflow(lambda a, b: _of_sorted(a, b, p), x, y) for x, y in pairs])


def sliced_distance(u, v, p: float, n_projections: int, seed: int) -> float:
    """The distance of `transport.sliced_distance`, along the same directions."""
    xp, directions = namespace_of(u), directions_of(seed, n_projections, u.shape[1])
    width = max(1, at_once(u, SLICE_VALUES) // max(len(u), len(v)))
    each = []
    for start in range(0, n_projections, width):
        chunk = xp.asarray(directions[start : start + width])
        each.append(distances(u @ chunk.T, v @ chunk.T, p))
    return over_directions(np.concatenate(each), p)


def _sorted(u, v) -> tuple[Any, Any]:
    """The columns of both, each sorted, as rows."""
    xp = namespace_of(u)
    return tuple(xp.sort(x.reshape(len(x), -1).T, axis=1) for x in (u, v))


def _of_sorted(x, y, p: float) -> float:
    """W_p of two sorted samples: levels i/n and j/m are told apart as whole numbers."""
    xp, (n, m) = namespace_of(x), (len(x), len(y))
    if n == m:
        return _power_mean(xp.abs(x - y), None, p)
    divisor = math.gcd(n, m)
    x_levels, y_levels = xp.arange(1, n + 1) * (m // divisor), xp.arange(1, m + 1) * (n // divisor)
    ends = xp.sort(xp.concatenate([x_levels, y_levels]))
    widths = xp.diff(ends, prepend=xp.zeros(1, ends.dtype))
    gaps = xp.abs(x[xp.searchsorted(x_levels, ends)] - y[xp.searchsorted(y_levels, ends)])
    return _power_mean(gaps, widths / float(n * (m // divisor)), p)


def _power_mean(gaps, weights, p: float) -> float:
    """(Σ weights·gaps^p)^(1/p), of equal weights where there are none; the largest gap for p = inf."""
    largest = float(gaps.max() if weights is None else gaps[weights > 0].max())
    if largest == 0.0 or math.isinf(largest) or math.isinf(p):
        return largest
    powers = (gaps / largest) ** p
    return largest * float(powers.mean() if weights is None else (powers * weights).sum()) ** (1.0 / p)
