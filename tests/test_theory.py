"""`theory` as a whole: every field or a reason, on every family and sampling."""

from __future__ import annotations

import dataclasses
import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterorder.analysis import analyse
from iterorder.contraction import contraction, lipschitz_constants
from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.maps import AffineMaps, LinearRegressionSGD, LogisticRegressionSGD, QuadraticSGD, RandomMaps, gallery
from iterorder.small_step import gradients, minimizer, small_step_covariance
from iterorder.step_draws import all_steps
from iterorder.tail_index import tail_index
from iterorder.theory import Theory, theory
from iterorder.undefined import Undefined
from tests import naive_theory
from tests.systems import SYSTEMS

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(13)
SCALARS = ("lipschitz_max", "lyapunov_exponent", "mean_square_radius", "tail_index")
FIELDS = (*SCALARS, "mean_square_stable", "mean", "covariance", "common_fixed_point", "cycle")


def known(maps):
    """The parts of `theory` that are asked for, and no Monte Carlo."""
    return analyse(maps, seed=0, effort="quick")


# ---------------------------------------------------------------------------------------------------- the contract


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    """A fortieth of the quick effort: here it matters that there is an estimate, not how tight it is."""
    monkeypatch.setattr("iterorder.lyapunov.WORK", {"quick": 2.5e7, "full": 2.5e7})


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_field_has_a_value_or_a_reason(name):
    maps = SYSTEMS[name]
    found = theory(maps, seed=1)
    assert set(found.reasons) == {field for field in FIELDS if getattr(found, field) is None}
    assert all(len(reason) > 20 for reason in found.reasons.values())
    assert all(isinstance(getattr(found, field), Estimate) for field in SCALARS if field not in found.reasons)
    shapes = {"mean": (maps.dim,), "covariance": (maps.dim,) * 2, "common_fixed_point": (maps.dim,)}
    shapes["cycle"] = (maps.sampling_law.batches_per_epoch, maps.dim)
    for field, shape in shapes.items():
        if field not in found.reasons:
            assert getattr(found, field).shape == shape
            assert not getattr(found, field).flags.writeable
    assert found.lipschitz_max == Estimate.of(maps.lipschitz_max)
    assert ("cycle" in found.reasons) is (maps.sampling_law.kind != "cyclic")


@pytest.mark.parametrize("name", SYSTEMS)
def test_contraction_grows_with_its_power(name):
    maps = SYSTEMS[name]
    values = [contraction(maps, p).value for p in (1, 1.5, 2, 4, 40, math.inf)]
    # Powers and roots round by an ulp each, p times in a logarithm.
    assert all(a <= b * (1 + 64 * EPS) for a, b in itertools.pairwise(values))
    assert values[-1] <= maps.lipschitz_max * (1 + 8 * EPS)


def test_theory_is_frozen_and_repeatable():
    maps = gallery.barnsley_fern()
    first, again = theory(maps, seed=5), theory(maps, seed=5)
    assert first.lyapunov_exponent == again.lyapunov_exponent
    assert theory(maps, seed=np.random.SeedSequence(5)).seed == int(
        np.random.SeedSequence(5).generate_state(1, np.uint64)[0]
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.mean = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"maps": 3}, "maps is a int"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"effort": "long"}, "effort is 'long': give one of 'quick', 'full'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        theory(arguments.pop("maps", gallery.sierpinski()), **arguments)


@pytest.mark.parametrize("p", [0.5, -math.inf, math.nan, "2", None, True, 1j])
def test_bad_powers(p):
    found = theory(gallery.sierpinski())
    with pytest.raises(InvalidInputError, match="give a number in \\[1, inf\\]"):
        found.contraction(p)


def test_families_without_formulas_have_reasons():
    class Unknown(RandomMaps):
        sampling_law = gallery.sierpinski().sampling_law
        dim = 2
        lipschitz_max = None

        def apply(self, x, draw):
            return x

        def lipschitz(self, draw):
            return None

    found = theory(Unknown())
    assert set(found.reasons) == set(FIELDS)
    assert found.contraction(2) is None


