"""A product of L equal weights learns the number one: gradient descent beside the gradient flow, a sigmoid for L = 2.

On ½(w_1⋯w_L − 1)² equal weights stay equal. Each then moves by w' = f(w) = w^(L−1)(1 − w^L), and the product p = w^L by

    p' = L p^(2−2/L) (1 − p),   for L = 2:   p(t) = 1/(1 + (1/p_0 − 1) e^(−2t)).

Gradient descent is Euler's method for it. The weight after n steps, t = nh, lags by

    w(t) − w_n = ½ h f(w(t)) log(f(w(t))/f(w_0)) + O(h²):

the error solves ε' = f'ε + ½ f f', and with ε = f q this is q' = ½ f' = ½ (log f(w(t)))'.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.maps import CustomMaps, RandomMaps
from iterorder.neighbours.notes import Entry, note, parameters_of
from iterorder.simulate import simulated
from iterorder.validation import as_float, as_int


def _step(x, draw, params, out):
    step_size, depth = params
    below = 1.0
    for _ in range(int(depth) - 1):
        below *= x[0]
    out[0] = x[0] - step_size * below * (below * x[0] - 1.0)


def deep_linear(step_size: float, depth: int) -> CustomMaps:
    """Gradient descent on ½(w^L − 1)², with respect to each of L weights that are equal: one map, on the line.

    Parameters
    ----------
    step_size : float > 0
        h, the factor of the gradient.
    depth : int ≥ 1
        L, the number of weights.

    Examples
    --------
    >>> deep_linear(0.1, 2).apply([0.5], 0).round(6)
    array([0.5375])
    """
    step_size = as_float("step_size", step_size, low=0.0, strict=True)
    depth = as_int("depth", depth, low=1, high=64)
    return CustomMaps(_step, dim=1, noise="index", n_maps=1, params=(step_size, float(depth)))


def slope(weight: float, depth: int) -> float:
    """f(w), the speed of a weight."""
    return weight ** (depth - 1) * (1.0 - weight**depth)


def flow_time(start: float, end: float, depth: int) -> float:
    """The time in which the flow takes the product from `start` to `end`, both in (0, 1).

    Closed for L = 1, log((1−p_0)/(1−p)), and L = 2, ½ log(p(1−p_0)/(p_0(1−p))); else the integral of dw/f(w).

    Examples
    --------
    >>> round(flow_time(0.01, 0.99, 2) / math.log(99.0), 12)
    1.0
    """
    if depth == 1:
        return math.log((1.0 - start) / (1.0 - end))
    if depth == 2:
        return 0.5 * math.log(end * (1.0 - start) / (start * (1.0 - end)))
    from scipy.integrate import quad

    # 1/f(w) = w^(1−L) + w/(1−w^L), and the last term is 1/(L(1−w)) less r(w)/(L s(w)), with s = 1 + w + … + w^(L−1)
    # and r = (Lw − s)/(w − 1): a rational function without a pole in (0, 1].
    low, high = start ** (1.0 / depth), end ** (1.0 / depth)
    series = np.ones(depth)  # of s, the highest power first
    rest = np.polydiv(np.polysub([depth, 0.0], series), [1.0, -1.0])[0]
    smooth = quad(lambda w: np.polyval(rest, w) / (depth * np.polyval(series, w)), low, high, epsrel=1e-13)[0]
    power = (low ** (2 - depth) - high ** (2 - depth)) / (depth - 2)
    return power + math.log((1.0 - low) / (1.0 - high)) / depth - smooth


def flow_product(start: float, time: float, depth: int) -> float:
    """The product p(t) of the gradient flow from p_0 = `start` in (0, 1).

    Examples
    --------
    >>> round(flow_product(0.01, 0.5 * math.log(99.0), 2), 12)
    0.5
    """
    if depth == 1:
        return 1.0 - (1.0 - start) * math.exp(-time)
    if depth == 2:
        return 1.0 / (1.0 + (1.0 / start - 1.0) * math.exp(-2.0 * time))
    from scipy.optimize import brentq

    end = 1.0 - 2.0**-40
    if time <= 0.0:
        return start
    return float(brentq(lambda p: flow_time(start, p, depth) - time, start, end, xtol=4e-16, rtol=1e-15))


def flow_gap(maps: RandomMaps, seed: int, *, p0: float = 0.01, reached: float = 0.5) -> dict[str, Any]:
    """Gradient descent against the gradient flow, at the step nearest to when the flow has reached a product.

    Parameters
    ----------
    maps : deep_linear
        The system, with its step size and depth.
    seed : int
        Not used: there is one map.
    p0, reached : float in (0, 1), p0 < reached
        The product w^L at the start, and the one that the flow is to reach.

    Returns
    -------
    dict
        ``product`` after the steps, ``flow`` at the same time, ``gap`` their difference, flow less descent, and
        ``predicted`` the leading term of it, L w^(L−1) · ½ h f(w) log(f(w)/f(w_0)).

    References
    ----------
    .. [1] Saxe, McClelland, Ganguli (2013), Exact solutions to the nonlinear dynamics of learning in deep linear neural
       networks, arXiv 1312.6120.
    """
    given = parameters_of(maps, _step, "flow_gap", "deep_linear")
    p0 = as_float("p0", p0, low=0.0, strict=True)
    reached = as_float("reached", reached, low=p0, strict=True)
    if not reached < 1.0:
        raise InvalidInputError(f"reached is {reached:g}: the flow never gets to 1; give a number in (p0, 1)")
    step_size, depth = float(given[0]), int(given[1])
    count = max(1, round(flow_time(p0, reached, depth) / step_size))
    start = p0 ** (1.0 / depth)
    weight = float(simulated(maps, [start], count, seed=seed, backend="cpu").states[0, 0, 0])
    flow = flow_product(p0, count * step_size, depth)
    there = flow ** (1.0 / depth)
    lag = 0.5 * step_size * slope(there, depth) * math.log(slope(there, depth) / slope(start, depth))
    return {
        "product": weight**depth,
        "flow": flow,
        "gap": flow - weight**depth,
        "predicted": depth * there ** (depth - 1) * lag,
        "n_steps": count,
    }


MEASURE = Entry(
    flow_gap,
    {
        "product": note("product of the weights after the steps"),
        "flow": note("that of the gradient flow at the same time"),
        "gap": note("flow less descent"),
        "predicted": note("leading term of that difference"),
        "n_steps": note("number of steps", "step"),
    },
)
