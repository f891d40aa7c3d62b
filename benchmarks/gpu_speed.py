"""Speed of a GPU beside tuned JAX on it and this package on the processor of the same machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numba
import numpy as np
from limits import limit, peers

import iterorder as ito
from iterorder import resources

#: Seconds of one call that is timed, which is to be long beside a launch, and how often.
CALL_SECONDS, ROUNDS = 0.25, 5
#: Targets in 10⁹ maps a second on one H100 or H200, and beside tuned JAX.
ASKED = {
    "two maps on the line": 2000,
    "table of 1000 maps": 250,
    "linear regression d=10": 50,
    "logistic regression d=10": 40,
    "linear regression d=100": 5,
}
ASKED_OF_JAX = 4


class Work(NamedTuple):
    """Maps with a start, replicas that keep a GPU busy, and tuned JAX for (steps, replicas), where one is written."""

    maps: ito.RandomMaps
    start: float
    n_replicas: int
    jax: Callable | None
    order: str = "forward"
    save_steps: str | None = None


def works() -> dict[str, Work]:
    """Those of the table of speeds, whose data are the same."""
    known = {name: work.maps for name, work in limit.standard_works().items()}
    step_size, x0 = known["two-point"]
    slopes, offsets, _ = known["table of 1000 maps"]
    a10, b10, h10 = known["linear regression d=10"]
    a100, b100, h100 = known["linear regression d=100"]
    linear, logistic = ito.LinearRegressionSGD, ito.LogisticRegressionSGD
    two, linear10 = ito.gallery.two_point_quadratic(step_size), linear(a10, b10, h10)
    tables = ito.AffineMaps(slopes[:, None, None], offsets[:, None])
    found = {
        "two maps on the line": Work(two, x0, 2**21, partial(peers.jax_two_point_tuned, step_size, x0)),
        "table of 1000 maps": Work(tables, 0.0, 2**21, partial(peers.jax_table_tuned, slopes, offsets, 0.0)),
        "linear regression d=10": Work(linear10, 0.0, 2**20, _regression(peers.linear_regression(a10, b10, h10))),
        "linear regression d=100": Work(
            linear(a100, b100, h100), 0.0, 2**17, _regression(peers.linear_regression(a100, b100, h100))
        ),
    }
    for d, n in ((10, 2**20), (100, 2**17)):
        features, labels, step, ridge = known[f"logistic regression d={d}"]
        found[f"logistic regression d={d}"] = Work(
            logistic(features, labels, step, ridge=ridge),
            0.0,
            n,
            _regression(peers.logistic_regression(features, labels, step, ridge)),
        )
    found["two maps on the line, backward"] = found["two maps on the line"]._replace(order="backward", jax=None)
    found["linear regression d=10, backward"] = Work(linear10, 0.0, 2**20, None, "backward")
    found["linear regression d=10, all backward"] = Work(linear10, 0.0, 2**15, None, "backward", "all")
    return found


def _regression(regression) -> Callable:
    return partial(peers.jax_regression_tuned, regression)


def rows(toy: bool) -> Iterator[tuple[str, Callable[[], dict]]]:
    """Works and what measures them; `toy` for the simulator."""
    for name in works():
        yield name, partial(measured, name, toy)


def measured(name: str, toy: bool) -> dict:
    """A row: speeds of whole calls in 10⁹ maps a second, each with its spread, and their ratios.

    Every variant has as many steps as take `CALL_SECONDS`; a round calls each once. The processor has the replicas that
    keep it busy. States stay where they are computed. All backward: (replica, n) pairs a second.
    """
    work = works()[name]
    n_replicas = 2 if toy else work.n_replicas
    variants = {"cuda": _library(work, n_replicas, "cuda"), **_processors(work, toy)}
    skipped = {}
    if work.jax is None:
        skipped["JAX tuned"] = "no such variant is written"
    else:
        try:
            variants["JAX tuned"] = _jax(work, n_replicas)
        except ImportError as error:
            skipped["JAX tuned"] = f"{error}: pip install jax"
    calls, amounts = {}, {}
    for variant, (make, replicas) in variants.items():
        steps = _steps(make, work.save_steps is not None, toy)
        calls[variant], amounts[variant] = make(steps), replicas * steps / 1e9
    times: dict[str, list[float]] = {variant: [] for variant in calls}
    for _ in range(1 if toy else ROUNDS):
        for variant, call in calls.items():
            times[variant].append(_seconds(call))
    speeds = {variant: [amounts[variant] / seconds for seconds in taken] for variant, taken in times.items()}
    median = {variant: statistics.median(values) for variant, values in speeds.items()}
    return {
        "unit": "10⁹ maps/s" if work.save_steps is None else "10⁹ iterates/s",
        "speeds": {
            v: {"low": min(s), "median": median[v], "high": max(s), "seconds": times[v]} for v, s in speeds.items()
        },
        "ratios": {variant: median["cuda"] / value for variant, value in median.items() if variant != "cuda"},
        "asked": {"cuda": ASKED.get(name), "JAX tuned": ASKED_OF_JAX if "JAX tuned" in median else None},
        "replicas": {variant: replicas for variant, (_, replicas) in variants.items()},
        "skipped": skipped,
    }


Variant = tuple[Callable[[int], Callable[[], object]], int]


def _library(work: Work, n_replicas: int, backend: str, threads: int | None = None) -> Variant:
    """A call of `simulate` for so many steps."""
    start = np.full(work.maps.dim, work.start)
    options: dict = {"order": work.order, "n_replicas": n_replicas, "seed": 0, "backend": backend}

    def make(steps: int) -> Callable[[], object]:
        def call():
            before = numba.get_num_threads()
            numba.set_num_threads(threads or before)
            try:
                return ito.simulate(work.maps, start, steps, save_steps=work.save_steps, **options)
            finally:
                numba.set_num_threads(before)

        return call

    return make, n_replicas


def _processors(work: Work, toy: bool) -> dict[str, Variant]:
    """The package on two threads, as in the table of speeds, and on all."""
    n_replicas = 2 if toy else 2**11 if work.save_steps else 2**14
    every = resources.threads()
    return {f"cpu, {k} threads": _library(work, n_replicas, "cpu", k) for k in sorted({min(2, every), every})}


def _jax(work: Work, n_replicas: int) -> Variant:
    import jax  # noqa: F401  (where it is missing, before anything is made)

    def make(steps: int) -> Callable[[], object]:
        assert work.jax is not None
        return work.jax(steps, n_replicas, collect=lambda states: states.block_until_ready())

    return make, n_replicas


def _steps(make: Callable[[int], Callable[[], object]], saving: bool, toy: bool) -> int:
    """As many as take `CALL_SECONDS`, a multiple of 64: from a first call and one of four times the steps."""
    steps = 64
    if toy:
        return 4 if saving else steps
    most = 2**10 if saving else 2**22
    while True:
        call = make(steps)
        call()  # compiles
        seconds = min(_seconds(call), _seconds(call))
        if seconds >= CALL_SECONDS / 4 or steps >= most:
            break
        steps = min(most, 4 * steps)
    return int(min(most, max(64, 64 * round(steps * CALL_SECONDS / seconds / 64))))


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
