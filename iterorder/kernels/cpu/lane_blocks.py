"""Blocks of lanes: the memory they work in, and runs of steps over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iterorder.kernels.cpu import profile
from iterorder.kernels.cpu.index_draws import SMALL_BATCH
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.packing import Packed, aligned_zeros
from iterorder.kernels.draw_tables import BATCH, FEISTEL, FISHER_YATES, PACKED_BITS, Draws
from iterorder.kernels.targets import call_at, jit, jit_inline
from iterorder.noise import FEISTEL_ROUNDS


class Shuffle(NamedTuple):
    """Permutations of the epoch in flight: (epoch, first replica + 1), items or round keys a lane, marks of a batch.

    ``items[g·n + k]`` holds item k of the permutations of the eight lanes of group g, so that a shuffle stays in the
    first cache and an item of all lanes is one load. `workspace` holds the exchange partners of four steps, or the
    draws of eight steps of one replica.
    """

    epoch: np.ndarray
    items: np.ndarray
    keys: np.ndarray
    marks: np.ndarray
    workspace: np.ndarray


class Scratch(NamedTuple):
    """Memory of one block: its states and a copy, coefficients, sums and images of a step, the draws of a chunk.

    In the lane layout `sums` has room for the states as well, one group of eight lanes behind the other.
    ``first_step[0]`` is the number of the step that row 0 of the chunk belongs to.
    """

    states: np.ndarray
    before: np.ndarray
    moves: np.ndarray
    sums: np.ndarray
    image: np.ndarray
    drawn: np.ndarray
    first_step: np.ndarray
    shuffle: Shuffle


class Code(NamedTuple):
    """Addresses of the functions that draw a chunk and apply its steps, and the steps of a chunk."""

    fill: int
    steps: int
    chunk: int


class Control(NamedTuple):
    """The interpreter's line to a running kernel: ``stop[0]`` asks it to return, ``done[slot]`` counts lane steps."""

    stop: np.ndarray
    done: np.ndarray
    slot: int


