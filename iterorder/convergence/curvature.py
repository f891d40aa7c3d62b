"""Whether a line was fitted to a curve that is none: a distance that decays, but not exponentially."""

from __future__ import annotations

import math

import numpy as np

from iterorder.convergence.fit_window import PLATEAU_MARGIN, FitWindow
from iterorder.convergence.resampling import slope_weights

#: The slopes of both halves differ by more than this share of their mean: 1/n has .34, n^a too, and exp(−√n) .17.
SHARE = 0.25
#: And by more standard errors than this.
ERRORS = 5.0
# Fewer points say nothing of the scatter in either half.
MIN_POINTS = 12
# The error of the difference of two slopes over half of the steps each, in units of that of the slope over all: 2 for
# residuals that walk at random, 4 for independent ones.
HALVES = 4.0


def _middle(steps: np.ndarray) -> int:
    """How many of the steps are in the first half of their span."""
    return int(np.searchsorted(steps, steps[0] + (steps[-1] - steps[0] + 1) // 2))


def half_weights(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights whose sums over the values are the slopes in the first and in the second half of the steps.

    Examples
    --------
    >>> first, second = half_weights(np.arange(4))
    >>> values = np.array([0.0, 1.0, 5.0, 8.0])
    >>> float(first @ values), float(second @ values)
    (1.0, 3.0)
    """
    middle = _middle(steps)
    first, second = np.zeros(len(steps)), np.zeros(len(steps))
    first[:middle], second[middle:] = slope_weights(steps[:middle]), slope_weights(steps[middle:])
    return first, second


def enough_points(steps: np.ndarray) -> bool:
    """Whether both halves hold points enough to tell a bend from scatter."""
    middle = _middle(steps)
    return 2 * min(middle, len(steps) - middle) >= MIN_POINTS


def is_curved(steps: np.ndarray, logs: np.ndarray, window: FitWindow, *, scatter: float, error: float) -> bool:
    """Whether the slopes of both halves differ by far more than chance, rounding and a plateau near by can make them.

    Parameters
    ----------
    steps, logs : ndarray, shape (n,)
        The points of the window.
    window : FitWindow
        Where the line was fitted, and what ended it.
    scatter : float
        Standard error of the difference of both slopes, from the residuals; zero where replicas tell the error.
    error : float
        That of the slope over all points.
    """
    first, second = half_weights(steps)
    early, late = float(first @ logs), float(second @ logs)
    allowed = float((np.abs(first) + np.abs(second)) @ window.rounding) + ERRORS * max(scatter, HALVES * error)
    if window.stopped_by in ("plateau", "saturation"):
        allowed += 4.0 * math.log1p(1.0 / PLATEAU_MARGIN) / float(steps[-1] - steps[0])
    difference = abs(late - early)
    return difference > allowed and difference > SHARE * abs(0.5 * (early + late))
