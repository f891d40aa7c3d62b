"""Optimiser state against a literal loop, known special cases, exact moments, and bad input."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder.theory.affine.items import DenseItems, affine_items
from tests import naive
from tests.systems import OPTIMIZED, SYSTEMS

EPS = float(np.finfo(np.float64).eps)
QUADRATIC = ito.QuadraticSGD([1.0, 2.0, 0.5], [0.0, 1.0, -1.0], 0.3)


@pytest.mark.parametrize("name", OPTIMIZED)
def test_steps_are_those_of_the_definition(name):
    """Number by number in Python, with the loss's own step for the gradient."""
    maps = OPTIMIZED[name]
    d, h0 = maps.maps.dim, maps.maps.step_size
    rng = np.random.default_rng(4)
    for step in (0, 1, 39, 500):
        state, draw = rng.normal(size=maps.dim), maps.draw(3, 1, step)
        items = draw if maps.time_homogeneous else draw[1:]
        slopes = (state[:d] - maps.maps.apply(state[:d], items)) / h0
        factor = naive.schedule(maps.schedule, maps.horizon, step)
        expected = naive.optimizer_step(state, slopes, h0 * factor, maps.momentum, maps.weight_decay)
        # The gradient was divided out of a step: eps·|x|/h.
        scale = np.abs(state).max() + np.abs(slopes).max()
        np.testing.assert_allclose(maps.apply(state, draw), expected, rtol=0, atol=16 * d * EPS * scale * (1 + 1 / h0))


def test_without_options_it_is_the_bare_step():
    maps = SYSTEMS["linear d=3 batch 2"]
    bare = ito.simulate(maps, np.ones(3), 50, n_replicas=9, seed=1).states
    wrapped = ito.simulate(ito.Optimizer(maps), np.ones(3), 50, n_replicas=9, seed=1).states
    np.testing.assert_allclose(wrapped, bare, rtol=0, atol=50 * 30 * EPS * np.abs(bare).max())


def test_weight_decay_without_momentum_is_a_ridge():
    features, targets = SYSTEMS["linear d=3 batch 2"].features, SYSTEMS["linear d=3 batch 2"].targets
    decayed = ito.Optimizer(ito.LinearRegressionSGD(features, targets, 0.05), weight_decay=0.4)
    ridge = ito.LinearRegressionSGD(features, targets, 0.05, ridge=0.4)
    runs = [ito.simulate(m, np.ones(3), 60, order="backward", n_replicas=5, seed=2).states for m in (decayed, ridge)]
    np.testing.assert_allclose(*runs, rtol=0, atol=60 * 30 * EPS * np.abs(runs[0]).max())


def test_the_step_size_travels_with_its_map():
    """One noiseless quadratic: forward and backward multiply the same factors; with noise the order matters."""
    still = ito.Optimizer(ito.QuadraticSGD([1.0], [0.0], 0.5), schedule="linear", horizon=10)
    product = math.prod(1.0 - 0.5 * (1.0 - k / 10) for k in range(7))
    for order in ("forward", "backward"):
        found = ito.simulate(still, [1.0], 7, order=order, seed=0).states[0, 0, 0]
        assert found == pytest.approx(product, rel=20 * EPS)
    decaying = ito.Optimizer(ito.QuadraticSGD([1.0, 1.0], [-1.0, 1.0], 0.5), schedule="linear", horizon=400)
    spread = {}
    for order in ("forward", "backward"):
        states = ito.simulate(decaying, [0.0], 400, order=order, n_replicas=4000, seed=5).states[:, 0, 0]
        weights = 0.5 * (1.0 - np.arange(400) / 400)
        after = np.append(np.cumprod((1.0 - weights)[::-1])[::-1][1:], 1.0)  # factors of the later steps
        before = np.append(1.0, np.cumprod(1.0 - weights)[:-1])
        variance = float(((weights * (after if order == "forward" else before)) ** 2).sum())
        # The variance of a variance of bounded noise: at most 2v² + its fourth cumulant, which is negative for signs.
        z = (states.var() - variance) / (variance * math.sqrt(2.0 / 4000))
        assert abs(z) < 4.5, order  # 7e-6
        spread[order] = variance
    assert spread["backward"] > 20 * spread["forward"]  # the last map applied has the largest step


