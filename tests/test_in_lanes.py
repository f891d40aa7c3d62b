"""Slopes of losses and their like on vectors: the bits of single numbers, lifted or lane after lane."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from iterorder.kernels.cpu.lane_conversions import to_float64
from iterorder.kernels.cpu.lanes import LANES, load, splat, store
from iterorder.kernels.cpu.lift.in_lanes import lifted

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


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("slope", [huber, logistic, from_a_table, by_search])
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
