"""Replicates of a distance between two samples: random halves of each, and random splits of the pooled points.

Replicate b reads its own stream, the Philox generator of the seed with its counter at 2¹²⁸ times 2b (halves) or 2b + 1
(split): the numbers depend on neither the number of threads nor the number of replicates.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from iterorder.progress import Report
from iterorder.wasserstein.sorted_samples import distance_between_sorted, sorted_rows, thread_map

# Pooled points from which a replicate is mostly kernels; below it is mostly interpreter, which threads cannot share.
THREAD_SIZE = 1 << 13
# Blocks of replicates of the line, after each of which their share is told.
BLOCKS = 50

Distance = Callable[[np.ndarray, np.ndarray], float]


def line_replicates(
    u: np.ndarray, v: np.ndarray, p: float, count: int, seed: int, report: Report | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Distances W_p between halves of u (n,) and of v (m,), shape (count, 2), and between `count` splits of both.

    Both samples are sorted once; each replicate is drawn in sorted order in O(n + m).
    """
    from iterorder.wasserstein.sorted_kernel import sorted_split

    x, y = (sorted_rows(name, sample)[0] for name, sample in (("u", u), ("v", v)))
    pooled = np.sort(np.concatenate([x, y]))

    def halved(replicate: int) -> list[float]:
        generator = _generator(seed, 2 * replicate)
        pairs = zip(*(_halved(sample, generator, ordered=True) for sample in (x, y)), strict=True)
        return [distance_between_sorted(a, b, p) for a, b in pairs]

    def split(replicate: int) -> float:
        first, second = np.empty(x.size + 1), np.empty(y.size + 1)
        sorted_split(pooled, _generator(seed, 2 * replicate + 1).random(pooled.size), first, second)
        return distance_between_sorted(first[:-1], second[:-1], p)

    halves, splits = np.empty((count, 2)), np.empty(count)
    width = count if report is None else max(1, count // BLOCKS)
    for start in range(0, count, width):
        block = range(start, min(start + width, count))
        threads = pooled.size >= THREAD_SIZE
        halves[block.start : block.stop] = thread_map(halved, block, threads=threads)
        splits[block.start : block.stop] = thread_map(split, block, threads=threads)
        if report is not None:
            report(block.stop / count)
    return halves, splits


def row_replicates(
    u: np.ndarray, v: np.ndarray, distance: Distance, count: int, seed: int, report: Report | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The same for points in several dimensions, shapes (n, d) and (m, d), and any `distance`."""
    pooled = np.concatenate([u, v])
    halves, splits = np.empty((count, 2)), np.empty(count)
    # One after the other: the distances use the processors themselves.
    for replicate in range(count):
        generator = _generator(seed, 2 * replicate)
        first, second = zip(*(_halved(sample, generator) for sample in (u, v)), strict=True)
        halves[replicate] = distance(*first), distance(*second)
        mixed = pooled[_generator(seed, 2 * replicate + 1).permutation(len(pooled))]
        splits[replicate] = distance(mixed[: len(u)], mixed[len(u) :])
        if report is not None:
            report((replicate + 1) / count)
    return halves, splits


def _halved(
    sample: np.ndarray, generator: np.random.Generator, *, ordered: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Two halves that have no point in common: n//2 each, or the only one; in the sample's order if `ordered`."""
    size = max(len(sample) // 2, 1)
    mixed = generator.permutation(len(sample))
    if not ordered:
        return sample[mixed[:size]], sample[mixed[-size:]]
    chosen = np.zeros((2, len(sample)), bool)
    chosen[0, mixed[:size]] = chosen[1, mixed[-size:]] = True
    return sample[chosen[0]], sample[chosen[1]]


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed, counter=stream << 128))