@pytest.mark.parametrize("size", [1e-300, 1e-20, 1e150, 1e300])
@pytest.mark.parametrize("sampling", ["iid", "reshuffle", "cyclic"])
def test_extreme_entries_are_no_error(size, sampling):
    matrices = size * np.array([[[1.0, 0.5], [0.5, -1.0]], [[0.0, 2.0], [1.0, 3.0]]])
    for offsets in (np.zeros((2, 2)), np.full((2, 2), size)):
        found = theory(AffineMaps(matrices, offsets, sampling=sampling))
        assert isinstance(found, Theory)
        assert found.mean is None or np.isfinite(found.mean).all()


def test_importing_theory_is_light():
    code = "import sys, iterorder.theory; print([m for m in ('scipy', 'numba', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ----------------------------------------------------------------------------------------------------- contraction


@pytest.mark.parametrize("name", [name for name, maps in SYSTEMS.items() if all_steps(maps.sampling_law) is not None])
def test_lipschitz_constants_are_those_of_the_maps(name):
    maps = SYSTEMS[name]
    rows, _ = all_steps(maps.sampling_law)
    rows = rows[:: max(1, len(rows) // 50)]
    literal = [maps.lipschitz(row) for row in rows]
    np.testing.assert_allclose(lipschitz_constants(maps, rows), literal, rtol=64 * EPS * maps.dim)


@pytest.mark.parametrize("p", [1, 2, 7.5, 300, math.inf])
@pytest.mark.parametrize("name", ["quadratic d=2 batch", "linear d=3 batch 2", "affine d=3 weighted", "logistic d=5"])
def test_contraction_over_every_draw(name, p):
    found = contraction(SYSTEMS[name], p)
    assert found.exact
    assert found.value == pytest.approx(naive_theory.lipschitz_power_mean(SYSTEMS[name], p), rel=1e3 * EPS)


@pytest.mark.parametrize("p", [1, 3])
def test_drawn_batches_agree_with_listed_ones(p, monkeypatch):
    maps = LinearRegressionSGD(RNG.normal(size=(10, 2)), RNG.normal(size=10), 0.8, batch_size=3)
    exact = contraction(maps, p)
    monkeypatch.setattr("iterorder.step_draws.MAX_LISTED", 100)  # there are 120
    drawn = contraction(maps, p, seed=4)
    assert not drawn.exact
    assert drawn.standard_error > 0.0
    assert abs(drawn.value - exact.value) < 5 * drawn.standard_error  # a level of 6·10⁻⁷
    assert abs(drawn.value - contraction(maps, math.inf).value) > 5 * drawn.standard_error  # the wrong target
    top = contraction(maps, math.inf, seed=4)
    assert top.low <= top.value == top.high == maps.lipschitz_max


def test_breast_cancer_rows():
    datasets = pytest.importorskip("sklearn.datasets")
    features, labels = datasets.load_breast_cancer(return_X_y=True)
    features = (features - features.mean(0)) / features.std(0)
    largest = np.einsum("nd,nd->n", features, features).max()
    assert largest == pytest.approx(422, abs=0.5)
    maps = LogisticRegressionSGD(features, labels, 0.0189, ridge=0.1)  # below 2/(422/4 + ridge): contracts
    assert contraction(maps, math.inf).value == pytest.approx(1 - 0.0189 * 0.1, rel=4 * EPS)
    assert contraction(LogisticRegressionSGD(features, labels, 0.0191, ridge=0.1), math.inf).value > 1.0


# ------------------------------------------------------------------------------------------------------- tail index


def test_tail_index_solves_its_equation():
    maps = AffineMaps([[[2.0]], [[0.25]]], [[1.0], [0.0]])
    found = theory(maps).tail_index
    assert found.value == pytest.approx(math.log2((1 + math.sqrt(5)) / 2), rel=8 * EPS)
    batch = QuadraticSGD([1.0, 2.0, 12.0, 0.5], [0.0, 1.0, 2.0, 3.0], 0.3, batch_size=2)
    kappa = known(batch).tail_index().value
    assert sum(p * abs(a[0, 0]) ** kappa for p, a, _ in naive_theory.step_maps(batch)) == pytest.approx(1.0, abs=1e-13)


@given(st.lists(st.tuples(st.floats(-5, 3, allow_subnormal=False), st.floats(0.05, 1)), min_size=2, max_size=6))
def test_tail_index_of_any_law(pairs):
    logs, weights = np.transpose(pairs)
    weights = weights / weights.sum()
    if weights @ logs >= 0 or logs.max() <= 0:
        with pytest.raises(Undefined):
            tail_index(logs, weights)
        return
    kappa = tail_index(logs, weights)
    top = kappa * logs.max()  # divided out: κ is large where the top is just above zero
    value = top + math.log(weights @ np.exp(kappa * logs - top))
    assert kappa > 0
    assert abs(value) <= 64 * EPS * (1 + kappa * np.abs(logs).max())


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        (gallery.two_point_quadratic(0.3), "no linear part exceeds one"),
        (QuadraticSGD([1.0, 30.0], [0.0, 1.0], 0.5), "E log|a| is not negative"),
        (QuadraticSGD([1.0, 3.0], [2.0, 2.0], 0.9), "common fixed point"),
        (gallery.sierpinski(), "one dimension only"),
        (SYSTEMS["linear d=4 cyclic batch"], "a fixed order has no stationary law"),
        (LogisticRegressionSGD([[1.0], [2.0], [-1.0]], [1, -1, 1], 0.1, ridge=0.1), "gradient of the logistic loss"),
        (SYSTEMS["linear d=2 large batch"], "one dimension only"),
        (LinearRegressionSGD(RNG.normal(size=(60, 1)), np.ones(60), 3.0, batch_size=20), "too many to list"),
    ],
)
def test_reasons_without_a_tail_index(maps, reason):
    assert reason in theory(maps).reasons["tail_index"]


