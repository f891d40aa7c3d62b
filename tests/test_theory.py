"""`theory` as a whole: every field or a reason, on every family and sampling."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.maps import AffineMaps, LinearRegressionSGD, LogisticRegressionSGD, QuadraticSGD, RandomMaps, gallery
from iterorder.theory import Theory, lyapunov, theory
from iterorder.theory.contraction import contraction
from tests.systems import SYSTEMS

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(13)
SCALARS = ("lipschitz_max", "lyapunov_exponent", "mean_square_radius", "tail_index")
FIELDS = (*SCALARS, "mean_square_stable", "mean", "covariance", "common_fixed_point", "cycle")


# --------------------------------------------------------------------------------------------------------- the contract


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    """A fortieth of the quick effort: here it matters that there is an estimate, not how tight it is."""
    monkeypatch.setattr(lyapunov, "WORK", {"quick": 2.5e7, "full": 2.5e7})


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


def test_the_radius_of_an_epoch_is_named_so():
    """Beside the exponent of a step; of independent steps there is nothing to say."""
    for sampling, named in (("reshuffle", True), ("iid", False)):
        found = theory(QuadraticSGD([1.0, 3.0, 2.0], [0.0, 1.0, 0.0], 0.1, sampling=sampling), seed=1)
        for text in (repr(found), found._repr_html_()):
            assert ("(of an epoch)" in text) is named


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
        ({"maps": 3}, "maps is an int"),
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
    with pytest.raises(InvalidInputError, match="give a number of at least 1, or inf"):
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


# --------------------------------------------------------------------------------------------------- common fixed point


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


# ----------------------------------------------------------------------------------------------------- the cyclic order


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


def test_fields_that_are_not_asked_for_are_not_computed(monkeypatch):
    """Over a grid the exponent would take a second of each cell; what is asked for is as always."""
    maps = LinearRegressionSGD([[1.0, 2.0], [0.5, -1.0], [2.0, 0.1]], [1.0, 2.0, 0.0], 0.1, ridge=0.1)
    whole = theory(maps, seed=1)

    def refused(*args, **kwargs):
        raise AssertionError("the exponent is measured")

    monkeypatch.setattr(lyapunov, "monte_carlo_spectrum", refused)
    some = theory(maps, seed=1, only=["mean", "mean_square_radius"])
    np.testing.assert_array_equal(some.mean, whole.mean)
    assert some.mean_square_radius == whole.mean_square_radius
    assert some.lyapunov_exponent is some.covariance is None
    assert "only" in some.reasons["covariance"]
    assert some.contraction(2) == whole.contraction(2)
    with pytest.raises(AssertionError):  # the control
        theory(maps, seed=1)
    with pytest.raises(AssertionError):  # asked for by its method
        some.lyapunov_spectrum(1)


@pytest.mark.parametrize("only", ["variance", ["mean", "lyapunov"], 3])
def test_only_names_fields(only):
    with pytest.raises(InvalidInputError, match=r"^only"):
        theory(gallery.vervaat(), only=only)
