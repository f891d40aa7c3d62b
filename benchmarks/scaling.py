"""How time and memory grow: with replicas, dimension, steps and threads, and from one kind of system to another."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from functools import partial

import numba
import numpy as np
from limits.compare import interleave, ratio

import iterorder as ito

REPLICAS = (1, 4, 16, 64, 256, 1024, 16384)
DIMENSIONS = (1, 2, 4, 8, 10, 16, 17, 32, 64, 100, 104, 105, 200, 400, 1000)
#: Numbers read in one measurement of the grid: enough to be seen, little enough for all of it.
WORK = 3e7


def regression(dim: int, n: int = 500, **options):
    """A least-squares problem with a step size that contracts."""
    rng = np.random.default_rng(0)
    return ito.LinearRegressionSGD(rng.normal(size=(n, dim)), rng.normal(size=n), 0.1 / dim, **options)


def affine(dim: int, m: int = 100, **options):
    """General matrices of norm below one."""
    rng = np.random.default_rng(0)
    matrices = 0.3 * rng.normal(size=(m, dim, dim)) / np.sqrt(dim)
    return ito.AffineMaps(matrices, rng.normal(size=(m, dim)), **options)


def nanoseconds_a_map(maps, n_replicas: int, n_steps: int, rounds: int, **options) -> float:
    """The best of some rounds, over the maps applied, on as many threads as `simulate` takes."""

    def run():
        ito.simulate(maps, np.zeros(maps.dim), n_steps, n_replicas=n_replicas, seed=0, **options)

    run()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds) / n_steps / n_replicas * 1e9


def grid(rounds: int) -> dict:
    """Linear regression: nanoseconds a map for each number of replicas and each dimension."""
    table = []
    for dim in DIMENSIONS:
        maps = regression(dim)
        steps = [int(np.clip(WORK / (max(n, 8) * max(dim, 8)), 64, 100_000)) for n in REPLICAS]
        table.append([nanoseconds_a_map(maps, n, k, rounds) for n, k in zip(REPLICAS, steps, strict=True)])
    return {"replicas": REPLICAS, "dimensions": DIMENSIONS, "nanoseconds": table}


def kinds(rounds: int) -> list[dict]:
    """Kinds of systems beside the independent batches of one of the same size: time a map, and the ratio of times."""
    pairs = {
        "regression d=10, cyclic": (regression(10, sampling="cyclic"), regression(10)),
        "regression d=10, reshuffle": (regression(10, sampling="reshuffle"), regression(10)),
        "regression d=10, reshuffle of 10 000": (regression(10, 10_000, sampling="reshuffle"), regression(10, 10_000)),
        "regression d=100, reshuffle": (regression(100, sampling="reshuffle"), regression(100)),
        "1-D table, cyclic": (affine(1, 1000, sampling="cyclic"), affine(1, 1000)),
        "1-D table, reshuffle": (affine(1, 1000, sampling="reshuffle"), affine(1, 1000)),
        "1-D table, unequal probabilities": (affine(1, 1000, probabilities=_unequal(1000)), affine(1, 1000)),
    }
    rows = []
    for name, (maps, independent) in pairs.items():
        steps = max(64, 20_000 // max(maps.dim, 10))
        rows.append(_beside(name, partial(_run, maps, steps), partial(_run, independent, steps), steps, rounds))
    for dim in range(2, 9):
        time_of = nanoseconds_a_map(affine(dim), 4096, 2000, rounds)
        rows.append({"kind": f"affine maps, d={dim}", "nanoseconds": time_of})
    maps = regression(100, 1000)
    double, single = (partial(_run, maps, 400, dtype=dtype) for dtype in ("float64", "float32"))
    rows.append(_beside("regression d=100, float64 beside float32", double, single, 400, 3 * rounds))
    return rows


def _run(maps, n_steps: int, **options) -> None:
    ito.simulate(maps, np.zeros(maps.dim), n_steps, n_replicas=4096, seed=0, **options)


def _beside(name: str, run, other, n_steps: int, rounds: int) -> dict:
    """Two variants in turn: median times a map, and the ratio of the times of each round."""
    times = interleave({"this": run, "other": other}, rounds)
    this, against = (statistics.median(times[key]) / n_steps / 4096 * 1e9 for key in ("this", "other"))
    ratios = ratio(times, "other", "this")._asdict()
    return {"kind": name, "nanoseconds": this, "against": against, "ratio": ratios}


def _unequal(m: int) -> np.ndarray:
    weights = np.linspace(0.5, 1.5, m)
    return weights / weights.sum()


def lengths(rounds: int) -> list[dict]:
    """Steps, threads and memory: seconds, and the peak of memory during the call (arrays of NumPy, by tracemalloc)."""
    maps, rows = regression(10), []
    most = numba.get_num_threads()
    for threads in sorted({1, most}):
        numba.set_num_threads(threads)
        for n_steps in (250, 1000, 4000, 16000):
            seconds = nanoseconds_a_map(maps, 10_000, n_steps, rounds) * n_steps * 10_000 / 1e9
            tracemalloc.start()
            ito.simulate(maps, np.zeros(10), n_steps, n_replicas=10_000, seed=0)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            rows.append({"threads": threads, "steps": n_steps, "seconds": seconds, "peak_megabytes": peak / 1e6})
    numba.set_num_threads(most)
    return rows


def measure(rounds: int) -> dict:
    """All of it."""
    few = max(2, rounds // 2)
    return {"grid": grid(few), "kinds": kinds(few), "lengths": lengths(few)}
