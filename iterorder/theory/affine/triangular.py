"""Families of matrices that one basis makes triangular: their exponents are means of logs of diagonal entries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from iterorder.chunks import chunks
from iterorder.lengths import euclidean_norm
from iterorder.theory.affine.items import Items
from iterorder.theory.affine.optimizer_items import OptimizerItems
from iterorder.theory.affine.rank_one import RankOneItems

EPS = float(np.finfo(np.float64).eps)
#: The basis comes from one random combination: where its eigenvalues are a thousand times closer together than those
#: of a member, rounding of the basis shows in that member a thousand times enlarged.
BASIS_AMPLIFICATION = 1024.0
#: What is left below the diagonals of D, relative to D: near the identity all that a map does is of the size of D, and
#: that of A would hide it.
HALF_OF_THE_DIGITS = 2.0**-26


@dataclass(frozen=True, eq=False)
class Diagonals:
    """Diagonal entries of linear parts and their differences from one: each keeps digits that the other loses.

    Attributes
    ----------
    entries, increments : ndarray of float or complex, shape (n, d)
        Of each of the n matrices its diagonal, and that less one.
    rounding : float
        Relative to the largest entry of its matrix, what the basis leaves of an entry that is zero.
    """

    entries: np.ndarray
    increments: np.ndarray
    rounding: float = 0.0

    def batch_means(self, rows) -> Diagonals:
        """The diagonals of the means over batches, rows of shape (M, B)."""
        return Diagonals(self.entries[rows].mean(axis=1), self.increments[rows].mean(axis=1), self.rounding)

    def log_moduli(self) -> np.ndarray:
        """log of the moduli, shape (n, d): −inf at zero, and below the rounding of the basis.

        Examples
        --------
        >>> one_dimensional = Diagonals(np.array([[1.0], [0.0], [-2.0]]), np.array([[-1e-20], [-1.0], [-3.0]]))
        >>> one_dimensional.log_moduli()[:, 0].tolist()
        [-1e-20, -inf, 0.6931471805599453]
        """
        modulus, away = np.abs(self.entries), np.abs(self.increments)
        floor = self.rounding * modulus.max(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            near_one = 0.5 * np.log1p(2.0 * self.increments.real + away**2)  # |1 + δ|² = 1 + 2 Re δ + |δ|²
            logs = np.where(away < 0.5, near_one, np.log(modulus))
        return np.where(modulus <= floor, -np.inf, logs)


def common_diagonals(items: Items) -> Diagonals | None:
    """The diagonals of all A_i in a basis that makes every A_i upper triangular, or None.

    Such a basis exists if the maps commute: symmetric maps with common eigenvectors, a single map, scalar curvatures.
    It is the Schur basis of one random combination, and accepted if what is left below the diagonals is at rounding
    level, 1024·d·eps·‖A_i‖, and below √eps·‖A_i − I‖. Families given as triangular matrices are found too.

    Examples
    --------
    >>> from iterorder.theory.affine.items import DenseItems
    >>> flip = np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [2.0, 0.0]]])
    >>> sorted(common_diagonals(DenseItems(flip - np.eye(2), np.zeros((2, 2)), flip)).entries[1].round(12).tolist())
    [-2.0, 2.0]
    """
    if isinstance(items, OptimizerItems) and items.n_items > 2 and common_diagonals(items.select(slice(0, 2))) is None:
        return None  # two refute almost every family, and the rest need not be written out
    coefficients = _coefficients(items)
    if isinstance(items, RankOneItems):
        return _of_rank_one(items, np.linalg.eigh(items.mean_increment(coefficients))[1])
    matrices, increments = _singles(items)
    if not np.tril(matrices, -1).any() or not np.triu(matrices, 1).any():
        return Diagonals(*(np.einsum("nii->ni", m) for m in (matrices, increments)))
    if items.symmetric:
        basis = np.linalg.eigh(items.mean_increment(coefficients))[1]
    else:
        from scipy.linalg import schur

        basis = schur(items.mean_increment(coefficients), output="complex")[1]
    return _in_basis(basis, matrices, increments)


def common_eigenbasis(items: Items) -> np.ndarray | None:
    """An orthonormal basis in which every A_i is diagonal, its columns; None where the maps do not share one.

    Accepted by the tolerance of `common_diagonals`.

    Examples
    --------
    >>> from iterorder.theory.affine.items import DenseItems
    >>> flip = np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [2.0, 0.0]]])
    >>> np.abs(common_eigenbasis(DenseItems(flip - np.eye(2), np.zeros((2, 2)), flip))).round(3).tolist()
    [[0.707, 0.707], [0.707, 0.707]]
    """
    if items.dim == 1:
        return np.eye(1)
    if not items.symmetric:
        return None
    basis = np.linalg.eigh(items.mean_increment(_coefficients(items)))[1]
    found = _of_rank_one(items, basis) if isinstance(items, RankOneItems) else _in_basis(basis, *_singles(items))
    return None if found is None else basis


def _coefficients(items: Items) -> np.ndarray:
    """Any law without atoms on hyperplanes serves; a fixed one keeps the answer a function of the maps."""
    return np.random.default_rng(0).uniform(0.5, 1.5, items.n_items)


def _singles(items: Items) -> tuple[np.ndarray, np.ndarray]:
    """A_i and D_i of every item."""
    rows = np.arange(items.n_items)[:, None]
    return items.batch_linear_parts(rows), items.batch_maps(rows)[0]


def _tolerance(dim: int) -> float:
    return BASIS_AMPLIFICATION * dim * EPS


def _in_basis(basis, matrices, increments) -> Diagonals | None:
    count, dim = matrices.shape[:2]
    entries, differences = np.empty((2, count, dim), basis.dtype)
    # Two matrices refute almost every family: they are looked at before the rest.
    for part in [slice(0, 2), *chunks(count, dim * dim)]:
        turned, moved = (basis.conj().T @ family[part] @ basis for family in (matrices, increments))
        for left, family, share in ((turned, matrices, _tolerance(dim)), (moved, increments, HALF_OF_THE_DIGITS)):
            below = np.abs(np.tril(left, -1)).max(axis=(1, 2))
            if (below > share * euclidean_norm(family[part].reshape(-1, dim * dim))).any():
                return None
        entries[part], differences[part] = (np.einsum("nii->ni", left) for left in (turned, moved))
    return Diagonals(entries, differences, _tolerance(dim))


def _of_rank_one(items: RankOneItems, basis) -> Diagonals | None:
    """Rows along the axes of the basis: the entry below the diagonal is the product of two coordinates.

    Rows that are accepted have one coordinate: along the others nothing moves, whatever rounding leaves there.
    """
    turned = items.features @ basis
    if items.dim > 1:
        modulus = np.partition(np.abs(turned), items.dim - 2, axis=1)
        if (modulus[:, -1] * modulus[:, -2] > _tolerance(items.dim) * modulus[:, -1] ** 2).any():
            return None
    along = np.arange(items.dim) == np.abs(turned).argmax(axis=1)[:, None]
    increments = -items.step_size * (np.where(along, turned**2, 0.0) + items.ridge)
    return Diagonals(1.0 + increments, increments, _tolerance(items.dim) if items.dim > 1 else 0.0)
