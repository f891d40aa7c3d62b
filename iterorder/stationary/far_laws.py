"""Laws far beyond the starts that have met: where the paths of one sample end from there."""

from __future__ import annotations

import numpy as np

from iterorder.errors import DivergenceError, NotContractiveError
from iterorder.lengths import euclidean_norm
from iterorder.maps import RandomMaps
from iterorder.simulate import simulated
from iterorder.stationary.iterates import settling_order
from iterorder.stationary.products import epoch_of

# How far these starts lie, in units of the distances of those that have met.
FACTORS = 2.0 ** np.array([3, 6, 10])
# Steps after which it is seen whether paths go on moving, in units of those that the sample took, and at least.
LATER, EARLIEST = 4, 2**12


def refuse_far_laws(
    maps: RandomMaps, starts: np.ndarray, n_steps: int, tol: float, *, seed: int, backend: str, max_steps: int
) -> None:
    """Refuse a sample where a start far away leads to another limit.

    Only the maps of the first sample are tried, on all starts side by side: in the directions of those that have met,
    and where items of the data would be met. A start counts where its iterates have
    come to a limit of their own, which twice the steps leave where it is. One that is still on its way, or leaves the
    finite numbers, is neither for nor against a single law.

    Raises
    ------
    NotContractiveError
        If the law depends on x0.
    """
    far = np.concatenate([_far_starts(maps, starts, seed, backend), maps.item_places])
    epoch = epoch_of(maps)
    steps = min(max(LATER * n_steps, EARLIEST), max_steps // 2) // epoch * epoch
    if len(far) == 0 or steps == 0:
        return
    tried = np.concatenate([starts[:1], far])
    before, ends = (_ends(maps, tried, n, seed, backend) for n in (steps, 2 * steps))
    with np.errstate(over="ignore", invalid="ignore"):
        settled = euclidean_norm(ends - before) <= tol
        apart = euclidean_norm(ends - ends[0])
    other = settled & settled[0] & (apart > tol)
    if other.any():
        k = int(np.argmax(np.where(other, apart, -1.0)))
        own, start, end = (np.array2string(x[:3], precision=3, separator=", ") for x in (ends[0], tried[k], ends[k]))
        raise NotContractiveError(
            "the law depends on x0: distant starts have met, but farther away there is another law; under the same "
            f"maps x0 leads to {own}, and {start} to {end}, where {2 * steps} steps leave it; give maps with one law, "
            "such as those of the region that is meant"
        )


def _far_starts(maps: RandomMaps, starts: np.ndarray, seed: int, backend: str) -> np.ndarray:
    """Starts in the directions of those that have met, drawn in to them by halves until their paths stay finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        factors = np.repeat(FACTORS, len(starts) - 1)
        directions = np.tile(starts[1:] - starts[0], (len(FACTORS), 1))
        far = starts[0] + factors[:, None] * directions
        for _ in range(int(np.log2(FACTORS.max()))):
            lost = ~np.isfinite(_ends(maps, far, EARLIEST, seed, backend)).all(axis=1) & (factors > 1.0)
            if not lost.any():
                break
            factors = np.where(lost, 0.5 * factors, factors)
            far = starts[0] + factors[:, None] * directions
    return far[factors > 1.0]


def _ends(maps: RandomMaps, starts: np.ndarray, steps: int, seed: int, backend: str) -> np.ndarray:
    """Iterates of the first sample from all starts; NaN from those that are not finite, or do not stay so."""
    inside = np.isfinite(starts).all(axis=1, keepdims=True)
    starts, count = np.where(inside, starts, 0.0), len(starts)
    options: dict = {"n_replicas": count, "noise": "shared", "seed": seed, "backend": backend}
    try:
        run = simulated(maps, starts, steps, order=settling_order(maps), **options)
    except DivergenceError:
        return np.full_like(starts, np.nan)
    return np.where(inside, run.states[:, 0], np.nan)
