"""Steps of one replica along rows of data: its state stays in registers, and no other lane is worked on.

The sums of `row_steps` in the same order. Alone, a replica waits for the latency of each sum: there is nothing else.
"""

from __future__ import annotations

from functools import cache

from numba.extending import intrinsic

from iterorder.kernels.cpu.lanes import LANES, Vector, element, lane_of, shuffle, splat, unrelated
from iterorder.kernels.cpu.loads import load_row, store_row
from iterorder.kernels.cpu.slopes import Move
from iterorder.kernels.cpu.sums import multiple, partial_sums, plus_multiple, total
from iterorder.kernels.targets import jit


@intrinsic
def total_of_neighbours(typing_context, sums):
    """The sum of eight numbers in every lane, neighbours first: what `sums.sum_each` finds for a row."""
    if not (isinstance(sums, Vector) and sums.lanes == LANES):
        return None

    def generate(context, builder, signature, arguments):
        vector = arguments[0]
        for distance in (1, 2, 4):
            vector = builder.fadd(vector, shuffle(builder, vector, vector, [lane ^ distance for lane in range(LANES)]))
        return vector

    return sums(sums), generate


@cache
def single_linear_row_steps(vectors: int, ridge: bool):
    """`row_steps.linear_row_steps` for one lane."""

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, table, constants, drawn = scratch.states, packed.table, packed.constants, scratch.drawn
        shrink, scale = packed.shrink, -packed.scale
        x = load_row(states, first_lane, 0, vectors)
        for row in range(start, stop, direction):
            item = element(drawn, row, first_lane)
            products = partial_sums(load_row(table, item, 0, vectors), x, element(constants, item, 0))
            move = total(products, x) * scale
            again = load_row(table, unrelated(item), 0, vectors)
            x = plus_multiple(multiple(shrink, x) if ridge else x, move, again)
        store_row(x, states, first_lane)

    return steps


@cache
def single_row_steps(vectors: int, slope: Move, ridge: bool):
    """`row_steps.row_steps` for one lane and batches of one."""
    folded, move_along, parameters = slope.folded, slope.apply, slope.parameters

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, table, constants, drawn = scratch.states, packed.table, packed.constants, scratch.drawn
        factor, given, zero = -packed.scale, parameters(packed.parameters), packed.scale - packed.scale
        x = load_row(states, first_lane, 0, vectors)
        for row in range(start, stop, direction):
            item = element(drawn, row, first_lane)
            constant = element(constants, item, 0)
            products = partial_sums(load_row(table, item, 0, vectors), x, constant if folded else zero)
            z = total_of_neighbours(products)
            move = lane_of(move_along(z, splat(constant, LANES), factor, given), 0)
            again = load_row(table, unrelated(item), 0, vectors)
            x = plus_multiple(multiple(packed.shrink, x) if ridge else x, move, again)
        store_row(x, states, first_lane)

    return steps
