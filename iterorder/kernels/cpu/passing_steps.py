"""Steps along rows of data in which a state passes through the registers, vector by vector, once a step.

The sums of `row_steps.row_steps` in the same order; but that one loads a whole state, which on a processor of few
registers goes to the stack and back for every row of data.
"""

from __future__ import annotations

from functools import cache

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from iterorder.kernels.bodies.sums import ROW_CHAINS, add_product, added_inwards
from iterorder.kernels.cpu.lanes import (
    LANES,
    Vector,
    element,
    load,
    load_from,
    multiply_add,
    row_pointer,
    spread,
    store,
    store_to,
)
from iterorder.kernels.cpu.loads import is_table, row_lanes
from iterorder.kernels.cpu.slopes import Move
from iterorder.kernels.cpu.sums import Instructions, first_chain, folded_to_lanes, sum_each
from iterorder.kernels.targets import jit

#: Vectors of a state that are in registers while the rows of a batch are added to them: half of the registers.
BLOCK = 4


@intrinsic(prefer_literal=True)
def moved_sums(typing_context, x, lane, shrink, move, table, previous, item, start, vectors, ridge, moves):
    """`sums.partial_sums` of table[item] and x[lane], after x[lane] ← shrink·x[lane] + move·table[previous].

    Vector by vector, in one pass. `vectors`, `ridge` (whether to shrink) and `moves` (whether to move) are literals.
    """
    if not (is_table(table) and is_table(x) and isinstance(vectors, types.IntegerLiteral)):
        return None
    lanes = row_lanes(x)
    shrinks, changes = bool(ridge.literal_value), bool(moves.literal_value)

    def generate(context, builder, signature, arguments):
        state, write = row_pointer(context, builder, x, *arguments[:2]), Instructions(builder)
        row, before = (row_pointer(context, builder, table, arguments[4], arguments[k]) for k in (6, 5))
        factor, along = (spread(builder, number, lanes) for number in arguments[2:4])
        sums = [first_chain(context, builder, x.dtype, lanes, arguments[7]), *[None] * (ROW_CHAINS - 1)]
        for k in range(vectors.literal_value):
            number = load_from(builder, state, lanes, k * lanes)
            if changes:
                number = builder.fmul(factor, number) if shrinks else number
                number = multiply_add(builder, along, load_from(builder, before, lanes, k * lanes), number)
                store_to(builder, number, state, k * lanes)
            add_product(write, sums, k, load_from(builder, row, lanes, k * lanes), number)
        return folded_to_lanes(builder, added_inwards(write, sums))

    kinds = (x, types.intp, shrink, move, table, types.intp, types.intp, start, vectors, ridge, moves)
    return Vector(x.dtype, LANES)(*kinds), generate


@intrinsic(prefer_literal=True)
def sums_of_two(typing_context, x, lane, table, items, starts, vectors):
    """`sums.partial_sums` of two rows of a table and x[lane], which passes through the registers once."""
    if not (is_table(table) and is_table(x) and isinstance(vectors, types.IntegerLiteral)):
        return None
    lanes = row_lanes(x)
    kind = types.UniTuple(Vector(x.dtype, LANES), 2)

    def generate(context, builder, signature, arguments):
        state, write = row_pointer(context, builder, x, *arguments[:2]), Instructions(builder)
        rows, sums = [], []
        for k in range(2):
            item, start = (builder.extract_value(arguments[at], k) for at in (3, 4))
            rows.append(row_pointer(context, builder, table, arguments[2], item))
            sums.append([first_chain(context, builder, x.dtype, lanes, start), *[None] * (ROW_CHAINS - 1)])
        for k in range(vectors.literal_value):
            number = load_from(builder, state, lanes, k * lanes)
            for row, chains in zip(rows, sums, strict=True):
                add_product(write, chains, k, load_from(builder, row, lanes, k * lanes), number)
        found = [added_inwards(write, chains) for chains in sums]
        return context.make_tuple(builder, kind, [folded_to_lanes(builder, value) for value in found])

    return kind(x, types.intp, table, items, starts, vectors), generate


