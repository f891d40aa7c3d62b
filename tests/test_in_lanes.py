"""Slopes of losses and their like on vectors: the bits of single numbers, lifted or lane after lane."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit, types

import iterorder as ito
from iterorder.kernels.cpu import compiled, packing, profile, row_steps, stateful_steps
from iterorder.kernels.cpu.lane_conversions import to_float64
from iterorder.kernels.cpu.lanes import LANES, load, splat, store
from iterorder.kernels.cpu.lift import in_lanes
from iterorder.kernels.cpu.lift.in_lanes import lifted, lifts
from iterorder.kernels.cpu.slopes import move_of
from iterorder.kernels.cpu.steps import steps_of
from tests.systems import model

N = 64


def huber(z, target, params):
    residual = z - target
    if residual > params[0]:
        return params[0]
    if residual < -params[0]:
        return -params[0]
    return residual


def logistic(z, target, params):
    return -target / (1.0 + math.exp(target * z))


def from_a_table(z, target, params):
    """Beyond the table a lane is NaN, and no other."""
    return params[1][int(abs(z) * 3.0)] if z == z else z


def by_search(z, target, params):
    while abs(z) > 1.0:
        z *= 0.5
    return z - target


def of_some_degree(z, target, params):
    """Its text is that of one for lanes, but nothing counts to a number that differs between them."""
    total, term = 0.0, 1.0
    for _ in range(1 + int(min(abs(z), 3.0)) if z == z else 0):
        term *= 0.5 * (z - target) / (1.0 + abs(z - target))
        total += term
    return total


LIFTS = {huber: True, logistic: True, from_a_table: True, by_search: False, of_some_degree: False}


@pytest.mark.parametrize("slope", LIFTS)
def test_a_slope_lifts_if_its_text_and_its_types_do(slope, monkeypatch):
    parameters = types.Tuple((types.float64, types.Array(types.float64, 1, "C", readonly=True)))
    kinds = types.float64, types.float64, parameters
    assert lifts(slope, (0, 1), kinds) is LIFTS[slope]

    def compiles(*_):
        raise AssertionError("what is on disk has the answer")

    if in_lanes._for_lanes(slope, (0, 1)) is not None:
        kernels = in_lanes._answers(in_lanes._for_lanes(slope, (0, 1)), njit(slope))
        monkeypatch.setattr(type(kernels[0]), "compile", compiles)
    assert lifts.__wrapped__(slope, (0, 1), kinds) is LIFTS[slope]


@pytest.mark.parametrize("slope", [huber, of_some_degree])
def test_a_slope_that_does_not_lift_is_written_out_for_one_group_of_lanes(slope):
    plain = model(3, ito.Loss(slope, params=(0.75,)))
    decayed, groups = ito.Optimizer(plain, weight_decay=0.1), profile.PROFILE.lane_groups if LIFTS[slope] else 1
    move, other = move_of(plain.form().slope), move_of(decayed.form().gradient.slope)
    expected = {
        plain: row_steps.lane_steps(3, True, move, True, 0, groups),
        decayed: stateful_steps.lane_steps(3, other, False, False, 0, groups),
    }
    for maps, steps in expected.items():
        form = maps.form()
        packed, draws = packing.pack(form, np.dtype(np.float64)), compiled.draws_of(form, maps.sampling_law, 0)
        assert steps_of(form, packed, draws, False) is steps


def test_a_slope_that_does_not_lift_moves_every_replica_as_if_alone():
    maps = model(3, ito.Loss(of_some_degree))
    run = ito.simulate(maps, np.linspace(-1.0, 1.0, 120).reshape(40, 3), 20, n_replicas=40, seed=3)
    alone = ito.simulate(maps, run.states[7, 0], 20, seed=3, first_replica=7, first_step=20)
    among = ito.simulate(maps, run.states[:, 0], 20, n_replicas=40, seed=3, first_step=20)
    np.testing.assert_array_equal(alone.states[0], among.states[7])
    x = run.states[7, 0]
    for step in range(20, 40):
        x = maps.apply(x, maps.draw(3, 7, step))
    np.testing.assert_allclose(alone.states[0, 0], x, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("slope", LIFTS)
def test_lanes_are_single_numbers(slope, dtype):
    params = (0.75, np.linspace(0.0, 1.0, 6))
    rng = np.random.default_rng(2)
    z, target = rng.normal(size=(2, 1, N)).astype(dtype)
    z[0, 5:9] = [np.nan, -0.0, 3.5, 9.0]
    of_vectors = lifted(slope, (0, 1))
    single = njit(error_model="numpy", boundscheck=True)(slope)

    @njit
    def run(z, target, params, found):
        for i in range(0, N, LANES):
            like = splat(z.dtype.type(0.0), LANES)
            store(to_float64(of_vectors(load(z, 0, i, like), load(target, 0, i, like), params)), found, 0, i)

    found = np.empty((1, N))
    run(z, target, params, found)
    for i in range(N):
        try:
            expected = single(z[0, i], target[0, i], params)
        except IndexError:
            expected = math.nan
        if slope is logistic:  # the package's exponential within 1.5 units, then two roundings and the other's half
            assert found[0, i] == pytest.approx(expected, rel=4 * float(np.finfo(dtype).eps), nan_ok=True)
        else:
            np.testing.assert_array_equal(found[0, i], expected)
