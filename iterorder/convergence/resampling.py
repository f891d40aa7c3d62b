"""The error of a rate from resampling replicas, the choice of its steps included."""

from __future__ import annotations

import math

import numpy as np

from iterorder.convergence.fit_window import MIN_POINTS, FitWindow, largest_relative_variance, second_half
from iterorder.convergence.norms import scaled_powers

RESAMPLES = 400
# Replicas are resampled in at most this many groups: the spread of 256 sums is known to 4.4 %, that of 400 resamples
# to 3.5 %, and the cost does not grow with the replicas.
MAX_GROUPS = 256


def slope_weights(steps: np.ndarray) -> np.ndarray:
    """The weights whose sum over the values is the slope of the least-squares line; they add up to zero."""
    x = (steps - steps[0]).astype(np.float64)
    x -= x.mean()
    return x / (x @ x)


def resampled_error(steps: np.ndarray, per_replica: np.ndarray, p: float, window: FitWindow) -> tuple[float, int]:
    """Standard error of a rate when groups of replicas are drawn with replacement, and the number of groups.

    Each resample is fitted where its own means stop being close to normal: a window that was chosen by the same
    replicas is part of what chance decides. The error is never below that of resamples on the steps of the window
    itself.

    Parameters
    ----------
    steps : ndarray of int64, shape (n,)
        Increasing numbers of steps.
    per_replica : ndarray, shape (n_replicas, n)
        The distance of each replica after each of them.
    p : float ≥ 1
        The power of the mean over the replicas.
    window : FitWindow
        The steps that the line is fitted to.
    """
    n_replicas = len(per_replica)
    steps = steps[: window.reach]
    powers, scale = scaled_powers(per_replica[:, : window.reach], p)
    n_groups = min(n_replicas, MAX_GROUPS)
    starts = np.arange(n_groups) * n_replicas // n_groups
    counts = _resampled_groups(n_groups)
    drawn = (counts @ np.diff(np.append(starts, n_replicas)))[:, None]
    means = (counts @ np.add.reduceat(powers, starts, axis=0)) / drawn
    squares = (counts @ np.add.reduceat(powers**2, starts, axis=0)) / drawn
    # A few replicas, some with distance zero: a resample of zeros alone has no rate.
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(means) / p + np.log(scale)
        variance = np.maximum(squares - means**2, 0.0) / (drawn - 1.0) / means**2
    same_steps = _spread(_slopes(steps, logs, window.first, window.end))
    # Negated: the mean of a column of zeros has no variance, and ends the curve.
    ends = _first(~(variance <= largest_relative_variance(n_replicas)))
    own_steps = np.full(RESAMPLES, np.nan)
    for end in np.unique(np.maximum(ends, MIN_POINTS)):
        rows = np.maximum(ends, MIN_POINTS) == end
        own_steps[rows] = _slopes(steps, logs[rows], second_half(steps, int(end)), int(end))
    # A resample of n has the variance of n−1: the bootstrap's own bias.
    return max(same_steps, _spread(own_steps)) * math.sqrt(n_groups / (n_groups - 1)), n_groups


def _resampled_groups(n_groups: int) -> np.ndarray:
    """How often each resample holds each group, shape (RESAMPLES, n_groups): always the same."""
    drawn = np.random.default_rng(0).integers(n_groups, size=(RESAMPLES, n_groups))
    drawn += np.arange(RESAMPLES)[:, None] * n_groups
    return np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)


def _first(bad: np.ndarray) -> np.ndarray:
    """The first column that is bad in each row; their number where none is."""
    return np.where(bad.any(axis=1), bad.argmax(axis=1), bad.shape[1])


def _slopes(steps: np.ndarray, logs: np.ndarray, first: int, end: int) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return logs[:, first:end] @ slope_weights(steps[first:end])


def _spread(slopes: np.ndarray) -> float:
    return float(slopes[np.isfinite(slopes)].std(ddof=1))