# -------------------------------------------------------------------------------------------- moments that do not exist


def test_mean_without_variance():
    """Between the boundaries: E|a| < 1 ≤ E a². The mean exists, the variance does not (C7)."""
    found = theory(AffineMaps([[[1.8]], [[0.1]]], [[1.0], [0.0]]))
    assert (found.mean_square_stable, found.covariance) == (False, None)
    assert found.mean[0] == pytest.approx(0.5 / (1 - 0.95), rel=64 * EPS)
    assert 1 < found.tail_index.value < 2
    # The same in two dimensions, turned: found by the common eigenvectors.
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    diagonals = np.array([np.diag([1.8, 0.3]), np.diag([0.1, 0.2])])
    turned = theory(AffineMaps(turn @ diagonals @ turn.T, [turn @ [1.0, 1.0], [0.0, 0.0]]))
    assert turned.covariance is None
    np.testing.assert_allclose(turned.mean, turn @ [0.5 / 0.05, 0.5 / 0.75], rtol=1e3 * EPS)


def test_neither_mean_nor_variance():
    heavy = theory(AffineMaps([[[3.0]], [[0.01]]], [[1.0], [0.0]]))
    assert heavy.lyapunov_exponent.value < 0
    assert "first moment is infinite" in heavy.reasons["mean"]
    unstable = theory(AffineMaps([[[2.0]], [[-2.0]]], [[1.0], [0.0]]))  # E a = 0: the linear solve would give a number
    assert "Lyapunov exponent (0.693147) is not negative" in unstable.reasons["mean"]
    assert "Lyapunov exponent" in unstable.reasons["covariance"]


def test_singular_mean_map():
    """Data that never see a direction: nothing contracts it."""
    found = theory(LinearRegressionSGD([[1.0, 0.0], [2.0, 0.0]], [1.0, 3.0], 0.1))
    assert found.lyapunov_exponent.value == 0.0
    assert found.mean is None
    assert found.mean_square_stable is None


def test_reshuffling_of_many_different_maps():
    found = theory(SYSTEMS["linear d=16 batch 5 reshuffle"])
    for name in ("mean", "covariance", "mean_square_radius", "mean_square_stable"):
        assert "orders of different 16×16 maps" in found.reasons[name]


def test_logistic_points_to_the_small_step_law():
    found = theory(SYSTEMS["logistic d=5"])
    assert "small_step" in found.reasons["mean"]
    assert "small_step_covariance" in found.reasons["covariance"]


# --------------------------------------------------------------------------------------------- common fixed point


@pytest.mark.parametrize("shift", [0.0, 1.0, 1e6])
@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_interpolation(shift, ridge):
    """C14: targets that a linear model fits exactly; a ridge pulls every map elsewhere."""
    features = RNG.normal(size=(30, 4))
    point = RNG.normal(size=4) + shift
    found = theory(LinearRegressionSGD(features, features @ point, 0.02, ridge=ridge))
    if ridge:
        assert found.common_fixed_point is None
        assert np.trace(found.covariance) > 0.0
        return
    np.testing.assert_allclose(found.common_fixed_point, point, rtol=1e4 * EPS)
    np.testing.assert_array_equal(found.mean, found.common_fixed_point)
    assert not found.covariance.any()


