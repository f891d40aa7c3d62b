"""Evidence without bounds: distant starts under the same maps that have met."""

from __future__ import annotations

import numpy as np

from iterorder.maps import RandomMaps
from iterorder.simulate import simulate
from iterorder.stationary.products import NotReachedError, epoch_of

# Steps and replicas of the run that shows how far the states spread, and how much farther the starts lie.
PROBE_STEPS, PROBE_REPLICAS, REACH = 512, 64, 2.0
FIRST_STEPS = 32
# Samples that are run together.
CHUNK = 2**14


def distant_starts(maps: RandomMaps, x0: np.ndarray, seed: int) -> np.ndarray:
    """x0 and corners of a box twice as wide as the states that forward runs reach, and as x0 is large, shape (k, d).

    The corners are those of all signs in the first three coordinates, which the others repeat.
    """
    states = simulate(
        maps, x0, PROBE_STEPS, n_replicas=PROBE_REPLICAS, seed=seed, save_steps=np.arange(0, PROBE_STEPS + 1, 8)
    ).states.reshape(-1, maps.dim)
    states = np.concatenate([states[np.isfinite(states).all(axis=1)], x0[None, :], -x0[None, :]])
    middle, width = 0.5 * (states.max(axis=0) + states.min(axis=0)), np.ptp(states, axis=0)
    bits = np.arange(2 ** min(maps.dim, 3))[:, None] >> (np.arange(maps.dim) % 3)
    corners = middle + 0.5 * REACH * width * np.where(bits & 1, 1.0, -1.0)
    return np.concatenate([x0[None, :], corners])


def meet(maps: RandomMaps, x0: np.ndarray, n_samples: int, tol: float, *, seed: int, max_steps: int):
    """Backward iterates from x0, of the first number of steps (doubled each time) at which all starts have met.

    Returns
    -------
    points : array, shape (n_samples, d)
    distances : array, shape (n_samples,)
        The largest distance between the iterates from the starts.
    n_steps : int64 array, shape (n_samples,)
    """
    starts, epoch = distant_starts(maps, x0, seed), epoch_of(maps)
    points = np.full((n_samples, maps.dim), np.nan)
    distances, n_steps = np.full(n_samples, np.inf), np.zeros(n_samples, np.int64)
    n = min(-(-FIRST_STEPS // epoch) * epoch, max_steps // epoch * epoch)
    open_runs = [(0, n_samples)] if n else []
    while open_runs:
        for first, last in open_runs:
            for start in range(first, last, CHUNK):
                part = slice(start, min(start + CHUNK, last))
                _try(maps, starts, n, part, points, distances, n_steps, tol, seed)
        open_runs = _runs(~(distances <= tol))
        if open_runs and 2 * n > max_steps:
            break
        n *= 2
    if not (distances <= tol).all():
        raise NotReachedError
    return points, distances, n_steps


def _try(maps, starts, n, part, points, distances, n_steps, tol, seed) -> None:
    """Fill in those of some samples whose iterates of n steps have met."""
    end, apart = _backward(maps, starts[0], n, part, seed), np.zeros(part.stop - part.start)
    for start in starts[1:]:
        np.maximum(apart, np.linalg.norm(_backward(maps, start, n, part, seed) - end, axis=1), out=apart)
    new = (apart <= tol) & ~(distances[part] <= tol)
    some = np.flatnonzero(new) + part.start
    points[some], distances[some], n_steps[some] = end[new], apart[new], n


def _backward(maps, start, steps, part, seed) -> np.ndarray:
    replicas = {"n_replicas": part.stop - part.start, "first_replica": part.start}
    return simulate(maps, start, steps, order="backward", seed=seed, **replicas).states[:, 0]


def _runs(open_samples: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of neighbours that hold all open samples; gaps of less than a block are run along."""
    places = np.flatnonzero(open_samples)
    if places.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(places) > 64)
    firsts, lasts = np.r_[places[0], places[breaks + 1]], np.r_[places[breaks], places[-1]]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]
