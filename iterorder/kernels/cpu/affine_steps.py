"""Steps of affine maps: x → A x + b, or the mean of the images under the maps of a batch.

Every function here makes the compiled step for one dimension: a fixed number of coordinates lives in registers. With
`few`, it works on the first lanes of a block only, one, two or four.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from iterorder.kernels.cpu.lanes import LANES, counting, element, load, splat, store, where
from iterorder.kernels.cpu.loads import (
    broadcast_columns,
    gather_few_columns,
    load_columns,
    load_few_columns,
    load_row,
    store_columns,
)
from iterorder.kernels.cpu.sums import affine_image, long_partial_sums, multiple, partial_sums, plus, sum_each
from iterorder.kernels.targets import jit, jit_inline

ONE = np.uint64(1)


@cache
def lane_steps(dim: int, single: bool, few: int = 0):
    """Few dimensions: replicas in lanes."""
    numbers, width = dim * (dim + 1), few or LANES

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        table, drawn, states = packed.table, scratch.drawn, scratch.states
        size = 1 if single else packed.batch_size
        for lane in range(first_lane, few or states.shape[1], width):
            x = load_few_columns(states, 0, lane, dim, width)
            for row in range(start, stop, direction):
                total = x
                for slot in range(row * size, (row + 1) * size):
                    image = affine_image(gather_few_columns(table, drawn, slot, lane, numbers, width), x)
                    total = image if slot == row * size else plus(total, image)
                x = total if single else multiple(packed.scale, total)
            store_columns(x, states, 0, lane)

    return steps


@cache
def shared_lane_steps(dim: int, single: bool):
    """`lane_steps` where every lane meets the maps of lane 0: nothing to gather, so the other lanes fill the wait."""
    numbers = dim * (dim + 1)

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        table, drawn, states = packed.table, scratch.drawn, scratch.states
        size = 1 if single else packed.batch_size
        for row in range(start, stop, direction):
            for lane in range(first_lane, states.shape[1], LANES):
                x = load_columns(states, 0, lane, dim)
                total = x
                for slot in range(row * size, (row + 1) * size):
                    image = affine_image(broadcast_columns(table, element(drawn, slot, 0), numbers), x)
                    total = image if slot == row * size else plus(total, image)
                store_columns(total if single else multiple(packed.scale, total), states, 0, lane)

    return steps


@cache
def row_steps(vectors: int, shared: bool, few: int = 0):
    """Many dimensions: one state at a time, held in registers, and eight coordinates of its image at once."""

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        table, states, drawn, size = packed.table, scratch.states, scratch.drawn, packed.batch_size
        for row in range(start, stop, direction):
            for lane in range(first_lane, few or states.shape[0]):
                x = load_row(states, lane, 0, vectors)
                for slot in range(row * size, (row + 1) * size):
                    item = element(drawn, slot, 0 if shared else lane)
                    for k in range(0, packed.dim, LANES):
                        for i in range(LANES):
                            a = load_row(table, item * packed.dim + min(k + i, packed.dim - 1), 0, vectors)
                            store(partial_sums(a, x, element(packed.constants, item, k + i)), scratch.sums, i, 0)
                        _add_image(packed, scratch, k, slot == row * size)
                _store_image(packed, scratch, lane)

    return steps


@cache
def long_row_steps(shared: bool, few: int = 0):
    """More coordinates than fit into registers."""

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        table, states, drawn, size = packed.table, scratch.states, scratch.drawn, packed.batch_size
        for row in range(start, stop, direction):
            for lane in range(first_lane, few or states.shape[0]):
                for slot in range(row * size, (row + 1) * size):
                    item = element(drawn, slot, 0 if shared else lane)
                    for k in range(0, packed.dim, LANES):
                        for i in range(LANES):
                            at = item * packed.dim + min(k + i, packed.dim - 1)
                            constant = element(packed.constants, item, k + i)
                            products = long_partial_sums(table, at, 0, states, lane, packed.stride, constant)
                            store(products, scratch.sums, i, 0)
                        _add_image(packed, scratch, k, slot == row * size)
                _store_image(packed, scratch, lane)

    return steps


@jit_inline
def _add_image(packed, scratch, k, first):
    """Coordinates k … k + 7 of the sum of images; those beyond the last stay zero."""
    zero = splat(packed.scale - packed.scale, LANES)
    value = where(counting(np.uint64(k), ONE, LANES) < np.uint64(packed.dim), sum_each(scratch.sums, 0), zero)
    store(value if first else load(scratch.image, 0, k, zero) + value, scratch.image, 0, k)


@jit_inline
def _store_image(packed, scratch, lane):
    like = splat(packed.scale, LANES)
    for k in range(0, packed.dim, LANES):
        store(load(scratch.image, 0, k, like) * packed.scale, scratch.states, lane, k)
