"""The correlation integral: the share of pairs of points that are nearer to each other than a radius."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iterorder.dimensions.scaling import finer, scaling_slope, slope_of

#: Points whose neighbours are counted, the least mean number of neighbours at the smallest radius, radii of the window
#: and the largest of them in units of the root mean square distance from the mean.
REFERENCES, NEIGHBOURS, RADII, LARGEST = 4_000, 10.0, 32, 0.25
#: Radii below so many error bounds see the bound and not the law.
BOUNDS = 20.0
REPETITIONS = 200


class Found(NamedTuple):
    """A dimension, its standard error from the choice of points, and its departure from a power law.

    It is the slope of `measured` over `scales`, both on logarithmic axes and the finest first; of the first `used`.
    """

    value: float
    error: float
    departure: float
    scales: np.ndarray
    measured: np.ndarray
    used: int


def correlation_dimension(points: np.ndarray, resolution: float, rng: np.random.Generator) -> Found | str:
    """The slope of the logarithm of the correlation integral, or why there is none.

    Points are counted about some of them, which are drawn anew to see how much the slope depends on which.
    """
    from scipy.spatial import cKDTree

    count = len(points)
    chosen = rng.choice(count, min(REFERENCES, count), replace=False)
    tree = cKDTree(points)
    size = float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))
    low, high = max(_smallest(tree, points, chosen), BOUNDS * resolution), LARGEST * size
    if size == 0.0:
        return "all points are equal: the law is a point, of dimension zero"
    if not 0.0 < 4.0 * low < high:
        return f"the {count} points see scales from {low:.3g}, and the law is {size:.3g} wide: give more points" + (
            ", or a sample with a smaller tol" if BOUNDS * resolution >= low > 0.0 else ""
        )
    radii = np.geomspace(low, high, RADII)
    near = np.stack([tree.query_ball_point(points[chosen], r, return_length=True) - 1.0 for r in radii])
    x, mean = np.log(radii), near.mean(axis=1)
    slope = scaling_slope(x, np.log(mean))
    again = rng.integers(0, len(chosen), (REPETITIONS, len(chosen)))
    part = finer(RADII)
    least = 1.0 / len(chosen)
    slopes = [slope_of(x[part], np.log(np.maximum(near[part][:, rows].mean(axis=1), least))) for rows in again]
    return Found(slope.value, float(np.std(slopes, ddof=1)), slope.departure, radii, mean / (count - 1), part.stop)


def _smallest(tree, points: np.ndarray, chosen: np.ndarray) -> float:
    """A radius within which a point has some neighbours: the geometric mean of the distances of that neighbour."""
    k = int(NEIGHBOURS) + 1
    if len(points) <= k:
        return 0.0
    distances = tree.query(points[chosen], [k])[0][:, 0]
    if np.median(distances) == 0.0:
        return 0.0
    return float(np.exp(np.log(distances[distances > 0.0]).mean()))
