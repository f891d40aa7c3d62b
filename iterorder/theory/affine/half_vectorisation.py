"""Symmetric matrices as vectors of half the length, and linear operators on them as matrices.

The entry C_ij, i < j, is scaled by √2: the map C → half(C) keeps inner products, tr(BC) = half(B)·half(C), so that an
operator which is self-adjoint on symmetric matrices becomes a symmetric matrix.
"""

from __future__ import annotations

import math

import numpy as np


def half_size(dim: int) -> int:
    """The number of entries on and above the diagonal, d(d+1)/2."""
    return dim * (dim + 1) // 2


def to_half(matrices) -> np.ndarray:
    """The half vectors of symmetric matrices, shape (..., d, d) → (..., d(d+1)/2).

    Examples
    --------
    >>> to_half(np.array([[1.0, 2.0], [2.0, 5.0]])).round(3).tolist()
    [1.0, 2.828, 5.0]
    """
    matrices = np.asarray(matrices)
    row, column = np.triu_indices(matrices.shape[-1])
    return matrices[..., row, column] * np.where(row < column, math.sqrt(2.0), 1.0)


def from_half(vector, dim: int) -> np.ndarray:
    """The symmetric matrix of a half vector, shape (d(d+1)/2,) → (d, d).

    Examples
    --------
    >>> from_half(to_half(np.array([[1.0, 2.0], [2.0, 5.0]])), 2).round(12).tolist()
    [[1.0, 2.0], [2.0, 5.0]]
    """
    row, column = np.triu_indices(dim)
    matrix = np.empty((dim, dim))
    matrix[row, column] = matrix[column, row] = vector * np.where(row < column, math.sqrt(0.5), 1.0)
    return matrix


def products_of_vectors(vectors) -> np.ndarray:
    """The half vectors of aaᵀ for each row a, shape (n, d) → (n, d(d+1)/2)."""
    row, column = np.triu_indices(vectors.shape[1])
    return vectors[:, row] * vectors[:, column] * np.where(row < column, math.sqrt(2.0), 1.0)


def congruence_operator(gram) -> np.ndarray:
    """The matrix of C → Σ M C Mᵀ on half vectors, from the sums of products of the entries of M.

    Parameters
    ----------
    gram : ndarray, shape (d, d, d, d)
        ``gram[a, b, c, e]`` is Σ M_ab M_ce.

    Returns
    -------
    ndarray, shape (d(d+1)/2, d(d+1)/2)
        It acts on the entries C_ij with i ≤ j.
    """
    row, column = np.triu_indices(gram.shape[0])
    # (Σ M C Mᵀ)_ac = Σ_be gram[a, b, c, e] C_be for the pairs a ≤ c alone, then b ≤ e: C_be and C_eb are one unknown.
    halved_rows = gram[row, :, column, :]
    both = halved_rows[:, row, column] + halved_rows[:, column, row]
    onto = np.where(row < column, math.sqrt(2.0), 1.0)
    into = np.where(row < column, math.sqrt(0.5), 0.5)
    return both * onto[:, None] * into


def sum_operator(matrix) -> np.ndarray:
    """The matrix of C → MC + CMᵀ on half vectors, shape (d, d) → (d(d+1)/2, d(d+1)/2).

    Examples
    --------
    >>> sum_operator(np.diag([1.0, 3.0])).diagonal().round(12).tolist()
    [2.0, 4.0, 6.0]
    """
    identity = np.eye(len(matrix))
    # MC + CMᵀ = (MC·I + I·CMᵀ): the symmetric part of the congruence with two different factors.
    gram = np.einsum("ab,ce->abce", matrix, identity) + np.einsum("ab,ce->abce", identity, matrix)
    operator = congruence_operator(gram)
    # √2·½·2 = √2 and so on: the scalings leave an ulp, and an eigenvalue solver asks for exact symmetry.
    return operator if not np.array_equal(matrix, matrix.T) else 0.5 * (operator + operator.T)
