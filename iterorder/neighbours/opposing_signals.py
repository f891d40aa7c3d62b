"""Two groups of outliers that pull a weight in opposite directions, in a two-layer linear net.

Inputs (1, k) and (1, −k) are equally frequent and have the target 1; the net is c·(u·x₁ + v·x₂), so that the loss is

    ½ mean_± (c(u ± kv) − 1)² = ½ (cu − 1)² + ½ (c k v)².

At v = 0 the groups' gradients along v are ±kc(cu − 1): large, and of mean zero. A step multiplies v by 1 − h c²k²,
exactly. Along the gradient flow c² − u² − v² is kept, so that from a small v it ends at cu = 1 with

    c² = ½ (D + √(D² + 4)),   D = c₀² − u₀²:

the sharpness along v, c²k², grows with what is learned, and a step size above 2/(k²c²) makes v grow: the two groups'
losses swing against each other, until the term c k²v² of the gradient of c has made c small enough.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from iterorder.maps import CustomMaps, RandomMaps
from iterorder.neighbours.notes import Entry, note, parameters_of
from iterorder.simulate import simulated
from iterorder.validation import as_float, as_int


def _step(x, draw, params, out):
    step_size, pull = params
    u, v, c = x[0], x[1], x[2]
    error = c * u - 1.0
    out[0] = u - step_size * c * error
    out[1] = v * (1.0 - step_size * c * c * pull * pull)
    out[2] = c - step_size * (u * error + c * pull * pull * v * v)


def opposing_signals(scaled_step: float, pull: float) -> CustomMaps:
    """Gradient descent on the weights (u, v, c) of the net above: one map.

    Parameters
    ----------
    scaled_step : float > 0
        h k², the step size in units of 1/k².
    pull : float > 0
        How large the outliers' feature is, k.

    Examples
    --------
    >>> opposing_signals(0.4, 2.0).apply([0.5, 0.25, 1.0], 0).round(6)
    array([0.55, 0.15, 1.  ])
    """
    scaled_step = as_float("scaled_step", scaled_step, low=0.0, strict=True)
    pull = as_float("pull", pull, low=0.0, strict=True)
    return CustomMaps(_step, dim=3, noise="index", n_maps=1, params=(scaled_step / pull**2, pull))


def group_losses(states: np.ndarray, pull: float) -> np.ndarray:
    """½(c(u ± kv) − 1)² of both groups, shape (..., 2), for states (..., 3)."""
    u, v, c = np.moveaxis(np.asarray(states, float), -1, 0)
    signs = np.array([1.0, -1.0])
    return 0.5 * (c[..., None] * (u[..., None] + signs * pull * v[..., None]) - 1.0) ** 2


def learned_square(u0: float, c0: float) -> float:
    """c² at the end of the gradient flow from (u₀, v₀ → 0, c₀) with u₀, c₀ > 0.

    Examples
    --------
    >>> learned_square(0.5, 0.5)
    1.0
    """
    kept = c0 * c0 - u0 * u0
    return 0.5 * (kept + math.sqrt(kept * kept + 4.0))


def opposing_growth(
    maps: RandomMaps, seed: int, *, u0: float = 0.1, v0: float = 1e-6, c0: float = 0.1, n_steps: int = 4000
) -> dict[str, Any]:
    """How far the weight between the groups grows from a small start, and what is learned.

    Parameters
    ----------
    maps : opposing_signals
        The system, with its step size and pull.
    seed : int
        Not used: there is one map.
    u0, v0, c0 : float > 0
        The start of the three weights.
    n_steps : int
        Steps of gradient descent.

    Returns
    -------
    dict
        ``growth``, the largest |v|/v₀ on the path; ``swing``, the largest difference of the groups' losses; ``square``,
        c² at the end, and ``flow_square`` that of the gradient flow; ``sharpness``, h·k²·(that of the flow): above 2
        the end of the flow is not stable.

    References
    ----------
    .. [1] E. Rosenfeld, A. Risteski, Outliers with opposing signals have an outsized effect on neural network
       optimization, arXiv 2311.04163. Its two-layer linear toy gave the idea; the net and the formulas here are ours.
    """
    given = parameters_of(maps, _step, "opposing_growth", "opposing_signals")
    start = [as_float(name, value, low=0.0, strict=True) for name, value in (("u0", u0), ("v0", v0), ("c0", c0))]
    count = as_int("n_steps", n_steps, low=1, high=10**7)
    step_size, pull = (float(number) for number in given)
    states = simulated(maps, start, count, seed=seed, save_steps="all", backend="cpu").states[0]
    losses, square = group_losses(states, pull), learned_square(start[0], start[2])
    return {
        "growth": float(np.abs(states[:, 1]).max() / start[1]),
        "swing": float(np.abs(losses[:, 0] - losses[:, 1]).max()),
        "square": float(states[-1, 2] ** 2),
        "flow_square": square,
        "sharpness": step_size * pull * pull * square,
    }


MEASURE = Entry(
    opposing_growth,
    {
        "growth": note("largest |v|/v₀ on the path"),
        "swing": note("largest difference of the groups' losses", "units of the loss"),
        "square": note("c² after the steps"),
        "flow_square": note("c² at the end of the gradient flow"),
        "sharpness": note("h·k²·c² at the end of the flow: above 2 it is not stable"),
    },
)
