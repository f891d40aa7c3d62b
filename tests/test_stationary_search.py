"""The search for starts that meet: when it is given up, what it waits for, and what its errors say."""

from __future__ import annotations

import math
import re
import warnings

import numpy as np
import pytest
from scipy import stats

import iterorder as ito
from iterorder.stationary import coalescence, reasons
from tests.systems import logistic

gallery = ito.gallery
LEVEL = 1e-5


def test_two_basins_are_found_in_every_direction():
    """A map of the plane with two attractors along (1, 1): distant starts end in both, whatever the start."""

    def well(x, draw, params, out):
        u, v = x[0] + x[1], x[0] - x[1]
        u = u - 0.25 * (u * u * u - u + 0.1 * (draw[0] - 0.5))
        out[0], out[1] = 0.5 * (u + 0.5 * v), 0.5 * (u - 0.5 * v)

    maps = ito.CustomMaps(well, dim=2)
    for x0 in ([0.5, 0.5], [-0.5, -0.5]):
        with pytest.raises(ito.NotContractiveError):
            ito.stationary_sample(maps, 20, seed=1, x0=x0, max_steps=5000)


@pytest.mark.parametrize(
    "maps",
    [gallery.reflected_walk(), gallery.cyclic_walk(5), gallery.two_point_quadratic(2.0), logistic(2, n=4)],
    ids=["slow", "never", "at the boundary", "too few steps"],
)
def test_without_a_certificate_the_exponent_is_told(maps):
    with pytest.raises(ito.NotContractiveError, match=r"Lyapunov exponent.* is "):
        ito.stationary_sample(maps, 20, seed=1, max_steps=50, x0=np.full(maps.dim, 0.3))


def shifts(x, draw, params, out):
    """Keeps every distance on the circle, but for a rare jump to one place."""
    out[0] = 0.5 if draw[1] < params[0] else (x[0] + draw[0]) % 1.0


def shrinks(x, draw, params, out):
    out[0] = (1.0 - params[0]) * x[0] + draw[0] - 0.5


def test_what_keeps_all_distances_is_given_up_early():
    for maps in (
        gallery.cyclic_walk(5),
        gallery.cyclic_walk(1000),
        ito.CustomMaps(shifts, dim=1, noise_dim=2, params=(0.0,)),
    ):
        with pytest.raises(ito.NotContractiveError, match="do not approach each other") as caught:
            ito.stationary_sample(maps, 1000, seed=0)
        told = re.search(r"after (\d+), where the search stopped early; the Lyapunov .* is ([^ ]+):", str(caught.value))
        # 5·max_steps steps of all samples together, to the next doublings of 32 (gaps flip round the circle).
        assert 5_000 <= int(told[1]) < 10_000 * 8
        # Differences of 10⁻⁶ of the size are kept to rounding: 64 roundings of 10⁻⁹ of the difference at most.
        assert abs(float(told[2])) < 1e-8


def test_rare_meetings_and_slow_contraction_are_waited_for():
    """Both would be given up by a rule that looks at the first doublings alone."""
    rare = ito.CustomMaps(shifts, dim=1, noise_dim=2, params=(1e-4,))
    sample = ito.stationary_sample(rare, 50, seed=0)
    assert sample.n_steps.max() > 32_768
    slow = ito.CustomMaps(shrinks, dim=1, params=(2e-4,))
    assert ito.stationary_sample(slow, 100, seed=0, max_steps=200_000).n_steps.max() > 65_536
    # A few steps too few are told at the end, far too few as soon as the pace is known.
    with pytest.raises(ito.NotContractiveError, match="not every sample is certified"):
        ito.stationary_sample(slow, 10, seed=0, max_steps=130_000)
    with pytest.raises(ito.NotContractiveError, match=r"approach each other too slowly: .* 16384, where the search"):
        ito.stationary_sample(slow, 10, seed=0, max_steps=32_768)


