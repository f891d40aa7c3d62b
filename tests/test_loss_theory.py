"""What theory knows of SGD on any loss of a linear model."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize

import iterorder as ito
from iterorder.theory.lyapunov import lyapunov_exponent
from iterorder.theory.small_step import mean_hessian, minimizer, small_step_bias, small_step_covariance
from iterorder.theory.undefined import Undefined
from tests.naive_losses import COUNTS, KINKED
from tests.naive_losses import LOSSES as NAIVE
from tests.systems import BENT
from tests.test_losses import ATAN, GAMMA, NAMES, gamma, model, slope

EPS = float(np.finfo(np.float64).eps)
SMOOTH = [name for name in NAMES if name not in KINKED]


@pytest.mark.parametrize("name", NAMES)
def test_the_minimiser_is_that_of_the_textbook_loss(name):
    """Against a general minimiser of the textbook's values; a step away the gradient is larger."""
    maps = model(name, ridge=0.1)

    def loss(x):
        values = [NAIVE[name](z, b)[0] for z, b in zip(maps.features @ x, maps.targets, strict=True)]
        return np.mean(values) + 0.05 * x @ x

    found = minimizer(maps)
    expected = optimize.minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15})
    np.testing.assert_allclose(found, expected.x, rtol=0, atol=1e-6)  # the square root of the rounding of values
    size = np.abs(maps.features).max() * max(1.0, np.abs(maps.targets).max())
    assert np.abs(maps.gradients(found).mean(axis=0)).max() <= 3 * 20 * EPS * size
    assert np.abs(maps.gradients(found + 1e-6).mean(axis=0)).max() > 3 * 20 * EPS * size


@pytest.mark.parametrize("name", SMOOTH)
def test_the_hessian_is_the_derivative_of_the_gradient(name):
    maps, x, shift = model(name, ridge=0.1), np.array([0.3, -0.2, 0.5]), 1e-6
    columns = [
        (maps.gradients(x + shift * e).mean(axis=0) - maps.gradients(x - shift * e).mean(axis=0)) / (2.0 * shift)
        for e in np.eye(3)
    ]
    size = np.abs(columns).max()
    # Third derivatives times shift², and rounding of the gradients over the shift.
    np.testing.assert_allclose(mean_hessian(maps, x), np.transpose(columns), rtol=0, atol=size * 1e2 * EPS / shift)


