"""Samples of the line, sorted: the thin layer between the public distances and their kernels."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from iterorder.validation import as_floats

# Below this many values the work is shorter than the start of a thread (about 50 microseconds).
THREAD_SIZE = 1 << 15

Item = TypeVar("Item")
Result = TypeVar("Result")


def worker_count() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_map(function: Callable[[Item], Result], items: Iterable[Item], *, threads: bool = True) -> list[Result]:
    """`function` of every item, in order, on as many threads as there are processors. The first error is raised."""
    listed = list(items)
    workers = min(worker_count(), len(listed)) if threads else 1
    if workers <= 1:
        return [function(item) for item in listed]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, listed))


def as_samples(name: str, value) -> np.ndarray:
    """`value` as an array (n,) or (n, k) of floats, not yet checked for finite values if it holds float64 already."""
    if type(value) is np.ndarray and value.dtype == np.float64 and value.ndim in (1, 2) and value.size:
        return value
    return as_floats(name, value, ndim=(1, 2))


def sorted_rows(name: str, samples: np.ndarray) -> np.ndarray:
    """The columns of `samples` as sorted rows (k, n). The input is not touched."""
    rows = np.array(samples.T, order="C", ndmin=2)
    rows.sort(axis=1)
    # Infinities and NaN sort to the ends, so two values a row tell whether all are finite; as_floats then says where.
    if not (np.isfinite(rows[:, 0]).all() and np.isfinite(rows[:, -1]).all()):
        as_floats(name, samples)
    return rows


def distance_between_sorted(x: np.ndarray, y: np.ndarray, p: float) -> float:
    """W_p of two sorted samples (n,) and (m,), each with equal weights."""
    from iterorder.kernels.sorted_distance import equal_size_distance, merged_distance

    if x.size == y.size:
        return without_overflow(lambda a, b: equal_size_distance(a, b, p), x, y)
    # Masses of one with integer units: the levels i/n and j/m as i·m/g and j·n/g. A broadcast one costs no memory.
    divisor = math.gcd(x.size, y.size)
    one = np.ones(1, np.int64)
    x_masses, y_masses = np.broadcast_to(one, x.shape), np.broadcast_to(one, y.shape)
    x_unit, y_unit = y.size // divisor, x.size // divisor
    total = float(x.size * x_unit)
    return without_overflow(lambda a, b: merged_distance(a, b, x_masses, y_masses, x_unit, y_unit, total, 0.0, p), x, y)


def without_overflow(distance: Callable[[np.ndarray, np.ndarray], float], x: np.ndarray, y: np.ndarray) -> float:
    """`distance(x, y)`, at half the scale where a difference x_i − y_j is above the largest float.

    Halving is exact at that size. The distance itself may still be above the largest float: then it is inf.
    """
    value = distance(x, y)
    return 2.0 * distance(0.5 * x, 0.5 * y) if value == math.inf else value


def distances_between_columns(u: np.ndarray, v: np.ndarray, p: float) -> np.ndarray:
    """W_p of each column of u (n,) or (n, k) to that of v (m,) or (m, k), as an array (k,)."""
    threads = u.size + v.size >= THREAD_SIZE
    n_columns = u.shape[1] if u.ndim == 2 else 1
    if n_columns == 1:
        x, y = thread_map(lambda named: sorted_rows(*named), (("u", u), ("v", v)), threads=threads)
        return np.array([distance_between_sorted(x[0], y[0], p)])

    def distances(columns: slice) -> list[float]:
        pairs = zip(sorted_rows("u", u[:, columns]), sorted_rows("v", v[:, columns]), strict=True)
        return [distance_between_sorted(x, y, p) for x, y in pairs]

    # Groups of columns are read together; a few for each thread, so that the last one keeps no other waiting for long.
    width = max(1, math.ceil(n_columns / (4 * worker_count())))
    groups = thread_map(distances, (slice(k, k + width) for k in range(0, n_columns, width)), threads=threads)
    return np.concatenate(groups)
