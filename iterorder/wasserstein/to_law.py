"""Wasserstein distance from a sample of the line to a law: by its atoms, by its copies of itself, or by quadrature."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from iterorder.errors import AccuracyError, InvalidInputError
from iterorder.tables import check_same_rows
from iterorder.types import ArrayLike, FloatOrArray
from iterorder.validation import as_floats, as_power
from iterorder.wasserstein.law_atoms import atoms_distance, atoms_of, is_discrete
from iterorder.wasserstein.law_halves import halves_power
from iterorder.wasserstein.law_quadrature import quadrature_log_power
from iterorder.wasserstein.quantiles import REFUSED, TOLD, Law, inner_levels
from iterorder.wasserstein.sorted_samples import as_samples, sorted_rows
from iterorder.wasserstein.weighted_samples import with_weights

EPS = float(np.finfo(float).eps)

#: W_p of sorted points (n,) with positive weights (n,) or None.
Distance = Callable[[np.ndarray, np.ndarray | None], float]


def wasserstein_1d_to(
    u: ArrayLike, distribution: object, p: float = 1, *, u_weights: ArrayLike | None = None
) -> FloatOrArray:
    """Wasserstein distance W_p from a sample on the line to a known law.

    Parameters
    ----------
    u : array_like, shape (n,) or (n, k)
        Sample points; with two axes each column is one sample.
    distribution : object with ``ppf`` or ``icdf``
        The law of one variable, by its quantile function on arrays of levels in (0, 1), such as a frozen law of SciPy
        or one of its newer distributions. Its upper tail (``isf`` or ``iccdf``) and ``support`` (for p = inf) are used
        where they exist. Discrete laws of SciPy are summed atom by atom; of other laws each jump of ``ppf``, as each
        sign change of the integrand, is located by bisection. Where there are jumps without end a law may tell
        ``halves()``, the numbers (λ, low, high) for which one half of it is its image under x → λx + low and the other
        under x → λx + high, 0 ≤ λ < ½: the Cantor laws of `gallery` do, and are integrated by their moments.
    p : float >= 1 or inf
        Order of the distance; inf is the largest difference of the quantile functions.
    u_weights : array_like, shape (n,), optional
        Nonnegative, normalised to sum one, common to all columns. Default: equal weights.

    Returns
    -------
    float or ndarray, shape (k,)
        In the units of ``u`` (the distance, not its p-th power). The relative error is about 10⁻¹¹, plus that of
        ``ppf`` (of the masses and moments, for discrete laws) times (size of the values)/(distance). Exactly inf where
        the law has no p-th moment, or for p = inf an unbounded support; a tail index within 1 % of p counts as no
        moment. Without an ``isf`` of its own (many laws of SciPy have ppf(1 − q)) the upper tail ends at 1 − 10⁻¹³ and
        is extrapolated from there, for light tails and p up to 4 to 10⁻¹⁰ of the p-th moment. For p = inf levels are
        moved inwards by a relative 10⁻¹⁵, so that a jump of ``ppf`` at a multiple of 1/n is read on the right side.

    Warns
    -----
    RuntimeWarning
        If the quadrature ends at a larger error, up to 10⁻⁶; the message gives the estimate.

    Raises
    ------
    InvalidInputError
        If p < 1, a value of ``u`` is not finite, weights are not as above, or ``distribution`` has no quantile function
        of one variable.
    AccuracyError
        If the error is above 10⁻⁶: for jumps without end, for a tail that the law does not know or whose sum takes too
        many atoms, for a large p whose moment lies at levels below 10⁻³⁰⁰ (36 for the standard lognormal law); or if
        the quantiles would take more than a minute.

    See Also
    --------
    wasserstein_1d : between two samples.

    References
    ----------
    .. [1] Villani (2003), Topics in Optimal Transportation, Theorem 2.18.
    .. [2] Gander, Gautschi (2000), Adaptive quadrature revisited, BIT 40 (the rule).
    .. [3] Graf, Luschgy (1997), The quantization of the Cantor distribution, Mathematische Nachrichten 183.

    Examples
    --------
    >>> class Uniform:  # on [0, 1]
    ...     def ppf(self, q):
    ...         return q
    >>> round(wasserstein_1d_to([0.5], Uniform()), 12)
    0.25

    The Cantor law and its best two points [3]_, at the root of 1/72:

    >>> from iterorder import gallery
    >>> round(wasserstein_1d_to([1 / 6, 5 / 6], gallery.two_point_quadratic(2 / 3).law, 2) ** 2 * 72, 12)
    1.0
    """
    p = as_power(p)
    check_same_rows(u, "u_weights", u_weights, of="u")
    samples = as_samples("u", u)
    law = Law(distribution)
    rows: list[tuple[np.ndarray, np.ndarray | None]]
    if u_weights is None:
        rows = [(row, None) for row in sorted_rows("u", samples)]
    else:
        columns, masses = with_weights("u", samples, u_weights)
        orders = np.argsort(columns, axis=0).T
        rows = [(column[order], masses[order]) for column, order in zip(columns.T, orders, strict=True)]
    distance = _distance_to(law, samples, p)
    distances = np.empty(len(rows))
    for k, (points, weights) in enumerate(rows):  # no comprehension: a warning counts the frames
        distances[k] = distance(points, weights)
    return distances if samples.ndim == 2 else float(distances[0])


def _distance_to(law: Law, samples: np.ndarray, p: float) -> Distance:
    """The way to W_p that suits the law."""
    if p == math.inf:
        return lambda points, weights: _largest_distance(points, weights, law)
    halves = getattr(law.distribution, "halves", None)
    if callable(halves):
        numbers = _checked_halves(halves())
        if 0.0 <= numbers[0] < 0.5:  # at one half the law is uniform, without a jump
            return lambda points, weights: _by_halves(points, weights, numbers, p)
    if is_discrete(law):
        atoms = atoms_of(law, samples, p)
        if atoms is None:
            return lambda points, weights: math.inf
        return lambda points, weights: atoms_distance(points, weights, law, atoms, p)
    return lambda points, weights: _by_quadrature(points, weights, law, p)


def _checked_halves(given: Any) -> tuple[float, ...]:
    """The three numbers that a law tells by `halves`."""
    numbers = tuple(as_floats("distribution.halves()", given, ndim=(1,)).tolist())
    if len(numbers) != 3 or numbers[1] > numbers[2]:
        raise InvalidInputError(f"distribution.halves() is {given!r}: give three numbers (λ, low, high), low ≤ high")
    return numbers


def _by_halves(points: np.ndarray, weights: np.ndarray | None, halves: tuple[float, ...], p: float) -> float:
    power, scale = halves_power(points, weights, halves, p)
    return scale * power ** (1.0 / p)


def _by_quadrature(points: np.ndarray, weights: np.ndarray | None, law: Law, p: float) -> float:
    found = quadrature_log_power(points, weights, law, p)
    if math.isinf(found.log):
        return math.inf if found.log > 0 else 0.0
    distance = math.exp(found.log / p)
    error = math.exp(min(found.log_error - found.log, 0.0)) / p
    if error > REFUSED:
        raise AccuracyError(
            f"the distance is about {distance:.6g}, with a relative error of up to {error:.2g}: distribution has too "
            "many jumps, too inaccurate a quantile function, or too long a tail for quadrature; give a smaller p, a "
            "law with halves() if it is made of two copies of itself, or use wasserstein_1d with a large sample of the "
            "law"
        )
    if error > TOLD:
        warnings.warn(
            f"the relative error of the distance {distance:.6g} may be {error:.2g}: the quantile function of "
            "distribution has many jumps, is not accurate enough for the documented 1e-11, or has a tail that goes on "
            "beyond the levels that floats can tell",
            RuntimeWarning,
            stacklevel=4,
        )
    return distance


def _largest_distance(points: np.ndarray, weights: np.ndarray | None, law: Law) -> float:
    """W_∞: both functions are monotone, so the largest difference is met at the ends of the cells."""
    below, above = inner_levels(points.size, weights)
    moved = 4 * EPS  # sums of weights are rounded once: they are added with more digits
    low = below <= 0.5
    if law.has_isf:
        # Each level from its nearer end; from above the larger level is the smaller quantile.
        left, right = np.empty(below.size), np.empty(below.size)
        left[low], right[low] = law.ppf(below[low] * (1 - moved)), law.ppf(below[low] * (1 + moved))
        left[~low], right[~low] = law.isf(above[~low] * (1 + moved)), law.isf(above[~low] * (1 - moved))
    else:
        left, right = law.ppf(below * (1 - moved)), law.ppf(below * (1 + moved))
    lowest, highest = law.support()
    starts, ends = np.append(lowest, right), np.append(left, highest)
    return float(np.maximum(np.abs(points - starts), np.abs(points - ends)).max())
