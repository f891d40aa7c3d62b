"""What the kernels see of a random-map system: one row of numbers per map, and how a step draws its rows."""

from __future__ import annotations

import math
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from iterorder import noise
from iterorder.kernels.vector import VECTOR_BYTES
from iterorder.maps import (
    AffineMaps,
    LinearRegressionSGD,
    LogisticRegressionSGD,
    Optimizer,
    QuadraticSGD,
    RandomMaps,
)
from iterorder.sampling import FreshNoise, Sampling

# Up to these dimensions a block of states is stored coordinate by coordinate (lanes are replicas); above, state by
# state (lanes are coordinates). A matrix of d² numbers is gathered for every lane, hence the smaller bound.
MAX_LANE_DIM_AFFINE, MAX_LANE_DIM_REGRESSION = 12, 16
# Rows of at most this many vectors are held in registers.
MAX_ROW_VECTORS = 13

# Ways to draw, by the words that a step reads.
PACKED_BITS, BITS, INDEX, WEIGHTED, BATCH, CYCLIC, FISHER_YATES, FEISTEL, UNIFORMS, NORMALS, INDEX_AND_NORMALS = range(
    11
)
# Families of steps.
AFFINE, LINEAR, LOGISTIC, CUSTOM = range(4)


NO_PARAMETERS = np.zeros(0, np.int64)
NO_OPTIMIZER = np.zeros(0)
# Where the numbers of an optimiser stand; the step sizes of steps 0, 1, … follow, and the last goes on.
MOMENTUM, WEIGHT_DECAY, RIDGE, SHARE, STEP_SIZES = range(5)


class System(NamedTuple):
    """A family of maps as arrays and scalars.

    Steps, summed over a batch of `batch_size` items:

    - affine: x → scale·Σ(A x + b)
    - linear regression: x → shrink·x − scale·Σ a(aᵀx − b)
    - logistic regression: x → shrink·x + scale·Σ a σ(−aᵀx)

    In the lane layout ``table[i]`` holds the rows of (A | b), (a, −b) or (y·a, 0), padded to a multiple of four (two,
    if there are at most two). In the row layout ``table[i]`` holds a and ``table[i·dim + k]`` row k of A, padded to
    `stride`, and ``constants[i]`` holds b, −b or 0.

    Custom maps have a compiled step of their own, at the address `own_steps`; it finds what it needs at `parameters`.
    With an `optimizer`, whose numbers that array holds, the table is that of the gradients: (H | −Hc) in place of
    (A | b), and `dim` is that of the state with the velocity.
    """

    family: int
    lane_layout: bool
    dim: int
    stride: int
    batch_size: int
    table: np.ndarray
    constants: np.ndarray
    shrink: np.floating
    scale: np.floating
    parameters: np.ndarray = NO_PARAMETERS
    own_steps: int = 0
    optimizer: np.ndarray = NO_OPTIMIZER

    @property
    def row_vectors(self) -> int:
        """Whole vectors of a state in the row layout; zero where they are too many to be held in registers."""
        vectors = self.stride // lanes_of(self.table.dtype)
        return vectors if vectors <= MAX_ROW_VECTORS else 0


class Draws(NamedTuple):
    """The law of the draws and the key of the noise.

    Item i is drawn when a word reaches i of the `thresholds`. ``guide[0]`` is a number of bits, and ``guide[1 + j]``
    says how many thresholds are reached by every word whose leading bits are j. A step takes `batch_size` rows of the
    drawn words: items, or floats. `rows` and `columns` are the sides of
    the rectangle on which a keyed permutation works.
    """

    kind: int
    n_items: np.uint64
    batch_size: int
    thresholds: np.ndarray
    guide: np.ndarray
    rows: np.uint64
    columns: np.uint64
    key_low: np.uint64
    key_high: np.uint64


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


def draws_of(system: System, law: Sampling | FreshNoise, seed: int) -> Draws:
    """The kernels' form of a sampling law."""
    thresholds = np.empty(0, np.uint64) if law.probabilities is None else noise.thresholds(law.probabilities)
    rows, columns = noise.feistel_sides(max(1, law.n_items))
    size = law.count + (law.n_items > 0) if isinstance(law, FreshNoise) else law.batch_size
    return Draws(
        _draw_kind(system, law),
        np.uint64(law.n_items),
        size,
        thresholds,
        _guide(thresholds),
        np.uint64(rows),
        np.uint64(columns),
        np.uint64(seed & 0xFFFFFFFF),
        np.uint64(seed >> 32),
    )


