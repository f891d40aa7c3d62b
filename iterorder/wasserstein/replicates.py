"""Replicates of a distance between two samples: resamples or halves of each, and random splits of the pooled points.

Replicate b reads its own stream, the Philox generator of the seed with its counter at 2¹²⁸ times 2b (resample, halves)
or 2b + 1 (split): the numbers depend on neither the number of threads nor the number of replicates.
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
    """`count` distances W_p between resamples of u (n,) and v (m,), and as many between splits of the pooled points.

    Both samples are sorted once; each replicate is drawn in sorted order in O(n + m).
    """
    from iterorder.kernels.sorted_distance import sorted_resample, sorted_split

    x, y = (sorted_rows(name, sample)[0] for name, sample in (("u", u), ("v", v)))
    pooled = np.sort(np.concatenate([x, y]))

    def resample(sample: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        out = np.empty(sample.size + 2)
        indices = generator.integers(0, sample.size, sample.size)
        sorted_resample(sample, indices, np.zeros(sample.size, np.int32), out)
        return out[: sample.size]

    def bootstrap(replicate: int) -> float:
        generator = _generator(seed, 2 * replicate)
        return distance_between_sorted(resample(x, generator), resample(y, generator), p)

    def split(replicate: int) -> float:
        first, second = np.empty(x.size + 1), np.empty(y.size + 1)
        sorted_split(pooled, _generator(seed, 2 * replicate + 1).random(pooled.size), first, second)
        return distance_between_sorted(first[:-1], second[:-1], p)

    resampled, splits = np.empty(count), np.empty(count)
    width = count if report is None else max(1, count // BLOCKS)
    for start in range(0, count, width):
        block = range(start, min(start + width, count))
        for function, results in ((bootstrap, resampled), (split, splits)):
            results[block.start : block.stop] = thread_map(function, block, threads=pooled.size >= THREAD_SIZE)
        if report is not None:
            report(block.stop / count)
    return resampled, splits


def row_replicates(
    u: np.ndarray, v: np.ndarray, distance: Distance, count: int, seed: int, report: Report | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Distances between halves of u (n, d) and of v (m, d), shape (count, 2), and between `count` splits of both.

    The two halves of a replicate have no row in common: n//2 rows each, or the only one.
    """
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


def _halved(sample: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    size = max(len(sample) // 2, 1)
    mixed = sample[generator.permutation(len(sample))]
    return mixed[:size], mixed[-size:]


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed, counter=stream << 128))
