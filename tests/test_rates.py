"""Rates: exact systems in every order, intervals that cover the truth and refuse a wrong one, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binom

import iterorder as ito
from iterorder.convergence import rates
from iterorder.convergence.fit_window import EPS, ROUNDING_MARGIN, largest_relative_variance
from iterorder.convergence.norms import power_mean
from iterorder.convergence.rates import _autocorrelation, _residual_error, fit_rate
from iterorder.convergence.resampling import RESAMPLES, slope_weights
from tests import naive_convergence as naive
from tests.couplings import SEED, ar1, contains, couple, coupling_of, products, vervaat

ORDERS = ["forward", "backward", ito.Window(7), ito.Window(start=5)]
# Tests of coverage: how likely a correct interval is to fail.
TEST_LEVEL = 1e-4


# --------------------------------------------------------------------------------------------------------- exact rates


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("slope", [0.5, 0.9, 0.99, -0.7])
def test_equal_slopes_give_their_logarithm_in_every_order(slope, order):
    truth = math.log(abs(slope))
    n = round(45 / -truth)
    coupling = couple(ar1(slope), [0.3], [1.0], n, order=order)
    rate = fit_rate(coupling)
    # The last point stands 1024 above rounding, so its logarithm is off by less than 1/1024; a line over `length`
    # steps, most of whose points are far cleaner, is off by less than that at both ends.
    length = rate.last - rate.first
    assert abs(rate.rate - truth) <= 2 / ROUNDING_MARGIN / length
    assert contains(rate, truth)
    assert not contains(rate, truth * (1 + 3 / ROUNDING_MARGIN))
    assert rate.interval == "replicas"
    assert rate.stopped_by == "rounding"
    # All decades above rounding are used, and the second half of the steps fitted.
    end = coupling.distance[coupling.steps == rate.last]
    assert end <= 2 * ROUNDING_MARGIN * 4 * EPS * coupling.scale.max() / (1 - abs(slope)) / abs(slope)
    assert rate.first == pytest.approx(rate.last / 2, abs=1)
    bare = fit_rate(coupling.steps, coupling.distance)
    assert abs(bare.rate - truth) <= 2 / ROUNDING_MARGIN / length
    assert contains(bare, truth)


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_two_point_quadratic(order):
    rate = fit_rate(couple(ito.gallery.two_point_quadratic(0.3), [0.0], [1.0], 120, order=order))
    assert contains(rate, math.log(0.7))
    assert rate.high - rate.low < 1e-3


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_expanding_maps_have_a_positive_rate(order):
    rate = fit_rate(couple(ar1(1.05), [0.3], [1.0], 400, order=order))
    assert rate.rate == pytest.approx(math.log(1.05), rel=1e3 * EPS)
    assert (rate.stopped_by, rate.last) == ("end", 400)


def test_a_common_fixed_point_is_followed_far_below_rounding_of_the_start():
    """C14: the states shrink with their distance, so nothing is lost until floats end."""
    rate = fit_rate(couple(ito.AffineMaps([[[0.5]]], [[0.0]]), [1.0], [0.0], 1200))
    assert rate.rate == pytest.approx(math.log(0.5), abs=2 / ROUNDING_MARGIN / 500)
    # The distance 2^(−n), 2^10 times above 4 of the smallest floats 2^(−1074), and the roundings of half a step each.
    assert rate.last == pytest.approx(1074 - 10 - 3, abs=1)


def test_the_transient_is_left_out():
    """Two modes: the slow one is a tenth and takes over after log(10)/log(.9/.3) = 2.1 steps."""
    n = np.arange(40)
    rate = fit_rate(n, 0.1 * 0.9**n + 0.3**n)
    assert rate.first == 20
    # What is left of the fast mode at step 20, in the units of the slow one.
    assert rate.rate == pytest.approx(math.log(0.9), abs=10 * (0.3 / 0.9) ** 20)


def test_strided_and_uneven_steps():
    steps = np.unique(np.geomspace(1, 300, 40).astype(int))
    rate = fit_rate(steps, 3 * 0.95**steps)
    assert rate.rate == pytest.approx(math.log(0.95), rel=1e-9)
    assert float(rate) == rate.rate
    assert rate.last == 300


def test_steps_far_from_zero_lose_no_digits():
    n = np.arange(30)
    assert fit_rate(n + 2**62, 0.5**n).rate == fit_rate(n, 0.5**n).rate


@pytest.mark.parametrize("kind", [np.uint64, np.int64, np.float64, np.uint8])
def test_steps_of_every_number_keep_their_rate(kind):
    expected = fit_rate(np.arange(30), 0.5 ** np.arange(30))
    assert fit_rate(np.arange(30).astype(kind), 0.5 ** np.arange(30)) == expected
    far = np.array([2**63 - 3, 2**63 - 2, 2**63 - 1], np.uint64)
    assert fit_rate(far, [1.0, 0.5, 0.25]).last == 2**63 - 1


def test_distances_near_the_largest_float_and_beyond():
    distance = 1e308 * 0.5 ** np.arange(30)
    assert fit_rate(np.arange(30), distance).rate == pytest.approx(-math.log(2), rel=1e3 * EPS)
    if np.finfo(np.longdouble).max > np.finfo(np.float64).max:
        wide = np.append(distance, np.longdouble(10) ** 400)
        assert fit_rate(np.arange(31), wide).stopped_by == "not finite"


@given(
    slope=st.floats(-1.5, 1.5),
    log_first=st.floats(-200, 200),
    n=st.integers(3, 60),
    stride=st.integers(1, 1000),
)
def test_a_geometric_curve_gives_its_rate_in_any_units(slope, log_first, n, stride):
    steps = 7 + stride * np.arange(n)
    logs = log_first + slope * np.arange(n)
    distance = np.exp(logs)
    if slope * (n - 1) < -20:  # below the rounding floor of bare arrays, tested elsewhere
        return
    rate = fit_rate(steps, distance)
    # Each logarithm is rounded by the size of its own, the slope by that over the length of the fit.
    rounding = 8 * EPS * (1 + np.abs(logs).max()) / max(1, (rate.last - rate.first) / stride)
    assert rate.rate * stride == pytest.approx(slope, abs=rounding)
    assert rate.low <= rate.rate <= rate.high
    assert rate.low - rounding <= slope / stride <= rate.high + rounding
    assert 7 <= rate.first < rate.last <= steps[-1]


@given(
    level=st.floats(-600, 600),
    bits=st.lists(st.integers(-1, 1), min_size=3, max_size=60),
    kink=st.integers(1, 59),
    slope=st.sampled_from([0.0, EPS, -EPS, 1e-13]),
)
@example(level=0.3, bits=60 * [0], kink=30, slope=EPS)
def test_a_curve_that_is_constant_up_to_its_last_bits_has_the_rate_zero(level, bits, kink, slope):
    """Rounding is no fall and no growth: a plateau that lies within it is none."""
    constant = np.full(len(bits), math.exp(level))
    stepped = np.where(np.arange(len(bits)) < kink, constant, np.nextafter(constant, np.inf))
    for distance in (constant * (1 + EPS * np.array(bits)), stepped, np.exp(level + slope * np.arange(len(bits)))):
        rate = fit_rate(np.arange(len(bits)), distance)
        assert rate.stopped_by == "end"
        # Three points that differ by two bits, and by the rounding of their logarithms.
        assert abs(rate.rate) <= 2 * EPS * (1 + abs(level)) + abs(slope)


@pytest.mark.parametrize("rise", [-1, 1])
def test_a_small_fall_that_rounding_does_not_explain_is_no_constant(rise):
    """The control: a thousand times more than rounding, and the curve ends on a plateau that it has not left by 8."""
    n = np.arange(60)
    # Of a bare array δ = 4·eps a step.
    seen, lost = (1 + rise * size * 4 * EPS * 60 * np.minimum(n / 20, 1) for size in (1e3, 0.5))
    with pytest.raises(ito.InvalidInputError, match=r"8 times (above|below) the plateau"):
        fit_rate(n, seen)
    assert fit_rate(n, lost).stopped_by == "end"


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_distances_in_few_digits_are_as_exact_as_those(kind):
    """A last bit of float32 is no fall either, and the interval knows what storing has rounded."""
    n, eps = np.arange(60), float(np.finfo(kind).eps)
    rising = 1.0 + 1.5 * eps * np.minimum(n / 20, 1.0)
    for constant in (np.ones(60, kind), rising.astype(kind)):
        rate = fit_rate(n, constant)
        assert rate.stopped_by == "end"
        assert contains(rate, 0.0)
    with pytest.raises(ito.InvalidInputError, match="plateau"):  # the control: the same curve in all digits
        fit_rate(n, rising)
    for slope in (0.9, 0.97):
        exact = slope ** np.arange(8.0)
        assert contains(fit_rate(np.arange(8), exact.astype(kind)), math.log(slope))
        assert fit_rate(np.arange(8), exact).high - math.log(slope) < eps


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_isometries_have_the_rate_zero(order):
    """Rotations and moves keep distances but for the rounding of every step, which may rise and then rest."""
    for seed in (0, 5, 20, 21, 25):  # some of these were refused
        generator = np.random.default_rng(seed)
        cosines, sines = np.cos(angles := generator.uniform(0, 2 * np.pi, 2)), np.sin(angles)
        turns = np.array([[cosines, -sines], [sines, cosines]]).transpose(2, 0, 1)
        maps = ito.AffineMaps(turns, generator.normal(size=(2, 2)))
        for n in (30, 200, 1000):
            coupling = couple(maps, [0.0, 0.0], [1.0, 0.3], n, order=order, n_replicas=5, seed=seed)
            for rate in (fit_rate(coupling), fit_rate(coupling.steps, coupling.distance)):
                assert contains(rate, 0.0)
                assert rate.high - rate.low < 1e-10


# ----------------------------------------------------------------------------------------------------------- intervals


def test_replica_error_is_that_of_the_literal_bootstrap():
    table = products(np.random.default_rng(0), 40, 12)
    for p in (1.0, 2.0):
        rate = fit_rate(coupling_of(table, p))
        assert rate.interval == "replicas"
        # Twice the steps of the fit are looked at, as far as there are so many.
        reach = min(13, 2 * (rate.last + 1)) if rate.stopped_by == "monte carlo" else rate.last + 1
        limit = largest_relative_variance(40)
        slopes = naive.resampled_slopes(np.arange(reach), table[:, :reach], p, RESAMPLES, limit)
        part = slice(rate.first, rate.last + 1)
        same_steps = naive.resampled_slopes(np.arange(13)[part], table[:, part], p, RESAMPLES, np.inf, whole=True)
        error = max(slopes.std(ddof=1), same_steps.std(ddof=1)) * math.sqrt(40 / 39)
        assert rate.standard_error == pytest.approx(error, rel=1e-9)
        assert rate.rate == pytest.approx(naive.slope(np.arange(13)[part], power_mean(table, p)[part]), rel=1e-12)


def test_groups_of_replicas_give_the_same_error():
    """Above 256 replicas groups are resampled: the same error up to the noise of both (5.6 %).

    Eight steps of products of slopes from {.3, .9} with 5000 replicas never stop early.
    """
    table = products(np.random.default_rng(0), 5000, 8)
    rate = fit_rate(coupling_of(table, 1.0))
    part = slice(rate.first, rate.last + 1)
    powers = table[:, part] / table[:, part].mean(axis=0) - 1
    linear = (powers @ slope_weights(np.arange(9)[part])).std() / math.sqrt(5000)
    assert rate.standard_error == pytest.approx(linear, rel=4 * 0.056)


def acceptable(hits: int, trials: int, coverage: float) -> bool:
    """Whether the number of hits is not too low for a coverage."""
    return hits > binom.ppf(TEST_LEVEL, trials, coverage)


@pytest.mark.parametrize(("n_replicas", "p"), [(100, 1.0), (400, 1.0), (1000, 2.0)])
def test_intervals_from_replicas_cover_the_truth_and_reject_a_wrong_one(n_replicas, p):
    """Nominal 95 %; measured 95 to 98 % over 1000 seeds, see `fit_rate`.

    The wrong target is the typical product, as if means were of logarithms.
    """
    truth, typical = math.log((0.3**p + 0.9**p) / 2) / p, math.log(0.3 * 0.9) / 2
    generator = np.random.default_rng(SEED)
    rates = [fit_rate(coupling_of(products(generator, n_replicas, 30), p)) for _ in range(300)]
    hits, wrong = (sum(contains(rate, target) for rate in rates) for target in (truth, typical))
    assert acceptable(hits, 300, 0.94)
    assert not acceptable(wrong, 300, 0.94)


def test_the_level_of_the_interval_is_kept():
    generator, truth = np.random.default_rng(SEED), math.log(0.6)
    couplings = [coupling_of(products(generator, 300, 30), 1.0) for _ in range(400)]
    hits = sum(contains(fit_rate(coupling, level=0.5), truth) for coupling in couplings)
    assert binom.ppf(TEST_LEVEL, 400, 0.45) < hits < binom.ppf(1 - TEST_LEVEL, 400, 0.55)


def noise(kind, generator, n):
    """Residuals of unit innovations: independent, a random walk, or a first-order autoregression."""
    innovations = generator.standard_normal(n + 100)
    if kind == "random walk":
        return innovations[:n].cumsum()
    correlation, values = float(kind), [0.0]
    for innovation in innovations:
        values.append(correlation * values[-1] + innovation)
    return np.array(values[-n:])


@pytest.mark.parametrize("n", [10, 40, 200])
@pytest.mark.parametrize("kind", ["0", ".6", ".9", "random walk"])
def test_intervals_from_residuals_cover_correlated_scatter(kind, n):
    """Nominal 95 %, measured 93 to 100 %: where the scatter cannot be told from a random walk it is taken for one."""
    generator = np.random.default_rng(SEED)
    steps, slope, size, hits, wrong = np.arange(2 * n), -0.01, 1e-3, 0, 0
    for _ in range(300):
        logs = slope * steps + size * noise(kind, generator, 2 * n)
        rate = fit_rate(steps, np.exp(logs))
        assert rate.interval == "residuals"
        hits += contains(rate, slope)
        wrong += contains(rate, slope * 1.5)
    assert acceptable(hits, 300, 0.92)
    assert not acceptable(wrong, 300, 0.92)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 1.0])
def test_residual_error_is_that_of_the_written_out_covariance(correlation, monkeypatch):
    monkeypatch.setattr(rates, "_autocorrelation", lambda residuals: correlation)
    generator = np.random.default_rng(2)
    steps, logs = np.arange(30), generator.standard_normal(30).cumsum()
    weights = slope_weights(steps)
    residuals = logs - np.polyval(np.polyfit(steps, logs, 1), steps)
    innovations = [residuals[i] - correlation * residuals[i - 1] for i in range(1, 30)]
    start = (1 - correlation**2) * residuals[0] ** 2
    variance = (sum(e * e for e in innovations) + start) / 28
    expected = naive.slope_error(weights, correlation, variance)
    assert _residual_error(steps, logs, weights) == pytest.approx(expected, rel=1e-9)


def test_autocorrelation_is_cautious():
    generator = np.random.default_rng(3)
    assert _autocorrelation(generator.standard_normal(10)) == 1.0
    assert _autocorrelation(np.zeros(100)) == 1.0
    assert 0 <= _autocorrelation(generator.standard_normal(1000)) < 0.15


def test_one_replica_and_the_largest_fall_back_to_residuals():
    table = products(np.random.default_rng(4), 50, 20)
    assert fit_rate(coupling_of(table[:1])).interval == "residuals"
    largest = fit_rate(coupling_of(table, math.inf))
    assert largest.interval == "residuals"
    assert largest.stopped_by == "end"


def test_the_same_call_gives_the_same_interval():
    coupling = couple(vervaat(), [0.0], [1.0], 20, n_replicas=300, p=1)
    assert fit_rate(coupling) == fit_rate(coupling)


# ----------------------------------------------------------------------------------------------------------- bad input

N = np.arange(5)
BAD = [
    ((N,), "distance is missing"),
    ((N, 0.5 ** np.arange(4)), r"steps has shape \(5,\) and distance \(4,\)"),
    ((N[::-1], 0.5**N), "steps has 4 before 3"),
    ((N + 0.5, 0.5**N), "steps holds 0.5: give increasing integers"),
    ((np.append(N[:4], np.inf), 0.5**N), "steps holds inf"),
    (([[1], [1, 2]], [1.0, 0.5]), "steps is not a rectangular array"),
    ((["a"], [1.0]), "steps has dtype"),
    ((N.astype(np.uint64) + np.uint64(2**63), 0.5**N), "steps goes from 9223372036854775808 to .*below 2⁶³"),
    ((N * 1e300, 0.5**N), r"steps goes from 0.0 to 4e\+300.*below 2⁶³"),
    ((-1e300 - N * 1e299, 0.5**N), "steps has -1e.300 before"),
    ((np.array([-(2**62) - 1, 0, 2**62]), 0.5 ** N[:3]), "in span as well"),
    ((np.array([2**64 - 1, 0, 1], np.uint64), 0.5 ** N[:3]), "steps has 18446744073709551615 before 0"),
    ((N, -(0.5**N)), r"distance\[0\] is -1.0: a distance is at least 0"),
    ((N, ["a"] * 5), "distance has dtype"),
    ((N, np.ones((5, 2))), r"distance has dtype float64 and shape \(5, 2\)"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        fit_rate(*arguments)


def test_bad_level_and_a_distance_beside_a_coupling():
    coupling = couple(ar1(0.5), [0.0], [1.0], 10)
    with pytest.raises(ito.InvalidInputError, match="distance is given beside a CouplingDistance"):
        fit_rate(coupling, coupling.distance)
    for level in (0, 1, 2, math.nan):
        with pytest.raises(ito.InvalidInputError, match="level is"):
            fit_rate(coupling, level=level)


# ------------------------------------------------------------------------------------------------- curves that are none


@pytest.mark.parametrize("power", [-2.0, -1.0, -0.5])
@pytest.mark.parametrize("n", [400, 4000])
def test_a_curve_that_is_no_exponential_is_told(n, power):
    """Its slope depends on the steps, and falls by a third between the halves of the fit."""
    steps = np.arange(1, n + 1)
    rate = fit_rate(steps, steps**power)
    assert rate.curved
    assert "curved=True" in repr(rate)


@pytest.mark.parametrize("noise", ["none", "white", "walk"])
@pytest.mark.parametrize("plateau", [0.0, 1e-6, 1e-3])
def test_exponentials_are_not_curved(noise, plateau):
    """The control: also with scatter, and above a plateau."""
    steps = np.arange(200)
    for seed in range(20):
        scatter = 0.1 * np.random.default_rng(seed).normal(size=200)
        logs = {"none": 0.0 * scatter, "white": scatter, "walk": 0.3 * np.cumsum(scatter)}[noise]
        assert not fit_rate(steps, (0.9**steps + plateau) * np.exp(logs)).curved
