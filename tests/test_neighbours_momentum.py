"""Momentum's rate from its matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.neighbours.momentum import best_momentum, momentum_matrix, momentum_radius

EPS = np.finfo(float).eps


@given(st.floats(0.001, 4.5), st.floats(0.0, 1.0))
def test_the_radius_of_momentum(step, momentum):
    radius = np.abs(np.linalg.eigvals(momentum_matrix(step, momentum))).max()
    # A double eigenvalue moves by the root of what the matrix is rounded by.
    assert momentum_radius(step, momentum) == pytest.approx(radius, rel=0, abs=16 * math.sqrt(16 * EPS))
    low, high = (1 - math.sqrt(momentum)) ** 2, (1 + math.sqrt(momentum)) ** 2
    if low < step < high:
        assert momentum_radius(step, momentum) == pytest.approx(math.sqrt(momentum), rel=0, abs=4 * EPS)
    if momentum < 1 and abs(step / (2 * (1 + momentum)) - 1) > 1e-6:
        assert (momentum_radius(step, momentum) < 1) == (step < 2 * (1 + momentum))


@pytest.mark.parametrize("step", [0.01, 0.2, 0.9])
def test_the_best_momentum(step):
    best = best_momentum(step)
    least = momentum_radius(step, best)
    assert least == pytest.approx(1 - math.sqrt(step), rel=0, abs=4 * math.sqrt(EPS))
    others = [momentum_radius(step, b) for b in np.linspace(0, 0.999, 400)]
    assert min(others) >= least - 4 * math.sqrt(EPS)
    assert momentum_radius(step, 0.0) == pytest.approx(abs(1 - step), rel=4 * EPS)  # the control: none


def test_the_optimiser_of_the_library_has_that_matrix():
    maps = ito.Optimizer(ito.QuadraticSGD([1.0], [0.0], 0.3), momentum=0.6)
    for column, start in enumerate(np.eye(2)):
        # Its velocity may be counted with another sign or scale: eigenvalues do not see it, columns would.
        assert np.isfinite(maps.apply(start, 0)).all(), column
    matrix = np.stack([maps.apply(start, 0) for start in np.eye(2)], axis=1)
    expected = np.sort_complex(np.linalg.eigvals(momentum_matrix(0.3, 0.6)))
    assert np.sort_complex(np.linalg.eigvals(matrix)) == pytest.approx(expected, rel=0, abs=64 * EPS)
