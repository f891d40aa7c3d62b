"""Numbers of modes: Silverman's test, and the bound of the taut string, on laws whose modes are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from iterorder.laws.following import without_rounding
from iterorder.laws.modes import (
    MOST_MODES,
    WIDTH,
    _shares,
    _smoothed,
    count_modes,
    critical_bandwidth,
    finest,
    least_modes,
)
from iterorder.laws.taut_string import sure_modes, taut_slopes

SEED = 20261128
EPS = float(np.finfo(np.float64).eps)
UNIMODAL = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
}
SEVERAL = {
    "arcsine": (lambda rng, n: rng.beta(0.5, 0.5, n), 2),
    "two humps": (lambda rng, n: rng.normal(size=n) + 6.0 * rng.integers(0, 2, n), 2),
    "three atoms": (lambda rng, n: rng.integers(0, 3, n).astype(float), 3),
}


def kernel_sums(values: np.ndarray, places: np.ndarray, width: float) -> np.ndarray:
    """The literal estimate, in units of the height of a kernel."""
    return np.exp(-0.5 * ((places[:, None] - values) / width) ** 2).sum(axis=1)


# ----------------------------------------------------------------------------------------------------- Silverman's test


@pytest.mark.parametrize("width", [0.1, 0.2, 0.5])
def test_modes_of_an_estimate_against_its_formula(width):
    values = np.random.default_rng(SEED).normal(size=80)
    grid = np.linspace(values.min() - 3 * width, values.max() + 3 * width, 4000)
    density = kernel_sums(values, grid, width)
    assert count_modes(values, width) == int((np.diff(np.sign(np.diff(density))) < 0).sum())


@pytest.mark.parametrize("width", [0.1, 0.5])
def test_the_grid_is_off_by_what_is_stated(width):
    """By (1/WIDTH)²/8 of the height of its kernel for each point, and no less than a hundredth of that."""
    values = np.random.default_rng(SEED).normal(size=80)
    counts = _shares(values, width, 0.0)
    heights = _smoothed(counts, WIDTH)[0] * WIDTH * np.sqrt(2.0 * np.pi)
    places = values.min() + np.arange(counts.shape[1]) * width / WIDTH
    error = np.abs(heights - kernel_sums(values, places, width)).max()
    bound = len(values) / (8.0 * WIDTH**2)
    assert 0.01 * bound < error <= bound


def test_a_critical_bandwidth_is_where_a_mode_is_lost():
    values = np.random.default_rng(SEED).normal(size=80)
    critical = critical_bandwidth(values, 1)
    assert count_modes(values, critical) == 1
    assert count_modes(values, 0.98 * critical) > 1
    # Two normal densities of one width are one hump up to 2σ apart; a valley of a cell or two is not seen.
    assert 0.5 * (1.0 - 2.0**-6) < critical_bandwidth(np.array([0.0, 1.0]), 1) < 0.5 * (1.0 + 2.0**-7)


def test_silvermans_test_holds_its_level_for_a_normal_law():
    """Of 40 samples more than the binomial's 10⁻³ quantile with two modes are too many; two humps are found."""
    rng = np.random.default_rng(SEED)
    found = [least_modes(rng.normal(size=200), 0.05, rng) for _ in range(40)]
    assert sum(k > 1 for k in found) <= stats.binom.isf(1e-3, 40, 0.05)
    humps = [least_modes(rng.normal(size=300) + 5.0 * rng.integers(0, 2, 300), 0.05, rng) for _ in range(10)]
    assert humps.count(2) >= 8


def test_silvermans_test_does_not_hold_it_for_all_laws_and_the_bound_does():
    """As the documentation says: of 60 uniform samples it finds two modes in more than a level of .05 allows."""
    rng = np.random.default_rng(SEED)
    samples = rng.random((60, 1000))
    assert sum(least_modes(row, 0.05, rng) > 1 for row in samples) > stats.binom.isf(1e-3, 60, 0.05)
    assert all(sure_modes(row, 0.05) == 1 for row in samples)


