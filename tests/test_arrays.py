"""What NumPy makes of results: the numbers that they hold, or an error that names them; never one object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import iterorder as ito
from tests.systems import SYSTEMS

MAPS = SYSTEMS["fern"]


@dataclass(frozen=True)
class Untold:
    """The control: a result that tells NumPy nothing."""

    points: np.ndarray


def coupling() -> ito.CouplingDistance:
    maps = ito.gallery.two_point_quadratic(0.5)
    return ito.coupling_distance(maps, [0.0], [1.0], 20, order="forward", n_replicas=4, seed=1)


def test_a_stationary_sample_is_its_points_to_numpy():
    sample = ito.stationary_sample(MAPS, 5, seed=1)
    array = np.asarray(sample)
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, sample.points)
    assert np.asarray(sample, np.float32).dtype == np.float32
    assert not np.shares_memory(np.array(sample), sample.points)
    np.testing.assert_array_equal(np.mean(sample, axis=0), sample.points.mean(axis=0))
    control = np.asarray(Untold(sample.points))
    assert (control.dtype, control.shape) == (np.dtype(object), ())


def test_a_stationary_sample_is_taken_where_arrays_are():
    sample, other = (ito.stationary_sample(MAPS, 40, seed=seed) for seed in (1, 2))
    assert ito.wasserstein(sample, other) == ito.wasserstein(sample.points, other.points)
    run = ito.simulate(MAPS, sample, 3, n_replicas=40, seed=3)
    np.testing.assert_array_equal(run.states, ito.simulate(MAPS, sample.points, 3, n_replicas=40, seed=3).states)


def test_results_that_are_numbers_are_numbers_to_numpy_too():
    rate, exponent = ito.fit_rate(coupling()), ito.theory(MAPS).lyapunov_exponent
    distance = ito.wasserstein_estimate([0.0, 1.0, 2.0], [0.5, 1.5, 4.0], n_bootstrap=20)
    for number in (rate, exponent, distance):
        assert np.asarray(number).dtype == np.float64
        assert np.asarray(number).shape == ()
        assert float(np.asarray(number)) == float(number)
    table = np.array([[rate, exponent], [exponent, rate]])
    assert table.dtype == np.float64
    np.testing.assert_array_equal(table[0], [float(rate), float(exponent)])
    # A number that comes out of one call goes into the next.
    boundary = ito.stability_boundary(lambda h: ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], h), 0.1, 3.0)
    assert ito.QuadraticSGD([1.0], [0.0], boundary).step_size == float(boundary)


def test_a_result_of_several_arrays_names_them():
    curve = coupling()
    for use in (np.asarray, np.array, np.mean, lambda value: np.array([value, value])):
        with pytest.raises(ito.InvalidInputError, match=r"CouplingDistance is a curve .* give its \.distance"):
            use(curve)
    with pytest.raises(ito.InvalidInputError, match=r"u is a CouplingDistance: .* such as u\.distance$"):
        ito.wasserstein_1d(curve, [1.0])
    with pytest.raises(ito.InvalidInputError, match=r"x0 is a CouplingDistance: .* such as x0\.distance$"):
        ito.simulate(MAPS, curve, 1, seed=0)
