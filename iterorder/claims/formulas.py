"""The formulas of theory.md for affine systems, written down literally: what `theory` computes in another way.

A map is read off its literal application, T(0) and T(e_j), and the equations are solved with Kronecker products.
Batches of B distinct items of n: any bilinear expectation is f·(mean over items) + (1−f)·(product of means),
f = (n−B)/(B(n−1)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iterorder.maps.base import RandomMaps


@dataclass(frozen=True, eq=False)
class AffineSystem:
    """The maps x → A_i x + b_i of single items and what a step makes of them.

    Attributes
    ----------
    matrices : ndarray, shape (n, d, d)
        The linear parts A_i.
    offsets : ndarray, shape (n, d)
        The b_i.
    weights : ndarray, shape (n,)
        The probability that a slot of a step holds each item; they add up to one.
    share : float
        The f above; 1 for single items.
    """

    matrices: np.ndarray
    offsets: np.ndarray
    weights: np.ndarray
    share: float

    @classmethod
    def of(cls, maps: RandomMaps) -> AffineSystem:
        """Read the maps of an affine family off their values at 0 and at the unit vectors."""
        law = maps.sampling_law
        identity = np.eye(maps.dim)
        offsets = np.array([maps.apply(np.zeros(maps.dim), i) for i in range(law.n_items)])
        matrices = np.array([(maps.apply(identity, i) - offsets[i]).T for i in range(law.n_items)])
        n, size = law.n_items, law.batch_size
        return cls(matrices, offsets, law.weights, 1.0 if size == 1 else (n - size) / (size * (n - 1)))

    @cached_property
    def mean_matrix(self) -> np.ndarray:
        """E A, shape (d, d)."""
        return np.tensordot(self.weights, self.matrices, axes=1)

    @cached_property
    def mean(self) -> np.ndarray:
        """m = (I − E A)⁻¹ E b (C6)."""
        return np.linalg.solve(np.eye(self.offsets.shape[1]) - self.mean_matrix, self.weights @ self.offsets)

    @cached_property
    def second_moment_operator(self) -> np.ndarray:
        """E A⊗A, shape (d², d²)."""
        d = self.offsets.shape[1]
        singles = np.einsum("n,nij,nkl->ikjl", self.weights, self.matrices, self.matrices).reshape(d * d, d * d)
        return self.share * singles + (1.0 - self.share) * np.kron(self.mean_matrix, self.mean_matrix)

    @cached_property
    def radius(self) -> float:
        """ρ(E A⊗A): mean-square stable iff below one."""
        return float(np.abs(np.linalg.eigvals(self.second_moment_operator)).max())

    @cached_property
    def covariance(self) -> np.ndarray:
        """vec C = (I − E A⊗A)⁻¹ vec E rrᵀ, r = (A−I)m + b: the formula of C6 for the maps centred at m."""
        d = self.offsets.shape[1]
        noise = self._residuals.T @ (self.weights[:, None] * self._residuals) * self.share
        solution = np.linalg.solve(np.eye(d * d) - self.second_moment_operator, noise.reshape(-1)).reshape(d, d)
        return 0.5 * (solution + solution.T)

    @cached_property
    def mean_square_increment(self) -> float:
        """E_π E‖T(x) − x‖² (C3)."""
        covariance = self.covariance
        increments = self.matrices - np.eye(self.offsets.shape[1])
        mean_increment = np.tensordot(self.weights, increments, axes=1)
        spread = np.einsum("n,nij,jk,nik->", self.weights, increments, covariance, increments)
        noise = float(self.weights @ (self._residuals**2).sum(axis=1))
        drift = float(np.trace(mean_increment @ covariance @ mean_increment.T))
        return self.share * (float(spread) + noise) + (1.0 - self.share) * drift

    @cached_property
    def _residuals(self) -> np.ndarray:
        """T_i(m) − m, shape (n, d)."""
        mean = self.mean
        return self.matrices @ mean + self.offsets - mean
