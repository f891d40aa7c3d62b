"""The gallery: its laws, their functions against each other, and simulated against exact."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

import iterorder as ito
from iterorder.maps.laws import BinaryLaw, CantorLaw, DickmanLaw

gallery = ito.gallery
# Level of each statistical test of this file; seeds are fixed.
LEVEL = 1e-5
EPS = np.finfo(np.float64).eps

LINE = {
    "ar1": (gallery.ar1(0.7, 0.5), 120),
    "arcsine": (gallery.arcsine(), 150),
    "vervaat": (gallery.vervaat(), 80),
    "reflected walk": (gallery.reflected_walk(), 400),
    "uniform": (gallery.two_point_quadratic(0.5), 60),
    "cantor": (gallery.two_point_quadratic(2 / 3), 60),
    "bernoulli": (gallery.bernoulli_convolution(0.3), 60),
}


@pytest.mark.parametrize("make", [gallery.two_point_quadratic, lambda h: gallery.double_well(h, 0.1)])
def test_errors_name_the_argument_of_the_gallery(make):
    for value in ("a", -1.0, 0.0):
        with pytest.raises(ito.InvalidInputError, match=r"^h is "):
            make(value)


@pytest.mark.parametrize("name", LINE)
def test_simulated_states_follow_the_exact_law(name):
    """Kolmogorov's test; the wrong target is the law moved by a twelfth of its standard deviation."""
    maps, n = LINE[name]
    states = ito.simulate(maps, [0.1], n, n_replicas=20_000, seed=11).states.ravel()
    # What is left of the start is far below the resolution of the test, n^(-1/2); it moves no point across an atom.
    moved = states + math.sqrt(maps.law.var()) / 12
    assert stats.ks_1samp(states, maps.law.cdf).pvalue > LEVEL
    assert stats.ks_1samp(moved, maps.law.cdf).pvalue < LEVEL


@pytest.mark.parametrize("name", LINE)
def test_quantiles_invert_the_distribution_function(name):
    law = LINE[name][0].law
    q = np.linspace(0.01, 0.99, 99)
    # A Cantor function with ratio λ turns a rounding of the quantile into its power log 2/log(1/λ) ≥ .57.
    np.testing.assert_allclose(law.cdf(law.ppf(q)), q, rtol=0, atol=(8 * EPS) ** 0.57)
    x = law.ppf(q)
    assert (np.diff(x) >= 0).all()


def test_moments_of_binary_laws_are_those_of_their_series():
    law = BinaryLaw(0.8, -1.0, 1.0)
    # Cumulants of a sum of independent ±λ^k: the fourth is −2·Σ λ^(4k).
    variance, fourth = 1 / (1 - 0.64), 3 / (1 - 0.64) ** 2 - 2 / (1 - 0.8**4)
    assert law.moment(2) == pytest.approx(variance, rel=16 * EPS)
    assert law.var() == pytest.approx(variance, rel=16 * EPS)
    assert law.moment(4) == pytest.approx(fourth, rel=64 * EPS)
    assert law.moment(1) == law.moment(3) == 0.0
    sample = law.rvs(40_000, random_state=1)
    # Five standard errors of a sample variance with this kurtosis; another λ is far outside.
    error = 5 * math.sqrt((fourth - variance**2) / 40_000)
    assert abs(sample.var() - variance) < error
    assert abs(sample.var() - BinaryLaw(0.75, -1.0, 1.0).var()) > error


def test_the_cantor_function():
    law = CantorLaw(1 / 3, 0.0, 2 / 3)
    assert law.cdf([-1.0, 0.4, 0.5, 0.6, 2.0]).tolist() == [0.0, 0.5, 0.5, 0.5, 1.0]
    assert law.cdf(0.25) == pytest.approx(1 / 3, abs=(8 * EPS) ** 0.63)
    assert law.ppf([0.0, 1.0]) == pytest.approx([0.0, 1.0], abs=2 * EPS)


def test_dickmans_law():
    law = DickmanLaw()
    assert law.cdf(1.0) == pytest.approx(math.exp(-np.euler_gamma), rel=8 * EPS)
    x = 1.7
    assert law.cdf(x) == pytest.approx(math.exp(-np.euler_gamma) * (2 * x - 1 - x * math.log(x)), rel=16 * EPS)
    # ρ(3), from tables.
    assert law.pdf(3.0) * math.exp(np.euler_gamma) == pytest.approx(0.0486083882911316, rel=1e-13)
    total, _ = integrate.quad(lambda t: t**2 * law.pdf(t), 0, 20, points=range(1, 20), limit=200)
    assert total == pytest.approx(law.moment(2), rel=1e-10)
    assert [law.moment(k) for k in range(4)] == pytest.approx([1, 1, 3 / 2, 17 / 6], rel=8 * EPS)
    assert law.cdf([-1.0, 0.0, 30.0]).tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("maps", [gallery.sierpinski(), gallery.barnsley_fern()])
def test_moments_of_fractals_are_those_of_the_theory(maps):
    known = ito.theory(maps)
    np.testing.assert_allclose(maps.law.mean, known.mean, rtol=1e3 * EPS)
    np.testing.assert_allclose(maps.law.covariance, known.covariance, rtol=1e3 * EPS, atol=EPS)


def test_the_cyclic_walk_has_a_law_and_no_limit():
    maps = gallery.cyclic_walk(5)
    states = ito.simulate(maps, [0.0], 300, n_replicas=20_000, seed=1).states.ravel()
    counts = np.bincount(states.astype(int), minlength=5)
    assert stats.chisquare(counts).pvalue > LEVEL
    assert stats.chisquare(counts, counts.sum() * np.array([0.22, 0.2, 0.2, 0.2, 0.18])).pvalue < LEVEL
    verdict = ito.diagnose(maps, [0.0], 2000, order="backward", n_replicas=50, seed=1).verdict
    assert verdict != "point"


def test_double_well_keeps_to_its_basin():
    """Far below the threshold s = 2/(3√3) two laws, and at twice it one."""
    two, one = gallery.double_well(0.25, 0.19), gallery.double_well(0.25, 0.77)
    for maps, crosses in ((two, False), (one, True)):
        path = ito.simulate(maps, [1.0], 4000, n_replicas=50, seed=1, save_steps="all").states
        assert (path.min(axis=1) < 0).any() == crosses


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gallery.ar1(0.5, -1.0), "sigma"),
        (lambda: gallery.cyclic_walk(1), "N is 1"),
        (lambda: gallery.double_well(0.1, 0.0), "s is 0.0"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        make()


@pytest.mark.parametrize(
    "maps", [gallery.ar1(0.5, 1.0), ito.GaussianRegressionSGD([1.0], 1.0, 0.3)], ids=["ar1", "gaussian"]
)
@pytest.mark.parametrize(("order", "verdict"), [("backward", "point"), ("forward", "distribution")])
def test_fresh_noise_is_diagnosed(maps, order, verdict):
    assert ito.diagnose(maps, [0.3], 5000, order=order, n_replicas=200, seed=1).verdict == verdict


def test_no_law_without_a_contraction():
    assert gallery.ar1(1.0, 1.0).law is None
    assert gallery.two_point_quadratic(2.5).law is None
    assert gallery.double_well(0.1, 0.2).law is None
