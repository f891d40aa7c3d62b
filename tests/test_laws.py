"""The laws of the gallery that SciPy does not have: quantile and distribution function belong together everywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iterorder.claims.laws import Cantor
from iterorder.maps.laws import CantorLaw, DickmanLaw

EPS = np.finfo(np.float64).eps
DICKMAN = DickmanLaw()
LAWS = {
    "cantor": CantorLaw(1 / 3, 0.0, 2 / 3),
    "moved cantor": CantorLaw(0.4, -1.0, 1.0),
    "atoms": CantorLaw(0.0, 0.0, 1.0),
    "uniform": CantorLaw(0.5, 0.0, 0.5),
    "vervaat": DICKMAN,
    "the check's cantor": Cantor(),
}
levels = st.one_of(st.floats(0, 1, exclude_min=True), st.integers(1, 64).map(lambda k: k / 64))


@pytest.mark.parametrize("name", LAWS)
@given(levels, st.floats(-3, 22))
def test_the_quantile_is_the_smallest_point_that_reaches_the_level(name, q, x):
    """ppf(q) ≤ x exactly where q ≤ cdf(x), up to the rounding of x."""
    law = LAWS[name]
    quantile = float(law.ppf(q))
    reached, missed = float(law.cdf(np.nextafter(quantile, np.inf))), float(law.cdf(quantile - 16 * EPS))
    # Cantor functions turn a rounding of x into its power log 2/log(1/λ) ≥ .63; Dickman's levels have one of eps.
    slack = 0.0 if name == "atoms" else (16 * EPS) ** 0.63
    assert reached >= q - slack
    assert missed <= q + slack
    if q <= law.cdf(x) - slack:
        assert quantile <= x + 16 * EPS * max(abs(x), 1)
    if q > law.cdf(x) + slack:
        assert quantile >= x - 16 * EPS * max(abs(x), 1)


@given(st.integers(1, 2**12 - 1), st.integers(0, 9))
def test_a_level_in_whole_digits_is_met_at_the_lower_end_of_its_gap(k, further):
    """The convention of SciPy; the upper end of the gap is the control."""
    q = k / 2**12
    ones = [place for place in range(1, 13) if (k >> (12 - place)) & 1]
    lower = sum(2 / 3**place for place in ones[:-1]) + 1 / 3 ** ones[-1]
    upper = sum(2 / 3**place for place in ones)
    for law in (LAWS["cantor"], Cantor()):
        found = float(law.ppf(q))
        assert found == pytest.approx(lower, rel=4 * EPS, abs=EPS)
        assert abs(found - upper) > 0.9 / 3**12
        # A level above it lies beyond the gap.
        assert law.ppf(q + 2.0 ** -(13 + further)) >= upper * (1 - 4 * EPS)


def test_values_at_atoms_and_gaps_as_scipy_has_them():
    law, known = LAWS["atoms"], stats.rv_discrete(values=([0, 1], [0.5, 0.5]))
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert law.cdf(x).tolist() == known.cdf(x).tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]
    q = np.array([0.25, 0.5, 0.75, 1.0])
    assert law.ppf(q).tolist() == known.ppf(q).tolist()
    assert LAWS["cantor"].ppf(0.5) == pytest.approx(1 / 3, rel=EPS)
    # Atoms at −1 and 3 of a law that is nowhere near the unit interval.
    assert CantorLaw(0.0, -1.0, 3.0).cdf([-1.0, 2.9, 3.0]).tolist() == [0.5, 0.5, 1.0]


@pytest.mark.parametrize("name", LAWS)
def test_ends_and_what_is_no_level(name):
    law = LAWS[name]
    low, high = (0.0, math.inf) if name == "vervaat" else law.support() if name != "the check's cantor" else (0, 1)
    assert law.ppf(np.array([0.0, 1.0])).tolist() == pytest.approx([low, high], rel=EPS)
    assert law.cdf(np.array([low - 1.0, 1e9])).tolist() == [0.0, 1.0]
    if name != "the check's cantor":
        assert np.isnan(law.ppf([-0.1, 1.1, math.nan])).all()
        assert np.isnan(law.cdf(math.nan))
        assert np.ndim(law.ppf(0.3)) == np.ndim(law.cdf(0.3)) == 0
        assert law.ppf(np.full((2, 3), 0.3)).shape == law.cdf(np.zeros((2, 3))).shape == (2, 3)


def test_small_levels_keep_their_digits():
    for k in (5, 60, 200):
        # The lower end of a gap: Cantor's λ^k at the level 2^−k; and Vervaat's law is uniform up to one.
        assert LAWS["cantor"].ppf(2.0**-k) == pytest.approx(3.0**-k, rel=2 * k * EPS)
        assert DICKMAN.ppf(2.0**-k) == pytest.approx(2.0**-k * math.exp(np.euler_gamma), rel=4 * EPS)
        assert DICKMAN.cdf(2.0**-k) == pytest.approx(2.0**-k * math.exp(-np.euler_gamma), rel=4 * EPS)


def test_samples_of_vervaats_law_are_its_quantiles():
    law, n = DICKMAN, 20_000
    first, again = law.rvs(n, random_state=5), law.rvs(n, random_state=5)
    assert (first == again).all()
    assert first.shape == (n,)
    assert law.rvs((3, 4), random_state=np.random.default_rng(5)).ravel().tolist() == first[:12].tolist()
    uniforms = np.random.default_rng(5).random(n)
    # Levels and their inverse, by bisection of the distribution function to 2⁻⁵⁰ of its range: the former way.
    low, high = np.zeros(200), np.full(200, 20.0)
    for _ in range(54):
        middle = 0.5 * (low + high)
        below = law.cdf(middle) < uniforms[:200]
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    rounding = 4 * EPS / law.pdf(first[:200]) + 64 * EPS
    assert (np.abs(first[:200] - 0.5 * (low + high)) <= rounding).all()
    # Kolmogorov's test at the level 10⁻⁵; the control is moved by a twelfth of the standard deviation.
    assert stats.ks_1samp(first, law.cdf).pvalue > 1e-5
    assert stats.ks_1samp(first + law.var() ** 0.5 / 12, law.cdf).pvalue < 1e-5
