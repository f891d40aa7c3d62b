"""Norms, means of powers and diameters: literal twins, homogeneity over the whole range of floats."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iterorder import lengths
from iterorder.convergence import norms
from iterorder.convergence.norms import mean_and_variance, path_diameters, power_mean
from iterorder.lengths import euclidean_norm
from tests import naive_convergence as naive

EPS = np.finfo(np.float64).eps
# Zero or at least 1/1024, so that powers of two scale all of them without rounding.
SIZES = st.integers(0, 10**6).map(lambda k: k / 1024)
MODEST = st.integers(-(10**6), 10**6).map(lambda k: k / 1024)
EXPONENTS = st.sampled_from([-900, 0, 900])


@given(vector=arrays(float, st.integers(1, 6), elements=MODEST), exponent=EXPONENTS)
def test_norm_is_hypot_and_homogeneous(vector, exponent):
    norm = float(euclidean_norm(vector))
    assert norm == pytest.approx(math.hypot(*vector), rel=(len(vector) + 4) * EPS)
    scaled = float(euclidean_norm(np.ldexp(vector, exponent)))
    assert scaled == pytest.approx(math.ldexp(norm, exponent), rel=8 * EPS, abs=0)


def test_norm_keeps_what_is_not_finite():
    vectors = np.array([[1.0, np.nan], [np.inf, 1.0], [-np.inf, 2.0], [0.0, 0.0]])
    np.testing.assert_array_equal(euclidean_norm(vectors), [np.nan, np.inf, np.inf, 0.0])
    assert euclidean_norm(np.array([[-3.0]])) == 3.0


@pytest.mark.parametrize("dim", [1, 2, 5, 16, 17, 40])
def test_norm_does_not_depend_on_the_other_rows_nor_on_blocks(dim, monkeypatch):
    vectors = np.random.default_rng(dim).normal(size=(3, 7, dim))
    whole = euclidean_norm(vectors)
    alone = [float(euclidean_norm(vector)) for vector in vectors.reshape(-1, dim)]
    np.testing.assert_array_equal(whole.ravel(), alone)
    np.testing.assert_allclose(whole, np.linalg.norm(vectors, axis=-1), rtol=(dim + 4) * EPS)
    monkeypatch.setattr(lengths, "BLOCK", 4 * dim)
    np.testing.assert_array_equal(euclidean_norm(vectors), whole)
    np.testing.assert_array_equal(euclidean_norm(vectors[:, ::2]), whole[:, ::2])
    assert euclidean_norm(vectors[:0]).shape == (0, 7)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0])
def test_mean_and_variance_are_those_of_the_whole_table(p, monkeypatch):
    monkeypatch.setattr(norms, "BLOCK", 12)
    values = np.random.default_rng(0).gamma(2.0, size=(50, 3))
    mean, variance = mean_and_variance(values, p)
    powers = values**p
    np.testing.assert_allclose(mean, powers.mean(axis=0) ** (1 / p), rtol=64 * EPS)
    np.testing.assert_allclose(variance, powers.var(axis=0, ddof=1) / 50 / powers.mean(axis=0) ** 2, rtol=256 * EPS)
    assert np.isnan(mean_and_variance(values[:1], p)[1]).all()


@given(values=arrays(float, st.integers(1, 8), elements=SIZES), p=st.sampled_from([1.0, 1.5, 2.0, 7.0, math.inf]))
def test_power_mean_is_the_literal_one_and_monotone(values, p):
    mean = float(power_mean(values[:, None], p)[0])
    rounding = (len(values) + 8) * EPS
    assert mean == pytest.approx(naive.mean_of_powers(values.tolist(), p), rel=rounding, abs=0)
    assert values.min() * (1 - rounding) <= mean <= values.max() * (1 + rounding)
    assert mean <= float(power_mean(values[:, None], 2 * p)[0]) * (1 + rounding)


def test_power_mean_does_not_overflow_and_is_exact_for_equal_values():
    assert power_mean(np.full((5, 1), 3e300), 4.0)[0] == 3e300
    assert power_mean(np.full((5, 1), 3e-320), 4.0)[0] == 3e-320
    with np.errstate(all="raise"):
        means = power_mean(np.array([[1.0, np.inf, 0.0], [np.nan, 1.0, 0.0]]), 2.0)
    np.testing.assert_array_equal(means, [np.nan, np.inf, 0.0])


@given(
    paths=arrays(float, st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4)), elements=MODEST),
    exponent=EXPONENTS,
)
def test_diameter_is_that_of_all_pairs(paths, exponent):
    expected = [math.ldexp(naive.diameter(path), exponent) for path in paths]
    # ‖u‖² + ‖v‖² − 2u·v, each of dim + 2 roundings of at most 4 diameters²; the root halves, the scaling adds one.
    rounding = 8 * (paths.shape[2] + 4) * EPS
    absolute = math.ldexp(4 * EPS * float(np.abs(paths).max()), exponent)
    np.testing.assert_allclose(path_diameters(np.ldexp(paths, exponent)), expected, rtol=rounding, atol=absolute)


def test_diameter_sees_small_motion_far_from_the_origin():
    path = np.array([1e8, -1e8]) + np.array([[0.0, 0.0], [3e-6, 4e-6], [1e-6, 0.0]])
    assert path_diameters(path[None])[0] == pytest.approx(naive.diameter(path), rel=64 * EPS)


def test_diameter_of_a_path_that_left_is_infinite_and_of_a_point_zero():
    paths = np.zeros((70, 3, 2))
    paths[69, 1, 0] = np.nan
    np.testing.assert_array_equal(path_diameters(paths), np.where(np.arange(70) == 69, np.inf, 0.0))
    assert path_diameters(np.array([[[-1e308, 0.0], [1e308, 0.0]]]))[0] == np.inf
