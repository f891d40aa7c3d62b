"""Mean and covariance of the stationary law of an affine system, and the operator that decides whether they exist.

With the maps x → x + D x + b, m the mean and r = D m + b, the stationary covariance C solves

    −G(C) = E rrᵀ,   G(C) = E[A C Aᵀ] − C = E[D C + C Dᵀ + D C Dᵀ],

the formula of theory.md for the maps centred at m (C6). The second-moment operator C → E[A C Aᵀ] keeps the cone of
positive semidefinite matrices, so that its spectral radius ρ is an eigenvalue, 1 plus the rightmost eigenvalue of G,
with a semidefinite eigenmatrix; the system is mean-square stable iff ρ < 1 (C7, C18).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from iterorder.lengths import euclidean_norm
from iterorder.theory.affine import iterative
from iterorder.theory.affine.half_vectorisation import from_half, half_size, sum_operator, to_half
from iterorder.theory.affine.items import turned, turned_increment
from iterorder.theory.affine.law import AffineLaw
from iterorder.theory.affine.mean import fixed_point_of_mean
from iterorder.theory.affine.radius import MAX_DIM, moduli_less_one
from iterorder.theory.affine.twofold import Twofold, refined, total, transposed
from iterorder.theory.undefined import Undefined

#: Up to this many unknowns d(d+1)/2 (d = 54) G is a full matrix; above, it is only applied.
MAX_DENSE_UNKNOWNS = 1500
#: Multiplications that an iterative solver may use (tens of seconds), and applications of G that it should not need.
MAX_WORK = 2**38
MAX_APPLICATIONS = 3000
#: The condition of an equation from which on its solution is corrected: so much of the precision is lost.
LOST_DIGITS = 64.0
#: What a last correction may amount to, relative to the solution: more says that the equation is not solved.
UNSOLVED = 2.0**-26
#: With fewer applications than this none is started.
MIN_APPLICATIONS = 100
EPS = float(np.finfo(np.float64).eps)


class SecondMoments:
    """The generator G(C) = E[A C Aᵀ] − C of the second moments of one step.

    Parameters
    ----------
    law : AffineLaw
        That of the map of one step.

    Examples
    --------
    >>> from iterorder.theory.affine.items import DenseItems
    >>> law = AffineLaw(DenseItems(np.array([[[-0.5]], [[-1.5]]]), np.zeros((2, 1))), np.array([0.5, 0.5]))
    >>> 1 + SecondMoments(law).excess  # E a² with a = ±½
    0.25
    """

    def __init__(self, law: AffineLaw) -> None:
        self.law = law
        self.size = half_size(law.dim)
        self.dense = self.size <= MAX_DENSE_UNKNOWNS
        # A C Aᵀ is averaged with weight f over the items and 1 − f at the mean, see AffineLaw: each with the sign of A
        # for which A − I has the most digits.
        self._centre_share = 1.0 - law.single_share
        self._items = turned(law.items)
        self._single = law.mean_increment if self._items is law.items else self._items.mean_increment(law.weights)
        mean = law.mean_increment
        self._centre = mean if np.trace(mean) >= -law.dim else turned_increment(mean)
        # Both drifts as one.
        self._drift = law.single_share * self._single + self._centre_share * self._centre

    @cached_property
    def scale(self) -> float:
        """A bound for the norm of G and for all that is rounded on the way: 2√q + q, q = E‖D‖² of the single items.

        ‖E D‖ would not do: it may cancel, and the rounding of its terms does not. Nor the −A − I that a turned item has
        where D itself is a rounded product: an A that was given is not.
        """
        items = self.law.items if self.law.twofold is None else self._items
        square = float(np.trace(items.mean_square(np.eye(self.law.dim), self.law.weights)))
        return 2.0 * square**0.5 + square

    def apply(self, matrix) -> np.ndarray:
        """G(C) for a symmetric C, shape (d, d)."""
        drift, centre = self._drift @ matrix, self._centre
        spread = self.law.single_share * self._items.mean_square(matrix, self.law.weights)
        return drift + drift.T + spread + self._centre_share * (centre @ matrix @ centre.T)

    def apply_often(self, matrix) -> np.ndarray:
        """`apply`, by the matrix of G where that multiplies fewer numbers: for thousands of applications."""
        items = self.law.items
        if not self.dense or self.size**2 > 2 * items.n_items * items.entries_per_item * self.law.dim:
            return self.apply(matrix)
        return from_half(self.matrix @ to_half(matrix), self.law.dim)

    @cached_property
    def matrix(self) -> np.ndarray:
        """G on half vectors, shape (d(d+1)/2, d(d+1)/2); symmetric if the maps are."""
        law, centre = self.law, self._centre
        operator = law.single_share * self._items.mean_square_matrix(law.weights) + sum_operator(self._drift)
        if self._centre_share:
            # C → M C Mᵀ is half of the square of C → MC + CMᵀ, less the parts with M².
            once = sum_operator(centre)
            operator += self._centre_share * 0.5 * (once @ once - sum_operator(centre @ centre))
        return 0.5 * (operator + operator.T) if law.items.symmetric else operator

    @cached_property
    def excess(self) -> float:
        """The spectral radius of C → E[A C Aᵀ], less one: the rightmost eigenvalue of G."""
        self._refuse_out_of_reach()
        if self._deterministic:
            maps = self.law.twofold
            if maps is not None and self.law.dim <= MAX_DIM:
                return float(moduli_less_one(maps.increments[0])[0])
            return _excess_of_one(self._single if self.law.single_share else self._centre)
        if not self.dense:
            return self._iterated[0]
        if not self.law.items.symmetric:
            return float(np.linalg.eigvals(self.matrix).real.max())
        from scipy.linalg import eigvalsh

        return float(eigvalsh(self.matrix, subset_by_index=[self.size - 1, self.size - 1])[0])

    @cached_property
    def contracts(self) -> bool:
        """Whether the spectral radius is below one, to rounding: the sign of `excess`, mostly without an eigenvalue.

        X = Σ_k (C → E[A C Aᵀ])^k I solves −G(X) = I, and a solution is positive semidefinite iff the series converges.
        """
        if self._deterministic or not self.dense:
            return self.excess < 0.0
        self._refuse_out_of_reach()
        if self.law.items.symmetric:
            from scipy.linalg.lapack import dpotrf

            return bool(dpotrf(-self.matrix)[1] == 0)  # whether −G is positive definite
        if self._factors is None:
            return False
        try:
            solution = self.solve(np.eye(self.law.dim))
        except Undefined:  # so near to one that rounding decides: an eigenvalue has a sign still
            return self.excess < 0.0
        return bool(np.isfinite(solution).all() and np.linalg.eigvalsh(solution)[0] > 0.0)

    @cached_property
    def shape(self) -> np.ndarray:
        """The eigenmatrix of the spectral radius: positive semidefinite, of trace d, shape (d, d)."""
        self._refuse_out_of_reach()
        if self.dense:
            vector = _inverse_iteration(self.matrix, self.excess, EPS * self.size * self.scale, self.law.dim)
        else:
            vector = self._iterated[1]
        matrix = from_half(vector, self.law.dim)
        values, vectors = np.linalg.eigh(matrix * np.sign(np.trace(matrix)))
        values = np.maximum(values, 0.0)
        return self.law.dim * (vectors * values) @ vectors.T / values.sum()

    @cached_property
    def _iterated(self) -> tuple[float, np.ndarray]:
        return iterative.rightmost(self)

    @property
    def _deterministic(self) -> bool:
        """Whether the linear part is no random one: a single map, equal ones, or batches of all items."""
        return self.law.single_share == 0.0 or self.law.items.equal

    def covariance(self) -> np.ndarray:
        """The stationary covariance of a mean-square stable system, shape (d, d), without a negative variance.

        Raises
        ------
        Undefined
            If rounding leaves nothing of it, or as `solve` does.
        """
        covariance = self.solve(self.law.noise_covariance(fixed_point_of_mean(self.law)))
        if not np.isfinite(covariance).all():
            raise Undefined("the covariance, or its equation, exceeds the range of floating point: give a larger unit")
        variances = np.diag(covariance)
        if not (variances >= -UNSOLVED * float(euclidean_norm(covariance.ravel()))).all():
            raise Undefined("rounding leaves no digit of the covariance: it would have a negative variance")
        # A direction without noise: with its variance the covariances vanish.
        moving = variances > 0.0
        return np.where(moving[:, None] & moving, covariance, 0.0)

    def solve(self, source: np.ndarray | Twofold) -> np.ndarray:
        """The symmetric C with −G(C) = source; for a mean-square stable system, and up to rounding.

        Raises
        ------
        Undefined
            If G is singular to rounding or an iterative solver does not converge.
        """
        self._refuse_out_of_reach()
        exact = source if isinstance(source, Twofold) else Twofold(source)
        if not self.dense:
            return iterative.solve(self, exact.rounded)
        if self._factors is None:
            raise Undefined("the second-moment equation C = E[A C Aᵀ] + R is singular")
        solution = self._solved(exact.rounded)
        if self.law.twofold is None or not self._loses_digits:
            return solution
        solution, last = refined(solution, lambda c: self._solved((exact + self._moved(c)).rounded))
        if not last <= UNSOLVED:
            raise Undefined("the second-moment equation C = E[A C Aᵀ] + R is singular to rounding")
        return solution

    def _solved(self, source) -> np.ndarray:
        return from_half(_solve_factored(self._factors, to_half(source)), self.law.dim)

    def _moved(self, matrix) -> Twofold:
        """G(C) for a symmetric C, in twice the precision."""
        maps = self.law.twofold
        assert maps is not None, "only such laws are corrected"
        once = maps.increments @ matrix  # D C
        terms = once + transposed(once) + once @ transposed(maps.increments)
        return total(terms * self.law.weights[:, None, None])

    @cached_property
    def _loses_digits(self) -> bool:
        """Whether ‖G‖·‖G⁻¹‖ is large, by the solution of −G(X) = I: another source may miss the slow directions."""
        solution = self._solved(np.eye(self.law.dim))
        return bool(self.scale * np.linalg.norm(solution) > LOST_DIGITS)

    @cached_property
    def _factors(self) -> tuple[np.ndarray, np.ndarray] | None:
        return _factored(-self.matrix)

    @cached_property
    def certified_stable(self) -> bool:
        """Whether the solution X of −G(X) = I proves that the spectral radius is below one, in floating point.

        X ⪰ 0 and −G(X) = X − E[A X Aᵀ] positive definite are sufficient; the second holds if the residual of the
        equation and the rounding of its evaluation add up to less than the smallest eigenvalue of I.
        """
        if not self.dense and self._mean_is_too_slow:
            return False
        identity = np.eye(self.law.dim)
        try:
            solution = self.solve(identity)
        except Undefined:
            return False
        size = float(np.linalg.norm(solution))
        if not np.isfinite(size) or np.linalg.eigvalsh(solution)[0] <= 0.0:
            return False
        residual = float(np.linalg.norm(self.apply(solution) + identity))
        return residual + self._rounding_of_application * size < 1.0

    @property
    def _rounding_of_application(self) -> float:
        """Of G(X), relative to ‖X‖: an application sums at most n + 2d products for each entry.

        n enters below its square root by cancellation of signs, but the bound takes it in full.
        """
        return (self.law.items.n_items + 2 * self.law.dim) * EPS * self.scale

    @property
    def _mean_is_too_slow(self) -> bool:
        """Whether E A alone makes the certificate fail, as where fewer points than dimensions leave directions alone.

        With 1 − δ the spectral radius of E A, X ⪰ Σ_k (E A)^k (E A)^kᵀ has a norm of at least 1/(1 − (1 − δ)²), above
        1/2δ. An iterative solver would use all its applications to find that out.
        """
        increments = self.law.mean_increment
        values = np.linalg.eigvalsh(increments) if self.law.items.symmetric else np.linalg.eigvals(increments)
        slowest = float((-(2.0 * values.real + abs(values) ** 2) / (1.0 + abs(1.0 + values))).min())  # 1 − |1 + λ|
        return slowest <= 0.5 * self._rounding_of_application

    @cached_property
    def stable(self) -> bool | None:
        """Whether the system is mean-square stable; None where rounding hides whether the radius is below one."""
        if self.certified_stable:
            return True
        # Backward error of an eigenvalue solver on a matrix of this size; the eigenvalues of a symmetric one move by
        # no more, those of another can be far more sensitive, and only the certificate decides.
        rounding = self.size * EPS * self.scale
        if self.excess > rounding:
            return False
        return True if self.law.items.symmetric and self.excess < -rounding else None

    def _refuse_out_of_reach(self) -> None:
        if not np.isfinite(self.scale):
            raise Undefined("the second moments of the linear parts exceed the range of floating point")
        if not self.dense and self.applications < MIN_APPLICATIONS:
            raise Undefined(
                f"the second moments of {self.law.items.n_items} maps in {self.law.dim} dimensions take more work than "
                "is tried: give fewer points, or project them on fewer dimensions"
            )

    @property
    def applications(self) -> int:
        """How often an iterative solver may apply G."""
        cost = self.law.items.n_items * self.law.items.entries_per_item * self.law.dim
        return min(MAX_APPLICATIONS, MAX_WORK // cost)


def _excess_of_one(increment) -> float:
    """ρ(A)² − 1 from D = A − I: |1 + δ|² = 1 + 2 Re δ + |δ|² for its eigenvalues δ."""
    symmetric = np.array_equal(increment, increment.T)
    values = np.linalg.eigvalsh(increment) if symmetric else np.linalg.eigvals(increment)
    return float((2.0 * values.real + np.abs(values) ** 2).max())


def _inverse_iteration(matrix, eigenvalue, shift, dim) -> np.ndarray:
    """The eigenvector of the rightmost eigenvalue, from the identity: of several, the one well inside the cone."""
    vector = to_half(np.eye(dim))
    # The shift keeps the system from being exactly singular; one step divides by it, the second reaches rounding.
    shifted = (eigenvalue + max(shift, np.finfo(np.float64).tiny)) * np.eye(len(matrix)) - matrix
    # Divided by its size, as the solutions would otherwise be of the inverse size, and their squares underflow.
    factors = _factored(shifted / np.abs(shifted).max())
    for _ in range(2 if factors is not None else 0):
        vector = _solve_factored(factors, vector)
        vector /= np.linalg.norm(vector)
    return vector


def _factored(matrix) -> tuple[np.ndarray, np.ndarray] | None:
    """The LU factors and pivots of a matrix, None where it is exactly singular."""
    from scipy.linalg.lapack import dgetrf

    factors, pivots, zero_pivot = dgetrf(matrix)
    return None if zero_pivot else (factors, pivots)


def _solve_factored(factors, target) -> np.ndarray:
    from scipy.linalg.lapack import dgetrs

    return dgetrs(*factors, target)[0]
