"""Incremental steps in many dimensions: one replica after the other, lanes are coordinates."""

from __future__ import annotations

from functools import cache

import numpy as np

from iterorder.kernels.cpu.lanes import LANES, load, madd, store, with_aligned_stack
from iterorder.kernels.cpu.sums import (
    long_partial_sums,
    shrink_and_move,
    sum_each,
)
from iterorder.kernels.targets import jit, jit_inline


@jit_inline
def _write_row(carry, dim, lane, saved, states):
    if saved >= 0:
        for k in range(dim):
            states[lane, saved * dim + k] = carry.kept[0, k]


@jit_inline
def _add_product(packed, carry, sums, lane, k, vectors, row, target, target_row):
    """target[target_row, k : k + 8] ← Q[k : k + 8] + (rows k … k + 7 of P)·vectors[row]."""
    d, zero = packed.dim, packed.scale - packed.scale
    for i in range(LANES):
        at = lane * d + min(k + i, d - 1)
        store(long_partial_sums(carry.linear, at, 0, vectors, row, packed.stride, zero), sums, i, 0)
    product = sum_each(sums, 0)
    store(load(carry.offset, lane, k, product) + product, target, target_row, k)


@cache
def affine_row_steps():
    """Affine maps in many dimensions: 2d³ flops a step."""

    @jit
    def steps(packed, scratch, carry, first, last, states):
        with_aligned_stack()
        for lane in range(states.shape[0]):
            for row in range(first, last):
                _extend_affine(packed, scratch, carry, row, lane, carry.keep[row - first] >= 0)
                _write_row(carry, packed.dim, lane, carry.keep[row - first], states)

    return steps


@jit_inline
def _extend_affine(packed, scratch, carry, row, lane, keep):
    d, stride, size, one = packed.dim, packed.stride, packed.batch_size, packed.table.dtype.type(1.0)
    offset, sums = scratch.image, scratch.sums
    for k in range(d):
        offset[0, k] = 0
    for slot in range(row * size, (row + 1) * size):
        item = np.intp(scratch.drawn[slot, lane])
        for k in range(d):
            offset[0, k] = madd(packed.scale, packed.constants[item, k], offset[0, k])
    for k in range(0, d, LANES):
        _add_product(packed, carry, sums, lane, k, offset, 0, carry.offset, lane)
    for i in range(d):
        for k in range(stride):
            carry.rows[i, k] = carry.linear[lane * d + i, k]
            carry.linear[lane * d + i, k] = 0
    for slot in range(row * size, (row + 1) * size):
        item = np.intp(scratch.drawn[slot, lane])
        for i in range(d):
            for m in range(d):
                weight = packed.scale * carry.rows[i, m]
                shrink_and_move(carry.linear, lane * d + i, one, weight, packed.table, item * d + m, stride)
    for k in range(0, d if keep else 0, LANES):
        _add_product(packed, carry, sums, lane, k, carry.x0, lane, carry.kept, 0)


@cache
def regression_row_steps():
    """Linear regression in many dimensions: eight rows of P at a time, while they are in the first-level cache."""

    @jit
    def steps(packed, scratch, carry, first, last, states):
        for lane in range(states.shape[0]):
            for row in range(first, last):
                _extend_regression(packed, scratch, carry, row, lane, carry.keep[row - first] >= 0)
                _write_row(carry, packed.dim, lane, carry.keep[row - first], states)

    return steps


@jit_inline
def _extend_regression(packed, scratch, carry, row, lane, keep):
    d, stride, size, one = packed.dim, packed.stride, packed.batch_size, packed.table.dtype.type(1.0)
    drawn, sums = scratch.drawn, scratch.sums
    for k in range(0, d, LANES):
        for slot in range(size):
            item = np.intp(drawn[row * size + slot, lane])
            for i in range(LANES):
                at = lane * d + min(k + i, d - 1)
                products = long_partial_sums(packed.table, item, 0, carry.linear, at, stride, one - one)
                store(products, sums, slot * LANES + i, 0)
            u = sum_each(sums, slot * LANES) * -packed.scale
            store(u, sums, slot * LANES, 0)
            store(madd(u, packed.constants[item, 0], load(carry.offset, lane, k, u)), carry.offset, lane, k)
        for i in range(min(LANES, d - k)):
            for slot in range(size):
                shrink = packed.shrink if slot == 0 else one
                item, at = np.intp(drawn[row * size + slot, lane]), lane * d + k + i
                shrink_and_move(carry.linear, at, shrink, sums[slot * LANES, i], packed.table, item, stride)
        if keep:  # `_add_product` takes twice as long here
            for i in range(LANES):
                at = lane * d + min(k + i, d - 1)
                store(long_partial_sums(carry.x0, lane, 0, carry.linear, at, stride, one - one), sums, i, 0)
            product = sum_each(sums, 0)
            store(load(carry.offset, lane, k, product) + product, carry.kept, 0, k)
