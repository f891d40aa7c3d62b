"""Where a straight curve goes flat: two-phase regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Points of the shortest head (a line needs two, its scatter a third) and tail (its last half is a line of four).
MIN_HEAD, MIN_TAIL = 3, 8
# Two lines must beat one by this F ratio: the 99.9 % point for independent scatter is 21.7 for the shortest curve and
# 6.9 for a long one, where the margin is for the choice among many breaks and for correlated scatter.
MIN_F_RATIO = 20.0
# The last half of the tail is flat when its slope is below 1/4 of the head's and no trend shows above the scatter, or
# below 1/100 in any case: a smooth floor has no scatter, and a slower mode has a clear trend. A trend shows when it
# explains more than half of the variance and is beyond three standard errors.
FLAT_SLOPE, CLEARLY_FLAT_SLOPE = 1 / 4, 1 / 100
MAX_TREND, MAX_TREND_ERRORS = 1 / 2, 3.0


@dataclass(frozen=True)
class Plateau:
    """A line that goes flat.

    Attributes
    ----------
    start : int
        Index of the first point on the plateau.
    level : float
        The median of its points.
    slope : float
        Of the line before it.
    """

    start: int
    level: float
    slope: float


def find_plateau(x: np.ndarray, y: np.ndarray) -> Plateau | None:
    """The plateau on which a curve ends, if it does: the best pair of lines, the second of them flat [1]_.

    Linear time, from running sums.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        x increasing.

    Returns
    -------
    Plateau or None
        None where no plateau fits better than a single line by more than chance.

    References
    ----------
    .. [1] Quandt (1958), The estimation of the parameters of a linear regression system obeying two separate regimes,
       Journal of the American Statistical Association 53.

    Examples
    --------
    >>> n = np.arange(60.0)
    >>> find_plateau(n, np.maximum(-n, -30.0)).level
    -30.0
    >>> find_plateau(n, -n) is None
    True
    """
    n = len(x)
    if n < MIN_HEAD + MIN_TAIL:
        return None
    lines = _Lines(x, y)
    breaks = np.arange(MIN_HEAD, n - MIN_TAIL + 1)
    slopes, before, _ = lines.fit(0, breaks)
    _, after, _ = lines.fit(breaks, n)
    best = int((before + after).argmin())
    start, slope, two = int(breaks[best]), float(slopes[best]), float(before[best] + after[best])
    _, one, total = lines.fit(0, n)
    # Below this the residuals are the rounding of the running sums.
    rounding = n * np.finfo(np.float64).eps * float(total)
    if one - two <= MIN_F_RATIO * two * 2 / (n - 4) or one <= rounding:
        return None
    settled = (start + n) // 2
    tail_slope, scatter, total = lines.fit(settled, n)
    # Of k points, a trend of t standard errors explains t²/(t² + k − 2) of the variance.
    share = max(MAX_TREND, MAX_TREND_ERRORS**2 / (MAX_TREND_ERRORS**2 + n - settled - 2))
    no_trend = abs(tail_slope) <= FLAT_SLOPE * abs(slope) and total - scatter <= share * total
    if not no_trend and not abs(tail_slope) <= CLEARLY_FLAT_SLOPE * abs(slope):
        return None
    return Plateau(start, float(np.median(y[start:])), slope)


class _Lines:
    """Least-squares lines through any run of points, from sums of the points before each."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        # Centred, so that the differences of sums cancel as little as possible.
        x, y = x - x.mean(), y - y.mean()
        columns = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
        self._sums = np.concatenate([np.zeros((1, 6)), np.cumsum(columns, axis=0)])

    def fit(self, first, end) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Slope, residual and total sum of squares of the points [first, end)."""
        n, x, y, xx, xy, yy = (self._sums[end] - self._sums[first]).T
        spread, joint = xx - x * x / n, xy - x * y / n
        total = np.maximum(yy - y * y / n, 0.0)
        slope = joint / spread
        return slope, np.maximum(total - slope * joint, 0.0), total