def test_a_slow_walk_is_sampled_to_what_it_reaches():
    sample = ito.stationary_sample(gallery.reflected_walk(), 200, seed=0, tol=1e-2)
    assert sample.certificate == "coalescence"
    assert stats.ks_1samp(sample.points.ravel(), gallery.reflected_walk().law.cdf).pvalue > LEVEL
    with pytest.raises(ito.NotContractiveError, match="approach each other too slowly: their median distance"):
        ito.stationary_sample(gallery.reflected_walk(), 200, seed=0, max_steps=20_000)


def test_a_known_exponent_spares_the_search(monkeypatch):
    """Not negative, or too small for max_steps: no steps are made. Small, but enough: they are."""

    def no_search(*_):
        raise AssertionError("a search was begun")

    features, targets, _ = _slow()
    monkeypatch.setattr(coalescence, "_search", no_search)
    for maps in (
        gallery.two_point_quadratic(2.0),
        ito.GaussianRegressionSGD([1.0], 1.0, 3.0),
        ito.LinearRegressionSGD(features, targets, 1e-7),
    ):
        with pytest.raises(ito.NotContractiveError, match="the Lyapunov exponent is "):
            ito.stationary_sample(maps, 10, seed=0)
    with pytest.raises(AssertionError, match="a search was begun"):
        ito.stationary_sample(ito.LinearRegressionSGD(features, targets, 1e-3), 10, seed=0, max_steps=100_000)


def test_overflow_of_paths_leaks_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ito.NotContractiveError, match=r"exponent is 0\.1438"):
            ito.stationary_sample(ito.GaussianRegressionSGD([1.0], 1.0, 3.0), 10, seed=0)

        def grows(x, draw, params, out):
            out[0] = 3.0 * x[0] + draw[0]

        with pytest.raises((ito.NotContractiveError, ito.DivergenceError)):
            ito.stationary_sample(ito.CustomMaps(grows, dim=1), 10, seed=0, max_steps=600)


@pytest.mark.parametrize("x0", [0.0, 0.9])
def test_the_exponent_of_a_double_well_is_that_of_close_paths(x0):
    """|1 − h(3x² − 1)| near x = ±1: log 0.8, within what the tilt moves the minima, |δx| ≤ 0.15 to each side."""
    with pytest.raises(ito.NotContractiveError, match="there may be several stationary laws") as caught:
        ito.stationary_sample(gallery.double_well(0.1, 0.2), 200, seed=0, x0=[x0])
    measured = float(re.search(r"while paths are close, is ([^:]+):", str(caught.value))[1])
    low, high = (math.log(1 - 0.1 * (3 * x * x - 1)) for x in (1.15, 0.85))
    assert low < measured < high
    assert "in 2 groups" in str(caught.value)
    # The control: a system that keeps distances has one class of paths for each start.
    with pytest.raises(ito.NotContractiveError) as caught:
        ito.stationary_sample(gallery.cyclic_walk(5), 1000, seed=0)
    assert "several" not in str(caught.value)


def test_measured_exponents_are_the_known_ones():
    for factor in (0.5, 0.99, 1.2):
        maps = ito.CustomMaps(scales, dim=1, params=(factor,))
        # 256 paths of sums and differences: rounding of 10⁻⁹ of the smallest difference, log of it over some steps.
        assert abs(reasons.measured_exponent(maps, np.zeros(1), 0) - math.log(factor)) < 1e-3


def leans(x, draw, params, out):
    """A slow direction, into which a fast one leans: a difference first grows by the share that it takes over."""
    out[0] = params[0] * x[0] + params[1] * x[1] + draw[0]
    out[1] = 0.5 * x[1] + draw[0]


@pytest.mark.parametrize("slow", [1.0, 0.98])
def test_a_measured_exponent_keeps_no_transient(slow):
    """(1, 1) becomes slowⁿ·(1 + 10·(1 − 2⁻ⁿ), 0): from the start the growth is off by log(11/√2)/64 = .03."""
    maps = ito.CustomMaps(leans, dim=2, params=(slow, 5.0))
    measured = reasons.measured_exponent(maps, np.zeros(2), 0)
    # What is left of the transient is 2^(−64); a difference of 10⁻⁶ is rounded to ten digits.
    assert abs(measured - math.log(slow)) < 1e-9
    # The control: the difference that is followed does have this transient.
    product = np.linalg.matrix_power(np.array([[slow, 5.0], [0.0, 0.5]]), 64)
    assert math.log(np.linalg.norm(product @ [1.0, 1.0]) / math.sqrt(2.0)) / 64 - math.log(slow) > 0.02


