"""The bits of a GPU beside the processor's, for the systems of the tests, in every order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import iterorder as ito
from iterorder.device_arrays import to_numpy
from iterorder.kernels.cpu import profile
from tests.systems import EVERY, FEW

SEED = 0x9E3779B97F4A7C15
ORDERS: dict[str, str | ito.Window] = {"forward": "forward", "backward": "backward", "window": ito.Window(7)}
#: Units in the last place by which a function of the device's library may differ from the processor's, as stated for
#: the worst of those that the systems call, and the roundings of a step of theirs.
UNITS_OF_A_STEP = 16


def rows(everything: bool, toy: bool) -> Iterator[tuple[str, Callable[[], dict]]]:
    """Works and what compares them: all systems, or one for each path through the code; `toy` for the simulator."""
    names = FEW[:4] if toy else [*FEW, *(name for name in EVERY if name not in FEW)] if everything else FEW
    for dtype in ("float64", "float32"):
        for name in names:
            for order in ORDERS:
                yield f"{name}, {order}, {dtype}", partial(compared, name, order, dtype, toy)
            if everything and not toy:
                yield f"{name}, all backward, {dtype}", partial(compared, name, "backward", dtype, toy, "all")


def compared(name: str, order: str, dtype: str, toy: bool, saves: str = "few") -> dict:
    """A row: whether all states are identical, with the replica at which each diverged, and the largest difference.

    The processor adds along rows in the order of its widest profile, as the device does on every machine. Functions
    that users wrote may call the device's library: their bits may differ, by what is stated.
    """
    maps, steps = EVERY[name], 9 if toy else 300
    n_replicas = 2 if toy else 200 if saves == "all" or maps.dim > 16 else 1000
    save_steps = "all" if saves == "all" else [0, 1, steps // 2, steps]
    steps = min(steps, 60) if saves == "all" else steps
    starts = np.linspace(-1.0, 1.0, n_replicas * maps.dim).reshape(n_replicas, maps.dim)
    options: dict = {
        "order": ORDERS[order],
        "n_replicas": n_replicas,
        "seed": SEED,
        "save_steps": save_steps,
        "dtype": dtype,
    }
    place: dict = {"first_step": 5, "first_replica": 2}
    found = ito.simulate(maps, starts, steps, backend="cuda", **options, **place)
    own, profile.PROFILE = profile.PROFILE, profile.AVX512
    try:
        expected = ito.simulate(maps, starts, steps, **options, **place)
    finally:
        profile.PROFILE = own
    states = to_numpy(found.states)
    with np.errstate(invalid="ignore"):
        identical = np.array_equal(states, expected.states, equal_nan=True)
        difference = float(np.nanmax(np.abs(states - expected.states), initial=0.0))
        scale = float(np.nanmax(np.abs(expected.states), initial=1.0))
    allowed = UNITS_OF_A_STEP * steps * float(np.finfo(dtype).eps) * scale if maps.holds_functions else 0.0
    same_holes = np.array_equal(np.isnan(states), np.isnan(expected.states))
    same_end = np.array_equal(found.diverged_at, expected.diverged_at)
    return {
        "identical": bool(identical and same_end),
        "largest difference": difference if np.isfinite(difference) else None,
        "allowed difference": allowed,
        "as expected": bool(same_end and (identical or (same_holes and difference <= allowed))),
    }
