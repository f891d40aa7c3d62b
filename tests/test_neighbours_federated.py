"""Federated quadratics: the literal rounds, the exact bias, and how late a gradient may come."""

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


@given(st.integers(0, 12), st.floats(-0.05, 0.05))
def test_the_limit_of_the_delay(delay, off):
    """The companion matrix of z^(τ+1) − z^τ + a: inside the circle below the limit, outside above."""
    a = federated.delay_limit(delay) * (1 + off)
    polynomial = [1.0, -1.0, *[0.0] * (delay - 1), a] if delay else [1.0, a - 1.0]
    radius = np.abs(np.roots(polynomial)).max()
    if abs(off) > 1e-6:
        assert (radius < 1) == (off < 0)


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_late_gradients_have_no_bias_and_less_room(delay):
    curvatures, minimizers = federated.clients()
    largest = np.linalg.eigvalsh(curvatures.mean(axis=0))[-1]
    limit = federated.delay_limit(delay) / largest
    maps = federated.stale_gradients(step_size=0.1, delay=delay)
    mean = ito.theory(maps).mean
    assert mean == pytest.approx(np.tile(federated.optimum(curvatures, minimizers), delay + 1), rel=0, abs=1e5 * EPS)
    for share, stable in ((0.999, True), (1.001, False)):
        matrix = federated.stale_gradients(step_size=share * limit, delay=delay).matrices.mean(axis=0)
        assert (np.abs(np.linalg.eigvals(matrix)).max() < 1) == stable
    # The literal recursion, from a list of states.
    states = [np.array([1.0, -1.0]) * (k + 1) for k in range(delay + 1)]  # oldest first
    there = maps.apply(np.concatenate(states[::-1]), 2)
    expected = states[-1] - 0.1 * curvatures[2] @ (states[0] - minimizers[2])
    assert there[:2] == pytest.approx(expected, rel=0, abs=64 * EPS * (delay + 2))
    assert there[2:].tolist() == np.concatenate(states[::-1])[:-2].tolist()
