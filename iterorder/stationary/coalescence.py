"""Evidence without bounds: distant starts under the same maps that have met."""

from __future__ import annotations

import math

import numpy as np

from iterorder.errors import DivergenceError
from iterorder.lengths import euclidean_norm
from iterorder.maps import RandomMaps
from iterorder.noise import MAX_REPLICAS, uniforms
from iterorder.progress import Report, part
from iterorder.simulate import simulated
from iterorder.stationary.iterates import settling_order
from iterorder.stationary.products import NotReachedError, epoch_of

# Steps and replicas of the run that shows how far the states spread, and how much farther the starts lie.
PROBE_STEPS, PROBE_REPLICAS, REACH = 512, 64, 2.0
# How often a start from which runs leave the finite numbers is drawn in by half before it is left out.
HALVINGS = 8
FIRST_STEPS = 32
# Samples that are searched together: what the first of them show also spares the others.
CHUNK = 2**14
# Steps of all samples together, in units of max_steps, that must have shown nothing before the search is given up: what
# brings starts together at a rate of r per step is then missed with probability exp(−5r·max_steps), and for all of n
# samples to meet within max_steps it takes r·max_steps ≥ log n.
EVIDENCE, EARLIEST = 5, 4096
# A measured pace may be too slow by this factor, and the share of a search is at most this before all have met.
DOUBT, NEARLY = 2.0, 0.99


class NeverMetError(NotReachedError):
    """The starts have not met.

    Attributes
    ----------
    n_steps : int
        Steps of the last attempt.
    early : bool
        Whether it was given up before the largest number of steps.
    before, distance : float
        Median largest distances between the iterates of some sample, after half of the steps and after all.
    ends : array, shape (k, d)
        Where the starts of a sample that has not met ended: its iterates.
    """

    def __init__(self, n_steps: int, early: bool, before: float, distance: float, ends: np.ndarray) -> None:
        super().__init__()
        self.n_steps, self.early, self.before, self.distance, self.ends = n_steps, early, before, distance, ends


def distant_starts(maps: RandomMaps, x0: np.ndarray, seed: int, backend: str = "cpu") -> np.ndarray:
    """x0 and far starts in general position around it, shape (k, d); only those from which runs stay finite.

    The far starts lie near the corners of a box twice as wide as the states that forward runs reach, as x0 is large,
    and two units, in every coordinate: also where no run leaves a fixed value. All signs of the first three
    coordinates come in opposite pairs, the other signs and all distances are drawn, so that no two coordinates, sums
    or differences agree. A start from which a run leaves the finite numbers is neither for nor against a limit (maps
    may have a domain): it is drawn in to x0 by halves, and left out in the end.
    """
    states = _reached(maps, x0, seed, backend)
    states = np.concatenate([states[np.isfinite(states).all(axis=1)], x0[None, :], -x0[None, :]])
    low, high = states.min(axis=0), states.max(axis=0)
    middle = 0.5 * high + 0.5 * low
    half = np.maximum(REACH * (0.5 * high - 0.5 * low), 1.0 + np.abs(x0))
    far = middle + half * _directions(maps.dim, seed)
    drawn_in = (_drawn_in(maps, x0, start, seed, backend) for start in far)
    return np.array([x0, *(start for start in drawn_in if start is not None)])


def _reached(maps: RandomMaps, x0: np.ndarray, seed: int, backend: str) -> np.ndarray:
    """The states of forward runs from x0, (n, d); NaN from where one leaves the finite numbers."""
    saves = np.arange(0, PROBE_STEPS + 1, 8)
    try:
        probe: dict = {"n_replicas": PROBE_REPLICAS, "seed": seed, "backend": backend}
        run = simulated(maps, x0, PROBE_STEPS, save_steps=saves, **probe)
    except DivergenceError as error:
        advice = maps.smaller_steps
        raise DivergenceError(
            f"all of {PROBE_REPLICAS} paths from x0 leave the finite numbers within {PROBE_STEPS} steps: give an x0 "
            f"from which they stay{advice and f', or {advice}'}",
            error.trajectory,
        ) from None
    return run.states.reshape(-1, maps.dim)


