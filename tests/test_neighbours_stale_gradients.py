"""Late gradients of federated quadratics: how late they may come, and that they make no bias."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.neighbours import federated

EPS = np.finfo(float).eps


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
