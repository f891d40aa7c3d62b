"""The sweep over the map index: the bits of recomputing, and iterates that have met kept once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder.kernels import draw_tables
from iterorder.kernels.cpu import compiled, lane_blocks, packing
from iterorder.kernels.cpu.sweep import backward_sweep, new_sweep
from tests.systems import EVERY, FEW, logistic


def each(maps, x0, saves, **options):
    """Every saved iterate by a run of its own: few saved steps are recomputed."""
    runs = [ito.simulate(maps, x0, n, order="backward", seed=3, **options) for n in saves]
    return np.stack([run.states[:, 0] for run in runs], axis=1)


def swept(maps, x0, saves, first_step=0):
    """The sweep of one replica, whatever `simulate` would choose, and the lane steps that it took."""
    start = np.array([x0])
    form = maps.form()
    system, draws = packing.pack(form, start.dtype), draw_tables.draws_of(form, maps.sampling_law, 3)
    code = compiled.sweep_code(form, system, draws)
    steps, states = np.array(saves), np.empty((1, len(saves), maps.dim))
    control = lane_blocks.Control(np.zeros(1, np.int64), np.zeros(1, np.int64), 0)
    place = (np.uint64(0), np.uint64(1), np.uint64(first_step))
    memory = new_sweep(system, draws, len(saves))
    compiled.kernel(backward_sweep, start.dtype)(code, system, draws, memory, *place, start, steps, states, control)
    return states, int(control.done[0])


@pytest.mark.parametrize("name", FEW)
def test_a_sweep_has_the_bits_of_recomputing(name):
    maps, x0 = EVERY[name], np.full(EVERY[name].dim, 0.25)
    saves = [0, 1, 2, 7, 8, 9, 31, 32, 33, 64, 127, 128, 129, 300]
    states, _ = swept(maps, x0, saves, first_step=5)
    np.testing.assert_array_equal(states, each(maps, x0, saves, first_step=5))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=40, unique=True).map(sorted),
    st.sampled_from([0, 1, 127, 128, 1000, 2**40 + 3]),
    st.sampled_from(["logistic d=5", "logistic d=20", "fern", "two-point"]),
)
def test_whatever_is_saved_and_wherever_it_starts(saves, first_step, name):
    maps, x0 = EVERY[name], np.full(EVERY[name].dim, -0.5)
    states, _ = swept(maps, x0, saves, first_step)
    np.testing.assert_array_equal(states, each(maps, x0, saves, first_step=first_step))


def test_iterates_that_have_met_go_on_as_one():
    """A contraction of .5 forgets its start within some sixty maps: few of 1500 iterates are ever alive together."""
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(30, 3)), np.sign(rng.normal(size=30))
    n = 1500
    strong = ito.LogisticRegressionSGD(features, labels, 0.5, ridge=1.0)
    states, taken = swept(strong, np.full(3, 0.3), range(n + 1))
    assert taken < 0.2 * n**2 / 2
    np.testing.assert_array_equal(states[:, ::300], each(strong, np.full(3, 0.3), range(0, n + 1, 300)))
    # The control: without a contraction nothing meets, and all the maps of n²/2 are applied.
    weak = ito.LogisticRegressionSGD(features, labels, 0.001)
    _, all_of_them = swept(weak, np.full(3, 0.3), range(n + 1))
    assert all_of_them > n**2 / 2


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_shares_of_a_trajectory_give_the_bits_of_the_whole(dtype):
    """One replica is shared out among the threads, many are not."""
    maps, x0 = logistic(4), np.full(4, 0.3)
    run = {"order": "backward", "save_steps": "all", "seed": 1, "dtype": dtype}
    many = ito.simulate(maps, x0, 400, n_replicas=5, **run)
    for r in range(2):
        one = ito.simulate(maps, x0, 400, first_replica=r, **run)
        np.testing.assert_array_equal(one.states[0], many.states[r])
