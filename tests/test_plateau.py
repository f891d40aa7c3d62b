"""Plateaus are found where a curve ends on one, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterorder.convergence.plateau import MIN_HEAD, MIN_TAIL, find_plateau
from tests import naive_convergence as naive


def scatter(n, size, seed=0):
    return size * np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("seed", range(5))
def test_break_is_the_best_of_all_pairs_of_lines(seed):
    x = np.arange(40.0)
    y = np.maximum(-0.3 * x, -5.0) + scatter(40, 0.2, seed)
    assert find_plateau(x, y).start == naive.best_break(x, y, MIN_HEAD, MIN_TAIL)


@given(slope=st.floats(-2, -0.1), n_head=st.integers(5, 60), n_tail=st.integers(10, 100), shift=st.floats(-100, 100))
def test_a_clean_plateau_is_found_at_its_level_and_whatever_the_units(slope, n_head, n_tail, shift):
    x = np.arange(float(n_head + n_tail))
    y = np.maximum(slope * x, slope * n_head)
    found, raised, mirrored = find_plateau(x, y), find_plateau(x, y + shift), find_plateau(2 * x, -y)
    assert found.start == pytest.approx(n_head, abs=1)
    assert found.level == slope * n_head
    assert raised.level == pytest.approx(found.level + shift)
    # Growth that saturates is the same curve upside down.
    assert (mirrored.start, mirrored.level) == (found.start, -found.level)
    assert mirrored.slope == pytest.approx(-found.slope / 2)


@pytest.mark.parametrize("n_tail", [12, 30, 300])
def test_a_rough_plateau_is_found(n_tail):
    x = np.arange(20.0 + n_tail)
    curves = [np.maximum(-0.5 * x, -10.0) + scatter(len(x), 0.2, seed) for seed in range(100)]
    found = [plateau for y in curves if (plateau := find_plateau(x, y)) is not None]
    assert len(found) >= 95
    # The median of at least eight points of spread .2, and the corner that the break may cut.
    assert all(abs(plateau.level + 10) < 0.4 for plateau in found)


SMOOTH = {
    "line": lambda x: -0.3 * x,
    "flat": lambda x: 0.0 * x,
    "slower mode": lambda x: np.log(np.exp(-x) + 0.1 * np.exp(-0.02 * x)),
    "power law": lambda x: -np.log(x + 1),
    "growth": lambda x: 0.1 * x,
}


@pytest.mark.parametrize("n", [11, 50, 400])
@pytest.mark.parametrize("name", SMOOTH)
def test_a_curve_without_a_plateau_has_none(name, n):
    x = np.arange(float(n))
    assert find_plateau(x, SMOOTH[name](x)) is None


@pytest.mark.parametrize("size", [0.01, 1.0, 10.0])
def test_scatter_about_a_line_is_no_plateau(size):
    x = np.arange(100.0)
    assert not any(find_plateau(x, -0.3 * x + scatter(100, size, seed)) for seed in range(200))


def test_a_smooth_floor_is_found_and_a_short_curve_has_none():
    x = np.arange(60.0)
    found = find_plateau(x, np.log(np.exp(-0.5 * x) + 1e-3))
    # The median of the plateau, which starts near step 14 and ends at 60, is its value near step 37.
    assert found.level == pytest.approx(np.log(1e-3), abs=2e3 * np.exp(-0.5 * 36))
    assert find_plateau(x[:10], np.maximum(-x[:10], -3.0)) is None
