"""The two windows of a diagnosis, and the steps of them that are looked at."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from iterorder.device_arrays import along_steps, at_once, contiguous, namespace_of
from iterorder.lengths import BLOCK, euclidean_norm
from iterorder.maps import RandomMaps

# Saved steps of one window: all pairs of them are compared.
WINDOW_POINTS = 256
# Steps of one window after which the next ones are saved as well, and how many: a third difference leaves, of a smooth
# approach by the share h a step, h³ of the distance, and of what is drawn at every step all of it.
RUNS, DIFFERENCE = 32, 3
SMALL_PRIMES = (2, 3, 5, 7, 11, 13)


def early(steps: np.ndarray, n_steps: int) -> np.ndarray:
    """Which of the steps are in (n/4, n/2]."""
    return (steps > n_steps // 4) & (steps <= n_steps // 2)


def late(steps: np.ndarray, n_steps: int) -> np.ndarray:
    """Which of the steps are in (n/2, n]."""
    return steps > n_steps // 2


def saved_steps(n_steps: int, compared: tuple[int, int]) -> np.ndarray:
    """The steps of both windows that are looked at, and those where laws are compared."""
    quarter, half = n_steps // 4, n_steps // 2
    chosen = [*some_steps(quarter, half), *some_steps(half, n_steps), *compared]
    runs = [*_followers(quarter, half), *_followers(half, n_steps)]
    return np.unique(np.array(chosen + runs, np.int64))


def some_steps(low: int, high: int) -> list[int]:
    """All steps of (low, high], or a random one in each of `WINDOW_POINTS` equal parts."""
    if high - low <= WINDOW_POINTS:
        return list(range(low + 1, high + 1))
    edges = [low + (high - low) * part // WINDOW_POINTS for part in range(WINDOW_POINTS + 1)]
    generator = np.random.default_rng(0)
    return [int(generator.integers(a, b)) + 1 for a, b in pairwise(edges)]


def _followers(low: int, high: int) -> list[int]:
    """The `DIFFERENCE` steps after some of those that were chosen from (low, high]."""
    chosen = some_steps(low, high)
    starts = chosen[:: max(1, len(chosen) // RUNS)]
    return [step + k for step in starts for k in range(1, DIFFERENCE + 1) if step + k <= high]


def roughness(states: np.ndarray, steps: np.ndarray, order: int) -> np.ndarray:
    """Mean length of the differences of an order of steps that follow each other, for each replica.

    Parameters
    ----------
    states : ndarray, shape (n_replicas, n, dim)
        The states of each replica at `steps`.
    steps : ndarray of int64, shape (n,)
        Some runs of order+1 steps among them.
    order : int ≥ 1
        How often differences are taken: 1 gives the lengths of the moves.

    Examples
    --------
    >>> path = np.array([[[0.0], [1.0], [4.0], [9.0], [50.0]]])
    >>> roughness(path, np.array([1, 2, 3, 4, 9]), 2)  # of 0, 1, 4 and of 1, 4, 9
    array([2.])
    """
    starts = np.flatnonzero(steps[order:] - steps[:-order] == order)
    n, k, dim = states.shape
    means, rows = namespace_of(states).empty(n), max(1, at_once(states, BLOCK) // max(1, k * dim))
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, n, rows):
            moves = contiguous(states[first : first + rows]).reshape(-1, k * dim)
            for _ in range(order):  # a step further along an axis without a short one inside it
                moves = moves[:, dim:] - moves[:, :-dim]
            lengths = euclidean_norm(moves.reshape(len(moves), k - order, dim))
            means[first : first + rows] = along_steps(lengths, starts).mean(axis=1)
    return means


def comparison_step(maps: RandomMaps, n_steps: int) -> int:
    """The step near n/2 whose law is compared with that at n.

    A law that goes round would pass for steady at the same phase: the steps are apart by a number without small prime
    factors, so that no short cycle is met twice at one place.
    Reshuffling is steady from epoch to epoch only (C1), so there whole epochs are counted. In cyclic order the law
    goes round the epoch (C13).
    """
    law, half = maps.sampling_law, n_steps // 2
    epoch, apart = law.batches_per_epoch, _without_small_factors(n_steps - half)
    if law.kind == "reshuffle":
        same_phase = n_steps - epoch * _without_small_factors(max(1, round((n_steps - half) / epoch)))
        return same_phase if same_phase > 0 else half
    if law.kind == "cyclic" and epoch > 1 and apart % epoch == 0:
        apart -= 1
    return n_steps - apart


def _without_small_factors(most: int) -> int:
    """The largest number, at most a quarter below `most`, that has none of as many of the smallest primes as can be.

    None of all six is among any 22 numbers that follow each other.

    Examples
    --------
    >>> [_without_small_factors(most) for most in (1, 4, 10, 50, 500)]
    [1, 3, 9, 47, 499]
    """
    low = most - most // 4
    for count in range(len(SMALL_PRIMES), 0, -1):
        product = math.prod(SMALL_PRIMES[:count])
        for number in range(most, low - 1, -1):
            if math.gcd(number, product) == 1:
                return number
    return most
