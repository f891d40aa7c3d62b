"""All backward iterates of affine systems in one pass: Z_n = P_n x0 + Q_n is carried as its linear part and offset.

Q_(n+1) = Q_n + P_n b and P_(n+1) = P_n A for the next map T(x) = A x + b, from P = I and Q = 0: the newest map is
innermost, so it only ever multiplies from the right. For regression A = shrink·I − scale·Σ a aᵀ and b = scale·Σ t a,
and both updates need just u = P a, row by row of P. The start enters where an iterate is saved: the increments
P_n (T(x0) − x0) of Z would leave the rounding of x0 in it, however far the maps have contracted.
"""

from __future__ import annotations

from functools import cache, singledispatch
from typing import NamedTuple

import numpy as np

from iterorder.forms import Affine, Form, Rows
from iterorder.kernels.cpu import draw_tables, packing
from iterorder.kernels.cpu.affine_steps import BITS, ZERO
from iterorder.kernels.cpu.lane_blocks import draw
from iterorder.kernels.cpu.lanes import LANES, load, madd, splat, store, where
from iterorder.kernels.cpu.packing import aligned_zeros
from iterorder.kernels.cpu.vector import (
    dot,
    gather_columns,
    linear_image,
    load_columns,
    long_partial_sums,
    multiple,
    offsets,
    plus,
    plus_multiple,
    shrink_and_move,
    store_columns,
    store_transposed,
    sum_each,
)
from iterorder.kernels.targets import call_at, jit, jit_inline

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


def new_carry(system: packing.Packed) -> Carry:
    """Memory for a block of eight lanes."""
    d, dtype, row = system.dim, system.table.dtype, system.stride
    stride = max(MIN_STRIDE, KEPT_NUMBERS >> (d.bit_length() - 1))
    if system.lane_layout:
        shape, linear, rows = (d, LANES), (d * d, LANES), (system.batch_size * (d + 1), LANES)
        kept = (stride * d, LANES)
    else:
        shape, linear, rows, kept = (LANES, row), (LANES * d, row), (d, row), (1, row)
    offset, x0, linear_parts, batch, saved = (aligned_zeros(s, dtype) for s in (shape, shape, linear, rows, kept))
    return Carry(offset, x0, linear_parts, batch, saved, np.zeros(stride, np.int64))


@jit
def incremental(code, system, draws, scratch, carry, replica, stride, first_step, x0, saves, states, finite, control):
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
        _begin(system, carry, x0[first:last])
        if not _run_block(
            code, system, draws, scratch, carry, base, stride, first_step, saves, states[first:last], control
        ):
            return
        for lane in range(last - first):
            finite[first + lane] = True
            for k in range(states.shape[1]):
                if not np.isfinite(states[first + lane, k]):
                    finite[first + lane] = False
                    break


@jit
def _begin(system, carry, x0):
    """Q = 0 and P = I in every lane; lanes that are not used start at zero."""
    d = system.dim
    lanes = carry.x0.shape[1] if system.lane_layout else carry.x0.shape[0]
    for i in range(carry.linear.shape[0]):
        for k in range(carry.linear.shape[1]):
            carry.linear[i, k] = 0
    for i in range(carry.x0.shape[0]):
        for k in range(carry.x0.shape[1]):
            carry.offset[i, k] = carry.x0[i, k] = 0
    for lane in range(lanes):
        for k in range(d):
            start = x0[lane, k] if lane < x0.shape[0] else carry.x0.dtype.type(0.0)
            if system.lane_layout:
                carry.x0[k, lane] = start
                carry.linear[k * d + k, lane] = 1
            else:
                carry.x0[lane, k] = start
                carry.linear[lane * d + k, k] = 1


@jit
def _run_block(code, system, draws, scratch, carry, replica, stride, first_step, saves, states, control):
    """One block of replicas: a chunk of draws at a time, in strides of steps with the saved ones marked."""
    keep, saved, done = carry.keep, 0, 0
    if saves[0] == 0:
        _keep_start(system, carry, states)
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
                _drop_negligible(system, carry)
            call_at(code.steps, (system, scratch, carry, row, last, states))
            row = last
        done += stop - start
        control.done[control.slot] += (stop - start) * scratch.moves.shape[1]
    return True


@jit_inline
def _keep_start(system, carry, states):
    for lane in range(states.shape[0]):
        for k in range(system.dim):
            states[lane, k] = carry.x0[k, lane] if system.lane_layout else carry.x0[lane, k]


