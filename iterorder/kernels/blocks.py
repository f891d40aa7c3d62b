"""Blocks of lanes: the memory they work in, and runs of steps over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iterorder.kernels import systems
from iterorder.kernels.draws import fill_index
from iterorder.kernels.philox import FEISTEL_ROUNDS
from iterorder.kernels.steps import apply_steps
from iterorder.kernels.targets import jit

# Replicas (or backward iterates) worked on side by side.
MAX_LANES = 64
# Vectors of float64 on today's processors hold eight lanes; narrower blocks would not be faster.
MIN_LANES = 8
# Steps drawn at once, at most; a chunk of draws should stay in the second-level cache.
MAX_CHUNK = 128
MAX_DRAWS = 2**14


class Shuffle(NamedTuple):
    """Permutations of the epoch in flight: (epoch, first replica + 1), items or round keys a lane, marks of a batch."""

    epoch: np.ndarray
    items: np.ndarray
    keys: np.ndarray
    marks: np.ndarray


class Scratch(NamedTuple):
    """Memory of one block: its states and a copy, gathered rows, coefficients, images, the draws of a chunk."""

    states: np.ndarray
    before: np.ndarray
    columns: np.ndarray
    moves: np.ndarray
    image: np.ndarray
    drawn: np.ndarray
    shuffle: Shuffle


class Control(NamedTuple):
    """The interpreter's line to a running kernel: ``stop[0]`` asks it to return, ``done[slot]`` counts lane steps."""

    stop: np.ndarray
    done: np.ndarray
    slot: int


def lanes_for(n: int) -> int:
    """Lanes of a block that has to hold up to n states."""
    return min(MAX_LANES, -(-n // MIN_LANES) * MIN_LANES)


def new_scratch(system: systems.System, draws: systems.Draws, lanes: int) -> Scratch:
    """The memory of one block of `lanes` lanes."""
    dtype = system.table.dtype
    shape = (system.dim, lanes) if system.lane_layout else (lanes, system.stride)
    n, size = int(draws.n_items), draws.batch_size
    chunk = max(1, min(MAX_CHUNK, MAX_DRAWS // (size * lanes)))
    shuffled = draws.kind == systems.FISHER_YATES
    keyed = draws.kind == systems.FEISTEL
    shuffle = Shuffle(
        np.zeros(2, np.uint64),
        np.zeros((lanes, n) if shuffled else (0, 0), np.uint16),
        np.zeros((lanes if keyed else 0, FEISTEL_ROUNDS), np.uint64),
        np.zeros(n if draws.kind == systems.BATCH else 0, np.uint8),
    )
    return Scratch(
        np.zeros(shape, dtype),
        np.zeros(shape, dtype),
        np.zeros((system.table.shape[1], lanes) if system.lane_layout else (0, 0), dtype),
        np.zeros((size, lanes), dtype),
        np.zeros(shape if system.lane_layout else (1, system.stride), dtype),
        np.zeros((chunk, size, lanes), np.uint32),
        shuffle,
    )


@jit
def load(system, x, states):
    """Copy states (lanes used, dim) into the block; unused lanes and padding become zero."""
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            x[i, k] = 0
    for j in range(states.shape[0]):
        for k in range(system.dim):
            if system.lane_layout:
                x[k, j] = states[j, k]
            else:
                x[j, k] = states[j, k]


@jit
def store(system, x, states):
    """Copy the first lanes of the block into states (lanes used, dim)."""
    for j in range(states.shape[0]):
        store_lane(system, x, j, states[j])


@jit
def store_lane(system, x, lane, state):
    """Copy one lane of the block into a state of `dim` numbers."""
    for k in range(system.dim):
        state[k] = x[k, lane] if system.lane_layout else x[lane, k]


@jit
def set_lane(system, x, lane, state):
    """Copy a state (dim,) into one lane of the block; padding becomes zero, whatever overflowed into it."""
    if system.lane_layout:
        for k in range(system.dim):
            x[k, lane] = state[k]
    else:
        for k in range(system.dim):
            x[lane, k] = state[k]
        for k in range(system.dim, x.shape[1]):
            x[lane, k] = 0


@jit
def copy(source, target):
    """Copy a two-dimensional array; a slice assignment would bring its error messages along, seconds to compile."""
    for i in range(source.shape[0]):
        for k in range(source.shape[1]):
            target[i, k] = source[i, k]


@jit
def chunk_ends(begin, end, chunk, descending):
    """The next chunk of [begin, end) from its lower or upper end, cut at multiples of `chunk` to draw whole blocks."""
    size = np.uint64(chunk)
    if descending:
        start = max(begin, (end - np.uint64(1)) // size * size)
        return start, np.int64(end - start)
    stop = min(end, (begin // size + np.uint64(1)) * size)
    return begin, np.int64(stop - begin)


@jit
def run_steps(system, draws, scratch, replica, replica_stride, begin, end, descending, control):
    """Apply maps begin … end−1 to the block, in ascending or descending order of their index.

    Descending composes them backward: T_begin is applied last. Returns false if the interpreter asked to stop.
    """
    chunk = scratch.drawn.shape[0]
    while begin < end:
        if control.stop[0] != 0:
            return False
        start, count = chunk_ends(begin, end, chunk, descending)
        fill_index(draws, scratch.drawn, scratch.shuffle, replica, replica_stride, start, count)
        if descending:
            first, last, direction = count - 1, -1, -1
            end = start
        else:
            first, last, direction = 0, count, 1
            begin = start + np.uint64(count)
        apply_steps(system, scratch, first, last, direction, 0)
        control.done[control.slot] += count * scratch.drawn.shape[2]
    return True
