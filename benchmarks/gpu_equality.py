"""The bits of a GPU beside the processor's, for the systems of the tests, in every order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import iterorder as ito
from iterorder import forms
from iterorder.device_arrays import to_numpy
from iterorder.kernels.cpu import profile
from tests.systems import EVERY, FEW

SEED = 0x9E3779B97F4A7C15
ORDERS: dict[str, str | ito.Window] = {"forward": "forward", "backward": "backward", "window": ito.Window(7)}
#: Units in the last place by which functions of the two libraries may differ: NVIDIA states two for its own, and the
#: processor's is off by less than one. What the package has of its own, sin and exp among them, has the same bits.
LIBRARY_UNITS = {"atan": 3}
#: Steps of systems whose maps may expand: the bound grows with each.
STEPS_OF_AN_EXPANSION = 12


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

    The processor adds along rows in the order of its widest profile, as the device does on every machine.
    """
    maps, steps = EVERY[name], 9 if toy else 300
    units, growth = units_of_a_step(maps), maps.lipschitz_max or 1.0
    steps = min(steps, STEPS_OF_AN_EXPANSION) if units and growth >= 1.0 else steps
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
        holes, bits = np.isnan(states), f"u{states.itemsize}"  # a zero is not its negative; any NaN is one
        identical = np.array_equal(holes, np.isnan(expected.states)) and np.array_equal(
            states.view(bits)[~holes], expected.states.view(bits)[~holes]
        )
        difference = float(np.nanmax(np.abs(states - expected.states), initial=0.0))
        scale = float(np.nanmax(np.abs(expected.states), initial=1.0))
    allowed = allowed_difference(units, growth, steps) * float(np.finfo(dtype).eps) * scale
    same_holes = np.array_equal(holes, np.isnan(expected.states))
    same_end = np.array_equal(found.diverged_at, expected.diverged_at)
    return {
        "identical": bool(identical and same_end),
        "largest difference": difference if np.isfinite(difference) else None,
        "allowed difference": allowed,
        "as expected": bool(same_end and (identical or (same_holes and difference <= allowed))),
    }


def units_of_a_step(maps: ito.RandomMaps) -> int:
    """By how many roundings of the size of a state a step from the same state may differ; zero: not at all.

    Where a user's function calls a library, the units of what it calls, and twice the roundings that follow: a gradient
    of d numbers and of a batch, which begins with another number. The functions of the systems are at most as large as
    the states, and so is what they are multiplied by.
    """
    called = [LIBRARY_UNITS[name] for name in names_in(function_of(maps.form())) if name in LIBRARY_UNITS]
    return sum(called) + 2 * (maps.dim + maps.sampling_law.batch_size + 8) if called else 0


def allowed_difference(units: int, growth: float, steps: int) -> float:
    """The sum of what the steps add, each multiplied by the Lipschitz constant of all later ones."""
    return units * sum(growth**k for k in range(steps)) if units else 0.0  # where maps expand, a power may overflow


def function_of(form: forms.Form) -> Callable | None:
    """What a user wrote: a step, or the slope of a loss."""
    if isinstance(form, forms.Stateful):
        return function_of(form.gradient)
    return form.step if isinstance(form, forms.Body) else form.slope.function if isinstance(form, forms.Rows) else None


def names_in(function: Callable | None) -> tuple[str, ...]:
    """The names of what a function looks up."""
    return () if function is None else function.__code__.co_names
