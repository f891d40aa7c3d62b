"""Least squares on fresh Gaussian data: moments in closed form, exponent and tail by quadrature in one dimension."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise

import numpy as np

from iterorder import noise
from iterorder.estimate import Estimate
from iterorder.maps.gaussian_regression import GaussianRegressionSGD
from iterorder.theory.analysis import Analysis
from iterorder.theory.undefined import Undefined

#: Replicas and steps of a Monte Carlo exponent; the first quarter of the steps is left out.
REPLICAS, STEPS = 256, {"quick": 2_000, "full": 32_000}
BLOCK = 250


class GaussianAnalysis(Analysis):
    """x → x − h·a(aᵀx − b), a ~ N(0, diag λ), b ~ N(0, s²)."""

    maps: GaussianRegressionSGD

    @cached_property
    def exponent(self) -> Estimate:
        """E log|1 − hλg²| in one dimension; else the mean growth of vectors."""
        curvatures = self._curvatures
        if (curvatures == 0.0).any():
            return Estimate.of(0.0)  # that direction stays as it is, and no other grows in its place
        if self.maps.dim == 1:
            return Estimate.of(log_moment(float(curvatures[0])))
        return self._grown()

    def mean_square_radius(self) -> Estimate:
        """The largest eigenvalue of C → E[A C Aᵀ], on diagonal and on off-diagonal matrices."""
        c = self._curvatures
        diagonal = np.diag(1.0 - 2.0 * c + 2.0 * c * c) + np.outer(c, c)
        pairs = 1.0 - np.add.outer(c, c) + 2.0 * np.outer(c, c)
        np.fill_diagonal(pairs, 0.0)
        return Estimate.of(max(float(np.linalg.eigvalsh(diagonal)[-1]), float(np.abs(pairs).max())))

    def mean_square(self, matrix: np.ndarray) -> np.ndarray:
        """E[A C Aᵀ] of a symmetric C, shape (d, d): by Isserlis' formula for the fourth moments of the features."""
        c = self._curvatures
        drift = c[:, None] * matrix
        return matrix - drift - drift.T + 2.0 * c[:, None] * matrix * c + float(c @ np.diag(matrix)) * np.diag(c)

    def mean_square_stable(self) -> bool:
        """hλ_max < 1 and S = ½Σ hλ/(1 − hλ) < 1, and every direction has data."""
        c = self._curvatures
        return bool((c > 0.0).all() and c.max() < 1.0 and self._spread < 1.0)

    def mean(self) -> np.ndarray:
        """Zero: the targets have no mean."""
        stable = self.mean_square_stable()
        if not stable and not (self.maps.dim == 1 and abs_moment(float(self._curvatures[0]), 1.0) < 1.0):
            raise Undefined(
                "the first moment is infinite, or not known to be finite: the system is not mean-square stable"
            )
        return np.zeros(self.maps.dim)

    def covariance(self) -> np.ndarray:
        """Diagonal, hs²/(2(1 − hλ_i)(1 − S))."""
        if not self.mean_square_stable():
            raise Undefined(
                "the variance is infinite: hλ_max ≥ 1, S = ½Σ hλ/(1−hλ) ≥ 1, or a direction has no data "
                f"(h·λ_max = {self._curvatures.max():.6g}, S = {self._spread:.6g})"
            )
        h, s = self.maps.step_size, self.maps.noise_std
        return np.diag(h * s * s / (2.0 * (1.0 - self._curvatures) * (1.0 - self._spread)))

    def tail_index(self) -> Estimate:
        """The root of E|1 − hλg²|^κ = 1 in one dimension."""
        if self.maps.dim > 1:
            raise Undefined("the tail index is computed in one dimension only")
        if self.maps.noise_std == 0.0:
            raise Undefined("the stationary law is a point: the targets have no noise")
        if self.exponent.value >= 0.0:
            raise Undefined("there is no stationary law with a tail: E log|a| is not negative")
        from scipy.optimize import brentq

        c, high = float(self._curvatures[0]), 1.0
        while abs_moment(c, high) < 1.0:  # g is unbounded: the moments grow beyond every bound
            high *= 2.0
        low = high
        while abs_moment(c, low) >= 1.0:  # and are below one for small κ > 0, as E log|a| < 0
            low *= 0.5
        return Estimate.of(brentq(lambda k: math.log(abs_moment(c, k)), low, high, xtol=1e-13, rtol=1e-13))

    def common_fixed_point(self) -> np.ndarray:
        """The origin, if the targets are all zero."""
        if self.maps.noise_std > 0.0:
            raise Undefined("the maps have no common fixed point: the targets are noise")
        return np.zeros(self.maps.dim)

    @property
    def _curvatures(self) -> np.ndarray:
        return self.maps.step_size * self.maps.eigenvalues

    @property
    def _spread(self) -> float:
        c = self._curvatures
        return 0.5 * float((c / (1.0 - c)).sum()) if c.max() < 1.0 else math.inf

    def _grown(self) -> Estimate:
        """The growth of vectors under the linear parts that `simulate` meets with this seed."""
        roots, h = self.maps.params[0], self.maps.step_size
        steps = STEPS[self.effort]
        x = np.full((REPLICAS, self.maps.dim), self.maps.dim**-0.5)
        total = np.zeros(REPLICAS)
        for first in range(0, steps, BLOCK):
            steps_of_block = np.arange(first, first + BLOCK)
            draws = noise.normals(self.seed, np.arange(REPLICAS)[:, None], steps_of_block, self.maps.dim + 1)
            for k in range(BLOCK):
                a = draws[:, k, :-1] * roots
                x = x - h * np.einsum("rd,rd->r", a, x)[:, None] * a
            norms = np.linalg.norm(x, axis=1)
            x = x / norms[:, None]
            if first >= steps // 4:
                total += np.log(norms)
        rates = total / (steps - -(-steps // 4 // BLOCK) * BLOCK)
        return Estimate.from_mean(float(rates.mean()), float(rates.std(ddof=1)) / math.sqrt(REPLICAS))


def _halves(curvature: float, function) -> float:
    """E function(|1 − c·g²|) over a standard normal g, split where the argument vanishes."""
    from scipy.integrate import quad

    zero = curvature**-0.5
    density = lambda g: math.sqrt(2.0 / math.pi) * math.exp(-0.5 * g * g) * function(abs(1.0 - curvature * g * g))  # noqa: E731
    # Beyond 40 the density is below 1e−347. The logarithm at zero is integrable.
    cuts = [0.0, *sorted({min(zero, 39.0), min(2.0 * zero, 39.5)}), 40.0]
    return math.fsum(quad(density, a, b, epsabs=1e-14, epsrel=1e-13, limit=400)[0] for a, b in pairwise(cuts))


def log_moment(curvature: float) -> float:
    """E log|1 − c·g²|.

    Examples
    --------
    >>> abs(log_moment(2.42125)) < 1e-6
    True
    """
    return _halves(curvature, lambda a: math.log(a) if a > 0.0 else 0.0)


def abs_moment(curvature: float, power: float) -> float:
    """E|1 − c·g²|^power.

    Examples
    --------
    >>> round(abs_moment(2 / 3, 2.0), 12)
    1.0
    """
    return _halves(curvature, lambda a: a**power)
