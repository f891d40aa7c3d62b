"""Features, labels, widths and step sizes as a user gives them."""

from __future__ import annotations

import numpy as np

from iterorder.arrays import as_array
from iterorder.errors import InvalidInputError
from iterorder.log import say
from iterorder.shown import a_kind
from iterorder.tables import check_same_rows
from iterorder.validation import as_floats, as_int

#: Classes that labels may name, however few items there are: those of ImageNet, of which a trial may hold ten images.
MANY_CLASSES = 1000


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


def classes_of(labels: np.ndarray, test_labels: np.ndarray | None = None) -> int:
    """The number K of classes 0, …, K − 1; labels that are no such numbers, but codes or years, are refused."""
    given = [labels] if test_labels is None else [labels, test_labels]
    present, items = np.unique(np.concatenate(given)), max(map(len, given))
    count = 1 + int(present[-1])
    if count > max(items, MANY_CLASSES):
        name = "labels" if labels.max() == present[-1] else "test[1]"
        raise InvalidInputError(
            f"{name} holds {present[-1]}, and there are {len(present)} different values: a network would have {count} "
            "outputs; give classes 0, 1, …, K − 1, such as np.unique(labels, return_inverse=True)[1]"
        )
    if items > count > len(present):
        missing = int(np.flatnonzero(~np.isin(np.arange(count), present))[0])
        say(f"labels: {len(present)} of the classes 0…{count - 1} occur, {missing} is the first that does not")
    return count


def targets_of(classes, count: int, dtype, xp=np):
    """One at the class of each item, and zeros, (…, count): made for a batch, as there may be many classes."""
    return (classes[..., None] == xp.arange(count)).astype(dtype)


def as_items(items, n_items: int, n_replicas: int) -> np.ndarray:
    """The items of a step: of all replicas, or a row for each."""
    array = as_array("items", items)
    if array.dtype.kind not in "iu" or array.ndim not in (1, 2) or array.size == 0:
        raise InvalidInputError(
            f"items has dtype {array.dtype} and shape {array.shape}: give indices, (batch,) or (replica, batch)"
        )
    if array.min() < 0 or array.max() >= n_items:
        raise InvalidInputError(f"items holds {array.min()}…{array.max()}: give indices in [0, {n_items})")
    if array.ndim == 2 and len(array) != n_replicas:
        raise InvalidInputError(f"items has {len(array)} rows: give one for each of the {n_replicas} replicas")
    return array


def as_widths(hidden) -> tuple[int, ...]:
    """Widths of hidden layers, maybe none."""
    try:
        widths = tuple(hidden)
    except TypeError:
        raise InvalidInputError(f"hidden is {hidden!r}: give a tuple of widths, such as (32,)") from None
    return tuple(as_int(f"hidden[{i}]", width, low=1, high=2**20) for i, width in enumerate(widths))


def as_step_sizes(step_size) -> np.ndarray:
    """One step size or more, each above zero."""
    if isinstance(step_size, str) or callable(step_size):
        shown = repr(step_size) if isinstance(step_size, str) else a_kind(step_size)
        raise InvalidInputError(
            f"step_size is {shown}: give a number above 0, or for a schedule an array with one number a step"
        )
    sizes = np.atleast_1d(as_floats("step_size", step_size, ndim=(0, 1)))
    if (sizes <= 0.0).any():
        worst = int(sizes.argmin())
        name = f"step_size[{worst}]" if np.ndim(step_size) else "step_size"
        raise InvalidInputError(f"{name} is {sizes[worst]!r}: give a number above 0")
    sizes.setflags(write=False)
    return sizes


def as_test(test, features: np.ndarray, labels: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """The test set, or the training set where none is given."""
    if test is None:
        return features, labels
    if not isinstance(test, (tuple, list)) or len(test) != 2:
        raise InvalidInputError("test is no pair: give (features, labels), or None for the training set")
    check_same_rows(test[0], "test[1]", test[1], of="test[0]")
    rows, classes = as_rows("test[0]", test[0], dtype), as_labels("test[1]", test[1])
    check_length("test[1]", classes, rows)
    if rows.shape[1] != features.shape[1]:
        raise InvalidInputError(f"test[0] has rows of {rows.shape[1]} numbers: features has {features.shape[1]}")
    return rows, classes


def check_length(name: str, labels: np.ndarray, features: np.ndarray) -> None:
    """Refuse labels that are not one a row."""
    if len(labels) != len(features):
        raise InvalidInputError(f"{name} has {len(labels)} entries: give one for each of the {len(features)} rows")
