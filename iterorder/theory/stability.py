"""The step size at which a system loses stability (C7)."""

from __future__ import annotations

import math
from collections.abc import Callable

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.maps.base import RandomMaps
from iterorder.theory.families import analyse
from iterorder.theory.undefined import Undefined
from iterorder.validation import as_choice, as_float, as_seed

KINDS = ("mean-square", "almost-sure")
#: Step sizes looked at before the bisection: fewer where each takes a Monte Carlo run.
GRID, GRID_OF_ESTIMATES = 128, 16
BISECTIONS, BISECTIONS_OF_ESTIMATES = 60, 10


def stability_boundary(
    make_maps: Callable[[float], RandomMaps], low, high, *, kind: str = "mean-square", seed=0
) -> Estimate:
    """The smallest step size in [low, high] at which stability is lost.

    Parameters
    ----------
    make_maps : function of the step size
        Such as ``lambda h: LinearRegressionSGD(features, targets, h)``.
    low, high : float
        Stable at `low`, unstable somewhere up to `high`.
    kind : {"mean-square", "almost-sure"}
        Where the spectral radius of C → E[A C Aᵀ], or the Lyapunov exponent, passes its bound.
    seed : int in [0, 2⁶⁴) or SeedSequence
        Of Monte Carlo exponents: the same for all step sizes, so that they are coupled.

    Returns
    -------
    Estimate
        Exact to rounding where the exponent is; else with the standard error of the exponent over its slope.

    Raises
    ------
    InvalidInputError
        If the system is not stable at `low`, stable at all the step sizes looked at, or its stability is not known.

    Notes
    -----
    128 step sizes (16 with Monte Carlo) are looked at, then the first change of sign is bisected: the stable set need
    not be an interval, and a gap narrower than the grid is missed.

    Examples
    --------
    >>> from iterorder.maps import GaussianRegressionSGD
    >>> boundary = stability_boundary(lambda h: GaussianRegressionSGD([1.0], 1.0, h), 0.1, 2.0)
    >>> round(boundary.value, 12)
    0.666666666667
    """
    low, high = as_float("low", low, low=0.0, strict=True), as_float("high", high)
    kind, seed = as_choice("kind", kind, KINDS), as_seed(seed)
    if high <= low:
        raise InvalidInputError(f"high is {high!r} and low is {low!r}: give low < high")

    def excess(h: float) -> Estimate:
        system = analyse(make_maps(h), seed=seed, effort="quick")
        try:
            if kind == "almost-sure":
                return system.lyapunov_exponent()
            radius = system.mean_square_radius()
        except Undefined as undefined:
            raise InvalidInputError(f"the {kind} stability at step size {h:.6g} is not known: {undefined}") from None
        return Estimate.of(radius.value - 1.0)

    first = excess(low)
    if not first.value < 0.0:
        raise InvalidInputError(f"low is {low!r}, where the system is not stable: give a smaller step size")
    stable, unstable = _first_change(excess, low, high, GRID if first.exact else GRID_OF_ESTIMATES)
    for _ in range(BISECTIONS if first.exact else BISECTIONS_OF_ESTIMATES):
        middle = 0.5 * (stable + unstable)
        if excess(middle).value < 0.0:
            stable = middle
        else:
            unstable = middle
    boundary = 0.5 * (stable + unstable)
    if first.exact:
        return Estimate.of(boundary)
    step = 0.02 * boundary
    slope = (excess(boundary + step).value - excess(boundary - step).value) / (2.0 * step)
    error = excess(boundary).standard_error / abs(slope) if slope else math.inf
    return Estimate.from_mean(boundary, math.hypot(error, 0.5 * (unstable - stable)))


def _first_change(excess, low: float, high: float, points: int) -> tuple[float, float]:
    before = low
    for k in range(1, points + 1):
        h = low + (high - low) * k / points
        if not excess(h).value < 0.0:
            return before, h
        before = h
    raise InvalidInputError(
        f"high is {high!r}, and the system is stable at all of {points} step sizes up to it: give a larger one"
    )
