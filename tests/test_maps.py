"""Every family passes the contract; the formulas of each; bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder import noise
from tests import contract
from tests.systems import EVERY

EPS = np.finfo(np.float64).eps


@pytest.mark.parametrize("name", EVERY)
def test_contract(name):
    contract.check_maps(EVERY[name])


@pytest.mark.parametrize("name", EVERY)
def test_a_pickled_copy_is_frozen_and_the_same(name):
    maps = EVERY[name]
    copy = pickle.loads(pickle.dumps(maps))
    contract.check_is_frozen(copy)
    if copy.sampling_law.probabilities is not None:
        with pytest.raises(ValueError, match="read-only"):
            copy.sampling_law.probabilities[0] = 1.0
    x, draw = np.linspace(-1.0, 1.0, maps.dim), maps.draw(3, 1, 4)
    np.testing.assert_array_equal(copy.apply(x, draw), maps.apply(x, draw))


def numerical_gradient(loss, x):
    """Central differences; the step balances truncation h² against rounding eps/h."""
    h = EPS ** (1 / 3)
    return np.array([(loss(x + h * e) - loss(x - h * e)) / (2 * h) for e in np.eye(len(x))])


@pytest.mark.parametrize("name", [n for n in EVERY if n.startswith(("quadratic", "linear", "logistic"))])
def test_sgd_step_is_the_gradient_of_the_stated_loss(name):
    maps = EVERY[name]
    x = np.random.default_rng(3).normal(size=maps.dim)
    rows = np.atleast_1d(maps.draw(1, 0, 2))

    def loss(x):
        if isinstance(maps, ito.QuadraticSGD):
            losses = [0.5 * (x - maps.minimizers[i]) @ maps.curvatures[i] @ (x - maps.minimizers[i]) for i in rows]
            return np.mean(losses)
        a = maps.features[rows]
        if isinstance(maps, ito.LinearRegressionSGD):
            losses = 0.5 * (a @ x - maps.targets[rows]) ** 2
        else:
            losses = np.log1p(np.exp(-maps.labels[rows] * (a @ x)))
        return np.mean(losses) + 0.5 * maps.ridge * x @ x

    expected = x - maps.step_size * numerical_gradient(loss, x)
    np.testing.assert_allclose(maps.apply(x, rows), expected, atol=1000 * EPS ** (2 / 3))


def test_families_with_as_many_maps_meet_the_same_indices():
    features = np.ones((7, 2))
    systems = [
        ito.AffineMaps(np.zeros((7, 3, 3)), np.zeros((7, 3))),
        ito.AffineMaps(np.zeros((7, 1, 1)), np.zeros((7, 1)), np.full(7, 1 / 7)),
        ito.QuadraticSGD(np.ones(7), np.ones(7), 0.1),
        ito.LinearRegressionSGD(features, np.ones(7), 0.1),
        ito.LogisticRegressionSGD(features, np.ones(7), 0.1),
    ]
    draws = [[maps.draw(5, 2, step) for step in range(50)] for maps in systems]
    assert all(sequence == draws[0] for sequence in draws)


def test_lipschitz_bounds_are_attained():
    """Affine families: the spectral norm is reached along the leading singular vector."""
    maps = EVERY["quadratic d=2 batch"]
    draw = maps.draw(0, 0, 0)
    matrix = maps.apply(np.eye(2), draw) - maps.apply(np.zeros(2), draw)
    assert maps.lipschitz(draw) == pytest.approx(np.linalg.norm(matrix.T, 2), rel=100 * EPS)
    regression = ito.LinearRegressionSGD([[3.0, 4.0]], [1.0], 0.1)
    assert regression.lipschitz(0) == pytest.approx(1.5)  # |1 − 0.1·25|
    assert regression.lipschitz_max == pytest.approx(1.5)
    assert ito.LinearRegressionSGD([[1.0, 0.0]], [1.0], 0.1).lipschitz_max == 1.0  # I − haaᵀ fixes the complement
    # Logistic: slope 1 − h(ridge + ‖a‖²/4) at margin zero, 1 − h·ridge far away.
    logistic = ito.LogisticRegressionSGD([[2.0]], [1.0], 0.5, ridge=0.2)
    assert logistic.lipschitz(0) == pytest.approx(0.9)
    steep = ito.LogisticRegressionSGD([[6.0]], [1.0], 0.5, ridge=0.2)
    assert steep.lipschitz_max == pytest.approx(3.6)  # |1 − 0.5·(0.2 + 9)|


def test_gallery_has_its_coefficients():
    two = ito.gallery.two_point_quadratic(0.3)
    assert two.apply([0.5], 0) == pytest.approx([0.35])
    assert two.apply([0.5], 1) == pytest.approx([0.65])
    triangle = ito.gallery.sierpinski()
    corners = np.array([triangle.apply([0.0, 0.0], i) * 2 for i in range(3)])
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    np.testing.assert_allclose(sides, 1.0, rtol=4 * EPS)


def test_labels_zero_one_are_minus_one_one():
    zero_one = ito.LogisticRegressionSGD([[1.0], [2.0]], [0, 1], 0.1)
    np.testing.assert_array_equal(zero_one.labels, [-1.0, 1.0])


def test_arguments_are_copied():
    features = np.ones((3, 2))
    maps = ito.LinearRegressionSGD(features, [1, 2, 3], 1)
    features[0, 0] = 7.0
    assert maps.features[0, 0] == 1.0
    assert maps.targets.dtype == np.float64


GOOD = {"features": [[1.0, 2.0], [3.0, 4.0]], "targets": [1.0, 2.0], "step_size": 0.1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": [[1.0, np.nan], [3.0, 4.0]]}, r"features\[0, 1\] is nan"),
        ({"features": [[1.0, 2.0], [np.inf, 4.0]]}, r"features\[1, 0\] is inf"),
        ({"features": np.empty((0, 2)), "targets": []}, "features is empty"),
        ({"features": [1.0, 2.0]}, r"features has shape \(2,\)"),
        ({"features": [[1.0, 2.0], [3.0]]}, "features is not a rectangular array"),
        ({"features": np.array([["a", "b"], ["c", "d"]])}, "features has dtype <U1"),
        ({"features": np.array([[1, 2], [3, 4]], object)}, "features has dtype object"),
        ({"features": np.ones((2, 2), complex)}, "features has dtype complex128"),
        ({"targets": [1.0, 2.0, 3.0]}, "features has 2 rows and targets has 3 values"),
        ({"step_size": 0.0}, "step_size is 0.0"),
        ({"step_size": -1}, "step_size is -1"),
        ({"step_size": np.inf}, "step_size is inf"),
        ({"step_size": np.nan}, "step_size is nan"),
        ({"step_size": "0.1"}, "step_size is '0.1'"),
        ({"step_size": 0.1j}, "step_size is 0.1j"),
        ({"ridge": -0.1}, "ridge is -0.1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 3}, r"batch_size is 3: give an integer in \[1, 2\]"),
        ({"batch_size": 1.5}, "batch_size is 1.5"),
        ({"batch_size": True}, "batch_size is True"),
        ({"sampling": "random"}, "sampling is 'random'"),
    ],
)
def test_regression_refuses_bad_input(change, message):
    arguments = {**GOOD, **change}
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.LinearRegressionSGD(**arguments)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ito.LogisticRegressionSGD([[1.0], [2.0]], [1, 2], 0.1), r"labels holds \[2.0\]"),
        (lambda: ito.LogisticRegressionSGD([[1.0], [2.0], [3.0]], [-1, 0, 1], 0.1), "labels holds"),
        (lambda: ito.AffineMaps(np.ones((2, 2, 2)), np.ones((2, 3))), "matrices has shape"),
        (lambda: ito.AffineMaps(np.ones((2, 1, 1)), np.ones((2, 1)), [0.5, 0.6]), "probabilities sum to 1.1"),
        (lambda: ito.AffineMaps(np.ones((2, 1, 1)), np.ones((2, 1)), [1.5, -0.5]), r"probabilities\[1\] is -0.5"),
        (lambda: ito.AffineMaps(np.ones((2, 1, 1)), np.ones((2, 1)), [1.0]), r"probabilities has shape \(1,\)"),
        (
            lambda: ito.AffineMaps(np.ones((2, 1, 1)), np.ones((2, 1)), [0.5, 0.5], sampling="cyclic"),
            "only 'iid' draws with probabilities",
        ),
        (lambda: ito.QuadraticSGD([1.0], [0.0, 1.0], 0.1), "curvatures has shape"),
        (lambda: ito.QuadraticSGD([[[1.0, 2.0], [0.0, 1.0]]], [[0.0, 1.0]], 0.1), "not symmetric"),
        (lambda: ito.gallery.two_point_quadratic(0.0), "h is 0.0"),
        (lambda: ito.gallery.bernoulli_convolution(np.nan), "lam is nan"),
    ],
)
def test_families_refuse_bad_input(make, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        make()


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=6))
def test_probabilities_are_normalised_to_rounding(weights):
    p = np.array(weights) / np.sum(weights)
    m = len(p)
    maps = ito.AffineMaps(np.zeros((m, 1, 1)), np.zeros((m, 1)), p)
    assert maps.sampling_law.weights.sum() == pytest.approx(1.0, abs=m * EPS)
    drawn = {maps.draw(1, 0, step) for step in range(20)}
    assert drawn <= set(range(m))


def test_a_map_of_probability_zero_is_never_drawn():
    law = ito.AffineMaps(np.zeros((3, 1, 1)), np.zeros((3, 1)), [0.0, 1.0, 0.0]).sampling_law
    assert (noise.indices(1, 0, np.arange(10_000), 3, law.probabilities) == 1).all()
