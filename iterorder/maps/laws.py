"""Stationary laws of gallery systems that SciPy does not have."""

from __future__ import annotations

import math

import numpy as np

from iterorder.arrays import as_array
from iterorder.shown import call, shown
from iterorder.types import ArrayLike, FloatArray, IntArray
from iterorder.validation import as_floats, as_int, read_only


class MomentLaw:
    """A law of which mean and covariance are known.

    Attributes
    ----------
    mean : ndarray, shape (d,)
        The mean of each coordinate.
    covariance : ndarray, shape (d, d)
        The covariance matrix, symmetric.
    """

    def __init__(self, mean: ArrayLike, covariance: ArrayLike) -> None:
        self.mean = read_only(as_floats("mean", mean, ndim=(1,)))
        self.covariance = read_only(as_floats("covariance", covariance, ndim=(2,)))

    def __repr__(self) -> str:
        return call("MomentLaw", {"mean": shown(self.mean), "covariance": shown(self.covariance)})


def affine_moments(matrices: FloatArray, offsets: FloatArray, weights: FloatArray) -> MomentLaw:
    """The moments of few affine maps in few dimensions, by two linear solves.

    The mean is m = (I − E A)⁻¹ E b; the covariance solves C = E[A C Aᵀ] + E rrᵀ, r = Am + b − m.
    """
    d = offsets.shape[1]
    mean = np.linalg.solve(np.eye(d) - np.einsum("m,mij->ij", weights, matrices), weights @ offsets)
    left = matrices @ mean + offsets - mean
    operator = np.einsum("m,mij,mkl->ikjl", weights, matrices, matrices).reshape(d * d, d * d)
    noise = np.einsum("m,mi,mk->ik", weights, left, left)
    return MomentLaw(mean, np.linalg.solve(np.eye(d * d) - operator, noise.ravel()).reshape(d, d))


class BinaryLaw:
    """The law of Σ_{k≥0} λ^k ξ_k, ξ_k = low or high with probability one half: mean, moments and samples.

    Parameters
    ----------
    lam : float in (−1, 1)
        λ, the factor of each further term.
    low, high : float
        The two values of ξ_k.
    """

    def __init__(self, lam: float, low: float, high: float) -> None:
        self.lam, self.low, self.high = lam, low, high

    def __repr__(self) -> str:
        return call(type(self).__name__, {name: shown(float(getattr(self, name))) for name in ("lam", "low", "high")})

    def mean(self) -> float:
        """The mean."""
        return 0.5 * (self.low + self.high) / (1.0 - self.lam)

    def var(self) -> float:
        """The variance."""
        return 0.25 * (self.high - self.low) ** 2 / (1.0 - self.lam**2)

    def moment(self, order: int) -> float:
        """E Z^order by recursion: m_n(1 − λⁿ) = Σ_{k<n} C(n, k) λ^k m_k E ξ^(n−k)."""
        order = as_int("order", order, low=0, high=1000)
        moments = [1.0]
        for n in range(1, order + 1):
            terms = (
                math.comb(n, k) * self.lam**k * moments[k] * 0.5 * (self.low ** (n - k) + self.high ** (n - k))
                for k in range(n)
            )
            moments.append(math.fsum(terms) / (1.0 - self.lam**n))
        return moments[order]

    def rvs(self, size: int | tuple[int, ...] = 1, random_state: int | np.random.Generator | None = None) -> FloatArray:
        """Samples: the series up to terms below 2⁻⁶⁰ of its sum."""
        rng = np.random.default_rng(random_state)
        terms = 1 if self.lam == 0.0 else math.ceil(-60.0 * math.log(2.0) / math.log(abs(self.lam)))
        total = np.zeros(size)
        for _ in range(terms):  # Horner's rule
            total = self.lam * total + np.where(rng.integers(0, 2, size) == 1, self.high, self.low)
        return total


