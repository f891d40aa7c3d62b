"""Arrays in the memory of a GPU: told from others, computed with where they are, and copied back.

Their library is CuPy, whose functions NumPy's own call for its arrays: what only combines arrays is written once, with
`np`. What makes new ones asks `namespace_of`.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.shown import a_kind

#: DLPack's numbers of the main memory: any, and that which CUDA has pinned.
MAIN_MEMORY = (1, 3)
#: Numbers that keep a GPU busy and take a small part of its memory.
DEVICE_NUMBERS = 2**24


def is_on_device(value) -> bool:
    """Whether these are numbers in the memory of a GPU, of whatever library."""
    if isinstance(value, (np.ndarray, np.generic, list, tuple, int, float)):
        return False
    try:
        return value.__dlpack_device__()[0] not in MAIN_MEMORY
    except Exception:  # no such method, or one that raises what its library likes
        pass
    try:
        return hasattr(value, "__cuda_array_interface__")
    except Exception:  # PyTorch raises where a tensor belongs to a graph
        return False


def cupy() -> Any:
    """CuPy, which is there where arrays on a GPU are."""
    return importlib.import_module("cupy")


def namespace_of(array) -> Any:
    """The module with the functions of these arrays: NumPy, or CuPy."""
    return np if isinstance(array, np.ndarray) else cupy()


def received(name: str, value, ndim: tuple[int, ...] | None = None) -> Any:
    """What a user gave that lives on a GPU: finite real numbers as float64, on the GPU that is in use.

    Taken is whatever DLPack moves without a copy: arrays of CuPy, PyTorch, JAX and others.
    """
    xp = cupy()
    try:
        array = value if isinstance(value, xp.ndarray) else _without_a_copy(xp, value)
    except (TypeError, ValueError, AttributeError, RuntimeError, BufferError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise InvalidInputError(
            f"{name} is {a_kind(value)} that CuPy cannot take over ({said[0]}): give an array of CuPy, a tensor "
            "without the graph of its gradient, or a copy in main memory"
        ) from error
    here, there = int(xp.cuda.runtime.getDevice()), int(array.device.id)
    if there != here:
        raise InvalidInputError(
            f"{name} lives on GPU {there}, and GPU {here} is in use: call within `with cupy.cuda.Device({there}):`"
        )
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(f"{name} has dtype {array.dtype}: give real numbers (floats or integers)")
    if ndim is not None and array.ndim not in ndim:
        wanted = " or ".join(str(k) for k in ndim)
        raise InvalidInputError(f"{name} has shape {array.shape}: give an array with {wanted} axes")
    if array.size == 0:
        raise InvalidInputError(f"{name} is empty, shape {array.shape}: give at least one value")
    array = array.astype(np.float64)
    bad = ~xp.isfinite(array)
    if bool(bad.any()):
        where = tuple(int(axis[0]) for axis in xp.nonzero(bad))
        place = f"{name}[{', '.join(map(str, where))}]"
        raise InvalidInputError(f"{place} is {float(array[where])}: every value must be finite")
    return array


def _without_a_copy(xp, value) -> Any:
    """An array of CuPy on the same memory."""
    return xp.from_dlpack(value) if hasattr(value, "__dlpack__") else xp.asarray(value)


def to_numpy(array) -> np.ndarray:
    """A copy in main memory of an array that is not there; the array itself where it is."""
    if isinstance(array, np.ndarray):
        return array
    for copy in ("get", "cpu"):
        if callable(method := getattr(array, copy, None)):
            found = method()
            return found if isinstance(found, np.ndarray) else np.asarray(found)
    return np.asarray(array)


def at_once(array, numbers: int) -> int:
    """How many numbers to hold at once: so many, which stay in a processor's cache, and on a GPU far more."""
    return numbers if isinstance(array, np.ndarray) else DEVICE_NUMBERS


def along_steps(states, index) -> Any:
    """``states[:, index]``, the index an array of main memory."""
    return states[:, namespace_of(states).asarray(index)]


def contiguous(array) -> Any:
    """The array with its numbers one after the other."""
    return namespace_of(array).ascontiguousarray(array)


def shown_bytes(size: int) -> str:
    """A number of bytes in a unit that a person reads."""
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size} bytes"