def test_a_contraction_with_a_transient_is_sampled():
    """Paths were said to move apart, by .0124 a step: log .98 and a transient. The sine leaves no formula for it."""

    def bends(x, draw, params, out):
        out[0] = 0.98 * x[0] + 5.0 * x[1] + draw[0] + 0.001 * math.sin(x[0])
        out[1] = 0.5 * x[1] + draw[0]

    sample = ito.stationary_sample(ito.CustomMaps(bends, dim=2), 20, seed=1, tol=1e-6, max_steps=10_000)
    assert sample.certificate == "coalescence"
    assert (sample.spread <= 1e-6).all()


def test_a_rotation_between_unequal_axes_is_no_growth():
    """Differences get twice as long and half as long by turns: end to end that is up to log(4)/64 = .02 a step."""

    def turns(x, draw, params, out):
        c, s = math.cos(0.7), math.sin(0.7)
        out[0] = params[0] * (c * x[0] - 2.0 * s * x[1]) + draw[0]
        out[1] = params[0] * (0.5 * s * x[0] + c * x[1])

    for factor in (0.99, 1.0):
        measured = reasons.measured_exponent(ito.CustomMaps(turns, dim=2, params=(factor,)), np.zeros(2), 0)
        # A sine of amplitude log 2 about a line of n = 64 steps: at most 12·log(2)/(1.4·n²), and as much for its end.
        assert abs(measured - math.log(factor)) < 24.0 * math.log(2.0) / (1.4 * 64**2)


def scales(x, draw, params, out):
    out[0] = params[0] * x[0]


def _slow():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 2)) * [1.0, 0.5]
    return features, features @ [1.0, -1.0] + rng.normal(size=30), 0.05


def test_locally_constant_maps_have_no_finite_exponent():
    """Steps on five integers, by floors: close paths are equal after one step. The error told an exponent of −13."""

    def floors(x, draw, params, out):
        moved = math.floor(x[0]) + (1.0 if draw[0] < 0.5 else 2.0)
        out[0] = moved - 5.0 * math.floor(moved / 5.0)

    maps = ito.CustomMaps(floors, dim=1)
    assert reasons.measured_exponent(maps, np.zeros(1), 1) == -math.inf
    with pytest.raises(ito.NotContractiveError, match="is -inf: close paths meet and distant ones do not"):
        ito.stationary_sample(maps, 20, seed=1, max_steps=10_000)

    def strong(x, draw, params, out):
        out[0] = 1e-3 * x[0] + draw[0]

    # The control: a strong contraction is a number.
    measured = reasons.measured_exponent(ito.CustomMaps(strong, dim=1), np.zeros(1), 1)
    assert measured == pytest.approx(math.log(1e-3), rel=1e-6)


@pytest.mark.parametrize("unit", [1e-100, 1e-9, 1.0, 1e100])
def test_measured_exponents_do_not_depend_on_the_unit(unit):
    """Of x → 0.3x + 0.6·sin x + U in this unit; a difference of 10⁻⁶ is not small for states of 10⁻⁹."""

    def bends(x, draw, params, out):
        y = x[0] / params[0]
        out[0] = params[0] * (0.3 * y + 0.6 * math.sin(y) + draw[0])

    found = [
        reasons.measured_exponent(ito.CustomMaps(bends, dim=1, params=(size,)), np.zeros(1), 1) for size in (unit, 1.0)
    ]
    assert found[0] == pytest.approx(found[1], abs=0.01)
    assert abs(found[0] - math.log(0.3)) > 0.1  # the control: the mean slope over many bends
