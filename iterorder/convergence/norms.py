"""Means of powers of lengths and diameters of paths, without overflow."""

from __future__ import annotations

import numpy as np

from iterorder.lengths import scale_of

# Replicas whose Gram matrices are held at once: 256 saved steps take 32 MiB.
_GRAM_BLOCK = 64


def scaled_powers(values: np.ndarray, p: float) -> tuple[np.ndarray, np.ndarray]:
    """The p-th powers of the columns, each divided by the largest entry of its column.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Not negative.
    p : float ≥ 1

    Returns
    -------
    powers : ndarray, shape (n, k)
        (values / scale)^p, between 0 and 1 where finite.
    scale : ndarray, shape (k,)
    """
    scale = scale_of(values.max(axis=0))
    with np.errstate(over="ignore", invalid="ignore"):
        return (values / scale) ** p, scale


def power_mean(values: np.ndarray, p: float) -> np.ndarray:
    """(mean of values^p)^(1/p) of each column, the largest entry for p = inf; NaN where the column holds a NaN.

    Examples
    --------
    >>> power_mean(np.array([[3e200], [4e200]]), 2.0) / 1e200
    array([3.53553391])
    """
    if np.isinf(p):
        return values.max(axis=0)
    powers, scale = scaled_powers(values, p)
    return scale * powers.mean(axis=0) ** (1.0 / p)


def path_diameters(paths: np.ndarray) -> np.ndarray:
    """Largest distance between two points of each path; inf where a point is not finite.

    Exact up to rounding, from all pairs: O(k²·dim) a path.

    Parameters
    ----------
    paths : ndarray, shape (n, k, dim)

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> path_diameters(np.array([[[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]]]))
    array([5.])
    """
    n, _, dim = paths.shape
    diameters = np.full(n, np.inf)
    finite = np.isfinite(paths).all(axis=(1, 2))
    with np.errstate(over="ignore"):
        if dim == 1:
            diameters[finite] = np.ptp(paths[finite, :, 0], axis=1)
            return diameters
        for first in range(0, n, _GRAM_BLOCK):
            rows = first + np.flatnonzero(finite[first : first + _GRAM_BLOCK])
            diameters[rows] = _largest_distances(paths[rows])
    return diameters


def _largest_distances(paths: np.ndarray) -> np.ndarray:
    """‖u−v‖² = ‖u‖² + ‖v‖² − 2u·v from the first point of each path.

    The largest ‖u−v‖ is at least the largest ‖u‖, so the cancellation costs a few units of rounding, not digits.
    """
    # Halves: the difference of two finite numbers may overflow, that of their halves cannot.
    offsets = 0.5 * paths - 0.5 * paths[:, :1]
    scale = scale_of(np.abs(offsets).max(axis=(1, 2), initial=0.0))
    offsets /= scale[:, None, None]
    squares = np.einsum("nkd,nkd->nk", offsets, offsets)
    gram = offsets @ np.swapaxes(offsets, 1, 2)
    gaps = squares[:, :, None] + squares[:, None, :] - 2.0 * gram
    return 2.0 * scale * np.sqrt(np.maximum(gaps.max(axis=(1, 2), initial=0.0), 0.0))
