"""Arrays of a device: CuPy's, or NumPy's in the simulator, where host and device share their memory."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.kernels.device.compilers import SIMULATED, cuda

#: The module whose arrays these are.
xp: Any = np if SIMULATED else importlib.import_module("cupy")


#: What CUDA answers of a stream that is at rest, and of one that works.
SUCCESS, NOT_READY = 0, 600
#: What its allocator raises where no memory is left.
OutOfMemory: type[Exception] = MemoryError if SIMULATED else xp.cuda.memory.OutOfMemoryError


def to_device(value) -> Any:
    """A copy of an array of the host, or of the device, in its memory; contiguous, and one row of all is sent once."""
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.strides[0] == 0:
        value = xp.broadcast_to(xp.asarray(value[0]), value.shape)
    return xp.array(value, order="C")


def release() -> None:
    """Give back the memory that CuPy keeps for reuse."""
    if not SIMULATED:
        xp.get_default_memory_pool().free_all_blocks()


def current_stream() -> int:
    """CuPy's, on which its own work on the same arrays goes on; an error where it cannot be used any more."""
    stream = xp.cuda.get_current_stream()
    status = int(xp.cuda.runtime.streamQuery(stream.ptr))  # a number, not an error of Python
    if status not in (SUCCESS, NOT_READY):
        raise InvalidInputError(
            f"CuPy's current stream cannot be used (CUDA's error {status}): leave the `with` of a stream before it is "
            "destroyed; an earlier kernel that failed is told here as well"
        )
    return int(stream.ptr)


def argument(value) -> Any:
    """What a kernel takes: arrays without a copy, tuples item by item, numbers as they are."""
    if isinstance(value, tuple):
        items = [argument(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, np.ndarray):
        value = xp.asarray(value)
    return value if SIMULATED or not hasattr(value, "__cuda_array_interface__") else cuda.as_cuda_array(value, False)


def free_bytes() -> int:
    """Memory of the device that can be had: what is free, and what CuPy keeps for reuse."""
    if SIMULATED:
        return 2**30
    return int(cuda.current_context().get_memory_info().free) + xp.get_default_memory_pool().free_bytes()
