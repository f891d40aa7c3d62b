"""Statistics of many paths, a few paths at a time: whole stretches of all paths would not fit in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from iterorder.maps.base import RandomMaps
from iterorder.orders import FORWARD, Order
from iterorder.simulate import simulated

#: Numbers in the states that are in memory at once: 64 MB.
CHUNK_ENTRIES = 8_000_000


def path_statistics(
    maps: RandomMaps,
    x0,
    steps: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    count: int,
    seed: int,
    order: Order = FORWARD,
    first_replica: int = 0,
    backend: str = "cpu",
) -> np.ndarray:
    """A statistic of the states at some steps of every path.

    Parameters
    ----------
    x0 : array_like, shape (dim,)
        The start of every path.
    steps : ndarray of int
        Increasing.
    statistic : callable
        From states (R, len(steps), dim) to values (R, …).
    count : int
        Paths.

    Returns
    -------
    ndarray, shape (count, …)
        What the statistic gave, path by path.
    """
    chunk = max(1, CHUNK_ENTRIES // (len(steps) * maps.dim))
    parts = []
    for first in range(0, count, chunk):
        run = simulated(
            maps,
            x0,
            int(steps[-1]),
            order=order,
            n_replicas=min(chunk, count - first),
            seed=seed,
            backend=backend,
            save_steps=steps,
            first_replica=first_replica + first,
        )
        parts.append(statistic(run.states))
    return np.concatenate(parts)


def mean_square_increment(states: np.ndarray) -> np.ndarray:
    """The mean over a stretch of ‖x_(k+1) − x_k‖², for each path: less skew than a single increment."""
    return (np.diff(states, axis=1) ** 2).sum(axis=2).mean(axis=1)