@intrinsic(prefer_literal=True)
def moved_by_batch(
    typing_context, x, lane, shrink, moves, at, place, table, drawn, first, column, size, vectors, ridge
):
    """x[lane] ← shrink·x[lane] + Σ_s move_s·table[drawn[first + s, column]], s < size, `BLOCK` vectors at once.

    The moves stand behind each other from moves[at, place] on. `vectors` and `ridge` (whether to shrink) are literals.
    """
    if not (is_table(table) and is_table(x) and is_table(drawn) and isinstance(vectors, types.IntegerLiteral)):
        return None
    lanes, count, shrinks = row_lanes(x), vectors.literal_value, bool(ridge.literal_value)

    def generate(context, builder, signature, arguments):
        state = row_pointer(context, builder, x, *arguments[:2])
        factor, size = spread(builder, arguments[2], lanes), arguments[10]
        given = row_pointer(context, builder, moves, *arguments[3:6])
        for begin in range(0, count, BLOCK):
            places = range(begin * lanes, min(begin + BLOCK, count) * lanes, lanes)
            cells = []
            for place in places:
                number = load_from(builder, state, lanes, place)
                cells.append(cgutils.alloca_once_value(builder, builder.fmul(factor, number) if shrinks else number))
            with cgutils.for_range(builder, size, intp=size.type) as loop:
                slot = builder.add(arguments[8], loop.index)
                item = builder.load(row_pointer(context, builder, drawn, arguments[7], slot, arguments[9]))
                row = row_pointer(context, builder, table, arguments[6], item)
                along = spread(builder, builder.load(builder.gep(given, [loop.index])), lanes)
                for cell, place in zip(cells, places, strict=True):
                    change = load_from(builder, row, lanes, place)
                    builder.store(multiply_add(builder, along, change, builder.load(cell)), cell)
            for cell, place in zip(cells, places, strict=True):
                store_to(builder, builder.load(cell), state, place)
        return context.get_dummy_value()

    places = (types.intp, types.intp, types.intp)
    kinds = (x, types.intp, shrink, moves, *places[:2], table, drawn, *places, vectors, ridge)
    return types.void(*kinds), generate


@cache
def passing_row_steps(vectors: int, slope: Move, ridge: bool, shared: bool, few: int = 0):
    """Batches of one: a state moves and meets its next row in the same pass."""
    folded, move_along, parameters, shrinks = slope.folded, slope.apply, slope.parameters, int(ridge)
    lanes = few or LANES

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, sums, moves = scratch.states, scratch.sums, scratch.moves
        table, constants, drawn, shrink = packed.table, packed.constants, scratch.drawn, packed.shrink
        factor, given, zero = -packed.scale, parameters(packed.parameters), packed.scale - packed.scale
        if start == stop:
            return
        end = few or states.shape[0]
        for group in range(first_lane, end, LANES):
            for row in range(start, stop, direction):
                for lane in range(group, group + lanes):
                    item = element(drawn, row, 0 if shared else lane)
                    constant = element(constants, item, 0)
                    begin = constant if folded else zero
                    if row == start:
                        found = moved_sums(states, lane, shrink, shrink, table, item, item, begin, vectors, 0, 0)
                    else:
                        last, move = element(drawn, row - direction, 0 if shared else lane), element(moves, 0, lane)
                        found = moved_sums(states, lane, shrink, move, table, last, item, begin, vectors, shrinks, 1)
                    store(found, sums, lane - group, 0)
                    if not folded:
                        moves[0, lane] = constant
                for lane in range(lanes, LANES if few and not folded else lanes):
                    moves[0, lane] = zero  # of lanes that nobody works on
                z = sum_each(sums, 0)
                target = z if folded else load(moves, 0, group, z)
                store(move_along(z, target, factor, given), moves, 0, group)
        for lane in range(first_lane, end):
            last, noise_lane = stop - direction, 0 if shared else lane
            moved_by_batch(states, lane, shrink, moves, 0, lane, table, drawn, last, noise_lane, 1, vectors, shrinks)

    return steps


@cache
def passing_batch_steps(vectors: int, slope: Move, ridge: bool, shared: bool, few: int = 0):
    """Batches: the sums of eight rows are added together, and their state moves while they are in the first cache.

    For slopes whose targets are folded into the rows. Moves wait behind the sums.
    """
    move_along, parameters, shrinks, lanes = slope.apply, slope.parameters, int(ridge), few or LANES

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, sums, size, shrink = scratch.states, scratch.sums, packed.batch_size, packed.shrink
        table, constants, drawn = packed.table, packed.constants, scratch.drawn
        factor, given = -packed.scale, parameters(packed.parameters)
        for group in range(first_lane, few or states.shape[0], LANES):
            for row in range(start, stop, direction):
                for lane in range(group, group + lanes):
                    noise_lane = 0 if shared else lane
                    for first in range(0, size, LANES):
                        last = min(first + LANES, size)
                        for slot in range(first, last, 2):
                            item = element(drawn, row * size + slot, noise_lane)
                            other = element(drawn, row * size + min(slot + 1, last - 1), noise_lane)
                            starts = element(constants, item, 0), element(constants, other, 0)
                            one, two = sums_of_two(states, lane, table, (item, other), starts, vectors)
                            store(one, sums, slot - first, 0)
                            store(two, sums, slot - first + 1, 0)
                        z = sum_each(sums, 0)
                        store(move_along(z, z, factor, given), sums, LANES + first // LANES, 0)
                    at = row * size
                    moved_by_batch(
                        states, lane, shrink, sums, LANES, 0, table, drawn, at, noise_lane, size, vectors, shrinks
                    )

    return steps
