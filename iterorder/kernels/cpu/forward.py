"""Forward iterates of a block of replicas, with the first non-finite step of each."""

from __future__ import annotations

import numpy as np

from iterorder.kernels.cpu.lane_blocks import apply, copy, draw, load_states, store_states
from iterorder.kernels.cpu.lanes import LANES, any_lane, load, madd, splat
from iterorder.kernels.targets import jit, jit_entry, jit_inline


@jit_entry
def forward(code, packed, draws, scratch, replica, stride, first_step, current, saves, states, diverged, control):
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
    lanes = scratch.moves.shape[1]
    for first in range(0, current.shape[0], lanes):
        last = min(first + lanes, current.shape[0])
        base = replica + np.uint64(first) * stride
        load_states(packed, scratch.states, current, first, last)
        part = diverged[first:last]
        if not _run_block(code, packed, draws, scratch, base, stride, first_step, saves, states, first, part, control):
            return


@jit
def _run_block(code, packed, draws, scratch, replica, stride, first_step, saves, states, first, diverged, control):
    """One block, a chunk of steps at a time, each drawn once however many of its steps are saved."""
    # No literals: Numba would compile what is called with them once more for them alone.
    saved, done, last = np.int64(0), np.int64(0), first + diverged.size
    if saves[0] == 0:
        store_states(packed, scratch.states, states, first, last, saved)
        saved += 1
    while done < saves[-1]:
        if control.stop[0] != 0:
            return False
        step = first_step + np.uint64(done)
        base = step // np.uint64(code.chunk) * np.uint64(code.chunk)
        start = np.int64(step - base)
        stop = min(start + saves[-1] - done, code.chunk)
        draw(code, draws, scratch, replica, stride, base, start, stop)
        copy(scratch.states, scratch.before)
        row, first_saved = start, saved
        while row < stop:
            target = min(stop, start + saves[saved] - done)
            apply(code, packed, scratch, row, target, 1, 0)
            row = target
            if saves[saved] == done + row - start:
                store_states(packed, scratch.states, states, first, last, saved)
                saved += 1
        # Once a chunk: a state that has left the finite numbers never comes back.
        if _has_left(packed, scratch.states, diverged):
            _locate(code, packed, scratch, start, stop, done, diverged)
            _forget(saves, first_saved, saved, states, first, diverged)
        done += stop - start
        control.done[control.slot] += (stop - start) * scratch.moves.shape[1]
    return True


@jit
def _has_left(packed, x, diverged):
    """Whether a lane has left the finite numbers since the last chunk."""
    # 0·x is 0 for finite numbers and NaN otherwise, and NaN stays in a sum: first for all lanes at once.
    zero = splat(x.dtype.type(0.0), LANES)
    total = zero
    for i in range(x.shape[0]):
        for k in range(0, x.shape[1], LANES):
            total = madd(load(x, i, k, zero), zero, total)
    if not any_lane(total != total):
        return False
    left = False
    for j in range(diverged.size):
        left = left or (diverged[j] < 0 and not _is_finite(packed, x, j))
    return left


@jit_inline
def _is_finite(packed, x, lane):
    finite = True
    for k in range(packed.dim):
        finite = finite and np.isfinite(x[k, lane] if packed.lane_layout else x[lane, k])
    return finite


@jit
def _locate(code, packed, scratch, start, stop, done, diverged):
    """Repeat a chunk step by step: note the first non-finite step of each lane and set its state to NaN from there."""
    copy(scratch.before, scratch.states)
    for row in range(start, stop):
        apply(code, packed, scratch, row, row + 1, 1, 0)
        for j in range(diverged.size):
            if diverged[j] < 0 and not _is_finite(packed, scratch.states, j):
                diverged[j] = done + row - start + 1
    for j in range(diverged.size):
        if diverged[j] >= 0:
            for k in range(packed.dim):
                if packed.lane_layout:
                    scratch.states[k, j] = np.nan
                else:
                    scratch.states[j, k] = np.nan


@jit
def _forget(saves, first_saved, last_saved, states, first, diverged):
    """What was saved in this chunk after a divergence becomes NaN."""
    for j in range(diverged.size):
        for s in range(first_saved, last_saved):
            if 0 <= diverged[j] <= saves[s]:
                for k in range(states.shape[2]):
                    states[first + j, s, k] = np.nan
