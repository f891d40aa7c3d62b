"""Contraction in L^p: over every draw, from drawn batches, on real data."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from iterorder.maps import GaussianRegressionSGD, LinearRegressionSGD, LogisticRegressionSGD, gallery
from iterorder.theory import step_draws, theory
from iterorder.theory.contraction import contraction, lipschitz_constants
from iterorder.theory.step_draws import all_steps
from tests import naive_theory
from tests.systems import SYSTEMS

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(14)


@pytest.mark.parametrize("name", SYSTEMS)
def test_contraction_grows_with_its_power(name):
    maps = SYSTEMS[name]
    values = [contraction(maps, p).value for p in (1, 1.5, 2, 4, 40, math.inf)]
    # Powers and roots round by an ulp each, p times in a logarithm.
    assert all(a <= b * (1 + 64 * EPS) for a, b in itertools.pairwise(values))
    assert values[-1] <= maps.lipschitz_max * (1 + 8 * EPS)


@pytest.mark.parametrize("name", [name for name, maps in SYSTEMS.items() if all_steps(maps.sampling_law) is not None])
def test_lipschitz_constants_are_those_of_the_maps(name):
    maps = SYSTEMS[name]
    rows, _ = all_steps(maps.sampling_law)
    rows = rows[:: max(1, len(rows) // 50)]
    literal = [maps.lipschitz(row) for row in rows]
    np.testing.assert_allclose(lipschitz_constants(maps, rows), literal, rtol=64 * EPS * maps.dim)


@pytest.mark.parametrize("p", [1, 2, 7.5, 300, math.inf])
@pytest.mark.parametrize("name", ["quadratic d=2 batch", "linear d=3 batch 2", "affine d=3 weighted", "logistic d=5"])
def test_contraction_over_every_draw(name, p):
    found = contraction(SYSTEMS[name], p)
    assert found.exact
    assert found.value == pytest.approx(naive_theory.lipschitz_power_mean(SYSTEMS[name], p), rel=1e3 * EPS)


@pytest.mark.parametrize("p", [1, 3])
def test_drawn_batches_agree_with_listed_ones(p, monkeypatch):
    maps = LinearRegressionSGD(RNG.normal(size=(10, 2)), RNG.normal(size=10), 0.8, batch_size=3)
    exact = contraction(maps, p)
    monkeypatch.setattr(step_draws, "MAX_LISTED", 100)  # there are 120
    drawn = contraction(maps, p, seed=4)
    assert not drawn.exact
    assert drawn.standard_error > 0.0
    assert abs(drawn.value - exact.value) < 5 * drawn.standard_error  # a level of 6·10⁻⁷
    assert abs(drawn.value - contraction(maps, math.inf).value) > 5 * drawn.standard_error  # the wrong target
    top = contraction(maps, math.inf, seed=4)
    assert top.low <= top.value == top.high == maps.lipschitz_max


def test_breast_cancer_rows():
    datasets = pytest.importorskip("sklearn.datasets")
    features, labels = datasets.load_breast_cancer(return_X_y=True)
    features = (features - features.mean(0)) / features.std(0)
    largest = np.einsum("nd,nd->n", features, features).max()
    assert largest == pytest.approx(422, abs=0.5)
    maps = LogisticRegressionSGD(features, labels, 0.0189, ridge=0.1)  # below 2/(422/4 + ridge): contracts
    assert contraction(maps, math.inf).value == pytest.approx(1 - 0.0189 * 0.1, rel=4 * EPS)
    assert contraction(LogisticRegressionSGD(features, labels, 0.0191, ridge=0.1), math.inf).value > 1.0


def test_gaussian_features_on_the_line_are_exact():
    """E|1 − g²| = 4φ(1) and E(1 − g²)² = 2; in more dimensions constants are drawn."""
    maps = GaussianRegressionSGD([1.0], 1.0, 1.0)
    found = contraction(maps, 1)
    assert found.exact
    assert found.value == pytest.approx(4.0 * math.exp(-0.5) / math.sqrt(2.0 * math.pi), rel=1e-12)
    assert contraction(maps, 2).value == pytest.approx(math.sqrt(2.0), rel=1e-12)
    assert not contraction(GaussianRegressionSGD([1.0, 0.5], 1.0, 1.0), 1).exact


def test_reasons_without_a_largest_constant():
    assert "depends on the draw" in theory(gallery.vervaat()).reasons["lipschitz_max"]
    assert "unbounded" in theory(GaussianRegressionSGD([1.0], 1.0, 1.0)).reasons["lipschitz_max"]
    assert "give a bound" in theory(gallery.double_well(0.1, 0.2)).reasons["lipschitz_max"]
