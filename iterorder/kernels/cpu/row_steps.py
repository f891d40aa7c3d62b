"""Steps along rows of data: x → shrink·x + Σ move·a over the rows (a, c) of a batch, the move −scale·φ(aᵀx + c).

φ is the slope of the loss; all rows of a batch see the same x. Every function here makes the compiled step for one
dimension and one slope: a fixed number of coordinates lives in registers. With `few`, it works on the first lanes of a
block only, one, two or four.
"""

from __future__ import annotations

from functools import cache

from iterorder.kernels.bodies.steps import row_added
from iterorder.kernels.cpu.lane_groups import steps_over_lanes
from iterorder.kernels.cpu.lane_states import LANE_STATES
from iterorder.kernels.cpu.lanes import LANES, element, load, splat, store, unrelated
from iterorder.kernels.cpu.loads import (
    broadcast_columns,
    gather_few_columns,
    load_columns,
    load_few_columns,
    load_row,
    prefetch_row,
    store_columns,
    store_row,
    with_columns,
)
from iterorder.kernels.cpu.slopes import Move
from iterorder.kernels.cpu.sums import (
    long_partial_sums,
    multiple,
    partial_sums,
    plus_multiple,
    shrink_and_move,
    sum_each,
    total,
)
from iterorder.kernels.targets import jit, jit_inline


@cache
def lane_steps(dim: int, single: bool, slope: Move, ridge: bool, few: int = 0, groups: int = 1):
    """Few dimensions: replicas in lanes, `groups` of eight at once."""
    numbers, added, parameters = dim + 1, row_added(LANE_STATES, dim, slope), slope.parameters

    def run_of(width: int):
        @jit_inline
        def run(packed, scratch, start, stop, direction, lane):
            table, drawn = packed.table, scratch.drawn
            size = 1 if single else packed.batch_size
            factor, given = -packed.scale, parameters(packed.parameters)
            zero = splat(packed.scale - packed.scale, width)
            x = load_few_columns(scratch.states, 0, lane, dim, width)
            for row in range(start, stop, direction):
                moved = multiple(packed.shrink, x) if ridge else x
                for slot in range(row * size, (row + 1) * size):
                    a = gather_few_columns(table, drawn, slot, lane, numbers, width)
                    moved = added(moved, x, a, factor, given, zero)
                x = moved
            store_columns(x, scratch.states, 0, lane)

        return run

    return steps_over_lanes(run_of, few, groups)


