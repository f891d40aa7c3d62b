"""The package's own exp, log, tanh, sine and cosine: their error, their special values, and eight lanes beside one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from iterorder.kernels.cpu.bodies import mathematics
from iterorder.kernels.cpu.lanes import LANES, load, splat, store

RNG = np.random.default_rng(7)
N = 200_000
TURNS = np.round(RNG.uniform(-6e5, 6e5, N)) * (math.pi / 2)  # nearest to a multiple of π/2: the hardest of all
#: Where a function is tried, and its error in units in the last place as its docstring says it.
TRIED = {
    "exp": (1.5, [RNG.uniform(-745, 709.7, N), RNG.uniform(-1, 1, N), RNG.uniform(-745, -708, N)]),
    "log": (1.0, [np.exp(RNG.uniform(-740, 709, N)), RNG.uniform(0.5, 2, N), 1 + 1e-3 * RNG.normal(size=N)]),
    "tanh": (2.0, [RNG.uniform(-1, 1, N), RNG.uniform(-20, 20, N), RNG.uniform(0.6, 0.65, N)]),
    "sin": (1.0, [RNG.uniform(-10, 10, N), RNG.uniform(-1e6, 1e6, N), TURNS, 1e-3 * RNG.normal(size=N)]),
    "cos": (1.0, [RNG.uniform(-10, 10, N), RNG.uniform(-1e6, 1e6, N), TURNS]),
}
SPECIAL = [0.0, -0.0, 5e-324, -5e-324, 1e-310, 2.0**-1022, 1.0, -1.0, 709.8, 710.5, -745.5, -746.5, 1e300, -1e300]
SPECIAL += [math.inf, -math.inf, math.nan]


def of_numbers(function):
    @njit(error_model="numpy")
    def each(x, found):
        for i in range(x.size):
            found[i] = function(x[i])

    return each


def of_lanes(function):
    @njit(error_model="numpy")
    def each(x, found):
        for i in range(0, x.shape[1], LANES):
            store(function(load(x, 0, i, splat(0.0, LANES))), found, 0, i)

    return each


def values(name, x):
    found = np.empty_like(x)
    of_numbers(getattr(mathematics, name))(x, found)
    return found


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="needs numbers that are longer than float64")
@pytest.mark.parametrize("name", TRIED)
def test_the_error_is_what_the_docstring_says(name):
    bound, parts = TRIED[name]
    x = np.concatenate(parts)
    found, exact = values(name, x), getattr(np, name)(x.astype(np.longdouble))
    assert np.isfinite(found).all()
    error = np.abs(found.astype(np.longdouble) - exact) / np.spacing(np.abs(found)).astype(np.longdouble)
    assert error.max() <= bound
    assert f"within {bound:g} unit" in getattr(mathematics, name).py_func.__doc__


@pytest.mark.parametrize("name", ["exp", "log", "tanh"])
def test_special_values_are_those_of_numpy(name):
    x = np.array(SPECIAL)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x)
    found = values(name, x)
    np.testing.assert_allclose(found, expected, rtol=3 * np.finfo(float).eps)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[number], np.signbit(expected)[number])


@pytest.mark.parametrize("name", TRIED)
def test_lanes_have_the_bits_of_numbers(name):
    x = np.concatenate([*TRIED[name][1], SPECIAL])
    x = np.concatenate([x, np.zeros(-len(x) % LANES)])
    found = np.empty((1, len(x)))
    of_lanes(getattr(mathematics, name))(x[None, :], found)
    one = values(name, x)
    np.testing.assert_array_equal(np.isnan(found[0]), np.isnan(one))
    number = ~np.isnan(one)
    np.testing.assert_array_equal(found[0, number].view(np.int64), one[number].view(np.int64))
