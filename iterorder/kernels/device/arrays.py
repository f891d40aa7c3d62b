"""Arrays of a device: CuPy's, or NumPy's in the simulator, where host and device share their memory."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from iterorder.kernels.device.compilers import SIMULATED, cuda

#: The module whose arrays these are.
xp: Any = np if SIMULATED else importlib.import_module("cupy")


def to_device(value) -> Any:
    """An array of the host, or of the device, as one of the device; contiguous."""
    return xp.ascontiguousarray(xp.asarray(value))


def to_host(array) -> np.ndarray:
    """An array of the device as one of the host."""
    return array if isinstance(array, np.ndarray) else xp.asnumpy(array)


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
