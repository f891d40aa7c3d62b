"""Zeroth-order SGD: the literal estimate, its conjugate least squares, and the boundary over the dimension."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.neighbours import zeroth_order as zeroth

EPS = np.finfo(float).eps


@given(st.integers(1, 8), st.floats(1.0, 30.0), st.floats(0.01, 4.0), st.integers(0, 99))
def test_a_literal_step_is_one_of_least_squares_in_other_coordinates(dim, condition, width, seed):
    curvatures = zeroth.eigenvalues(dim, condition)
    generator = np.random.default_rng(seed)
    x, direction = generator.normal(size=dim), generator.normal(size=dim)

    def loss(z):
        return 0.5 * float(curvatures @ z**2)

    moved = x - 0.1 * zeroth.slope_estimate(loss, x, direction, width)
    root = np.sqrt(curvatures)
    features = root * direction
    y = root * x - 0.1 * features * (features @ (root * x))
    # The two losses are rounded by (dim + 4)·eps of their size before their difference is divided by 2·width.
    size = (np.abs(x) + width * np.abs(direction)) @ (np.abs(x) + width * np.abs(direction))
    tolerance = 8 * (dim + 8) * EPS * (1 + size / width) * (1 + np.abs(direction).max()) ** 3
    assert root * moved == pytest.approx(y, rel=0, abs=tolerance)


@pytest.mark.parametrize("dim", [1, 2, 8, 50])
def test_the_isotropic_boundary(dim):
    expected = 2 / (dim + 2)
    assert zeroth.isotropic_boundary(dim) == pytest.approx(expected, rel=4 * EPS)
    assert zeroth.boundary(np.ones(dim)) == pytest.approx(expected, rel=8 * dim * EPS)
    found = ito.stability_boundary(lambda h: zeroth.zeroth_order(step_size=h, dim=dim), 0.01, 1.9)
    assert found.exact
    assert found.value == pytest.approx(expected, rel=1e3 * dim * EPS)
    assert abs(found.value - 2 / (dim + 1)) > 1e-4  # the wrong target


@pytest.mark.parametrize("condition", [3.0, 100.0])
def test_the_boundary_of_unequal_curvatures_is_where_the_moments_stand_still(condition):
    """Against the operator on diagonal second moments, c ↦ c − 2hλc + h²λ(2λc + λ·c) by Isserlis."""
    curvatures = zeroth.eigenvalues(6, condition)
    h = zeroth.boundary(curvatures)
    operator = np.diag(1 - 2 * h * curvatures + 2 * (h * curvatures) ** 2) + h**2 * np.outer(curvatures, curvatures)
    assert np.abs(np.linalg.eigvals(operator)).max() == pytest.approx(1, rel=1e3 * EPS)
    found = ito.stability_boundary(lambda s: zeroth.zeroth_order(step_size=s, dim=6, condition=condition), 0.01, 1.0)
    assert found.value == pytest.approx(h, rel=1e4 * EPS)
    assert h < 2  # gradient descent's, which it never reaches
    assert zeroth.isotropic_boundary(6) < h


@pytest.mark.parametrize("directions", [1, 3])
def test_the_growth_of_the_square_in_a_step(directions):
    """E‖x'‖²/‖x‖² = 1 − 2h + h²(d + 1 + B)/B; a right library fails with probability 10⁻³ over the seed."""
    dim, h, count = 6, 0.3, 40_000
    draws = np.random.default_rng(4).normal(size=(count, directions, dim))
    x = np.full(dim, 1 / math.sqrt(dim))
    moved = x - h * np.einsum("rbi,rb->ri", draws, draws @ x) / directions
    squares = (moved**2).sum(axis=1)
    expected = 1 - 2 * h + h**2 * (dim + 1 + directions) / directions
    error = squares.std() / math.sqrt(count)
    assert abs(squares.mean() - expected) < 3.29 * error
    wrong = 1 - 2 * h + h**2 * (dim + 3 + directions) / directions
    assert abs(squares.mean() - wrong) > 3.29 * error
    assert 1 - 2 * zeroth.isotropic_boundary(dim, 1.0, directions) + zeroth.isotropic_boundary(
        dim, 1.0, directions
    ) ** 2 * (dim + 1 + directions) / directions == pytest.approx(1, rel=16 * EPS)
