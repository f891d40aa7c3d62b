"""A walk whose next step costs ever more: after n steps it has come as far as log n, and no farther.

From x a step up by one succeeds with probability a^(−x), as over barriers whose height grows with the distance already
walked. This is approximate counting, and exactly

    E a^(X_n) = a^(x_0) + (a − 1) n,

since E[a^(X_(n+1)) | X_n = x] = a^x + a^(−x)(a^(x+1) − a^x) = a^x + a − 1: the walk is at about log n/log a.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from iterorder.maps import CustomMaps, RandomMaps
from iterorder.neighbours.notes import Entry, note, parameters_of
from iterorder.orders import FORWARD, Order
from iterorder.simulate import simulated
from iterorder.validation import as_float, as_int


def _step(x, draw, params, out):
    chance = 1.0
    for _ in range(int(x[0])):
        chance /= params[0]
    out[0] = x[0] + 1.0 if draw[0] < chance else x[0]


def slow_walk(base: float) -> CustomMaps:
    """Maps x → x + 1 where ξ < a^(−x), else x, on the numbers 0, 1, 2, …, with ξ uniform.

    Parameters
    ----------
    base : float > 1
        The number a.

    Examples
    --------
    >>> slow_walk(2.0).apply([1.0], [0.4]), slow_walk(2.0).apply([1.0], [0.6])
    (array([2.]), array([1.]))
    """
    base = as_float("base", base, low=1.0, strict=True)
    return CustomMaps(_step, dim=1, params=(base,))


def law_of_walk(base: float, n_steps: int) -> np.ndarray:
    """The probabilities of 0, 1, … after n steps from 0, by the recursion of the law: a sum over one step.

    Beyond where a^(−x)·n is below 2⁻⁶⁰ nobody gets, but for so little.
    """
    size = min(n_steps, math.ceil((math.log(max(n_steps, 1)) + 60 * math.log(2.0)) / math.log(base))) + 1
    chance = base ** -np.arange(size, dtype=float)
    law = np.zeros(size)
    law[0] = 1.0
    for _ in range(n_steps):
        moved = law * chance
        law -= moved
        law[1:] += moved[:-1]
    return law


def logarithmic_growth(
    maps: RandomMaps, seed: int, *, order: Order = FORWARD, n_steps: int = 1000, n_replicas: int = 2000
) -> dict[str, Any]:
    """How far the walk has come from 0, in either order, beside its law.

    Parameters
    ----------
    maps : slow_walk
        The walk, with its a.
    seed : int
        Of the steps of the walk.
    order : "forward", "backward" or Window
        At each n the law is the same in both (C1). The maps keep the order of whole numbers, so that a backward path
        never goes down; it has no limit either.
    n_steps, n_replicas : int
        The length of a path, and the number of paths.

    Returns
    -------
    dict
        ``distance`` and ``distance_error``, mean and standard error over the replicas; ``exact``, of the law;
        ``spread``, its standard deviation; ``power`` and ``power_error`` of a^(X_n), and ``exact_power`` = 1 + (a−1)n.
    """
    given = parameters_of(maps, _step, "logarithmic_growth", "slow_walk")
    n_steps = as_int("n_steps", n_steps, low=1, high=10**6)
    n_replicas = as_int("n_replicas", n_replicas, low=2, high=10**7)
    base = float(given[0])
    run = simulated(maps, [0.0], n_steps, order=order, n_replicas=n_replicas, seed=seed, backend="cpu")
    ends, law = run.states[:, 0, 0], law_of_walk(base, n_steps)
    places = np.arange(len(law))
    mean = float(law @ places)
    powers = base**ends
    return {
        "distance": ends.mean(),
        "distance_error": ends.std(ddof=1) / math.sqrt(n_replicas),
        "exact": mean,
        "spread": math.sqrt(float(law @ (places - mean) ** 2)),
        "power": powers.mean(),
        "power_error": powers.std(ddof=1) / math.sqrt(n_replicas),
        "exact_power": 1.0 + (base - 1.0) * n_steps,
    }


MEASURE = Entry(
    logarithmic_growth,
    {
        "distance": note("mean distance from the start", "step of the walk"),
        "distance_error": note("standard error of the mean", "step of the walk"),
        "exact": note("mean of the exact law", "step of the walk"),
        "spread": note("standard deviation of the exact law", "step of the walk"),
        "power": note("mean of the base to the distance"),
        "power_error": note("standard error of that mean"),
        "exact_power": note("its exact value"),
    },
)