def _guide(thresholds) -> np.ndarray:
    bits = max(1, len(thresholds).bit_length())
    first_words = np.arange(2**bits, dtype=np.uint64) << np.uint64(32 - bits)
    reached = np.searchsorted(thresholds, first_words, side="right")
    return np.concatenate([[bits], reached]).astype(np.uint32)


def _draw_kind(system: System, law: Sampling | FreshNoise) -> int:
    if isinstance(law, FreshNoise):
        ways = {"uniform": UNIFORMS, "normal": NORMALS, "index+normal": INDEX_AND_NORMALS}
        if law.noise not in ways:
            raise ValueError(f"no way to draw {law.noise!r} noise")
        return ways[law.noise]
    if law.kind == "cyclic":
        return CYCLIC
    if law.kind == "reshuffle":
        return FISHER_YATES if law.n_items <= noise.FISHER_YATES_MAX else FEISTEL
    if law.kind != "iid":
        raise ValueError(f"no way to draw by {law.kind!r} sampling")
    if law.batch_size > 1:
        return BATCH
    if law.probabilities is not None:
        return WEIGHTED
    if law.n_items != 2:
        return INDEX
    packed = system.family == AFFINE and system.dim == 1 and not system.optimizer.size
    return PACKED_BITS if packed else BITS


def check_family(system: System, *known: int) -> None:
    """Refuse a family for which a choice among steps has none: the last one would run it as something else."""
    if system.family not in known:
        raise ValueError(f"no step for the family {system.family}: there are steps for {', '.join(map(str, known))}")


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
    if d <= MAX_LANE_DIM_AFFINE:
        augmented = np.concatenate([matrices, offsets[:, :, None]], axis=2).reshape(m, -1)
        return _lane_system(AFFINE, d, batch_size, augmented, 1.0, 1.0 / batch_size, dtype)
    stride = padded(d, dtype)
    table = aligned_zeros((m, d, stride), dtype)
    table[:, :, :d] = matrices
    constants = aligned_zeros((m, padded(d, dtype)), dtype)
    constants[:, :d] = offsets
    scalar = np.dtype(dtype).type
    rows = table.reshape(m * d, stride)
    return System(AFFINE, False, d, stride, batch_size, rows, constants, scalar(1.0), scalar(1.0 / batch_size))


@system_of.register
def _(maps: LinearRegressionSGD, dtype) -> System:
    return _regression(LINEAR, maps, maps.features, -maps.targets, dtype)


@system_of.register
def _(maps: LogisticRegressionSGD, dtype) -> System:
    return _regression(LOGISTIC, maps, maps.labels[:, None] * maps.features, np.zeros(len(maps.labels)), dtype)


def _regression(family, maps, rows, constants, dtype) -> System:
    n, d = rows.shape
    shrink, scale = 1.0 - maps.step_size * maps.ridge, maps.step_size / maps.batch_size
    if d <= MAX_LANE_DIM_REGRESSION:
        numbers = np.column_stack([rows, constants])
        return _lane_system(family, d, maps.batch_size, numbers, shrink, scale, dtype)
    stride = padded(d, dtype)
    table = aligned_zeros((n, stride), dtype)
    table[:, :d] = rows
    scalar = np.dtype(dtype).type
    column = constants[:, None].astype(dtype)
    return System(family, False, d, stride, maps.batch_size, table, column, scalar(shrink), scalar(scale))


@system_of.register
def _(maps: Optimizer, dtype) -> System:
    inner = maps.maps
    if isinstance(inner, QuadraticSGD):  # the table of gradients, not that of steps
        system = _affine(inner.curvatures, inner.gradients(np.zeros(inner.dim)), inner.batch_size, dtype)
    else:
        system = system_of(inner, dtype)
    ridge = getattr(inner, "ridge", 0.0)
    numbers = (maps.momentum, maps.weight_decay, ridge, 1.0 / inner.batch_size)
    # The velocity stands behind x, and its last vector ends behind its last coordinate.
    stride = maps.dim if system.lane_layout else padded(inner.dim + padded(inner.dim, dtype), dtype)
    return system._replace(dim=maps.dim, stride=stride, optimizer=np.concatenate([numbers, maps.step_sizes]))


def _lane_system(family, dim, batch_size, numbers, shrink, scale, dtype) -> System:
    n, width = numbers.shape
    table = aligned_zeros((n, 2 if width <= 2 else -(-width // 4) * 4), dtype)
    table[:, :width] = numbers
    scalar = np.dtype(dtype).type
    constants = np.zeros((1, 1), dtype)
    return System(family, True, dim, dim, batch_size, table, constants, scalar(shrink), scalar(scale))
