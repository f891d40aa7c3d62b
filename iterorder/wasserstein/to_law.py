"""Wasserstein distance from a sample of the line to a law given by its quantile function, by adaptive quadrature.

W_p^p = Σ_i ∫ |u_i − F⁻¹(q)|^p dq over the cells [i/n, (i+1)/n] of the sorted sample. The first and the last cell,
where F⁻¹ may be infinite, are integrated over s = −log q and s = −log(1 − q): the integrand then decays like
exp(−s·(1 − p/ν)) for a tail index ν, and its far end is summed as that exponential.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from iterorder.arrays import as_array
from iterorder.errors import InvalidInputError
from iterorder.wasserstein.sorted_samples import as_exponent, as_samples, sorted_rows

EPS = float(np.finfo(float).eps)

# Kronrod's extension of the four-point Lobatto rule [2]. The ends are nodes, so a jump anywhere inside a panel changes
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


@dataclass(frozen=True)
class Branch:
    """A part of the quantile function: t ↦ F⁻¹, the logarithm of dq/dt, and the largest t."""

    quantile: Callable[[np.ndarray], np.ndarray]
    log_weight: Callable[[np.ndarray], np.ndarray]
    longest: float


def wasserstein_1d_to(u, distribution, p=1):
    """Wasserstein distance W_p from a sample on the line to a known law.

    Parameters
    ----------
    u : array_like, shape (n,) or (n, k)
        Sample points; with two axes each column is one sample.
    distribution : object with ``ppf``
        The law, by its quantile function on arrays of levels in (0, 1), such as a frozen law of SciPy. Its ``isf`` (the
        upper tail) and ``support`` (for p = inf) are used where they exist. Discrete laws are accepted: each jump of
        ``ppf``, as each sign change of the integrand, is located by bisection.
    p : float >= 1 or inf
        Order of the distance; inf is the largest difference of the quantile functions.

    Returns
    -------
    float or ndarray, shape (k,)
        In the units of ``u`` (the distance, not its p-th power). The relative error is about 10⁻¹¹, plus that of
        ``ppf`` times (size of the values)/(distance). Exactly inf where the law has no p-th moment, or for p = inf an
        unbounded support; a tail index within 1 % of p counts as no moment. Without ``isf`` the upper tail ends at
        1 − 10⁻¹³ and is extrapolated from there, for light tails and p up to 4 to 10⁻¹⁰ of the p-th moment. For p = inf
        levels are moved inwards by a relative 10⁻¹⁵, so that a jump of ``ppf`` at a multiple of 1/n is read on the
        right side.

    Raises
    ------
    InvalidInputError
        If p < 1, a value of ``u`` is not finite, or ``distribution`` has no ``ppf`` that gives numbers.

    See Also
    --------
    wasserstein_1d : between two samples.

    References
    ----------
    .. [1] Villani (2003), Topics in Optimal Transportation, Theorem 2.18.
    .. [2] Gander, Gautschi (2000), Adaptive quadrature revisited, BIT 40 (the rule).

    Examples
    --------
    >>> class Uniform:  # on [0, 1]
    ...     def ppf(self, q):
    ...         return q
    >>> round(wasserstein_1d_to([0.5], Uniform()), 12)
    0.25
    """
    p = as_exponent(p)
    samples = as_samples("u", u)
    if not callable(getattr(distribution, "ppf", None)):
        raise InvalidInputError(
            f"distribution is {distribution!r}: give an object with a method ppf, such as scipy.stats.norm()"
        )
    distance = _largest_distance if p == math.inf else _distance
    distances = np.array([distance(row, distribution, p) for row in sorted_rows("u", samples)])
    return distances if samples.ndim == 2 else float(distances[0])


def _distance(points: np.ndarray, law, p: float) -> float:
    """W_p for finite p, of sorted points (n,): the middle cells, then the two tails."""
    n = points.size
    middle = Branch(lambda q: _values(law.ppf, q), np.zeros_like, 1.0)
    lower = Branch(lambda s: _values(law.ppf, np.exp(-s)), np.negative, LONGEST_TAIL)
    if callable(getattr(law, "isf", None)):
        upper = Branch(lambda s: _values(law.isf, np.exp(-s)), np.negative, LONGEST_TAIL)
    else:
        upper = Branch(lambda s: _values(law.ppf, -np.expm1(-s)), np.negative, LONGEST_TAIL_FROM_ONE)
    start = math.log(max(n, 2))
    logs = [_tail_log_integral(lower, points[0], start, p), _tail_log_integral(upper, points[-1], start, p)]
    if n > 2:
        edges = np.arange(1, n) / n
        logs.append(_log_integral(middle, edges[:-1], edges[1:], points[1:-1], p))
    largest = max(logs)
    if math.isinf(largest):
        return math.inf if largest > 0 else 0.0
    return math.exp((largest + math.log(sum(math.exp(log - largest) for log in logs))) / p)


def _tail_log_integral(branch: Branch, point: float, start: float, p: float) -> float:
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
    remainder = -math.inf
    if logs[last] > -math.inf:
        if decay[last - 1] < SLOWEST_DECAY:
            return math.inf
        remainder = float(logs[last] - np.log(decay[last - 1]))
    edges = edges[: last + 1]
    body = _log_integral(branch, edges[:-1], edges[1:], np.full(edges.size - 1, point), p)
    return float(np.logaddexp(body, remainder))


def _tail_end(edges: np.ndarray, logs: np.ndarray, decay: np.ndarray) -> int:
    """The index of the edge from which the tail integrand, exp(logs), is summed as an exponential."""
    for k in range(2, edges.size):
        spent = -math.inf < logs[k] < logs[:k].max() - SPENT and decay[k - 1] > 0.5
        steady = edges[k - 2] >= edges[0] + STEADY_FROM and abs(decay[k - 1] - decay[k - 2]) <= STEADY
        if spent or steady:
            return k
    return edges.size - 1


def _log_integral(branch: Branch, starts: np.ndarray, ends: np.ndarray, points: np.ndarray, p: float) -> float:
    """log of Σ ∫ |point − F⁻¹(t)|^p w(t) dt over the panels, halving those whose error is above their share."""
    settled = 0.0  # the integral over panels that are accurate enough, times exp(−shift)
    panels = starts.size
    budget = PANELS_PER_CELL * panels + EXTRA_PANELS
    shift = -math.inf
    for halving in range(MAX_HALVINGS + 1):
        logs, errors = _panel_integrals(branch, starts, ends, points, p)
        if halving == 0:
            shift = float(logs.max())
        if shift == -math.inf:
            return shift
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
    return shift + math.log(total)


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


def _largest_distance(points: np.ndarray, law, p: float) -> float:
    """W_∞: both functions are monotone, so the largest difference is met at the ends of the cells."""
    n = points.size
    inner = np.arange(1, n) / n
    left = _values(law.ppf, inner * (1 - 4 * EPS))
    right = _values(law.ppf, inner * (1 + 4 * EPS))
    if callable(getattr(law, "support", None)):
        lowest, highest = (float(end) for end in law.support())
    else:
        lowest, highest = (float(end) for end in _values(law.ppf, np.array([0.0, 1.0])))
    starts, ends = np.append(lowest, right), np.append(left, highest)
    return float(np.maximum(np.abs(points - starts), np.abs(points - ends)).max())


def _values(function: Callable, levels: np.ndarray) -> np.ndarray:
    """`function` of an array of levels, as floats of the same shape."""
    values = as_array("distribution.ppf(levels)", function(levels)).astype(float)
    if values.shape != levels.shape:
        raise InvalidInputError(
            f"distribution.ppf gives shape {values.shape} for levels of shape {levels.shape}: give a law of one "
            "variable whose ppf works on arrays"
        )
    return values
