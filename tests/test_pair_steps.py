"""Two maps on the line: every way to choose by the bits gives the same bits, on the processors that have it."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from iterorder.kernels import draw_tables
from iterorder.kernels.cpu import lane_blocks, packing, pair_steps
from iterorder.kernels.cpu.pair_steps import LOOKUPS, lookup_for
from iterorder.kernels.targets import processor_features
from tests.kernel_calls import call_compiled

HERE = [lookup for feature, lookup in LOOKUPS.items() if feature in processor_features()]
#: Nine groups of lanes: eight at once, or four twice, and one alone.
LANES, ROWS = 72, 4
MAPS = {
    "offsets": ito.AffineMaps([[[0.7]], [[0.7]]], [[-0.3], [1.1]]),
    "zero offset": ito.AffineMaps([[[0.7]], [[0.7]]], [[0.0], [0.3]]),
    "signs of zero": ito.AffineMaps([[[0.0]], [[0.0]]], [[0.0], [-0.0]]),
    "two slopes": ito.AffineMaps([[[0.7]], [[-0.4]]], [[-0.3], [1.1]]),
}


def states_after(maps, lookup, wide, start, stop, direction):
    packed = packing.pack(maps.form(), np.dtype(np.float64))
    draws = draw_tables.draws_of(maps.form(), maps.sampling_law, 0)
    scratch = lane_blocks.new_scratch(packed, draws, LANES, shared=False)
    rng = np.random.default_rng(3)
    scratch.drawn[:ROWS] = rng.integers(0, 2**32, (ROWS, LANES), dtype=np.uint64)
    scratch.states[...] = rng.normal(size=scratch.states.shape)
    before = scratch.states[0].copy()
    call_compiled(pair_steps.pair_steps(False, wide, lookup), packed, scratch, start, stop, direction, 0)
    return before, scratch.drawn[:ROWS].copy(), scratch.states[0].copy()


def by_hand(maps, before, words, steps):
    """One multiply-add a step, rounded once more than the kernel's in the product."""
    x = before.astype(np.longdouble)
    for step in steps:
        second = (words[step // 32] >> np.uint64(31 - step % 32)) & np.uint64(1) == 1
        slope = np.where(second, maps.matrices[1, 0, 0], maps.matrices[0, 0, 0])
        offset = np.where(second, maps.offsets[1, 0], maps.offsets[0, 0])
        x = (slope * x + offset).astype(np.float64).astype(np.longdouble)
    return x.astype(np.float64)


@pytest.mark.parametrize("steps", [(0, 128, 1), (127, -1, -1), (3, 101, 1), (90, 30, -1), (31, 32, 1)])
@pytest.mark.parametrize("maps", MAPS.values(), ids=MAPS)
def test_all_ways_to_choose_have_the_same_bits(maps, steps):
    before, words, expected = states_after(maps, None, 64, *steps)
    # Slopes of .7 forget what is rounded in a step, half an ulp of numbers up to 8 that differs between the two.
    bound = 8.0 * np.finfo(np.float64).eps / (1.0 - 0.7)
    np.testing.assert_allclose(expected, by_hand(maps, before, words, range(*steps)), rtol=0, atol=bound)
    assert np.abs(expected - by_hand(maps, before, ~words, range(*steps))).max() > 1e-3 or not maps.matrices.any()
    for lookup in HERE:
        for wide in (32, 64):
            _, _, found = states_after(maps, lookup, wide, *steps)
            np.testing.assert_array_equal(found.view(np.uint64), expected.view(np.uint64))


def test_the_best_lookup_of_a_processor():
    assert lookup_for(frozenset({"avx512f", "avx"})) is LOOKUPS["avx512f"]
    assert lookup_for(frozenset({"avx2", "avx"})) is LOOKUPS["avx"]
    assert lookup_for(frozenset()) is None
