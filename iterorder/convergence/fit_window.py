"""Which points of a distance curve a rate may be fitted to: above every floor, after the transient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from iterorder.convergence.plateau import Plateau, find_plateau
from iterorder.errors import InvalidInputError

EPS = float(np.finfo(np.float64).eps)
SMALLEST = float(np.finfo(np.float64).smallest_subnormal)
# One step of two chains: the gradient and the new state of each are rounded by at most eps/2 of the state, doubled for
# the sums inside a gradient.
ROUNDINGS_PER_STEP = 4
# How far a point must stand above rounding: its logarithm is then off by less than 1/1024.
ROUNDING_MARGIN = 2**10
# How far above a plateau that was found and not derived: the logarithm is off by less than log(1 + 1/8) = .12.
PLATEAU_MARGIN = 8
# Largest skewness of a Monte Carlo mean that the normal interval is asked to bear.
MAX_SKEWNESS = 1 / 4
MIN_POINTS = 3

# Why a curve stops being usable: what is wrong at that step, and what to try.
REASONS = {
    "end": ("the curve ends", "give more steps"),
    "zero": (
        "the distance is zero, the starts have met",
        "start further apart (maps that send all points to one at once have no rate)",
    ),
    "not finite": (
        "the distance is not finite, it overflows or a replica has diverged",
        "start closer together, or see why replicas diverge",
    ),
    "rounding": (f"the distance is not {ROUNDING_MARGIN} times above its rounding", "start further apart"),
    "plateau": (
        f"the distance is not {PLATEAU_MARGIN} times above the plateau on which it ends",
        "lower the floor (more points, another method)",
    ),
    "saturation": (
        f"the distance is not {PLATEAU_MARGIN} times below the plateau on which its growth ends",
        "start closer together",
    ),
    "monte carlo": (
        "the relative standard error of the mean over the replicas is too large, a few replicas carry it (C5)",
        "give more replicas or a smaller p",
    ),
}
#: What to try where the distance has grown instead: starts that are nearer only put it off.
EXPANDING = {
    "not finite": "take a smaller step size, or maps that expand less",
    "monte carlo": f"{REASONS['monte carlo'][1]}, or take a smaller step size or maps that expand less",
}
DENSER = "save more of the earlier steps, or "


@dataclass(frozen=True)
class Curve:
    """A distance as a function of the step, and what limits it.

    Attributes
    ----------
    steps : ndarray of int64, shape (n,)
        Increasing numbers of steps.
    distance : ndarray, shape (n,)
        The distance after each of them, not negative.
    scale : ndarray, shape (n,)
        Size of the states whose difference the distance is: sets its rounding.
    relative_variance : ndarray, shape (n,), or None
        Of the Monte Carlo mean of the p-th powers; None or NaN where it is not known.
    n_replicas : int
        Over how many the distance is a mean.
    highest_floor : float
        Largest plateau, in units of the scale, that is taken for a floor; one above it is a true stall.
    stored : float
        Relative rounding of distances that were given in fewer digits than float64 has.
    """

    steps: np.ndarray
    distance: np.ndarray
    scale: np.ndarray
    relative_variance: np.ndarray | None = None
    n_replicas: int = 1
    highest_floor: float = math.inf
    stored: float = 0.0


@dataclass(frozen=True)
class FitWindow:
    """The points [first, end) of a curve, and why it ends there.

    Attributes
    ----------
    first, end : int
        Indices.
    stopped_by : str
        A key of `REASONS`.
    rounding : ndarray, shape (end − first,)
        Bound of the relative rounding error of each distance.
    reach : int
        Where it could have ended with luck: beyond `end` where a Monte Carlo mean stopped the curve.
    """

    first: int
    end: int
    stopped_by: str
    rounding: np.ndarray
    reach: int


def fit_window(curve: Curve) -> FitWindow:
    """The second half of the usable steps: the first half is left to the transient.

    A curve r^n(1 + c·q^n) with a transient q < 1 is off by c·q^(n/2) there, by O(1/n) when fitted from the start.

    Raises
    ------
    InvalidInputError
        If fewer than three points are usable; the message says which floor stopped the curve.
    """
    end, stopped_by = _first_bad(curve)
    if end < MIN_POINTS:
        raise _too_few(curve, end, stopped_by)
    rounding = relative_rounding(curve.steps[:end], curve.distance[:end], curve.scale[:end])
    x, logs = (curve.steps[:end] - curve.steps[0]).astype(np.float64), np.log(curve.distance[:end])
    plateau = None if _is_line(x, logs, rounding + curve.stored) else find_plateau(x, logs)
    # Negated, so that a ratio that overflowed counts as rough.
    if (rough := ~(rounding * ROUNDING_MARGIN <= 1.0)).any():
        end, stopped_by = int(rough.argmax()), "rounding"
    if plateau is not None and (cut := _before_plateau(curve, plateau)) < end:
        end, stopped_by = cut, "saturation" if plateau.slope > 0 else "plateau"
    if end < MIN_POINTS:
        raise _too_few(curve, end, stopped_by)
    first = second_half(curve.steps, end)
    reach = _reach(curve, end) if stopped_by == "monte carlo" else end
    return FitWindow(first, end, stopped_by, rounding[first:end] + curve.stored, reach)


def second_half(steps: np.ndarray, end: int) -> int:
    """The index at which the second half of the first `end` steps begins; three points at least are left."""
    start, last = int(steps[0]), int(steps[end - 1])
    return min(int(np.searchsorted(steps[:end], start + (last - start + 1) // 2)), end - MIN_POINTS)


def largest_relative_variance(n_replicas: int) -> float:
    """Of a Monte Carlo mean of p-th powers that is close to normal, see `_first_bad`."""
    return (MAX_SKEWNESS / n_replicas) ** (2 / 3)


def _reach(curve: Curve, end: int) -> int:
    """Up to twice the points before a Monte Carlo stop, as far as they are positive, finite and above rounding."""
    distance = curve.distance[: 2 * end]
    usable = np.isfinite(distance) & (distance > 0.0)
    reach = len(distance) if usable.all() else int(usable.argmin())
    rounding = relative_rounding(curve.steps[:reach], distance[:reach], curve.scale[:reach])
    fine = rounding * ROUNDING_MARGIN <= 1.0
    return reach if fine.all() else int(fine.argmin())


def _first_bad(curve: Curve) -> tuple[int, str]:
    """The first step that is zero, not finite, or whose mean cannot be trusted; all of them if there is none.

    The mean of R replicas has relative standard error ε when the relative variance of one is Rε². Products of slopes
    are close to lognormal: of relative variance V they have skewness V^(3/2), and their mean has V^(3/2)/√R = Rε³.
    So ε is at most (MAX_SKEWNESS/R)^(1/3). This is the stop of C5, after log(Rε²)/log(E a²/(E a)²) steps for p = 1,
    with the growth measured instead of assumed; before it no replica has more than ε + R^(−1/2) of the sum. Beyond it
    the sample underestimates its own error: the first crossing is final.
    """
    bad = {"zero": curve.distance == 0.0, "not finite": ~np.isfinite(curve.distance)}
    if curve.relative_variance is not None:
        bad["monte carlo"] = curve.relative_variance > largest_relative_variance(curve.n_replicas)
    ends = {name: int(where.argmax()) for name, where in bad.items() if where.any()}
    stopped_by = min(ends, key=lambda name: ends[name], default="end")
    return ends.get(stopped_by, len(curve.steps)), stopped_by


def relative_rounding(steps: np.ndarray, distance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Bound of the relative rounding error of each distance: δ_n = 4·eps·Σ_(k≤n) scale_k/distance_k.

    The rounding of step k is carried on by the same maps as the distance and keeps its share of it. So a contraction
    1−h stalls at eps·scale/h, and a common fixed point loses only eps a step. Between saved steps the ratio is taken
    to be geometric.

    Parameters
    ----------
    steps : ndarray of int64, shape (n,)
        Increasing numbers of steps.
    distance, scale : ndarray, shape (n,)
        The distance positive.

    Returns
    -------
    ndarray, shape (n,)
        δ of each step, not decreasing.

    Examples
    --------
    >>> relative_rounding(np.arange(3), np.ones(3), np.ones(3)) / EPS
    array([ 4.,  8., 12.])
    """
    gaps = np.diff(steps)
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = ROUNDINGS_PER_STEP * np.maximum(EPS * scale, SMALLEST) / distance
        growth = np.diff(np.log(ratio)) / gaps
        # Σ_(i≤Δ) q·e^(i·growth), from q to q': (q'−q)/(1−e^(−growth)), or Δ·q' where the growth is lost in rounding.
        flat = np.abs(growth) < math.sqrt(EPS)
        sums = np.where(flat, gaps * ratio[1:], np.diff(ratio) / -np.expm1(-np.where(flat, 1.0, growth)))
    return np.cumsum(np.concatenate([ratio[:1], sums]))


