"""The maps of an affine system as numbers: what every way of storing them offers, and full matrices.

A map x → A x + b is kept as its *increment* D = A − I and its offset b: for small step sizes I − A and all that is
built on it would lose the digits that D has. Products of linear parts use A itself, which D loses where A is small.
Second moments do not see the sign of A, and take the one of ±A that is nearer to the identity: see `turned`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, singledispatch
from typing import NamedTuple, Protocol

import numpy as np

from iterorder.chunks import chunks
from iterorder.forms import Affine, Rows
from iterorder.maps.base import RandomMaps, form_of
from iterorder.maps.descent import SGDMaps
from iterorder.maps.optimizer import Optimizer
from iterorder.maps.quadratic import QuadraticSGD
from iterorder.theory.affine.half_vectorisation import congruence_operator
from iterorder.theory.affine.rank_one import RankOneItems
from iterorder.theory.affine.twofold import Numbers, Twofold


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

    def batch_linear_parts(self, rows) -> np.ndarray:
        """The means of A_i over batches, rows of shape (M, B), result (M, d, d)."""
        ...

    def push(self, vectors, rows) -> np.ndarray:
        """A v for each vector, A the mean over its batch: vectors (R, k, d), rows (R, B), result (R, k, d)."""
        ...

    def sizes(self) -> np.ndarray:
        """Bounds for the terms that are added up in A_i v for a unit vector v: what its rounding is relative to."""
        ...

    def norms(self) -> np.ndarray:
        """The spectral norms of A_i = I + D_i, shape (n,)."""
        ...


class TwofoldMaps(NamedTuple):
    """Maps x → x + D x + b in twice the precision, shapes (n, d, d) and (n, d)."""

    increments: Twofold
    offsets: Twofold

    def select(self, chosen) -> TwofoldMaps:
        """The maps at these indices, or where this mask holds."""
        return TwofoldMaps(self.increments[chosen], self.offsets[chosen])

    def rounded(self) -> DenseItems:
        """The same as items, which keep these numbers beside the rounded ones."""
        return DenseItems(self.increments.rounded, self.offsets.rounded, twofold=self)


@dataclass(frozen=True, eq=False)
class DenseItems:
    """Items with a full matrix each.

    Attributes
    ----------
    increments : ndarray, shape (n, d, d)
        D_i = A_i − I, which keeps digits that A_i near the identity loses.
    offsets : ndarray, shape (n, d)
        The b_i.
    given_linear_parts : ndarray, shape (n, d, d), optional
        The A_i, where they are what was given; else I + D_i.
    twofold : TwofoldMaps, optional
        The maps without rounding, or with that of twice the precision, where the numbers above are roundings of those.
    """

    increments: np.ndarray
    offsets: np.ndarray
    given_linear_parts: np.ndarray | None = None
    twofold: TwofoldMaps | None = None

    @classmethod
    def given(cls, linear_parts, offsets) -> DenseItems:
        """The items of maps x → A x + b.

        Examples
        --------
        >>> items = DenseItems.given(np.array([[[2.0**-60]]]), np.zeros((1, 1)))
        >>> items.increments.tolist(), items.twofold.increments.low.tolist() == [[[2.0**-60]]]
        ([[[-1.0]]], True)
        """
        exact = TwofoldMaps(Twofold(linear_parts) - np.eye(offsets.shape[1]), Twofold(offsets))
        return cls(exact.increments.rounded, offsets, linear_parts, exact)

    @cached_property
    def linear_parts(self) -> np.ndarray:
        """The A_i, shape (n, d, d)."""
        given = self.given_linear_parts
        return np.eye(self.dim) + self.increments if given is None else given

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
        given, exact = self.given_linear_parts, self.twofold
        return DenseItems(
            self.increments[chosen],
            self.offsets[chosen],
            None if given is None else given[chosen],
            None if exact is None else exact.select(chosen),
        )

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
        return batch_means(self.increments, rows), batch_means(self.offsets, rows)

    def batch_linear_parts(self, rows) -> np.ndarray:
        """The means of the A_i over batches."""
        return batch_means(self.linear_parts, rows)

    def push(self, vectors, rows) -> np.ndarray:
        """A v with the mean A of each batch."""
        matrices = self.linear_parts[rows[:, 0]] if rows.shape[1] == 1 else batch_means(self.linear_parts, rows)
        return vectors @ np.swapaxes(matrices, 1, 2)

    def sizes(self) -> np.ndarray:
        """The Frobenius norms of the A_i."""
        return np.linalg.norm(self.linear_parts, axis=(1, 2))

    def norms(self) -> np.ndarray:
        """The spectral norms of the A_i."""
        return np.linalg.norm(self.linear_parts, 2, axis=(1, 2))


def batch_means(arrays: Numbers, rows) -> Numbers:
    """The means of arrays[rows] over the batch axis, one slot at a time: no copy for all slots at once."""
    total = arrays[rows[:, 0]]
    for slot in range(1, rows.shape[1]):
        total = total + arrays[rows[:, slot]]
    return total / rows.shape[1]


def single_maps(items: Items) -> TwofoldMaps:
    """The map of each item, where what is stored is taken as exact."""
    if isinstance(items, DenseItems) and items.twofold is not None:
        return items.twofold
    increments, offsets = items.batch_maps(np.arange(items.n_items)[:, None])
    return TwofoldMaps(Twofold(increments), Twofold(offsets))


def turned(items: Items) -> Items:
    """The same items with −A in place of A where that is nearer to the identity, for E[A C Aᵀ].

    Near A = −I, as above half of the step size at which steps diverge, −A − I has the digits that A − I rounds away.

    Examples
    --------
    >>> items = DenseItems.given(np.array([[[-1.0 + 2.0**-53]]]), np.zeros((1, 1)))
    >>> float(turned(items).increments[0, 0, 0]) == -(2.0**-53)
    True
    """
    if items.dim == 1 and not isinstance(items, DenseItems):
        items = DenseItems(*items.batch_maps(np.arange(items.n_items)[:, None]))
    if not isinstance(items, DenseItems):
        return items
    other = np.einsum("nii->n", items.increments) < -items.dim  # a negative trace of A
    if not other.any():
        return items
    increments, given = items.increments.copy(), items.given_linear_parts
    if items.twofold is None:
        increments[other] = turned_increment(increments[other])
    else:
        increments[other] = turned_increment(items.twofold.increments[other]).rounded
    return DenseItems(
        increments, items.offsets, None if given is None else np.where(other[:, None, None], -given, given)
    )


def turned_increment(increment: Numbers) -> Numbers:
    """−A − I from D = A − I, shape (..., d, d)."""
    return -increment - 2.0 * np.eye(increment.shape[-1])


@singledispatch
def affine_items(maps: RandomMaps) -> Items | None:
    """The items of an affine family as numbers; None for other families.

    Where the moves of a step are known apart from I a kind has a row of its own: I − hH would round small ones away.
    """
    form = form_of(maps)
    return DenseItems.given(form.matrices, form.offsets) if isinstance(form, Affine) else None


@affine_items.register
def _(maps: QuadraticSGD) -> Items | None:
    """Offsets of the same rounded products: a common minimiser stays a fixed point."""
    increments = -maps.step_size * maps.curvatures
    return DenseItems(increments, -np.einsum("nij,nj->ni", increments, maps.minimizers))


@affine_items.register
def _(maps: SGDMaps) -> Items | None:
    form = maps.gradient_form()
    if isinstance(form, Rows) and form.is_affine:  # constants are minus the targets
        return RankOneItems(form.rows, -form.constants, maps.step_size, maps.ridge)
    return None


@affine_items.register
def _(maps: Optimizer) -> Items | None:
    if not maps.time_homogeneous:
        return None
    from iterorder.theory.affine.optimizer_items import OptimizerItems

    steps = affine_items(maps.maps)
    if steps is None:
        return None
    return OptimizerItems(steps, maps.maps.step_size, float(maps.step_sizes[0]), maps.momentum, maps.weight_decay)
