"""Incremental steps in few dimensions: replicas in lanes."""

from __future__ import annotations

from functools import cache

from iterorder.kernels.bodies.steps import regression_extended
from iterorder.kernels.cpu.lane_states import LANE_STATES
from iterorder.kernels.cpu.lanes import LANES, load, madd, splat, store, where
from iterorder.kernels.cpu.loads import gather_columns, load_columns, store_columns, store_transposed
from iterorder.kernels.cpu.pair_steps import BITS, ZERO
from iterorder.kernels.cpu.sums import (
    dot,
    linear_image,
    multiple,
    offsets,
    plus,
)
from iterorder.kernels.targets import jit, jit_inline

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
def _keeper(dim: int):
    """The function that keeps the iterate P x0 + q, as number `kept` of the chunk."""

    @jit_inline
    def keep(carry, kept, zero):
        for i in range(dim):
            p, q = load_columns(carry.linear, i * dim, 0, dim), load(carry.offset, i, 0, zero)
            store(dot(p, load_columns(carry.x0, 0, 0, dim), q), carry.kept, kept * dim + i, 0)

    return keep


@cache
def pair_steps():
    """Two maps on the line, chosen by fair bits."""

    @jit
    def steps(packed, scratch, carry, first, last, states):
        q = load(carry.offset, 0, 0, splat(ZERO, LANES))
        p, start = load(carry.linear, 0, 0, q), load(carry.x0, 0, 0, q)
        slope0, slope1 = splat(packed.table[0, 0], LANES), splat(packed.table[1, 0], LANES)
        offset0, offset1 = splat(packed.table[0, 1], LANES), splat(packed.table[1, 1], LANES)
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
    def steps(packed, scratch, carry, first, last, states):
        q = load(carry.offset, 0, 0, splat(ZERO, LANES))
        p, start = load(carry.linear, 0, 0, q), load(carry.x0, 0, 0, q)
        kept = 0
        for row in range(first, last):
            slope, offset = gather_columns(packed.table, scratch.drawn, row, 0, 2)
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
    numbers, keep = dim * (dim + 1), _keeper(dim)

    @jit
    def steps(packed, scratch, carry, first, last, states):
        size, zero = packed.batch_size, splat(packed.scale - packed.scale, LANES)
        kept = 0
        for row in range(first, last):
            maps = gather_columns(packed.table, scratch.drawn, row * size, 0, numbers)
            for slot in range(row * size + 1, (row + 1) * size):
                maps = plus(maps, gather_columns(packed.table, scratch.drawn, slot, 0, numbers))
            if size > 1:
                maps = multiple(packed.scale, maps)
            offset = offsets(maps, load_columns(carry.x0, 0, 0, dim))
            for i in range(dim):
                p = load_columns(carry.linear, i * dim, 0, dim)
                store(dot(p, offset, load(carry.offset, i, 0, zero)), carry.offset, i, 0)
                store_columns(linear_image(p, maps), carry.linear, i * dim, 0)
            if carry.keep[row - first] >= 0:
                keep(carry, kept, zero)
                kept += 1
        _write_kept(carry, dim, first, last, states)

    return steps


@cache
def single_regression_lane_steps(dim: int, ridge: bool):
    """Linear regression in few dimensions, batches of one: the row of data stays in registers, rows of P pass by."""
    numbers, keep, extended = dim + 1, _keeper(dim), regression_extended(LANE_STATES)

    @jit
    def steps(packed, scratch, carry, first, last, states):
        zero, kept, factor = splat(packed.scale - packed.scale, LANES), 0, -packed.scale
        for row in range(first, last):
            a = gather_columns(packed.table, scratch.drawn, row, 0, numbers)
            for i in range(dim):
                p, q = load_columns(carry.linear, i * dim, 0, dim), load(carry.offset, i, 0, zero)
                new = multiple(packed.shrink, p) if ridge else p
                new, q = extended(p, q, new, a, a[dim], factor, zero)
                store(q, carry.offset, i, 0)
                store_columns(new, carry.linear, i * dim, 0)
            if carry.keep[row - first] >= 0:
                keep(carry, kept, zero)
                kept += 1
        _write_kept(carry, dim, first, last, states)

    return steps


@cache
def regression_lane_steps(dim: int, ridge: bool):
    """Linear regression in few dimensions: rank-one updates, 2d² multiply-adds a row of the batch."""
    numbers, keep, extended = dim + 1, _keeper(dim), regression_extended(LANE_STATES)

    @jit
    def steps(packed, scratch, carry, first, last, states):
        size, zero, factor = packed.batch_size, splat(packed.scale - packed.scale, LANES), -packed.scale
        kept = 0
        for row in range(first, last):
            for slot in range(size):
                a = gather_columns(packed.table, scratch.drawn, row * size + slot, 0, numbers)
                store_columns(a, carry.rows, slot * numbers, 0)
            for i in range(dim):
                p, q = load_columns(carry.linear, i * dim, 0, dim), load(carry.offset, i, 0, zero)
                new = multiple(packed.shrink, p) if ridge else p
                for slot in range(size):
                    a = load_columns(carry.rows, slot * numbers, 0, numbers)
                    new, q = extended(p, q, new, a, a[dim], factor, zero)
                store(q, carry.offset, i, 0)
                store_columns(new, carry.linear, i * dim, 0)
            if carry.keep[row - first] >= 0:
                keep(carry, kept, zero)
                kept += 1
        _write_kept(carry, dim, first, last, states)

    return steps
