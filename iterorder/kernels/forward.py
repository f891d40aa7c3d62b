"""Forward iterates of a block of replicas, with the first non-finite step of each."""

from __future__ import annotations

import numpy as np

from iterorder.kernels.blocks import chunk_ends, copy, load, store
from iterorder.kernels.draws import fill_index
from iterorder.kernels.steps import apply_steps
from iterorder.kernels.targets import jit


@jit
def forward(system, draws, scratch, replica, replica_stride, first_step, current, saves, states, diverged, control):
    """Run every replica of `current` forward and save its states.

    Parameters
    ----------
    current : array, shape (replicas, dim)
        Where the replicas start.
    saves : int64 array, shape (saves,)
        Increasing numbers of steps after which to save.
    states : array, shape (replicas, saves, dim)
        Filled.
    diverged : int64 array, shape (replicas,)
        −1, or the first number of steps after which a coordinate is not finite; the state is NaN from there.
    """
    chunk, _, lanes = scratch.drawn.shape
    for first in range(0, current.shape[0], lanes):
        last = min(first + lanes, current.shape[0])
        base = replica + np.uint64(first) * replica_stride
        load(system, scratch.states, current[first:last])
        begin = first_step
        for s in range(saves.size):
            end = first_step + np.uint64(saves[s])
            while begin < end:
                if control.stop[0] != 0:
                    return
                copy(scratch.states, scratch.before)
                start, count = chunk_ends(begin, end, chunk, False)
                fill_index(draws, scratch.drawn, scratch.shuffle, base, replica_stride, start, count)
                apply_steps(system, scratch, 0, count, 1, 0)
                # Once a chunk: a state that has left the finite numbers never comes back.
                if not _all_finite(scratch.states, last - first, system.lane_layout):
                    _locate(system, scratch, count, np.int64(start - first_step), diverged[first:last])
                begin = start + np.uint64(count)
                control.done[control.slot] += count * lanes
            store(system, scratch.states, states[first:last, s])


@jit
def _all_finite(x, lanes, lane_layout):
    """Whether the used lanes are finite: 0·x is 0 for them and NaN otherwise, and NaN stays in a sum."""
    total = x.dtype.type(0.0)
    rows = x.shape[0] if lane_layout else lanes
    columns = lanes if lane_layout else x.shape[1]
    for i in range(rows):
        for k in range(columns):
            total += x[i, k] * x.dtype.type(0.0)
    return total == total


@jit
def _locate(system, scratch, count, done, diverged):
    """Repeat a chunk step by step: note the first non-finite step of each lane and set its state to NaN from there."""
    copy(scratch.before, scratch.states)
    for row in range(count):
        apply_steps(system, scratch, row, row + 1, 1, 0)
        for j in range(diverged.size):
            if diverged[j] < 0:
                for k in range(system.dim):
                    value = scratch.states[k, j] if system.lane_layout else scratch.states[j, k]
                    if not np.isfinite(value):
                        diverged[j] = done + row + 1
    for j in range(diverged.size):
        if diverged[j] >= 0:
            for k in range(system.dim):
                if system.lane_layout:
                    scratch.states[k, j] = np.nan
                else:
                    scratch.states[j, k] = np.nan
