"""Certified samples: never farther from the limit than they say, and distributed as the exact laws."""

from __future__ import annotations

import functools
import math
import warnings

import numpy as np
import pytest
from scipy import stats

import iterorder as ito
from iterorder.lengths import euclidean_norm
from iterorder.progress import Report
from iterorder.stationary import probability, products
from iterorder.stationary.iterates import iterates_to
from tests.systems import EVERY, regression

gallery = ito.gallery
EPS = np.finfo(np.float64).eps
LEVEL = 1e-5
EXPANDING = ito.AffineMaps([[[1.3]], [[0.4]]], [[1.0], [0.0]])
UNEQUAL = ito.AffineMaps(np.linspace(-0.9, 0.9, 50)[:, None, None], np.linspace(-1, 1, 50)[:, None])

CERTIFIED = {
    "two-point": (gallery.two_point_quadratic(0.5), "sure"),
    "unequal slopes": (UNEQUAL, "sure"),
    "fern": (gallery.barnsley_fern(), "sure"),
    "batches": (EVERY["quadratic d=2 batch"], None),
    "logistic": (EVERY["logistic d=5"], "sure"),
    "logistic, reshuffled": (EVERY["logistic d=3 reshuffle"], "sure"),
    "logistic, cyclic": (EVERY["logistic d=20 batch 2 cyclic"], "sure"),
    "custom index": (EVERY["custom d=20 index"], "sure"),
    "least squares, batches of one": (regression(3), "probability"),
    "an expanding map": (EXPANDING, "probability"),
    "ar1": (gallery.ar1(0.5, 1.0), "probability"),
    "arcsine": (gallery.arcsine(), "probability"),
    "vervaat": (gallery.vervaat(), "probability"),
    "custom normals": (EVERY["custom d=2 normals"], "probability"),
    "custom index and normals": (EVERY["custom d=3 index and normals"], "probability"),
    "gaussian": (EVERY["gaussian d=3"], "probability"),
}


