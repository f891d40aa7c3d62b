"""Steps of SGD with the state of its optimiser: v → momentum·v + g, x → (1 − h·decay)·x − h·v, g the mean gradient.

The state holds x and behind it v; without momentum x alone. The step size is that of the step's number.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from iterorder.forms import Affine, Rows, Stateful
from iterorder.kernels.bodies.steps import affine_added, position_moved, row_added, velocity_begun
from iterorder.kernels.cpu import profile
from iterorder.kernels.cpu.lane_groups import steps_over_lanes
from iterorder.kernels.cpu.lane_states import LANE_STATES
from iterorder.kernels.cpu.lanes import LANES, counting, element, load, madd, splat, store, where
from iterorder.kernels.cpu.loads import broadcast_columns, gather_few_columns, load_few_columns, store_columns
from iterorder.kernels.cpu.packing import Packed
from iterorder.kernels.cpu.slopes import Move, move_of
from iterorder.kernels.cpu.sums import long_partial_sums, sum_each
from iterorder.kernels.optimizer_numbers import ITEM_WEIGHT, MOMENTUM, RIDGE, STEP_SIZES, WEIGHT_DECAY
from iterorder.kernels.targets import jit, jit_inline

ONE = np.uint64(1)


def stateful_steps(form: Stateful, packed: Packed, shared: bool, few: int = 0):
    """The function that `steps.steps_of` describes."""
    momentum, gradient = bool(form.momentum), form.gradient
    if isinstance(gradient, Affine):
        slope = None
    elif isinstance(gradient, Rows):
        slope = move_of(gradient.slope)
    else:
        raise TypeError(f"no step for an optimiser of {type(gradient).__name__}")
    if packed.lane_layout:
        alone = shared or (slope is not None and not slope.lifts)
        return lane_steps(gradient.dim, slope, momentum, shared, few, 1 if alone else _groups_of(form))
    return row_steps(gradient.dim, slope, momentum, shared, few)


def _groups_of(form: Stateful) -> int:
    """Groups of lanes to work on at once: with momentum two states of a group are held, and a matrix beside them."""
    if form.gradient.batch_size > 1 or (isinstance(form.gradient, Affine) and form.gradient.dim > 1):
        return 1
    groups = profile.PROFILE.lane_groups
    while groups * form.dim > 4 * profile.PROFILE.lane_groups:
        groups //= 2
    return max(1, groups)


@jit_inline
def _number(packed, k):
    return packed.table.dtype.type(packed.optimizer[k])


@jit_inline
def _step_size(packed, scratch, row):
    """That of step `row` of the chunk."""
    last = packed.optimizer.size - 1
    step = scratch.first_step[0] + row
    return _number(packed, min(STEP_SIZES + step, last))


@cache
def lane_steps(dim: int, slope: Move | None, momentum: bool, shared: bool, few: int, groups: int = 1):
    """Few dimensions: replicas in lanes, x and v in registers for a chunk of steps; no slope: affine gradients."""
    numbers = dim * (dim + 1) if slope is None else dim + 1
    begun, moved = velocity_begun(LANE_STATES, momentum), position_moved(LANE_STATES)
    with_gradient = _affine_gradient() if slope is None else _lane_gradient(dim, slope)

    def run_of(width: int):
        @jit_inline
        def item_of(table, drawn, slot, lane):
            return (
                broadcast_columns(table, element(drawn, slot, 0), numbers)
                if shared
                else gather_few_columns(table, drawn, slot, lane, numbers, width)
            )

        @jit_inline
        def run(packed, scratch, start, stop, direction, lane):
            table, drawn, states, size = packed.table, scratch.drawn, scratch.states, packed.batch_size
            decay, weight = _number(packed, WEIGHT_DECAY), _number(packed, ITEM_WEIGHT)
            ridge, friction = _number(packed, RIDGE), _number(packed, MOMENTUM)
            one = table.dtype.type(1.0)
            x = load_few_columns(states, 0, lane, dim, width)
            v = load_few_columns(states, dim if momentum else 0, lane, dim, width)
            for row in range(start, stop, direction):
                h = _step_size(packed, scratch, row)
                total = begun(x, v, ridge, friction)
                for slot in range(row * size, (row + 1) * size):
                    total = with_gradient(packed, total, item_of(table, drawn, slot, lane), x, weight)
                v = total
                x = moved(x, v, h, decay, one)
            store_columns(x, states, 0, lane)
            if momentum:
                store_columns(v, states, dim, lane)

        return run

    return steps_over_lanes(run_of, few, groups)


@cache
def _affine_gradient():
    """The total with one item's H x − H c, times the weight of an item in the mean."""
    added = affine_added(LANE_STATES)

    @jit_inline
    def with_gradient(packed, total, item, x, weight):
        return added(total, x, item, weight)

    return with_gradient


