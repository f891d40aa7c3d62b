"""Lengths of vectors: their squares neither overflow nor vanish, whatever the unit of the states."""

from __future__ import annotations

import numpy as np


def scale_of(top: np.ndarray) -> np.ndarray:
    """What to divide by so that the largest entry is one; one itself where the largest is zero or not finite."""
    return np.where((top > 0) & np.isfinite(top), top, 1.0)


def euclidean_norm(vectors: np.ndarray) -> np.ndarray:
    """Euclidean norm over the last axis; squares neither overflow nor underflow, NaN and inf stay what they are.

    Parameters
    ----------
    vectors : ndarray of float, shape (..., dim)

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> euclidean_norm(np.array([[3e200, 4e200], [0.0, 0.0]]))
    array([5.e+200, 0.e+000])
    """
    size = np.abs(vectors)
    if vectors.shape[-1] == 1:
        return size[..., 0]
    scale = scale_of(size.max(axis=-1))
    with np.errstate(over="ignore", invalid="ignore"):
        size /= scale[..., None]
        return scale * np.sqrt(np.einsum("...d,...d->...", size, size))