def test_point_law_without_mean_square_stability():
    """Almost surely stable, and all maps fix 2: the law is a point although second moments of the distance grow."""
    found = theory(QuadraticSGD([1.0, 3.0], [2.0, 2.0], 0.9))
    assert found.mean_square_stable is False
    assert found.lyapunov_exponent.value < 0.0
    assert found.mean[0] == pytest.approx(2.0, rel=4 * EPS)
    assert not found.covariance.any()
    repelled = theory(QuadraticSGD([1.0, 3.0], [2.0, 2.0], 2.5))
    assert repelled.common_fixed_point[0] == pytest.approx(2.0, rel=4 * EPS)
    assert repelled.mean is None


def test_least_norm_of_many_fixed_points():
    found = theory(LinearRegressionSGD([[1.0, 1.0], [2.0, 2.0]], [2.0, 4.0], 0.1))
    np.testing.assert_allclose(found.common_fixed_point, [1.0, 1.0], rtol=64 * EPS)


def test_nearly_common_fixed_points_are_not():
    maps = QuadraticSGD([1.0, 1.0, 2.0], [1.0, 1.0, 1.0 + 1e-12], 0.1)
    assert "have no common fixed point" in theory(maps).reasons["common_fixed_point"]
    assert "translation" in theory(AffineMaps([[[1.0]]], [[1.0]])).reasons["common_fixed_point"]


def test_maps_of_probability_zero_do_not_count():
    maps = AffineMaps([[[0.5]], [[0.5]]], [[1.0], [9.0]], [1.0, 0.0])
    found = theory(maps)
    assert found.common_fixed_point.tolist() == [2.0]
    assert contraction(AffineMaps([[[0.5]], [[7.0]]], [[1.0], [9.0]], [1.0, 0.0]), math.inf).value == 0.5


def test_common_fixed_point_of_logistic_regression():
    """A batch of all points has its minimiser as fixed point; single points with a ridge have none in common."""
    features, labels = RNG.normal(size=(20, 3)), np.arange(20) % 2
    full = theory(LogisticRegressionSGD(features, labels, 0.1, ridge=0.2, batch_size=20))
    np.testing.assert_allclose(
        full.maps.apply(full.common_fixed_point, np.arange(20)), full.common_fixed_point, atol=EPS
    )
    np.testing.assert_array_equal(full.mean, full.common_fixed_point)
    single = theory(LogisticRegressionSGD(features, labels, 0.1, ridge=0.2))
    assert "largest gradient" in single.reasons["common_fixed_point"]


# --------------------------------------------------------------------------------------------------- the cyclic order


@pytest.mark.parametrize("name", [name for name, maps in SYSTEMS.items() if maps.sampling_law.kind == "cyclic"])
def test_cycle_is_followed_by_the_maps(name):
    maps = SYSTEMS[name]
    cycle, size = theory(maps).cycle, maps.sampling_law.batch_size
    for k in range(len(cycle)):
        batch = np.arange(k * size, (k + 1) * size)
        moved = maps.apply(cycle[k - 1], batch)
        np.testing.assert_allclose(moved, cycle[k], atol=64 * maps.dim * EPS * np.abs(cycle).max())


def test_cycle_is_the_limit_of_the_forward_iterates():
    minimizers, h = np.array([0.0, 1.0, 5.0]), 0.4
    maps = QuadraticSGD([1.0, 2.0, 0.5], minimizers, h, sampling="cyclic")
    x, states = np.array([7.0]), []
    for step in range(300):
        x = maps.apply(x, step % 3)
        states.append(x)
    found = theory(maps)
    np.testing.assert_allclose(found.cycle, states[-3:], rtol=64 * EPS)
    assert found.reasons["mean"].endswith(".cycle in turn")
    assert found.mean_square_radius.value == pytest.approx((0.6 * 0.2 * 0.8) ** 2, abs=8 * EPS)


def test_cycle_of_logistic_regression_is_the_limit_of_the_forward_iterates():
    features, labels = RNG.normal(size=(7, 2)), np.array([1, 0, 1, 1, 0, 0, 1])
    maps = LogisticRegressionSGD(features, labels, 0.3, ridge=0.1, batch_size=2, sampling="cyclic")
    x = np.zeros(2)
    for step in range(3 * 1000):
        x = maps.apply(x, np.arange(step % 3 * 2, step % 3 * 2 + 2))
    np.testing.assert_allclose(theory(maps).cycle[-1], x, atol=64 * EPS)