@pytest.mark.parametrize("name", NAMES)
def test_small_steps_have_the_covariance_of_the_lyapunov_equation(name):
    """Of 20,000 chains from the minimiser: 5 standard errors of a variance and the O(h) that the formula leaves out.

    What it leaves out is seen at twice the step size; the control is a covariance of twice the size.
    """
    h, n = 0.02, 20_000
    maps = model(name, dim=1, step_size=h, ridge=0.5)
    steps = math.ceil(12.0 / (h * float(mean_hessian(maps, minimizer(maps))[0, 0])))
    spread = float(small_step_covariance(maps)[0, 0])

    def measured(maps, steps):
        ends = ito.simulate(maps, minimizer(maps), steps, n_replicas=n, seed=11).states[:, 0, 0]
        return float(np.mean((ends - minimizer(maps)[0]) ** 2))

    twice = model(name, dim=1, step_size=2 * h, ridge=0.5)
    once, again = measured(maps, steps), measured(twice, steps // 2) / 2.0
    allowed = 5.0 * math.sqrt(4.0 / n) * spread + 2.0 * abs(again - once)
    assert abs(once - spread) <= allowed
    assert abs(once - 2.0 * spread) > allowed


@pytest.mark.parametrize("name", [name for name in NAMES if name not in COUNTS])
def test_the_exponent_is_the_mean_log_of_the_slopes_under_the_law(name):
    """One dimension: log|1 − h(ℓ″a² + ρ)| over exact samples of the law; the control has twice the step size."""
    h, ridge, n = 0.4, 0.3, 20_000
    maps = model(name, dim=1, step_size=h, ridge=ridge)
    points = ito.stationary_sample(maps, n, seed=3).points[:, 0]
    items = np.random.default_rng(4).integers(0, 20, n)
    a, b = maps.features[items, 0], maps.targets[items]
    curvatures = maps.loss.curvatures(a * points, b) * a * a
    logs = np.log(np.abs(1.0 - h * (curvatures + ridge)))
    found = ito.theory(maps).lyapunov_exponent
    allowed = 5.0 * (float(logs.std()) / math.sqrt(n) + found.standard_error)
    assert abs(found.value - float(logs.mean())) <= allowed
    assert abs(found.value - float(np.log(np.abs(1.0 - 2.0 * h * (curvatures + ridge))).mean())) > allowed


def test_a_cycle_of_a_fixed_order_is_where_the_forward_iterates_go():
    maps = model("log-cosh", ridge=0.2, sampling="cyclic", batch_size=5, step_size=0.5)
    cycle = ito.theory(maps).cycle
    run = ito.simulate(maps, np.zeros(3), 804, seed=0, save_steps=[801, 802, 803, 804])
    np.testing.assert_allclose(run.states[0], cycle, rtol=0, atol=1e3 * EPS * np.abs(cycle).max())


@pytest.mark.parametrize("name", ["log-cosh", "poisson", "logistic"])
def test_the_bias_of_small_steps_is_that_of_the_mean(name):
    """Of 400,000 chains on the line: five standard errors and the O(h²) seen at twice the step size; control: −bias."""
    h, n = 0.05, 400_000

    def bent(step_size):
        targets = {"log-cosh": [0.0, 0.5, 6.0], "poisson": [0.0, 1.0, 5.0], "logistic": [1.0, -1.0, 1.0]}[name]
        return ito.LinearModelSGD([[1.0], [0.5], [1.5]], targets, step_size, loss=name, ridge=0.1)

    def measured(maps):
        centre = minimizer(maps)
        steps = math.ceil(15.0 / (maps.step_size * float(mean_hessian(maps, centre)[0, 0])))
        ends = ito.simulate(maps, centre, steps, n_replicas=n, seed=5).states[:, 0, 0] - centre[0]
        return float(ends.mean()) / maps.step_size, float(ends.std()) / math.sqrt(n) / maps.step_size

    (once, error), (twice, _) = measured(bent(h)), measured(bent(2 * h))
    bias = float(small_step_bias(bent(h))[0]) / h
    allowed = 5.0 * error + 2.0 * abs(twice - once)
    assert abs(once - bias) <= allowed
    assert abs(once + bias) > allowed


def cauchy(z, target, params):
    u = z - target
    return u / (1.0 + u * u)


def cauchy_curvature(z, target, params):
    u = (z - target) ** 2
    return (1.0 - u) / (1.0 + u) ** 2


def sine(z, target, params):
    return math.sin(3.0 * (z - target))


def sine_curvature(z, target, params):
    return 3.0 * math.cos(3.0 * (z - target))


SINE = ito.Loss(sine, curvature=sine_curvature, curvature_range=(-3.0, 3.0))
CAUCHY = ito.Loss(cauchy, curvature=cauchy_curvature, curvature_range=(-0.125, 1.0))


def test_a_mean_loss_that_may_have_several_minimisers_has_no_such_theory():
    """Cauchy's loss with few outliers has two; a ridge makes it convex, and then there is one."""
    features, targets = np.ones((10, 1)), np.array([1.0] * 3 + [60.0] * 7)
    with pytest.raises(ito.InvalidInputError, match=r"several minimisers.*ridge of at least 0\.125"):
        minimizer(ito.LinearModelSGD(features, targets, 0.1, loss=CAUCHY, ridge=1e-5))


def test_the_exponent_of_a_loss_that_is_not_convex_is_that_of_its_one_law():
    """Against the mean of log|1 − hℓ″| along paths in NumPy; not that at the minimiser, where nothing moves."""
    targets, h = np.array([-0.4, 0.0, 1.0]), 0.8
    found = lyapunov_exponent(ito.LinearModelSGD(np.ones((3, 1)), targets, h, loss=CAUCHY), seed=3)
    rng, x = np.random.default_rng(5), np.zeros(4000)
    logs = np.zeros(4000)
    for step in range(600):
        drawn = targets[rng.integers(3, size=4000)]
        if step >= 100:
            logs += np.log(np.abs(1.0 - h * cauchy_curvature(x, drawn, ())))
        x = x - h * cauchy(x, drawn, ())
    exponent, error = logs.mean() / 500, logs.std() / 500 / math.sqrt(4000)
    allowed = 4.0 * math.hypot(error, found.standard_error)  # once in 16,000 seeds
    assert abs(found.value - exponent) <= allowed
    centre = minimizer(ito.LinearModelSGD(np.ones((3, 1)), targets, h, loss=CAUCHY, ridge=0.2))[0]
    assert abs(np.log(np.abs(1.0 - h * cauchy_curvature(centre, targets, ()))).mean() - exponent) > allowed


@pytest.mark.parametrize("sampling", ["iid", "cyclic", "full batch"])
@pytest.mark.parametrize("momentum", [None, 0.05])  # a large one makes |λ|² the momentum, in every well
def test_wells_of_a_loss_have_no_one_exponent(momentum, sampling):
    """Nor one cycle; a ridge that makes the loss convex leaves one well, and one exponent."""
    options = {"batch_size": 2} if sampling == "full batch" else {"sampling": sampling}
    for ridge, many in ((0.05, True), (3.1, False)):
        maps = ito.LinearModelSGD([[1.0], [1.0]], [0.0, 0.3], 0.1, loss=SINE, ridge=ridge, **options)
        if sampling == "cyclic" and momentum is None:
            assert ("several cycles" in ito.theory(maps).reasons.get("cycle", "")) is many
        maps = maps if momentum is None else ito.Optimizer(maps, momentum=momentum)
        if many:
            with pytest.raises(Undefined, match="paths from different starts grow at different rates"):
                lyapunov_exponent(maps, seed=1)
        else:
            assert lyapunov_exponent(maps, seed=1).value < 0.0


def tanh(z, target, params):
    return math.tanh(z - target)


def tanh_curvature(z, target, params):
    return 1.0 - math.tanh(z - target) ** 2


@pytest.mark.parametrize("sampling", ["full batch", "cyclic"])
def test_long_steps_of_a_convex_loss_may_have_several_laws(sampling):
    """At h = 8 zero attracts with log|1 − 8·(1 − tanh² 2)| = −0.833, and so does the way round it, ±3.9."""
    loss = ito.Loss(tanh, curvature=tanh_curvature, curvature_range=(0.0, 1.0))
    targets, options = [2.0, -2.0], {"batch_size": 2}
    if sampling == "cyclic":
        targets, options = [2.0, -2.0, 2.0, -2.0], {"batch_size": 2, "sampling": "cyclic"}
    rows = np.ones((len(targets), 1))
    long, short = (ito.LinearModelSGD(rows, targets, h, loss=loss, **options) for h in (8.0, 1.0))
    path = ito.simulate(long, [5.0], 1000, seed=0, save_steps=[998, 999, 1000]).states[0, :, 0]
    assert abs(path[0] - path[2]) < 1e-9 < 7.0 < abs(path[0] - path[1])
    with pytest.raises(Undefined, match="paths from different starts grow at different rates"):
        lyapunov_exponent(long, seed=1)
    assert lyapunov_exponent(short, seed=1).value == pytest.approx(math.log(math.tanh(2.0) ** 2), rel=1e-12)
    if sampling == "cyclic":
        assert "several cycles" in ito.theory(long).reasons["cycle"]
        np.testing.assert_allclose(ito.theory(short).cycle, 0.0, atol=1e-15)


def test_a_well_far_from_the_origin_is_seen_from_the_data():
    """Paths from within a unit of the origin, or a thousand, settle at one; the well at sixty is where targets are."""
    targets = np.array([1.0] * 3 + [60.0] * 7)
    for sampling in ("iid", "cyclic"):
        maps = ito.LinearModelSGD(np.ones((10, 1)), targets, 0.1, loss=CAUCHY, ridge=1e-5, sampling=sampling)
        with pytest.raises(Undefined, match="paths from different starts grow at different rates"):
            lyapunov_exponent(maps, seed=1)
    with pytest.raises(ito.NotContractiveError, match=r"several stationary laws|another law"):
        ito.stationary_sample(ito.LinearModelSGD(np.ones((10, 1)), targets, 0.1, loss=CAUCHY, ridge=1e-5), 20, seed=1)


@pytest.mark.parametrize("batch_size", [2, 6])
def test_one_cycle_is_exact_where_nothing_is_known_of_the_curvature(batch_size):
    """A user's own logistic loss, without a range: its cycle is that of the package's."""

    def logistic(z, target, params):
        return -target / (1.0 + math.exp(target * z))

    def curvature(z, target, params):
        return target**2 / (2.0 + 2.0 * math.cosh(target * z))

    rng = np.random.default_rng(4)
    features, labels = rng.normal(size=(6, 4)), np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    options = {"ridge": 0.05, "batch_size": batch_size, "sampling": "cyclic"}
    own = ito.LinearModelSGD(features, labels, 0.3, loss=ito.Loss(logistic, curvature=curvature), **options)
    known = ito.LogisticRegressionSGD(features, labels, 0.3, **options)
    found, expected = lyapunov_exponent(own, seed=0), lyapunov_exponent(known, seed=0)
    assert found.exact
    assert found.value == pytest.approx(expected.value, rel=1e-9)
    np.testing.assert_allclose(ito.theory(own).cycle, ito.theory(known).cycle, atol=1e-9)


def test_no_infinite_ridge_is_advised():
    """Where nothing bounds the curvature from below; Gamma's deviance is convex on its targets, and has a minimiser."""
    unknown = ito.Loss(gamma, curvature_range=(-math.inf, math.inf))
    rng = np.random.default_rng(3)
    features, targets = rng.normal(size=(40, 2)), rng.gamma(2.0, size=40)
    with pytest.raises(ito.InvalidInputError, match="curvatures down to -inf are possible: give a convex loss"):
        minimizer(ito.LinearModelSGD(features, targets, 0.1, loss=unknown, ridge=0.1))
    convex = ito.Loss(gamma, **GAMMA)
    found, other = (
        minimizer(ito.LinearModelSGD(features, share * targets, 0.1, loss=convex, ridge=0.1)) for share in (1.0, 1.001)
    )

    def mean_loss(x):
        z = features @ x
        return float(np.mean(z + targets * np.exp(-z)) + 0.05 * x @ x)

    expected = optimize.minimize(mean_loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-15})
    np.testing.assert_allclose(found, expected.x, rtol=0, atol=1e-6)  # the square root of the rounding of values
    assert np.abs(other - expected.x).max() > 1e-6


