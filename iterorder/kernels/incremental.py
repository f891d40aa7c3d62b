"""All backward iterates of affine systems in one pass: Z_n is carried together with its linear part P_n.

Z_(n+1) = Z_n + P_n (T(x0) − x0) and P_(n+1) = P_n A for the next map T(x) = A x + b: the newest map is innermost, so it
only ever multiplies from the right. For regression A = shrink·I − scale·Σ a aᵀ, and both updates need just u = P a,
row by row of P.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from iterorder.kernels import systems
from iterorder.kernels.affine import BITS, ZERO
from iterorder.kernels.blocks import draw
from iterorder.kernels.lanes import LANES, load, madd, splat, store, where
from iterorder.kernels.systems import aligned_zeros
from iterorder.kernels.targets import call_at, jit, jit_inline
from iterorder.kernels.vector import (
    affine_image,
    dot,
    gather_columns,
    linear_image,
    load_columns,
    long_partial_sums,
    multiple,
    plus,
    plus_multiple,
    shrink_and_move,
    store_columns,
    store_transposed,
    sum_each,
)

# Once every entry of P is this small, P is set to zero: subnormal numbers would be slow and inexact. A move m from
# then on would change Z by less than d·2⁻⁹⁶⁰·|m| (float32: d·2⁻¹⁰⁰·|m|), far below the rounding of Z wherever Z and
# the moves are of comparable size. (Only a later product above 2⁹⁰⁰ or 2⁶⁰ could have brought it back.)
NEGLIGIBLE, NEGLIGIBLE_SINGLE = 2.0**-960, 2.0**-100
# Numbers that are kept of one replica before they are written: long runs, since its states lie far from the next one's.
KEPT_NUMBERS, MIN_STRIDE = 256, 32


class Carry(NamedTuple):
    """What a block carries from step to step.

    In the lane layout `z` and `x0` have shape (dim, lanes), `linear` holds P[i, k] in row i·dim + k, `rows` the rows of
    a batch and `kept` the iterates to save. In the row layout `z` and `x0` have shape (lanes, stride), row
    lane·dim + i of `linear` holds row i of P, and `rows` is a copy of one P. ``keep[i]`` says where step i of a stride
    is saved.
    """

    z: np.ndarray
    x0: np.ndarray
    linear: np.ndarray
    rows: np.ndarray
    kept: np.ndarray
    keep: np.ndarray


def new_carry(system: systems.System) -> Carry:
    """Memory for a block of eight lanes."""
    d, dtype, row = system.dim, system.table.dtype, system.stride
    stride = max(MIN_STRIDE, KEPT_NUMBERS >> (d.bit_length() - 1))
    if system.lane_layout:
        shape, linear, rows = (d, LANES), (d * d, LANES), (system.batch_size * (d + 1), LANES)
        kept = (stride * d, LANES)
    else:
        shape, linear, rows, kept = (LANES, row), (LANES * d, row), (d, row), (1, LANES)
    z, x0, linear_parts, batch, saved = (aligned_zeros(s, dtype) for s in (shape, shape, linear, rows, kept))
    return Carry(z, x0, linear_parts, batch, saved, np.zeros(stride, np.int64))


@jit
def incremental(code, system, draws, scratch, carry, replica, stride, first_step, x0, saves, states, finite, control):
    """Z_n of every replica for each n in `saves` (increasing), at the cost of max(saves) steps.

    Parameters
    ----------
    states : array, shape (replicas, saves·dim)
        Filled.
    finite : bool array, shape (replicas,)
        Whether Z stayed finite: what has left the finite numbers never comes back.
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
            for k in range(system.dim):
                if not np.isfinite(carry.z[k, lane] if system.lane_layout else carry.z[lane, k]):
                    finite[first + lane] = False


