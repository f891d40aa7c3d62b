"""Logistic regression without randomness: the cycle of a fixed order of batches, by Newton's method."""

from __future__ import annotations

import numpy as np

from iterorder.affine.epochs import log_radius_of_cycle
from iterorder.affine.items import DenseItems
from iterorder.errors import InvalidInputError
from iterorder.maps.logistic_regression import LogisticRegressionSGD
from iterorder.sampling import Sampling
from iterorder.small_step import minimizer
from iterorder.undefined import Undefined

EPS = float(np.finfo(np.float64).eps)
MAX_NEWTON_STEPS = 50


def logistic_cycle(maps: LogisticRegressionSGD) -> np.ndarray:
    """The attracting cycle of the forward iterates in a fixed order (C13), shape (N, d): point k follows map k.

    Newton's method on T_{N−1} ∘ … ∘ T_0, from the minimiser, until a step no longer makes the move of an epoch
    smaller. A batch of all items has a cycle of one point in any sampling.

    Raises
    ------
    Undefined
        If Newton's method does not converge, or the cycle does not attract.
    """
    return _cycle_and_increments(maps)[0]


def exponent_of_logistic_cycle(maps: LogisticRegressionSGD) -> float:
    """The Lyapunov exponent per step along the attracting cycle.

    Raises
    ------
    Undefined
        If there is none.
    """
    _, increments = _cycle_and_increments(maps)
    return _log_radius(increments) / len(increments)


def _log_radius(increments) -> float:
    """The log of the spectral radius of the product of I + J_k."""
    items = DenseItems(increments, np.zeros(increments.shape[:2]))
    return log_radius_of_cycle(Sampling(len(increments), kind="cyclic"), items)


def _cycle_and_increments(maps: LogisticRegressionSGD) -> tuple[np.ndarray, np.ndarray]:
    try:
        end = minimizer(maps)
    except InvalidInputError as error:
        raise Undefined(f"no cycle was found: {error}") from None
    states, increments, total = _follow(maps, end)
    move = float(np.linalg.norm(states[-1] - end))
    for _ in range(MAX_NEWTON_STEPS):
        candidate = end - np.linalg.lstsq(total, states[-1] - end, rcond=None)[0]
        trial_states, trial_increments, trial_total = _follow(maps, candidate)
        trial_move = float(np.linalg.norm(trial_states[-1] - candidate))
        if not trial_move < move:
            break
        end, states, increments, total, move = candidate, trial_states, trial_increments, trial_total, trial_move
    # N steps round by eps of the state each, and of the moves of one step, which cancel over the epoch.
    size = float(np.linalg.norm(states, axis=1).max())
    if not move <= 4.0 * len(states) * maps.dim * EPS * size:
        raise Undefined(f"no cycle was found: an epoch still moves the end of the best candidate by {move:.3g}")
    if not _log_radius(increments) < 0.0:
        raise Undefined(
            "the cycle of the forward iterates does not attract: the maps of an epoch do not contract there"
        )
    return states, increments


def _follow(maps: LogisticRegressionSGD, start) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States (N, d) after each map of an epoch, the derivatives less I (N, d, d), and that of the epoch less I."""
    law = maps.sampling_law
    x, total = start, np.zeros((maps.dim, maps.dim))
    states = np.empty((law.batches_per_epoch, maps.dim))
    increments = np.empty((law.batches_per_epoch, maps.dim, maps.dim))
    for step in range(law.batches_per_epoch):
        rows = np.arange(step * law.batch_size, (step + 1) * law.batch_size)
        features = maps.features[rows]
        slopes = np.exp(-np.logaddexp(0.0, maps.labels[rows] * (features @ x)))
        curvature = (features * (slopes * (1.0 - slopes) / len(rows))[:, None]).T @ features
        increments[step] = -maps.step_size * (curvature + maps.ridge * np.eye(maps.dim))
        total = total + increments[step] + increments[step] @ total
        x = states[step] = maps.apply(x, rows)
    return states, increments, total
