"""How many boxes of a grid hold a point, over the size of the boxes."""

from __future__ import annotations

import numpy as np

from iterorder.dimensions.pairs import BOUNDS, Found
from iterorder.dimensions.scaling import finer, scaling_slope, slope_of

#: Boxes that no point has visited yet, by Chao's estimate, as a share of those that one has, at the finest grid.
UNSEEN = 0.02
#: Sizes of boxes in a factor of two, places of the grid, and the largest boxes in units of the longest side.
PER_OCTAVE, SHIFTS, LARGEST = 3, 8, 0.25
#: Finer grids than this have boxes whose numbers are no longer exact.
MOST_CELLS = 2.0**52


def box_dimension(points: np.ndarray, resolution: float, rng: np.random.Generator) -> Found | str:
    """The slope of the logarithm of the number of boxes over that of one over their size, or why there is none.

    The mean over some places of the grid; its error comes from the differences between them.
    """
    low, side = points.min(axis=0), float(np.ptp(points, axis=0).max())
    if side == 0.0:
        return "all points are equal: the law is a point, of dimension zero"
    shifts = rng.random((SHIFTS, points.shape[1]))
    sizes, counts = [], []
    size = LARGEST * side
    while size > max(BOUNDS * resolution, side / MOST_CELLS):
        found, unseen = zip(*(boxes((points - low) / size + shift) for shift in shifts), strict=True)
        if sum(unseen) > UNSEEN * sum(found):
            break
        sizes.append(size)
        counts.append(found)
        size /= 2.0 ** (1.0 / PER_OCTAVE)
    if len(sizes) < 2 * PER_OCTAVE:
        return (
            f"{len(points)} points visit all boxes only of sizes within a factor of four: give more points, or "
            "kind='correlation', which weighs what is visited often"
        )
    scales, logs = np.array(sizes[::-1]), np.log(counts[::-1])
    x = -np.log(scales)
    slope, part = scaling_slope(x, logs.mean(axis=1)), finer(len(x))
    each = [slope_of(x[part], column) for column in logs[part].T]
    error, mean = float(np.std(each, ddof=1) / np.sqrt(SHIFTS)), np.exp(logs.mean(axis=1))
    return Found(slope.value, error, slope.departure, scales, mean, part.stop)


def boxes(scaled: np.ndarray) -> tuple[int, float]:
    """Cells of side one that hold a point, and an estimate of how many more the law visits.

    By Chao's rule, f₁²/2f₂ with the numbers of cells that hold one point and two: a lower bound in the mean.
    """
    cells = np.floor(scaled).astype(np.int64)
    cells -= cells.min(axis=0)
    widths = cells.max(axis=0) + 1
    if np.prod(widths.astype(float)) < MOST_CELLS:
        counts = np.unique(np.ravel_multi_index(tuple(cells.T), tuple(widths)), return_counts=True)[1]
    else:
        counts = np.unique(cells, axis=0, return_counts=True)[1]
    ones, twos = int((counts == 1).sum()), int((counts == 2).sum())
    return len(counts), ones * (ones - 1) / (2.0 * (twos + 1))