def test_a_run_is_cut_within_its_schedule():
    maps = OPTIMIZED["optimizer linear d=16 reshuffle cosine"]
    start = maps.start(np.linspace(-1, 1, 16))
    whole = ito.simulate(maps, start, 70, n_replicas=3, seed=8).states[:, 0]
    half = ito.simulate(maps, start, 33, n_replicas=3, seed=8).states[:, 0]
    np.testing.assert_array_equal(ito.simulate(maps, half, 37, n_replicas=3, seed=8, first_step=33).states[:, 0], whole)


@pytest.mark.parametrize("name", [n for n, maps in OPTIMIZED.items() if affine_items(maps) is not None])
def test_items_are_the_maps(name):
    maps = OPTIMIZED[name]
    items = affine_items(maps)
    x = np.random.default_rng(6).normal(size=maps.dim)
    images = np.array([maps.apply(x, i) for i in range(maps.sampling_law.n_items)])
    bound = 64 * maps.dim * EPS * (1 + np.abs(images).max()) / maps.maps.step_size
    np.testing.assert_allclose(x + items.residuals(x), images, rtol=0, atol=bound)
    assert affine_items(ito.Optimizer(maps.maps, schedule=[1.0, 0.5])) is None


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("name", ["linear d=3 batch 2", "quadratic d=2 batch"])
def test_items_are_those_of_the_written_out_maps(name, momentum):
    """Every operation against full matrices: the plain steps are divided by their size, which costs digits."""
    losses = SYSTEMS[name]
    maps = ito.Optimizer(losses, momentum=momentum, weight_decay=0.3, schedule=[0.5])
    items, rng = affine_items(maps), np.random.default_rng(7)
    singles = np.arange(items.n_items)[:, None]
    written = DenseItems(*items.batch_maps(singles))
    weights = rng.dirichlet(np.ones(items.n_items))
    root = rng.normal(size=(maps.dim, maps.dim))
    rows, vectors = rng.integers(0, items.n_items, (5, 3)), rng.normal(size=(5, 2, maps.dim))
    pairs = [
        (items.mean_increment(weights), written.mean_increment(weights)),
        (items.mean_offset(weights), written.mean_offset(weights)),
        (items.mean_square(root @ root.T, weights), written.mean_square(root @ root.T, weights)),
        (items.mean_square_matrix(weights), written.mean_square_matrix(weights)),
        (items.residuals(root[0]), written.residuals(root[0])),
        (items.batch_linear_parts(rows), written.batch_linear_parts(rows)),
        (items.push(vectors, rows), written.push(vectors, rows)),
        (items.norms(), written.norms()),
        (items.select([1, 0]).mean_offset(np.ones(2)), written.select([1, 0]).mean_offset(np.ones(2))),
    ]
    for found, expected in pairs:
        size = np.abs(expected).max() + 1.0
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e3 * EPS * size / losses.step_size**2)
    assert items.equal == written.equal
    assert (items.dim, items.n_items) == (written.dim, written.n_items)


def test_exact_moments_of_heavy_ball():
    """One curvature λ and noise of variance s²: Var x = h s²(1+β)/(λ(1−β)(2(1+β) − hλ)) solves the 2×2 equation."""
    h, beta, curvature = 0.3, 0.6, 1.0
    maps = ito.Optimizer(ito.QuadraticSGD([curvature] * 2, [-1.0, 1.0], h), momentum=beta)
    known = ito.theory(maps)
    variance = h * (1 + beta) / ((1 - beta) * (2 * (1 + beta) - h * curvature))
    assert known.covariance[0, 0] == pytest.approx(variance, rel=1e-12)
    states = ito.simulate(maps, [0.0, 0.0], 400, n_replicas=20_000, seed=9).states[:, 0]
    # Gaussian bound for the variance of a variance: signs have a negative fourth cumulant.
    z = (states[:, 0].var() / variance - 1.0) / math.sqrt(2.0 / 20_000)
    assert abs(z) < 4.5
    wrong = h / (2 - h * curvature)  # without momentum
    assert abs(states[:, 0].var() / wrong - 1.0) > 4.5 * math.sqrt(2.0 / 20_000)


