"""Steps along rows of data in which a state passes through the registers, part by part, once a step.

The sums of `row_steps` in the same order; but those steps load a whole state, which on a processor of few registers
goes to the stack and back for every row of data. A part fills a register: a vector, or half of one, so that the last
vector, whose end is zeros, is read as far as there are coordinates.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from iterorder.kernels.bodies.sums import ROW_CHAINS, add_product, added_inwards
from iterorder.kernels.cpu.lanes import (
    LANES,
    Vector,
    element,
    lane_of,
    load,
    load_from,
    multiply_add,
    row_pointer,
    spread,
    store,
    store_to,
)
from iterorder.kernels.cpu.loads import VECTOR_BYTES, is_table, joined, prefetch_row, with_columns
from iterorder.kernels.cpu.slopes import Move
from iterorder.kernels.cpu.sums import (
    Instructions,
    first_chain,
    folded_to_lanes,
    sum_each,
    total,
)
from iterorder.kernels.targets import jit, jit_inline, jit_written_in

#: Registers of a state, at most, while the rows of a batch are added to them.
BLOCK = 14


class _Sums:
    """The chains of `sums.partial_sums` while they grow: those of each part of a vector, which fills a register."""

    def __init__(self, context, builder, dtype, width: int, start) -> None:
        self.builder, self.sides = builder, VECTOR_BYTES * 8 // dtype.bitwidth // width
        self.zero = ir.Constant(ir.VectorType(context.get_value_type(dtype), width), [0.0] * width)
        starts = [first_chain(context, builder, dtype, width, start), *[self.zero] * (self.sides - 1)]
        self.chains: list = [[first, *[None] * (ROW_CHAINS - 1)] for first in starts]

    def add(self, part: int, factor, number) -> None:
        """Add the products of a part of the row."""
        vector, side = divmod(part, self.sides)
        add_product(Instructions(self.builder), self.chains[side], vector, factor, number)

    def total(self, parts: int):
        """Eight numbers, of rows of so many parts; what is left of the last vector is zeros, which are not read.

        To add a product of them makes 0 of −0, and so does to add a zero.
        """
        for part in range(parts, -(-parts // self.sides) * self.sides):
            chains, chain = self.chains[part % self.sides], part // self.sides % ROW_CHAINS
            chains[chain] = self.zero if chains[chain] is None else self.builder.fadd(chains[chain], self.zero)
        found = [added_inwards(Instructions(self.builder), chains) for chains in self.chains]
        return folded_to_lanes(self.builder, joined(self.builder, found))


@intrinsic(prefer_literal=True)
def moved_sums(typing_context, x, lane, shrink, move, table, previous, item, start, parts, width, ridge, moves):
    """`sums.partial_sums` of table[item] and x[lane], after x[lane] ← shrink·x[lane] + move·table[previous].

    In one pass over `parts` registers of `width` numbers. These, `ridge` (whether to shrink) and `moves` (whether to
    move) are literals.
    """
    if not (is_table(table) and is_table(x) and isinstance(parts, types.IntegerLiteral)):
        return None
    lanes, shrinks, changes = width.literal_value, bool(ridge.literal_value), bool(moves.literal_value)

    def generate(context, builder, signature, arguments):
        state = row_pointer(context, builder, x, *arguments[:2])
        row, before = (row_pointer(context, builder, table, arguments[4], arguments[k]) for k in (6, 5))
        factor, along = (spread(builder, number, lanes) for number in arguments[2:4])
        sums = _Sums(context, builder, x.dtype, lanes, arguments[7])
        for part in range(parts.literal_value):
            number = load_from(builder, state, lanes, part * lanes)
            if changes:
                number = builder.fmul(factor, number) if shrinks else number
                number = multiply_add(builder, along, load_from(builder, before, lanes, part * lanes), number)
                store_to(builder, number, state, part * lanes)
            sums.add(part, load_from(builder, row, lanes, part * lanes), number)
        return sums.total(parts.literal_value)

    kinds = (x, types.intp, shrink, move, table, types.intp, types.intp, start, parts, width, ridge, moves)
    return Vector(x.dtype, LANES)(*kinds), generate


class _Lazy(NamedTuple):
    """`bodies.sums.Addition` of functions that write out the numbers of several rows when they are called.

    What is summed last is written last, so that few chains are under way at once, each of all rows.
    """

    builder: ir.IRBuilder

    def sum_of(self, a, b):
        """a + b, row by row."""
        return lambda: [self.builder.fadd(*pair) for pair in zip(a(), b(), strict=True)]


def _sums_of_rows(context, builder, dtype, width: int, count: int, state, rows, starts):
    """`sums.partial_sums` of several rows and a state, `count` parts of `width` numbers: the state is read once."""
    sides = VECTOR_BYTES * 8 // dtype.bitwidth // width
    write = Instructions(builder)
    zero = ir.Constant(ir.VectorType(context.get_value_type(dtype), width), [0.0] * width)

    def chain(side: int, k: int):
        def written():
            first = side == k == 0
            sums: list = [first_chain(context, builder, dtype, width, start) if first else None for start in starts]
            for part in range(k * sides + side, -(-count // sides) * sides, ROW_CHAINS * sides):
                if part < count:
                    number = load_from(builder, state, width, part * width)
                    for i, row in enumerate(rows):
                        alone = [sums[i]]
                        add_product(write, alone, 0, load_from(builder, row, width, part * width), number)
                        sums[i] = alone[0]
                else:  # the rest of the last vector is zeros
                    sums = [zero if found is None else builder.fadd(found, zero) for found in sums]
            return sums

        return written

    chains = min(ROW_CHAINS, -(-count // sides))
    found = [added_inwards(_Lazy(builder), [chain(side, k) for k in range(chains)])() for side in range(sides)]
    return [folded_to_lanes(builder, joined(builder, list(parts))) for parts in zip(*found, strict=True)]


@intrinsic(prefer_literal=True)
def sums_of_batch(typing_context, x, lane, table, constants, drawn, first, column, size, sums, parts, width, at_once):
    """sums[s] ← `sums.partial_sums` of table[drawn[first + s, column]] and x[lane], from its constant on, s < size.

    `at_once` (literal) rows together, for which the state is read once. Where fewer are left, the last one stands for
    those that are not there, and its sums are written behind the others once more. `parts` and `width` are as in
    `moved_sums`.
    """
    if not (is_table(table) and is_table(x) and is_table(drawn) and isinstance(parts, types.IntegerLiteral)):
        return None
    lanes, count, together = width.literal_value, parts.literal_value, at_once.literal_value

    def generate(context, builder, signature, arguments):
        state, size = row_pointer(context, builder, x, *arguments[:2]), arguments[7]
        zero, one, step = (ir.Constant(size.type, number) for number in (0, 1, together))
        last = builder.sub(size, one)
        with cgutils.for_range_slice(builder, zero, size, step, intp=size.type) as (slot, _):
            rows, starts = [], []
            for i in range(together):
                after = builder.add(slot, ir.Constant(size.type, i))
                place = builder.select(builder.icmp_signed("<", last, after), last, after) if i else slot
                at = builder.add(arguments[5], place)
                item = builder.load(row_pointer(context, builder, drawn, arguments[4], at, arguments[6]))
                starts.append(builder.load(row_pointer(context, builder, constants, arguments[3], item)))
                rows.append(row_pointer(context, builder, table, arguments[2], item))
            found = _sums_of_rows(context, builder, x.dtype, lanes, count, state, rows, starts)
            target = row_pointer(context, builder, sums, arguments[8], slot)
            for k, vector in enumerate(found):
                store_to(builder, vector, target, k * LANES)
        return context.get_dummy_value()

    places = (types.intp, types.intp, types.intp)
    kinds = (x, types.intp, table, constants, drawn, *places, sums, parts, width, at_once)
    return types.void(*kinds), generate


@intrinsic(prefer_literal=True)
def moved_by_batch(
    typing_context, x, lane, shrink, moves, at, place, table, drawn, first, column, size, parts, width, ridge
):
    """x[lane] ← shrink·x[lane] + Σ_s move_s·table[drawn[first + s, column]], s < size, at most `BLOCK` parts at once.

    The moves stand behind each other from moves[at, place] on. `parts`, `width` and `ridge` are as in `moved_sums`.
    """
    if not (is_table(table) and is_table(x) and is_table(drawn) and isinstance(parts, types.IntegerLiteral)):
        return None
    lanes, count, shrinks = width.literal_value, parts.literal_value, bool(ridge.literal_value)
    block = -(-count // -(-count // BLOCK))  # blocks of one size, as far as that goes

    def generate(context, builder, signature, arguments):
        state = row_pointer(context, builder, x, *arguments[:2])
        factor, size = spread(builder, arguments[2], lanes), arguments[10]
        given = row_pointer(context, builder, moves, *arguments[3:6])
        for begin in range(0, count, block):
            places = range(begin * lanes, min(begin + block, count) * lanes, lanes)
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
    kinds = (x, types.intp, shrink, moves, *places[:2], table, drawn, *places, parts, width, ridge)
    return types.void(*kinds), generate


@intrinsic(prefer_literal=True)
def moved_by_eight(typing_context, x, lane, shrink, moves, at, place, table, drawn, first, column, parts, width, ridge):
    """`moved_by_batch` for eight rows, whose moves stay in registers: one part of the state after the other."""
    if not (is_table(table) and is_table(x) and is_table(drawn) and isinstance(parts, types.IntegerLiteral)):
        return None
    lanes, count, shrinks = width.literal_value, parts.literal_value, bool(ridge.literal_value)

    def generate(context, builder, signature, arguments):
        state = row_pointer(context, builder, x, *arguments[:2])
        factor = spread(builder, arguments[2], lanes)
        given = row_pointer(context, builder, moves, *arguments[3:6])
        rows, along = [], []
        for i in range(LANES):
            slot = builder.add(arguments[8], ir.Constant(arguments[8].type, i))
            item = builder.load(row_pointer(context, builder, drawn, arguments[7], slot, arguments[9]))
            rows.append(row_pointer(context, builder, table, arguments[6], item))
            along.append(spread(builder, builder.load(builder.gep(given, [ir.Constant(slot.type, i)])), lanes))
        end, step = (ir.Constant(arguments[8].type, number) for number in (count * lanes, lanes))
        with cgutils.for_range_slice(builder, ir.Constant(end.type, 0), end, step, intp=end.type) as (place, _):
            target = builder.gep(state, [place])
            number = load_from(builder, target, lanes)
            number = builder.fmul(factor, number) if shrinks else number
            for row, move in zip(rows, along, strict=True):
                number = multiply_add(builder, move, load_from(builder, builder.gep(row, [place]), lanes), number)
            store_to(builder, number, target)
        return context.get_dummy_value()

    places = (types.intp, types.intp, types.intp)
    kinds = (x, types.intp, shrink, moves, *places[:2], table, drawn, *places[:2], parts, width, ridge)
    return types.void(*kinds), generate


def _passes(parts: int, width: int, ridge: bool, shared: bool):
    """The pass of a lane in which it makes its last move and meets the row of a step, and the move after the last."""
    shrinks = int(ridge)

    @jit_inline
    def meet(packed, scratch, row, last_row, lane, item, begin):
        states, moves, table, drawn, shrink = scratch.states, scratch.moves, packed.table, scratch.drawn, packed.shrink
        if row == last_row:  # the first step of a chunk: no move is left from before
            return moved_sums(states, lane, shrink, shrink, table, item, item, begin, parts, width, 0, 0)
        last, move = element(drawn, last_row, 0 if shared else lane), element(moves, 0, lane)
        return moved_sums(states, lane, shrink, move, table, last, item, begin, parts, width, shrinks, 1)

    @jit_inline
    def leave(packed, scratch, last_row, lane):
        states, moves, table, drawn, shrink = scratch.states, scratch.moves, packed.table, scratch.drawn, packed.shrink
        noise_lane = 0 if shared else lane
        moved_by_batch(
            states, lane, shrink, moves, 0, lane, table, drawn, last_row, noise_lane, 1, parts, width, shrinks
        )

    return meet, leave


@cache
def passing_row_steps(parts: int, width: int, slope: Move, ridge: bool, shared: bool, few: int = 0, groups: int = 1):
    """Batches of one: a state moves and meets its next row in the same pass.

    `groups` of eight lanes in turn: while the slopes of one are found, another one passes.
    """
    folded, move_along, parameters = slope.folded, slope.apply, slope.parameters
    (meet, leave), lanes = _passes(parts, width, ridge, shared), few or LANES

    @jit_written_in
    def step(packed, scratch, factor, given, zero, row, last_row, group):
        sums, moves, constants, drawn = scratch.sums, scratch.moves, packed.constants, scratch.drawn
        for lane in range(group, group + lanes):
            item = element(drawn, row, 0 if shared else lane)
            constant = element(constants, item, 0)
            found = meet(packed, scratch, row, last_row, lane, item, constant if folded else zero)
            store(found, sums, lane - group, 0)
            if not folded:
                moves[0, lane] = constant
        for lane in range(lanes, LANES if few and not folded else lanes):
            moves[0, lane] = zero  # of lanes that nobody works on
        z = sum_each(sums, 0)
        target = z if folded else load(moves, 0, group, z)
        store(move_along(z, target, factor, given), moves, 0, group)

    if groups == 1:

        @jit
        def steps(packed, scratch, start, stop, direction, first_lane):
            if start == stop:
                return
            factor, given, zero = -packed.scale, parameters(packed.parameters), packed.scale - packed.scale
            end = few or scratch.states.shape[0]
            for group in range(first_lane, end, LANES):
                for row in range(start, stop, direction):
                    step(packed, scratch, factor, given, zero, row, row if row == start else row - direction, group)
            for lane in range(first_lane, end):
                leave(packed, scratch, stop - direction, lane)

    else:

        @jit
        def steps(packed, scratch, start, stop, direction, first_lane):
            if start == stop:
                return
            factor, given, zero = -packed.scale, parameters(packed.parameters), packed.scale - packed.scale
            end = few or scratch.states.shape[0]
            for first in range(first_lane, end, groups * LANES):
                for row in range(start, stop, direction):
                    for group in range(first, min(first + groups * LANES, end), LANES):
                        step(packed, scratch, factor, given, zero, row, row if row == start else row - direction, group)
            for lane in range(first_lane, end):
                leave(packed, scratch, stop - direction, lane)

    return steps


@cache
def passing_linear_row_steps(parts: int, width: int, ridge: bool, shared: bool):
    """`passing_row_steps` of linear slopes, with the sums of `row_steps.linear_row_steps`: each lane adds its own."""
    meet, leave = _passes(parts, width, ridge, shared)

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        moves, constants, drawn, scale = scratch.moves, packed.constants, scratch.drawn, -packed.scale
        if start == stop:
            return
        end = scratch.states.shape[0]
        for group in range(first_lane, end, LANES):
            for row in range(start, stop, direction):
                last_row = row if row == start else row - direction
                for lane in range(group, group + LANES):
                    item = element(drawn, row, 0 if shared else lane)
                    found = meet(packed, scratch, row, last_row, lane, item, element(constants, item, 0))
                    moves[0, lane] = lane_of(total(found, (found,)), 0) * scale
        for lane in range(first_lane, end):
            leave(packed, scratch, stop - direction, lane)

    return steps


def _batch_passes(parts: int, width: int, slope: Move, ridge: bool):
    """What a lane does in a step: the moves along its batch, eight at a time and behind the sums, and their sum."""
    move_along, parameters, shrinks = slope.apply, slope.parameters, int(ridge)

    @jit_inline
    def moves_of(packed, scratch, row, lane, noise_lane):
        states, sums, size = scratch.states, with_columns(scratch.sums, LANES), packed.batch_size
        table, constants, drawn = packed.table, with_columns(packed.constants, 1), scratch.drawn
        factor, given = -packed.scale, parameters(packed.parameters)
        for slot in range(0, size, LANES):
            at, count = row * size + slot, min(LANES, size - slot)
            if count == LANES:
                sums_of_batch(states, lane, table, constants, drawn, at, noise_lane, count, sums, parts, width, LANES)
            else:
                sums_of_batch(states, lane, table, constants, drawn, at, noise_lane, count, sums, parts, width, 2)
            z = sum_each(sums, 0)
            store(move_along(z, z, factor, given), sums, LANES + slot // LANES, 0)

    @jit_inline
    def move(packed, scratch, row, lane, noise_lane):
        states, sums, size = scratch.states, with_columns(scratch.sums, LANES), packed.batch_size
        table, drawn, first, factor = packed.table, scratch.drawn, row * size, packed.shrink
        whole = size // LANES * LANES
        for slot in range(0, whole, LANES):
            at, place = first + slot, LANES + slot // LANES
            moved_by_eight(states, lane, factor, sums, place, 0, table, drawn, at, noise_lane, parts, width, shrinks)
            factor = table.dtype.type(1.0)
        if whole < size:
            at, place, rest = first + whole, LANES + whole // LANES, size - whole
            moved_by_batch(
                states, lane, factor, sums, place, 0, table, drawn, at, noise_lane, rest, parts, width, shrinks
            )

    return moves_of, move


@cache
def passing_batch_steps(parts: int, width: int, slope: Move, ridge: bool, shared: bool, few: int = 0):
    """Batches of eight or more: the sums of eight rows are added together, and their state moves while they are near.

    For slopes whose targets are folded into the rows. Meanwhile the rows of the next lane are asked for.
    """
    (moves_of, move), lanes = _batch_passes(parts, width, slope, ridge), few or LANES

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        table, drawn, size = packed.table, scratch.drawn, packed.batch_size
        for group in range(first_lane, few or scratch.states.shape[0], LANES):
            for row in range(start, stop, direction):
                for lane in range(group, group + lanes):
                    noise_lane = 0 if shared else lane
                    moves_of(packed, scratch, row, lane, noise_lane)
                    is_last = lane + 1 == group + lanes
                    following = row + direction if is_last and row + direction != stop else row
                    next_lane = 0 if shared else group if is_last else lane + 1
                    for slot in range(size):
                        prefetch_row(table, element(drawn, following * size + slot, next_lane))
                    move(packed, scratch, row, lane, noise_lane)

    return steps
