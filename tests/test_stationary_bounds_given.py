"""Lipschitz bounds that a user gave: named in the certificate, and tried over the region of the iterates."""

from __future__ import annotations

import math

import numpy as np
import pytest

import iterorder as ito
from iterorder.bound_trials import check_bounds

STEP, RIDGE, N = 0.12, 0.1, 30


def huber(x, draw, params, out):
    features, targets, h, ridge = params[0], params[1], params[2], params[3]
    slope = -targets[draw[0]]
    for j in range(len(x)):
        slope += features[draw[0], j] * x[j]
    slope = max(-1.0, min(1.0, slope))
    for j in range(len(x)):
        out[j] = x[j] - h * (slope * features[draw[0], j] + ridge * x[j])


def huber_regression(dim: int, bound) -> tuple[ito.CustomMaps, float]:
    """Maps of slope 1 − h·ridge = .988 but for one row, where 1 − h(ridge + ‖a‖²) = −2.2; and the true constant."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, dim))
    features[0] *= np.sqrt((3.2 - STEP * RIDGE) / STEP) / np.linalg.norm(features[0])
    targets = features @ np.arange(1.0, dim + 1.0) + rng.standard_t(2, size=N)
    slopes = 1.0 - STEP * (RIDGE + (features**2).sum(axis=1))
    largest = max(1.0 - STEP * RIDGE, float(np.abs(slopes).max()))
    params = (features, targets, STEP, RIDGE)
    return ito.CustomMaps(huber, dim=dim, noise="index", n_maps=N, params=params, lipschitz=bound), largest


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_a_false_bound_is_refused_for_every_seed(dim):
    """One map of thirty stretches by 2.20 where its residual is below one: the bound .988 is that of all others."""
    maps, largest = huber_regression(dim, 1.0 - STEP * RIDGE)
    assert largest == pytest.approx(2.2)
    for seed in range(10):
        with pytest.raises(ito.InvalidInputError, match=r"lipschitz gives 0\.988 .* give an upper bound, or None"):
            check_bounds(maps, np.zeros(dim), seed)
    # The control: the true constant passes.
    true, _ = huber_regression(dim, largest * (1.0 + 1e-12))
    for seed in range(10):
        check_bounds(true, np.zeros(dim), seed)


def test_a_false_function_of_the_index_is_refused():
    maps, largest = huber_regression(2, lambda i: 0.988)
    with pytest.raises(ito.InvalidInputError, match="for the draw 0"):
        ito.stationary_sample(maps, 4, seed=0)
    assert largest > 0.988


def test_a_slope_far_from_the_start_is_found():
    """The maps contract around x0 = 0, and stretch near 40, where the iterates are."""

    def far(x, draw, params, out):
        out[0] = 0.5 * x[0] + 20.0 + draw[0] + 0.3 * max(-1.0, min(1.0, 5.0 * (x[0] - 41.0)))

    with pytest.raises(ito.InvalidInputError, match="grows by"):
        ito.stationary_sample(ito.CustomMaps(far, dim=1, lipschitz=0.5), 4, seed=0)


@pytest.mark.parametrize("unit", [1e-200, 1e-9, 1e200])
def test_a_false_bound_is_refused_in_any_unit(unit):
    """The slope is 0.9 within one unit, where all paths are, and 0.1 beyond."""

    def steep_inside(x, draw, params, out):
        y = x[0] / params[0]
        out[0] = params[0] * (0.9 * min(max(y, -1.0), 1.0) + 0.1 * (y - min(max(y, -1.0), 1.0)) + 0.1 * draw[0])

    with pytest.raises(ito.InvalidInputError, match=r"lipschitz gives 0\.5 .* grows by 0\.9"):
        ito.stationary_sample(ito.CustomMaps(steep_inside, dim=1, params=(unit,), lipschitz=0.5), 4, seed=0, tol=unit)
    right = ito.CustomMaps(steep_inside, dim=1, params=(unit,), lipschitz=0.9)
    assert ito.stationary_sample(right, 4, seed=0, tol=1e-3 * unit).certificate == "probability"


def test_a_false_bound_cuts_no_backward_run():
    """The control: without a tolerance, and forward, nothing rests on it."""
    maps, _ = huber_regression(2, 1.0 - STEP * RIDGE)
    run = {"n_replicas": 3, "seed": 4}
    with pytest.raises(ito.InvalidInputError, match=r"lipschitz gives 0\.988 .* give an upper bound, or None"):
        ito.simulate(maps, np.zeros(2), 50, order="backward", tol=1e-6, **run)
    ito.simulate(maps, np.zeros(2), 50, order="backward", **run)
    ito.simulate(maps, np.zeros(2), 50, tol=1e-6, **run)


def steep_beyond(x, draw, params, out):
    """Slope ½, and 0.9 between 40 and 42, which nothing from a start near zero sees."""
    out[0] = 0.5 * x[0] + 0.4 * min(max(x[0] - 40.0, 0.0), 2.0) + draw[0]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_bound_is_tried_about_every_start(dtype):
    maps = ito.CustomMaps(steep_beyond, dim=1, noise="index", n_maps=2, lipschitz=0.5)
    tol = 1e-6 if dtype == "float64" else 1e-3
    run = {"order": "backward", "seed": 4, "tol": tol, "dtype": dtype, "n_replicas": 200}
    near = ito.simulate(maps, np.linspace(-1.0, 1.0, 200)[:, None], 100, **run)
    exact = ito.simulate(maps, np.linspace(-1.0, 1.0, 200)[:, None], 100, **(run | {"tol": 0.0}))
    assert 0.0 < near.error_bound.max() <= tol
    np.testing.assert_allclose(near.states, exact.states, rtol=0, atol=tol + 64 * np.finfo(dtype).eps)
    starts = np.zeros((200, 1))
    starts[117] = 41.0
    with pytest.raises(ito.InvalidInputError, match=r"lipschitz gives 0\.5 .* grows by 0\.9"):
        ito.simulate(maps, starts, 100, **run)


def halves(x, draw, params, out):
    out[0] = 0.5 * x[0] + draw[0]


def picks(x, draw, params, out):
    out[0] = 0.5 * x[0] + draw[0]


def test_certificates_say_that_a_bound_was_given():
    sure = ito.stationary_sample(ito.CustomMaps(picks, dim=1, noise="index", n_maps=2, lipschitz=0.5), 4, seed=0)
    assert (sure.certificate, sure.rests_on) == ("sure", "lipschitz given")
    assert "'sure', given lipschitz" in repr(sure)
    for bound in (0.5, lambda draw: 0.5):
        probable = ito.stationary_sample(ito.CustomMaps(halves, dim=1, lipschitz=bound), 4, seed=0)
        assert (probable.certificate, probable.rests_on) == ("probability", "lipschitz given")
        assert "'probability', given lipschitz" in repr(probable)
    # The control: constants that the library derives, and moments.
    known = ito.stationary_sample(ito.gallery.two_point_quadratic(0.5), 4, seed=0)
    assert known.rests_on == "lipschitz known"
    assert "given" not in repr(known)
    moments = ito.stationary_sample(ito.AffineMaps([[[1.3]], [[0.4]]], [[1.0], [0.0]]), 4, seed=0)
    assert moments.rests_on == "moments"
    assert np.isnan(moments.spread).all()


@pytest.mark.parametrize("maps", [ito.gallery.barnsley_fern(), ito.gallery.reflected_walk()], ids=["bound", "evidence"])
def test_progress_grows_to_one_and_changes_nothing(maps):
    shares: list[float] = []
    told = ito.stationary_sample(maps, 300, seed=1, tol=0.05, progress=shares.append)
    assert shares[-1] == 1.0
    assert (np.diff(shares) > 0).all()
    np.testing.assert_array_equal(told.points, ito.stationary_sample(maps, 300, seed=1, tol=0.05).points)
    with pytest.raises(ito.InvalidInputError, match="progress is 3"):
        ito.stationary_sample(maps, 3, seed=1, progress=3)


def test_progress_of_a_search_grows_before_any_sample_has_met():
    """All samples meet in the last doubling: the share of those that have met would be 0 until the end."""

    def drifts(x, draw, params, out):
        out[0] = x[0] - 0.01 * math.tanh(x[0] - draw[0])

    shares: list[float] = []
    sample = ito.stationary_sample(ito.CustomMaps(drifts, dim=1, noise="normal"), 200, seed=1, progress=shares.append)
    assert (sample.n_steps == sample.n_steps[0]).all()
    assert shares[-1] == 1.0
    assert (np.diff(shares) > 0).all()
    assert np.diff([0.0, *shares]).max() < 0.4


def steep(z, target, params):
    """Slope one below 20 and five above: the range (0, 1) holds where losses are tried when they are made."""
    return z - target if z < 20.0 else 5.0 * z - target - 80.0


def test_a_false_range_of_the_curvature_is_refused_where_the_iterates_are():
    """Targets of 30 lead there. The control: targets of 3 do not, and the sample says that the range was given."""
    loss = ito.Loss(steep, curvature_range=(0.0, 1.0))

    def maps(targets):
        return ito.LinearModelSGD([[1.0], [1.0]], targets, 0.45, loss=loss, ridge=0.2)

    for system in (maps([30.0, 31.0]), ito.Optimizer(maps([30.0, 31.0]), weight_decay=0.1)):
        with pytest.raises(ito.InvalidInputError, match="curvature_range gives the Lipschitz constant"):
            ito.stationary_sample(system, 5, seed=1)
        with pytest.raises(ito.InvalidInputError, match="curvature_range gives the Lipschitz constant"):
            ito.simulate(system, np.zeros(system.dim), 40, order="backward", seed=1, tol=1e-6)
    sample = ito.stationary_sample(maps([3.0, 3.5]), 5, seed=1)
    assert (sample.certificate, sample.rests_on) == ("sure", "lipschitz given")
    known = ito.LinearModelSGD([[1.0], [1.0]], [3.0, 3.5], 0.45, loss="huber", ridge=0.2)
    assert ito.stationary_sample(known, 5, seed=1).rests_on == "lipschitz known"
