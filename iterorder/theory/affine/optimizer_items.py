"""The maps of an optimiser around affine steps: built from the items of the steps, and never written out.

With the state (x, v), or x alone without momentum, a map has the increment D = U H Vᵀ + K: H the curvature of the item,
V takes x, U = (−h, 1) puts the gradient into both, and K is what every map does: −h·decay to x, −h·momentum·v to x,
(momentum − 1)·v to v.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iterorder.chunks import chunks
from iterorder.theory.affine.half_vectorisation import from_half, half_size, to_half
from iterorder.theory.affine.items import Items


@dataclass(frozen=True, eq=False)
class OptimizerItems:
    """Items of SGD with momentum and weight decay.

    Attributes
    ----------
    steps : Items
        The plain steps of size `plain`: D_i = −plain·H_i, b_i = −plain·g_i.
    plain, step_size, momentum, weight_decay : float
        The step size inside `steps`, and the numbers of the optimiser.
    """

    steps: Items
    plain: float
    step_size: float
    momentum: float
    weight_decay: float

    symmetric = False

    @property
    def n_items(self) -> int:
        """The number of items."""
        return self.steps.n_items

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.steps.dim * (2 if self.momentum else 1)

    @property
    def entries_per_item(self) -> int:
        """Numbers of an item, and those of what all do."""
        return self.steps.entries_per_item + 2 * self.steps.dim

    @property
    def equal(self) -> bool:
        """Whether all curvatures are the same."""
        return self.steps.equal

    @cached_property
    def spread(self) -> np.ndarray:
        """The matrix U, shape (dim, d)."""
        identity = np.eye(self.steps.dim)
        return np.concatenate([-self.step_size * identity, identity]) if self.momentum else -self.step_size * identity

    @cached_property
    def common(self) -> np.ndarray:
        """The matrix K."""
        d, h = self.steps.dim, self.step_size
        matrix = np.zeros((self.dim, self.dim))
        matrix[:d, :d] = -h * self.weight_decay * np.eye(d)
        if self.momentum:
            matrix[:d, d:] = -h * self.momentum * np.eye(d)
            matrix[d:, d:] = (self.momentum - 1.0) * np.eye(d)
        return matrix

    def select(self, chosen) -> OptimizerItems:
        """The items at these indices, or where this mask holds."""
        steps = self.steps.select(chosen)
        return OptimizerItems(steps, self.plain, self.step_size, self.momentum, self.weight_decay)

    def mean_increment(self, weights) -> np.ndarray:
        """U H̄ Vᵀ + K·Σw."""
        increment = weights.sum() * self.common
        increment[:, : self.steps.dim] += self.spread @ self.steps.mean_increment(weights) / -self.plain
        return increment

    def mean_offset(self, weights) -> np.ndarray:
        """U ḡ."""
        return self.spread @ self.steps.mean_offset(weights) / -self.plain

    def mean_square(self, matrix, weights) -> np.ndarray:
        """Σ w D C Dᵀ, with Σ w H (VᵀCV) H from the plain steps."""
        d = self.steps.dim
        squares = self.steps.mean_square(matrix[:d, :d], weights)
        return self._composed(matrix, squares, self.steps.mean_increment(weights), float(weights.sum()))

    def mean_square_matrix(self, weights) -> np.ndarray:
        """Column by column, from the matrix of the plain steps."""
        d, size = self.steps.dim, half_size(self.dim)
        plain, increment = self.steps.mean_square_matrix(weights), self.steps.mean_increment(weights)
        total, images = float(weights.sum()), np.empty((size, size))
        for k, unit in enumerate(np.eye(size)):
            matrix = from_half(unit, self.dim)
            squares = from_half(plain @ to_half(matrix[:d, :d]), d)
            images[:, k] = to_half(self._composed(matrix, squares, increment, total))
        return images

    def _composed(self, matrix, squares, increment, total: float) -> np.ndarray:
        """Σ w D C Dᵀ from Σ w D'C_xx D'ᵀ and Σ w D' of the plain steps, D' = −plain·H."""
        cross = self.spread @ increment @ matrix[: self.steps.dim] @ self.common.T / -self.plain
        inner = self.spread @ squares @ self.spread.T / self.plain**2
        return inner + cross + cross.T + total * self.common @ matrix @ self.common.T

    def residuals(self, x) -> np.ndarray:
        """U (H_i x + g_i) + K (x, v)."""
        slopes = self.steps.residuals(x[: self.steps.dim]) / -self.plain
        return slopes @ self.spread.T + self.common @ x

    def batch_maps(self, rows) -> tuple[np.ndarray, np.ndarray]:
        """Increments and offsets of the means over batches."""
        plain_increments, plain_offsets = self.steps.batch_maps(rows)
        increments = np.broadcast_to(self.common, (len(rows), self.dim, self.dim)).copy()
        increments[:, :, : self.steps.dim] += self.spread @ plain_increments / -self.plain
        return increments, plain_offsets @ self.spread.T / -self.plain

    def batch_linear_parts(self, rows) -> np.ndarray:
        """The means of the A_i over batches."""
        return np.eye(self.dim) + self.batch_maps(rows)[0]

    def push(self, vectors, rows) -> np.ndarray:
        """A v with the mean A of each batch: the plain steps leave x − plain·Hx."""
        place = vectors[..., : self.steps.dim]
        slopes = (place - self.steps.push(place, rows)) / self.plain
        return vectors + slopes @ self.spread.T + vectors @ self.common.T

    def sizes(self) -> np.ndarray:
        """‖U‖(sizes of the plain steps)/plain, where x − (x − plain·Hx) loses digits, and 1 + ‖K‖."""
        norms = np.linalg.norm(self.spread, 2), np.linalg.norm(self.common, 2)
        return 1.0 + norms[1] + norms[0] * (1.0 + self.steps.sizes()) / self.plain

    def norms(self) -> np.ndarray:
        """The spectral norms of the A_i."""
        norms = np.empty(self.n_items)
        for part in chunks(self.n_items, self.dim**2):
            rows = np.arange(self.n_items)[part, None]
            norms[part] = np.linalg.norm(self.batch_linear_parts(rows), 2, axis=(1, 2))
        return norms
