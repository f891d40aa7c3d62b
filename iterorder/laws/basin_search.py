"""`basins`: which law each start ends in, where a system has several."""

from __future__ import annotations

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.laws.ended import ORDERS, Basins
from iterorder.maps import RandomMaps
from iterorder.noise import MAX_REPLICAS
from iterorder.progress import Progress
from iterorder.request import as_system, check_memory
from iterorder.simulate import simulated
from iterorder.types import ArrayLike, FloatArray, IntArray, Seed
from iterorder.validation import MAX_STEPS, as_float, as_floats, as_int, as_level, as_seed, read_only

EPS = float(np.finfo(np.float64).eps)
#: Roundings of a start, of which nothing nearer to a law is told apart: as `diagnose` takes them for a point.
ROUNDING_UNITS = 64.0


def basins(
    maps: RandomMaps,
    starts: ArrayLike,
    *,
    n_steps: int,
    seed: Seed,
    n_replicas: int = 200,
    window: int = 64,
    cell: float | None = None,
    level: float = 0.05,
    backend: str = "cpu",
    progress: Progress = False,
) -> Basins:
    """Which law each start ends in, with probabilities.

    Replicas are run from every start and then watched for a window of steps. Two that visit the same cell of space
    within the window are in the same law, and so are those that are linked by others.

    Parameters
    ----------
    maps : RandomMaps
        The system.
    starts : array_like, shape (n_starts,) or (n_starts, d)
        The points whose laws are asked for; with one axis each is a number on the line.
    n_steps : int
        Before the window: long enough that hardly any replica is still on its way.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the maps, and of the orders of the test behind `Basins.settled`; a generator is advanced by one draw.
    n_replicas : int ≥ 2
        Of every start, with noise of their own.
    window : int ≥ 1
        Steps that link cells; a multiple of the period of periodic laws.
    cell : float > 0, optional
        The side of a cell in units of the state. By default a 64th of the extent, in each coordinate, and no less than
        rounding. Laws nearer than a cell may be taken for one; cells so small that paths of one law do not meet make
        several of it.
    level : float in (0, 1)
        Of all intervals together, and of `Basins.settled`.
    backend : {"cpu", "cuda"}
        Where the replicas are simulated, as in `simulate`.
    progress : bool or function
        As in `simulate`.

    Returns
    -------
    Basins
        Evidence, no proof: what is linked was seen to be, what is apart was not seen together. `ergodic_intervals`
        proves the number of laws of increasing maps on the line. Wells of one law between which jumps are rarer than
        the window shows count as two.

    Raises
    ------
    InvalidInputError
        If an argument is not as described, or the result would not fit into memory.
    DivergenceError
        If all replicas leave the finite numbers.

    Notes
    -----
    A replica that leaves transient cells within the window links them to where it goes: while many are on their way,
    laws are taken for one. `settled` compares the states of half of the replicas at the beginning of the window with
    those of the others at its end by W₁ under 999 random orders: where it is False, give more steps. Lengths below
    half of the digits of the states, or below 64 roundings of the starts, are no movement: maps that all contract to
    one point, zero included, are settled when they are that near to it.

    Examples
    --------
    Two wells, and starts on both sides of the barrier:

    >>> from iterorder.maps import gallery
    >>> found = basins(gallery.double_well(0.1, 0.2), [-1.0, 1.0], n_steps=200, seed=0)
    >>> found.n_laws, found.settled, sorted(found.probability.tolist())
    (2, True, [[0.0, 1.0], [1.0, 0.0]])
    """
    maps = as_system(maps)
    points = as_floats("starts", starts, ndim=(1, 2))
    points = points[:, None] if points.ndim == 1 else points
    if points.shape[1] != maps.dim:
        raise InvalidInputError(f"starts has shape {points.shape}: give (n_starts, {maps.dim})")
    n_replicas = as_int("n_replicas", n_replicas, low=2, high=MAX_REPLICAS // len(points))
    window = as_int("window", window, low=1, high=MAX_STEPS)
    n_steps = as_int("n_steps", n_steps, low=0, high=MAX_STEPS - window)
    level = as_level(level)
    side = np.full(maps.dim, np.nan if cell is None else as_float("cell", cell, low=0.0, strict=True))
    seed = as_seed(seed)
    check_memory(32 * len(points) * n_replicas * window * maps.dim, f"{window} steps of {n_replicas} replicas a start")
    run = simulated(
        maps,
        np.repeat(points, n_replicas, axis=0),
        n_steps + window,
        n_replicas=len(points) * n_replicas,
        seed=seed,
        save_steps=n_steps + np.arange(window + 1),
        backend=backend,
        progress=progress,
    )
    finite = run.diverged_at < 0
    law, states = np.full(len(finite), -1), run.states
    side = np.where(np.isnan(side), _default_cell(states[finite], points), side)
    law[finite] = _linked(states[finite], side)
    return _summary(maps, points, states, law, side, level, seed)


def _default_cell(paths: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The sides of a cell, shape (d,): a 64th of the extent of the paths, or rounding where that is more."""
    sides = np.maximum(np.ptp(paths, axis=(0, 1)) / 64.0, _rounding(paths, starts))
    return np.where(sides > 0.0, sides, 1.0)


def _rounding(states: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The length that rounding may have in each coordinate, shape (d,): of states, and of starts on the way to zero.

    Where maps contract by 1 − h a step, paths stop at eps/h from their limit: half of the digits are left for h.
    """
    largest = np.abs(states).reshape(-1, states.shape[-1]).max(axis=0, initial=0.0)
    return np.maximum(np.sqrt(EPS) * largest, ROUNDING_UNITS * EPS * np.abs(starts).max(axis=0))


def _linked(paths: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """The law of every replica, the most frequent first: components of the graph of replicas and cells."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, steps, dim = paths.shape
    states = paths.reshape(-1, dim)
    _, cells = np.unique(np.floor((states - states.min(axis=0)) / sides), axis=0, return_inverse=True)
    replicas = np.repeat(np.arange(n), steps)
    n_nodes = n + int(cells.max()) + 1
    graph = coo_array((np.ones(len(states), np.int8), (replicas, n + cells.ravel())), shape=(n_nodes, n_nodes))
    _, component = connected_components(graph.tocsr(), directed=False)
    _, which, sizes = np.unique(component[:n], return_inverse=True, return_counts=True)
    rank = np.empty(len(sizes), np.intp)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[which]


def _summary(
    maps: RandomMaps,
    starts: np.ndarray,
    paths: np.ndarray,
    law: np.ndarray,
    cell: np.ndarray,
    level: float,
    seed: int,
) -> Basins:
    n_laws = int(law.max()) + 1
    ends = law.reshape(len(starts), -1)
    n_replicas = ends.shape[1]
    counts = (ends[:, :, None] == np.arange(n_laws)).sum(axis=1)
    low, high = binomial_interval(counts, n_replicas, level / max(counts.size, 1))
    rng = np.random.default_rng(seed)
    of_laws = [paths[law == k] for k in range(n_laws)]
    settled = [_same_law(states[:, 0], states[:, -1], rng, _rounding(states, starts)) for states in of_laws]
    return Basins(
        starts=read_only(starts),
        probability=read_only(counts / n_replicas),
        low=read_only(low),
        high=read_only(high),
        diverged=read_only((ends < 0).mean(axis=1)),
        settled_p=read_only(np.array(settled)),
        level=level,
        points=tuple(read_only(states[:, -1]) for states in of_laws),
        n_replicas=n_replicas,
        cell=read_only(cell),
        maps=maps,
    )


def binomial_interval(counts: IntArray, n: int, level: float) -> tuple[FloatArray, FloatArray]:
    """Clopper and Pearson's interval of the probability of `counts` in n trials, missed at most so often.

    Examples
    --------
    >>> [end.round(4).tolist() for end in binomial_interval(np.array([0, 5]), 10, 0.05)]
    [[0.0, 0.1871], [0.3085, 0.8129]]
    """
    from scipy.special import betaincinv

    with np.errstate(invalid="ignore"):
        low = np.where(counts > 0, betaincinv(np.maximum(counts, 1), n - counts + 1, level / 2.0), 0.0)
        high = np.where(counts < n, betaincinv(counts + 1, np.maximum(n - counts, 1), 1.0 - level / 2.0), 1.0)
    return low, high


def _same_law(
    before: np.ndarray, after: np.ndarray, rng: np.random.Generator, rounding: np.ndarray | float = 0.0
) -> float:
    """The p-value that two clouds of one set of replicas have one law; of different replicas, which are independent.

    Coordinates in which all of them are within `rounding` are left out.
    """
    pooled = np.concatenate([before[::2], after[1::2]])
    first = len(before[::2])
    pooled = pooled[:, np.ptp(pooled, axis=0) > rounding]
    if first == len(pooled) or pooled.shape[1] == 0:
        return 1.0
    order = np.argsort(pooled, axis=0)
    gaps = np.diff(np.take_along_axis(pooled, order, axis=0), axis=0) / np.where((s := pooled.std(axis=0)) > 0, s, 1.0)

    def distance(member: np.ndarray) -> float:
        shares = np.where(member, 1.0 / first, -1.0 / (len(pooled) - first))
        return float((np.abs(np.cumsum(shares[order], axis=0)[:-1]) * gaps).sum())

    member = np.arange(len(pooled)) < first
    actual = distance(member) * (1.0 - 1e-12)
    reached = sum(distance(rng.permutation(member)) >= actual for _ in range(ORDERS))
    return (1 + reached) / (1 + ORDERS)
