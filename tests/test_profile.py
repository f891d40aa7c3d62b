"""The profile of the processor: both run here, and differ by the order of a sum at most."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numba import config

import iterorder as ito
from iterorder.forms import Rows
from iterorder.kernels.cpu import profile
from iterorder.kernels.cpu.lanes import store
from iterorder.kernels.cpu.passing_steps import moved_by_batch, moved_by_eight, moved_sums, sums_of_batch
from iterorder.kernels.cpu.profile import AVX512, NARROW, profile_for
from iterorder.kernels.targets import jit_entry, processor_features
from tests import naive
from tests.systems import EVERY, logistic, regression
from tests.test_kernels import RNG, is_fused, random

PROFILES = {"avx512": AVX512, "narrow": NARROW}


def test_the_profile_is_that_of_the_features(monkeypatch):
    assert profile_for(frozenset({"avx2", "fma", "avx512f"})) is AVX512
    assert profile_for(frozenset({"avx2", "fma"})) is NARROW
    assert profile.PROFILE is profile_for(processor_features())
    monkeypatch.setattr(config, "CPU_FEATURES", "")  # NUMBA_CPU_NAME=generic
    assert profile_for(processor_features()) is NARROW
    monkeypatch.setattr(config, "CPU_FEATURES", "+avx2,-avx512f,+fma")
    assert processor_features() == {"avx2", "fma"}
    monkeypatch.setattr(config, "CPU_FEATURES", None)
    assert all(feature and feature[0] not in "+-" for feature in processor_features())


# ---------------------------------------------------------------------------------------------- rows through registers


@cache
def moved_once(parts, width):
    @jit_entry
    def run(x, table, constants, drawn, moves, shrink, start, out):
        store(moved_sums(x, 1, shrink, moves[0, 1], table, 3, 0, start, parts, width, 1, 1), out, 0, 0)
        store(moved_sums(x, 1, shrink, shrink, table, 0, 2, start, parts, width, 0, 0), out, 1, 0)
        sums_of_batch(x, 1, table, constants, drawn, 1, 2, 3, out[2:], parts, width, 2)
        moved_by_batch(x, 0, shrink, moves, 0, 0, table, drawn, 1, 2, 3, parts, width, 1)
        moved_by_batch(x, 2, shrink, moves, 2, 0, table, drawn, 1, 2, 3, parts, width, 0)

    return run


@pytest.mark.parametrize("register_bytes", [64, 32])
@pytest.mark.parametrize("vectors", [1, 6, 13])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_pass_through_registers_in_the_order_of_their_twins(dtype, vectors, register_bytes):
    """All of 6 vectors; of the last of 1 and of 13 the low half, where that fills a register."""
    lanes, width, fused = 64 // np.dtype(dtype).itemsize, register_bytes // np.dtype(dtype).itemsize, is_fused()
    size = vectors * lanes - (lanes // 2 if vectors % 2 else 0)
    x, table = np.zeros((3, vectors * lanes), dtype), np.zeros((5, vectors * lanes), dtype)
    x[:, :size], table[:, :size] = random(3, size, dtype=dtype), random(5, size, dtype=dtype)
    moves, constants, out = random(3, 3, dtype=dtype), random(5, 1, dtype=dtype), np.zeros((6, 8), dtype)
    drawn = RNG.integers(0, 5, (4, 3)).astype(np.uint64)
    shrink, start, before = dtype(0.875), dtype(-0.3), x.copy()
    moved_once(-(-size // width), width)(x, table, constants, drawn, moves, shrink, start, out)

    def moved(state, factor, *changes):
        state = factor * state
        for move, row in changes:
            pairs = zip(row.tolist(), state.tolist(), strict=True)
            state = np.array([naive.madd(float(move), a, b, fused) for a, b in pairs], dtype)
        return state

    items = drawn[1:, 2].astype(np.int64)
    batch = [(moves[:, s], table[item]) for s, item in enumerate(items)]
    expected = [
        moved(before[0], shrink, *((move[0], row) for move, row in batch)),
        moved(before[1], shrink, (moves[0, 1], table[3])),
        moved(before[2], dtype(1), *((move[2], row) for move, row in batch)),
    ]
    begins = [start, start, *constants[items, 0], constants[items[-1], 0]]
    rows = table[[0, 2, *items, items[-1]]]
    if dtype is np.float64:  # the twin rounds to float64
        np.testing.assert_array_equal(x, expected)
        for sums, row, begin in zip(out, rows, begins, strict=True):
            np.testing.assert_array_equal(sums, naive.partial_sums(row, x[1], begin, 8, fused))
    else:
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(x, expected, atol=8 * eps * (np.abs(before).max() + 3 * np.abs(table).max() * 3))
        for sums, row, begin in zip(out, rows, begins, strict=True):
            bound = (size + 8) * eps * (abs(begin) + np.abs(row) @ np.abs(x[1]))
            assert abs(sums.astype(float).sum() - (begin + row.astype(float) @ x[1].astype(float))) <= bound


@cache
def moved_by_eight_once(parts, width):
    @jit_entry
    def run(x, table, constants, drawn, moves, shrink, out):
        sums_of_batch(x, 1, table, constants, drawn, 1, 2, 8, out, parts, width, 8)
        moved_by_eight(x, 0, shrink, moves, 2, 0, table, drawn, 1, 2, parts, width, 1)
        moved_by_eight(x, 2, shrink, moves, 2, 0, table, drawn, 1, 2, parts, width, 0)

    return run


@pytest.mark.parametrize("register_bytes", [64, 32])
@pytest.mark.parametrize("vectors", [1, 3, 6, 13])
def test_eight_rows_at_once_are_added_in_the_order_of_their_twins(vectors, register_bytes):
    width, fused = register_bytes // 8, is_fused()
    size = vectors * 8 - (4 if vectors % 2 else 0)
    x, table = np.zeros((3, vectors * 8)), np.zeros((5, vectors * 8))
    x[:, :size], table[:, :size] = random(3, size), random(5, size)
    moves, constants, out = random(3, 8), random(5, 1), np.zeros((8, 8))
    drawn, before = RNG.integers(0, 5, (9, 3)).astype(np.uint64), x.copy()
    moved_by_eight_once(-(-size // width), width)(x, table, constants, drawn, moves, 0.875, out)
    rows = table[drawn[1:, 2].astype(np.int64)]
    for sums, row, item in zip(out, rows, drawn[1:, 2], strict=True):
        np.testing.assert_array_equal(sums, naive.partial_sums(row, x[1], constants[int(item), 0], 8, fused))
    for lane, factor in ((0, 0.875), (2, 1.0)):
        state = (factor * before[lane]).tolist()
        for move, row in zip(moves[2].tolist(), rows.tolist(), strict=True):
            state = [naive.madd(move, a, b, fused) for a, b in zip(row, state, strict=True)]
        np.testing.assert_array_equal(x[lane], state)
    np.testing.assert_array_equal(x[1], before[1])


RUNS = {
    "forward": {"order": "forward", "save_steps": [0, 1, 40, 131], "first_step": 5},
    "backward": {"order": "backward", "save_steps": [3, 131]},
    "shared": {"order": "forward", "noise": "shared"},
    "sweep": {"order": "backward", "save_steps": [*range(20, 40), 131]},
}
BATCHES = {"one": logistic(100)} | {f"{n}": logistic(57, batch_size=n) for n in (8, 9, 20)}
SAME = [
    name
    for name, maps in EVERY.items()
    if isinstance(maps.form(), Rows) and maps.dim > 16 and not isinstance(maps, ito.LinearRegressionSGD)
]


@pytest.fixture
def states(monkeypatch):
    """The states of a run under a profile."""

    def run(chosen, maps, dtype, **options):
        monkeypatch.setattr(profile, "PROFILE", PROFILES[chosen])
        start = np.linspace(-1.0, 1.0, 19 * maps.dim).reshape(19, maps.dim)
        return ito.simulate(maps, start, 131, n_replicas=19, seed=7, dtype=dtype, **options).states

    return run


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("maps", BATCHES.values(), ids=BATCHES)
def test_profiles_add_the_moves_of_slopes_and_batches_in_the_same_order(states, maps, kind, dtype):
    wide, narrow = (states(chosen, maps, dtype, **RUNS[kind]) for chosen in PROFILES)
    np.testing.assert_array_equal(wide, narrow)


@pytest.mark.parametrize("name", SAME)
def test_profiles_agree_to_the_bit_but_for_linear_rows(states, name):
    wide, narrow = (states(chosen, EVERY[name], "float64", **RUNS["forward"]) for chosen in PROFILES)
    np.testing.assert_array_equal(wide, narrow)


@pytest.mark.parametrize(("dim", "dtype"), [(64, "float64"), (120, "float32")])
@pytest.mark.parametrize("kind", RUNS)
def test_linear_rows_differ_by_the_order_of_a_sum(states, kind, dim, dtype):
    """A sum of d products: each step is within d·eps of its size, and the maps contract."""
    maps = regression(dim, ridge=0.1)
    wide, narrow = (states(chosen, maps, dtype, **RUNS[kind]) for chosen in PROFILES)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(wide, narrow, atol=dim * eps * np.abs(wide).max() * 131)
    assert (wide != narrow).any()


@pytest.mark.parametrize(("dim", "dtype"), [(17, "float64"), (50, "float64"), (56, "float64"), (100, "float32")])
@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_shorter_linear_rows_are_the_same_to_the_bit(states, ridge, kind, dim, dtype):
    maps = regression(dim, ridge=ridge)
    wide, narrow = (states(chosen, maps, dtype, **RUNS[kind]) for chosen in PROFILES)
    np.testing.assert_array_equal(wide, narrow)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("dim", "ridge"), [(9, 0.1), (10, 0.0), (16, 0.1)])
@pytest.mark.parametrize("kind", RUNS)
def test_states_in_lanes_pass_through_registers_without_a_change(states, ridge, kind, dim, dtype):
    maps = regression(dim, ridge=ridge)
    wide, narrow = (states(chosen, maps, dtype, **RUNS[kind]) for chosen in PROFILES)
    np.testing.assert_array_equal(wide, narrow)


@pytest.mark.parametrize("chosen", PROFILES)
def test_a_ridge_that_leaves_nothing_of_a_state_gives_numbers(states, chosen):
    """Of x the factor 1 − h·ridge is zero, and a batch is more than eight rows."""
    maps = regression(57, batch_size=20)
    maps = replace(maps, ridge=1.0 / maps.step_size)
    found = states(chosen, maps, "float64", **RUNS["forward"])
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:, -1], states(chosen, maps, "float64", save_steps=[131], first_step=5)[:, 0])


@pytest.mark.parametrize("chosen", PROFILES)
def test_cuts_and_numbers_of_replicas_change_no_bit_under_a_profile(states, monkeypatch, chosen):
    maps = regression(64, ridge=0.1)
    whole = states(chosen, maps, "float64")
    first = ito.simulate(maps, np.linspace(-1.0, 1.0, 19 * 64).reshape(19, 64), 50, n_replicas=19, seed=7).states[:, 0]
    rest = ito.simulate(maps, first, 81, n_replicas=19, seed=7, first_step=50).states
    np.testing.assert_array_equal(rest, whole)
    alone = ito.simulate(maps, first[3], 81, n_replicas=1, seed=7, first_step=50, first_replica=3).states
    np.testing.assert_array_equal(alone, whole[3:4])