def beyond(sample, maps):
    """The same samples from three times as far back (whole epochs): the limit, as near as rounding lets it be."""
    epoch = products.epoch_of(maps)
    steps = (3 * sample.n_steps // epoch + 200) * epoch
    return iterates_to(maps, np.zeros(maps.dim), steps, sample.seed)


@pytest.mark.parametrize("name", CERTIFIED)
def test_the_error_is_within_its_bound(name):
    maps, certificate = CERTIFIED[name]
    sample = ito.stationary_sample(maps, 2000, seed=3)
    assert certificate in (None, sample.certificate)
    error = np.linalg.norm(beyond(sample, maps) - sample.points, axis=1)
    assert (error <= sample.error_bound).all()
    assert (sample.error_bound <= 1e-8).all()
    assert (sample.n_steps % products.epoch_of(maps) == 0).all()
    # The control: an eighth of the way is not enough for such a bound (half can be: rare products set some bounds).
    near = iterates_to(maps, np.zeros(maps.dim), sample.n_steps // 8 // products.epoch_of(maps), 3)
    assert (np.linalg.norm(beyond(sample, maps) - near, axis=1) > sample.error_bound).any()


@pytest.mark.parametrize("name", ["unequal slopes", "vervaat", "custom index and normals"])
def test_samples_are_backward_iterates_of_simulate(name):
    maps, _ = CERTIFIED[name]
    sample = ito.stationary_sample(maps, 150, seed=3)
    for r in range(0, 150, 29):
        one = ito.simulate(maps, np.zeros(maps.dim), int(sample.n_steps[r]), order="backward", seed=3, first_replica=r)
        np.testing.assert_array_equal(sample.points[r], one.states[0, 0])
    # The first samples of more are these.
    more = ito.stationary_sample(maps, 300, seed=3)
    np.testing.assert_array_equal(more.points[:150], sample.points)
    np.testing.assert_array_equal(more.error_bound[:150], sample.error_bound)


def test_every_sample_stops_by_itself():
    sample = ito.stationary_sample(UNEQUAL, 5000, seed=1)
    worst = math.ceil(math.log(0.5e-8 * 0.1 / 2) / math.log(0.9))
    assert sample.n_steps.min() < sample.n_steps.max() < worst


@pytest.mark.parametrize(
    "maps", [gallery.ar1(0.8, 1.0), gallery.arcsine(), gallery.vervaat()], ids=["ar1", "arcsine", "vervaat"]
)
def test_samples_follow_the_exact_law(maps):
    points = ito.stationary_sample(maps, 20_000, seed=5).points.ravel()
    assert stats.ks_1samp(points, maps.law.cdf).pvalue > LEVEL
    assert stats.ks_1samp(points + math.sqrt(maps.law.var()) / 12, maps.law.cdf).pvalue < LEVEL


def test_the_law_of_reshuffled_data_is_that_at_epoch_ends():
    maps = EVERY["quadratic d=1 reshuffle"]
    known = ito.theory(maps)
    points = ito.stationary_sample(maps, 20_000, seed=5).points
    error = 5 * math.sqrt(float(known.covariance[0, 0]) / 20_000)
    assert abs(points.mean() - known.mean[0]) < error
    # The wrong law: that of independent draws has another mean square.
    iid = ito.theory(ito.QuadraticSGD(maps.curvatures, maps.minimizers, maps.step_size))
    spread = 5 * math.sqrt(2 / 20_000)
    assert abs(points.var() / known.covariance[0, 0] - 1) < spread
    assert abs(points.var() / iid.covariance[0, 0] - 1) > spread


# Three maps, their offsets: of the first T_3∘T_2∘T_1 contracts and T_1∘T_2∘T_3 expands, of the second both contract.
CYCLES = [
    ([[[0.3, -0.9], [-0.2, 0.4]], [[-0.5, 0.7], [-0.9, -0.2]], [[-0.8, 0.7], [-0.9, 0.6]]], True),
    ([[[0.4, 0.9], [0.3, -0.2]], [[-0.8, 0.1], [-0.5, 0.2]], [[-0.9, 0.7], [0.8, -0.7]]], False),
]


@pytest.mark.parametrize(("matrices", "runs_away"), CYCLES)
def test_the_law_of_a_cycle_is_its_point_at_epoch_ends(matrices, runs_away):
    """The fixed point of T_3∘T_2∘T_1, by a linear solve; that of T_1∘T_2∘T_3, of backward iterates, is rejected."""
    offsets = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    maps = ito.AffineMaps(matrices, offsets, sampling="cyclic")

    def fixed_point(order):
        image = lambda x: functools.reduce(lambda y, k: maps.matrices[k] @ y + offsets[k], order, x)  # noqa: E731
        product = np.column_stack([image(unit) - image(np.zeros(2)) for unit in np.eye(2)])
        return np.linalg.solve(np.eye(2) - product, image(np.zeros(2))), max(abs(np.linalg.eigvals(product)))

    (point, radius), (other, radius_other) = fixed_point([0, 1, 2]), fixed_point([2, 1, 0])
    assert radius < 1.0
    assert (radius_other > 1.0) == runs_away
    sample = ito.stationary_sample(maps, 3, seed=0, tol=1e-8)
    assert sample.certificate == "probability"
    assert (np.linalg.norm(sample.points - point, axis=1) <= sample.error_bound).all()
    assert (np.linalg.norm(sample.points - other, axis=1) > 0.1).all()
    run = ito.simulate(maps, np.zeros(2), int(sample.n_steps[0]), seed=0)
    np.testing.assert_array_equal(sample.points[1], run.states[0, 0])


def test_a_cycle_that_runs_away_is_refused_though_its_backward_iterates_converge():
    matrices, _ = CYCLES[0]
    maps = ito.AffineMaps(matrices[::-1], np.eye(3, 2), sampling="cyclic")
    with pytest.raises(ito.NotContractiveError, match=r"Lyapunov exponent is 0\.06"):
        ito.stationary_sample(maps, 1, seed=0)


def test_probability_bounds_fail_no_more_often_than_they_say():
    """With a large failure probability the bounds are so tight that some do fail, but few."""
    for maps in (EXPANDING, regression(2), gallery.vervaat()):
        sample = ito.stationary_sample(maps, 20_000, seed=2, failure_probability=0.05, tol=1e-3)
        error = np.linalg.norm(beyond(sample, maps) - sample.points, axis=1)
        failed = int((error > sample.error_bound).sum())
        assert failed <= stats.binom.ppf(1 - LEVEL, 20_000, 0.05)


def test_second_moments_of_the_error_are_exact():
    """E‖Z_n − Z‖² = tr Lⁿ(M), against simulated distances; a tenth less is rejected."""
    maps, x0 = regression(3), np.zeros(3)
    flow = probability.second_moment_flow(maps, x0)
    current = flow.start
    for _ in range(12):
        current = flow.apply(current)
    replicas = 40_000
    ends = [iterates_to(maps, x0, np.full(replicas, n), 9) for n in (12, 1000)]
    squares = ((ends[0] - ends[1]) ** 2).sum(axis=1)
    error = 5 * squares.std() / math.sqrt(replicas)
    assert abs(squares.mean() - np.trace(current)) < error
    assert error < 0.1 * np.trace(current)


def test_the_geometric_bound_of_second_moments_holds():
    flow = probability.second_moment_flow(ito.LinearRegressionSGD(*_slow()), np.zeros(2))
    n, bound = probability.epochs_to(flow, 1e-10 * float(np.trace(flow.start)), 10**6)
    assert n > probability.FEW
    current = flow.start
    for _ in range(n):
        current = flow.apply(current)
    assert np.trace(current) <= bound <= 1e-10 * np.trace(flow.start)
    # Not much more than needed: one and a half times as many steps at most.
    current, steps = flow.start, 0
    while np.trace(current) > 1e-10 * np.trace(flow.start):
        current, steps = flow.apply(current), steps + 1
    assert n <= 1.5 * steps


def test_the_search_for_the_number_of_steps_tells_how_far_it_is():
    """It was silent, for minutes in a hundred dimensions; one sample takes less than the search for its steps."""
    maps, shares = ito.LinearRegressionSGD(*_slow()), []
    flow = probability.second_moment_flow(maps, np.zeros(2))
    target = 1e-10 * float(np.trace(flow.start))
    found = probability.epochs_to(flow, target, 10**6, report=Report(shares.append))
    assert found == probability.epochs_to(flow, target, 10**6)
    assert len(shares) > probability.FEW // 2
    sample = ito.stationary_sample(maps, 1, seed=1, progress=(told := []).append)
    assert sample.rests_on == "moments"
    assert told[-1] == 1.0
    search = [share for share in told if share < 0.8]
    assert len(search) > probability.FEW // 2
    assert (np.diff(told) > 0).all()


def test_the_products_of_constants_tell_how_far_they_are():
    """Slopes of .999 and .99: thousands of steps of one number, as long as those of the states."""
    maps, shares = ito.AffineMaps([[[0.999]], [[0.99]]], [[1.0], [0.0]]), []
    steps = products.steps_to(maps, 1e-9, 50, seed=1, max_steps=10**6, report=Report(shares.append))
    np.testing.assert_array_equal(steps, products.steps_to(maps, 1e-9, 50, seed=1, max_steps=10**6))
    assert np.diff([0.0, *shares, 1.0]).max() < 0.2
    # The control: one constant needs no search, and the report belongs to the steps.
    assert products.share_of_products(ito.gallery.two_point_quadratic(0.3)) == 0.0
    assert products.share_of_products(maps) == 0.5


def _slow():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 2)) * [1.0, 0.5]
    return features, features @ [1.0, -1.0] + rng.normal(size=30), 0.05