@jit
def _begin(system, carry, x0):
    """Z = x0 and P = I in every lane; lanes that are not used start at zero."""
    d = system.dim
    lanes = carry.z.shape[1] if system.lane_layout else carry.z.shape[0]
    for i in range(carry.linear.shape[0]):
        for k in range(carry.linear.shape[1]):
            carry.linear[i, k] = 0
    for i in range(carry.z.shape[0]):
        for k in range(carry.z.shape[1]):
            carry.z[i, k] = 0
    for lane in range(lanes):
        for k in range(d):
            start = x0[lane, k] if lane < x0.shape[0] else carry.z.dtype.type(0.0)
            if system.lane_layout:
                carry.z[k, lane] = start
                carry.linear[k * d + k, lane] = 1
            else:
                carry.z[lane, k] = start
                carry.linear[lane * d + k, k] = 1
    for i in range(carry.z.shape[0]):
        for k in range(carry.z.shape[1]):
            carry.x0[i, k] = carry.z[i, k]


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
            states[lane, k] = carry.z[k, lane] if system.lane_layout else carry.z[lane, k]


@jit
def _drop_negligible(system, carry):
    """P = 0 in the lanes where every entry is negligible; NaN compares false, so a diverged lane is never taken."""
    linear, d = carry.linear, system.dim
    bound = NEGLIGIBLE if linear.itemsize == 8 else NEGLIGIBLE_SINGLE
    lanes = carry.z.shape[1] if system.lane_layout else carry.z.shape[0]
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
        z = load(carry.z, 0, 0, splat(ZERO, LANES))
        p, start = load(carry.linear, 0, 0, z), load(carry.x0, 0, 0, z)
        slope0, slope1 = splat(system.table[0, 0], LANES), splat(system.table[1, 0], LANES)
        move0 = madd(slope0, start, splat(system.table[0, 1], LANES)) - start
        move1 = madd(slope1, start, splat(system.table[1, 1], LANES)) - start
        kept = 0
        for row in range(first, last):
            second = (load(scratch.drawn, row // 32, 0, z) & BITS[row % 32]) != ZERO
            z = madd(p, where(second, move1, move0), z)
            p = p * where(second, slope1, slope0)
            if carry.keep[row - first] >= 0:
                store(z, carry.kept, kept, 0)
                kept += 1
        store(z, carry.z, 0, 0)
        store(p, carry.linear, 0, 0)
        _write_kept(carry, 1, first, last, states)

    return steps


@cache
def line_steps():
    """Affine maps on the line, one a step: Z and P stay in registers."""

    @jit
    def steps(system, scratch, carry, first, last, states):
        z = load(carry.z, 0, 0, splat(ZERO, LANES))
        p, start = load(carry.linear, 0, 0, z), load(carry.x0, 0, 0, z)
        kept = 0
        for row in range(first, last):
            slope, offset = gather_columns(system.table, scratch.drawn, row, 0, 2)
            z = madd(p, madd(slope, start, offset) - start, z)
            p = p * slope
            if carry.keep[row - first] >= 0:
                store(z, carry.kept, kept, 0)
                kept += 1
        store(z, carry.z, 0, 0)
        store(p, carry.linear, 0, 0)
        _write_kept(carry, 1, first, last, states)

    return steps


@cache
def affine_lane_steps(dim: int):
    """Affine maps in few dimensions: d² numbers of A and d³ products a step."""
    numbers = dim * (dim + 1)

    @jit
    def steps(system, scratch, carry, first, last, states):
        size, minus_one = system.batch_size, splat(-system.table.dtype.type(1.0), LANES)
        x0 = load_columns(carry.x0, 0, 0, dim)
        kept = 0
        for row in range(first, last):
            maps = gather_columns(system.table, scratch.drawn, row * size, 0, numbers)
            for slot in range(row * size + 1, (row + 1) * size):
                maps = plus(maps, gather_columns(system.table, scratch.drawn, slot, 0, numbers))
            if size > 1:
                maps = multiple(system.scale, maps)
            move = plus_multiple(affine_image(maps, x0), minus_one, x0)
            for i in range(dim):
                p = load_columns(carry.linear, i * dim, 0, dim)
                store(dot(p, move, load(carry.z, i, 0, minus_one)), carry.z, i, 0)
                store_columns(linear_image(p, maps), carry.linear, i * dim, 0)
            if carry.keep[row - first] >= 0:
                store_columns(load_columns(carry.z, 0, 0, dim), carry.kept, kept * dim, 0)
                kept += 1
        _write_kept(carry, dim, first, last, states)

    return steps


@cache
def single_regression_lane_steps(dim: int, ridge: bool):
    """Linear regression in few dimensions, batches of one: the row of data stays in registers, rows of P pass by."""
    numbers = dim + 1

    @jit
    def steps(system, scratch, carry, first, last, states):
        minus_one, zero = system.shrink - system.table.dtype.type(1.0), splat(system.scale - system.scale, LANES)
        x0 = load_columns(carry.x0, 0, 0, dim)
        kept = 0
        for row in range(first, last):
            a = gather_columns(system.table, scratch.drawn, row, 0, numbers)
            residual = dot(a, x0, a[dim])
            for i in range(dim):
                p, z = load_columns(carry.linear, i * dim, 0, dim), load(carry.z, i, 0, zero)
                new = p
                if ridge:
                    z = madd(dot(x0, p, zero), minus_one, z)
                    new = multiple(system.shrink, p)
                u = dot(a, p, zero) * -system.scale
                store(madd(u, residual, z), carry.z, i, 0)
                store_columns(plus_multiple(new, u, a), carry.linear, i * dim, 0)
            if carry.keep[row - first] >= 0:
                store_columns(load_columns(carry.z, 0, 0, dim), carry.kept, kept * dim, 0)
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
        x0 = load_columns(carry.x0, 0, 0, dim)
        kept = 0
        for row in range(first, last):
            for slot in range(size):
                a = gather_columns(system.table, scratch.drawn, row * size + slot, 0, numbers)
                store_columns(a, carry.rows, slot * numbers, 0)
                store(dot(a, x0, a[dim]), scratch.moves, slot, 0)
            for i in range(dim):
                p, z = load_columns(carry.linear, i * dim, 0, dim), load(carry.z, i, 0, zero)
                new = p
                if ridge:
                    z = madd(dot(x0, p, zero), system.shrink - system.table.dtype.type(1.0), z)
                    new = multiple(system.shrink, p)
                for slot in range(size):
                    a = load_columns(carry.rows, slot * numbers, 0, numbers)
                    u = dot(a, p, zero) * -system.scale
                    z = madd(u, load(scratch.moves, slot, 0, zero), z)
                    new = plus_multiple(new, u, a)
                store(z, carry.z, i, 0)
                store_columns(new, carry.linear, i * dim, 0)
            if carry.keep[row - first] >= 0:
                store_columns(load_columns(carry.z, 0, 0, dim), carry.kept, kept * dim, 0)
                kept += 1
        _write_kept(carry, dim, first, last, states)

    return steps


# ----------------------------------------------------------------------------------------------- steps, many dimensions


@jit_inline
def _write_row(carry, dim, lane, saved, states):
    if saved >= 0:
        for k in range(dim):
            states[lane, saved * dim + k] = carry.z[lane, k]


@jit_inline
def _add_product(system, carry, sums, lane, k, vectors, row, factor):
    """z[k : k + 8] += factor·(rows k … k + 7 of P)·vectors[row]."""
    d, zero = system.dim, system.scale - system.scale
    for i in range(LANES):
        at = lane * d + min(k + i, d - 1)
        store(long_partial_sums(carry.linear, at, 0, vectors, row, system.stride, zero), sums, i, 0)
    product = sum_each(sums, 0)
    store(madd(product, factor, load(carry.z, lane, k, product)), carry.z, lane, k)


@cache
def affine_row_steps():
    """Affine maps in many dimensions: 2d³ flops a step."""

    @jit
    def steps(system, scratch, carry, first, last, states):
        for lane in range(states.shape[0]):
            for row in range(first, last):
                _extend_affine(system, scratch, carry, row, lane)
                _write_row(carry, system.dim, lane, carry.keep[row - first], states)

    return steps


@jit_inline
def _extend_affine(system, scratch, carry, row, lane):
    d, stride, size, one = system.dim, system.stride, system.batch_size, system.table.dtype.type(1.0)
    move, sums = scratch.image, scratch.sums
    for k in range(d):
        move[0, k] = -carry.x0[lane, k]
    for slot in range(row * size, (row + 1) * size):
        item = np.intp(scratch.drawn[slot, lane])
        for k in range(0, d, LANES):
            for i in range(LANES):
                at = item * d + min(k + i, d - 1)
                constant = system.constants[item, k + i]
                store(long_partial_sums(system.table, at, 0, carry.x0, lane, stride, constant), sums, i, 0)
            store(sum_each(sums, 0), sums, 0, 0)
            for i in range(min(LANES, d - k)):
                move[0, k + i] = madd(system.scale, sums[0, i], move[0, k + i])
    for k in range(0, d, LANES):
        _add_product(system, carry, sums, lane, k, move, 0, one)
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


@cache
def regression_row_steps():
    """Linear regression in many dimensions: eight rows of P at a time, while they are in the first-level cache."""

    @jit
    def steps(system, scratch, carry, first, last, states):
        for lane in range(states.shape[0]):
            for row in range(first, last):
                _extend_regression(system, scratch, carry, row, lane)
                _write_row(carry, system.dim, lane, carry.keep[row - first], states)

    return steps


@jit_inline
def _extend_regression(system, scratch, carry, row, lane):
    d, stride, size, one = system.dim, system.stride, system.batch_size, system.table.dtype.type(1.0)
    drawn, sums, residuals = scratch.drawn, scratch.sums, scratch.moves
    for slot in range(size):
        item = np.intp(drawn[row * size + slot, lane])
        constant = system.constants[item, 0]
        store(long_partial_sums(system.table, item, 0, carry.x0, lane, stride, constant), sums, 0, 0)
        store(sum_each(sums, 0), residuals, slot, 0)  # of eight sums only the first is one
    for k in range(0, d, LANES):
        if system.shrink != one:
            _add_product(system, carry, sums, lane, k, carry.x0, lane, system.shrink - one)
        for slot in range(size):
            item = np.intp(drawn[row * size + slot, lane])
            for i in range(LANES):
                at = lane * d + min(k + i, d - 1)
                products = long_partial_sums(system.table, item, 0, carry.linear, at, stride, one - one)
                store(products, sums, slot * LANES + i, 0)
            u = sum_each(sums, slot * LANES) * -system.scale
            store(u, sums, slot * LANES, 0)
            store(madd(u, residuals[slot, 0], load(carry.z, lane, k, u)), carry.z, lane, k)
        for i in range(min(LANES, d - k)):
            for slot in range(size):
                shrink = system.shrink if slot == 0 else one
                item, at = np.intp(drawn[row * size + slot, lane]), lane * d + k + i
                shrink_and_move(carry.linear, at, shrink, sums[slot * LANES, i], system.table, item, stride)


# --------------------------------------------------------------------------------------------------- choice of the step


def incremental_steps_of(system: systems.System, draws: systems.Draws):
    """The function that makes the steps of a system, chosen by its family, its layout and its dimension."""
    if system.family == systems.AFFINE:
        if draws.kind == systems.PACKED_BITS:
            return pair_steps()
        if system.dim == 1 and system.batch_size == 1:
            return line_steps()
        return affine_lane_steps(system.dim) if system.lane_layout else affine_row_steps()
    systems.check_family(system, systems.LINEAR)
    if system.lane_layout:
        make = single_regression_lane_steps if system.batch_size == 1 else regression_lane_steps
        return make(system.dim, bool(system.shrink != 1.0))
    return regression_row_steps()