def lanes_for(packed: Packed, n: int, threads: int) -> int:
    """Lanes of blocks of equal size for n states, one at least for each thread; long states stay in the first cache."""
    size = packed.table.itemsize * (1 if packed.lane_layout else packed.stride)
    shape = profile.PROFILE
    most = min(shape.max_lanes, max(LANES, shape.max_state_bytes // size // LANES * LANES))
    groups = -(-n // LANES)
    blocks = max(-(-n // most), min(threads, groups))
    return -(-groups // blocks) * LANES


def chunk_of(draws: Draws, noise_lanes: int) -> int:
    """Steps drawn at once."""
    shape = profile.PROFILE
    if draws.kind == PACKED_BITS:
        return shape.bit_chunk
    chunk = shape.max_chunk * max(1, LANES // noise_lanes)
    while chunk > shape.min_chunk and chunk * draws.batch_size * noise_lanes > shape.max_draws:
        chunk //= 2
    return chunk


def new_scratch(packed: Packed, draws: Draws, lanes: int, shared: bool, noise_lanes: int = 0) -> Scratch:
    """The memory of one block of `lanes` lanes; where the noise is shared, draws are those of one vector.

    Or those of `noise_lanes`, where these are fewer.
    """
    dtype = packed.table.dtype
    shape = (packed.dim, lanes) if packed.lane_layout else (lanes, packed.stride)
    size, noise_lanes = draws.batch_size, noise_lanes or (LANES if shared else lanes)
    chunk = chunk_of(draws, noise_lanes)
    rows = chunk // 32 if draws.kind == PACKED_BITS else chunk * size
    return Scratch(
        aligned_zeros(shape, dtype),
        aligned_zeros(shape, dtype),
        aligned_zeros((size, lanes), dtype),
        aligned_zeros((max(size * LANES, packed.dim * lanes // LANES * packed.lane_layout), LANES), dtype),
        aligned_zeros((1, packed.stride), dtype),
        aligned_zeros((rows, noise_lanes), np.uint64),
        np.zeros(1, np.uint64),
        new_shuffle(draws, noise_lanes),
    )


def new_shuffle(draws: Draws, noise_lanes: int) -> Shuffle:
    """The permutations of so many lanes, of no epoch yet, and the marks of a batch."""
    n, size = int(draws.n_items), draws.batch_size
    return Shuffle(
        np.zeros(2, np.uint64),
        np.zeros((noise_lanes // LANES * n if draws.kind == FISHER_YATES else 0, LANES), np.uint16),
        aligned_zeros(((FEISTEL_ROUNDS + 3) // 4 * 4, noise_lanes if draws.kind == FEISTEL else 0), np.uint64),
        np.zeros(n if draws.kind == BATCH and size > SMALL_BATCH else 0, np.uint8),
        aligned_zeros((max(4, size), LANES), np.uint64),
    )


@jit_inline
def draw(code, draws, scratch, replica, stride, base, first, last):
    """Draw the maps of steps base + first … base + last − 1 of every lane."""
    scratch.first_step[0] = base
    call_at(code.fill, (draws, scratch.drawn, scratch.shuffle, replica, stride, base, first, last))


@jit_inline
def apply(code, packed, scratch, start, stop, direction, first_lane):
    """Apply the steps start, start + direction, … before stop of the chunk to the lanes from `first_lane` on."""
    call_at(code.steps, (packed, scratch, start, stop, direction, first_lane))


# States are addressed by all their indices below: a slice would cost an atomic reference count for every replica.


@jit
def load_states(packed, x, states, first, last):
    """Copy states[first:last] into the block; unused lanes and padding become zero."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            x[i, k] = 0
    if packed.lane_layout:
        for j in range(last - first):
            for k in range(packed.dim):
                x[k, j] = states[first + j, k]
    else:
        for j in range(last - first):
            for k in range(packed.dim):
                x[j, k] = states[first + j, k]


@jit_inline
def load_state(packed, states, lane, x0, r):
    """The start of a replica in one lane; padding becomes zero, whatever overflowed into it."""
    if packed.lane_layout:
        for k in range(packed.dim):
            states[k, lane] = x0[r, k]
    else:
        for k in range(states.shape[1]):
            states[lane, k] = x0[r, k] if k < packed.dim else states.dtype.type(0.0)


@jit
def store_states(packed, x, states, first, last, saved):
    """Copy the lanes of the block into states[first:last, saved]."""
    if packed.lane_layout:
        for j in range(last - first):
            for k in range(packed.dim):
                states[first + j, saved, k] = x[k, j]
    else:
        for j in range(last - first):
            for k in range(packed.dim):
                states[first + j, saved, k] = x[j, k]


@jit
def copy(source, target):
    """Copy a two-dimensional array; a slice assignment would bring its error messages along, seconds to compile."""
    for i in range(source.shape[0]):
        for k in range(source.shape[1]):
            target[i, k] = source[i, k]


@jit
def run_steps(code, packed, draws, scratch, replica, stride, begin, end, descending, control):
    """Apply maps begin … end−1 to the block, in ascending or descending order of their index.

    Descending composes them backward: T_begin is applied last. Returns false if the interpreter asked to stop.
    """
    chunk = np.uint64(code.chunk)
    while begin < end:
        if control.stop[0] != 0:
            return False
        base = ((end - np.uint64(1)) if descending else begin) // chunk * chunk
        low, high = max(begin, base), min(end, base + chunk)
        first, last = np.int64(low - base), np.int64(high - base)
        draw(code, draws, scratch, replica, stride, base, first, last)
        if descending:
            apply(code, packed, scratch, last - 1, first - 1, -1, 0)
            end = low
        else:
            apply(code, packed, scratch, first, last, 1, 0)
            begin = high
        control.done[control.slot] += (last - first) * scratch.moves.shape[1]
    return True
