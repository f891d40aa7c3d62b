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
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iterorder.errors import AccuracyError, InvalidInputError
from iterorder.wasserstein.quantiles import Law, inner_levels, log_sum

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


def quadrature_log_power(points: np.ndarray, weights: np.ndarray | None, law: Law, p: float) -> Integral:
    """log W_p^p for finite p and sorted points (n,) with positive weights or none: middle cells and two tails."""
    n = points.size
    law.expect(NODES.size * (n + 2 * TAIL_EDGES.size))
    lower = Branch(lambda s: law.ppf(np.exp(-s)), np.negative, LONGEST_TAIL)
    if law.has_isf:
        upper = Branch(lambda s: law.isf(np.exp(-s)), np.negative, LONGEST_TAIL)
        branches = Branch(law.ppf, np.zeros_like, 1.0), Branch(law.isf, np.zeros_like, 1.0)
    else:
        upper = Branch(lambda s: law.ppf(-np.expm1(-s)), np.negative, LONGEST_TAIL_FROM_ONE)
        branches = Branch(law.ppf, np.zeros_like, 1.0), Branch(lambda r: law.ppf(1.0 - r), np.zeros_like, 1.0)
    below, above = inner_levels(n, weights)
    first, last = (below[0], above[-1]) if n > 1 else (0.5, 0.5)
    parts = [
        _tail(law, lower, points[0], -math.log(first), p, "cdf"),
        _tail(law, upper, points[-1], -math.log(last), p, "sf"),
    ]
    # Cells below one half, and those above it; the one in between is in both, with a part each.
    inner = points[1:-1]
    for branch, starts, ends in zip(branches, (below[:-1], above[1:]), (below[1:], above[:-1]), strict=True):
        chosen = starts < 0.5
        if chosen.any():
            ends = np.minimum(ends[chosen], 0.5)
            parts.append(_integral(branch, starts[chosen], ends, inner[chosen], p))
    return Integral(log_sum([part.log for part in parts]), log_sum([part.log_error for part in parts]))


def _tail(law: Law, branch: Branch, point: float, start: float, p: float, levels_by: str) -> Integral:
    """log of ∫ |point − F⁻¹|^p exp(−s) ds from `start` to infinity."""
    edges = start + TAIL_EDGES
    edges = np.append(edges[edges < branch.longest], branch.longest)
    with np.errstate(all="ignore"):
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
    last = _tail_end(edges, logs, decay)
    if law.is_a("rv_continuous"):
        _check_tail(law, levels_by, np.exp(-edges[: last + 1]), quantiles[: last + 1])
    remainder = -math.inf
    if logs[last] > -math.inf:
        if decay[last - 1] < SLOWEST_DECAY:
            return Integral(math.inf)
        remainder = float(logs[last] - np.log(decay[last - 1]))
    edges = edges[: last + 1]
    body = _integral(branch, edges[:-1], edges[1:], np.full(edges.size - 1, point), p)
    return Integral(float(np.logaddexp(body.log, remainder)), body.log_error)


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


def _tail_end(edges: np.ndarray, logs: np.ndarray, decay: np.ndarray) -> int:
    """The index of the edge from which the tail integrand, exp(logs), is summed as an exponential."""
    for k in range(2, edges.size):
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
