"""The collapse on the temperature: the covariance against `theory`, its expansion, and what is not the temperature."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.neighbours.temperature import covariance, temperature_collapse, temperature_of

ROOT = Path(__file__).resolve().parents[1]
SIDECAR = json.loads((ROOT / "figures" / "neighbours_temperature.json").read_text(encoding="utf-8"))
DATA = {name: np.array(values, dtype=float) for name, values in SIDECAR["data"].items()}
EPS = np.finfo(float).eps


def regression(step_size, batch_size):
    rng = np.random.default_rng(1)
    return ito.LinearRegressionSGD(rng.normal(size=(8, 2)), rng.normal(size=8), step_size, batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_the_covariance_is_that_of_the_moment_equations(batch_size):
    """Two linear solves of size 4 with condition numbers below 10⁴; the control leaves out the finite population."""
    maps = regression(0.1, batch_size)
    known = ito.theory(maps).covariance
    scale = max(np.abs(known).max(), 0.1)
    np.testing.assert_allclose(covariance(maps), known, rtol=0, atol=1e4 * 16 * EPS * scale)
    if batch_size == 3:
        factor = temperature_of(0.1, 3, 8) / (0.1 / 3)
        assert np.abs(covariance(maps) / factor - known).max() > 0.1 * np.abs(known).max()


def test_no_stationary_variance_is_nan():
    assert np.isnan(covariance(regression(3.0, 1))).all()
    assert np.isnan(temperature_collapse(regression(3.0, 1), 0)["departure"])


@pytest.mark.parametrize("batch_size", [1, 2])
def test_equal_curvatures_have_a_closed_form(batch_size):
    """Variance hλσ²_B/(2 − hλ): the departure is 1/(1 − hλ/2) − 1 for every batch size, and not 1/(1 − hλ) − 1."""
    h, curvature = 0.3, 1.5
    maps = ito.QuadraticSGD(np.full(4, curvature), np.array([0.0, 1.0, 3.0, 7.0]), h, batch_size=batch_size)
    found = temperature_collapse(maps, 0)
    assert found["departure"] == pytest.approx(1 / (1 - h * curvature / 2) - 1, abs=256 * EPS)
    assert abs(found["departure"] - (1 / (1 - h * curvature) - 1)) > 0.1
    assert found["predicted"] == pytest.approx(h * curvature / 2, abs=256 * EPS)


def test_the_first_departure_has_a_remainder_of_second_order():
    """Halving the step quarters what the expansion leaves, at every batch size; without the term in T it halves it."""
    steps = 0.02 / 2.0 ** np.arange(5)
    for size in (1, 2, 4):
        found = [temperature_collapse(regression(h, size), 0) for h in steps]
        rest = np.array([f["departure"] - f["predicted"] for f in found])
        # The next order changes a ratio by a share of about h‖a‖² ≤ 0.02·4 of it, halved at each step.
        np.testing.assert_allclose(rest[1:] / rest[:-1], 0.25, atol=0.05)
        alone = np.array([f["departure"] - 0.5 * f["predicted"] for f in found])
        assert (np.abs(alone[1:] / alone[:-1] - 0.25) > 0.1).all()


def test_the_figure_collapses_for_distinct_points_and_not_for_h_over_b():
    """At the smallest step variances over T agree to their largest first departure; over h/B they differ by 3."""
    first = DATA["departure"][:, 0].max()
    over_t = (DATA["variance"] / DATA["temperature"])[:, 0]
    over_b = (DATA["variance"] / DATA["ratio"])[:, 0]
    assert over_t.max() / over_t.min() - 1.0 < 2.0 * first < 1e-3
    assert over_b.max() / over_b.min() > 3.0


def test_other_samplings_and_losses_are_refused():
    maps = ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.1, sampling="cyclic")
    with pytest.raises(InvalidInputError, match="sampling is 'cyclic'"):
        temperature_collapse(maps, 0)
    with pytest.raises(InvalidInputError, match="not quadratic"):
        temperature_collapse(ito.LogisticRegressionSGD(np.eye(2), [1.0, -1.0], 0.1, ridge=0.1), 0)
