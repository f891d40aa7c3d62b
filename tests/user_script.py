"""What a user writes, with annotations: `make lint` reads it by the strict rules, and tests/test_typing.py runs it.

Where a line ends in "type: ignore" it is wrong, and mypy must say so: an ignore that is not needed is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import iterorder as ito
from iterorder.networks import MLP, PlainModel, TrainingRun, coupled_starts, train
from iterorder.types import ArrayLike, FloatArray, Seed


def step(x: Any, draw: Any, params: Any, out: Any) -> None:
    out[0] = params[0] * x[0] + draw[0]


def slope(z: float, target: float, params: Any) -> float:
    return (z - target) / (1.0 + abs(z - target))


def spread(maps: ito.RandomMaps, seed: int) -> dict[str, float]:
    run = ito.simulate(maps, [0.0], 20, n_replicas=8, seed=seed)
    return {"spread": float(run.states.std())}


def half_way(start: ArrayLike, seed: Seed) -> FloatArray:
    """A law, its states and its rate."""
    maps = ito.gallery.two_point_quadratic(0.5)
    run: ito.Trajectory = ito.simulate(maps, start, 30, order="backward", n_replicas=4, seed=seed, save_steps="all")
    known: ito.Theory = ito.theory(maps)
    if known.lyapunov_exponent is not None:
        print(f"{float(known.lyapunov_exponent):.3f} ± {known.lyapunov_exponent.standard_error:.1g}")
    coupling = ito.coupling_distance(maps, start, [1.0], 30, order=ito.Window(5), n_replicas=4, seed=seed)
    rate: ito.Rate = ito.fit_rate(coupling)
    sample: ito.StationarySample = ito.stationary_sample(maps, 100, seed=np.random.SeedSequence(1))
    distance: float = ito.wasserstein_1d(sample.points[:, 0], run.states[:, -1, 0])
    verdict: str = ito.diagnose(maps, start, 40, order="forward", n_replicas=10, seed=1).verdict
    print(rate.rate, distance, verdict, ito.wasserstein_estimate(sample.points, run.states[:, -1]).noise_floor)
    x = np.zeros(1)
    for k in range(3):
        x = maps.apply(x, maps.draw(0, 0, k))
    return run.states[:, -1] + x


def maps_of_ones_own() -> list[ito.RandomMaps]:
    """A step in plain Python, a loss by its slope, and an optimiser around known losses."""
    features, targets = np.ones((5, 1)), np.arange(5)
    own = ito.CustomMaps(step, dim=1, params=(0.5,), lipschitz=lambda draw: 0.5)
    loss = ito.Loss(slope, curvature_range=(0.0, 1.0))
    of_loss = ito.LinearModelSGD(features, targets, 0.1, loss=loss, ridge=0.1)
    huber = ito.LinearModelSGD(features, targets, 0.1, loss=ito.losses.huber(0.5))
    least = ito.LinearRegressionSGD(features.tolist(), targets.tolist(), 0.1, sampling="reshuffle")
    return [own, of_loss, huber, least, ito.Optimizer(least, momentum=0.5), ito.AffineMaps([[[0.5]]], [[1.0]])]


def swept(folder: Path) -> NDArray[np.bool_]:
    """A measure by name and one of one's own."""
    grid: Mapping[str, list[Any]] = {"h": [0.3, 0.5], "order": ["forward", "backward"]}
    mixed = {"h": [0.5], "order": ["forward", ito.Window(5)], ("n_steps", "n_replicas"): [(20, 4)]}  # of object lists
    settings: dict[str, object] = {"h": [0.3, 0.5], "order": ["forward", "backward"]}
    by_name = ito.sweep(ito.gallery.two_point_quadratic, grid, "diagnosis", seed=1, folder=folder / "named")
    own = ito.sweep(ito.gallery.two_point_quadratic, {"h": [0.5]}, spread, seed=1, folder=str(folder / "own"))
    done = ito.sweep(ito.gallery.two_point_quadratic, mixed, "diagnosis", seed=1, folder=folder / "mixed").done
    again = ito.sweep(ito.gallery.two_point_quadratic, settings, "diagnosis", seed=1, folder=folder / "named")
    return by_name.done & again.done & bool(own.done.all() and done.all())


def trained() -> TrainingRun:
    """A network of the package, and a step of another library."""
    rng = np.random.default_rng(0)
    model = MLP(rng.normal(size=(20, 3)), rng.integers(0, 2, 20), hidden=(4,), step_size=0.1)
    plain = PlainModel(
        lambda state, items, k: {"x": 0.9 * state["x"]},
        lambda seed, start: {"x": np.ones(1)},
        n_items=10,
        observe=lambda state: {"x": float(state["x"][0])},
        digest="shrink",
    )
    print(coupled_starts(plain, 5, batch_size=2, n_replicas=2, seed=1).distance)
    return train(model, batch_size=2, n_steps=4, order="backward", seed=1)


def mistakes() -> None:
    """Never called: what the annotations are there to refuse."""
    maps = ito.gallery.sierpinski()
    ito.simulate(maps, [0.0, 0.0], "many", seed=1)  # type: ignore[arg-type]
    ito.simulate(maps, [0.0, 0.0], 10)  # type: ignore[call-arg]
    ito.simulate(maps, [0.0, 0.0], 10, seed=1.5)  # type: ignore[arg-type]
    print(ito.simulate(maps, [0.0, 0.0], 10, seed=1).stats)  # type: ignore[attr-defined]
    ito.simulat(maps)  # type: ignore[attr-defined]
    float(ito.theory(maps).lyapunov_exponent)  # type: ignore[arg-type]
    train([1, 2, 3], batch_size=2, n_steps=4, seed=1)  # type: ignore[arg-type]


def main(folder: Path) -> None:
    """All of it, in a folder that may be written to."""
    print(half_way([0.0], 1), [ito.theory(maps).mean for maps in maps_of_ones_own()[-1:]])
    print(swept(folder), trained().observables["loss"])
