"""Steps along rows of data in which a state passes through the registers, part by part, once a step.

The sums of `row_steps` in the same order; but those steps load a whole state, which on a processor of few registers
goes to the stack and back for every row of data. A part fills a register: a vector, or half of one, so that the last
vector, whose end is zeros, is read as far as there are coordinates.
"""

from __future__ import annotations

from functools import cache

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
from iterorder.kernels.cpu.loads import VECTOR_BYTES, is_table, joined
from iterorder.kernels.cpu.slopes import Move
from iterorder.kernels.cpu.sums import (
    Instructions,
    first_chain,
    folded_to_lanes,
    sum_each,
    total,
)
from iterorder.kernels.targets import jit, jit_inline

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


@intrinsic(prefer_literal=True)
def sums_of_batch(typing_context, x, lane, table, constants, drawn, first, column, size, sums, parts, width):
    """sums[s] ← `sums.partial_sums` of table[drawn[first + s, column]] and x[lane], from its constant on, s < size.

    Two rows at once, first of the low parts of all vectors: the state is read half as often, and all chains stay in
    registers. A last row without another one is taken twice, and its sums are written behind the others once more.
    `parts` and `width` are as in `moved_sums`.
    """
    if not (is_table(table) and is_table(x) and is_table(drawn) and isinstance(parts, types.IntegerLiteral)):
        return None
    lanes, count = width.literal_value, parts.literal_value

    def generate(context, builder, signature, arguments):
        state, size = row_pointer(context, builder, x, *arguments[:2]), arguments[7]
        zero, one, two = (ir.Constant(size.type, number) for number in (0, 1, 2))
        last = builder.sub(size, one)
        with cgutils.for_range_slice(builder, zero, size, two, intp=size.type) as (slot, _):
            after = builder.add(slot, one)
            slots = slot, builder.select(builder.icmp_signed("<", last, after), last, after)
            rows, found = [], []
            for place in slots:
                at = builder.add(arguments[5], place)
                item = builder.load(row_pointer(context, builder, drawn, arguments[4], at, arguments[6]))
                start = builder.load(row_pointer(context, builder, constants, arguments[3], item))
                rows.append(row_pointer(context, builder, table, arguments[2], item))
                found.append(_Sums(context, builder, x.dtype, lanes, start))
            for side in range(found[0].sides):
                for part in range(side, count, found[0].sides):
                    number = load_from(builder, state, lanes, part * lanes)
                    for row, sum_of_row in zip(rows, found, strict=True):
                        sum_of_row.add(part, load_from(builder, row, lanes, part * lanes), number)
            target = row_pointer(context, builder, sums, arguments[8], slot)
            for k, sum_of_row in enumerate(found):
                store_to(builder, sum_of_row.total(count), target, k * LANES)
        return context.get_dummy_value()

    kinds = (x, types.intp, table, constants, drawn, types.intp, types.intp, types.intp, sums, parts, width)
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
def passing_row_steps(parts: int, width: int, slope: Move, ridge: bool, shared: bool, few: int = 0):
    """Batches of one: a state moves and meets its next row in the same pass."""
    folded, move_along, parameters = slope.folded, slope.apply, slope.parameters
    (meet, leave), lanes = _passes(parts, width, ridge, shared), few or LANES

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        sums, moves, constants, drawn = scratch.sums, scratch.moves, packed.constants, scratch.drawn
        factor, given, zero = -packed.scale, parameters(packed.parameters), packed.scale - packed.scale
        if start == stop:
            return
        end = few or scratch.states.shape[0]
        for group in range(first_lane, end, LANES):
            for row in range(start, stop, direction):
                last_row = row if row == start else row - direction
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


@cache
def passing_batch_steps(parts: int, width: int, slope: Move, ridge: bool, shared: bool, few: int = 0):
    """Batches: the sums of eight rows are added together, and their state moves while they are in the first cache.

    For slopes whose targets are folded into the rows. Moves wait behind the sums.
    """
    move_along, parameters, shrinks, lanes = slope.apply, slope.parameters, int(ridge), few or LANES

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        states, sums, size, shrink, moves = scratch.states, scratch.sums, packed.batch_size, packed.shrink, LANES
        table, constants, drawn = packed.table, packed.constants, scratch.drawn
        factor, given = -packed.scale, parameters(packed.parameters)
        for group in range(first_lane, few or states.shape[0], LANES):
            for row in range(start, stop, direction):
                for lane in range(group, group + lanes):
                    noise_lane = 0 if shared else lane
                    for slot in range(0, size, LANES):
                        at, count = row * size + slot, min(LANES, size - slot)
                        sums_of_batch(states, lane, table, constants, drawn, at, noise_lane, count, sums, parts, width)
                        z = sum_each(sums, 0)
                        store(move_along(z, z, factor, given), sums, moves + slot // LANES, 0)
                    at = row * size
                    moved_by_batch(
                        states, lane, shrink, sums, moves, 0, table, drawn, at, noise_lane, size, parts, width, shrinks
                    )

    return steps