def test_gaussian_moments_are_the_formula():
    maps = ito.GaussianRegressionSGD([1.0, 0.5, 0.25], 0.3, 0.2)
    variances = np.diag(ito.theory(maps).covariance)
    flow = probability.second_moment_flow(maps, np.zeros(3))
    # The stationary covariance is what one step and its fresh noise h²s²λ leave as it is.
    image = flow.apply(np.diag(variances)) + 0.04 * 0.09 * np.diag(maps.eigenvalues)
    # Rounding is put on top: 8·d roundings of the trace.
    np.testing.assert_allclose(image, np.diag(variances), rtol=0, atol=30 * EPS * variances.sum())
    assert (np.diag(image) >= variances * (1 - 4 * EPS)).all()
    states = ito.simulate(maps, np.zeros(3), 400, n_replicas=20_000, seed=1).states[:, 0]
    assert (np.abs(states.var(axis=0) / variances - 1) < 5 * math.sqrt(6 / 20_000)).all()


def test_coalescence_is_evidence_and_named_so():
    def drift(x, draw, params, out):
        out[0] = 0.5 * x[0] + math.sin(x[0]) * 0.3 + draw[0]

    maps = ito.CustomMaps(drift, dim=1)
    sample = ito.stationary_sample(maps, 500, seed=1)
    assert sample.certificate == "coalescence"
    assert sample.rests_on == "starts that met"
    assert np.isnan(sample.error_bound).all()
    # These maps are monotone, so that the spread of the starts holds what lies between them.
    assert (np.abs(beyond(sample, maps) - sample.points)[:, 0] <= sample.spread + 16 * EPS).all()


