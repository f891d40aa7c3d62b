"""One to four replicas have code of their own: to the bit what those replicas are among many."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from iterorder import resources
from iterorder.kernels.cpu import few_draws, profile
from iterorder.kernels.cpu.few_lanes import few_of
from iterorder.kernels.cpu.lanes import load, splat, store
from iterorder.kernels.cpu.single_steps import total_of_neighbours
from iterorder.kernels.draw_tables import BATCH, INDEX, NORMALS, PACKED_BITS, UNIFORMS, WEIGHTED, draws_of
from iterorder.kernels.targets import jit_entry
from tests import naive
from tests.systems import EVERY, FEW, logistic
from tests.test_kernels import random

MANY, N_STEPS = 11, 300
#: A system for each step and each way to draw, and those for which there is no code for few.
ALONE = [
    *FEW,
    "sierpinski",
    "bernoulli",
    "linear of two points",
    "quadratic d=2 batch",
    "linear d=3 batch 2",
    "linear d=16 batch 5 reshuffle",
    "linear d=30 batch 3",
    "linear d=110 batch 2 ridge",
    "linear d=2 large batch",
    "affine feistel",
    "affine d=105",
    "logistic d=20 batch 2 cyclic",
    "arcsine",
    "gaussian d=20",
    "optimizer logistic d=7 cosine",
    "optimizer quadratic d=20 batch",
    "huber d=5 batch",
    "huber d=20 reshuffle",
    "bent d=3",
    "bent d=20 batch",
    "bent d=105",
    "linear d=70 batch of nine",
    "optimizer bent d=18 batch",
]
TOGETHER = ["table", "affine d=9", "affine d=13", "linear d=10 ridge", "linear d=17", "linear d=64", "logistic d=5"]
TOGETHER += ["logistic d=20", "linear d=30 batch 3", "optimizer quadratic d=3 batch linear", "optimizer linear d=17"]


def among_many(maps, n_replicas, first, **options):
    """The states of some replicas by themselves, and among many."""
    start = np.linspace(-1.0, 1.0, MANY * maps.dim).reshape(MANY, maps.dim)
    common = {"seed": 0x9E3779B97F4A7C15, "save_steps": [3, 40, N_STEPS], "first_step": 5, **options}
    some = slice(first, first + n_replicas)
    alone = ito.simulate(maps, start[some], N_STEPS, n_replicas=n_replicas, first_replica=first, **common)
    return alone.states, ito.simulate(maps, start, N_STEPS, n_replicas=MANY, **common).states[some]


def test_the_least_width_that_holds_the_replicas_is_taken():
    assert [few_of(n) for n in range(1, 7)] == [1, 2, 4, 4, 0, 0]


@pytest.mark.parametrize("name", ALONE)
def test_one_replica_alone_is_that_among_many(name):
    np.testing.assert_array_equal(*among_many(EVERY[name], 1, 6))


@pytest.mark.parametrize("n_replicas", [2, 3, 4])
@pytest.mark.parametrize("name", TOGETHER)
def test_few_replicas_are_those_among_many(name, n_replicas):
    np.testing.assert_array_equal(*among_many(EVERY[name], n_replicas, 5))


@pytest.mark.parametrize("name", ["table", "linear d=17", "linear d=64", "logistic d=20", "linear d=30 batch 3"])
@pytest.mark.parametrize("options", [{"dtype": "float32"}, {"order": "backward"}, {"order": ito.Window(width=12)}])
def test_orders_and_floats_of_few_replicas_are_those_of_many(name, options):
    for n_replicas in (1, 2):
        np.testing.assert_array_equal(*among_many(EVERY[name], n_replicas, 2, **options))


def test_one_replica_of_shared_noise_is_that_of_many():
    for name in ("table", "two-point", "linear d=64"):
        states, among = among_many(EVERY[name], 1, 0, noise="shared")
        np.testing.assert_array_equal(states, among)


@pytest.mark.parametrize("shape", [profile.AVX512, profile.NARROW], ids=["avx512", "narrow"])
@pytest.mark.parametrize("maps", [EVERY["linear d=64"], logistic(100), logistic(57, batch_size=8)])
def test_few_replicas_under_each_profile(monkeypatch, shape, maps):
    monkeypatch.setattr(profile, "PROFILE", shape)
    for n_replicas in (1, 2, 4):
        np.testing.assert_array_equal(*among_many(maps, n_replicas, 3))


def test_a_single_chain_that_diverges_says_when():
    maps = ito.AffineMaps([[[1e200]], [[1e150]], [[1e160]]], [[1.0], [1.0], [1.0]])
    with pytest.raises(ito.DivergenceError) as error:
        ito.simulate(maps, [1.0], N_STEPS, n_replicas=1, seed=3)
    with pytest.raises(ito.DivergenceError) as many:
        ito.simulate(maps, [1.0], N_STEPS, n_replicas=MANY, seed=3)
    assert error.value.trajectory.diverged_at[0] == many.value.trajectory.diverged_at[0] > 0


def test_the_systems_of_the_tests_draw_in_every_way_for_few():
    drawn = set()
    for maps in EVERY.values():
        form = maps.form()
        draws = draws_of(form, maps.sampling_law, 0)
        fill = few_draws.few_fill(draws, 1, 256)
        if fill is not None:
            drawn.add(draws.kind)
    assert drawn == {PACKED_BITS, INDEX, WEIGHTED, BATCH, UNIFORMS, NORMALS}


@pytest.mark.parametrize("order", ["forward", "backward"])
@pytest.mark.parametrize("name", ["table", "linear d=64", "weighted"])
def test_long_runs_of_few_go_through_several_chunks(name, order):
    """Whose chunks are longer than those of many replicas, and begin at other steps."""
    maps = EVERY[name] if name in EVERY else weighted_table()
    start = np.linspace(-1.0, 1.0, 9 * maps.dim).reshape(9, maps.dim)
    run = {"order": order, "save_steps": [2045, 2046, 4500], "seed": 8, "first_step": 3}
    many = ito.simulate(maps, start, 4500, n_replicas=9, **run).states
    for n_replicas in (1, 2, 4):
        few = ito.simulate(maps, start[:n_replicas], 4500, n_replicas=n_replicas, **run).states
        np.testing.assert_array_equal(few, many[:n_replicas])


def weighted_table():
    return ito.AffineMaps([[[0.5]], [[-0.25]], [[0.75]]], [[1.0], [0.0], [-1.0]], probabilities=[0.2, 0.3, 0.5])


def test_draws_of_few_need_whole_vectors_of_steps():
    draws = draws_of(EVERY["table"].form(), EVERY["table"].sampling_law, 0)
    assert few_draws.few_fill(draws, 1, 16) is None
    assert few_draws.few_fill(draws, 4, 256) is None
    normals = draws_of(EVERY["gaussian d=20"].form(), EVERY["gaussian d=20"].sampling_law, 0)
    assert few_draws.few_fill(normals, 1, 4) is None


@jit_entry
def neighbours_added(sums, out):
    store(total_of_neighbours(load(sums, 0, 0, splat(0.0, 8))), out, 0, 0)


def test_eight_numbers_are_added_neighbours_first():
    sums, out = random(1, 8), np.zeros((1, 8))
    neighbours_added(sums, out)
    np.testing.assert_array_equal(out[0], np.full(8, naive.sum_of_neighbours(sums[0])))


def test_a_small_call_asks_for_neither_memory_nor_threads(monkeypatch):
    """Both are read from files and the system anew, and take as long as one step of one replica."""

    def asked():
        raise AssertionError("asked")

    monkeypatch.setattr(resources, "memory", asked)
    monkeypatch.setattr(resources, "threads", asked)
    for name in ("two-point", "linear d=10 ridge", "logistic d=20"):
        maps = EVERY[name]
        ito.simulate(maps, np.zeros(maps.dim), 1, seed=0)
    with pytest.raises(AssertionError, match="asked"):
        ito.simulate(EVERY["two-point"], [0.0], 1, n_replicas=2**17, seed=0)
