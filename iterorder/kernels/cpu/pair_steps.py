"""Steps of two maps on the line, chosen by fair bits: nothing to look up in a table."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from iterorder.kernels.cpu.lanes import (
    LANES,
    align_stack,
    element,
    load,
    madd,
    multiply_add,
    shuffle,
    splat,
    store,
    where,
)
from iterorder.kernels.cpu.loads import joined
from iterorder.kernels.targets import jit, jit_inline, processor_features

ONE, ZERO = np.uint64(1), np.uint64(0)
#: The bit of each step in a word of 32; from memory it reaches all lanes without an exchange.
BITS = ONE << np.arange(31, -1, -1, dtype=np.uint64)


class Lookup(NamedTuple):
    """An instruction that finds numbers by the low bits of indices: a comparison takes the places of multiply-adds.

    `bits` of an index count, from bit `first` on; `lanes` doubles are found among as many, or among each pair of them.
    """

    name: str
    lanes: int
    bits: int
    first: int


#: By the features that processors need for them, the best first.
LOOKUPS = {
    "avx512f": Lookup("llvm.x86.avx512.permvar.df.512", 8, 3, 0),
    "avx": Lookup("llvm.x86.avx.vpermilvar.pd.256", 4, 1, 1),
}


def lookup_for(features: frozenset[str]) -> Lookup | None:
    """The best lookup of a processor with these features, by LLVM's names."""
    return next((lookup for feature, lookup in LOOKUPS.items() if feature in features), None)


LOOKUP = lookup_for(processor_features())


@cache
def pair_steps(shared: bool, wide: int, lookup: Lookup | None):
    """`wide` lanes at once as far as they go; with a lookup, of float64, for whole words of maps of one slope."""
    written_out = lookup is not None
    upward, downward = (_whole_word(lookup, way) if lookup else _no_word for way in (1, -1))

    @jit_inline
    def run(x, packed, drawn, row, stop, direction, lane):
        slope0, offset0 = splat(packed.table[0, 0], x), splat(packed.table[0, 1], x)
        slope1, offset1 = splat(packed.table[1, 0], x), splat(packed.table[1, 1], x)
        equal_slopes = packed.table[0, 0] == packed.table[1, 0]
        while row != stop:
            words = splat(np.uint64(element(drawn, row // 32, 0)), x) if shared else load(drawn, row // 32, lane, x)
            bit = row % 32
            count = min(32 - bit, stop - row) if direction > 0 else min(bit + 1, row - stop)
            row += count * direction
            if written_out and equal_slopes and count == 32:
                if direction > 0:
                    x = upward(x, words, slope0, offset0, offset1)
                else:
                    x = downward(x, words, slope0, offset0, offset1)
            elif equal_slopes:
                for k in range(bit, bit + count * direction, direction):
                    x = madd(slope0, x, where((words & BITS[k]) != ZERO, offset1, offset0))
            else:
                for k in range(bit, bit + count * direction, direction):
                    second = (words & BITS[k]) != ZERO
                    x = madd(where(second, slope1, slope0), x, where(second, offset1, offset0))
        return x

    @jit
    def steps(packed, scratch, start, stop, direction, first_lane):
        drawn, states = scratch.drawn, scratch.states
        lane, lanes = first_lane, states.shape[1]
        while lane + wide <= lanes:
            x = load(states, 0, lane, splat(ZERO, wide))
            store(run(x, packed, drawn, start, stop, direction, lane), states, 0, lane)
            lane += wide
        while lane < lanes:
            x = load(states, 0, lane, splat(ZERO, LANES))
            store(run(x, packed, drawn, start, stop, direction, lane), states, 0, lane)
            lane += LANES

    return steps


@jit_inline
def _no_word(x, words, slope, first, second):
    """In the place of `_whole_word` where there is none."""
    return x


def _whole_word(lookup: Lookup, direction: int):
    """The 32 steps of a word, x → slope·x + one of two offsets, written out one after the other.

    The first bit stands on top of the low half of the word. `bits` steps share an index.
    """

    @intrinsic
    def apply(typing_context, x, words, slope, first, second):
        if not (x.dtype == types.float64 and x == slope == first == second):
            return None

        def generate(context, builder, signature, arguments):
            align_stack(builder)
            state, many, factor, *offsets = arguments
            parts = range(0, x.lanes, lookup.lanes)

            def split(vector):
                return [shuffle(builder, vector, vector, range(lane, lane + lookup.lanes)) for lane in parts]

            # What stands at each index, for each of its bits.
            tables = [
                shuffle(
                    builder, offsets[0], offsets[1], [x.lanes * (index >> bit & 1) for index in range(lookup.lanes)]
                )
                for bit in range(lookup.bits)
            ]
            kinds = tables[0].type, ir.VectorType(ir.IntType(64), lookup.lanes)
            found = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kinds[0], kinds), lookup.name)
            states, factors = split(state), split(factor)
            shifted = split(builder.shl(many, ir.Constant(many.type, [lookup.first] * x.lanes)))
            end = None
            for step in range(32)[::direction]:
                last = min((step // lookup.bits + 1) * lookup.bits, 32)
                if last != end:
                    end, by = last, ir.Constant(kinds[1], [32 - last] * lookup.lanes)
                    indices = [builder.lshr(part, by) for part in shifted]
                table = tables[last - 1 - step]
                states = [
                    multiply_add(builder, factor, number, builder.call(found, [table, index]))
                    for factor, number, index in zip(factors, states, indices, strict=True)
                ]
            return joined(builder, states)

        return x(x, words, slope, first, second), generate

    return apply