def test_a_heavy_tail_is_not_estimated():
    """Moves with infinite variance: no moment that draws could tell, so evidence is all that is given."""

    def jump(x, draw, params, out):
        out[0] = 0.5 * x[0] + (draw[0] + 1e-300) ** -0.9

    sample = ito.stationary_sample(ito.CustomMaps(jump, dim=1, lipschitz=0.5), 50, seed=1, tol=1e-3)
    assert sample.certificate == "coalescence"


@pytest.mark.parametrize("slow", [0.999, 0.9])
def test_the_geometric_bound_holds_for_directions_of_very_different_size(slow):
    linear = np.diag(np.sqrt([0.5, slow]))
    flow = probability.Flow(probability._from_above(lambda c: linear @ c @ linear), np.diag([1.0, 2e-12]))
    n, bound = probability.epochs_to(flow, 2.5e-14, 10**6)
    exact = 0.5**n + 2e-12 * slow**n
    assert exact <= bound <= 2.5e-14


def test_moments_of_maps_that_stretch_before_they_contract():
    shear = [[0.5, 10.0], [0.0, 0.5]]
    maps = ito.AffineMaps([shear, shear], [[0.0, 1.0], [0.0, -1.0]])
    sample = ito.stationary_sample(maps, 500, seed=1, x0=[0.0, 100.0], tol=1e-6)
    assert sample.certificate == "probability"
    deep = iterates_to(maps, np.zeros(2), sample.n_steps * 3 + 200, 1)
    assert (np.linalg.norm(deep - sample.points, axis=1) <= sample.error_bound).all()


@pytest.mark.parametrize("maps", [gallery.vervaat(), UNEQUAL], ids=["vervaat", "unequal"])
def test_no_sample_takes_more_steps_than_allowed(maps):
    needed = ito.stationary_sample(maps, 200, seed=1, tol=1e-3).n_steps
    enough = ito.stationary_sample(maps, 200, seed=1, tol=1e-3, max_steps=int(needed.max()))
    np.testing.assert_array_equal(enough.n_steps, needed)
    with pytest.raises(ito.NotContractiveError, match="max_steps=3;"):
        ito.stationary_sample(maps, 200, seed=1, tol=1e-3, max_steps=3)


def test_noise_that_never_moves_is_a_point():
    sample = ito.stationary_sample(gallery.ar1(0.5, 0.0), 10, seed=1)
    assert not sample.points.any()


def test_the_smallest_failure_probability():
    sample = ito.stationary_sample(regression(2), 10, seed=1, failure_probability=1e-100)
    assert (sample.error_bound <= 1e-8).all()


UNITS = (1e-200, 1e-100, 1.0, 1e100, 1e200)


def growing(unit):
    """A pair in the plane that contracts in the mean, one map of which expands."""
    matrices = [[[1.2, 0.0], [0.0, 0.2]], [[0.2, 0.1], [0.0, 0.1]]]
    return ito.AffineMaps(matrices, unit * np.array([[0.0, 1.0], [1.0, 1.0]]))


def halves_and_adds(x, draw, params, out):
    for k in range(2):
        out[k] = 0.5 * x[k] + params[0] * draw[k]


def normal_walk(unit):
    return ito.CustomMaps(halves_and_adds, dim=2, noise="normal", noise_dim=2, params=(unit,), lipschitz=0.5)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize(
    "make", [lambda unit: ito.AffineMaps([[[0.5]], [[0.25]]], [[0.0], [unit]]), growing, normal_walk]
)
def test_bounds_hold_in_any_unit(make):
    """Squares of 10⁻²⁰⁰ are zero, and those of 10²⁰⁰ infinite: samples of 10⁻²⁰⁰ were 0, with a bound of 0."""
    points = []
    for unit in UNITS:
        maps = make(unit)
        sample = ito.stationary_sample(maps, 50, seed=1, tol=1e-3 * unit)
        deeper = iterates_to(maps, np.zeros(maps.dim), 4 * sample.n_steps + 100, 1)
        bounds = np.fmin(sample.error_bound, 1e-3 * unit)  # evidence bounds nothing, but these maps contract
        assert (euclidean_norm(deeper - sample.points) <= bounds).all()
        assert (euclidean_norm(deeper) > bounds).any()  # the control: zero is not within the bounds
        points.append(deeper / unit)
    for other in points[1:]:
        np.testing.assert_allclose(other, points[0], rtol=1e-9, atol=1e-9)


