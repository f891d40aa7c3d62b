"""Least squares on fresh Gaussian data: moments in closed form, exponent and tail by quadrature in one dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

import numpy as np

from iterorder import noise
from iterorder.estimate import Estimate
from iterorder.maps.gaussian_regression import GaussianRegressionSGD
from iterorder.theory.analysis import Analysis
from iterorder.theory.growth import DRAW_COST, STEP_COST, WORK, exponents, follow, n_replicas_for, planned, replica_cost
from iterorder.theory.step_draws import BLOCK_ENTRIES
from iterorder.theory.tangent import Frames, generator, orthonormalise, slowest_directions
from iterorder.theory.undefined import Undefined


class GaussianAnalysis(Analysis):
    """x → x − h·a(aᵀx − b), a ~ N(0, diag λ), b ~ N(0, s²)."""

    maps: GaussianRegressionSGD

    @cached_property
    def exponent(self) -> Estimate:
        """E log|1 − hλg²| in one dimension; else the mean growth of vectors."""
        return self._spectrum(1)[0]

    def _spectrum(self, k: int) -> tuple[Estimate, ...]:
        """Directions without data stay as they are, and those with data do not see them."""
        used = self._curvatures[self._curvatures > 0.0]
        if len(used) == 1:
            found: tuple[Estimate, ...] = (Estimate.of(log_moment(float(used[0]))),)
        else:
            found = self._grown(min(k, len(used))) if len(used) else ()
        kept = (Estimate.of(0.0) for _ in range(self.maps.dim - len(used)))
        return tuple(sorted((*found, *kept), key=lambda estimate: -estimate.value)[:k])

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
        self._refuse_beyond_the_line()
        if self.maps.noise_std == 0.0:
            raise Undefined("the stationary law is a point: the targets have no noise")
        if self.exponent.value >= 0.0:
            raise Undefined("there is no stationary law with a tail: E log|a| is not negative")
        from scipy.optimize import brentq

        c, high = float(self._curvatures[0]), 1.0
        while log_abs_moment(c, high) < 0.0:  # g is unbounded: the moments grow beyond every bound
            high *= 2.0
        low = high
        while log_abs_moment(c, low) >= 0.0:  # and are below one for small κ > 0, as E log|a| < 0
            low *= 0.5
        return Estimate.of(brentq(lambda k: log_abs_moment(c, k), low, high, xtol=1e-13, rtol=1e-13))

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

    def _grown(self, k: int) -> tuple[Estimate, ...]:
        """The growth of vectors under the linear parts that `simulate` meets with this seed."""
        used = np.flatnonzero(self._curvatures > 0.0)
        n_vectors = min(k + 1, len(used))
        cost = replica_cost(len(used), self.maps.dim, 1, n_vectors) + DRAW_COST * self.maps.dim
        replicas = n_replicas_for(cost, n_vectors)
        plan = planned(1, STEP_COST + replicas * cost, WORK[self.effort])
        # Small steps shrink the coordinates one by one, that of least curvature last.
        mean = np.diag(1.0 - self._curvatures[used])
        frames = slowest_directions(mean, np.empty((replicas, 0, len(used))), n_vectors, generator(self.seed))
        tangent = _GaussianTangent(np.sqrt(self._curvatures[used]), frames)
        return exponents(follow(tangent, self._features(replicas, plan.n_steps, used), plan))[:k]

    def _features(self, replicas: int, n_steps: int, used) -> Iterator[np.ndarray]:
        """Blocks of normals of the features with data, each (steps, R, len(used))."""
        length = max(1, BLOCK_ENTRIES // (replicas * (self.maps.dim + 1)))
        for first in range(0, n_steps, length):
            steps = np.arange(first, min(first + length, n_steps))[:, None]
            yield noise.normals(self.seed, np.arange(replicas), steps, self.maps.dim + 1)[:, :, used]


class _GaussianTangent(Frames):
    """Tangent vectors under I − c^½ g gᵀ c^½, g normal."""

    def __init__(self, roots, frames) -> None:
        self._roots, self._frames = roots, np.array(frames)
        orthonormalise(self._frames, 0.0)

    def advance(self, rows) -> np.ndarray:
        """Multiply by the linear parts of the normals (R, d)."""
        a = rows * self._roots
        self._frames = self._frames - np.einsum("rd,rkd->rk", a, self._frames)[:, :, None] * a[:, None]
        return orthonormalise(self._frames, 0.0)


EPS = float(np.finfo(np.float64).eps)
#: Of larger numbers the exponential overflows.
LARGEST_LOG = math.log(np.finfo(np.float64).max)


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
    """E|1 − c·g²|^power, infinite beyond the range of floating point.

    Examples
    --------
    >>> round(abs_moment(2 / 3, 2.0), 12)
    1.0
    """
    log = log_abs_moment(curvature, power)
    return math.exp(log) if log < LARGEST_LOG else math.inf


def log_abs_moment(curvature: float, power: float) -> float:
    """log E|1 − c·g²|^power: of large powers neither the moment nor the normal density where it arises are numbers.

    The integrand has a peak at zero, and one at g² = 1/c + 2·power; the larger is divided out.

    Examples
    --------
    >>> round(log_abs_moment(0.5, 2.0) - math.log(1 - 2 * 0.5 + 3 * 0.25), 12)
    0.0
    """
    from scipy.integrate import quad

    def log_density(g: float) -> float:
        size = abs(1.0 - curvature * g * g)
        return power * math.log(size) - 0.5 * g * g if size > 0.0 else -math.inf

    zero, width = curvature**-0.5, (1.0 + 2.0 * power * curvature) ** -0.5
    peak = math.hypot(zero, math.sqrt(2.0 * power))
    largest = max(0.0, power * math.log(2.0 * power * curvature) - 0.5 * peak * peak)
    if power > 1.0 / EPS:  # what the integral adds to this is below its rounding
        return largest
    # Beyond 40 of its widths, at most one beside the outer peak, the integrand is below 1e−347 of its largest value.
    ends = 40.0 * width, max(zero, peak - 40.0), peak + 40.0
    cuts = sorted({0.0, 4.0 * width, min(ends[0], zero), min(2.0 * zero, peak), zero, ends[1], peak, ends[2]})
    density = lambda g: math.sqrt(2.0 / math.pi) * math.exp(log_density(g) - largest)  # noqa: E731
    # The exponent is rounded like its parts, of which the square is the largest.
    tol = max(1e-13, 16.0 * EPS * (1.0 + 0.5 * peak * peak))
    parts = [quad(density, a, b, epsabs=0.1 * tol, epsrel=tol, limit=400)[0] for a, b in pairwise(cuts)]
    return largest + math.log(math.fsum(parts))
