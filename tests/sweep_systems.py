"""Systems and measures of the tests of sweeps, at the top of a module: workers import them. And the naive twin."""

from __future__ import annotations

import itertools
import os
import signal
import time
from pathlib import Path

import numpy as np

import iterorder as ito
from iterorder.sweeps import ByReplicas

GRID = {"h": [0.1, 0.2, 0.3, 0.95], "order": ["forward", "backward"], "n_steps": [1, 5, 12]}


def two_points(h):
    return ito.gallery.two_point_quadratic(h)


def moments(maps, seed, *, n_steps=10, order="forward"):
    """A number, an integer, a truth value and an array; the largest step size is an error."""
    if maps.step_size > 0.9:
        raise ValueError("the step size is too large")
    states = ito.simulate(maps, [0.0], n_steps, order=order, n_replicas=100, seed=seed).states
    above = int((states > 0.5).sum())
    return {"mean": states.mean(), "above": above, "low": above < 50, "levels": np.quantile(states, [0.1, 0.5, 0.9])}


def last_states(maps, seed, first, count, *, n_steps=20):
    run = ito.simulate(maps, [0.0], n_steps, n_replicas=count, first_replica=first, seed=seed)
    return {"x": run.states[:, 0, 0]}


def their_moments(maps, seed, arrays):
    return {"mean": arrays["x"].mean(), "variance": arrays["x"].var()}


SPLIT = ByReplicas(last_states, their_moments, n_replicas=1000)


def tiny(maps, seed):
    """A cell of some microseconds."""
    return {"value": maps.step_size * 2.0, "square": maps.step_size**2}


def napping(maps, seed, *, seconds=0.01):
    """A cell that takes time, and no processor."""
    time.sleep(seconds)
    return {"value": maps.step_size * 3.0, "seed": float(seed % 1000)}


def deadly(maps, seed):
    """Kills its own worker at one step size."""
    if maps.step_size == 0.2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": maps.step_size}


def counted(maps, seed, *, file=""):
    """Adds a line to a file, to count how often it is called."""
    with Path(file).open("a") as lines:
        lines.write(f"{maps.step_size}\n")
    time.sleep(0.05)
    return {"value": maps.step_size}


class CachedMaps:
    """Maps that cost nothing to make: for cells of microseconds."""

    def __init__(self):
        self.maps = ito.gallery.two_point_quadratic(0.5)

    def __call__(self, k):
        return self.maps


def naive_sweep(make_maps, grid: dict, measure, seed, maps_names, measure_names):
    """The literal double of a sweep: a loop over the product, with the results, or the error, by point."""
    found = {}
    for values in itertools.product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        maps = make_maps(**{name: point[name] for name in maps_names})
        try:
            found[values] = measure(maps, seed, **{name: point[name] for name in measure_names})
        except Exception as error:
            found[values] = error
    return found