@jit
def _drop_negligible(system, carry):
    """P = 0 in the lanes where every entry is negligible; NaN compares false, so a diverged lane is never taken."""
    linear, d = carry.linear, system.dim
    bound = NEGLIGIBLE if linear.itemsize == 8 else NEGLIGIBLE_SINGLE
    lanes = carry.x0.shape[1] if system.lane_layout else carry.x0.shape[0]
    for lane in range(lanes):
        negligible = True
        for i in range(d):
            for k in range(d):
                entry = linear[i * d + k, lane] if system.lane_layout else linear[lane * d + i, k]
                negligible = negligible and abs(entry) < bound
            if not negligible:
                break
        if negligible:
            for i in range(d):
                for k in range(d):
                    if system.lane_layout:
                        linear[i * d + k, lane] = 0
                    else:
                        linear[lane * d + i, k] = 0


# ------------------------------------------------------------------------------------------------ steps, few dimensions
#
# Every function below makes steps first … last − 1 of the chunk, and writes the iterate after step first + i into the
# saved position carry.keep[i] of every replica, unless that is negative.


@jit_inline
def _write_kept(carry, dim, first, last, states):
    """Transpose what was kept, in whole blocks where all lanes are used."""
    kept, first_saved = 0, -1
    for i in range(last - first):
        if carry.keep[i] >= 0:
            first_saved = carry.keep[i] if kept == 0 else first_saved
            kept += 1
    used = states.shape[0]
    whole = kept * dim // LANES * LANES if used == LANES else 0
    for row in range(0, whole, LANES):
        store_transposed(carry.kept, row, 0, states, 0, first_saved * dim + row)
    for row in range(whole, kept * dim):
        for i in range(used):
            states[i, first_saved * dim + row] = carry.kept[row, i]


