"""A stand-in for CuPy without a GPU: arrays that never become NumPy's by themselves, and never meet them.

CuPy refuses what mixes the two kinds, so code that passes with these moves its numbers on purpose. Like CuPy's they
are taken by NumPy's own functions, and have no more arguments than CuPy's methods have.
"""

from __future__ import annotations

import sys
import types

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

NAME = "strict_cupy"
#: Functions that are NumPy's of the same name.
FUNCTIONS = [
    "arange",
    "argmax",
    "abs",
    "ascontiguousarray",
    "broadcast_to",
    "concatenate",
    "diff",
    "empty",
    "flatnonzero",
    "full",
    "isfinite",
    "nonzero",
    "sort",
    "searchsorted",
    "tile",
    "where",
    "zeros",
]


class CUDARuntimeError(RuntimeError):
    """What CuPy raises where CUDA's runtime refuses."""


class OutOfMemoryError(MemoryError):
    """What its allocator raises."""


def _plain(value):
    """What is inside; a NumPy array with an axis is refused, as CuPy does."""
    if isinstance(value, StrictArray):
        return value.inside
    if isinstance(value, np.ndarray) and value.ndim:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(item) for item in value)
    return value


def _wrapped(value):
    if isinstance(value, (np.ndarray, np.generic)):
        return StrictArray(np.asarray(value))
    if isinstance(value, (tuple, list)):
        return type(value)(_wrapped(item) for item in value)
    return value


class StrictArray(NDArrayOperatorsMixin):
    """An array of the stand-in."""

    def __init__(self, inside, device: int = 0) -> None:
        self.inside = np.asarray(inside)
        self.device = types.SimpleNamespace(id=device)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if out is not None:
            options["out"] = tuple(item.inside for item in out)
        found = getattr(ufunc, method)(*map(_plain, inputs), **options)
        return out[0] if out is not None else _wrapped(found)

    def __array_function__(self, function, kinds, args, options):
        return _wrapped(function(*_plain(args), **{name: _plain(value) for name, value in options.items()}))

    @property
    def __cuda_array_interface__(self) -> dict:
        return {"shape": self.shape, "version": 3}

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, self.device.id)

    def get(self) -> np.ndarray:
        return self.inside.copy()

    def __getitem__(self, place):
        return _wrapped(self.inside[_plain(place)])

    def __setitem__(self, place, value) -> None:
        self.inside[_plain(place)] = _plain(value)

    def __len__(self) -> int:
        return len(self.inside)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __float__(self) -> float:
        return float(self.inside)

    def __int__(self) -> int:
        return int(self.inside)

    def __bool__(self) -> bool:
        return bool(self.inside)

    @property
    def T(self) -> StrictArray:
        return StrictArray(self.inside.T)


for _name in ("shape", "dtype", "ndim", "size", "itemsize", "strides", "nbytes"):
    setattr(StrictArray, _name, property(lambda self, name=_name: getattr(self.inside, name)))
for _name in ("max", "min", "sum", "mean", "all", "any", "argmax"):
    # None of CuPy's reductions has `initial` or `where`.
    def _reduced(self, axis=None, *, name=_name):
        return _wrapped(getattr(self.inside, name)(axis=axis))

    setattr(StrictArray, _name, _reduced)
for _name in ("reshape", "astype", "copy", "swapaxes", "transpose"):

    def _called(self, *args, name=_name, **options):
        return _wrapped(getattr(self.inside, name)(*args, **options))

    setattr(StrictArray, _name, _called)


def _stand_in() -> types.ModuleType:
    """The module, whose functions take and give these arrays."""
    module = types.ModuleType(NAME)
    StrictArray.__module__ = NAME

    def of_numpy(name):
        def function(*args, **options):
            return _wrapped(getattr(np, name)(*_plain(args), **{k: _plain(v) for k, v in options.items()}))

        return function

    for name in FUNCTIONS:
        setattr(module, name, of_numpy(name))
    module.ndarray = StrictArray  # type: ignore[attr-defined]
    module.asarray = lambda value, dtype=None: StrictArray(np.asarray(getattr(value, "inside", value), dtype))  # type: ignore[attr-defined]
    module.array = lambda value, dtype=None, order="K": StrictArray(  # type: ignore[attr-defined]
        np.array(getattr(value, "inside", value), dtype, order=order)
    )
    module.from_dlpack = lambda value: StrictArray(value.inside)  # type: ignore[attr-defined]
    runtime = types.SimpleNamespace(getDevice=lambda: 0, CUDARuntimeError=CUDARuntimeError)
    module.cuda = types.SimpleNamespace(runtime=runtime)  # type: ignore[attr-defined]
    sys.modules[NAME] = module
    return module


strict = _stand_in()


def as_kernel_arguments(value):
    """What the simulator's kernels take of these arrays: the memory itself."""
    if isinstance(value, StrictArray):
        return value.inside
    if isinstance(value, tuple):
        items = [as_kernel_arguments(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value