class CantorLaw(BinaryLaw):
    """`BinaryLaw` for 0 ≤ λ ≤ ½, low < high: the terms are digits of the quantile.

    λ = ½ is the uniform law, λ = 0 an atom of one half at either end.
    """

    def halves(self) -> tuple[float, float, float]:
        """(λ, low, high): one half of the law is its image under x → λx + low, the other under x → λx + high."""
        return self.lam, self.low, self.high

    def support(self) -> tuple[float, float]:
        """The ends of the support."""
        return self.low / (1.0 - self.lam), self.high / (1.0 - self.lam)

    def ppf(self, q: ArrayLike) -> FloatArray:
        """The quantile, the smallest x with cdf(x) ≥ q: the lower end of a gap. NaN for q outside of [0, 1].

        The binary digits of q choose the terms. A last one stands for a zero and ones without end: that is what makes
        it the lower end.
        """
        q = as_array("q", q).astype(np.float64)
        allowed = (q >= 0.0) & (q <= 1.0)
        rest, exponent = np.frexp(np.where(allowed, q, 0.0))
        # The place in the support, from 0 to 1. The zeros before the first digit are one power of λ; q = 1 has none,
        # and one half with its exponent 1 is then the lower end of a gap behind all digits.
        scale = np.float64(self.lam) ** np.maximum(-exponent, 0)
        place = np.where(exponent > 0, 1.0, 0.0)
        rest = np.where(exponent > 0, 0.0, rest)
        while rest.any():
            rest = 2.0 * rest
            one = rest >= 1.0
            rest = np.where(one, rest - 1.0, rest)
            last = rest == 0.0
            place += np.where(one, scale * np.where(last, self.lam, 1.0 - self.lam), 0.0)
            scale = scale * self.lam
        start, end = self.support()
        # From the nearer end, so that both ends are met exactly.
        found = np.where(place < 1.0, start + (end - start) * place, end)
        return np.where(allowed, found, np.nan)[()]

    def cdf(self, x: ArrayLike) -> FloatArray:
        """The Cantor function: digit after digit, constant in the gaps, its value at an atom behind the jump."""
        x = as_array("x", x).astype(np.float64)
        start, end = self.support()
        if self.lam == 0.0:
            found = np.where(x >= end, 1.0, np.where(x >= start, 0.5, 0.0))
            return np.where(np.isnan(x), np.nan, found)[()]
        place = (x - start) / (end - start)
        total, weight = np.zeros(place.shape), 0.5
        for _ in range(53):
            upper = place >= 1.0 - self.lam
            gap = (place > self.lam) & ~upper
            total = total + np.where(upper | gap, weight, 0.0)
            # In a gap, and left of the support, the digits that follow are all zero.
            inside = np.where(upper, place - (1.0 - self.lam), place) / self.lam
            place = np.where(gap, -1.0, inside)
            weight *= 0.5
        return np.where(np.isnan(x), np.nan, np.where(x >= end, 1.0, total))[()]