@cache
def pair_steps():
    """Two maps on the line, chosen by fair bits."""

    @jit
    def steps(system, scratch, carry, first, last, states):
        q = load(carry.offset, 0, 0, splat(ZERO, LANES))
        p, start = load(carry.linear, 0, 0, q), load(carry.x0, 0, 0, q)
        slope0, slope1 = splat(system.table[0, 0], LANES), splat(system.table[1, 0], LANES)
        offset0, offset1 = splat(system.table[0, 1], LANES), splat(system.table[1, 1], LANES)
        kept = 0
        for row in range(first, last):
            second = (load(scratch.drawn, row // 32, 0, q) & BITS[row % 32]) != ZERO
            q = madd(p, where(second, offset1, offset0), q)
            p = p * where(second, slope1, slope0)
            if carry.keep[row - first] >= 0:
                store(madd(p, start, q), carry.kept, kept, 0)
                kept += 1
        store(q, carry.offset, 0, 0)
        store(p, carry.linear, 0, 0)
        _write_kept(carry, 1, first, last, states)

    return steps


@cache
def line_steps():
    """Affine maps on the line, one a step: Q and P stay in registers."""

    @jit
    def steps(system, scratch, carry, first, last, states):
        q = load(carry.offset, 0, 0, splat(ZERO, LANES))
        p, start = load(carry.linear, 0, 0, q), load(carry.x0, 0, 0, q)
        kept = 0
        for row in range(first, last):
            slope, offset = gather_columns(system.table, scratch.drawn, row, 0, 2)
            q = madd(p, offset, q)
            p = p * slope
            if carry.keep[row - first] >= 0:
                store(madd(p, start, q), carry.kept, kept, 0)
                kept += 1
        store(q, carry.offset, 0, 0)
        store(p, carry.linear, 0, 0)
        _write_kept(carry, 1, first, last, states)

    return steps


@cache
def affine_lane_steps(dim: int):
    """Affine maps in few dimensions: d² numbers of A and d³ products a step."""
    numbers = dim * (dim + 1)

    @jit
    def steps(system, scratch, carry, first, last, states):
        size, zero = system.batch_size, splat(system.scale - system.scale, LANES)
        kept = 0
        for row in range(first, last):
            maps = gather_columns(system.table, scratch.drawn, row * size, 0, numbers)
            for slot in range(row * size + 1, (row + 1) * size):
                maps = plus(maps, gather_columns(system.table, scratch.drawn, slot, 0, numbers))
            if size > 1:
                maps = multiple(system.scale, maps)
            offset = offsets(maps, load_columns(carry.x0, 0, 0, dim))
            for i in range(dim):
                p = load_columns(carry.linear, i * dim, 0, dim)
                store(dot(p, offset, load(carry.offset, i, 0, zero)), carry.offset, i, 0)
                store_columns(linear_image(p, maps), carry.linear, i * dim, 0)
            if carry.keep[row - first] >= 0:
                for i in range(dim):
                    p, q = load_columns(carry.linear, i * dim, 0, dim), load(carry.offset, i, 0, zero)
                    store(dot(p, load_columns(carry.x0, 0, 0, dim), q), carry.kept, kept * dim + i, 0)
                kept += 1
        _write_kept(carry, dim, first, last, states)

    return steps


@cache
def single_regression_lane_steps(dim: int, ridge: bool):
    """Linear regression in few dimensions, batches of one: the row of data stays in registers, rows of P pass by."""
    numbers = dim + 1

    @jit
    def steps(system, scratch, carry, first, last, states):
        zero, kept = splat(system.scale - system.scale, LANES), 0
        for row in range(first, last):
            a = gather_columns(system.table, scratch.drawn, row, 0, numbers)
            for i in range(dim):
                p, q = load_columns(carry.linear, i * dim, 0, dim), load(carry.offset, i, 0, zero)
                u = dot(a, p, zero) * -system.scale
                store(madd(u, a[dim], q), carry.offset, i, 0)
                new = multiple(system.shrink, p) if ridge else p
                store_columns(plus_multiple(new, u, a), carry.linear, i * dim, 0)
            if carry.keep[row - first] >= 0:
                for i in range(dim):
                    p, q = load_columns(carry.linear, i * dim, 0, dim), load(carry.offset, i, 0, zero)
                    store(dot(p, load_columns(carry.x0, 0, 0, dim), q), carry.kept, kept * dim + i, 0)
                kept += 1
        _write_kept(carry, dim, first, last, states)

    return steps


@cache
def regression_lane_steps(dim: int, ridge: bool):
    """Linear regression in few dimensions: rank-one updates, 2d² multiply-adds a row of the batch."""
    numbers = dim + 1

    @jit
    def steps(system, scratch, carry, first, last, states):
        size, zero = system.batch_size, splat(system.scale - system.scale, LANES)
        kept = 0
        for row in range(first, last):
            for slot in range(size):
                a = gather_columns(system.table, scratch.drawn, row * size + slot, 0, numbers)
                store_columns(a, carry.rows, slot * numbers, 0)
            for i in range(dim):
                p, q = load_columns(carry.linear, i * dim, 0, dim), load(carry.offset, i, 0, zero)
                new = multiple(system.shrink, p) if ridge else p
                for slot in range(size):
                    a = load_columns(carry.rows, slot * numbers, 0, numbers)
                    u = dot(a, p, zero) * -system.scale
                    q = madd(u, a[dim], q)
                    new = plus_multiple(new, u, a)
                store(q, carry.offset, i, 0)
                store_columns(new, carry.linear, i * dim, 0)
            if carry.keep[row - first] >= 0:
                for i in range(dim):
                    p, q = load_columns(carry.linear, i * dim, 0, dim), load(carry.offset, i, 0, zero)
                    store(dot(p, load_columns(carry.x0, 0, 0, dim), q), carry.kept, kept * dim + i, 0)
                kept += 1
        _write_kept(carry, dim, first, last, states)

    return steps


# ----------------------------------------------------------------------------------------------- steps, many dimensions


@jit_inline
def _write_row(carry, dim, lane, saved, states):
    if saved >= 0:
        for k in range(dim):
            states[lane, saved * dim + k] = carry.kept[0, k]


@jit_inline
def _add_product(system, carry, sums, lane, k, vectors, row, target, target_row):
    """target[target_row, k : k + 8] ← Q[k : k + 8] + (rows k … k + 7 of P)·vectors[row]."""
    d, zero = system.dim, system.scale - system.scale
    for i in range(LANES):
        at = lane * d + min(k + i, d - 1)
        store(long_partial_sums(carry.linear, at, 0, vectors, row, system.stride, zero), sums, i, 0)
    product = sum_each(sums, 0)
    store(load(carry.offset, lane, k, product) + product, target, target_row, k)


@cache
def affine_row_steps():
    """Affine maps in many dimensions: 2d³ flops a step."""

    @jit
    def steps(system, scratch, carry, first, last, states):
        for lane in range(states.shape[0]):
            for row in range(first, last):
                _extend_affine(system, scratch, carry, row, lane, carry.keep[row - first] >= 0)
                _write_row(carry, system.dim, lane, carry.keep[row - first], states)

    return steps


@jit_inline
def _extend_affine(system, scratch, carry, row, lane, keep):
    d, stride, size, one = system.dim, system.stride, system.batch_size, system.table.dtype.type(1.0)
    offset, sums = scratch.image, scratch.sums
    for k in range(d):
        offset[0, k] = 0
    for slot in range(row * size, (row + 1) * size):
        item = np.intp(scratch.drawn[slot, lane])
        for k in range(d):
            offset[0, k] = madd(system.scale, system.constants[item, k], offset[0, k])
    for k in range(0, d, LANES):
        _add_product(system, carry, sums, lane, k, offset, 0, carry.offset, lane)
    for i in range(d):
        for k in range(stride):
            carry.rows[i, k] = carry.linear[lane * d + i, k]
            carry.linear[lane * d + i, k] = 0
    for slot in range(row * size, (row + 1) * size):
        item = np.intp(scratch.drawn[slot, lane])
        for i in range(d):
            for m in range(d):
                weight = system.scale * carry.rows[i, m]
                shrink_and_move(carry.linear, lane * d + i, one, weight, system.table, item * d + m, stride)
    for k in range(0, d if keep else 0, LANES):
        _add_product(system, carry, sums, lane, k, carry.x0, lane, carry.kept, 0)


@cache
def regression_row_steps():
    """Linear regression in many dimensions: eight rows of P at a time, while they are in the first-level cache."""

    @jit
    def steps(system, scratch, carry, first, last, states):
        for lane in range(states.shape[0]):
            for row in range(first, last):
                _extend_regression(system, scratch, carry, row, lane, carry.keep[row - first] >= 0)
                _write_row(carry, system.dim, lane, carry.keep[row - first], states)

    return steps


@jit_inline
def _extend_regression(system, scratch, carry, row, lane, keep):
    d, stride, size, one = system.dim, system.stride, system.batch_size, system.table.dtype.type(1.0)
    drawn, sums = scratch.drawn, scratch.sums
    for k in range(0, d, LANES):
        for slot in range(size):
            item = np.intp(drawn[row * size + slot, lane])
            for i in range(LANES):
                at = lane * d + min(k + i, d - 1)
                products = long_partial_sums(system.table, item, 0, carry.linear, at, stride, one - one)
                store(products, sums, slot * LANES + i, 0)
            u = sum_each(sums, slot * LANES) * -system.scale
            store(u, sums, slot * LANES, 0)
            store(madd(u, system.constants[item, 0], load(carry.offset, lane, k, u)), carry.offset, lane, k)
        for i in range(min(LANES, d - k)):
            for slot in range(size):
                shrink = system.shrink if slot == 0 else one
                item, at = np.intp(drawn[row * size + slot, lane]), lane * d + k + i
                shrink_and_move(carry.linear, at, shrink, sums[slot * LANES, i], system.table, item, stride)
        if keep:  # `_add_product` takes twice as long here
            for i in range(LANES):
                at = lane * d + min(k + i, d - 1)
                store(long_partial_sums(carry.x0, lane, 0, carry.linear, at, stride, one - one), sums, i, 0)
            product = sum_each(sums, 0)
            store(load(carry.offset, lane, k, product) + product, carry.kept, 0, k)


# --------------------------------------------------------------------------------------------------- choice of the step


@singledispatch
def incremental_steps_of(form: Form, packed: packing.Packed, draws: draw_tables.Draws):
    """The function that makes the steps of a form of affine maps, chosen by its layout and its dimension."""
    raise TypeError(f"no incremental step for {type(form).__name__}")


@incremental_steps_of.register
def _(form: Affine, packed: packing.Packed, draws: draw_tables.Draws):
    if draws.kind == draw_tables.PACKED_BITS:
        return pair_steps()
    if packed.dim == 1 and packed.batch_size == 1:
        return line_steps()
    return affine_lane_steps(packed.dim) if packed.lane_layout else affine_row_steps()


@incremental_steps_of.register
def _(form: Rows, packed: packing.Packed, draws: draw_tables.Draws):
    if not form.is_affine:
        raise TypeError("no incremental step for a loss that is not quadratic")
    if packed.lane_layout:
        make = single_regression_lane_steps if packed.batch_size == 1 else regression_lane_steps
        return make(packed.dim, bool(packed.shrink != 1.0))
    return regression_row_steps()
