"""Mean, covariance and mean-square stability: exact laws, and the literal formulas over every draw."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iterorder.maps import AffineMaps, LinearRegressionSGD, QuadraticSGD, gallery
from iterorder.simulate import simulate
from iterorder.theory.affine import commuting as commuting_module
from iterorder.theory.affine import moments
from iterorder.theory.affine.commuting import CommutingEpoch
from iterorder.theory.affine.half_vectorisation import from_half, to_half
from iterorder.theory.affine.items import affine_items
from iterorder.theory.affine.law import step_law
from iterorder.theory.affine.mean import fixed_point_of_mean
from iterorder.theory.families import analyse
from iterorder.theory.undefined import Undefined
from tests import naive_theory
from tests.systems import SYSTEMS

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(11)


def known(maps):
    """The parts of `theory` that are asked for, and no Monte Carlo."""
    return analyse(maps, seed=0, effort="quick")


def rounding(listed) -> float:
    """Relative error of both linear solves: condition times size times eps."""
    d = len(listed[0][2])
    kronecker = np.eye(d * d) - sum(p * np.kron(a, a) for p, a, _ in listed)
    single = np.eye(d) - sum(p * a for p, a, _ in listed)
    return 8 * d * d * EPS * np.linalg.cond(kronecker) * np.linalg.cond(single)


def assert_moments(found, listed):
    mean, covariance = naive_theory.stationary_moments(listed)
    tolerance = rounding(listed)
    assert tolerance < 1e-6  # otherwise the comparison says nothing
    size = np.linalg.norm(mean)
    np.testing.assert_allclose(found.mean(), mean, rtol=0, atol=tolerance * size)
    # The literal formula subtracts m mᵀ from S: its error is relative to both.
    both = size**2 + np.linalg.norm(covariance)
    np.testing.assert_allclose(found.covariance(), covariance, rtol=0, atol=tolerance * both)
    radius = naive_theory.mean_square_radius(listed)
    assert found.mean_square_radius().value == pytest.approx(radius, abs=tolerance)
    assert found.mean_square_stable() is True


# ------------------------------------------------------------------------------------------------------- exact laws


@pytest.mark.parametrize("h", [1e-6, 0.1, 0.5, 2 / 3, 1.0, 1.7])
def test_two_point_quadratic(h):
    found = known(gallery.two_point_quadratic(h))
    assert found.mean()[0] == pytest.approx(0.5, rel=4 * EPS)
    assert found.covariance()[0, 0] == pytest.approx(h / (4 * (2 - h)), rel=16 * EPS)
    assert found.mean_square_radius().value == pytest.approx((1 - h) ** 2, abs=4 * EPS)


@pytest.mark.parametrize("lam", [0.25, (math.sqrt(5) - 1) / 2, 2**-0.5, -0.3, 0.999])
def test_bernoulli_convolution(lam):
    found = known(gallery.bernoulli_convolution(lam))
    assert found.mean().tolist() == [0.0]
    assert found.covariance()[0, 0] == pytest.approx(1 / (1 - lam**2), rel=8 * EPS / (1 - abs(lam)))


def test_sierpinski_is_a_third_of_its_corners():
    found = known(gallery.sierpinski())
    corners = gallery.SIERPINSKI_CORNERS
    np.testing.assert_allclose(found.mean(), corners.mean(axis=0), rtol=8 * EPS)
    np.testing.assert_allclose(found.covariance(), np.cov(corners.T, bias=True) / 3, atol=8 * EPS)


def test_barnsley_fern():
    found = known(gallery.barnsley_fern())
    np.testing.assert_allclose(found.mean(), [0.796833, 6.167579], atol=5e-7)  # six decimals are stated
    np.testing.assert_allclose(found.covariance(), [[1.436309, 1.297832], [1.297832, 6.249628]], atol=5e-7)
    assert_moments(found, naive_theory.step_maps(gallery.barnsley_fern()))


@pytest.mark.parametrize("h", [1e-4, 0.05, 0.3])
def test_scalar_finite_sum(h):
    curvatures, minimizers = np.array([0.5, 1.0, 3.0, 2.0]), np.array([1.0, -1.0, 0.5, 4.0])
    found = known(QuadraticSGD(curvatures, minimizers, h))
    mean = (curvatures * minimizers).mean() / curvatures.mean()
    noise = h * (curvatures**2 * (minimizers - mean) ** 2).mean()
    variance = noise / (2 * curvatures.mean() - h * (curvatures**2).mean())
    assert found.mean()[0] == pytest.approx(mean, rel=16 * EPS)
    assert found.covariance()[0, 0] == pytest.approx(variance, rel=64 * EPS)


def test_two_stabilities_of_two_curvatures():
    """Curvatures {1, 30}: mean-square stable below .0688, almost surely below .0692 and again on (.9642, 1.0333)."""
    mean_square = 2 * 15.5 / 450.5
    edges = [(31 - math.sqrt(31**2 - 240)) / 60, (31 + math.sqrt(31**2 - 240)) / 60, 31 / 30]
    for h in [0.01, 0.0687, 0.0690, 0.07, 0.5, 0.96, 0.965, 1.0, 1.033, 1.034, 2.0]:
        found = known(QuadraticSGD([1.0, 30.0], [0.0, 1.0], h))
        assert found.mean_square_stable() is (h < mean_square)
        assert (found.lyapunov_exponent().value < 0) is (h < edges[0] or edges[1] < h < edges[2])
    with pytest.raises(Undefined, match="within rounding of one"):
        known(QuadraticSGD([1.0, 30.0], [0.0, 1.0], mean_square)).mean_square_stable()


def test_least_squares_noise_form():
    """Σ = E[(I−haaᵀ)Σ(I−haaᵀ)] + h²E[ε²aaᵀ]: the cross terms vanish."""
    features, targets, h = RNG.normal(size=(12, 3)), RNG.normal(size=12), 0.05
    found = known(LinearRegressionSGD(features, targets, h))
    errors = targets - features @ np.linalg.lstsq(features, targets, rcond=None)[0]
    covariance, again = found.covariance(), np.zeros((3, 3))
    for a, e in zip(features, errors, strict=True):
        step = np.eye(3) - h * np.outer(a, a)
        again += (step @ covariance @ step + h**2 * e**2 * np.outer(a, a)) / 12
    np.testing.assert_allclose(covariance, again, atol=1e3 * EPS * np.abs(again).max())


# ------------------------------------------------------------------------------------------- against every draw


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_batches_of_regression(batch_size, ridge):
    features, targets = RNG.normal(size=(6, 3)), RNG.normal(size=6)
    maps = LinearRegressionSGD(features, targets, 0.1, ridge=ridge, batch_size=batch_size)
    assert_moments(known(maps), naive_theory.step_maps(maps))


@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_batches_of_quadratics(batch_size):
    roots = RNG.normal(size=(5, 2, 2))
    maps = QuadraticSGD(roots @ np.swapaxes(roots, 1, 2), RNG.normal(size=(5, 2)), 0.15, batch_size=batch_size)
    assert_moments(known(maps), naive_theory.step_maps(maps))


def test_weighted_affine_maps():
    matrices, offsets = 0.4 * RNG.normal(size=(4, 3, 3)), RNG.normal(size=(4, 3))
    maps = AffineMaps(matrices, offsets, [0.5, 0.0, 0.2, 0.3])
    assert_moments(known(maps), naive_theory.step_maps(maps))


@pytest.mark.parametrize(("n", "batch_size"), [(4, 1), (5, 2), (6, 3), (3, 3), (1, 1)])
@pytest.mark.parametrize("family", ["equal", "different"])
def test_reshuffling_against_all_permutations(n, batch_size, family):
    minimizers = RNG.normal(size=(n, 2))
    if family == "equal":
        curvatures = np.broadcast_to([[2.0, 0.5], [0.5, 1.0]], (n, 2, 2))
    else:
        roots = RNG.normal(size=(n, 2, 2))
        curvatures = roots @ np.swapaxes(roots, 1, 2) + 0.5 * np.eye(2)
    maps = QuadraticSGD(curvatures, minimizers, 0.2, batch_size=batch_size, sampling="reshuffle")
    assert_moments(known(maps), naive_theory.epoch_maps(maps))


def test_reshuffling_of_equal_matrices_that_are_not_symmetric():
    matrix = np.array([[0.5, 0.4], [-0.2, 0.3]])
    maps = AffineMaps(np.broadcast_to(matrix, (5, 2, 2)), RNG.normal(size=(5, 2)), sampling="reshuffle")
    assert_moments(known(maps), naive_theory.epoch_maps(maps))


@pytest.mark.parametrize("h", [0.5, 0.1, 1e-2])
@pytest.mark.parametrize("n", [5, 40])
def test_reshuffling_formula(n, h):
    minimizers = RNG.normal(size=n)
    found = known(QuadraticSGD(np.full(n, 1.5), minimizers, h, sampling="reshuffle"))
    # The bracket of the literal formula is (hλ)²n³/12 small against its terms, of size n.
    lost = n * EPS * max(1.0, 12 / (1.5 * h * n) ** 2)
    assert found.covariance()[0, 0] == pytest.approx(
        naive_theory.reshuffling_variance(1.5, minimizers, h), rel=16 * lost
    )
    assert found.mean()[0] == pytest.approx(minimizers.mean(), abs=8 * n * EPS)


def test_reshuffling_keeps_its_digits_for_small_steps():
    """C12: (hλ)³σ_c² n(n+1)/24 as h → 0, where the literal formula has lost every digit."""
    minimizers, h = np.arange(8.0), 1e-9
    found = known(QuadraticSGD(np.ones(8), minimizers, h, sampling="reshuffle"))
    leading = h**3 * np.var(minimizers) * 8 * 9 / 24
    assert found.covariance()[0, 0] == pytest.approx(leading, rel=1e-6)  # next term: a factor 1 + O(nh)


def commuting(n, dim, spread, random):
    """Quadratics with common axes and different curvatures."""
    axes = np.linalg.qr(random.normal(size=(dim, dim)))[0]
    curvatures = np.einsum("ik,nk,jk->nij", axes, random.uniform(*spread, (n, dim)), axes)
    return 0.5 * (curvatures + np.swapaxes(curvatures, 1, 2)), random.normal(size=(n, dim))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 6), dim=st.integers(1, 3), h=st.floats(0.01, 0.6), seed=st.integers(0, 10**6))
def test_reshuffling_of_commuting_maps_against_all_permutations(n, dim, h, seed):
    """Factors of both signs: |1 − hλ| up to 1.4."""
    assert_epoch(QuadraticSGD(*commuting(n, dim, (0.1, 4.0), np.random.default_rng(seed)), h, sampling="reshuffle"))


def assert_epoch(maps):
    """The map of an epoch against all orders: n compositions of offsets of this size, and products of two of them."""
    epoch = CommutingEpoch.of(affine_items(maps))
    mean_map, covariance = epoch.map_of_mean(), epoch.offset_covariance().rounded
    increment, mean = mean_map.increments.rounded[0], mean_map.offsets.rounded[0]
    listed = naive_theory.epoch_maps(maps)
    offsets = np.array([offset for _, _, offset in listed])
    size = np.abs(offsets).max() + 1.0
    bound = 1e3 * EPS * maps.sampling_law.n_items * size**2
    np.testing.assert_allclose(np.eye(maps.dim) + increment, listed[0][1], rtol=0, atol=bound)
    np.testing.assert_allclose(mean, offsets.mean(axis=0), rtol=0, atol=bound)
    np.testing.assert_allclose(covariance, np.cov(offsets.T, bias=True).reshape(2 * (maps.dim,)), rtol=0, atol=bound)


def test_reshuffling_of_many_commuting_maps_against_simulation():
    n, replicas = 60, 20_000
    curvatures, minimizers = commuting(n, 2, (0.2, 3.0), np.random.default_rng(17))
    maps = QuadraticSGD(curvatures, minimizers, 0.2, sampling="reshuffle")
    found = known(maps)
    covariance = found.covariance()
    states = simulate(maps, found.mean(), 6 * n, n_replicas=replicas, seed=18).states[:, 0]
    deviations = states - found.mean()
    for direction in ([1.0, 0.0], [0.0, 1.0], [0.6, 0.8]):
        along = deviations @ direction
        z = along.mean() / along.std(ddof=1) * math.sqrt(replicas)
        assert abs(z) < 4.5  # 7·10⁻⁶
        spread = along**2
        error = spread.std(ddof=1) / math.sqrt(replicas)
        assert abs(spread.mean() - direction @ covariance @ direction) < 4.5 * error
        independent = known(QuadraticSGD(curvatures, minimizers, 0.2)).covariance()
        assert abs(spread.mean() - direction @ independent @ direction) > 4.5 * error  # the wrong law


@pytest.mark.parametrize(
    ("n", "h"), [(100, 1.5), (200, 1e-2), (300, 1e-3), (1000, 0.9), (1000, 1.9), (10_000, 0.05), (30_000, 0.9)]
)
def test_quadrature_agrees_with_the_formula_of_equal_curvatures(n, h):
    """A curvature that differs in the tenth digit changes the way, and the law by as little.

    With many maps or large steps nearly all of the integrals lies in layers of width 1/(nh) at an end.
    """
    minimizers = np.random.default_rng(n).normal(size=n) + 1.0
    equal = known(QuadraticSGD(np.ones(n), minimizers, h, sampling="reshuffle"))
    nearly = known(QuadraticSGD(np.append(np.ones(n - 1), 1.0 + 1e-10), minimizers, h, sampling="reshuffle"))
    np.testing.assert_allclose(nearly.mean(), equal.mean(), rtol=1e-8)
    np.testing.assert_allclose(nearly.covariance(), equal.covariance(), rtol=1e-7)


@pytest.mark.parametrize("n", [4, 5, 6, 7])
@pytest.mark.parametrize("factor", [-1.0, 0.0])
def test_factors_that_vanish_at_a_node(n, factor):
    """1 − y(1 − a) is zero at y = ½ for a = −1, and at y = 1 for a = 0."""
    curvatures = np.append(1.0 - factor, np.random.default_rng(n).uniform(0.5, 1.5, n - 1))
    assert_epoch(QuadraticSGD(curvatures, np.arange(float(n)), 1.0, sampling="reshuffle"))


def test_reshuffling_with_maps_that_expand():
    """The exact rule up to a thousand maps; against a simulation, as no order dominates."""
    random = np.random.default_rng(19)
    slopes, offsets = random.uniform(0.8, 1.15, 300), random.normal(size=300)
    maps = AffineMaps(slopes[:, None, None], offsets[:, None], sampling="reshuffle")
    found = known(maps)
    states = simulate(maps, found.mean(), 5 * 300, n_replicas=20_000, seed=20).states[:, 0, 0]
    deviations = states - found.mean()[0]
    assert abs(deviations.mean()) < 4.5 * deviations.std() / math.sqrt(20_000)
    squares = deviations**2
    assert abs(squares.mean() - found.covariance()[0, 0]) < 4.5 * squares.std() / math.sqrt(20_000)
    many = AffineMaps(np.tile(slopes, 4)[:, None, None], np.tile(offsets, 4)[:, None], sampling="reshuffle")
    with pytest.raises(Undefined, match="some of which expand"):
        known(many).mean()


def test_reshuffling_beyond_reach_is_refused(monkeypatch):
    maps = QuadraticSGD(np.linspace(1.0, 2.0, 40), np.arange(40.0), 0.1, sampling="reshuffle")
    mean = known(maps).mean()
    assert known(maps).covariance() > 0.0
    monkeypatch.setattr(commuting_module, "MAX_FACTORS", 2_000)
    with pytest.raises(Undefined, match="take too long for 40 maps"):
        known(maps).covariance()
    assert known(maps).mean() == mean  # which takes less
    assert known(maps).mean_square_stable()


# ---------------------------------------------------------------------------------------------------- real data


@pytest.fixture(scope="module")
def diabetes():
    datasets = pytest.importorskip("sklearn.datasets")
    features, targets = datasets.load_diabetes(return_X_y=True, scaled=False)
    return (features - features.mean(0)) / features.std(0), (targets - targets.mean()) / targets.std()


def test_diabetes_time_scales(diabetes):
    features, targets = diabetes
    assert np.linalg.eigvalsh(features.T @ features / len(features))[0] == pytest.approx(0.0086, abs=5e-5)
    stable = [moments_of(LinearRegressionSGD(features, targets, h)).stable for h in (0.1425, 0.1435)]
    assert stable == [True, False]  # h = .143 to three digits


def moments_of(maps):
    return moments.SecondMoments(step_law(maps.sampling_law, affine_items(maps)))


def test_diabetes_against_the_kronecker_formula(diabetes):
    maps = LinearRegressionSGD(*diabetes, 0.05, ridge=0.01)
    operator = moments_of(maps)
    mean, covariance = fixed_point_of_mean(operator.law).rounded, operator.covariance()
    listed = naive_theory.step_maps(maps)
    literal_mean, literal_covariance = naive_theory.stationary_moments(listed)
    np.testing.assert_allclose(mean, literal_mean, atol=1e-11)
    np.testing.assert_allclose(covariance, literal_covariance, atol=rounding(listed) * np.abs(covariance).max())


# ------------------------------------------------------------------------------------------------ the machinery


def test_half_vectors_keep_inner_products():
    a, b = (m + m.T for m in RNG.normal(size=(2, 4, 4)))
    assert to_half(a) @ to_half(b) == pytest.approx(np.trace(a @ b), rel=64 * EPS)
    np.testing.assert_allclose(from_half(to_half(a), 4), a, rtol=4 * EPS)


# Above d = 54 the matrix is never made; d = 64 is one such system.
AFFINE = [name for name, maps in SYSTEMS.items() if affine_items(maps) is not None and maps.dim <= 64]


@pytest.mark.parametrize("name", AFFINE)
def test_matrix_and_application_agree(name):
    operator = moments_of(SYSTEMS[name])
    square = RNG.normal(size=(operator.law.dim,) * 2)
    square = square @ square.T
    applied = from_half(operator.matrix @ to_half(square), operator.law.dim)
    np.testing.assert_allclose(
        applied, operator.apply(square), atol=operator.size * EPS * operator.scale * np.linalg.norm(square)
    )


@pytest.mark.parametrize("name", ["fern", "affine d=9", "quadratic d=10 batch", "linear d=30 batch 3", "linear d=17"])
def test_iterative_solvers_agree_with_dense_ones(name, monkeypatch):
    dense = moments_of(SYSTEMS[name])
    monkeypatch.setattr(moments, "MAX_DENSE_UNKNOWNS", 0)
    free = moments_of(SYSTEMS[name])
    assert (dense.dense, free.dense) == (True, False)
    assert free.excess == pytest.approx(dense.excess, abs=100 * dense.size * EPS * dense.scale)
    assert free.stable == dense.stable
    if dense.stable:
        mean = fixed_point_of_mean(dense.law)
        source = dense.law.noise_covariance(mean)
        expected = dense.solve(source)
        # Both residuals are near eps·‖C‖·scale; the solutions differ by that over the distance to singularity.
        error = 1e3 * dense.size * EPS * dense.scale / abs(dense.excess)
        np.testing.assert_allclose(free.solve(source), expected, atol=error * np.linalg.norm(expected))


def test_eigenmatrix_is_in_the_cone():
    operator = moments_of(SYSTEMS["linear d=17"])
    assert np.linalg.eigvalsh(operator.shape)[0] >= -EPS * 17
    left = operator.apply(operator.shape) - operator.excess * operator.shape
    assert np.linalg.norm(left) <= operator.size * EPS * operator.scale * 17


def test_small_steps_keep_the_digits_of_the_excess():
    """ρ − 1 = −2hλ_min + O(h²) is far below the rounding of one."""
    operator = moments_of(QuadraticSGD([1.0, 3.0], [0.0, 1.0], 1e-20))
    assert operator.excess == pytest.approx(-4e-20, rel=4 * EPS)
    assert operator.stable is True


def test_stability_is_not_decided_within_rounding():
    critical = known(AffineMaps(np.diag([1.0, 0.5])[None], np.zeros((1, 2))))
    with pytest.raises(Undefined, match="within rounding of one"):
        critical.mean_square_stable()


def test_directions_that_no_point_moves_cost_no_iterations(monkeypatch):
    """Fewer points than dimensions, as in interpolation: no solver is asked what E A shows; with a ridge one is."""
    asked: list[int] = []
    solve = moments.iterative.solve
    monkeypatch.setattr(moments.iterative, "solve", lambda m, source: asked.append(m.law.dim) or solve(m, source))
    features, targets = RNG.normal(size=(20, 60)), RNG.normal(size=20)
    alone = known(LinearRegressionSGD(features, targets, 0.005))
    with pytest.raises(Undefined, match="within rounding of one"):
        alone.mean_square_stable()
    assert asked == []
    assert known(LinearRegressionSGD(features, targets, 0.005, ridge=0.1)).mean_square_stable() is True
    assert asked == [60]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_mean_that_contracts_at_all_is_left_to_the_solver(sign):
    """Half of what rounding hides is the limit: below it E A alone says enough, above it the solver must be asked."""

    def one_slow(distance):
        return moments_of(AffineMaps(np.diag([sign * (1.0 - distance), 0.5])[None], np.ones((1, 2))))

    hidden = one_slow(0.0)._rounding_of_application
    assert [one_slow(share * hidden)._mean_is_too_slow for share in (0.0, 0.25, 1.0)] == [True, True, False]


def test_nilpotent_and_defective_maps_are_stable():
    maps = AffineMaps([[[0.9, 10.0], [0.0, 0.9]]], [[1.0, 1.0]])
    assert known(maps).mean_square_stable() is True
    assert known(AffineMaps([[[0.0, 5.0], [0.0, 0.0]]], [[1.0, 1.0]])).mean_square_radius().value == pytest.approx(0.0)


# ------------------------------------------------------------------------------------------------------ properties


@st.composite
def contracting_systems(draw):
    m, d = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    unit = st.floats(-1, 1, allow_subnormal=False)
    matrices, offsets = draw(arrays(float, (m, d, d), elements=unit)), draw(arrays(float, (m, d), elements=unit))
    return matrices * 0.8 / d, offsets  # ‖A‖ ≤ .8: every condition number below is at most 1/(1−.64)


CONDITION = 1 / (1 - 0.8**2)


@settings(max_examples=40)
@given(contracting_systems(), arrays(float, 3, elements=st.floats(-100, 100, allow_subnormal=False)))
def test_translation(system, shift):
    matrices, offsets = system
    shift = shift[: offsets.shape[1]]
    plain = known(AffineMaps(matrices, offsets))
    moved = known(AffineMaps(matrices, offsets + shift - matrices @ shift))
    size = 1 + np.abs(shift).max()
    np.testing.assert_allclose(moved.mean(), plain.mean() + shift, atol=100 * CONDITION * EPS * size)
    np.testing.assert_allclose(moved.covariance(), plain.covariance(), atol=1000 * CONDITION**2 * EPS * size)


@settings(max_examples=40)
@given(contracting_systems(), st.integers(-20, 20))
def test_scaling_by_a_power_of_two_is_exact(system, exponent):
    matrices, offsets = system
    plain, scaled = known(AffineMaps(matrices, offsets)), known(AffineMaps(matrices, offsets * 2.0**exponent))
    np.testing.assert_array_equal(scaled.mean(), plain.mean() * 2.0**exponent)
    np.testing.assert_array_equal(scaled.covariance(), plain.covariance() * 4.0**exponent)


@settings(max_examples=40)
@given(contracting_systems())
def test_covariance_is_positive_semidefinite_and_stationary(system):
    maps = AffineMaps(*system)
    found = known(maps)
    mean, covariance = found.mean(), found.covariance()
    assert np.array_equal(covariance, covariance.T)
    tolerance = 100 * CONDITION * EPS * (1 + np.linalg.norm(covariance))
    assert np.linalg.eigvalsh(covariance)[0] >= -tolerance
    moved = [a @ mean + b - mean for a, b in zip(*system, strict=True)]
    again = np.mean([a @ covariance @ a.T + np.outer(r, r) for a, r in zip(system[0], moved, strict=True)], axis=0)
    np.testing.assert_allclose(covariance, again, atol=tolerance)


@pytest.mark.parametrize(("rows", "ridge"), [(2000, 0.0), (2000, 0.3), (20, 0.0)])
def test_the_operator_by_its_matrix_is_the_operator(rows, ridge):
    """Many rows are applied by the matrix on half vectors, few one by one; transposed halves would differ."""
    rng = np.random.default_rng(3)
    features, d = rng.normal(size=(rows, 6)), 6
    maps = LinearRegressionSGD(features, np.zeros(rows), 0.05, ridge=ridge, batch_size=2)
    system = moments.SecondMoments(step_law(maps.sampling_law, affine_items(maps)))
    c = rng.normal(size=(d, d))
    c = c @ c.T
    expected = system.apply(c)
    # Sums over all rows, each rounded once more for half vectors.
    bound = (rows + 8 * d * d) * EPS * system.scale * np.linalg.norm(c)
    assert np.abs(system.apply_often(c) - expected).max() <= bound
    assert np.abs(system.apply_often(np.diag(np.diag(c))) - expected).max() > bound
