"""The minimiser of the mean loss, and the covariance to first order in the step size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder.claims.laws import stationary_means
from iterorder.claims.systems import tilted_logistic
from iterorder.errors import InvalidInputError
from iterorder.maps import LinearRegressionSGD, LogisticRegressionSGD, QuadraticSGD, gallery
from iterorder.theory.families import analyse
from iterorder.theory.small_step import mean_hessian, minimizer, small_step_bias, small_step_covariance

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(16)


def known(maps):
    """The parts of `theory` that are asked for, and no Monte Carlo."""
    return analyse(maps, seed=0, effort="quick")


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("family", ["linear", "quadratic"])
def test_small_step_covariance_is_the_leading_term(family, batch_size):
    """C9: the exact covariance over h tends to it, with a relative error of order h."""
    features, targets = RNG.normal(size=(8, 3)), RNG.normal(size=8)
    roots = RNG.normal(size=(8, 3, 3))
    errors = []
    for h in (1e-2, 1e-3, 1e-4):
        if family == "linear":
            maps = LinearRegressionSGD(features, targets, h, ridge=0.3, batch_size=batch_size)
        else:
            maps = QuadraticSGD(roots @ np.swapaxes(roots, 1, 2), features, h, batch_size=batch_size)
        exact, leading = known(maps).covariance(), small_step_covariance(maps)
        np.testing.assert_allclose(minimizer(maps), known(maps).mean(), rtol=1e5 * EPS)
        errors.append(np.linalg.norm(exact - leading) / np.linalg.norm(leading))
    slopes = np.log10(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(slopes, 1.0, atol=0.2)


def test_logistic_minimiser_against_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, labels = RNG.normal(size=(40, 3)), np.arange(40) % 2
    maps = LogisticRegressionSGD(features, labels, 0.1, ridge=0.05)
    point = minimizer(maps)
    # Both are at rounding of a gradient of n terms; scikit-learn minimises C·Σ loss + ½‖x‖², C = 1/(n·ridge).
    assert np.linalg.norm(maps.gradients(point).mean(axis=0)) <= 40 * EPS * np.abs(features).max()
    model = linear_model.LogisticRegression(C=1 / (40 * 0.05), fit_intercept=False, tol=1e-12, solver="newton-cholesky")
    np.testing.assert_allclose(point, model.fit(features, labels).coef_[0], atol=1e-9)


def test_logistic_minimiser_far_from_the_origin():
    """Nearly separable classes: the first full Newton steps overshoot."""
    maps = LogisticRegressionSGD([[50.0], [51.0], [-40.0], [0.1]], [1, 1, 0, 0], 0.1, ridge=1e-8)
    assert np.abs(maps.gradients(minimizer(maps)).mean(axis=0)).max() <= 4 * EPS * 51


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (LogisticRegressionSGD([[1.0], [-2.0]], [1, 0], 0.1), "a hyperplane separates the labels"),
        (LogisticRegressionSGD([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]], [1, 0, 1], 0.1), "no single minimiser"),
        (LinearRegressionSGD([[1.0, 0.0], [2.0, 0.0]], [1.0, 1.0], 0.1), "no single minimiser"),
        (QuadraticSGD([1.0, -3.0], [0.0, 1.0], 0.1), "smallest curvature of the mean loss of maps is -1"),
        (gallery.sierpinski(), "maps is an AffineMaps"),
    ],
)
def test_losses_without_a_minimiser(maps, message):
    with pytest.raises(InvalidInputError, match=message):
        minimizer(maps)


def test_small_step_law_is_for_independent_draws():
    with pytest.raises(InvalidInputError, match="sampling='reshuffle'"):
        small_step_covariance(QuadraticSGD([1.0, 1.0], [0.0, 1.0], 0.1, sampling="reshuffle"))


@settings(max_examples=25)
@given(st.integers(1, 5), st.integers(0, 2**32))
def test_full_batches_have_no_noise(n, seed):
    random = np.random.default_rng(seed)
    maps = LinearRegressionSGD(random.normal(size=(n, 2)), random.normal(size=n), 0.1, ridge=1.0, batch_size=n)
    np.testing.assert_allclose(small_step_covariance(maps), 0.0, atol=0)
    assert not known(maps).covariance().any()


def test_bias_is_that_of_the_stationary_law():
    """On the line by the spectral method: what is left of the bias divided by h is O(h)."""
    errors = []
    for h in (0.04, 0.02, 0.01):
        maps = tilted_logistic(h)
        centre = float(minimizer(maps)[0])
        (mean,) = stationary_means(maps, [lambda x, centre=centre: x - centre])
        predicted = float(small_step_bias(maps)[0])
        errors.append(abs(mean - predicted) / abs(predicted))
    assert errors[0] < 0.1
    for coarse, fine in itertools.pairwise(errors):
        assert fine < 0.6 * coarse  # halves with h


def test_bias_in_more_dimensions_is_that_of_numerical_derivatives():
    """f‴[C] by second differences of the mean gradient along the axes of C."""
    features = RNG.normal(size=(30, 3))
    labels = np.where(features @ [1.0, -0.5, 0.2] + RNG.normal(size=30) > 0, 1.0, -1.0)
    maps = LogisticRegressionSGD(features, labels, 0.1, ridge=0.2)
    step = 1e-3
    centre, covariance = minimizer(maps), small_step_covariance(maps)
    values, vectors = np.linalg.eigh(covariance)

    def slope(x):
        return maps.gradients(x).mean(axis=0)

    bends = [slope(centre + step * u) + slope(centre - step * u) - 2.0 * slope(centre) for u in vectors.T]
    third = values @ np.array(bends) / step**2
    expected = -0.5 * np.linalg.solve(mean_hessian(maps, centre), third)
    # Truncation is step² of the fourth derivative over the second, rounding eps/step² of gradients of size one.
    rounding = 100 * EPS / step**2 * values.sum()
    np.testing.assert_allclose(small_step_bias(maps), expected, rtol=100 * step**2, atol=rounding)
    assert np.abs(expected).max() > 100 * rounding


@pytest.mark.parametrize("make", [LinearRegressionSGD, LogisticRegressionSGD])
def test_columns_that_depend_on_others_are_told(make):
    """More points than dimensions are no help; what theory says of the maps does not contradict itself."""
    features = RNG.normal(size=(50, 4))
    features[:, 3] = features[:, 0]
    maps = make(features, np.arange(50) % 2, 0.02)
    with pytest.raises(InvalidInputError, match=r"span 3 of 4 directions.*give ridge > 0, or leave out columns"):
        minimizer(maps)
    reasons = ito.theory(maps).reasons
    for name in ("mean", "covariance"):
        assert "give it for small steps" not in reasons[name]
        assert "to first order" not in reasons[name]
    with pytest.raises(InvalidInputError, match="span 0 of 1 directions"):
        minimizer(make([[0.0], [0.0]], [1, 0], 0.1))


@pytest.mark.parametrize("seed", [2, 66, 73, 224])
def test_fewer_points_than_dimensions_have_a_point_for_each_start(seed):
    """There is a common fixed point, and no reason says that there is none; nor is it the law.

    For these data the measured exponent, which is zero, is below it by rounding, and so is its interval.
    """
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    maps = LinearRegressionSGD(rng.normal(size=(n, 8)), rng.normal(size=n), float(rng.choice([0.02, 0.05, 0.1])))
    theory = ito.theory(maps)
    assert theory.common_fixed_point is not None
    assert theory.lyapunov_exponent.high < 0.0
    assert theory.mean is theory.covariance is None
    told = "have a common fixed point, and that paths tend to it from all starts is not known"
    assert all(told in theory.reasons[name] for name in ("mean", "covariance"))
    # The control: of as many points as dimensions the point is the law.
    whole = ito.theory(LinearRegressionSGD(rng.normal(size=(8, 8)), rng.normal(size=8), 0.02))
    assert whole.mean is not None
    assert not whole.covariance.any()
