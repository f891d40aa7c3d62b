"""A network on a GPU, whose steps are array code of CuPy, beside its compiled steps on the processor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import iterorder as ito
from iterorder.networks import MLP, train

SEED, BATCH, ITEMS, TESTED = 1, 16, 500, 50
ORDERS: dict[str, str | ito.Window] = {"forward": "forward", "backward": "backward", "window": ito.Window(7)}
#: Settings that take other paths through a step.
SETTINGS: dict[str, dict] = {
    "": {},
    " momentum": {"momentum": 0.9},
    " dropout": {"dropout": 0.3, "activation": "tanh"},
    " together": {"stacked": False},
}
#: How much more than another order of the sums on the processor those of a GPU may change.
MARGIN = 8.0
#: Sizes of the MLPs for digits and for Fashion-MNIST; data of the same size are drawn.
SIZES = {"MLP 64-32-10": 64, "MLP 784-32-10": 784}
N_STEPS = 2000


def equality_rows() -> Iterator[tuple[str, Callable[[], dict]]]:
    """Works and what compares them."""
    for dtype in ("float64", "float32"):
        for setting in SETTINGS:
            for order in ORDERS:
                yield f"MLP{setting}, {order}, {dtype}", partial(compared, setting, order, dtype)


def model(width: int, backend: str, **options) -> MLP:
    """Classes of points about ten centres."""
    rng = np.random.default_rng(SEED)
    labels = rng.integers(0, 10, ITEMS)
    features = rng.normal(size=(10, width))[labels] + rng.normal(size=(ITEMS, width))
    test = features[:TESTED], labels[:TESTED]
    return MLP(features, labels, test=test, step_size=0.02, backend=backend, **options)


def compared(setting: str, order: str, dtype: str, backend: str = "cuda") -> dict:
    """A row: the largest difference of the parameters, beside that of the processor's two ways to add up."""
    options = {"dtype": dtype, **SETTINGS[setting]}
    other = {**options, "stacked": not options.get("stacked", True)}
    how: dict = {"batch_size": BATCH, "n_steps": 40, "save_steps": [1, 20, 39, 40], "seed": SEED, "keep_states": True}
    models = model(64, "cpu", **options), model(64, backend, **options), model(64, "cpu", **other)
    states = [np.asarray(train(one, order=ORDERS[order], **how).states, np.float64) for one in models]
    difference, own = (float(np.abs(states[0] - found).max()) for found in states[1:])
    return {
        "identical": difference == 0.0,
        "largest difference": difference,
        "allowed difference": MARGIN * own,
        "as expected": bool(np.isfinite(states[1]).all() and difference <= MARGIN * own),
    }


def speed_rows() -> Iterator[tuple[str, Callable[[], dict]]]:
    """Works and what measures them."""
    for name, width in SIZES.items():
        yield f"{name}, all backward", partial(measured, width)


def measured(width: int, backend: str = "cuda", n_steps: int = N_STEPS) -> dict:
    """A row: gradient steps a second of all backward iterates, on the GPU and on all processors."""
    how: dict = {"batch_size": BATCH, "order": "backward", "seed": SEED, "save_steps": "all"}
    amount, speeds, seconds = n_steps * (n_steps + 1) / 2e6, {}, {}
    for name, where in (("cuda", backend), ("cpu, all threads", "cpu")):
        one = model(width, where)
        train(one, n_steps=20, **how)  # compiles
        start = time.perf_counter()
        train(one, n_steps=n_steps, **how)
        seconds[name] = time.perf_counter() - start
        speeds[name] = amount / seconds[name]
    return {
        "unit": "10⁶ steps/s",
        "speeds": {v: {"low": s, "median": s, "high": s, "seconds": [seconds[v]]} for v, s in speeds.items()},
        "ratios": {"cpu, all threads": speeds["cuda"] / speeds["cpu, all threads"]},
        "asked": {},
        "skipped": {},
    }