@cache
def passing_lane_steps(dim: int, slope: Move, ridge: bool, width: int):
    """`lane_steps` of batches of one that need more registers than there are: `width` lanes after the other.

    A state is an operand in memory, read once for the product and, as if it were another one, once more for the move.
    For a chunk of steps it stands in groups of eight lanes, so that its coordinates are at distances that are known.
    """
    numbers, added, parameters = dim + 1, row_added(LANE_STATES, dim, slope), slope.parameters

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        table, drawn, states, block = packed.table, scratch.drawn, scratch.states, with_columns(scratch.sums, LANES)
        factor, given = -packed.scale, parameters(packed.parameters)
        zero, lanes = splat(packed.scale - packed.scale, width), states.shape[1]
        for lane in range(first_lane, lanes, LANES):
            store_columns(load_columns(states, 0, lane, dim), block, lane // LANES * dim, 0)
        for row in range(start, stop, direction):
            for lane in range(first_lane, lanes, width):
                first, place = lane // LANES * dim, lane % LANES
                x = load_few_columns(block, first, place, dim, width)
                a = gather_few_columns(table, drawn, row, lane, numbers, width)
                again = load_few_columns(block, unrelated(first), place, dim, width)
                moved = multiple(packed.shrink, again) if ridge else again
                store_columns(added(moved, x, a, factor, given, zero), block, first, place)
        for lane in range(first_lane, lanes, LANES):
            store_columns(load_columns(block, lane // LANES * dim, 0, dim), states, 0, lane)

    return steps


@cache
def shared_lane_steps(dim: int, single: bool, slope: Move, ridge: bool):
    """`lane_steps` where every lane meets the rows of lane 0: nothing to gather, so the other lanes fill the wait."""
    numbers, added, parameters = dim + 1, row_added(LANE_STATES, dim, slope), slope.parameters

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        table, drawn, states = packed.table, scratch.drawn, scratch.states
        size = 1 if single else packed.batch_size
        factor, given = -packed.scale, parameters(packed.parameters)
        zero = splat(packed.scale - packed.scale, LANES)
        for row in range(start, stop, direction):
            for lane in range(first_lane, states.shape[1], LANES):
                x = load_columns(states, 0, lane, dim)
                moved = multiple(packed.shrink, x) if ridge else x
                for slot in range(row * size, (row + 1) * size):
                    a = broadcast_columns(table, element(drawn, slot, 0), numbers)
                    moved = added(moved, x, a, factor, given, zero)
                store_columns(moved, states, 0, lane)

    return steps


@cache
def linear_row_steps(vectors: int, ridge: bool, shared: bool, few: int = 0):
    """Linear regression, batches of one: the states of two lanes stay in registers for a chunk of steps.

    What limits the speed is the latency of a long sum, hence two of them, and a row is read from afar only once.
    """

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, table, constants, drawn = scratch.states, packed.table, packed.constants, scratch.drawn
        shrink, scale = packed.shrink, -packed.scale
        for lane in range(first_lane, few or states.shape[0], 2):
            x, y = load_row(states, lane, 0, vectors), load_row(states, lane + 1, 0, vectors)
            for row in range(start, stop, direction):
                i = element(drawn, row, 0 if shared else lane)
                j = element(drawn, row, 0 if shared else lane + 1)
                a, b = load_row(table, i, 0, vectors), load_row(table, j, 0, vectors)
                u = total(partial_sums(a, x, element(constants, i, 0)), x) * scale
                v = total(partial_sums(b, y, element(constants, j, 0)), y) * scale
                a, b = load_row(table, unrelated(i), 0, vectors), load_row(table, unrelated(j), 0, vectors)
                x = plus_multiple(multiple(shrink, x) if ridge else x, u, a)
                y = plus_multiple(multiple(shrink, y) if ridge else y, v, b)
            store_row(x, states, lane)
            store_row(y, states, lane + 1)

    return steps


@cache
def short_linear_row_steps(vectors: int, ridge: bool, shared: bool, few: int = 0):
    """`linear_row_steps` for shorter rows: four lanes in registers."""

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, table, constants, drawn = scratch.states, packed.table, packed.constants, scratch.drawn
        shrink, scale = packed.shrink, -packed.scale
        for lane in range(first_lane, few or states.shape[0], 4):
            w, x = load_row(states, lane, 0, vectors), load_row(states, lane + 1, 0, vectors)
            y, z = load_row(states, lane + 2, 0, vectors), load_row(states, lane + 3, 0, vectors)
            for row in range(start, stop, direction):
                i = element(drawn, row, 0 if shared else lane)
                j = element(drawn, row, 0 if shared else lane + 1)
                k = element(drawn, row, 0 if shared else lane + 2)
                m = element(drawn, row, 0 if shared else lane + 3)
                s = total(partial_sums(load_row(table, i, 0, vectors), w, element(constants, i, 0)), x) * scale
                t = total(partial_sums(load_row(table, j, 0, vectors), x, element(constants, j, 0)), x) * scale
                u = total(partial_sums(load_row(table, k, 0, vectors), y, element(constants, k, 0)), x) * scale
                v = total(partial_sums(load_row(table, m, 0, vectors), z, element(constants, m, 0)), x) * scale
                w = plus_multiple(multiple(shrink, w) if ridge else w, s, load_row(table, unrelated(i), 0, vectors))
                x = plus_multiple(multiple(shrink, x) if ridge else x, t, load_row(table, unrelated(j), 0, vectors))
                y = plus_multiple(multiple(shrink, y) if ridge else y, u, load_row(table, unrelated(k), 0, vectors))
                z = plus_multiple(multiple(shrink, z) if ridge else z, v, load_row(table, unrelated(m), 0, vectors))
            store_row(w, states, lane)
            store_row(x, states, lane + 1)
            store_row(y, states, lane + 2)
            store_row(z, states, lane + 3)

    return steps


@cache
def row_steps(vectors: int, slope: Move, ridge: bool, shared: bool, few: int = 0):
    """Batches in many dimensions: lanes are coordinates, and the slopes of eight rows of a batch are found at once.

    One state after the other, in registers for a chunk of steps: the rows of a batch are read again while they are
    near, and those of the next step are asked for. Behind whole groups of sums stand the targets of rows, if those are
    not folded, and then their moves.
    """
    folded, move_along, parameters = slope.folded, slope.apply, slope.parameters

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, sums, size = scratch.states, with_columns(scratch.sums, LANES), packed.batch_size
        table, constants, drawn = packed.table, with_columns(packed.constants, 1), scratch.drawn
        factor, given, zero = -packed.scale, parameters(packed.parameters), packed.scale - packed.scale
        groups = (size + LANES - 1) // LANES
        targets = groups * LANES
        moves = targets + groups
        for lane in range(first_lane, few or states.shape[0]):
            noise_lane = 0 if shared else lane
            x = load_row(states, lane, 0, vectors)
            for row in range(start, stop, direction):
                for slot in range(size):
                    item = element(drawn, row * size + slot, noise_lane)
                    constant = element(constants, item, 0)
                    products = partial_sums(load_row(table, item, 0, vectors), x, constant if folded else zero)
                    store(products, sums, slot, 0)
                    if not folded:
                        sums[targets + slot // LANES, slot % LANES] = constant
                following = row if row + direction == stop else row + direction
                for slot in range(size):  # while these are summed and moved along
                    prefetch_row(table, element(drawn, following * size + slot, noise_lane))
                for group in range(groups):
                    z = sum_each(sums, group * LANES)
                    target = z if folded else load(sums, targets + group, 0, z)
                    store(move_along(z, target, factor, given), sums, moves + group, 0)
                x = multiple(packed.shrink, x) if ridge else x
                for slot in range(size):
                    item = element(drawn, row * size + slot, noise_lane)
                    move = element(sums, moves + slot // LANES, slot % LANES)
                    x = plus_multiple(x, move, load_row(table, item, 0, vectors))
            store_row(x, states, lane)

    return steps


@cache
def long_row_steps(slope: Move, shared: bool, few: int = 0):
    """More coordinates than fit into registers: the same sums in the same order, from memory."""
    lanes = few or LANES
    folded, move_along, parameters = slope.folded, slope.apply, slope.parameters

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, sums, moves, size = scratch.states, scratch.sums, scratch.moves, packed.batch_size
        table, constants, drawn, stride = packed.table, packed.constants, scratch.drawn, packed.stride
        factor, given, zero = -packed.scale, parameters(packed.parameters), packed.scale - packed.scale
        for group in range(first_lane, few or states.shape[0], LANES):
            for row in range(start, stop, direction):
                for slot in range(size):
                    for lane in range(group, group + lanes):
                        item = element(drawn, row * size + slot, 0 if shared else lane)
                        constant = element(constants, item, 0)
                        start_of_sum = constant if folded else zero
                        products = long_partial_sums(table, item, 0, states, lane, stride, start_of_sum)
                        store(products, sums, lane - group, 0)
                        if not folded:
                            moves[slot, lane] = constant
                    for lane in range(lanes, LANES if few and not folded else lanes):
                        moves[slot, lane] = zero  # of lanes that nobody works on
                    z = sum_each(sums, 0)
                    target = z if folded else load(moves, slot, group, z)
                    store(move_along(z, target, factor, given), moves, slot, group)
                for lane in range(group, group + lanes):
                    for slot in range(size):
                        shrink = packed.shrink if slot == 0 else table.dtype.type(1.0)
                        item = element(drawn, row * size + slot, 0 if shared else lane)
                        shrink_and_move(states, lane, shrink, element(moves, slot, lane), table, item, stride)

    return steps
