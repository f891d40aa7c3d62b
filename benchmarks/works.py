"""The works that are timed: the same maps, drawn with the same words, by iterorder and by plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import iterorder as ito
from iterorder import noise


@dataclass(frozen=True)
class Work:
    """One row of the table: a call of the library and one of NumPy, and how many maps each applies."""

    name: str
    library: Callable[[], object]
    numpy: Callable[[], object]
    maps_library: float
    maps_numpy: float


def regression_data(dim: int, n_rows: int = 1000):
    """Standard normal features, targets with noise 0.1, and labels: the signs of the targets."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n_rows, dim))
    targets = features @ rng.normal(size=dim) + 0.1 * rng.normal(size=n_rows)
    return features, targets, np.sign(targets)


def numpy_forward(maps, n_steps: int, n_replicas: int) -> np.ndarray:
    """Forward iterates with all replicas side by side, one NumPy expression a step: what a user would write."""
    replicas = np.arange(n_replicas)
    x = np.zeros((n_replicas, maps.dim))
    for step in range(n_steps):
        i = noise.indices(0, replicas, step, maps.sampling_law.n_items)
        if isinstance(maps, ito.AffineMaps):
            x = np.einsum("rij,rj->ri", maps.matrices[i], x) + maps.offsets[i]
        elif isinstance(maps, ito.QuadraticSGD):
            x = x - maps.step_size * (np.einsum("rij,rj->ri", maps.curvatures[i], x - maps.minimizers[i]))
        else:
            a = maps.features[i]
            z = np.einsum("rd,rd->r", a, x)
            if isinstance(maps, ito.LinearRegressionSGD):
                slope = maps.targets[i] - z
            else:
                slope = maps.labels[i] / (1 + np.exp(maps.labels[i] * z))
            x = (1 - maps.step_size * maps.ridge) * x + maps.step_size * slope[:, None] * a
    return x


def forward_work(name: str, maps, n_steps: int, n_replicas: int, numpy_steps: int) -> Work:
    """Last states of an ensemble; NumPy does fewer steps."""
    start = np.zeros(maps.dim)
    return Work(
        name,
        lambda: ito.simulate(maps, start, n_steps, n_replicas=n_replicas, seed=0),
        lambda: numpy_forward(maps, numpy_steps, n_replicas),
        n_steps * n_replicas,
        numpy_steps * n_replicas,
    )


def numpy_backward_all(maps, n_steps: int) -> np.ndarray:
    """All backward iterates of one replica by the sweep over the map index, with NumPy rows for the live iterates."""
    iterates = np.zeros((n_steps, maps.dim))
    for k in range(n_steps - 1, -1, -1):
        iterates[k:] = maps.apply(iterates[k:], maps.draw(0, 0, k))
    return iterates


def backward_work(name: str, maps, n_steps: int, n_replicas: int) -> Work:
    """All backward iterates; the unit is a (replica, n) pair."""
    start = np.zeros(maps.dim)
    return Work(
        name,
        lambda: ito.simulate(maps, start, n_steps, order="backward", n_replicas=n_replicas, seed=0, save_steps="all"),
        lambda: numpy_backward_all(maps, n_steps),
        n_steps * n_replicas,
        n_steps,
    )


def standard_works() -> list[Work]:
    """The table of the README."""
    rng = np.random.default_rng(0)
    table = ito.AffineMaps(rng.uniform(0.5, 0.95, (1000, 1, 1)), rng.normal(size=(1000, 1)))
    two_point = ito.gallery.two_point_quadratic(0.3)
    (a10, b10, y10), (a100, b100, y100) = regression_data(10), regression_data(100)
    linear10 = ito.LinearRegressionSGD(a10, b10, 0.02)
    logistic10 = ito.LogisticRegressionSGD(a10, y10, 0.1, ridge=0.1)
    linear100 = ito.LinearRegressionSGD(a100, b100, 0.004)
    logistic100 = ito.LogisticRegressionSGD(a100, y100, 0.02, ridge=0.1)
    return [
        forward_work("forward, two-point", two_point, 10_240, 8192, 100),
        forward_work("forward, table of 1000 maps", table, 4000, 8192, 50),
        forward_work("forward, linear regression d=10", linear10, 1000, 8192, 20),
        forward_work("forward, linear regression d=100", linear100, 500, 4096, 5),
        forward_work("forward, logistic regression d=10", logistic10, 1000, 8192, 20),
        forward_work("forward, logistic regression d=100", logistic100, 500, 4096, 5),
        backward_work("all backward n, two-point", two_point, 1000, 512),
        backward_work("all backward n, linear regression d=10", linear10, 1000, 64),
        backward_work("all backward n, logistic regression d=10", logistic10, 1000, 16),
    ]
