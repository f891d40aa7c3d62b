"""All backward iterates of affine systems in one pass: Z_n = P_n x0 + Q_n is carried as its linear part and offset.

Q_(n+1) = Q_n + P_n b and P_(n+1) = P_n A for the next map T(x) = A x + b, from P = I and Q = 0: the newest map is
innermost, so it only ever multiplies from the right. For regression A = shrink·I − scale·Σ a aᵀ and b = scale·Σ t a,
and both updates need just u = P a, row by row of P. The start enters where an iterate is saved: the increments
P_n (T(x0) − x0) of Z would leave the rounding of x0 in it, however far the maps have contracted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iterorder.kernels.cpu import packing
from iterorder.kernels.cpu.lane_blocks import draw
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.packing import aligned_zeros
from iterorder.kernels.targets import call_at, jit, jit_entry, jit_inline

# Once every entry of P is this small, P is set to zero: subnormal numbers would be slow and inexact. An offset b from
# then on, or the start, would change Z by less than d·2⁻⁹⁶⁰·|b| (float32: d·2⁻¹⁰⁰·|b|), far below the rounding of Z
# wherever they are of comparable size. (Only a later product above 2⁹⁰⁰ or 2⁶⁰ could have brought it back.)
NEGLIGIBLE, NEGLIGIBLE_SINGLE = 2.0**-960, 2.0**-100
# Numbers that are kept of one replica before they are written: long runs, since its states lie far from the next one's.
KEPT_NUMBERS, MIN_STRIDE = 256, 32


class Carry(NamedTuple):
    """What a block carries from step to step.

    In the lane layout `offset` (Q) and `x0` have shape (dim, lanes), `linear` holds P[i, k] in row i·dim + k, `rows`
    the rows of a batch and `kept` the iterates to save. In the row layout `offset` and `x0` have shape (lanes, stride),
    row lane·dim + i of `linear` holds row i of P, `rows` is a copy of one P, and `kept` one iterate in row 0.
    ``keep[i]`` says where step i of a stride is saved.
    """

    offset: np.ndarray
    x0: np.ndarray
    linear: np.ndarray
    rows: np.ndarray
    kept: np.ndarray
    keep: np.ndarray


def new_carry(packed: packing.Packed) -> Carry:
    """Memory for a block of eight lanes."""
    d, dtype, row = packed.dim, packed.table.dtype, packed.stride
    stride = max(MIN_STRIDE, KEPT_NUMBERS >> (d.bit_length() - 1))
    if packed.lane_layout:
        shape, linear, rows = (d, LANES), (d * d, LANES), (packed.batch_size * (d + 1), LANES)
        kept = (stride * d, LANES)
    else:
        shape, linear, rows, kept = (LANES, row), (LANES * d, row), (d, row), (1, row)
    offset, x0, linear_parts, batch, saved = (aligned_zeros(s, dtype) for s in (shape, shape, linear, rows, kept))
    return Carry(offset, x0, linear_parts, batch, saved, np.zeros(stride, np.int64))


@jit_entry
def incremental(code, packed, draws, scratch, carry, replica, stride, first_step, x0, saves, states, finite, control):
    """Z_n of every replica for each n in `saves` (increasing), at the cost of max(saves) steps.

    Parameters
    ----------
    states : array, shape (replicas, saves·dim)
        Filled.
    finite : bool array, shape (replicas,)
        Whether every saved iterate is finite.
    """
    for first in range(0, x0.shape[0], LANES):
        last = min(first + LANES, x0.shape[0])
        base = replica + np.uint64(first) * stride
        _begin(packed, carry, x0[first:last])
        if not _run_block(
            code, packed, draws, scratch, carry, base, stride, first_step, saves, states[first:last], control
        ):
            return
        for lane in range(last - first):
            finite[first + lane] = True
            for k in range(states.shape[1]):
                if not np.isfinite(states[first + lane, k]):
                    finite[first + lane] = False
                    break


@jit
def _begin(packed, carry, x0):
    """Q = 0 and P = I in every lane; lanes that are not used start at zero."""
    d = packed.dim
    lanes = carry.x0.shape[1] if packed.lane_layout else carry.x0.shape[0]
    for i in range(carry.linear.shape[0]):
        for k in range(carry.linear.shape[1]):
            carry.linear[i, k] = 0
    for i in range(carry.x0.shape[0]):
        for k in range(carry.x0.shape[1]):
            carry.offset[i, k] = carry.x0[i, k] = 0
    for lane in range(lanes):
        for k in range(d):
            start = x0[lane, k] if lane < x0.shape[0] else carry.x0.dtype.type(0.0)
            if packed.lane_layout:
                carry.x0[k, lane] = start
                carry.linear[k * d + k, lane] = 1
            else:
                carry.x0[lane, k] = start
                carry.linear[lane * d + k, k] = 1


@jit
def _run_block(code, packed, draws, scratch, carry, replica, stride, first_step, saves, states, control):
    """One block of replicas: a chunk of draws at a time, in strides of steps with the saved ones marked."""
    keep, saved, done = carry.keep, 0, 0
    if saves[0] == 0:
        _keep_start(packed, carry, states)
        saved = 1
    chunk = np.uint64(code.chunk)
    while done < saves[-1]:
        if control.stop[0] != 0:
            return False
        step = first_step + np.uint64(done)
        base = step // chunk * chunk
        start = np.int64(step - base)
        stop = min(start + saves[-1] - done, code.chunk)
        draw(code, draws, scratch, replica, stride, base, start, stop)
        row = start
        while row < stop:
            last = min(stop, (row // keep.size + 1) * keep.size)
            for r in range(row, last):
                keep[r - row] = -1
                if saved < saves.size and saves[saved] == done + r - start + 1:
                    keep[r - row] = saved
                    saved += 1
            if (base + np.uint64(row)) % np.uint64(keep.size) == 0:
                _drop_negligible(packed, carry)
            call_at(code.steps, (packed, scratch, carry, row, last, states))
            row = last
        done += stop - start
        control.done[control.slot] += (stop - start) * scratch.moves.shape[1]
    return True


@jit_inline
def _keep_start(packed, carry, states):
    for lane in range(states.shape[0]):
        for k in range(packed.dim):
            states[lane, k] = carry.x0[k, lane] if packed.lane_layout else carry.x0[lane, k]


@jit
def _drop_negligible(packed, carry):
    """P = 0 in the lanes where every entry is negligible; NaN compares false, so a diverged lane is never taken."""
    linear, d = carry.linear, packed.dim
    bound = NEGLIGIBLE if linear.itemsize == 8 else NEGLIGIBLE_SINGLE
    lanes = carry.x0.shape[1] if packed.lane_layout else carry.x0.shape[0]
    for lane in range(lanes):
        negligible = True
        for i in range(d):
            for k in range(d):
                entry = linear[i * d + k, lane] if packed.lane_layout else linear[lane * d + i, k]
                negligible = negligible and abs(entry) < bound
            if not negligible:
                break
        if negligible:
            for i in range(d):
                for k in range(d):
                    if packed.lane_layout:
                        linear[i * d + k, lane] = 0
                    else:
                        linear[lane * d + i, k] = 0
