"""Laws of the line that the backward limit is held against."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.polynomial.chebyshev import chebvander

from iterorder.maps import LogisticRegressionSGD

#: Digits after which 2^(−k) is below the rounding of a double.
BINARY_DIGITS = 53


class Cantor:
    """The Cantor law: uniform on Cantor's middle-thirds set, as a law with cdf and ppf."""

    def __repr__(self) -> str:
        return "Cantor()"

    def cdf(self, x) -> np.ndarray:
        """Cantor's function: ternary digits up to the first 1 become binary digits.

        Examples
        --------
        >>> Cantor().cdf(np.array([-1.0, 0.25, 0.5, 1.0])).round(12).tolist()
        [0.0, 0.333333333333, 0.5, 1.0]
        """
        rest = np.clip(np.asarray(x, np.float64), 0.0, 1.0)
        total, weight, open_ended = np.zeros_like(rest), 0.5, rest < 1.0
        total[~open_ended] = 1.0
        for _ in range(BINARY_DIGITS):
            digit = np.floor(3.0 * rest)
            rest = 3.0 * rest - digit
            total += np.where(open_ended & (digit > 0.0), weight, 0.0)
            open_ended &= digit != 1.0
            weight *= 0.5
        return total

    def ppf(self, q) -> np.ndarray:
        """The quantile function: binary digits become ternary digits 0 and 2. At a jump its lower end, as in SciPy.

        Examples
        --------
        >>> Cantor().ppf(np.array([0.0, 0.25, 0.5, 0.75, 1.0])).round(6).tolist()
        [0.0, 0.111111, 0.333333, 0.777778, 1.0]
        """
        q = np.asarray(q, np.float64)
        # The level just below q, as a whole number of 2⁻⁵³ and the sum of all digits that follow it.
        number = np.maximum(np.ceil(np.ldexp(q, BINARY_DIGITS)) - 1.0, 0.0)
        total, weight = np.where(q > 0.0, 3.0**-BINARY_DIGITS, 0.0), 2.0 * 3.0**-BINARY_DIGITS
        for _ in range(BINARY_DIGITS):
            half = np.floor(0.5 * number)
            total = total + weight * (number - 2.0 * half)
            number = half
            weight *= 3.0
        return total

    def halves(self) -> tuple[float, float, float]:
        """The law is half its image under x → x/3, half under x → x/3 + 2/3: the slope and the two constants."""
        return 1.0 / 3.0, 0.0, 2.0 / 3.0


def trapezoid_cdf(x, wide: float, narrow: float) -> np.ndarray:
    """Distribution function of U + V, U uniform on [−wide, wide] and V on [−narrow, narrow], independent.

    Examples
    --------
    >>> trapezoid_cdf(np.array([-3.0, 0.0, 1.0, 3.0]), 2.0, 1.0).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    # E F_U(x − V): the integral of the ramp (x + wide)/(2·wide) clipped to [0, 1], whose primitive is a parabola.
    ends = np.asarray(x)[..., None] + narrow * np.array([-1.0, 1.0])
    inside = np.clip(ends, -wide, wide)
    primitive = (inside + wide) ** 2 / (4.0 * wide) + np.maximum(ends - wide, 0.0)
    return (primitive[..., 1] - primitive[..., 0]) / (2.0 * narrow)


def bernoulli_moments(lam: float, highest: int) -> list[float]:
    """E Z^n, n = 0 … highest, of Z = Σ_{k≥0} λ^k ξ_k: m_n(1−λⁿ) = Σ_{k<n} C(n,k) λ^k m_k E ξ^(n−k) (law 3).

    Examples
    --------
    >>> bernoulli_moments(0.5, 4)  # uniform on [−2, 2]
    [1.0, 0.0, 1.3333333333333333, 0.0, 3.2]
    """
    moments = [1.0]
    for n in range(1, highest + 1):
        even = (k for k in range(n) if (n - k) % 2 == 0)
        moments.append(sum(math.comb(n, k) * lam**k * moments[k] for k in even) / (1.0 - lam**n))
    return moments


def reshuffled_variance(step: float, n_items: int, spread: float) -> float:
    """Variance at epoch ends of SGD on n quadratics of curvature 1 whose minimisers have variance `spread` (C12).

    Examples
    --------
    >>> reshuffled_variance(0.3, 1, 0.0)
    0.0
    """
    if n_items == 1:
        return 0.0
    powers = (1.0 - step) ** np.arange(n_items)
    bracket = float((powers**2).sum() - powers.sum() ** 2 / n_items)
    return step**2 * spread * n_items / (n_items - 1) * bracket / (1.0 - (1.0 - step) ** (2 * n_items))


def stationary_means(maps: LogisticRegressionSGD, functions: Sequence[Callable], degree: int = 48) -> list[float]:
    """E_π f for smooth functions f of one variable, by the spectral method: no sampling error.

    The operator f → E f(T_ξ(·)) keeps analytic functions on the interval between the minimisers of the single losses,
    which the maps of small steps leave invariant. On Chebyshev polynomials it is a matrix; its left fixed vector is the
    stationary law.

    Examples
    --------
    >>> from iterorder.claims.systems import tilted_logistic
    >>> round(stationary_means(tilted_logistic(0.1), [lambda x: 0.0 * x + 1.0])[0], 12)
    1.0
    """
    from scipy.optimize import brentq

    rows = maps.labels * maps.features[:, 0]
    # The minimiser of log(1+e^(−ax)) + ½·ridge·x²: |x| is at most |a|/ridge.
    ends = [
        brentq(lambda x, a=a: maps.ridge * x - a / (1.0 + math.exp(a * x)), -abs(a / maps.ridge), abs(a / maps.ridge))
        for a in rows
    ]
    middle, half = 0.5 * (max(ends) + min(ends)), 0.5 * (max(ends) - min(ends))
    nodes = np.cos(np.pi * (np.arange(degree) + 0.5) / degree)
    points = middle + half * nodes
    to_coefficients = np.linalg.inv(chebvander(nodes, degree - 1))
    images = np.array([maps.images(np.array([x]))[:, 0] for x in points])  # (node, item)
    operator = chebvander((images - middle) / half, degree - 1).mean(axis=1) @ to_coefficients
    # Left fixed vector with total mass one: one equation of the singular system is replaced by the mass.
    system = operator.T - np.eye(degree)
    system[0] = 1.0
    weights = np.linalg.solve(system, np.eye(degree)[0])
    return [float(weights @ np.asarray(f(points))) for f in functions]
