"""The draws of many replicas and steps as arrays, and all draws of one step where they can be listed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from iterorder import noise
from iterorder.sampling import Sampling

#: Up to this many batches, or orders of an epoch, are listed (7! orders of seven items).
MAX_LISTED = 5040
#: Numbers in a block of draws (16 MiB of int64).
BLOCK_ENTRIES = 2**21
#: Batches above this size look repeated points up in a table; below, each point is compared with those before it.
MAX_COMPARED_BATCH = 32
_HALF = np.uint64(32)


def all_steps(sampling: Sampling) -> tuple[np.ndarray, np.ndarray] | None:
    """Every draw that one step can make and its probability, rows (M, batch_size) and weights (M,).

    For the orders by epoch: over a step chosen uniformly in its epoch. None where more than `MAX_LISTED` batches of
    two or more items exist (or fewer of thousands of items).

    Examples
    --------
    >>> rows, weights = all_steps(Sampling.validated(3, batch_size=2))
    >>> rows.tolist(), weights.tolist()
    ([[0, 1], [0, 2], [1, 2]], [0.3333333333333333, 0.3333333333333333, 0.3333333333333333])
    """
    n, size = sampling.n_items, sampling.batch_size
    if sampling.kind == "cyclic":
        rows = np.arange(sampling.batches_per_epoch * size).reshape(-1, size)
    elif size == 1:
        used = np.flatnonzero(sampling.weights > 0.0)
        return used[:, None], sampling.weights[used]
    elif (count := count_arrangements(n, size, 1)) <= MAX_LISTED and count * size <= BLOCK_ENTRIES:
        rows = np.array(list(itertools.combinations(range(n), size)))
    else:
        return None
    return rows, np.full(len(rows), 1.0 / len(rows))


def count_arrangements(n_items: int, size: int, n_batches: int) -> float:
    """The number of sequences of disjoint batches, the order within a batch left out; inf where it is beyond 10²⁰.

    Examples
    --------
    >>> count_arrangements(7, 1, 7), count_arrangements(5, 2, 2), count_arrangements(442, 32, 1)
    (5040.0, 30.0, inf)
    """
    left_out = n_items - size * n_batches
    logarithm = math.lgamma(n_items + 1) - n_batches * math.lgamma(size + 1) - math.lgamma(left_out + 1)
    # Rounding of lgamma: a relative eps of its value. Below 7000 arrangements that cannot move the nearest integer
    # for any n below 10⁸, where a single arrangement fewer than n is the only small count.
    return float(round(math.exp(logarithm))) if logarithm < math.log(1e20) else math.inf


def all_epochs(sampling: Sampling, steps: int | None = None) -> np.ndarray:
    """Every epoch of random reshuffling, or its first steps, all equally likely, shape (M, steps, batch_size).

    Examples
    --------
    >>> all_epochs(Sampling.validated(3, kind="reshuffle"))[:, :, 0].tolist()
    [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    """
    size = sampling.batch_size

    def orders(left: tuple[int, ...], steps: int) -> Iterator[list[tuple[int, ...]]]:
        if steps == 0:
            yield []
            return
        for batch in itertools.combinations(left, size):
            rest = tuple(item for item in left if item not in batch)
            for tail in orders(rest, steps - 1):
                yield [batch, *tail]

    return np.array(list(orders(tuple(range(sampling.n_items)), steps or sampling.batches_per_epoch)))


def draw_blocks(sampling: Sampling, seed: int, n_replicas: int, n_steps: int) -> Iterator[np.ndarray]:
    """The draws of replicas 0 … n_replicas−1 at steps 0 … n_steps−1: the integers of `Sampling.draw`, many at once.

    Yields
    ------
    ndarray of int64, shape (steps, n_replicas, batch_size)
        Consecutive blocks of steps; together n_steps.

    Examples
    --------
    >>> sampling = Sampling.validated(10, batch_size=3)
    >>> (block,) = draw_blocks(sampling, 0, 2, 5)
    >>> bool((block[4, 1] == sampling.draw(0, 1, 4)).all())
    True
    """
    # A multiple of 128 steps starts at the first bit of a noise block, for every layout.
    most = max(1, BLOCK_ENTRIES // (n_replicas * sampling.batch_size))
    length = max(128, most // 128 * 128) if sampling.batch_size == 1 else most
    first = 0
    while first < n_steps:
        count = min(length, n_steps - first)
        if sampling.kind == "reshuffle":
            count = min(count, sampling.batches_per_epoch - first % sampling.batches_per_epoch)
            yield _reshuffled(sampling, seed, n_replicas, first, count)
        elif sampling.kind == "cyclic":
            steps = np.arange(first, first + count) % sampling.batches_per_epoch
            slots = steps[:, None] * sampling.batch_size + np.arange(sampling.batch_size)
            yield np.broadcast_to(slots[:, None], (count, n_replicas, sampling.batch_size))
        elif sampling.batch_size == 1:
            yield _singles(sampling, seed, n_replicas, first, count)
        else:
            yield _batches(sampling, seed, n_replicas, first, count)
        first += count


def _singles(sampling, seed, n_replicas, first, count) -> np.ndarray:
    """`noise.indices` with every word of a noise block used: four steps a block, or 128 of two equal maps."""
    fair = sampling.probabilities is None and sampling.n_items == 2
    steps_per_block = 128 if fair else 4
    blocks = np.arange(first // steps_per_block, -(-(first + count) // steps_per_block))
    words = noise.words(seed, blocks[:, None], np.arange(n_replicas))  # (block, replica, word)
    items: np.ndarray
    if fair:
        shifts = np.arange(31, -1, -1, dtype=np.uint64)
        items = ((words[..., None] >> shifts) & np.uint64(1)).reshape(len(blocks), n_replicas, 128)
    elif sampling.probabilities is None:
        items = (words * np.uint64(sampling.n_items)) >> _HALF
    else:
        items = np.searchsorted(noise.thresholds(sampling.probabilities), words, side="right")
    by_step = items.astype(np.int64).transpose(0, 2, 1).reshape(-1, n_replicas, 1)
    skipped = first - first // steps_per_block * steps_per_block
    return by_step[skipped : skipped + count]


def _batches(sampling, seed, n_replicas, first, count) -> np.ndarray:
    n, size = sampling.n_items, sampling.batch_size
    steps = np.arange(first, first + count)
    words = noise.step_words(seed, np.arange(n_replicas), steps[:, None], size).reshape(-1, size)
    return distinct_points(words, n).reshape(count, n_replicas, size)


def distinct_points(words, n) -> np.ndarray:
    """Floyd's algorithm of `noise.batch` on many rows of words at once, shape (M, size).

    Examples
    --------
    >>> distinct_points(noise.step_words(0, 0, np.arange(2), 3), 10).tolist()
    [[3, 7, 9], [7, 3, 6]]
    """
    count, size = words.shape
    points = np.empty((count, size), np.int64)
    lookup = size > MAX_COMPARED_BATCH
    part = max(1, 8 * BLOCK_ENTRIES // n) if lookup else max(1, count)
    for start in range(0, count, part):
        rows = slice(start, min(start + part, count))
        chosen = points[rows]
        every = np.arange(len(chosen))
        taken = np.zeros((len(chosen), n if lookup else 0), bool)
        for slot in range(size):
            last = n - size + slot
            point = ((words[rows, slot] * np.uint64(last + 1)) >> _HALF).astype(np.int64)
            repeated = taken[every, point] if lookup else (chosen[:, :slot] == point[:, None]).any(axis=1)
            chosen[:, slot] = np.where(repeated, last, point)
            if lookup:
                taken[every, chosen[:, slot]] = True
    return points


def _reshuffled(sampling, seed, n_replicas, first, count) -> np.ndarray:
    """Steps of one epoch: the whole permutation for few items, the slots that are asked for above."""
    n, size = sampling.n_items, sampling.batch_size
    epoch, position = divmod(first, sampling.batches_per_epoch)
    slots = np.arange(position * size, (position + count) * size)
    if n <= noise.FISHER_YATES_MAX:
        chosen = permutations(seed, n_replicas, epoch, n)[:, slots]
    else:
        chosen = np.stack([noise.feistel(slots, seed, replica, epoch, n) for replica in range(n_replicas)])
    return chosen.reshape(n_replicas, count, size).swapaxes(0, 1)


def permutations(seed, n_replicas, epoch, n) -> np.ndarray:
    """`noise.permutation` of replicas 0 … n_replicas−1 for n ≤ 4096, all at once, shape (n_replicas, n).

    Examples
    --------
    >>> permutations(0, 2, 0, 6)[0].tolist()
    [4, 5, 2, 1, 0, 3]
    """
    items = np.repeat(np.arange(n)[:, None], n_replicas, axis=1)  # items innermost would gather across cache lines
    groups = np.arange((n + 2) // 4) + (noise.SHUFFLE << noise.PURPOSE_SHIFT)
    words = noise.words(seed, epoch, np.arange(n_replicas), groups[:, None])
    words = words.transpose(0, 2, 1).reshape(-1, n_replicas)  # (swap, replica)
    every = np.arange(n_replicas)
    for swap in range(n - 1):
        last = n - 1 - swap
        other = ((words[swap] * np.uint64(last + 1)) >> _HALF).astype(np.intp)
        moved = items[last].copy()
        items[last] = items[other, every]
        items[other, every] = moved
    return np.ascontiguousarray(items.T)