@cache
def _lane_gradient(dim: int, slope: Move):
    """The same of one row's φ(aᵀx + c)·a."""
    added, parameters = row_added(LANE_STATES, dim, slope), slope.parameters

    @jit_inline
    def with_gradient(packed, total, item, x, weight):
        return added(total, x, item, weight, parameters(packed.parameters), item[dim] - item[dim])

    return with_gradient


@cache
def row_steps(dim: int, slope: Move | None, momentum: bool, shared: bool, few: int):
    """Many dimensions: lanes are coordinates; the gradient of a state is made in `scratch.image` before it moves."""
    lanes = few or LANES
    if slope is None:
        slopes, gradient = _no_slopes, _hessian_gradient(dim, shared)
    else:
        slopes, gradient = _row_slopes(slope, shared, lanes), _row_gradient(dim, shared)

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, image = scratch.states, scratch.image
        like = splat(_number(packed, ITEM_WEIGHT), LANES)
        ridge, friction = splat(_number(packed, RIDGE), like), splat(_number(packed, MOMENTUM), like)
        decay, one = _number(packed, WEIGHT_DECAY), states.dtype.type(1.0)
        for group in range(first_lane, few or states.shape[0], LANES):
            for row in range(start, stop, direction):
                h = _step_size(packed, scratch, row)
                keep, back = splat(one - h * decay, like), splat(-h, like)
                slopes(packed, scratch, row, group)
                for lane in range(group, group + lanes):
                    gradient(packed, scratch, row, lane)
                    for k in range(0, dim, LANES):
                        x = load(states, lane, k, like)
                        v = madd(ridge, x, load(image, 0, k, like))
                        if momentum:
                            v = madd(friction, load(states, lane, dim + k, like), v)
                            store(v, states, lane, dim + k)
                        x = madd(back, v, keep * x)
                        # The last vector of x reaches into v, whose first coordinates are new by now.
                        inside = counting(np.uint64(k), ONE, LANES) < np.uint64(dim)
                        store(where(inside, x, load(states, lane, k, like)), states, lane, k)

    return steps


def _row_slopes(slope: Move, shared: bool, lanes: int):
    """The factor of each row of a batch, of eight states at once, in `scratch.moves`."""
    folded, move_along, parameters = slope.folded, slope.apply, slope.parameters

    @jit_inline
    def slopes(packed, scratch, row, group):
        table, sums, weight = packed.table, scratch.sums, _number(packed, ITEM_WEIGHT)
        for slot in range(packed.batch_size):
            for lane in range(group, group + lanes):
                item = element(scratch.drawn, row * packed.batch_size + slot, 0 if shared else lane)
                constant = element(packed.constants, item, 0)
                start = constant if folded else constant - constant
                products = long_partial_sums(table, item, 0, scratch.states, lane, table.shape[1], start)
                store(products, sums, lane - group, 0)
                if not folded:
                    scratch.moves[slot, lane] = constant
            for lane in range(lanes, LANES if lanes < LANES and not folded else lanes):
                scratch.moves[slot, lane] = 0  # of lanes that nobody works on
            z = sum_each(sums, 0)
            target = z if folded else load(scratch.moves, slot, group, z)
            store(move_along(z, target, weight, parameters(packed.parameters)), scratch.moves, slot, group)

    return slopes


def _row_gradient(dim: int, shared: bool):
    """The sum of the rows of a batch times their factors."""

    @jit_inline
    def gradient(packed, scratch, row, lane):
        zero = splat(packed.scale - packed.scale, LANES)
        for k in range(0, dim, LANES):
            total = zero
            for slot in range(packed.batch_size):
                item = element(scratch.drawn, row * packed.batch_size + slot, 0 if shared else lane)
                move = splat(element(scratch.moves, slot, lane), zero)
                total = madd(move, load(packed.table, item, k, zero), total)
            store(total, scratch.image, 0, k)

    return gradient


@jit_inline
def _no_slopes(packed, scratch, row, group):
    """Quadratic losses have no factors to share."""


def _hessian_gradient(dim: int, shared: bool):
    """Quadratic losses: the mean of H x − H c over a batch."""

    @jit_inline
    def gradient(packed, scratch, row, lane):
        table, sums, weight = packed.table, scratch.sums, splat(_number(packed, ITEM_WEIGHT), LANES)
        for k in range(0, dim, LANES):
            total = weight - weight
            for slot in range(packed.batch_size):
                item = element(scratch.drawn, row * packed.batch_size + slot, 0 if shared else lane)
                for i in range(LANES):
                    at, constant = item * dim + min(k + i, dim - 1), element(packed.constants, item, k + i)
                    store(long_partial_sums(table, at, 0, scratch.states, lane, table.shape[1], constant), sums, i, 0)
                total = madd(weight, sum_each(sums, 0), total)
            store(total, scratch.image, 0, k)

    return gradient