def test_the_bias_of_small_steps_needs_a_third_derivative():
    without = ito.LinearModelSGD([[1.0], [2.0]], [0.0, 1.0], 0.1, loss=ito.Loss(slope, **ATAN), ridge=0.1)
    with pytest.raises(ito.InvalidInputError, match="has no third: give third="):
        small_step_bias(without)


def test_what_is_missing_is_told():
    """A slope alone: samples by evidence, and reasons elsewhere. Poisson has no bound, and says so."""
    plain = ito.Loss(slope, params=(2.0,))
    maps = ito.LinearModelSGD([[1.0], [2.0]], [0.0, 1.0], 0.1, loss=plain, ridge=0.1)
    known = ito.theory(maps)
    assert known.lipschitz_max is None
    assert "give curvature_range= to Loss" in known.reasons["lipschitz_max"]
    assert "give curvature= to Loss" in known.reasons["lyapunov_exponent"]
    sample = ito.stationary_sample(maps, 20, seed=1)
    assert sample.certificate == "coalescence"
    with pytest.raises(ito.NotContractiveError, match="no range of the curvature of Loss"):
        ito.simulate(maps, [0.0], 10, order="backward", tol=1e-3, seed=1)
    counts = model("poisson", ridge=0.1)
    with pytest.raises(ito.NotContractiveError, match=r"the curvature of poisson\(\) has no bound"):
        ito.simulate(counts, np.zeros(3), 10, order="backward", tol=1e-3, seed=1)
    assert "has no bound" in ito.theory(counts).reasons["lipschitz_max"]
    assert ito.stationary_sample(counts, 20, seed=1).certificate == "coalescence"