def test_lyapunov_exponent_of_logistic_regression():
    """Against the growth of a small difference under the same maps, and the bare step where nothing is added."""
    losses = OPTIMIZED["optimizer logistic d=5 decay"].maps
    maps = ito.Optimizer(losses, momentum=0.6, weight_decay=0.1)
    exponent = ito.theory(maps).lyapunov_exponent
    steps, replicas, small = 400, 400, 1e-4
    settled = ito.simulate(maps, np.zeros(10), 300, n_replicas=replicas, seed=11).states[:, 0]
    run = {"n_replicas": replicas, "seed": 11, "first_step": 300}
    near, there = (ito.simulate(maps, x, 60, **run).states[:, 0] for x in (settled + small, settled))
    later = {**run, "first_step": 360}
    apart = near - there
    # Directions have aligned; the difference is brought back to its size, so that it stays far above rounding.
    total = np.zeros(replicas)
    for k in range(steps // 20):
        apart *= small / np.linalg.norm(apart, axis=1)[:, None]
        near, new = (
            ito.simulate(maps, x, 20, **{**later, "first_step": 360 + 20 * k}).states[:, 0]
            for x in (there + apart, there)
        )
        apart, there = near - new, new
        total += np.log(np.linalg.norm(apart, axis=1) / small)
    growth = total / steps
    error = math.hypot(growth.std(ddof=1) / math.sqrt(replicas), exponent.standard_error)
    assert abs(growth.mean() - exponent.value) < 4.5 * error + 10 * small  # the difference is not infinitesimal
    bare = ito.theory(losses).lyapunov_exponent
    assert abs(growth.mean() - bare.value) > 4.5 * error  # momentum changes it
    same = ito.theory(ito.Optimizer(losses)).lyapunov_exponent
    assert abs(same.value - bare.value) < 4.5 * math.hypot(same.standard_error, bare.standard_error)
    unstable = ito.Optimizer(ito.LogisticRegressionSGD(losses.features, losses.labels, 30.0, ridge=0.2), momentum=0.5)
    assert "far out" in ito.theory(unstable).reasons["lyapunov_exponent"]


def test_stability_boundary_of_heavy_ball():
    """A deterministic quadratic is stable up to 2(1+β)/λ."""
    for beta in (0.3, 0.9):
        found = ito.stability_boundary(
            lambda h, beta=beta: ito.Optimizer(ito.QuadraticSGD([2.0], [0.0], h), momentum=beta), 0.01, 3.0
        )
        assert found.value == pytest.approx(1 + beta, rel=1e-6)


def test_backward_settles_with_momentum():
    maps = OPTIMIZED["optimizer linear d=3 batch"]
    run = ito.simulate(
        maps, maps.start(np.ones(3)), 600, order="backward", n_replicas=20, seed=3, save_steps=[500, 600]
    )
    assert np.abs(run.states[:, 1] - run.states[:, 0]).max() < 1e-9
    sample = ito.stationary_sample(maps, 200, seed=3, tol=1e-9)
    assert sample.certificate == "probability"
    deeper = ito.simulate(maps, np.zeros(6), 2 * int(sample.n_steps.max()), order="backward", n_replicas=200, seed=3)
    apart = np.linalg.norm(sample.points - deeper.states[:, 0], axis=1)
    assert (apart <= sample.error_bound + 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(
    momentum=st.floats(0.0, 0.95),
    decay=st.floats(0.0, 1.0),
    h=st.floats(0.01, 2.0),
    seed=st.integers(0, 10**6),
)
def test_lipschitz_is_the_norm_of_the_linear_part(momentum, decay, h, seed):
    roots = np.random.default_rng(seed).normal(size=(2, 3, 3))
    curvatures = roots @ roots.transpose(0, 2, 1)
    maps = ito.Optimizer(ito.QuadraticSGD(curvatures, np.zeros((2, 3)), h), momentum=momentum, weight_decay=decay)
    matrix = np.array([maps.apply(e, 1) for e in np.eye(maps.dim)]).T
    norm = np.linalg.norm(matrix, 2)
    assert maps.lipschitz(1) == pytest.approx(norm, rel=1e-10, abs=1e-12)
    assert maps.lipschitz_max >= norm * (1 - 1e-10)


def test_start_and_position():
    maps = ito.Optimizer(QUADRATIC, momentum=0.5)
    assert maps.start([2.0]).tolist() == [2.0, 0.0]
    assert maps.position(np.array([[2.0, 7.0]])).tolist() == [[2.0]]
    plain = ito.Optimizer(QUADRATIC, weight_decay=0.5)
    assert plain.start([2.0]).tolist() == [2.0]
    with pytest.raises(ito.InvalidInputError, match="x has shape"):
        maps.start([1.0, 2.0])


def test_what_has_no_stationary_law_says_so():
    maps = ito.Optimizer(QUADRATIC, schedule="cosine", horizon=20)
    known = ito.theory(maps)
    assert known.mean is None
    assert "step size changes" in known.reasons["mean"]
    assert known.contraction(1) is None
    assert known.lipschitz_max.value == pytest.approx(1.0)  # the step size falls to zero
    with pytest.raises(ito.InvalidInputError, match="no law is stationary"):
        ito.stationary_sample(maps, 5, seed=0)
    with pytest.raises(ito.NotContractiveError, match="schedule"):
        ito.simulate(maps, [0.0], 5, seed=0, order="backward", tol=1e-3)
    assert ito.Optimizer(QUADRATIC, schedule=[0.5, 0.5]).time_homogeneous
    assert ito.theory(ito.Optimizer(QUADRATIC, schedule=[0.5])).mean[0] == pytest.approx(ito.theory(QUADRATIC).mean[0])


def test_survives_pickle_and_file(tmp_path):
    maps = OPTIMIZED["optimizer linear d=30 factors"]
    run = ito.simulate(maps, np.zeros(30), 5, seed=1)
    run.save(tmp_path / "run.npz")
    for copy in (pickle.loads(pickle.dumps(maps)), ito.load(tmp_path / "run.npz").maps):
        np.testing.assert_array_equal(copy.step_sizes, maps.step_sizes)
        np.testing.assert_array_equal(ito.simulate(copy, np.zeros(30), 5, seed=1).states, run.states)
    named = OPTIMIZED["optimizer logistic d=7 cosine"]
    ito.simulate(named, np.zeros(14), 2, seed=1).save(tmp_path / "named.npz")
    again = ito.load(tmp_path / "named.npz").maps
    assert (again.schedule, again.horizon, again.momentum) == ("cosine", 40, 0.5)
    assert again.maps.ridge == named.maps.ridge


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, r"momentum is 1\.0: give a number in \[0, 1\)"),
        ({"momentum": -0.1}, "momentum is -0.1"),
        ({"weight_decay": math.nan}, "weight_decay"),
        ({"schedule": "exponential"}, "schedule is 'exponential': give 'constant', 'linear', 'cosine'"),
        ({"schedule": "cosine"}, "schedule is 'cosine' without a horizon"),
        ({"schedule": "linear", "horizon": 0}, "horizon is 0"),
        ({"horizon": 10}, "horizon is 10: it is for schedule"),
        ({"schedule": []}, "schedule"),
        ({"schedule": [1.0, -0.5]}, r"schedule\[1\] is -0\.5"),
        ({"schedule": [1.0, math.inf]}, "schedule"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.Optimizer(QUADRATIC, **options)


def test_bad_maps_and_draws():
    for maps in (ito.gallery.sierpinski(), ito.Optimizer(QUADRATIC), "sgd"):
        with pytest.raises(ito.InvalidInputError, match="give one of QuadraticSGD"):
            ito.Optimizer(maps)
    maps = ito.Optimizer(QUADRATIC, schedule="linear", horizon=5)
    for draw in (1, [0.0, 1.0], [[0, 1]], "x", [-1, 0], [1, 3]):
        with pytest.raises(ito.InvalidInputError, match="draw"):
            maps.apply([0.0], draw)