def _drawn_in(maps: RandomMaps, x0: np.ndarray, start: np.ndarray, seed: int, backend: str) -> np.ndarray | None:
    """The start, or the first on its way to x0 by halves, from which all runs stay finite; None where there is none."""
    for _ in range(1 + HALVINGS):
        if _stays_finite(maps, start, seed, backend):
            return start
        start = x0 + 0.5 * (start - x0)
    return None


def _directions(dim: int, seed: int) -> np.ndarray:
    """Signed distances in [½, 1] for each coordinate, in units of the box, shape (2^min(d, 3), d)."""
    count = 2 ** min(dim, 3)
    drawn = uniforms(seed, MAX_REPLICAS - 1, np.arange(count), 2 * dim)
    signs = np.where(drawn[:, :dim] < 0.5, -1.0, 1.0)
    signs[:, :3] = np.where((np.arange(count)[:, None] >> np.arange(min(dim, 3))) & 1, 1.0, -1.0)
    signs[count // 2 :, 3:] = -signs[: count // 2, 3:][::-1]  # start k is opposite to start count − 1 − k
    return signs * (0.5 + 0.5 * drawn[:, dim:])


def _stays_finite(maps: RandomMaps, start: np.ndarray, seed: int, backend: str) -> bool:
    """Whether all runs from a start do for the steps of the probe."""
    try:
        ends = simulated(maps, start, PROBE_STEPS, n_replicas=PROBE_REPLICAS, seed=seed, backend=backend).states
    except DivergenceError:
        return False
    return bool(np.isfinite(ends).all())


def meet(
    maps: RandomMaps,
    x0: np.ndarray,
    n_samples: int,
    tol: float,
    *,
    seed: int,
    max_steps: int,
    backend: str = "cpu",
    slowest: float = -math.inf,
    report: Report | None = None,
):
    """Iterates from x0, of the first number of steps (doubled each time) at which all starts have met.

    The search ends early when no sample has met and, at the pace of the last doubling, none would within `max_steps`;
    at once where the Lyapunov exponent, `slowest` at least, is known to be too near to zero. How many doublings
    it takes is not known beforehand: `report` tells which share of the samples has met, or of the steps that they take
    at the pace of the last doubling.

    Returns
    -------
    points : array, shape (n_samples, d)
        The iterates from x0.
    distances : array, shape (n_samples,)
        The largest distance between the iterates from the starts.
    n_steps : int64 array, shape (n_samples,)
        The number of steps of each sample.
    starts : array, shape (k, d)
        The starts whose iterates have met.

    Raises
    ------
    NotReachedError
        If a sample has not met; a `NeverMetError` where any step was made.
    """
    starts, epoch = distant_starts(maps, x0, seed, backend), epoch_of(maps)
    first_steps = min(-(-FIRST_STEPS // epoch) * epoch, max_steps // epoch * epoch)
    if len(starts) < 2:
        raise NotReachedError  # nothing but x0 stays finite: nothing is seen
    spread = float(np.abs(starts - starts[0]).max())  # no squares, which may overflow
    if first_steps == 0 or (spread > tol and -DOUBT * slowest * max_steps < math.log(spread / tol)):
        raise NotReachedError
    points = np.full((n_samples, maps.dim), np.nan)
    distances, n_steps = np.full(n_samples, np.inf), np.zeros(n_samples, np.int64)
    for first in range(0, n_samples, CHUNK):
        chunk = slice(first, min(first + CHUNK, n_samples))
        told = part(report, first / n_samples, chunk.stop / n_samples)
        _search(maps, starts, first_steps, chunk, points, distances, n_steps, tol, seed, backend, max_steps, told)
    return points, distances, n_steps, starts


def _search(maps, starts, n, chunk, points, distances, n_steps, tol, seed, backend, max_steps, report) -> None:
    """Fill in a chunk of samples."""
    here, before, parts = distances[chunk], distances[chunk].copy(), [chunk]
    expected = float(max_steps)
    while True:
        # All steps until now were about as many as those of this attempt.
        told = part(report, 0.5 * NEARLY * n / max(expected, n), NEARLY * n / max(expected, n))
        sizes = np.cumsum([0, *(some.stop - some.start for some in parts)])
        for k, some in enumerate(parts):
            share = part(told, sizes[k] / sizes[-1], sizes[k + 1] / sizes[-1])
            _try(maps, starts, n, some, points, distances, n_steps, tol, seed, backend, share)
        missing = ~(here <= tol)
        if report is not None:
            report(1.0 - float(missing.mean()))
        parts = [slice(chunk.start + first, chunk.start + last) for first, last in _runs(missing)]
        if not parts:
            return
        late = 2 * n > max_steps
        if late or (missing.all() and _hopeless(before, here, n, tol, max_steps)):
            sample = slice(parts[0].start, parts[0].start + 1)
            ends = np.concatenate([_iterates(maps, start, n, sample, seed, backend) for start in starts])
            raise NeverMetError(n, not late, float(np.median(before[missing])), float(np.median(here[missing])), ends)
        if np.isfinite(before).all():
            needed = n + _still_needed(before, here, n, tol, max_steps)
            expected = min(2.0 ** math.ceil(math.log2(needed)), max_steps)
        before, n = here.copy(), 2 * n


def _hopeless(before, distances, n: int, tol: float, max_steps: int) -> bool:
    """Whether distances after n/2 and n steps show a pace that does not lead to `tol` within `max_steps`."""
    if n < EARLIEST or n * len(distances) < EVIDENCE * max_steps:
        return False
    return DOUBT * (max_steps - n) < _still_needed(before, distances, n, tol, DOUBT * max_steps)


def _still_needed(before, distances, n: int, tol: float, most: float) -> float:
    """The steps, `most` at most, that lead to `tol` at the pace of distances after n/2 and n steps.

    Most generously: the mean logarithm goes on to fall in proportion to the steps, which also counts rare events.
    """
    logs = [np.log(np.clip(values, tol, np.finfo(np.float64).max)) for values in (before, distances)]
    pace = float((logs[0] - logs[1]).mean()) / (n / 2)
    needed = float(logs[1].mean()) - math.log(tol)
    return needed / pace if needed < pace * most else most


def _try(maps, starts, n, chunk, points, distances, n_steps, tol, seed, backend, report) -> None:
    """Distances of some samples after n steps; fill in those that have met."""
    count = len(starts)
    try:
        end = _run(maps, starts[0], n, chunk, seed, backend, part(report, 0.0, 1.0 / count))
    except DivergenceError as error:
        advice = maps.smaller_steps
        expanding = DivergenceError(
            f"all samples left the finite numbers within {n} steps from x0, and maps that expand have no law: "
            f"give another x0{advice and f', or {advice}'}",
            error.trajectory,
        )
        expanding.add_note("theory(maps).lyapunov_exponent tells whether the maps expand")
        raise expanding from None
    apart = np.zeros(chunk.stop - chunk.start)
    for k, start in enumerate(starts[1:], 1):
        told = part(report, k / count, (k + 1) / count)
        with np.errstate(over="ignore", invalid="ignore"):  # iterates may leave the finite numbers
            gaps = euclidean_norm(_iterates(maps, start, n, chunk, seed, backend, told) - end)
        np.maximum(apart, np.where(np.isnan(gaps), np.inf, gaps), out=apart)
    waiting = ~(distances[chunk] <= tol)
    new = (apart <= tol) & waiting
    distances[chunk] = np.where(waiting, apart, distances[chunk])
    some = np.flatnonzero(new) + chunk.start
    points[some], n_steps[some] = end[new], n


def _iterates(maps, start, steps, chunk, seed, backend, report=None) -> np.ndarray:
    """Iterates in the settling order; NaN where all of them leave the finite numbers."""
    try:
        return _run(maps, start, steps, chunk, seed, backend, report)
    except DivergenceError:
        return np.full((chunk.stop - chunk.start, maps.dim), np.nan)


def _run(maps, start, steps, chunk, seed, backend, report=None) -> np.ndarray:
    replicas: dict = {"n_replicas": chunk.stop - chunk.start, "first_replica": chunk.start, "backend": backend}
    order = settling_order(maps)
    return simulated(maps, start, steps, order=order, seed=seed, progress=report, **replicas).states[:, 0]


def _runs(open_samples: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of neighbours that hold all open samples; gaps of less than a block are run along."""
    places = np.flatnonzero(open_samples)
    if places.size == 0:
        return []
    breaks = np.flatnonzero(np.diff(places) > 64)
    firsts, lasts = np.r_[places[0], places[breaks + 1]], np.r_[places[breaks], places[-1]]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]
