"""Lengths of vectors: their squares neither overflow nor vanish, whatever the unit of the states."""

from __future__ import annotations

import math

import numpy as np

from iterorder.device_arrays import contiguous, is_on_device

# Numbers that are held at once: they and their working copies stay in the second cache of a core.
BLOCK = 2**15
# Vectors of at most so many coordinates are taken coordinate by coordinate: NumPy takes ten times as long for a short
# axis.
COLUMNS = 16


def scale_of(top: np.ndarray) -> np.ndarray:
    """What to divide by so that the largest entry is one; one itself where the largest is zero or not finite."""
    return np.where((top > 0) & np.isfinite(top), top, 1.0)


def euclidean_norm(vectors: np.ndarray) -> np.ndarray:
    """Euclidean norm over the last axis; squares neither overflow nor underflow, NaN and inf stay what they are.

    Parameters
    ----------
    vectors : ndarray of float, shape (..., dim)
        Of NumPy or, on a GPU, of CuPy.

    Returns
    -------
    ndarray, shape (...)
        Of the same library.

    Examples
    --------
    >>> euclidean_norm(np.array([[3e200, 4e200], [0.0, 0.0]]))
    array([5.e+200, 0.e+000])
    """
    dim = vectors.shape[-1]
    if dim == 1:
        return np.abs(vectors[..., 0])
    flat = vectors.reshape(math.prod(vectors.shape[:-1]), dim)
    if is_on_device(vectors):
        return _norms(flat).reshape(vectors.shape[:-1])
    norms, rows = np.empty(len(flat)), max(1, BLOCK // max(1, dim))
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, len(flat), rows):
            norms[first : first + rows] = _norms(flat[first : first + rows])
    return norms.reshape(vectors.shape[:-1])[()]


def _norms(vectors: np.ndarray) -> np.ndarray:
    """Of the rows of a block; the order of a sum depends on the dimension alone, never on the other rows."""
    if vectors.shape[1] > COLUMNS:
        size = np.abs(vectors)
        scale = scale_of(size.max(axis=1))
        size /= scale[:, None]
        return scale * np.sqrt(np.einsum("nd,nd->n", size, size))
    columns = np.abs(contiguous(vectors.T))
    scale = scale_of(columns.max(axis=0))
    columns /= scale
    columns *= columns
    total = columns[0]
    for column in columns[1:]:
        total += column
    return scale * np.sqrt(total)
