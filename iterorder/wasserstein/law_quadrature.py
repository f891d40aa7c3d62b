"""W_p^p from a sorted sample to a law, by adaptive quadrature of its quantile function.

W_p^p = Σ_i ∫ |u_i − F⁻¹(q)|^p dq over the cells of the sample, those above one half with levels counted from above. The
first and the last cell, where F⁻¹ may be infinite, are integrated over s = −log q and s = −log(1 − q): the integrand
then decays like exp(−s·(1 − p/ν)) for a tail index ν, and its far end is summed as that exponential.

References
----------
.. [1] Gander, Gautschi (2000), Adaptive quadrature revisited, BIT 40 (the rule).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iterorder.errors import AccuracyError, InvalidInputError
from iterorder.wasserstein.quantiles import REFUSED, Law, inner_levels, log_sum

EPS = float(np.finfo(float).eps)

# Kronrod's extension of the four-point Lobatto rule [1]. The ends are nodes, so a jump anywhere inside a panel changes
# the difference of the two rules; Gauss's rules do not see one between their last node and the end.
NODES = np.array([-1.0, -math.sqrt(2 / 3), -math.sqrt(1 / 5), 0.0, math.sqrt(1 / 5), math.sqrt(2 / 3), 1.0])
KRONROD = np.array([77, 432, 625, 672, 625, 432, 77]) / 1470
LOBATTO = np.array([1, 0, 5, 0, 5, 0, 1]) / 6

# The difference of the two rules may be this part of the integral. It is an estimate for the four-point rule; the
# seven-point one, which is used, is far better wherever the integrand is smooth.
TOLERANCE = 1e-11
# A jump of F⁻¹ inside a panel needs log2(1/TOLERANCE) halvings, a kink half of that.
MAX_HALVINGS = 60
# Panels for a smooth law: a few per cell. Far more mean that F⁻¹ itself is less accurate: more would not help.
PANELS_PER_CELL = 32
EXTRA_PANELS = 1 << 17
# Panels evaluated together: 2^15·7 values, so that temporaries stay small.
PANEL_BLOCK = 1 << 15

# exp(−690) is near the smallest float; tail panels double in length, as the decay is exponential or slower.
LONGEST_TAIL = 690.0
# Without isf levels are 1 − exp(−s), whose last digit is a thousandth of exp(−30).
LONGEST_TAIL_FROM_ONE = 30.0
TAIL_EDGES = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0])
# The tail ends where the integrand is below exp(−50) of its maximum, or where its rate of decay has become constant to
# twelve digits over two doublings: from there on the exponential is as good as F⁻¹, and better than what SciPy's laws
# give at levels of 10⁻²⁰⁰ (steps of a discrete law, constant for a while, are over before the doublings start).
SPENT = 50.0
STEADY_FROM, STEADY = 32.0, 1e-12
# A tail integrand that decays slower than exp(−s/100) belongs to a law whose p-th moment is infinite, or nearly so.
SLOWEST_DECAY = 0.01
# Levels above this can be told from a distribution function that is one minus something, to four digits.
TELLING_LEVEL = 1e4 * EPS
# Roundings of a quantile between which a distribution function cannot double, unless it does so everywhere.
ROUNDINGS = 1e4


@dataclass(frozen=True)
class Branch:
    """A part of the quantile function: t ↦ F⁻¹, the logarithm of dq/dt, and the largest t."""

    quantile: Callable[[np.ndarray], np.ndarray]
    log_weight: Callable[[np.ndarray], np.ndarray]
    longest: float


@dataclass(frozen=True)
class Integral:
    """The logarithms of an integral and of the error that its open panels leave."""

    log: float
    log_error: float = -math.inf


@dataclass(frozen=True)
class Tail:
    """The first or the last cell in s: its point, the edges of its panels, and the integral beyond them."""

    point: float
    edges: np.ndarray
    beyond: Integral


def quadrature_log_power(points: np.ndarray, weights: np.ndarray | None, law: Law, p: float) -> Integral:
    """log W_p^p for finite p and sorted points (n,) with positive weights or none: middle cells and two tails."""
    n = points.size
    law.expect(NODES.size * (n + 2 * TAIL_EDGES.size))
    below, above = inner_levels(n, weights)
    first, last = (below[0], above[-1]) if n > 1 else (0.5, 0.5)
    lower = Branch(lambda s: law.ppf(np.exp(-s)), np.negative, LONGEST_TAIL)
    if law.has_isf:
        upper = Branch(lambda s: law.isf(np.exp(-s)), np.negative, LONGEST_TAIL)
        branches = Branch(law.ppf, np.zeros_like, 1.0), Branch(law.isf, np.zeros_like, 1.0)
    else:
        upper = Branch(lambda s: law.ppf(-np.expm1(-s)), np.negative, _longest_from_one(law, last))
        branches = Branch(law.ppf, np.zeros_like, 1.0), Branch(lambda r: law.ppf(1.0 - r), np.zeros_like, 1.0)
    tails = (
        _tail(law, lower, points[0], -math.log(first), p, "cdf"),
        _tail(law, upper, points[-1], -math.log(last), p, "sf"),
    )
    if any(tail.beyond.log == math.inf for tail in tails):  # before anything is integrated
        return Integral(math.inf)
    for tail in tails:
        if math.isnan(tail.beyond.log):
            raise AccuracyError(
                f"|x|^{p:g} times the tail of distribution still grows at a level {math.exp(-tail.edges[-1]):.2g} from "
                "an end, the last one with an accurate quantile: its integral is infinite, or lies beyond what "
                "quantiles can tell; give a smaller p"
            )
    parts = [tail.beyond for tail in tails]
    for branch, tail in zip((lower, upper), tails, strict=True):
        repeated = np.full(tail.edges.size - 1, tail.point)
        parts.append(_integral(branch, tail.edges[:-1], tail.edges[1:], repeated, p))
    # Cells below one half, and those above it; the one in between is in both, with a part each.
    inner = points[1:-1]
    for branch, starts, ends in zip(branches, (below[:-1], above[1:]), (below[1:], above[:-1]), strict=True):
        chosen = starts < 0.5
        if chosen.any():
            ends = np.minimum(ends[chosen], 0.5)
            parts.append(_integral(branch, starts[chosen], ends, inner[chosen], p))
    return Integral(log_sum([part.log for part in parts]), log_sum([part.log_error for part in parts]))


def _longest_from_one(law: Law, mass: float) -> float:
    """The largest s for levels 1 − exp(−s) and a last cell of this mass."""
    if mass > math.exp(-LONGEST_TAIL_FROM_ONE):
        return LONGEST_TAIL_FROM_ONE
    if math.isfinite(law.support()[1]):  # all of the cell is at the end
        return LONGEST_TAIL
    raise AccuracyError(
        f"the last point of u has a part {mass:.3g} of the weight, and levels so near to one are no floats: give a law "
        "with an upper tail of its own (isf, or iccdf), or leave the point out"
    )


def _tail(law: Law, branch: Branch, point: float, start: float, p: float, levels_by: str) -> Tail:
    """The tail from `start` to infinity: its panels, and what is beyond the last of them."""
    edges = start + TAIL_EDGES
    edges = np.append(edges[edges < branch.longest], branch.longest)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # searches that end far out: `_check_tail` looks at what they found
        quantiles = branch.quantile(edges)
    finite = np.isfinite(quantiles)
    kept = edges.size if finite.all() else int(np.argmin(finite))  # the law's accuracy ends before the floats do
    if kept < 2:
        raise InvalidInputError(
            f"distribution.ppf is {quantiles[0]} at a level {math.exp(-edges[0]):.3g} from an end: give a law with "
            "finite quantiles inside (0, 1)"
        )
    edges, quantiles = edges[:kept], quantiles[:kept]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = p * np.log(np.abs(point - quantiles)) - edges
        decay = -np.diff(logs) / np.diff(edges)
    last = _tail_end(edges, logs, decay, np.sign(point - quantiles))
    outwards = quantiles[last] - quantiles[0] if levels_by == "sf" else quantiles[0] - quantiles[last]
    if outwards < -REFUSED * float(np.abs(quantiles).max()):
        raise InvalidInputError(
            f"distribution.ppf falls by {-outwards:.3g} where the levels rise, from the point {point:.6g} of u to an "
            "end of (0, 1): give a quantile function, which never falls"
        )
    if law.is_a("rv_continuous"):
        _check_tail(law, levels_by, np.exp(-edges[: last + 1]), quantiles[: last + 1])
    return Tail(point, edges[: last + 1], _beyond(edges[: last + 1], float(logs[last]), decay[:last]))


def _beyond(edges: np.ndarray, log: float, decay: np.ndarray) -> Integral:
    """The integral beyond the last edge, where the integrand is exp(log), as that of an exponential.

    Its rate is taken to approach a limit like 1/s, as for the exponential law. Where it is too slow, the integral is
    infinite if the limit is too slow as well, approached like s^(−1/2) as for a lognormal law; else it is not known.
    """
    if log == -math.inf:
        return Integral(log)
    rate, change = float(decay[-1]), 0.0
    middles = 0.5 * (edges[1:] + edges[:-1])
    if decay.size > 1 and math.isfinite(decay[-2]):
        change = float(decay[-1] - decay[-2])
    if rate < SLOWEST_DECAY:
        limit = rate + (max(change, 0.0) / (math.sqrt(middles[-1] / middles[-2]) - 1.0) if change else 0.0)
        return Integral(math.inf if limit < SLOWEST_DECAY else math.nan)
    gained = change * (1 / middles[-1] - 1 / edges[-1]) / (1 / middles[-2] - 1 / middles[-1]) if change else 0.0
    rate += max(gained, 0.0)
    error = min(abs(gained) / rate, 1.0)
    beyond = log - math.log(rate)
    return Integral(beyond, beyond + math.log(error) if error > 0.0 else -math.inf)


def _check_tail(law: Law, name: str, levels: np.ndarray, quantiles: np.ndarray) -> None:
    """An error where quantiles belong to other levels: a search that ended at its bracket gives no other sign."""
    spread = float(np.diff(law.ppf(np.array([0.25, 0.75])))[0])
    with np.errstate(all="ignore"):
        reached = np.asarray(getattr(law.distribution, name)(quantiles), float)
        to_ends = np.abs(quantiles - np.array(law.support())[:, None]).min(axis=0)
        # Where a rounding of the quantile is no small thing: near an end of the support, or in a law far from zero.
        roundings = np.minimum(to_ends, spread) / (EPS * np.maximum(np.abs(quantiles), spread))
    # Within a factor of two, and where a distribution function that is one minus something still has digits.
    wrong = (reached > np.maximum(2.0 * levels, TELLING_LEVEL)) | ((reached < 0.5 * levels) & (levels > TELLING_LEVEL))
    wrong &= roundings > ROUNDINGS
    if wrong.any():
        k = int(np.argmax(wrong))
        quantile = {"cdf": "ppf", "sf": "isf"}[name]
        raise AccuracyError(
            f"distribution.{quantile}({levels[k]:.3g}) is {quantiles[k]:.6g}, where distribution.{name} is "
            f"{reached[k]:.3g}: the law's tail is not accurate enough for a distance; give a law with an exact "
            "quantile function, or use wasserstein_1d with a large sample of the law"
        )


def _tail_end(edges: np.ndarray, logs: np.ndarray, decay: np.ndarray, sides: np.ndarray) -> int:
    """The index of the edge from which the tail integrand, exp(logs), is summed as an exponential.

    Near the point the integrand vanishes, to grow again behind it: `sides`, the signs of their difference, must have
    become constant.
    """
    moves = np.flatnonzero(np.diff(sides))
    settled = int(moves[-1]) + 1 if moves.size else 0
    for k in range(settled + 2, edges.size):
        spent = -math.inf < logs[k] < logs[:k].max() - SPENT and decay[k - 1] > 0.5
        steady = edges[k - 2] >= edges[0] + STEADY_FROM and abs(decay[k - 1] - decay[k - 2]) <= STEADY
        if spent or steady:
            return k
    return edges.size - 1


def _integral(branch: Branch, starts: np.ndarray, ends: np.ndarray, points: np.ndarray, p: float) -> Integral:
    """Σ ∫ |point − F⁻¹(t)|^p w(t) dt over the panels, halving those whose error is above their share."""
    settled = 0.0  # the integral over panels that are accurate enough, times exp(−shift)
    panels = starts.size
    budget = PANELS_PER_CELL * panels + EXTRA_PANELS
    shift = -math.inf
    for halving in range(MAX_HALVINGS + 1):
        logs, errors = _panel_integrals(branch, starts, ends, points, p)
        if halving == 0:
            shift = float(logs.max())
        if shift == -math.inf:
            return Integral(shift)
        values = np.exp(logs - shift)
        total = settled + float(values.sum())
        open_panels = values * errors > TOLERANCE * total / panels
        middles = 0.5 * (starts + ends)
        open_panels &= (starts < middles) & (middles < ends)
        panels += int(open_panels.sum())
        if not open_panels.any() or panels > budget or halving == MAX_HALVINGS:
            break
        settled += float(values[~open_panels].sum())
        starts, middles, ends, points = (a[open_panels] for a in (starts, middles, ends, points))
        starts, ends = np.concatenate([starts, middles]), np.concatenate([middles, ends])
        points = np.concatenate([points, points])
    left_open = float((values * errors)[open_panels].sum())
    return Integral(shift + math.log(total), shift + math.log(left_open) if left_open > 0.0 else -math.inf)


def _panel_integrals(
    branch: Branch, starts: np.ndarray, ends: np.ndarray, points: np.ndarray, p: float
) -> tuple[np.ndarray, np.ndarray]:
    """log of each panel's integral by the seven-point rule, and its relative error beyond the rounding of F⁻¹."""
    logs, errors = np.empty(starts.size), np.empty(starts.size)
    for low in range(0, starts.size, PANEL_BLOCK):
        block = slice(low, low + PANEL_BLOCK)
        half = 0.5 * (ends[block] - starts[block])
        t = (starts[block] + half)[:, None] + half[:, None] * NODES
        quantiles = branch.quantile(t)
        point = points[block, None]
        if not np.isfinite(quantiles).all():
            raise InvalidInputError(
                f"distribution.ppf is {quantiles[~np.isfinite(quantiles)][0]} between levels where it is finite: give "
                "a law with finite quantiles inside (0, 1)"
            )
        difference = np.abs(point - quantiles)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            log_integrand = p * np.log(difference) + branch.log_weight(t)
            # Per panel its own scale: powers of a large order p neither overflow nor vanish together.
            scale = log_integrand.max(axis=1)
            integrand = np.exp(log_integrand - scale[:, None])
            rounding = 8 * EPS * p * (np.abs(point) + np.abs(quantiles)) / difference
            noise = np.where(difference > 0, integrand * np.minimum(rounding, 1.0), 0.0) @ KRONROD
            value = integrand @ KRONROD
            error = np.maximum(np.abs(value - integrand @ LOBATTO) - noise, 0.0) / value
            logs[block] = np.where(scale > -math.inf, scale + np.log(half * value), -math.inf)
        errors[block] = np.where(scale > -math.inf, error, 0.0)
    return logs, errors
