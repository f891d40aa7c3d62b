"""All backward iterates of any maps in one sweep over the map index, with those that have met kept once.

The map index k runs from the largest n − 1 down to 0. The iterate Z_n starts from x0 at k = n − 1, and every map meets
all live iterates at once. Iterates that have become equal, bit for bit, stay equal: one of them goes on for all. In a
contracting system few are ever alive, and no bit of the result changes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iterorder.kernels import draw_tables
from iterorder.kernels.cpu import packing
from iterorder.kernels.cpu.lane_blocks import Scratch, apply, draw, load_state, new_scratch
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.packing import aligned_zeros
from iterorder.kernels.targets import jit, jit_entry, jit_inline

# Maps between two looks for iterates that have met; a Philox block holds 128 packed bits.
CHUNK, PACKED_CHUNK = 64, 128


class Sweep(NamedTuple):
    """Memory of a sweep. Live iterates are in the highest lanes, those of larger n above.

    ``live.states`` holds them, and ``bits`` the same memory as unsigned integers; ``starting.states`` is one group of
    eight lanes in which iterates begin. Both share the draws of a chunk. ``lane_of[s]`` is the lane of the iterate of
    saved step s, and ``moved_to`` where a lane goes when others are dropped.
    """

    live: Scratch
    bits: np.ndarray
    starting: Scratch
    lane_of: np.ndarray
    moved_to: np.ndarray


def new_sweep(packed: packing.Packed, draws: draw_tables.Draws, n_saves: int) -> Sweep:
    """Memory for `n_saves` iterates."""
    lanes, dtype = -(-n_saves // LANES) * LANES, packed.table.dtype
    shape = (packed.dim, lanes) if packed.lane_layout else (lanes, packed.stride)
    states = aligned_zeros(shape, dtype)
    starting = new_scratch(packed, draws, LANES, shared=True)
    live = starting._replace(states=states, moves=aligned_zeros((draws.batch_size, lanes), dtype))
    bits = states.view(np.uint64 if states.itemsize == 8 else np.uint32)
    return Sweep(live, bits, starting, np.zeros(n_saves, np.int64), np.zeros(lanes, np.int64))


@jit_entry
def backward_sweep(code, packed, draws, sweep, replica, stride, first_step, x0, saves, states, control):
    """Z_n of every replica for each n in `saves`. Bit for bit the result of `backward.backward_each`."""
    for r in range(x0.shape[0]):
        base = replica + np.uint64(r) * stride
        if not _sweep(code, packed, draws, sweep, base, first_step, x0, r, saves, control):
            return
        for s in range(saves.size):
            lane = sweep.lane_of[s]
            for k in range(packed.dim):
                if packed.lane_layout:
                    states[r, s, k] = sweep.live.states[k, lane]
                else:
                    states[r, s, k] = sweep.live.states[lane, k]


@jit
def _sweep(code, packed, draws, sweep, replica, first_step, x0, r, saves, control):
    """The iterates of one replica, chunk after chunk of maps from the last to the first."""
    chunk = np.uint64(code.chunk)
    lanes = sweep.moved_to.size
    live = lanes  # the first live lane
    waiting = saves.size  # saved steps below have not started
    top = saves[-1]
    while top > 0:
        if control.stop[0] != 0:
            return False
        end = first_step + np.uint64(top)
        base = (end - np.uint64(1)) // chunk * chunk
        low, high = np.int64(max(first_step, base) - base), np.int64(end - base)
        draw(code, draws, sweep.live, replica, np.uint64(0), base, low, high)
        whole = (live + LANES - 1) // LANES * LANES
        if whole < lanes:
            apply(code, packed, sweep.live, high - 1, low - 1, -1, whole)
        # Then the iterates that start in this chunk, a group of lanes at a time; the first may hold live ones already.
        group, bottom = whole - LANES, top - (high - low)
        while live < group + LANES or (waiting > 0 and saves[waiting - 1] > bottom):
            live, waiting = _run_group(code, packed, sweep, x0, r, saves, group, live, waiting, low, high, top)
            group -= LANES
        control.done[control.slot] += (high - low) * (lanes - live)
        top -= high - low
        live = _drop_met(packed, sweep, live, waiting, saves.size)
    for s in range(waiting):  # n = 0
        live -= 1
        sweep.lane_of[s] = live
        load_state(packed, sweep.live.states, live, x0, r)
    return True


@jit
def _run_group(code, packed, sweep, x0, r, saves, group, live, waiting, low, high, top):
    """Maps high − 1 … low of a chunk for eight lanes, in which iterates may start; returns the new live and waiting."""
    states, starting = sweep.live.states, sweep.starting.states
    for lane in range(live, group + LANES):
        _copy_lane(packed, states, lane, starting, lane - group)
    row = high
    while row > low:
        while waiting > 0 and live > group and saves[waiting - 1] == top - (high - row):
            waiting -= 1
            live -= 1
            sweep.lane_of[waiting] = live
            load_state(packed, starting, live - group, x0, r)
        full = waiting == 0 or live == group
        target = low if full else max(low, high - (top - saves[waiting - 1]))
        if live < group + LANES:
            apply(code, packed, sweep.starting, row - 1, target - 1, -1, 0)
        row = target
    for lane in range(live, group + LANES):
        _copy_lane(packed, starting, lane - group, states, lane)
    return live, waiting


@jit
def _drop_met(packed, sweep, live, waiting, n_saves):
    """Keep one of the neighbouring lanes that are equal bit for bit; returns the first live lane."""
    states, bits, moved_to = sweep.live.states, sweep.bits, sweep.moved_to
    free = moved_to.size - 1
    for lane in range(moved_to.size - 1, live - 1, -1):
        if lane < moved_to.size - 1 and not _equal(packed, bits, lane, lane + 1):
            free -= 1
        moved_to[lane] = free
        if free != lane:
            _copy_lane(packed, states, lane, states, free)
    if live < moved_to.size and free != live:
        for s in range(waiting, n_saves):
            sweep.lane_of[s] = moved_to[sweep.lane_of[s]]
        live = free
    return live


@jit_inline
def _equal(packed, bits, lane, other):
    for k in range(packed.dim):
        if packed.lane_layout:
            if bits[k, lane] != bits[k, other]:
                return False
        elif bits[lane, k] != bits[other, k]:
            return False
    return True


@jit_inline
def _copy_lane(packed, source, lane, target, other):
    if packed.lane_layout:
        for k in range(packed.dim):
            target[k, other] = source[k, lane]
    else:
        for k in range(source.shape[1]):
            target[other, k] = source[lane, k]