def test_expanding_cycles_are_refused():
    found = theory(QuadraticSGD([1.0, 30.0], [0.0, 1.0], 0.5, sampling="cyclic"))
    assert "tend to no cycle" in found.reasons["cycle"]
    separable = LogisticRegressionSGD([[1.0], [2.0]], [1, 1], 0.1, sampling="cyclic")
    assert "separates" in theory(separable).reasons["cycle"]


# ------------------------------------------------------------------------------------------------------- small steps


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("family", ["linear", "quadratic"])
def test_small_step_covariance_is_the_leading_term(family, batch_size):
    """C9: the exact covariance over h tends to it, with a relative error of order h."""
    features, targets = RNG.normal(size=(8, 3)), RNG.normal(size=8)
    roots = RNG.normal(size=(8, 3, 3))
    errors = []
    for h in (1e-2, 1e-3, 1e-4):
        if family == "linear":
            maps = LinearRegressionSGD(features, targets, h, ridge=0.3, batch_size=batch_size)
        else:
            maps = QuadraticSGD(roots @ np.swapaxes(roots, 1, 2), features, h, batch_size=batch_size)
        exact, leading = known(maps).covariance(), small_step_covariance(maps)
        np.testing.assert_allclose(minimizer(maps), known(maps).mean(), rtol=1e5 * EPS)
        errors.append(np.linalg.norm(exact - leading) / np.linalg.norm(leading))
    slopes = np.log10(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(slopes, 1.0, atol=0.2)


def test_logistic_minimiser_against_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, labels = RNG.normal(size=(40, 3)), np.arange(40) % 2
    maps = LogisticRegressionSGD(features, labels, 0.1, ridge=0.05)
    point = minimizer(maps)
    # Both are at rounding of a gradient of n terms; scikit-learn minimises C·Σ loss + ½‖x‖², C = 1/(n·ridge).
    assert np.linalg.norm(gradients(maps, point).mean(axis=0)) <= 40 * EPS * np.abs(features).max()
    model = linear_model.LogisticRegression(C=1 / (40 * 0.05), fit_intercept=False, tol=1e-12, solver="newton-cholesky")
    np.testing.assert_allclose(point, model.fit(features, labels).coef_[0], atol=1e-9)


def test_logistic_minimiser_far_from_the_origin():
    """Nearly separable classes: the first full Newton steps overshoot."""
    maps = LogisticRegressionSGD([[50.0], [51.0], [-40.0], [0.1]], [1, 1, 0, 0], 0.1, ridge=1e-8)
    assert np.abs(gradients(maps, minimizer(maps)).mean(axis=0)).max() <= 4 * EPS * 51


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (LogisticRegressionSGD([[1.0], [-2.0]], [1, 0], 0.1), "a hyperplane separates the labels"),
        (LogisticRegressionSGD([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]], [1, 0, 1], 0.1), "no single minimiser"),
        (LinearRegressionSGD([[1.0, 0.0], [2.0, 0.0]], [1.0, 1.0], 0.1), "no single minimiser"),
        (QuadraticSGD([1.0, -3.0], [0.0, 1.0], 0.1), "smallest curvature of the mean loss of maps is -1"),
        (gallery.sierpinski(), "maps is a AffineMaps"),
    ],
)
def test_losses_without_a_minimiser(maps, message):
    with pytest.raises(InvalidInputError, match=message):
        minimizer(maps)


def test_small_step_law_is_for_independent_draws():
    with pytest.raises(InvalidInputError, match="sampling='reshuffle'"):
        small_step_covariance(QuadraticSGD([1.0, 1.0], [0.0, 1.0], 0.1, sampling="reshuffle"))


@settings(max_examples=25)
@given(st.integers(1, 5), st.integers(0, 2**32))
def test_full_batches_have_no_noise(n, seed):
    random = np.random.default_rng(seed)
    maps = LinearRegressionSGD(random.normal(size=(n, 2)), random.normal(size=n), 0.1, ridge=1.0, batch_size=n)
    np.testing.assert_allclose(small_step_covariance(maps), 0.0, atol=0)
    assert not known(maps).covariance().any()
