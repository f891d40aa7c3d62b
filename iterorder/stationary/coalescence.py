"""Evidence without bounds: distant starts under the same maps that have met."""

from __future__ import annotations

import numpy as np

from iterorder.maps import RandomMaps
from iterorder.simulate import simulate
from iterorder.stationary.products import NotReachedError, epoch_of

# Steps and replicas of the run that shows how far the states spread, and how much farther the starts lie.
PROBE_STEPS, PROBE_REPLICAS, REACH = 512, 64, 2.0
FIRST_STEPS = 32


def distant_starts(maps: RandomMaps, x0: np.ndarray, seed: int) -> np.ndarray:
    """x0 and the corners of a box twice as wide as the states that forward runs reach, shape (1 + 2·min(d, 4), d)."""
    states = simulate(
        maps, x0, PROBE_STEPS, n_replicas=PROBE_REPLICAS, seed=seed, save_steps=np.arange(0, PROBE_STEPS + 1, 8)
    ).states.reshape(-1, maps.dim)
    states = states[np.isfinite(states).all(axis=1)]
    middle, width = 0.5 * (states.max(axis=0) + states.min(axis=0)), np.ptp(states, axis=0)
    half = 0.5 * REACH * width
    signs = np.where(np.arange(maps.dim)[None, :] % (2 ** np.arange(1, min(maps.dim, 4) + 1))[:, None] == 0, 1.0, -1.0)
    return np.concatenate([x0[None, :], middle + half * signs, middle - half * signs])


def meet(maps: RandomMaps, x0: np.ndarray, n_samples: int, tol: float, *, seed: int, max_steps: int):
    """Backward iterates from x0, of the first number of steps (doubled each time) at which all starts have met.

    Returns
    -------
    points : array, shape (n_samples, d)
    distances : array, shape (n_samples,)
        The largest distance between the iterates from the starts.
    n_steps : int64 array, shape (n_samples,)
    """
    starts = distant_starts(maps, x0, seed)
    points = np.full((n_samples, maps.dim), np.nan)
    distances, n_steps = np.full(n_samples, np.inf), np.zeros(n_samples, np.int64)
    n, epoch = FIRST_STEPS, epoch_of(maps)
    open_runs = [(0, n_samples)]
    while open_runs:
        if n > max_steps:
            raise NotReachedError
        steps = -(-n // epoch) * epoch
        for first, last in open_runs:
            ends = [_backward(maps, start, steps, first, last, seed) for start in starts]
            apart = np.max([np.linalg.norm(end - ends[0], axis=1) for end in ends[1:]], axis=0)
            new = (apart <= tol) & ~(distances[first:last] <= tol)
            some = np.flatnonzero(new) + first
            points[some], distances[some], n_steps[some] = ends[0][new], apart[new], steps
        open_runs = _runs(~(distances <= tol))
        n *= 2
    return points, distances, n_steps


def _backward(maps, start, steps, first, last, seed) -> np.ndarray:
    run = simulate(maps, start, steps, order="backward", n_replicas=last - first, seed=seed, first_replica=first)
    return run.states[:, 0]


def _runs(open_samples: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of neighbours that hold all open samples; gaps of less than a block are run along."""
    places = np.flatnonzero(open_samples)
    if places.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(places) > 64)
    firsts, lasts = np.r_[places[0], places[breaks + 1]], np.r_[places[breaks], places[-1]]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]
