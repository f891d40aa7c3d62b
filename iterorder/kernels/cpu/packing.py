"""Forms of maps as the kernels of this processor read them: one padded, aligned row of numbers for each map."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from iterorder.forms import Affine, Body, Form, Rows, Stateful
from iterorder.kernels.cpu import profile
from iterorder.kernels.cpu.body_steps import MAX_LANE_DIM, memory_of
from iterorder.kernels.cpu.loads import VECTOR_BYTES, padded_columns
from iterorder.kernels.optimizer_numbers import optimizer_numbers

NO_PARAMETERS = np.zeros(0, np.int64)
NO_OPTIMIZER = np.zeros(0)


class Packed(NamedTuple):
    """A form of maps as arrays and scalars.

    Steps, summed over a batch of `batch_size` items:

    - affine: x → scale·Σ(A x + b)
    - rows of data: x → shrink·x − scale·Σ φ(aᵀx + c)·a

    In the lane layout ``table[i]`` holds the rows of (A | b), or (a, c), padded to a multiple of four (two, if there
    are at most two). In the row layout ``table[i]`` holds a and ``table[i·dim + k]`` row k of A, padded to `stride`,
    and ``constants[i]`` holds b or c.

    Bodies and slopes that were given as functions find what they need at `parameters`, behind which bodies have the
    addresses of what repeats a step one replica at a time, where they work on several. With an `optimizer`, whose
    numbers that array holds, the table is that of the gradients: (H | −Hc) in place of (A | b), and `dim` is that of
    the state with the velocity.
    """

    lane_layout: bool
    dim: int
    stride: int
    batch_size: int
    table: np.ndarray
    constants: np.ndarray
    shrink: np.floating
    scale: np.floating
    parameters: np.ndarray = NO_PARAMETERS
    optimizer: np.ndarray = NO_OPTIMIZER

    @property
    def row_vectors(self) -> int:
        """Whole vectors of a state in the row layout; zero where they are too many for steps of their own."""
        vectors = self.stride // lanes_of(self.table.dtype)
        return vectors if vectors <= profile.PROFILE.max_row_vectors else 0


def lanes_of(dtype) -> int:
    """Numbers in a whole vector along a row."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize


def padded(dim: int, dtype) -> int:
    """`dim` rounded up to whole vectors."""
    return -(-dim // lanes_of(dtype)) * lanes_of(dtype)


def aligned_zeros(shape: tuple[int, ...], dtype) -> np.ndarray:
    """Zeros on a 64-byte boundary, so that no vector load crosses two cache lines."""
    size = math.prod(shape)
    memory = np.zeros(size + VECTOR_BYTES, dtype)
    start = -memory.__array_interface__["data"][0] % VECTOR_BYTES // memory.itemsize
    return memory[start : start + size].reshape(shape)


@singledispatch
def pack(form: Form, dtype) -> Packed:
    """A form of maps as the kernels read it, in float64 or float32."""
    raise TypeError(f"no kernel for {type(form).__name__}")


@pack.register
def _(form: Affine, dtype) -> Packed:
    m, d = form.offsets.shape
    size = form.batch_size
    if d <= profile.PROFILE.max_lane_dim_affine:
        augmented = np.concatenate([form.matrices, form.offsets[:, :, None]], axis=2).reshape(m, -1)
        return _in_lanes(d, size, augmented, 1.0, 1.0 / size, dtype)
    stride = padded(d, dtype)
    table = aligned_zeros((m, d, stride), dtype)
    table[:, :, :d] = form.matrices
    constants = aligned_zeros((m, padded(d, dtype)), dtype)
    constants[:, :d] = form.offsets
    scalar = np.dtype(dtype).type
    rows = table.reshape(m * d, stride)
    return Packed(False, d, stride, size, rows, constants, scalar(1.0), scalar(1.0 / size))


@pack.register
def _(form: Rows, dtype) -> Packed:
    n, d = form.rows.shape
    size = form.batch_size
    if d <= profile.PROFILE.max_lane_dim_rows:
        numbers = np.column_stack([form.rows, form.constants])
        packed = _in_lanes(d, size, numbers, form.shrink, form.scale, dtype)
        return packed._replace(parameters=memory_of(form.slope.params))
    stride = padded(d, dtype)
    table = aligned_zeros((n, stride), dtype)
    table[:, :d] = form.rows
    scalar = np.dtype(dtype).type
    column = form.constants[:, None].astype(dtype)
    shrink, scale, given = scalar(form.shrink), scalar(form.scale), memory_of(form.slope.params)
    return Packed(False, d, stride, size, table, column, shrink, scale, given)


@pack.register
def _(form: Body, dtype) -> Packed:
    columns, one = form.dim <= MAX_LANE_DIM, np.dtype(dtype).type(1.0)
    stride = form.dim if columns else padded(form.dim, dtype)
    empty = np.zeros((1, stride), dtype)
    memory = np.append(memory_of(form.params), (0, 0))
    return Packed(columns, form.dim, stride, 1, empty, empty, one, one, memory)


@pack.register
def _(form: Stateful, dtype) -> Packed:
    inner = pack(form.gradient, dtype)
    # The velocity stands behind x, and its last vector ends behind its last coordinate.
    dim = form.gradient.dim
    stride = form.dim if inner.lane_layout else padded(dim + padded(dim, dtype), dtype)
    return inner._replace(dim=form.dim, stride=stride, optimizer=optimizer_numbers(form))


def _in_lanes(dim, batch_size, numbers, shrink, scale, dtype) -> Packed:
    n, width = numbers.shape
    table = aligned_zeros((n, padded_columns(width)), dtype)
    table[:, :width] = numbers
    scalar = np.dtype(dtype).type
    constants = np.zeros((1, 1), dtype)
    return Packed(True, dim, dim, batch_size, table, constants, scalar(shrink), scalar(scale))
