"""What the kernels see of a random-map system: one row of numbers per map, and how a step draws its rows."""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from iterorder import noise
from iterorder.kernels.vector import VECTOR_BYTES
from iterorder.maps import AffineMaps, LinearRegressionSGD, LogisticRegressionSGD, QuadraticSGD, RandomMaps
from iterorder.sampling import Sampling

# Up to these dimensions a block of states is stored coordinate by coordinate (lanes are replicas); above, state by
# state (lanes are coordinates). A matrix of d² numbers is gathered for every lane, hence the smaller bound.
MAX_LANE_DIM_AFFINE, MAX_LANE_DIM_REGRESSION = 8, 16

# Ways to draw, by the words that a step reads.
FAIR_BIT, INDEX, WEIGHTED, BATCH, CYCLIC, FISHER_YATES, FEISTEL = range(7)


class System(NamedTuple):
    """A family of maps as arrays and scalars. Its subclasses tell the compiler which step to use.

    ``table[i]`` holds map i: (A, b) for affine maps, (a, −b) for linear and (y·a, 0) for logistic regression, padded
    with zeros to whole vectors; in the row layout each row of A and each a is padded to `stride`, too. Steps, summed
    over the batch:

    - affine: x → scale·Σ(A x + b)
    - linear regression: x → shrink·x − scale·Σ a(aᵀx − b)
    - logistic regression: x → shrink·x + scale·Σ a σ(−aᵀx)
    """

    lane_layout: bool
    logistic: bool
    dim: int
    stride: int
    table: np.ndarray
    shrink: np.floating
    scale: np.floating


class AffineLine(System):
    """Affine maps in one dimension."""


class AffinePair(System):
    """Two affine maps in one dimension, one of them a step."""


class AffineLanes(System):
    """Affine maps in few dimensions."""


class AffineRows(System):
    """Affine maps in many dimensions."""


class RegressionLanes(System):
    """Linear or logistic regression in few dimensions."""


class RegressionRows(System):
    """Linear or logistic regression in many dimensions."""


class Draws(NamedTuple):
    """The law of the draws and the key of the noise."""

    kind: int
    n_items: np.uint64
    batch_size: int
    thresholds: np.ndarray
    half_bits: np.uint64
    key_low: np.uint64
    key_high: np.uint64


def padded(dim: int, dtype) -> int:
    """`dim` rounded up to whole vectors."""
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return -(-dim // lanes) * lanes


def draws_of(law: Sampling, seed: int) -> Draws:
    """The kernels' form of a sampling law."""
    thresholds = np.empty(0, np.uint64) if law.probabilities is None else noise.thresholds(law.probabilities)
    half_bits = noise.feistel_half_bits(law.n_items)
    return Draws(
        _draw_kind(law),
        np.uint64(law.n_items),
        law.batch_size,
        thresholds,
        np.uint64(half_bits),
        np.uint64(seed & 0xFFFFFFFF),
        np.uint64(seed >> 32),
    )


def _draw_kind(law: Sampling) -> int:
    if law.kind == "cyclic":
        return CYCLIC
    if law.kind == "reshuffle":
        return FISHER_YATES if law.n_items <= noise.FISHER_YATES_MAX else FEISTEL
    if law.batch_size > 1:
        return BATCH
    if law.probabilities is not None:
        return WEIGHTED
    return FAIR_BIT if law.n_items == 2 else INDEX


@singledispatch
def system_of(maps: RandomMaps, dtype) -> System:
    """The kernels' form of a family of maps, in float64 or float32."""
    raise TypeError(f"no kernel for {type(maps).__name__}")


@system_of.register
def _(maps: AffineMaps, dtype) -> System:
    return _affine(maps.matrices, maps.offsets, 1, dtype)


@system_of.register
def _(maps: QuadraticSGD, dtype) -> System:
    # The average of the gradient steps of a batch is the step of the average gradient.
    moves = maps.step_size * maps.curvatures
    offsets = np.einsum("mij,mj->mi", moves, maps.minimizers)
    return _affine(np.eye(maps.dim) - moves, offsets, maps.batch_size, dtype)


def _affine(matrices, offsets, batch_size, dtype) -> System:
    m, d = offsets.shape
    lane_layout = d <= MAX_LANE_DIM_AFFINE
    stride = d if lane_layout else padded(d, dtype)
    rows = np.zeros((m, d + 1, stride))
    rows[:, :d, :d] = matrices
    rows[:, d, :d] = offsets
    table = _padded_table(rows.reshape(m, -1), 2 if d == 1 else padded((d + 1) * stride, dtype), dtype)
    scalar = np.dtype(dtype).type
    kind: type[System]
    if d == 1:
        kind = AffinePair if m == 2 and batch_size == 1 else AffineLine
    else:
        kind = AffineLanes if lane_layout else AffineRows
    return kind(lane_layout, False, d, stride, table, scalar(1.0), scalar(1.0 / batch_size))


def _padded_table(rows, width, dtype) -> np.ndarray:
    """The rows with zeros up to `width`, on a 64-byte boundary."""
    memory = np.zeros(len(rows) * width + VECTOR_BYTES, dtype)
    start = -memory.ctypes.data % VECTOR_BYTES // memory.itemsize
    table = memory[start : start + len(rows) * width].reshape(len(rows), width)
    table[:, : rows.shape[1]] = rows
    return table


@system_of.register
def _(maps: LinearRegressionSGD, dtype) -> System:
    return _regression(False, maps, maps.features, -maps.targets, dtype)


@system_of.register
def _(maps: LogisticRegressionSGD, dtype) -> System:
    return _regression(True, maps, maps.labels[:, None] * maps.features, np.zeros(len(maps.labels)), dtype)


def _regression(logistic, maps, rows, constants, dtype) -> System:
    n, d = rows.shape
    lane_layout = d <= MAX_LANE_DIM_REGRESSION
    stride = d if lane_layout else padded(d, dtype)
    numbers = np.zeros((n, stride + 1))
    numbers[:, :d] = rows
    numbers[:, stride] = constants
    table = _padded_table(numbers, padded(stride + 1, dtype), dtype)
    scalar = np.dtype(dtype).type
    shrink, scale = scalar(1.0 - maps.step_size * maps.ridge), scalar(maps.step_size / maps.batch_size)
    kind = RegressionLanes if lane_layout else RegressionRows
    return kind(lane_layout, logistic, d, stride, table, shrink, scale)
