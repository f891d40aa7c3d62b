"""Every floor that stops a fit: zero, rounding, plateaus, Monte Carlo means; the message when too little is left."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.convergence.fit_window import EPS, MAX_SKEWNESS, relative_rounding
from iterorder.convergence.rates import fit_rate
from tests import naive_convergence as naive
from tests.couplings import contains, couple, coupling_of, vervaat


def test_zero_distances_end_the_curve():
    distance = np.where(np.arange(40) < 12, 0.5 ** np.arange(40), 0.0)
    rate = fit_rate(np.arange(40), distance)
    assert (rate.last, rate.stopped_by) == (11, "zero")
    assert rate.rate == pytest.approx(math.log(0.5))


def test_values_that_are_not_finite_end_the_curve():
    for bad in (math.nan, math.inf):
        distance = np.where(np.arange(40) < 12, 1.5 ** np.arange(40), bad)
        rate = fit_rate(np.arange(40), distance)
        assert (rate.last, rate.stopped_by) == (11, "not finite")


def test_a_sampling_floor_of_a_bare_array_is_found():
    n = np.arange(100)
    noise = 1e-3 * np.exp(0.2 * np.random.default_rng(1).standard_normal(100))
    rate = fit_rate(n, np.exp(-0.2 * n) + noise)
    assert rate.stopped_by == "plateau"
    # The last point is 8 times above the floor.
    assert rate.last == pytest.approx(math.log(1e3 / 8) / 0.2, abs=2)
    assert rate.rate == pytest.approx(-0.2, abs=math.log(1 + 1 / 8) / (rate.last - rate.first))


def test_saturated_growth_is_cut():
    n = np.arange(100)
    grown = 1e-8 * np.exp(0.3 * n)
    distance = grown / (1 + grown)
    for rate in (fit_rate(n, distance), fit_rate(coupling_of(np.tile(distance, (10, 1))))):
        assert rate.stopped_by == "saturation"
        assert rate.rate == pytest.approx(0.3, abs=math.log(1 + 1 / 8) / (rate.last - rate.first))


def test_a_true_stall_of_a_coupling_is_its_rate():
    """Two wells: the starts end in different ones, and no floor explains it."""
    n = np.arange(200)
    rate = fit_rate(coupling_of(np.tile(1.0 + np.exp(-0.2 * n), (10, 1))))
    assert rate.stopped_by == "end"
    assert abs(rate.rate) < 1e-6
    stalled_by_rounding = fit_rate(coupling_of(np.tile(1e-9 + np.exp(-0.2 * n), (10, 1))))
    assert stalled_by_rounding.stopped_by == "plateau"
    assert stalled_by_rounding.rate == pytest.approx(-0.2, rel=1e-2)


@pytest.mark.parametrize("h", [1e-2, 1e-3])
def test_slow_maps_stall_where_roundings_add_up(h):
    """x → (1−h)x + h·b in floats stalls at eps/h, not at eps: the fit must end above."""
    maps = ito.QuadraticSGD([1.0, 1.0], [1.0, 2.0], h)
    n = round(45 / h)
    coupling = couple(maps, [0.0], [1.0], n, n_replicas=4, save_steps=np.arange(0, n, round(0.2 / h)))
    rate = fit_rate(coupling)
    assert contains(rate, math.log1p(-h))
    assert rate.stopped_by == "rounding"
    assert coupling.distance[coupling.steps == rate.last] > EPS / h


@given(
    data=st.lists(st.tuples(st.integers(1, 5), st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=8),
)
def test_relative_rounding_is_the_literal_sum(data):
    steps = np.cumsum([gap for gap, _, _ in data])
    distance, scale = (np.exp([row[k] for row in data]) for k in (1, 2))
    measured = relative_rounding(steps, distance, scale)
    # The closed form of a nearly flat stretch cancels to √eps.
    np.testing.assert_allclose(measured, naive.relative_rounding(steps.tolist(), distance, scale), rtol=1e-6)


@pytest.mark.parametrize("order", ["forward", "backward"])
@pytest.mark.parametrize("p", [1, 2])
def test_products_of_slopes_stop_before_their_mean_fails(order, p):
    """C5: W_p decays by (1/(1+p))^(1/p), until log(Rε²)/log(E a^2p/(E a^p)²) steps."""
    n_replicas = 10_000
    coupling = couple(vervaat(), [0.0], [1.0], 40, order=order, n_replicas=n_replicas, p=p)
    rate = fit_rate(coupling)
    truth, typical = -math.log(1 + p) / p, -1.0
    assert contains(rate, truth)
    assert not contains(rate, typical)
    growth = (1 / (1 + 2 * p)) / (1 / (1 + p)) ** 2
    squared_error = (MAX_SKEWNESS / n_replicas) ** (2 / 3)
    # The relative variance of one replica is growth^n − 1; the sample knows its logarithm to a step or two.
    predicted = math.log(1 + n_replicas * squared_error) / math.log(growth)
    assert rate.stopped_by == "monte carlo"
    assert rate.last == pytest.approx(predicted, abs=2)


def test_the_stop_of_products_is_where_their_mean_can_still_be_trusted():
    """C5: far beyond it the mean over the replicas is typically well below that of all products."""
    runs = [couple(vervaat(), [0.0], [1.0], 40, n_replicas=1000, p=1, seed=seed) for seed in range(40)]
    stops = [fit_rate(run).last for run in runs]
    at_stop = [run.distance[stop] * 2.0**stop for run, stop in zip(runs, stops, strict=True)]
    assert np.median(at_stop) == pytest.approx(1, abs=0.05)
    assert np.median([run.distance[40] * 2.0**40 for run in runs]) < 0.7


def test_coalescence_with_a_few_survivors_stops():
    """A coin that sends everything to 0: distance 2^(−n/p), carried by ever fewer replicas."""
    coin = ito.AffineMaps([[[0.0]], [[1.0]]], [[0.0], [0.0]])
    rate = fit_rate(couple(coin, [0.0], [1.0], 30, n_replicas=10_000, p=1))
    assert contains(rate, -math.log(2))
    assert rate.stopped_by == "monte carlo"


ERRORS = [
    ([1.0, 0.0, 0.0, 0.0], r"1 usable point of 4.*the distance is zero.*at step 1 \(distance 0\)"),
    ([1.0, 0.5, math.nan, 0.1], "2 usable points.*not finite.*at step 2"),
    ([1.0, 0.5, 1e-16, 1e-16], "2 usable points.*1024 times above its rounding.*at step 2"),
    ([1.0, math.inf, math.inf], r"at step 1 \(distance inf\) after it has grown from 1: the system expands .*; take a"),
    ([1.0, 2.0, math.nan, 3.0], r"\(distance nan\) after it has grown from 1: the system expands"),
    # Controls: two starts that are too far apart from the first, and a curve that fell.
    ([math.inf, math.inf, 1.0], "not finite.*at step 0 .distance inf.; start closer together"),
    ([1.0, 0.5, math.inf], "not finite.*at step 2 .distance inf. after it has grown from 1"),
    ([1.0, 0.5, math.nan], "not finite.*at step 2 .distance nan.; start closer together"),
    ([1.0, 0.5], "2 usable points of 2.*the curve ends; give more steps"),
    ([], "0 usable points of 0"),
]


@pytest.mark.parametrize(("distance", "message"), ERRORS, ids=[str(distance) for distance, _ in ERRORS])
def test_too_few_points_say_which_floor(distance, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        fit_rate(np.arange(len(distance)), np.array(distance, float))


def test_earlier_steps_are_asked_for_where_some_were_not_saved():
    every, some = np.arange(6), np.array([0, 10, 20, 30, 40, 50])
    for distance in ([1.0, 0.5, 0.0, 0.0, 0.0, 0.0], [1.0, 1e-5, 1e-16, 1e-16, 1e-16, 1e-16]):
        for steps, more in ((every, False), (some, True)):
            with pytest.raises(ito.InvalidInputError, match="start further apart") as error:
                fit_rate(steps, distance)
            assert ("save more of the earlier steps, or" in str(error.value)) == more


def test_too_few_replicas_say_so():
    with pytest.raises(ito.InvalidInputError, match=r"a few replicas carry it \(C5\).*give more replicas"):
        fit_rate(couple(vervaat(), [0.0], [1.0], 40, n_replicas=5, p=4))


def test_a_mean_that_grows_is_told_to():
    """x → (1 − ha²)x of Gaussian a and h = 1.5: E(1 − ha²)² > 1, while E log|1 − ha²| < 0 and paths approach."""
    fresh = ito.GaussianRegressionSGD([1.0], 1.0, 1.5)
    with pytest.raises(ito.InvalidInputError, match=r"\(C5\) at step .* has grown from 1: the system expands in this"):
        fit_rate(couple(fresh, [0.0], [1.0], 40, n_replicas=100))
    # The control: Vervaat's maps contract in every mean.
    with pytest.raises(ito.InvalidInputError, match=r"\(C5\)") as error:
        fit_rate(couple(vervaat(), [0.0], [1.0], 40, n_replicas=5, p=4))
    assert "expands" not in str(error.value)


def test_a_plateau_too_near_says_so():
    distance = np.maximum(0.5 ** np.arange(40.0), 0.1)
    with pytest.raises(ito.InvalidInputError, match="8 times above the plateau"):
        fit_rate(np.arange(40), distance)