@pytest.mark.parametrize("loss", ["huber", BENT], ids=str)
def test_a_range_gives_sure_samples_and_a_sure_depth(loss):
    """The bound holds against a deeper run from another start, twice for the two; an error of zero it is not."""
    rng = np.random.default_rng(7)
    maps = ito.LinearModelSGD(rng.normal(size=(30, 2)), rng.normal(size=30), 0.1, loss=loss, ridge=0.5)
    sample = ito.stationary_sample(maps, 50, seed=2, tol=1e-6)
    assert sample.certificate == "sure"
    deeper = ito.simulate(maps, np.ones(2), int(2 * sample.n_steps.max()), order="backward", n_replicas=50, seed=2)
    errors = np.linalg.norm(deeper.states[:, 0] - sample.points, axis=1)
    assert (errors <= 2.0 * sample.error_bound).all()
    assert not (errors <= 0.0).all()


def test_too_large_steps_are_named_where_products_leave_the_finite_numbers():
    """Slopes of poisson grow like exp: at a step of 0.8 there is no law, at 0.001 there is one."""
    rng = np.random.default_rng(0)
    features, counts = rng.normal(size=(50, 3)), rng.poisson(2, size=50).astype(float)
    with pytest.raises(ito.NotContractiveError, match=r"nothing to sample.*smaller steps"):
        ito.stationary_sample(ito.LinearModelSGD(features, counts, 0.8, loss="poisson"), 10, seed=0)
    assert np.isfinite(ito.theory(ito.LinearModelSGD(features, counts, 0.001, loss="poisson")).lyapunov_exponent.value)
