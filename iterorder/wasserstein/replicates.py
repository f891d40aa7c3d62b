"""Replicates of a distance between two samples: bootstrap resamples, and random splits of the pooled points.

Replicate b reads its own stream, the Philox generator of the seed with its counter at 2¹²⁸ times 2b (resample) or
2b + 1 (split): the numbers depend on neither the number of threads nor the number of replicates.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from iterorder.wasserstein.sorted_samples import distance_between_sorted, sorted_rows, thread_map

# Pooled points from which a replicate is mostly kernels; below it is mostly interpreter, which threads cannot share.
THREAD_SIZE = 1 << 13


def line_replicates(u: np.ndarray, v: np.ndarray, p: float, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
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

    threads = pooled.size >= THREAD_SIZE
    return (
        np.array(thread_map(bootstrap, range(count), threads=threads)),
        np.array(thread_map(split, range(count), threads=threads)),
    )


def row_replicates(
    u: np.ndarray, v: np.ndarray, distance: Callable[[np.ndarray, np.ndarray], float], count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same for points in several dimensions and any `distance`: rows are resampled and split."""
    pooled = np.concatenate([u, v])

    def bootstrap(replicate: int) -> float:
        generator = _generator(seed, 2 * replicate)
        return distance(*(sample[generator.integers(0, len(sample), len(sample))] for sample in (u, v)))

    def split(replicate: int) -> float:
        mixed = pooled[_generator(seed, 2 * replicate + 1).permutation(len(pooled))]
        return distance(mixed[: len(u)], mixed[len(u) :])

    # One after the other: the distances use the processors themselves.
    return np.array([bootstrap(b) for b in range(count)]), np.array([split(b) for b in range(count)])


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed, counter=stream << 128))
