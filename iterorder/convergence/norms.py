"""Means of powers of lengths and diameters of paths, without overflow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from iterorder.device_arrays import at_once, namespace_of
from iterorder.lengths import scale_of

# Numbers that are held at once: powers of a table, or squared distances of all pairs. They stay in the second cache.
BLOCK = 2**16


def scaled_powers(values: np.ndarray, p: float) -> tuple[np.ndarray, np.ndarray]:
    """The p-th powers of the columns, each divided by the largest entry of its column.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Not negative.
    p : float ≥ 1
        The power.

    Returns
    -------
    powers : ndarray, shape (n, k)
        (values / scale)^p, between 0 and 1 where finite.
    scale : ndarray, shape (k,)
        What each column was divided by.
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
    mean, scale = _mean_of_powers(values, p)
    return scale * mean ** (1.0 / p)


def mean_and_variance(values: np.ndarray, p: float) -> tuple[np.ndarray, np.ndarray]:
    """`power_mean`, and the relative variance of the mean inside it: of the mean of values^p, over its square.

    Parameters
    ----------
    values : ndarray, shape (n, k)
        Not negative.
    p : float ≥ 1 or inf
        The power of the mean.

    Returns
    -------
    mean : ndarray, shape (k,)
        (mean of values^p)^(1/p) of each column; the largest value for p = inf.
    variance : ndarray, shape (k,)
        NaN where it is not known (or 0/0): one row, or p = inf.
    """
    n = len(values)
    if n == 1 or np.isinf(p):
        return power_mean(values, p), np.full(values.shape[1], np.nan)
    mean, scale = _mean_of_powers(values, p)
    squares = np.zeros(values.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for powers in _blocks_of_powers(values, scale, p):
            powers -= mean
            powers *= powers
            squares += powers.sum(axis=0)
        return scale * mean ** (1.0 / p), squares / (n - 1) / n / mean**2


def _mean_of_powers(values: np.ndarray, p: float) -> tuple[np.ndarray, np.ndarray]:
    """As the mean of `scaled_powers` and their scale, without a second table."""
    scale, total = scale_of(values.max(axis=0)), np.zeros(values.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for powers in _blocks_of_powers(values, scale, p):
            total += powers.sum(axis=0)
    return total / len(values), scale


def _blocks_of_powers(values: np.ndarray, scale: np.ndarray, p: float) -> Iterator[np.ndarray]:
    rows = max(1, BLOCK // max(1, values.shape[1]))
    for first in range(0, len(values), rows):
        powers = values[first : first + rows] / scale
        if p == 2.0:
            powers *= powers
        elif p != 1.0:
            powers **= p
        yield powers


def path_diameters(paths: np.ndarray) -> np.ndarray:
    """Largest distance between two points of each path; inf where a point is not finite.

    Exact up to rounding, from all pairs: O(k²·dim) a path.

    Parameters
    ----------
    paths : ndarray, shape (n, k, dim)
        The k points of each path.

    Returns
    -------
    ndarray, shape (n,)
        The diameter of each path.

    Examples
    --------
    >>> path_diameters(np.array([[[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]]]))
    array([5.])
    """
    dim = paths.shape[2]
    diameters = namespace_of(paths).full(len(paths), np.inf)
    finite = np.isfinite(paths).all(axis=(1, 2))
    with np.errstate(over="ignore"):
        if dim == 1:
            diameters[finite] = np.ptp(paths[finite, :, 0], axis=1)
            return diameters
        kept = np.flatnonzero(finite)
        size = max(1, at_once(paths, BLOCK) // max(1, paths.shape[1] ** 2))
        for first in range(0, len(kept), size):
            rows = kept[first : first + size]
            diameters[rows] = _largest_distances(paths[rows])
    return diameters


def _largest_distances(paths: np.ndarray) -> np.ndarray:
    """‖u−v‖² = ‖u‖² + ‖v‖² − 2u·v from the first point of each path.

    The largest ‖u−v‖ is at least the largest ‖u‖, so the cancellation costs a few units of rounding, not digits.
    """
    # Halves: the difference of two finite numbers may overflow, that of their halves cannot.
    offsets = 0.5 * paths - 0.5 * paths[:, :1]
    scale = scale_of(np.abs(offsets).max(axis=(1, 2)))
    offsets /= scale[:, None, None]
    squares = np.einsum("nkd,nkd->nk", offsets, offsets)[:, :, None]
    ones = np.ones_like(squares)
    left = np.concatenate((offsets, squares, ones), axis=2)
    right = np.concatenate((-2.0 * offsets, ones, squares), axis=2)
    gaps = left @ np.swapaxes(right, 1, 2)  # the sum of all three, in one product
    return 2.0 * scale * np.sqrt(np.maximum(gaps.max(axis=(1, 2)), 0.0))
