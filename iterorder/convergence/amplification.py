"""How far the roundings of single steps add up, measured: what a slow contraction stalls at."""

from __future__ import annotations

import numpy as np

from iterorder.convergence.coupling import coupling_distance
from iterorder.errors import DivergenceError
from iterorder.lengths import euclidean_norm
from iterorder.orders import FORWARD
from iterorder.progress import Progress

EPS = float(np.finfo(np.float64).eps)
# Starts are so far apart, in units of the states: near enough for the maps to act as they do where the path rests, and
# far enough for a distance that rounding does not blur while it falls by `MET`, up to a sum of 10⁸ roundings.
APART = EPS**0.25
#: Starts have met when their distance has fallen by this factor.
MET = 2.0**-10
# Replicas whose median is taken, and saved steps.
REPLICAS, POINTS = 16, 256


def amplification(
    maps, states: np.ndarray, n_steps: int, *, seed: int, backend: str = "cpu", progress: Progress = None
) -> float:
    """Σ_k d_k/d_0 of two starts under the same maps: 1/h for a contraction 1−h; 1 where they do not meet.

    Each step rounds the state, and the maps carry the rounding on as they carry a small distance between two starts.
    So a path that rests can only move by the rounding of one step times this sum. It is measured from where the paths
    have come to. Starts that do not meet show no contraction, and nothing beyond one rounding is put down to it.

    Parameters
    ----------
    maps : RandomMaps
        The system.
    states : ndarray, shape (n_replicas, dim)
        Where the paths are.
    n_steps : int ≥ 1
        Within so many the starts must meet.
    seed : int
        Of the maps that both starts meet.
    backend : str
        Where the two starts are simulated, as in `simulate`.
    progress : bool or function
        As in `simulate`.

    Returns
    -------
    float
        By how many roundings of one step a path at rest may move.
    """
    states = states[np.isfinite(states).all(axis=1)][:REPLICAS]
    if not len(states):
        return 1.0
    size = np.maximum(euclidean_norm(states), np.finfo(np.float64).tiny)
    directions = np.random.default_rng(0).standard_normal(states.shape)
    other = states + (APART * size / euclidean_norm(directions))[:, None] * directions
    steps = np.unique(np.concatenate([[0], np.geomspace(1, n_steps, POINTS).astype(np.int64)]))
    count = len(states)
    try:
        apart = coupling_distance(
            maps,
            states,
            other,
            n_steps,
            order=FORWARD,
            n_replicas=count,
            seed=seed,
            save_steps=steps,
            backend=backend,
            progress=progress,
        ).per_replica
    except DivergenceError:
        return 1.0
    left = np.median(apart / apart[:, :1], axis=0)
    if not (met := left <= MET).any():
        return 1.0
    end = int(met.argmax()) + 1
    from scipy.integrate import trapezoid  # NumPy has it under this name since its second version only

    # A decay is convex: the trapezoids are above it.
    return 1.0 + float(trapezoid(left[:end], steps[:end]) + 0.5 * (left[end - 1] - left[0]))