def _is_line(x: np.ndarray, logs: np.ndarray, rounding: np.ndarray) -> bool:
    """Whether one line from the first point passes through all others, each as far off as its rounding may put it.

    Such a curve shows no plateau: what bends it, or lifts a constant one by its last bits, may be rounding alone.
    """
    off = rounding + EPS * np.abs(logs)
    slopes, spread = (logs[1:] - logs[0]) / x[1:], (off[1:] + off[0]) / x[1:]
    return bool((slopes - spread).max() <= (slopes + spread).min())


def _before_plateau(curve: Curve, plateau: Plateau) -> int:
    """Number of points before the plateau is near; all of them where it is no floor."""
    n = len(curve.steps)
    logs = np.log(curve.distance[: plateau.start])
    margin = math.log(PLATEAU_MARGIN)
    if plateau.slope > 0:
        near = logs >= plateau.level - margin
    elif math.exp(plateau.level) <= curve.highest_floor * curve.scale[plateau.start]:
        near = logs <= plateau.level + margin
    else:
        return n
    return int(near.argmax()) if near.any() else plateau.start


def _grows(curve: Curve, end: int) -> bool:
    """Whether the distance is above where it began when it stops to be usable; what is no number tells nothing."""
    until = curve.distance[: end + 1]
    return end > 0 and bool(np.nanmax(until[1:], initial=0.0) > until[0])


def _too_few(curve: Curve, end: int, stopped_by: str) -> InvalidInputError:
    what, advice = REASONS[stopped_by]
    place = ""
    if end < len(curve.steps):
        place = f" at step {curve.steps[end]} (distance {curve.distance[end]:.3g})"
        # Steps between those that were saved: earlier ones there are none of.
        if stopped_by in EXPANDING and _grows(curve, end):
            place += f" after it has grown from {curve.distance[0]:.3g}: the system expands in this mean"
            advice = EXPANDING[stopped_by]
        if stopped_by != "monte carlo" and curve.steps[end] - curve.steps[0] > end:
            advice = DENSER + advice
    return InvalidInputError(
        f"the distance has {end} usable point{'s' * (end != 1)} of {len(curve.steps)} and a rate needs {MIN_POINTS}: "
        f"{what}{place}; {advice}"
    )
