"""Backward iterates and windows, each saved one by itself."""

from __future__ import annotations

import numpy as np

from iterorder.kernels.cpu.lane_blocks import copy, load_state, load_states, run_steps, store_states
from iterorder.kernels.targets import jit_entry


@jit_entry
def backward_each(code, packed, draws, scratch, replica, stride, first_step, x0, saves, states, control):
    """Z_n of every replica for each n in `saves`, from scratch: lanes are replicas, n maps for each n."""
    lanes = scratch.moves.shape[1]
    for first in range(0, x0.shape[0], lanes):
        last = min(first + lanes, x0.shape[0])
        base = replica + np.uint64(first) * stride
        for s in range(saves.size):
            load_states(packed, scratch.states, x0, first, last)
            end = first_step + np.uint64(saves[s])
            if not run_steps(code, packed, draws, scratch, base, stride, first_step, end, True, control):
                return
            store_states(packed, scratch.states, states, first, last, s)


@jit_entry
def backward_to(code, packed, draws, scratch, replica, stride, first_step, x0, lengths, states, control):
    """Z_n of every replica r for its own n = lengths[r]: bit for bit that of `backward_each`.

    The lanes of a block run from its largest n on, and each begins from its start when its own n is reached.
    """
    lanes = scratch.moves.shape[1]
    for first in range(0, x0.shape[0], lanes):
        last = min(first + lanes, x0.shape[0])
        base = replica + np.uint64(first) * stride
        load_states(packed, scratch.states, x0, first, last)
        end = np.int64(0)
        for r in range(first, last):
            end = max(end, lengths[r])
        while end > 0:
            following = np.int64(0)
            for r in range(first, last):
                if lengths[r] == end:
                    load_state(packed, scratch.states, r - first, x0, r)
                elif lengths[r] < end:
                    following = max(following, lengths[r])
            begin, stop = first_step + np.uint64(following), first_step + np.uint64(end)
            if not run_steps(code, packed, draws, scratch, base, stride, begin, stop, True, control):
                return
            end = following
        for r in range(first, last):
            if lengths[r] == 0:
                load_state(packed, scratch.states, r - first, x0, r)
        store_states(packed, scratch.states, states, first, last, np.int64(0))


@jit_entry
def sliding_window(code, packed, draws, scratch, replica, stride, first_step, x0, width, saves, states, control):
    """V_n of every replica for each n in `saves`: forward to n − width, then the last `width` maps backward."""
    lanes = scratch.moves.shape[1]
    for first in range(0, x0.shape[0], lanes):
        last = min(first + lanes, x0.shape[0])
        base = replica + np.uint64(first) * stride
        load_states(packed, scratch.states, x0, first, last)
        reached = np.uint64(0)
        for s in range(saves.size):
            target = np.uint64(max(saves[s] - width, 0))
            begin, middle = first_step + reached, first_step + target
            if not run_steps(code, packed, draws, scratch, base, stride, begin, middle, False, control):
                return
            reached = target
            copy(scratch.states, scratch.before)
            end = first_step + np.uint64(saves[s])
            if not run_steps(code, packed, draws, scratch, base, stride, middle, end, True, control):
                return
            store_states(packed, scratch.states, states, first, last, s)
            copy(scratch.before, scratch.states)


@jit_entry
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