class DickmanLaw:
    """The law of the fixed point of x → U(1 + x): density e^(−γ)ρ(x), ρ Dickman's function, cumulants 1/n.

    On each unit interval ρ is a power series [1]_; from 20 on less than 1e−28 is left and is left out.

    References
    ----------
    .. [1] Marsaglia, Zaman, Marsaglia (1989), Numerical solution of some classical differential-difference equations,
       Mathematics of Computation 53.
    """

    TERMS, INTERVALS = 60, 20
    #: Values of the distribution function on each interval from which a quantile starts.
    STARTS = 64

    def __init__(self) -> None:
        # ρ(k − ξ) = Σ c_i ξ^i for 0 ≤ ξ ≤ 1, k = 1, 2, …
        i = np.arange(1, self.TERMS)
        rows = [np.r_[1.0, np.zeros(self.TERMS - 1)], np.r_[1.0 - math.log(2.0), 1.0 / (i * 2.0**i)]]
        for k in range(3, self.INTERVALS + 1):
            sums = [math.fsum(rows[-1][j] / float(k) ** (n - j) for j in range(n)) / n for n in i.tolist()]
            first = math.fsum(c / (n + 2) for n, c in enumerate(sums)) / (k - 1)
            rows.append(np.r_[first, sums])
        self._series = np.array(rows)
        # The integral over each interval, and up to its right end.
        self._masses = (self._series / np.arange(1, self.TERMS + 1)).sum(axis=1) * math.exp(-np.euler_gamma)
        self._cumulated = np.cumsum(self._masses)
        self._integrated = self._series / np.arange(1, self.TERMS + 1)
        self._starts = np.arange(self.INTERVALS * self.STARTS + 1) / self.STARTS
        # Rounding must not take the order from the last values, which are all one.
        self._levels = np.maximum.accumulate(self.cdf(self._starts))

    def __repr__(self) -> str:
        return "DickmanLaw()"

    def pdf(self, x: ArrayLike) -> FloatArray:
        """The density."""
        x = as_array("x", x).astype(np.float64)
        k, xi, inside = self._place(x)
        found = np.where(inside, math.exp(-np.euler_gamma) * _power_series(self._series, k, xi), 0.0)
        return np.where(np.isnan(x), np.nan, found)[()]

    def cdf(self, x: ArrayLike) -> FloatArray:
        """The distribution function."""
        x = as_array("x", x).astype(np.float64)
        k, xi, inside = self._place(x)
        beyond = xi * _power_series(self._integrated, k, xi)  # ∫ from k + 1 − ξ to k + 1
        total = self._cumulated[k] - math.exp(-np.euler_gamma) * beyond
        total = np.where(k == 0, math.exp(-np.euler_gamma) * x, total)  # ρ = 1 on the first interval
        return np.where(np.isnan(x), np.nan, np.where(inside, total, np.where(x > 0.0, 1.0, 0.0)))[()]

    def ppf(self, q: ArrayLike) -> FloatArray:
        """The quantile: infinite at 1, NaN for q outside of [0, 1].

        From a table by Newton's method, to the rounding of the distribution function.
        """
        q = as_array("q", q).astype(np.float64)
        allowed = (q >= 0.0) & (q <= 1.0)
        level = np.where(allowed, q, 0.0)
        k = np.clip(np.searchsorted(self._levels, level), 1, self._levels.size - 1)
        low, high = self._starts[k - 1], self._starts[k]
        # In between the density is smooth and changes by a few percent: the error of the line, below 10⁻³, is squared
        # four times and a half times the relative slope of the density.
        gap = np.maximum(self._levels[k] - self._levels[k - 1], np.finfo(float).tiny)
        x = low + (high - low) * np.clip((level - self._levels[k - 1]) / gap, 0.0, 1.0)
        for _ in range(4):
            with np.errstate(divide="ignore", invalid="ignore"):
                step = (self.cdf(x) - level) / self.pdf(x)
            x = np.clip(x - np.where(np.isfinite(step), step, 0.0), low, high)
        # The first piece is a line.
        x = np.where(level <= math.exp(-np.euler_gamma), level * math.exp(np.euler_gamma), x)
        return np.where(allowed, np.where(level < 1.0, x, np.inf), np.nan)[()]

    def rvs(self, size: int | tuple[int, ...] = 1, random_state: int | np.random.Generator | None = None) -> FloatArray:
        """Samples by inversion."""
        return self.ppf(np.random.default_rng(random_state).random(size))

    def mean(self) -> float:
        """One."""
        return 1.0

    def var(self) -> float:
        """One half."""
        return 0.5

    def moment(self, order: int) -> float:
        """E Z^order from the cumulants 1/n: m_(n+1) = Σ_k C(n, k) m_k/(n + 1 − k)."""
        moments = [1.0]
        for n in range(as_int("order", order, low=0, high=150)):
            moments.append(math.fsum(math.comb(n, k) * moments[k] / (n + 1 - k) for k in range(n + 1)))
        return moments[order]

    def _place(self, x: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = as_array("x", x).astype(np.float64)
        inside = (x > 0.0) & (x < self.INTERVALS)
        k = np.where(inside, np.ceil(np.where(inside, x, 1.0)) - 1.0, 0.0).astype(np.intp)
        return k, np.where(inside, k + 1.0 - x, 0.0), inside


def _power_series(coefficients: FloatArray, row: IntArray, x: FloatArray) -> FloatArray:
    """Σ c_i x^i with the coefficients of the row of each x, by Horner's rule."""
    total = np.zeros(np.shape(x))
    for column in coefficients.T[::-1]:
        total = total * x + column[row]
    return total
