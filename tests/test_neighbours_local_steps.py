"""Local steps of federated quadratics: the literal rounds and the exact bias."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.neighbours import federated

EPS = np.finfo(float).eps


@given(st.floats(0.01, 1.0), st.integers(1, 30), st.floats(0.0, 1.0))
def test_a_round_is_its_literal_steps(step_size, steps, spread):
    maps = federated.local_steps(step_size=step_size, steps=steps, spread=spread)
    curvatures, minimizers = federated.clients(spread)
    for client in range(4):
        x = np.array([0.3, -2.0])
        for _ in range(steps):
            x = x - step_size * curvatures[client] @ (x - minimizers[client])
        # Each of the K steps rounds a few products of numbers below 4, and no step expands.
        assert maps.apply([0.3, -2.0], client) == pytest.approx(x, rel=0, abs=64 * steps * EPS)


@pytest.mark.parametrize("steps", [1, 2, 10, 100])
def test_the_stationary_mean_is_the_fixed_point_and_no_minimiser(steps):
    curvatures, minimizers = federated.clients()
    mean = ito.theory(federated.local_steps(step_size=0.2, steps=steps)).mean
    theta = federated.optimum(curvatures, minimizers)
    tolerance = 1e4 * EPS  # solves with matrices whose condition is below a hundred
    assert mean == pytest.approx(federated.fixed_point(curvatures, minimizers, 0.2, steps), rel=0, abs=tolerance)
    if steps == 1:
        assert mean == pytest.approx(theta, rel=0, abs=tolerance)
    else:  # the wrong target
        assert np.linalg.norm(mean - theta) > 1e-2
    # Clients of one curvature agree for every K: only the spread makes a bias.
    equal = ito.theory(federated.local_steps(step_size=0.2, steps=steps, spread=0.0)).mean
    assert equal == pytest.approx(minimizers.mean(axis=0), rel=0, abs=tolerance)


def test_the_bias_is_of_first_order_and_ends_at_the_mean_of_the_minimisers():
    curvatures, minimizers = federated.clients()
    theta = federated.optimum(curvatures, minimizers)
    left = []
    for step_size in (2.0**-8, 2.0**-9):
        bias = federated.fixed_point(curvatures, minimizers, step_size, 6) - theta
        left.append(np.linalg.norm(bias - federated.first_order_bias(curvatures, minimizers, step_size, 6)))
    # What is left is of second order, with a correction of third: halving h divides it by four, up to K·h.
    assert left[0] / left[1] == pytest.approx(4, rel=6 * 2.0**-8 * 4)
    wrong = federated.first_order_bias(curvatures, minimizers, 2.0**-9, 7)  # K where K − 1 belongs
    bias = federated.fixed_point(curvatures, minimizers, 2.0**-9, 6) - theta
    assert np.linalg.norm(bias - wrong) > 4 * left[1]
    end = federated.fixed_point(curvatures, minimizers, 0.5, 2000)
    # (1 − hλ)^K at the least curvature, .1: below e^(−.05·2000)
    assert end == pytest.approx(minimizers.mean(axis=0), rel=0, abs=1e3 * EPS)
