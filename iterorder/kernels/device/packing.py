"""Forms of maps as the kernels of a device read them: one row of numbers for each map, without padding to lanes."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from iterorder.forms import Affine, Body, Form, Rows, Stateful
from iterorder.kernels.cpu.packing import padded
from iterorder.kernels.cpu.profile import AVX512
from iterorder.kernels.device.compilers import VECTOR_BYTES
from iterorder.kernels.device.states import Differing
from iterorder.kernels.optimizer_numbers import optimizer_numbers


class Maps(NamedTuple):
    """A form of maps as arrays and numbers of one type of float.

    For states of a thread each ``table[i]`` holds the rows of (A | b), or (a, c), and `pair` the numbers of two short
    rows. For those of a team the table holds a, or ``table[i·dim + k]`` row k of A, padded to whole vectors, and
    ``constants[i]`` holds c or b. `scale` and `factor` are the weight of an item in a step and its negative; `given`
    the parameters of a slope or a body; `optimizer` what `optimizer_numbers` says.
    """

    table: Any
    pair: tuple
    constants: Any
    shrink: np.floating
    scale: np.floating
    factor: np.floating
    zero: np.floating
    one: np.floating
    given: tuple
    optimizer: Any


@singledispatch
def pack(form: Form, dtype) -> Maps:
    """A form as arrays of the host."""
    raise TypeError(f"no kernel for {type(form).__name__}")


def in_threads(form: Form) -> bool:
    """Whether a thread works on a state, not a team: where the processor has replicas in lanes, with the same sums."""
    inner = form.gradient if isinstance(form, Stateful) else form
    return inner.dim <= (AVX512.max_lane_dim_affine if isinstance(inner, Affine) else AVX512.max_lane_dim_rows)


def _width(form: Affine | Rows) -> int:
    """Numbers of a row of a thread's table."""
    return form.dim + 1 if isinstance(form, Rows) else form.dim * (form.dim + 1)


def _n_rows(form: Affine | Rows) -> int:
    return len(form.constants) if isinstance(form, Rows) else len(form.offsets)


#: Numbers of two rows that are few enough to be arguments of a kernel, which stay where its instructions find them.
FEW_NUMBERS = 24


def _is_pair(n_rows: int, width: int) -> bool:
    return n_rows == 2 and 2 * width <= FEW_NUMBERS


def differing(form: Affine | Rows, dtype) -> Differing | None:
    """Of two short rows, which are arguments of a kernel: whether they differ, by column; None of every other table."""
    if not (in_threads(form) and _is_pair(_n_rows(form), _width(form))):
        return None
    pair = np.array(pack(form, dtype).pair)
    first, second = pair.view(f"u{pair.itemsize}").reshape(2, -1)  # bits: zeros have signs
    return tuple((first != second).tolist())


def _maps(table, constants, shrink: float, scale: float, dtype, given: tuple = ()) -> Maps:
    number = np.dtype(dtype).type
    rows, behind = (np.ascontiguousarray(array, dtype) for array in (table, constants))
    numbers = number(shrink), number(scale), number(-scale), number(0.0), number(1.0)
    # An empty tuple is no argument of a kernel.
    return Maps(rows, (0,), behind, *numbers, given or (0,), np.zeros(1, dtype))


def _thread_maps(table, shrink: float, scale: float, dtype, given: tuple = ()) -> Maps:
    """Rows that a thread reads a vector at once.

    An odd number of vectors from one to the next, so that the same part of different rows is in all banks of a cache.
    """
    maps = _maps(table, np.zeros((1, 1)), shrink, scale, dtype, given)
    rows, vector = maps.table, VECTOR_BYTES // maps.table.itemsize
    pair = tuple(rows.ravel()) if _is_pair(*rows.shape) else maps.pair
    behind = (-(-rows.shape[1] // vector) | 1) * vector - rows.shape[1]
    return maps._replace(table=np.pad(rows, [(0, 0), (0, behind)]), pair=pair)


def _padded(array: np.ndarray, dtype) -> np.ndarray:
    """Zeros behind each row, to whole vectors."""
    behind = padded(array.shape[-1], dtype) - array.shape[-1]
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, behind)])


@pack.register
def _(form: Affine, dtype) -> Maps:
    m, d = form.offsets.shape
    if in_threads(form):
        augmented = np.concatenate([form.matrices, form.offsets[:, :, None]], axis=2).reshape(m, -1)
        return _thread_maps(augmented, 1.0, 1.0 / form.batch_size, dtype)
    rows = _padded(form.matrices.reshape(m * d, d), dtype)
    return _maps(rows, form.offsets, 1.0, 1.0 / form.batch_size, dtype)


@pack.register
def _(form: Rows, dtype) -> Maps:
    given = form.slope.params
    if form.slope.exact and np.dtype(dtype) == np.float32:  # operations of that type alone
        given = tuple(np.float32(value) if isinstance(value, float) else value for value in given)
    if in_threads(form):
        table = np.column_stack([form.rows, form.constants])
        return _thread_maps(table, form.shrink, form.scale, dtype, given)
    return _maps(_padded(form.rows, dtype), form.constants[:, None], form.shrink, form.scale, dtype, given)


@pack.register
def _(form: Body, dtype) -> Maps:
    return _maps(np.zeros((1, 1)), np.zeros((1, 1)), 1.0, 1.0, dtype, form.params)


@pack.register
def _(form: Stateful, dtype) -> Maps:
    return pack(form.gradient, dtype)._replace(optimizer=optimizer_numbers(form).astype(dtype))
