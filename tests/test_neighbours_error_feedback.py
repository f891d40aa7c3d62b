"""What error feedback does to the mean of compressed gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.neighbours import error_feedback, federated

EPS = np.finfo(float).eps


@given(st.integers(0, 3), st.floats(0.01, 0.5))
def test_error_feedback_is_its_literal_step(client, step_size):
    curvatures, minimizers = federated.clients()
    x, e = np.array([0.4, -1.5]), np.array([0.2, 0.7])
    total = step_size * curvatures[client] @ (x - minimizers[client]) + e
    sent = np.where([client % 2 == 0, client % 2 == 1], total, 0.0)
    there = error_feedback.compressed(step_size=step_size).apply([*x, *e], client)
    assert there == pytest.approx([*(x - sent), *(total - sent)], rel=0, abs=64 * EPS)
    # The virtual iterate moves as if all had been sent.
    moved = x - e - step_size * curvatures[client] @ (x - minimizers[client])
    assert there[:2] - there[2:] == pytest.approx(moved, rel=0, abs=64 * EPS)
    without = error_feedback.compressed(step_size=step_size, memory="none").apply([*x, *e], client)
    assert without[2:].tolist() == [0.0, 0.0]
    assert without[:2] == pytest.approx(x - np.where([client % 2 == 0, client % 2 == 1], total - e, 0.0), abs=64 * EPS)


@pytest.mark.parametrize("step_size", [0.01, 0.1, 0.3])
def test_with_memory_the_mean_is_the_minimiser_and_without_it_is_not(step_size):
    curvatures, minimizers = federated.clients()
    theta = federated.optimum(curvatures, minimizers)
    elsewhere = error_feedback.end_without_memory(curvatures, minimizers, error_feedback.compressors())
    # Solves with condition numbers of at most some hundreds over the step size.
    tolerance = 1e4 * EPS / step_size
    mean = ito.theory(error_feedback.compressed(step_size=step_size)).mean
    assert mean[:2] == pytest.approx(theta, rel=0, abs=tolerance)
    without = ito.theory(error_feedback.compressed(step_size=step_size, memory="none")).mean
    assert without[:2] == pytest.approx(elsewhere, rel=0, abs=tolerance)
    assert np.linalg.norm(elsewhere - theta) > 0.1  # so that each rejects the other's target
