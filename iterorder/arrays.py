"""Arrays that a user gives, of whatever library: NumPy's arrays from them, or the reason why not."""

from __future__ import annotations

from typing import Any

import numpy as np

from iterorder.device_arrays import is_on_device, to_numpy
from iterorder.errors import InvalidInputError
from iterorder.shown import a_kind
from iterorder.tables import names_of_columns
from iterorder.types import ArrayLike, DTypeLike

#: What a list may hold without being looked at: no array, and so no mask.
PLAIN = {int, float, bool, complex, str, bytes, type(None)}
#: The types of real numbers that are read out of objects.
NUMBERS = (int, float, np.integer, np.floating, np.bool_)
#: Where results of this package hold their numbers.
RESULTS = ("points", "states", "distance")


def as_array(name: str, value: Any) -> np.ndarray:
    """`value` as a plain array, of any type of numbers: the one way in for every array that a user gives.

    Taken are nested lists, NumPy arrays, and what offers ``__array__`` or DLPack: arrays of pandas, xarray, polars,
    PyTorch, JAX and CuPy among them, those in the memory of a GPU as a copy. What NumPy would misread is refused: a
    masked array, whose mask it would drop, and a sparse matrix, of which it makes an array that holds one object.
    """
    if type(value) is np.ndarray:
        return value
    _check_masks(name, value)
    if _is_sparse(value):
        raise InvalidInputError(
            f"{name} is a sparse {type(value).__name__} of shape {value.shape}: give a dense array, such as "
            f"{name}.{'toarray' if hasattr(value, 'toarray') else 'todense'}()"
        )
    try:
        if is_on_device(value):
            return to_numpy(value)
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError, BufferError, AttributeError) as error:
        if isinstance(error, InvalidInputError):  # a result of this package with several arrays
            raise _no_array(name, value) from error
        if hasattr(value, "__array__") or hasattr(value, "__dlpack__"):
            raise _not_converted(name, value, error) from error
        if isinstance(error, ValueError):  # ragged nested lists
            raise InvalidInputError(
                f"{name} is not a rectangular array ({error}): give rows of equal length"
            ) from error
        raise InvalidInputError(f"{name} cannot be read ({_first_line(error)}): give numbers") from error
    if array.dtype != object or isinstance(value, np.ndarray):
        return array
    if array.ndim == 0:
        raise _no_array(name, value)
    return _of_objects(name, array)


def own_array(values: ArrayLike, dtype: DTypeLike | None, copy: bool | None) -> np.ndarray:
    """What ``__array__`` of a result gives: the numbers that it holds, itself where nothing asks for a copy."""
    if copy is None:  # which NumPy 1 does not know
        return np.asarray(values, dtype=dtype)
    return np.array(values, dtype=dtype, copy=copy)


def place_in(name: str, where: tuple[int, ...]) -> str:
    """An entry of an array as it is written, ``name[i, j]``."""
    return f"{name}[{', '.join(map(str, where))}]" if where else name


def first_other(name: str, array: np.ndarray, given: Any = None) -> str:
    """What stands in an array of objects that is no number, for a message; nothing where all are.

    Where the array is that of a table with named columns, `given`, the column is named.
    """
    for where in np.ndindex(array.shape) if array.dtype == object else ():
        if not isinstance(array[where], NUMBERS):
            columns = names_of_columns(given, array.shape[1]) if array.ndim == 2 else None
            column = "" if columns is None else f", in the column {columns[where[1]]!r}"
            return f" ({place_in(name, where)} is {array[where]!r}{column})"
    return ""


def _of_objects(name: str, array: np.ndarray) -> np.ndarray:
    """Numbers of Python as an array of numbers; an array of anything else as it is.

    They come from lists with integers beyond 64 bits, and from nullable integers of pandas before 2.2. NumPy's own
    arrays of objects are not looked into: nothing made them but a wish for objects, or a mistake.
    """
    if not all(issubclass(kind, NUMBERS) for kind in set(map(type, array.flat))):
        return array
    numbers = np.array(array.tolist())
    if numbers.dtype != object:
        return numbers
    try:
        return array.astype(float)
    except OverflowError as error:
        raise InvalidInputError(f"{name} holds an integer beyond every float ({_first_line(error)})") from error


def _check_masks(name: str, value: Any) -> None:
    """Refuse masked entries, those of masked arrays in lists too."""
    found = _masked(value)
    if found is None:
        return
    place, array = found
    name += place
    if array.ndim == 0:
        raise InvalidInputError(f"{name} is masked: give a number")
    masked = int(np.ma.getmaskarray(array).sum())
    # What is left must keep its axes: compressed() makes a single one of all.
    whole = {1: f"{name}.compressed(), or ", 2: f"its whole rows, np.ma.compress_rows({name}), or "}.get(array.ndim, "")
    raise InvalidInputError(
        f"{name} is a masked array with {masked} of {array.size} entries masked, and no entry can be left out: give "
        f"{whole}{name}.filled(…) with values in their place"
    )


def _masked(value: Any) -> tuple[str, np.ma.MaskedArray] | None:
    """The first masked array with a masked entry, and its indices in the lists around it."""
    if isinstance(value, np.ma.MaskedArray):
        return ("", value) if np.ma.is_masked(value) else None
    if isinstance(value, (list, tuple)):
        others = {kind for kind in set(map(type, value)) - PLAIN if not issubclass(kind, np.generic)}
        for k, item in enumerate(value if others else ()):
            if (found := _masked(item)) is not None:
                return f"[{k}]{found[0]}", found[1]
    return None


def _is_sparse(value: Any) -> bool:
    """Whether this is a matrix or an array of SciPy, PyData sparse or CuPy that stores its nonzero entries only."""
    return (
        hasattr(value, "nnz") and hasattr(value, "shape") and (hasattr(value, "toarray") or hasattr(value, "todense"))
    )


def _no_array(name: str, value: Any) -> InvalidInputError:
    """The error of an object that is no array; of a result it names the numbers that it holds."""
    held = (attribute for attribute in RESULTS if isinstance(getattr(value, attribute, None), np.ndarray))
    attribute = next(held, None)
    such = f", such as {name}.{attribute}" if attribute else ""
    return InvalidInputError(f"{name} is {a_kind(value)}: give an array or a list of numbers{such}")


def _not_converted(name: str, value: Any, error: Exception) -> InvalidInputError:
    """The error of an array of another library that cannot become one of NumPy's."""
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    return InvalidInputError(
        f"{name} is a {kind} that NumPy cannot read ({_first_line(error)}): {_advice(name, value)}"
    )


def _advice(name: str, value: Any) -> str:
    if is_on_device(value):
        copy = next((method for method in ("get", "cpu") if callable(getattr(value, method, None))), None)
        return f"give a copy in main memory, {name}.{copy}()" if copy else "give a copy in main memory"
    if getattr(value, "requires_grad", False) is True:
        return f"give its numbers without the graph of its gradient, {name}.detach()"
    return "give a NumPy array of floats or integers"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__