def test_units_without_room_are_refused():
    halves = ito.AffineMaps([[[0.5]]], [[1.0]])
    for tol in (5e-324, 1e-300):
        with pytest.raises(ito.InvalidInputError, match="at least 1e-280"):
            ito.stationary_sample(halves, 4, seed=1, tol=tol)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ito.NotContractiveError, match="give a larger tol"):
            ito.stationary_sample(halves, 4, seed=1, x0=[1e300])


# -------------------------------------------------------------------------------------------------- mean contraction


def picks(x, draw, params, out):
    out[0] = params[0][draw[0]] * math.sin(x[0]) + params[1][draw[0]]


def mean_contracting():
    slopes, offsets = np.array([1.3, 0.2, 0.5]), np.array([0.0, 1.0, -1.0])
    bound = ito.CustomMaps(
        picks,
        dim=1,
        noise="index",
        n_maps=3,
        params=(slopes, offsets),
        lipschitz=lambda i: 1.3 if i == 0 else 0.2 if i == 1 else 0.5,
    )
    # Far out a ridge of one with a step beyond 2/curvature on the one large row: that row alone may stretch.
    features = np.array([[4.0, 0.0], [0.3, 0.2], [0.1, -0.4], [0.2, 0.1], [-0.3, 0.3]])
    logistic_maps = ito.LogisticRegressionSGD(features, np.array([1.0, -1.0, 1.0, 1.0, -1.0]), 0.5, ridge=0.3)
    return {"logistic": logistic_maps, "custom": bound}


@pytest.mark.parametrize("name", ["logistic", "custom"])
def test_mean_contraction_bounds_fail_no_more_often_than_they_say(name):
    """One map of some stretches, all of them contract on average: Markov's inequality, with a large δ."""
    maps = mean_contracting()[name]
    assert maps.lipschitz_max >= 1.0
    assert ito.theory(maps).contraction(1).high < 1.0
    sample = ito.stationary_sample(maps, 20_000, seed=2, failure_probability=0.05, tol=1e-3)
    assert sample.certificate == "probability"
    error = np.linalg.norm(beyond(sample, maps) - sample.points, axis=1)
    assert int((error > sample.error_bound).sum()) <= stats.binom.ppf(1 - LEVEL, 20_000, 0.05)
    assert sample.n_steps.min() < sample.n_steps.max()
    # The control: after a quarter of the steps the bounds fail more often.
    near = iterates_to(maps, np.zeros(maps.dim), sample.n_steps // 4, 2)
    wrong = np.linalg.norm(beyond(sample, maps) - near, axis=1) > sample.error_bound
    assert int(wrong.sum()) > stats.binom.ppf(1 - LEVEL, 20_000, 0.05)


def test_a_bound_that_is_too_small_is_found():
    def body(x, draw, params, out):
        out[0] = 0.9 * x[0] + draw[0]

    for wrong in (0.5, lambda draw: 0.2):
        maps = ito.CustomMaps(body, dim=1, lipschitz=wrong)
        with pytest.raises(ito.InvalidInputError, match=r"grows by 0\.9: give an upper bound"):
            ito.stationary_sample(maps, 10, seed=1)


def test_a_tolerance_below_rounding_is_refused():
    for maps in (gallery.two_point_quadratic(0.5), gallery.ar1(0.5, 1.0)):
        with pytest.raises(ito.InvalidInputError, match="rounding alone can move"):
            ito.stationary_sample(maps, 10, seed=1, tol=1e-17)


def test_divergence_while_sampling():
    def cubic(x, draw, params, out):
        out[0] = x[0] - 0.5 * x[0] ** 3 + draw[0]

    with pytest.raises(ito.DivergenceError):
        ito.stationary_sample(ito.CustomMaps(cubic, dim=1), 10, seed=1, x0=[100.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tol": 0.0}, "tol is 0.0"),
        ({"failure_probability": 1.0}, "failure_probability is 1.0"),
        ({"failure_probability": 1e-310}, "failure_probability is"),
        ({"x0": [0.0, 0.0]}, r"x0 has shape \(2,\)"),
        ({"max_steps": 0}, "max_steps"),
        ({"backend": "abacus"}, "backend is 'abacus'"),
        ({"n_samples": 0}, "n_samples"),
    ],
)
def test_bad_input_is_refused(options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.stationary_sample(gallery.two_point_quadratic(0.5), **{"n_samples": 10, "seed": 0, **options})
