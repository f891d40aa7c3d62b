"""The maps of an affine system as numbers, in full or as rank-one updates.

A map x → A x + b is kept as its *increment* D = A − I and its offset b: for small step sizes I − A and all that is
built on it would lose the digits that D has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from iterorder.half_vectorisation import congruence_operator, products_of_vectors, sum_operator
from iterorder.maps.affine import AffineMaps
from iterorder.maps.base import RandomMaps
from iterorder.maps.linear_regression import LinearRegressionSGD
from iterorder.maps.quadratic import QuadraticSGD

#: Numbers in a temporary array (32 MiB): items are taken in chunks below this.
CHUNK_ENTRIES = 2**22


class Items(Protocol):
    """The maps x → x + D_i x + b_i of n items, however they are stored."""

    @property
    def n_items(self) -> int: ...
    @property
    def dim(self) -> int: ...
    @property
    def symmetric(self) -> bool:
        """Whether every D_i is symmetric."""
        ...

    @property
    def equal(self) -> bool:
        """Whether all D_i are the same matrix."""
        ...

    @property
    def entries_per_item(self) -> int:
        """Numbers that the linear part of an item is stored in: what a step of one state costs."""
        ...

    def select(self, chosen) -> Items:
        """The items at these indices, or where this mask holds."""
        ...

    def mean_increment(self, weights) -> np.ndarray:
        """Σ w_i D_i, shape (d, d)."""
        ...

    def mean_offset(self, weights) -> np.ndarray:
        """Σ w_i b_i, shape (d,)."""
        ...

    def mean_square(self, matrix, weights) -> np.ndarray:
        """Σ w_i D_i C D_iᵀ for a symmetric C, shape (d, d)."""
        ...

    def mean_square_matrix(self, weights) -> np.ndarray:
        """The matrix of C → Σ w_i D_i C D_iᵀ on half vectors."""
        ...

    def residuals(self, x) -> np.ndarray:
        """T_i(x) − x of every item, shape (n, d)."""
        ...

    def batch_maps(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """Increments (M, d, d) and offsets (M, d) of the means over batches, rows of shape (M, B)."""
        ...

    def push(self, vectors, rows) -> np.ndarray:
        """D v for each vector, D the mean over its batch: vectors (R, d), rows (R, B), result (R, d)."""
        ...

    def norms(self) -> np.ndarray:
        """The spectral norms of A_i = I + D_i, shape (n,)."""
        ...


@dataclass(frozen=True, eq=False)
class DenseItems:
    """Items with a full matrix each.

    Attributes
    ----------
    increments : ndarray, shape (n, d, d)
    offsets : ndarray, shape (n, d)
    """

    increments: np.ndarray
    offsets: np.ndarray

    @property
    def n_items(self) -> int:
        """The number of items."""
        return len(self.offsets)

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.offsets.shape[1]

    @property
    def entries_per_item(self) -> int:
        """Numbers in a matrix."""
        return self.dim**2

    @cached_property
    def symmetric(self) -> bool:
        """Whether every matrix is symmetric."""
        return bool(np.array_equal(self.increments, np.swapaxes(self.increments, 1, 2)))

    @cached_property
    def equal(self) -> bool:
        """Whether all matrices are the same."""
        return bool((self.increments == self.increments[0]).all())

    def select(self, chosen) -> DenseItems:
        """The items at these indices, or where this mask holds."""
        return DenseItems(self.increments[chosen], self.offsets[chosen])

    def mean_increment(self, weights) -> np.ndarray:
        """Σ w_i D_i."""
        return np.tensordot(weights, self.increments, axes=1)

    def mean_offset(self, weights) -> np.ndarray:
        """Σ w_i b_i."""
        return weights @ self.offsets

    def mean_square(self, matrix, weights) -> np.ndarray:
        """Σ w_i D_i C D_iᵀ."""
        total = np.zeros((self.dim, self.dim))
        for part in chunks(self.n_items, self.dim**2):
            increments = self.increments[part]
            weighted = weights[part, None, None] * (increments @ matrix)
            total += np.tensordot(weighted, increments, axes=((0, 2), (0, 2)))
        return total

    def mean_square_matrix(self, weights) -> np.ndarray:
        """The matrix of C → Σ w_i D_i C D_iᵀ on half vectors."""
        d = self.dim
        gram = np.zeros((d * d, d * d))
        for part in chunks(self.n_items, d * d):
            flat = self.increments[part].reshape(-1, d * d)
            gram += (weights[part, None] * flat).T @ flat
        return congruence_operator(gram.reshape(d, d, d, d))

    def residuals(self, x) -> np.ndarray:
        """T_i(x) − x."""
        return self.increments @ x + self.offsets

    def batch_maps(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """Increments and offsets of the means over batches."""
        count, size = rows.shape
        increments, offsets = np.zeros((count, self.dim, self.dim)), np.zeros((count, self.dim))
        for slot in range(size):  # one slot at a time: no array of shape (M, B, d, d)
            increments += self.increments[rows[:, slot]]
            offsets += self.offsets[rows[:, slot]]
        return increments / size, offsets / size

    def push(self, vectors, rows) -> np.ndarray:
        """D v with the mean D of each batch."""
        return np.einsum("rbij,rj->ri", self.increments[rows], vectors) / rows.shape[1]

    def norms(self) -> np.ndarray:
        """The spectral norms of the linear parts."""
        identity = np.eye(self.dim)
        return np.concatenate(
            [np.linalg.norm(identity + self.increments[part], 2, (1, 2)) for part in chunks(self.n_items, self.dim**2)]
        )


@dataclass(frozen=True, eq=False)
class RankOneItems:
    """Items of least squares with ridge: D_i = −h(a_i a_iᵀ + ridge·I), b_i = h t_i a_i.

    Attributes
    ----------
    features : ndarray, shape (n, d)
        The rows a_i.
    targets : ndarray, shape (n,)
    step_size, ridge : float
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

    def push(self, vectors, rows) -> np.ndarray:
        """D v with the mean D of each batch."""
        if rows.shape[1] == 1:
            a = self.features[rows[:, 0]]
            pushed = np.einsum("rd,rd->r", a, vectors)[:, None] * a
        else:
            a = self.features[rows]
            pushed = np.einsum("rb,rbd->rd", np.einsum("rbd,rd->rb", a, vectors), a) / rows.shape[1]
        return -self.step_size * (pushed + self.ridge * vectors)

    def norms(self) -> np.ndarray:
        """The spectral norms of the linear parts: D_i has the eigenvalues −h(‖a‖² + ridge) and, in d > 1, −h·ridge."""
        along = np.abs(1.0 - self.step_size * (np.einsum("nd,nd->n", self.features, self.features) + self.ridge))
        return along if self.dim == 1 else np.maximum(along, abs(1.0 - self.step_size * self.ridge))


def chunks(count: int, entries_each: int) -> Iterator[slice]:
    """Slices of [0, count) whose arrays stay below `CHUNK_ENTRIES` numbers."""
    size = max(1, CHUNK_ENTRIES // max(1, entries_each))
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def affine_items(maps: RandomMaps) -> Items | None:
    """The items of an affine family as numbers; None for other families."""
    if isinstance(maps, AffineMaps):
        return DenseItems(maps.matrices - np.eye(maps.dim), np.asarray(maps.offsets))
    if isinstance(maps, QuadraticSGD):
        increments = -maps.step_size * maps.curvatures
        return DenseItems(increments, -np.einsum("nij,nj->ni", increments, maps.minimizers))
    if isinstance(maps, LinearRegressionSGD):
        return RankOneItems(maps.features, maps.targets, maps.step_size, maps.ridge)
    return None
