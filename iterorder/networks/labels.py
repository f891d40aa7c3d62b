"""Features and labels as a user gives them."""

from __future__ import annotations

import numpy as np

from iterorder.arrays import as_array
from iterorder.errors import InvalidInputError


def as_rows(name: str, value, dtype: np.dtype) -> np.ndarray:
    """Features as rows of finite numbers: images are flattened."""
    array = as_array(name, value)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or array.size == 0:
        raise InvalidInputError(
            f"{name} has dtype {array.dtype} and shape {array.shape}: give real numbers of shape (n, d)"
        )
    rows = np.ascontiguousarray(array.reshape(len(array), -1), dtype)
    if not np.isfinite(rows).all():
        where = tuple(np.argwhere(~np.isfinite(rows))[0].tolist())
        raise InvalidInputError(f"{name} holds {rows[where]} in row {where[0]}: every value must be finite in {dtype}")
    return rows


def as_labels(name: str, value) -> np.ndarray:
    """Labels as integers from 0 on."""
    array = as_array(name, value)
    if array.dtype.kind not in "iu" or array.ndim != 1 or array.size == 0:
        raise InvalidInputError(
            f"{name} has dtype {array.dtype} and shape {array.shape}: give integers 0, 1, … of shape (n,)"
        )
    if array.min() < 0:
        raise InvalidInputError(f"{name} holds {array.min()}: give classes 0, 1, …")
    return array.astype(np.int64)