def test_samples_that_have_no_density():
    rng = np.random.default_rng(SEED)
    assert least_modes(np.empty(0), 0.05, rng) == 0
    assert least_modes(np.full(50, 0.3), 0.05, rng) == 1
    assert least_modes(rng.integers(0, 3, 300).astype(float), 0.05, rng) == 3
    # The Cantor law has more modes than any number, and the test stops counting.
    cantor = (2.0 * rng.integers(0, 2, (1000, 40)) / 3.0 ** np.arange(1, 41)).sum(axis=1)
    assert least_modes(cantor, 0.05, rng) == MOST_MODES
    assert least_modes(cantor, 0.05, rng, MOST_MODES + 3) == MOST_MODES + 3  # what is known for sure is not forgotten


def test_no_share_of_a_level_is_too_small_to_reject():
    """Samples are drawn until they can: with fewer, two humps would stay one."""
    rng = np.random.default_rng(SEED)
    values = rng.normal(size=200) + 8.0 * rng.integers(0, 2, 200)
    assert {least_modes(values, 0.05 / tests, rng) for tests in (1, 2, 10, 41, 49, 98, 103, 1000)} == {2}


def test_numbers_of_modes_have_no_unit():
    rng = np.random.default_rng(SEED)
    values = SEVERAL["two humps"][0](rng, 1000)
    assert count_modes(values, finest(values)) == count_modes(-(2.0**40) * values, 2.0**40 * finest(values))
    assert sure_modes(values, 0.05) == sure_modes(2.0**-40 * values - 3.0 * 2.0**-40, 0.05) == 2


# ------------------------------------------------------------------------------------------------------ the taut string


@pytest.mark.parametrize("name", UNIMODAL)
def test_one_mode_is_never_told_to_be_more(name):
    """At most as often as the level says, to the binomial's 10⁻³ quantile.

    The control is the same sample a hundred times, which is no sample of so many: the band is then too narrow.
    """
    rng = np.random.default_rng(SEED)
    samples = [UNIMODAL[name](rng, 300) for _ in range(100)]
    assert sum(sure_modes(values, 0.05) > 1 for values in samples) <= stats.binom.isf(1e-3, 100, 0.05)
    assert sum(sure_modes(np.tile(values, 100), 0.05) > 1 for values in samples[:10]) == 10


@pytest.mark.parametrize("name", SEVERAL)
def test_modes_that_hold_more_than_the_band_are_seen(name):
    draw, modes = SEVERAL[name]
    values = draw(np.random.default_rng(SEED), 1000)
    assert sure_modes(values, 0.05) == modes
    # The control: few draws of the same law are sure of one mode alone.
    assert sure_modes(values[:7], 0.05) == 1


def test_the_string_is_the_shortest_line_in_the_band():
    """Against a minimum of the length over the heights, on random bands."""
    rng = np.random.default_rng(SEED)
    for _ in range(20):
        points = np.cumsum(rng.uniform(0.5, 1.5, 7))
        low = np.append(np.append(0.0, np.sort(rng.random(5))), 1.0)
        high = low + np.append(np.append(0.0, rng.uniform(0.05, 0.3, 5)), 0.0)

        def length(heights, points=points):
            return np.hypot(np.diff(points), np.diff(heights)).sum()

        found = optimize.minimize(
            length, 0.5 * (low + high), bounds=list(zip(low, high, strict=True)), method="SLSQP", tol=1e-14
        )
        shortest = np.diff(found.x) / np.diff(points)
        # Runs of equal slopes are one piece of the string: its slopes are those of the minimum, without repetitions.
        slopes = taut_slopes(points, low, high)
        kept = shortest[np.append(True, np.abs(np.diff(shortest)) > 1e-4)]  # to where the search has converged
        np.testing.assert_allclose(slopes[np.append(True, np.abs(np.diff(slopes)) > 1e-4)], kept, atol=1e-3)


def test_replicas_that_have_met_are_one_value():
    """Roundings are no modes; what is farther apart stays apart."""
    met = 1.0 / 3.0 + EPS * np.arange(-2, 3)
    assert len(set(without_rounding(met))) == 1
    assert len(set(without_rounding(np.concatenate([met, -met])))) == 2
    assert len(set(without_rounding(1.0 + 1e-9 * np.arange(5.0)))) == 5
    assert without_rounding(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert without_rounding(np.empty(0)).size == 0
    assert sure_modes(without_rounding(1e300 * met), 0.05) == 1
