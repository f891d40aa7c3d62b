"""Hessian products against a full Hessian from differences of gradients, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from iterorder.networks import MLP, hessian_ends, hessian_trace, step_lipschitz
from iterorder.networks import curvature as curvatures

RNG = np.random.default_rng(5)
FEATURES, LABELS = RNG.normal(size=(30, 4)), RNG.integers(0, 3, 30)
EPS = np.finfo(float).eps


def model(**options):
    return MLP(FEATURES, LABELS, **{"hidden": (6,), "step_size": 0.2, "dtype": "float64"} | options)


def position(of, seed=1):
    return of.position(of.start(1, seed=seed, start=0))[0]


def full(of, theta, items=None):
    return of.hessian_products(theta, np.eye(len(theta)), items)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("hidden", [(), (6,), (5, 4)])
@pytest.mark.parametrize("items", [None, [3, 4, 4, 9]])
def test_the_products_are_those_of_the_hessian_from_gradients(activation, hidden, items):
    """Central differences of exact gradients: third order error and rounding, in directions that cross no kink."""
    of = model(activation=activation, hidden=hidden)
    theta, h = position(of), 2.0**-17
    exact = full(of, theta, items)
    differences = np.array(
        [(of.gradient(theta + h * e, items) - of.gradient(theta - h * e, items)) / (2 * h) for e in np.eye(len(theta))]
    )
    bound = 256 * h**2 / 6 + 16 * EPS / h
    assert np.abs(exact - differences).max() < bound
    assert np.abs(exact - exact.T).max() < 64 * EPS
    assert np.abs(exact).max() > 0.01  # the control: zero would not pass
    one = of.hessian_products(theta, np.arange(len(theta)) * 1.0, items)
    np.testing.assert_allclose(one, exact @ np.arange(len(theta)), atol=len(theta) ** 2 * 64 * EPS)


def test_products_of_a_float32_model_are_in_float64():
    wide, narrow = model(), model(dtype="float32")
    theta = position(narrow).astype(float)
    # The features were rounded to 24 bits: the products of numbers below 8 are off by 2^-24 of 64.
    np.testing.assert_allclose(full(narrow, theta), full(wide, theta), atol=64 * 2.0**-23)
    assert full(narrow, theta).dtype == np.float64


@pytest.mark.parametrize("dense", [True, False])
def test_ends_and_trace_are_those_of_the_full_hessian(dense, monkeypatch):
    of = model(hidden=(7,))
    theta = position(of)
    monkeypatch.setattr(curvatures, "DENSE", 64 if dense else 0)
    values = np.linalg.eigvalsh(full(of, theta, [1, 2, 3]))
    low, high = hessian_ends(of, theta, [1, 2, 3], tol=1e-10)
    assert low == pytest.approx(values[0], abs=1e-8 * values[-1])
    assert high == pytest.approx(values[-1], rel=1e-8)
    assert hessian_trace(of, theta, [1, 2, 3], n_probes=59, seed=1).exact
    exact = float(hessian_trace(of, theta, [1, 2, 3], n_probes=59, seed=1))
    assert exact == pytest.approx(values.sum(), abs=len(values) * 64 * EPS)
    estimates = [hessian_trace(of, theta, [1, 2, 3], n_probes=50, seed=seed) for seed in range(40)]
    assert not any(estimate.exact for estimate in estimates)
    mean = np.mean([estimate.value for estimate in estimates])
    error = np.mean([estimate.standard_error for estimate in estimates]) / 40**0.5
    # Four standard errors: a level of 6·10⁻⁵ for normal means. The sum of the absolute values is the wrong target.
    assert abs(mean - exact) < 4 * error
    assert abs(mean - np.abs(values).sum()) > 4 * error


def test_probes_are_exact_on_a_diagonal():
    """vᵀDv of signs is the trace of a diagonal D: no variance."""

    class Diagonal:
        def hessian_products(self, position, directions, items=None):
            return directions * np.arange(100.0)

    estimate = hessian_trace(Diagonal(), np.zeros(100), n_probes=5, seed=0)
    assert (estimate.value, estimate.standard_error) == (4950.0, 0.0)


@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.3}, {"momentum": 0.9}, {"momentum": 0.5, "weight_decay": 0.1}]
)
def test_the_norm_of_a_step_is_that_of_its_derivative(options):
    """By differences of the step itself, on the whole state."""
    of = model(activation="tanh", step_size=0.7, **options)
    theta, items, h = position(of), [3, 4, 9], 2.0**-17
    state = of.at(theta)
    names = list(state)

    def moved(direction):
        there = {name: array.copy() for name, array in state.items()}
        used = 0
        for name in names:
            size = there[name].size
            there[name] += direction[used : used + size].reshape(there[name].shape)
            used += size
        after = of.step(there, items, 0)
        return np.concatenate([after[name].ravel() for name in names])

    size = sum(array.size for array in state.values())
    derivative = np.array([(moved(h * e) - moved(-h * e)) / (2 * h) for e in np.eye(size)]).T
    expected = np.linalg.norm(derivative, 2)
    assert step_lipschitz(of, theta, items) == pytest.approx(expected, abs=size * (256 * h**2 / 6 + 16 * EPS / h))


def test_a_convex_loss_with_decay_contracts_and_a_network_need_not():
    softmax = model(hidden=(), weight_decay=0.1, step_size=0.1)
    assert step_lipschitz(softmax, np.zeros(15), [1, 2]) <= 1 - 0.1 * 0.1 + 15 * EPS
    network = model(hidden=(16,))
    assert max(step_lipschitz(network, position(network, seed), [1, 2]) for seed in range(5)) > 1.0


def test_schedules_are_read():
    of = model(step_size=[0.5, 0.1])
    theta = position(of)
    assert step_lipschitz(of, theta, [1], k=5) == step_lipschitz(model(step_size=0.1), theta, [1])


def test_what_has_no_hessian_is_refused():
    with pytest.raises(ito.InvalidInputError, match="without hessian_products"):
        hessian_ends(object(), np.zeros(3))
    with pytest.raises(ito.InvalidInputError, match="derivative of its step"):
        step_lipschitz(object(), np.zeros(3), [1])
    with pytest.raises(ito.InvalidInputError, match="directions has 5"):
        model().hessian_products(position(model()), np.zeros(5))
    with pytest.raises(ito.InvalidInputError, match="n_probes is 1"):
        hessian_trace(model(), position(model()), n_probes=1, seed=0)
