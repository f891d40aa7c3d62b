"""What a diagnosis is made of: sampled windows, the test of two laws, the interval of growth, roundings that add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.convergence.amplification import amplification
from iterorder.convergence.steadiness import growth_interval, steadiness
from iterorder.convergence.windows import WINDOW_POINTS, comparison_step, some_steps
from tests import naive_convergence as naive
from tests.systems import SYSTEMS

SEED = 20251122


@given(low=st.integers(0, 2**61), length=st.integers(1, 2**61))
def test_sampled_steps_are_increasing_and_one_in_each_part(low, length):
    steps = some_steps(low, low + length)
    assert len(steps) == min(length, WINDOW_POINTS)
    assert all(low < step <= low + length for step in steps)
    assert sorted(set(steps)) == steps


@pytest.mark.parametrize("period", [2, 3, 8, 10, 100, 250])
def test_sampled_steps_meet_a_cycle_at_many_phases(period):
    """A regular stride of 100 would meet a cycle of 100 at one phase and call it a point."""
    phases = {step % period for step in some_steps(0, 100 * WINDOW_POINTS)}
    # 256 random phases miss one of 250 with probability e^(−256/250) = .36; half of them is far below what is expected.
    assert len(phases) > period // 2


def test_laws_are_compared_at_equal_phases_of_an_epoch_and_at_different_ones_of_a_cycle():
    epochs = SYSTEMS["affine d=2 reshuffle"]
    batches = epochs.sampling_law.batches_per_epoch
    for n in (8, 50, 51, 1000):
        step = comparison_step(epochs, n)
        assert 0 < step < n
        assert (n - step) % batches == 0
        assert abs(step - n / 2) <= batches + n / 8
    long_epoch = ito.AffineMaps(np.full((100, 1, 1), 0.5), np.zeros((100, 1)), sampling="reshuffle")
    assert comparison_step(long_epoch, 50) == 25
    cycle = SYSTEMS["affine d=8 cyclic"]
    for n in (8, 50, 51, 1000):
        assert (n - comparison_step(cycle, n)) % cycle.sampling_law.batches_per_epoch != 0


@given(n=st.integers(100, 2**62))
def test_no_short_cycle_is_met_twice_at_one_phase(n):
    """A law that goes round in 2 to 16 steps is seen at two places of its cycle; half of 1000 is a multiple of 4."""
    maps = ito.gallery.two_point_quadratic(0.5)
    step = comparison_step(maps, n)
    assert n // 2 <= step <= n - 3 * (n - n // 2) // 4
    assert all((n - step) % period for period in range(2, 17))
    assert any((1000 - 1000 // 2) % period == 0 for period in range(2, 17))  # the control
    for short in range(8, 100):
        assert short // 2 <= comparison_step(maps, short) < short
        assert (short - comparison_step(maps, short)) % 2 == 1


@pytest.mark.parametrize("dim", [1, 5])
def test_the_test_of_steadiness_keeps_its_level_and_sees_a_shift(dim):
    generator = np.random.default_rng(SEED)
    same = [steadiness(generator.normal(size=(2, 100, dim)), 0.0) for _ in range(400)]
    # Bonferroni and the steps of the statistic only lower the rate: at most 10 % + 4 standard errors below .1.
    assert np.mean(np.array(same) < 0.1) <= 0.1 + 4 * math.sqrt(0.1 * 0.9 / 400)
    shifted = generator.normal(size=(2, 100, dim))
    shifted[1, :, -1] += 2
    assert steadiness(shifted, 0.0) < 1e-3
    # The states of one replica may depend on each other as they like: a frozen cloud is steady.
    frozen = np.broadcast_to(generator.normal(size=(1, 100, dim)), (2, 100, dim))
    assert steadiness(frozen, 0.0) > 1e-3


def test_atoms_that_rounding_drives_apart_are_one():
    coins = np.random.default_rng(0).integers(0, 3, size=(2, 200, 1)) / 3
    drifted = coins + np.array([0.0, 1e-15])[:, None, None]
    assert steadiness(drifted, 0.0) < 1e-3
    assert steadiness(drifted, 1e-14) == steadiness(coins, 0.0) > 1e-3


def test_diverged_states_are_mass_that_left():
    compared = np.random.default_rng(0).normal(size=(2, 200, 1))
    compared[1, :80] = np.nan
    assert steadiness(compared, 0.0) < 1e-3


def test_a_path_that_crosses_once_is_a_change_of_law():
    """The control: half of the states have changed their sign between the two steps, and few of them the size."""
    states = np.resize([1.0, -1.0], 200) + 0.01 * np.random.default_rng(0).standard_normal((2, 200))
    assert steadiness(states[:, :, None], 0.0) > 1e-3
    states[1] = np.abs(states[1])
    assert steadiness(states[:, :, None], 0.0) < 1e-3


def test_a_spread_about_one_centre_is_seen():
    """The states of a walk keep their median; their distances from it grow by √2 in law."""
    generator = np.random.default_rng(SEED)
    walks = [generator.standard_normal((2, 800, 1)) * np.array([1.0, math.sqrt(2)])[:, None, None] for _ in range(20)]
    assert np.mean([steadiness(walk, 0.0) < 1e-3 for walk in walks]) > 0.5


@given(n=st.integers(1, 80), seed=st.integers(0, 2**32))
def test_the_interval_of_growth_is_the_literal_one(n, seed):
    diameters = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 3.0, np.inf], size=(2, n))
    diameters[1, np.isinf(diameters[0])] = np.inf  # a path that has left does not come back
    assert growth_interval(diameters) == naive.growth_interval(*diameters)


def test_amplification_is_the_sum_of_the_decay():
    for h in (1.0, 0.5, 0.01, 1e-3):
        maps = ito.AffineMaps([[[1 - h]], [[1 - h]]], [[0.0], [h]])
        # Two starts are followed until a 1024th of their distance is left.
        assert amplification(maps, np.ones((5, 1)), 20_000, seed=1) == pytest.approx(1 / h, rel=2**-9)
    walk = ito.AffineMaps([[[1.0]], [[1.0]]], [[-1.0], [1.0]])
    assert amplification(walk, np.ones((5, 1)), 20_000, seed=1) == 1
    assert amplification(ito.AffineMaps([[[2.0]]], [[0.0]]), np.ones((5, 1)), 20_000, seed=1) == 1
    assert amplification(walk, np.full((5, 1), np.nan), 20_000, seed=1) == 1
