"""Momentum's rate from its matrix, and what error feedback does to the mean of compressed gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.neighbours import federated, memory

EPS = np.finfo(float).eps


@given(st.floats(0.001, 4.5), st.floats(0.0, 1.0))
def test_the_radius_of_momentum(step, momentum):
    radius = np.abs(np.linalg.eigvals(memory.momentum_matrix(step, momentum))).max()
    # A double eigenvalue moves by the root of what the matrix is rounded by.
    assert memory.momentum_radius(step, momentum) == pytest.approx(radius, rel=0, abs=16 * math.sqrt(16 * EPS))
    low, high = (1 - math.sqrt(momentum)) ** 2, (1 + math.sqrt(momentum)) ** 2
    if low < step < high:
        assert memory.momentum_radius(step, momentum) == pytest.approx(math.sqrt(momentum), rel=0, abs=4 * EPS)
    if momentum < 1 and abs(step / (2 * (1 + momentum)) - 1) > 1e-6:
        assert (memory.momentum_radius(step, momentum) < 1) == (step < 2 * (1 + momentum))


@pytest.mark.parametrize("step", [0.01, 0.2, 0.9])
def test_the_best_momentum(step):
    best = memory.best_momentum(step)
    least = memory.momentum_radius(step, best)
    assert least == pytest.approx(1 - math.sqrt(step), rel=0, abs=4 * math.sqrt(EPS))
    others = [memory.momentum_radius(step, b) for b in np.linspace(0, 0.999, 400)]
    assert min(others) >= least - 4 * math.sqrt(EPS)
    assert memory.momentum_radius(step, 0.0) == pytest.approx(abs(1 - step), rel=4 * EPS)  # the control: none


def test_the_optimiser_of_the_library_has_that_matrix():
    maps = ito.Optimizer(ito.QuadraticSGD([1.0], [0.0], 0.3), momentum=0.6)
    for column, start in enumerate(np.eye(2)):
        # Its velocity may be counted with another sign or scale: eigenvalues do not see it, columns would.
        assert np.isfinite(maps.apply(start, 0)).all(), column
    matrix = np.stack([maps.apply(start, 0) for start in np.eye(2)], axis=1)
    expected = np.sort_complex(np.linalg.eigvals(memory.momentum_matrix(0.3, 0.6)))
    assert np.sort_complex(np.linalg.eigvals(matrix)) == pytest.approx(expected, rel=0, abs=64 * EPS)


@given(st.integers(0, 3), st.floats(0.01, 0.5))
def test_error_feedback_is_its_literal_step(client, step_size):
    curvatures, minimizers = federated.clients()
    x, e = np.array([0.4, -1.5]), np.array([0.2, 0.7])
    total = step_size * curvatures[client] @ (x - minimizers[client]) + e
    sent = np.where([client % 2 == 0, client % 2 == 1], total, 0.0)
    there = memory.compressed(step_size=step_size).apply([*x, *e], client)
    assert there == pytest.approx([*(x - sent), *(total - sent)], rel=0, abs=64 * EPS)
    # The virtual iterate moves as if all had been sent.
    moved = x - e - step_size * curvatures[client] @ (x - minimizers[client])
    assert there[:2] - there[2:] == pytest.approx(moved, rel=0, abs=64 * EPS)
    without = memory.compressed(step_size=step_size, memory="none").apply(x, client)
    assert without == pytest.approx(x - np.where([client % 2 == 0, client % 2 == 1], total - e, 0.0), abs=64 * EPS)


@pytest.mark.parametrize("step_size", [0.01, 0.1, 0.3])
def test_with_memory_the_mean_is_the_minimiser_and_without_it_is_not(step_size):
    curvatures, minimizers = federated.clients()
    theta = federated.optimum(curvatures, minimizers)
    elsewhere = memory.end_without_memory(curvatures, minimizers, memory.compressors())
    # Solves with condition numbers of at most some hundreds over the step size.
    tolerance = 1e4 * EPS / step_size
    mean = ito.theory(memory.compressed(step_size=step_size)).mean
    assert mean[:2] == pytest.approx(theta, rel=0, abs=tolerance)
    without = ito.theory(memory.compressed(step_size=step_size, memory="none")).mean
    assert without == pytest.approx(elsewhere, rel=0, abs=tolerance)
    assert np.linalg.norm(elsewhere - theta) > 0.1  # so that each rejects the other's target
