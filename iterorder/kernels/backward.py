"""Backward iterates and windows: each saved one by itself, or all together in one sweep over the map index."""

from __future__ import annotations

import numpy as np

from iterorder.kernels.blocks import chunk_ends, copy, load, run_steps, set_lane, store, store_lane
from iterorder.kernels.draws import fill_index
from iterorder.kernels.steps import apply_shared_steps
from iterorder.kernels.targets import jit


@jit
def backward_each(system, draws, scratch, replica, replica_stride, first_step, x0, saves, states, control):
    """Z_n of every replica for each n in `saves`, from scratch: lanes are replicas, n maps for each n."""
    lanes = scratch.drawn.shape[2]
    for first in range(0, x0.shape[0], lanes):
        last = min(first + lanes, x0.shape[0])
        base = replica + np.uint64(first) * replica_stride
        for s in range(saves.size):
            load(system, scratch.states, x0[first:last])
            end = first_step + np.uint64(saves[s])
            if not run_steps(system, draws, scratch, base, replica_stride, first_step, end, True, control):
                return
            store(system, scratch.states, states[first:last, s])


@jit
def backward_sweep(system, draws, scratch, replica, replica_stride, first_step, x0, saves, states, control):
    """Z_n of every replica for each n in `saves`: lanes are the n, and every map meets all of them at once.

    The map index k runs from the largest n − 1 down to 0; the iterate of n starts from x0 at k = n − 1 and is finished
    with all others at k = 0. Bit for bit the result of `backward_each`.
    """
    lanes = scratch.drawn.shape[2]
    for r in range(x0.shape[0]):
        base = replica + np.uint64(r) * replica_stride
        for first in range(0, saves.size, lanes):
            last = min(first + lanes, saves.size)
            if not _sweep(system, draws, scratch, base, first_step, x0[r], saves[first:last], control):
                return
            for s in range(first, last):
                store_lane(system, scratch.states, s - first, states[r, s])


@jit
def _sweep(system, draws, scratch, replica, first_step, x0, saves, control):
    """The iterates of up to one block of saved n of one replica. Lanes above the last are idle copies of x0."""
    chunk = scratch.drawn.shape[0]
    for j in range(scratch.drawn.shape[2]):
        set_lane(system, scratch.states, j, x0)
    waiting = saves.size  # lanes below have not started: lanes are in increasing order of n
    top = saves[-1]
    while top > 0:
        if control.stop[0] != 0:
            return False
        start, count = chunk_ends(first_step, first_step + np.uint64(top), chunk, True)
        fill_index(draws, scratch.drawn, scratch.shuffle, replica, np.uint64(0), start, count)
        # The largest n left to start cuts the chunk: above it the set of live iterates stays as it is.
        low = 0
        while count > low:
            while waiting > 0 and saves[waiting - 1] == top:
                waiting -= 1
                set_lane(system, scratch.states, waiting, x0)
            next_start = saves[waiting - 1] if waiting > 0 else np.int64(0)
            rows = min(count - low, top - next_start)
            last = count - low
            apply_shared_steps(system, scratch, last - 1, last - rows - 1, -1, waiting // 8 * 8)
            low += rows
            top -= rows
        control.done[control.slot] += count * scratch.drawn.shape[2]
    for j in range(waiting):  # n = 0
        set_lane(system, scratch.states, j, x0)
    return True


@jit
def sliding_window(system, draws, scratch, replica, replica_stride, first_step, x0, width, saves, states, control):
    """V_n of every replica for each n in `saves`: forward to n − width, then the last `width` maps backward."""
    lanes = scratch.drawn.shape[2]
    for first in range(0, x0.shape[0], lanes):
        last = min(first + lanes, x0.shape[0])
        base = replica + np.uint64(first) * replica_stride
        load(system, scratch.states, x0[first:last])
        reached = np.uint64(0)
        for s in range(saves.size):
            target = np.uint64(max(saves[s] - width, 0))
            begin, middle = first_step + reached, first_step + target
            if not run_steps(system, draws, scratch, base, replica_stride, begin, middle, False, control):
                return
            reached = target
            copy(scratch.states, scratch.before)
            end = first_step + np.uint64(saves[s])
            if not run_steps(system, draws, scratch, base, replica_stride, middle, end, True, control):
                return
            store(system, scratch.states, states[first:last, s])
            copy(scratch.before, scratch.states)


@jit
def mark_diverged(states, saves, diverged):
    """Note the first saved step at which a replica is not finite, and set its states to NaN from there."""
    for r in range(states.shape[0]):
        for s in range(saves.size):
            if diverged[r] < 0:
                for k in range(states.shape[2]):
                    if not np.isfinite(states[r, s, k]):
                        diverged[r] = saves[s]
            if diverged[r] >= 0:
                for k in range(states.shape[2]):
                    states[r, s, k] = np.nan
