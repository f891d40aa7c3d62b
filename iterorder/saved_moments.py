"""Mean and spread over the replicas at one saved step, for tables of a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iterorder.trajectory import Trajectory
from iterorder.types import FloatArray


@dataclass(frozen=True, eq=False)
class SavedMoments:
    """Over the replicas that are finite at a saved step.

    Attributes
    ----------
    step : int
        Of the run.
    finite : int
        How many replicas there are.
    mean, std : ndarray, shape (dim,)
        NaN where there are too few: none, or fewer than two.
    median_norm : float
        The median Euclidean length of a state.
    """

    step: int
    finite: int
    mean: FloatArray
    std: FloatArray
    median_norm: float


def moments_at(run: Trajectory, place: int) -> SavedMoments:
    """Those of ``run.states[:, place]``, in float64; `run` has its states in main memory."""
    states = run.states[:, place].astype(np.float64)
    states = states[np.isfinite(states).all(axis=1)]
    nothing = np.full(states.shape[1], np.nan)
    with np.errstate(over="ignore"):  # of replicas on their way out
        return SavedMoments(
            step=int(run.save_steps[place]),
            finite=len(states),
            mean=states.mean(axis=0) if len(states) else nothing,
            std=states.std(axis=0, ddof=1) if len(states) > 1 else nothing,
            median_norm=float(np.median(np.linalg.norm(states, axis=1))) if len(states) else np.nan,
        )
