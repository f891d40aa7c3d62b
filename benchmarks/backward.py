"""All backward iterates Z_1 … Z_n beside recomputing each of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import recompute
from limits import limit
from measure import LIBRARY, compared

import iterorder as ito

N = 2000
LOOP, EXACT, EACH = "compiled loop", "exact sweep", "own kernels, each n"


def measure(rounds: int) -> list[dict]:
    """Affine maps by increments, logistic regression by the sweep, and cut by the certificate."""
    rng = np.random.default_rng(0)
    table = rng.uniform(0.5, 0.95, 1000), rng.normal(size=1000)
    pair = np.array([0.9, 0.9]), np.array([0.0, 0.1])
    rows = [
        _line("two maps on the line", *pair, 512, rounds),
        _line("table of 1000 maps", *table, 512, rounds),
    ]
    for dim, step_size, asked in ((10, 0.02, 30), (100, 0.004, 4)):
        features, targets, _ = limit.regression_data(dim)
        linear = ito.LinearRegressionSGD(features, targets, step_size)
        loop = _loop(False, features, targets, 1.0, step_size)
        rows.append(_row(f"linear regression d={dim}", linear, loop, 16, rounds, {EACH: asked}))
    for dim, step_size in ((10, 0.1), (100, 0.02)):
        features, _, labels = limit.regression_data(dim)
        for contraction in (0.99, 0.95):
            maps = ito.LogisticRegressionSGD(features, labels, step_size, ridge=(1 - contraction) / step_size)
            loop = _loop(True, features * labels[:, None], labels, contraction, step_size)
            name = f"logistic regression d={dim}, c={contraction}"
            rows.append(_row(f"{name}, exact", maps, loop, 4, rounds, {LOOP: 5}))
            exact = {EXACT: partial(_all, maps, 4, 0.0)}
            tenfold = {EACH: 10.0} if contraction == 0.95 else {}
            rows.append(_row(f"{name}, tol 1e-10", maps, loop, 4, rounds, tenfold, tol=1e-10, others=exact))
    return rows


def _all(maps, n_replicas, tol):
    start = np.full(maps.dim, 0.3)
    run = {"order": "backward", "save_steps": "all", "seed": 0, "tol": tol}
    return ito.simulate(maps, start, N, n_replicas=n_replicas, **run)


def _each(maps, n_replicas):
    """The library's own kernels, recomputing: simulate chooses this only for a few saved steps."""
    from iterorder.kernels.cpu.backend import Cpu
    from iterorder.kernels.problem import Place, Problem

    x0 = np.full((n_replicas, maps.dim), 0.3)
    Cpu().backward(Problem(maps.form(), maps.sampling_law, 0, Place(), x0, np.arange(N + 1)), chosen="each")


def _line(name, slopes, offsets, n_replicas, rounds):
    maps = ito.AffineMaps(slopes[:, None, None], offsets[:, None])

    def loop(n_replicas):
        drawn, out = recompute.items(len(slopes), N, n_replicas), np.empty((n_replicas, N))
        return lambda: recompute.affine_line(slopes, offsets, drawn, 0.3, out)

    return _row(f"{name}, d=1", maps, loop, n_replicas, rounds, {LOOP: 500})


def _loop(logistic, features, targets, shrink, step_size):
    def loop(n_replicas):
        drawn = recompute.items(len(features), N, n_replicas)
        x0, out = np.full(features.shape[1], 0.3), np.empty((n_replicas, N, features.shape[1]))
        return lambda: recompute.regression(logistic, features, targets, shrink, step_size, drawn, x0, out)

    return loop


def _row(name, maps, loop, n_replicas, rounds, asked, tol=0.0, others=None):
    """The loop recomputes two replicas, the library's own kernels a full vector of lanes for each of two threads."""
    variants: dict[str, Callable[[], object]] = {
        LIBRARY: lambda: _all(maps, n_replicas, tol),
        LOOP: loop(2),
        EACH: lambda: _each(maps, 16),
        **(others or {}),
    }
    amounts = dict.fromkeys(variants, float(n_replicas)) | {LOOP: 2.0, EACH: 16.0}
    unit = f"trajectories of {N}/s"
    return compared(f"backward, {name}", variants, amounts, unit=unit, rounds=rounds, skipped={}, asked=asked)
