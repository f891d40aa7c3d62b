"""The maps of SGD on least squares: their linear parts are rank-one updates, and are never written out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iterorder.chunks import chunks
from iterorder.theory.affine.half_vectorisation import products_of_vectors, sum_operator


@dataclass(frozen=True, eq=False)
class RankOneItems:
    """Items of least squares with ridge: D_i = −h(a_i a_iᵀ + ridge·I), b_i = h t_i a_i.

    Attributes
    ----------
    features : ndarray, shape (n, d)
        The rows a_i.
    targets : ndarray, shape (n,)
        The t_i.
    step_size, ridge : float
        The numbers h and ridge of the formula.
    """

    features: np.ndarray
    targets: np.ndarray
    step_size: float
    ridge: float

    symmetric = True

    @property
    def n_items(self) -> int:
        """The number of items."""
        return len(self.features)

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.features.shape[1]

    @property
    def entries_per_item(self) -> int:
        """Numbers in a row."""
        return self.dim

    @cached_property
    def equal(self) -> bool:
        """Whether all rows are the same up to their sign."""
        signs = np.where(self.features @ self.features[0] < 0.0, -1.0, 1.0)
        return bool((self.features * signs[:, None] == self.features[0]).all())

    def select(self, chosen) -> RankOneItems:
        """The items at these indices, or where this mask holds."""
        return RankOneItems(self.features[chosen], self.targets[chosen], self.step_size, self.ridge)

    def mean_increment(self, weights) -> np.ndarray:
        """Σ w_i D_i."""
        covariance = (weights[:, None] * self.features).T @ self.features
        return -self.step_size * (0.5 * (covariance + covariance.T) + self.ridge * np.eye(self.dim))

    def mean_offset(self, weights) -> np.ndarray:
        """Σ w_i b_i."""
        return self.step_size * ((weights * self.targets) @ self.features)

    def mean_square(self, matrix, weights) -> np.ndarray:
        """h² Σ w_i [ridge² C + ridge(aaᵀC + Caaᵀ) + (aᵀCa)aaᵀ]."""
        quartic, covariance = np.zeros((2, self.dim, self.dim))
        for part in chunks(self.n_items, self.dim):
            a = self.features[part]
            stretch = weights[part] * np.einsum("nd,nd->n", a @ matrix, a)
            quartic += (stretch[:, None] * a).T @ a
            if self.ridge:
                covariance += (weights[part, None] * a).T @ a
        if self.ridge:
            cross = covariance @ matrix
            quartic += self.ridge * (cross + cross.T) + self.ridge**2 * weights.sum() * matrix
        return self.step_size**2 * quartic

    def mean_square_matrix(self, weights) -> np.ndarray:
        """The matrix of C → Σ w_i D_i C D_iᵀ on half vectors: (aᵀCa)aaᵀ is half(aaᵀ)half(aaᵀ)ᵀ half(C)."""
        size = self.dim * (self.dim + 1) // 2
        operator = np.zeros((size, size))
        for part in chunks(self.n_items, size):
            pairs = products_of_vectors(self.features[part])
            operator += (weights[part, None] * pairs).T @ pairs
        operator = 0.5 * (operator + operator.T)
        if self.ridge:
            covariance = self.mean_increment(weights) / -self.step_size - self.ridge * np.eye(self.dim)
            operator += self.ridge * sum_operator(covariance) + self.ridge**2 * weights.sum() * np.eye(size)
        return self.step_size**2 * operator

    def residuals(self, x) -> np.ndarray:
        """T_i(x) − x = −h(a_i(a_iᵀx − t_i) + ridge·x)."""
        return -self.step_size * ((self.features @ x - self.targets)[:, None] * self.features + self.ridge * x)

    def batch_maps(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """Increments and offsets of the means over batches."""
        size = rows.shape[1]
        increments = np.empty((len(rows), self.dim, self.dim))
        offsets = np.empty((len(rows), self.dim))
        for part in chunks(len(rows), size * self.dim):
            a, t = self.features[rows[part]], self.targets[rows[part]]
            increments[part] = -self.step_size * (np.swapaxes(a, 1, 2) @ a / size + self.ridge * np.eye(self.dim))
            offsets[part] = self.step_size * np.einsum("mb,mbd->md", t, a) / size
        return increments, offsets

    def batch_linear_parts(self, rows) -> np.ndarray:
        """The means of the A_i over batches."""
        return np.eye(self.dim) + self.batch_maps(rows)[0]

    def push(self, vectors, rows) -> np.ndarray:
        """A v with the mean A of each batch."""
        a = self.features[rows]
        along = vectors @ np.swapaxes(a, 1, 2)
        return (1.0 - self.step_size * self.ridge) * vectors - (self.step_size / rows.shape[1]) * (along @ a)

    def sizes(self) -> np.ndarray:
        """1 + h(‖a_i‖² + ridge)."""
        return 1.0 + self.step_size * (np.einsum("nd,nd->n", self.features, self.features) + self.ridge)

    def norms(self) -> np.ndarray:
        """The spectral norms of the linear parts: D_i has the eigenvalues −h(‖a‖² + ridge) and, in d > 1, −h·ridge."""
        along = np.abs(1.0 - self.step_size * (np.einsum("nd,nd->n", self.features, self.features) + self.ridge))
        return along if self.dim == 1 else np.maximum(along, abs(1.0 - self.step_size * self.ridge))
