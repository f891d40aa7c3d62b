"""The whole Lyapunov spectrum: exact cases, numbers from the literature, sums that are determinants.

Monte Carlo is judged at five standard errors, a level of 6·10⁻⁷ for each comparison; the seeds are fixed.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.theory import lyapunov
from iterorder.theory.affine.items import affine_items
from iterorder.theory.families import analyse
from iterorder.theory.gaussian import log_moment
from iterorder.theory.growth import Growth, exponents
from iterorder.theory.lyapunov import lyapunov_spectrum
from iterorder.theory.row_cycle import row_cycle
from iterorder.theory.spectrum import cycle_spectrum
from iterorder.theory.tangent import orthonormalise
from iterorder.theory.undefined import Undefined
from tests.systems import logistic

EPS = np.finfo(np.float64).eps
LEVEL = 5.0
RNG = np.random.default_rng(21)


def spectrum(maps, k=None, seed=1):
    return analyse(maps, seed=seed, effort="quick").lyapunov_spectrum(maps.dim if k is None else k)


def values(found) -> np.ndarray:
    return np.array([estimate.value for estimate in found])


def score(found: Estimate, target: float) -> float:
    return (found.value - target) / found.standard_error


def linear(matrices, **options):
    matrices = np.array(matrices, float)
    return ito.AffineMaps(matrices, np.zeros(matrices.shape[:2]), **options)


def log_moduli(matrix) -> np.ndarray:
    return np.sort(np.log(np.abs(np.linalg.eigvals(matrix))))[::-1]


@pytest.fixture
def short_runs(monkeypatch):
    """A tenth of the quick effort."""
    monkeypatch.setitem(lyapunov.WORK, "quick", 1e8)


# ----------------------------------------------------------------------------------------------------------- literature


@pytest.mark.parametrize(
    ("matrices", "gamma"),
    [
        ([[[0, 1], [1, 1]], [[0, 1], [1, -1]]], 0.1239755988),  # Viswanath (2000), random Fibonacci sequences
        ([[[2, 1], [1, 1]], [[3, 1], [2, 1]]], 1.1433110351),  # Pollicott (2010)
    ],
    ids=["random Fibonacci", "Pollicott"],
)
def test_products_with_known_exponents(matrices, gamma):
    maps = linear(matrices)
    known = ito.theory(maps, seed=1)
    first, second = known.lyapunov_spectrum()
    assert first == known.lyapunov_exponent
    assert abs(score(first, gamma)) < LEVEL
    assert first.standard_error < 1e-3
    assert first.value + second.value == pytest.approx(0.0, abs=1e-12)  # determinants are ±1
    radius_of_mean = log_moduli(maps.matrices.mean(axis=0))[0]
    assert abs(score(first, radius_of_mean)) > LEVEL  # the control: log ρ(E A) is not γ
    mean_of_radii = np.mean([log_moduli(a)[0] for a in maps.matrices])
    assert abs(score(first, mean_of_radii)) > LEVEL  # and neither is E log ρ(A)


# ---------------------------------------------------------------------------------------------------------------- exact


def test_one_map_has_the_moduli_of_its_eigenvalues():
    matrix = RNG.normal(size=(6, 6))
    found = spectrum(linear([matrix]))
    assert all(estimate.exact for estimate in found)
    np.testing.assert_allclose(values(found), log_moduli(matrix), atol=1e3 * EPS)


def test_commuting_and_triangular_maps():
    basis = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    curvatures = RNG.uniform(0.1, 3.0, size=(4, 3))
    matrices = np.einsum("ij,nj,kj->nik", basis, curvatures, basis)
    maps = ito.QuadraticSGD(0.5 * (matrices + np.swapaxes(matrices, 1, 2)), np.zeros((4, 3)), 0.4)
    literal = np.sort(np.log(np.abs(1 - 0.4 * curvatures)).mean(axis=0))[::-1]
    np.testing.assert_allclose(values(spectrum(maps)), literal, rtol=1e3 * EPS)
    upper = np.array([[[0.5, 3.0], [0.0, 0.9]], [[0.2, -1.0], [0.0, 1.3]]])
    found = spectrum(linear(upper))
    np.testing.assert_allclose(
        values(found), np.sort(np.log(upper[:, [0, 1], [0, 1]]).mean(axis=0))[::-1], rtol=8 * EPS
    )


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_cyclic_order_has_the_eigenvalues_of_the_product(dim, count, seed):
    matrices = np.random.default_rng(seed).normal(size=(count, dim, dim))
    product = np.linalg.multi_dot([np.eye(dim), *matrices[::-1], np.eye(dim)])
    found = values(spectrum(linear(matrices, sampling="cyclic"))) * count
    # Eigenvalues of the product are wrong by eps·‖P‖ times their condition; here only those far above that are asked.
    eigenvalues, vectors = np.linalg.eig(product)
    doubt = np.linalg.cond(vectors) * count * dim * EPS * np.prod(np.linalg.norm(matrices, axis=(1, 2)))
    expected = np.sort(np.abs(eigenvalues))[::-1]
    sure = expected > 1e6 * doubt
    np.testing.assert_allclose(found[sure], np.log(expected[sure]), atol=1e-5)
    assert found.sum() == pytest.approx(np.linalg.slogdet(matrices)[1].sum(), abs=1e-6)


def test_a_long_cycle_keeps_eigenvalues_that_its_product_loses():
    """A_k = P_(k+1) D_k P_k⁻¹ with P_N = P_0: the product is P_0 (ΠD) P_0⁻¹, of condition 10¹²⁰."""
    count, dim = 60, 3
    bases = RNG.normal(size=(count, dim, dim))
    diagonals = np.array([10.0, 1.0, 0.1]) * RNG.uniform(0.5, 2.0, size=(count, dim))
    following = np.roll(bases, -1, axis=0)
    matrices = following @ (diagonals[:, :, None] * np.linalg.inv(bases))
    exact = np.sort(np.log(diagonals).mean(axis=0))[::-1]
    found = values(spectrum(linear(matrices, sampling="cyclic")))
    conditions = np.linalg.cond(bases).max() * 1e2
    np.testing.assert_allclose(found, exact, atol=conditions * EPS)
    product = np.eye(dim)
    for matrix in matrices:
        product = matrix @ product
    assert abs(log_moduli(product)[-1] / count - exact[-1]) > 0.1  # the control: its smallest eigenvalue is rounding


def test_a_pair_of_conjugates_in_a_cycle_has_one_modulus():
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    found = spectrum(linear([quarter, np.diag([2.0, 0.5])], sampling="cyclic"))
    np.testing.assert_allclose(values(found), 0.0, atol=64 * EPS)


def test_singular_maps_in_a_cycle_end_in_minus_infinity():
    matrices = [np.outer([1.0, 2.0, 0.5], [1.0, 1.0, 1.0]), np.diag([1.0, 2.0, 3.0])]
    found = values(spectrum(linear(matrices, sampling="cyclic")))
    assert found[0] == pytest.approx(0.5 * math.log(1.0 + 4.0 + 1.5), rel=64 * EPS)
    assert np.isneginf(found[1:]).all()


def test_the_logistic_cycle():
    maps = logistic(3, sampling="cyclic")
    found, cycle = spectrum(maps), row_cycle(maps)
    assert all(estimate.exact for estimate in found)
    assert found[0] == Estimate.of(cycle.exponent)
    determinants = np.linalg.slogdet(np.eye(3) + cycle.increments)[1]
    assert values(found).sum() == pytest.approx(determinants.mean(), rel=1e-9)


# ---------------------------------------------------------------------------------------------------------- Monte Carlo


def test_the_sum_is_the_mean_log_determinant(short_runs):
    matrices = RNG.normal(size=(5, 4, 4))
    found = spectrum(linear(matrices))
    determinants = np.linalg.slogdet(matrices)[1]
    # Covariances of the single errors are not known; their sum bounds that of the sum.
    error = sum(estimate.standard_error for estimate in found)
    assert abs(values(found).sum() - determinants.mean()) < LEVEL * error
    assert abs(values(found).sum() - np.log(np.abs(np.linalg.det(matrices)).mean())) > LEVEL * error  # not log E|det|
    scaled = matrices / np.exp(determinants / 4.0)[:, None, None]
    assert values(spectrum(linear(scaled))).sum() == pytest.approx(0.0, abs=1e-10)  # each determinant is one


@pytest.mark.parametrize("losses", ["least squares", "logistic"])
def test_heavy_ball_contracts_volumes_by_the_momentum(losses, short_runs):
    """det D(x, v) → (x − h(βv + g), βv + g) is β^d, whatever the Hessian."""
    features, beta = RNG.normal(size=(30, 3)), 0.6
    if losses == "logistic":
        steps = ito.LogisticRegressionSGD(features, np.arange(30) % 2, 0.3, ridge=0.1)
    else:
        steps = ito.LinearRegressionSGD(features, np.zeros(30), 0.1)
    found = spectrum(ito.Optimizer(steps, momentum=beta))
    assert values(found).sum() == pytest.approx(3 * math.log(beta), rel=1e-10)
    assert (np.diff(values(found)) < 0.0).all()


@pytest.mark.parametrize("h", [1e-5, 1e-4])
def test_small_steps_have_the_spectrum_of_the_mean(h, short_runs):
    """h → 0: γ_k/h → −λ_k of the mean curvature, although no direction aligns within the run."""
    features = RNG.normal(size=(50, 4)) * np.array([0.2, 1.0, 1.5, 2.0])
    eigenvalues = np.linalg.eigvalsh(features.T @ features / 50)
    found = values(spectrum(ito.LinearRegressionSGD(features, np.zeros(50), h)))
    np.testing.assert_allclose(found / h, -eigenvalues, rtol=0.06)


def test_small_steps_of_an_optimizer_and_of_fresh_data(short_runs):
    """Directions that start at random take the mean of all rates for the slowest one."""
    features = RNG.normal(size=(50, 2)) * np.array([0.2, 2.0])
    logistic_steps = ito.LogisticRegressionSGD(features, np.arange(50) % 2, 1e-4, ridge=0.01)
    bare = spectrum(ito.Optimizer(logistic_steps))
    heavy = spectrum(ito.Optimizer(logistic_steps, momentum=0.5))
    for slow, plain in zip(heavy, bare, strict=False):  # a step of effective size h/(1 − β), to first order
        error = math.hypot(slow.standard_error, 2.0 * plain.standard_error)
        assert abs(slow.value - 2.0 * plain.value) < LEVEL * error + 0.01 * abs(slow.value)
    assert abs(score(heavy[0], values(bare).sum())) > LEVEL  # the control: the mean of both rates, doubled
    fresh = spectrum(ito.GaussianRegressionSGD([1.0, 0.01], 1.0, 1e-4))
    np.testing.assert_allclose(values(fresh), [-1e-6, -1e-4], rtol=0.02)
    assert abs(score(fresh[0], -0.5 * (1e-6 + 1e-4))) > LEVEL  # the control: the mean of both rates


def test_small_steps_in_many_dimensions(short_runs):
    """Where second moments are too large to write down, and no map is symmetric."""
    moves = RNG.normal(size=(2, 60, 60)) + np.diag(np.linspace(1.0, 200.0, 60))
    maps = linear(np.eye(60) - 1e-7 * moves)
    found, mean = lyapunov.lyapunov_exponent(maps), log_moduli(maps.matrices.mean(axis=0))
    assert found.value == pytest.approx(mean[0], rel=0.02)
    assert abs(found.value - mean.mean()) > LEVEL * found.standard_error + 0.5 * abs(mean.mean())  # not the mean rate


def test_directions_without_data_stay():
    found = spectrum(ito.GaussianRegressionSGD([1.0, 0.0], 1.0, 5.0))
    assert [estimate.value for estimate in found] == [log_moment(5.0), 0.0]  # one grows: the other does not hide it
    assert values(spectrum(ito.GaussianRegressionSGD([0.0, 0.0], 1.0, 5.0))).tolist() == [0.0, 0.0]


def test_rank_one_maps_have_one_finite_exponent(short_runs):
    vectors = RNG.normal(size=(2, 4, 3))
    found = spectrum(linear(np.einsum("ni,nj->nij", *vectors)))
    products = np.log(np.abs(vectors[1] @ vectors[0].T))  # log|vᵢᵀuⱼ|, i and j independent
    assert abs(score(found[0], products.mean())) < LEVEL
    assert values(found[1:]).tolist() == [-math.inf, -math.inf]


def test_the_largest_is_the_exponent(short_runs):
    maps = logistic(4)
    known = ito.theory(maps, seed=3)
    few, all_of_them = known.lyapunov_spectrum(2), known.lyapunov_spectrum()
    assert known.lyapunov_spectrum(1) == (known.lyapunov_exponent,)
    assert (len(few), len(all_of_them)) == (2, 4)
    for found in (few[0], all_of_them[0]):
        error = math.hypot(found.standard_error, known.lyapunov_exponent.standard_error)
        assert abs(found.value - known.lyapunov_exponent.value) < LEVEL * error
    assert (np.diff(values(all_of_them)) < 0.0).all()
    assert all(estimate == again for estimate, again in zip(all_of_them, known.lyapunov_spectrum(), strict=True))


# --------------------------------------------------------------------------------------------------------- what it says


@pytest.mark.parametrize("k", [0, 4, 1.5, "all"])
def test_k_is_a_number_of_exponents(k):
    with pytest.raises(InvalidInputError, match="k is"):
        ito.theory(linear(np.eye(3)[None])).lyapunov_spectrum(k)


def test_too_many_vectors_are_refused_before_they_are_followed():
    # Too many for minutes; made of rows that do not commute.
    maps = ito.LinearRegressionSGD(RNG.normal(size=(8, 600)), np.zeros(8), 0.1)
    with pytest.raises(InvalidInputError, match=r"600 tangent vectors.*smaller k"):
        lyapunov_spectrum(maps, 600)


def test_what_does_not_exist_has_a_reason():
    decaying = ito.Optimizer(ito.QuadraticSGD([1.0], [0.0], 0.5), schedule="linear", horizon=4, momentum=0.5)
    known = ito.theory(decaying)
    assert known.lyapunov_spectrum() is None
    assert known.lyapunov_spectrum(1) is None
    assert "step size changes" in known.reasons["lyapunov_spectrum"]


# -------------------------------------------------------------------------------------------------------------- algebra


def test_orthonormalising_many_vectors():
    frames = RNG.normal(size=(5, 4, 6))
    frames[1, 2] = frames[1, 0] + frames[1, 1]  # dependent to rounding
    given = frames.copy()
    lengths = orthonormalise(frames, 64 * EPS)
    gram = frames @ np.swapaxes(frames, 1, 2)
    np.testing.assert_allclose(gram[[0, 2, 3, 4]], np.broadcast_to(np.eye(4), (4, 4, 4)), atol=64 * EPS)
    assert lengths[1, 2:].tolist() == [0.0, 0.0]
    assert not frames[1, 2:].any()
    volumes = np.sqrt(np.linalg.det(given @ np.swapaxes(given, 1, 2)))
    np.testing.assert_allclose(lengths[[0, 2, 3, 4]].prod(axis=1), volumes[[0, 2, 3, 4]], rtol=1e-10)
    np.testing.assert_allclose(lengths[:, 0], np.linalg.norm(given[:, 0], axis=1), rtol=16 * EPS)
    assert (np.einsum("rd,rd->r", frames[:, 0], given[:, 0]) > 0.0).all()


def test_exponents_in_the_wrong_order_have_their_distance_in_the_error():
    """The first vector grows slower than the second by 0.1: it has not found its direction."""
    noise = RNG.normal(size=(2, 64, 2))
    halves = 0.1 * noise + np.array([1.0, 11.0])
    apart, lengths = (halves[..., 0] - halves[..., 1]).sum(axis=0)[:, None], np.array([50, 50])
    largest, _ = exponents(Growth(halves, lengths, apart, np.zeros((64, 2))))
    assert largest.standard_error > 0.19
    largest, _ = exponents(Growth(halves[..., ::-1], lengths, -apart, np.zeros((64, 2))))
    assert largest.standard_error < 0.01


def test_cycle_spectrum_of_a_batch():
    maps = ito.LinearRegressionSGD(RNG.normal(size=(6, 3)), np.zeros(6), 0.3, batch_size=2, sampling="cyclic")
    items = affine_items(maps)
    product = np.eye(3)
    for k in range(3):
        product = items.batch_linear_parts(np.array([[2 * k, 2 * k + 1]]))[0] @ product
    np.testing.assert_allclose(cycle_spectrum(maps.sampling_law, items), log_moduli(product), rtol=1e-10)


@pytest.mark.parametrize("unit", [1e-300, 1e-162, 1e200])
def test_exponents_move_with_the_unit_of_linear_parts(unit, short_runs):
    """Squares of 10⁻¹⁶² vanish: both exponents were −∞, exact. Those of 10²⁰⁰ overflow: exact, and wrong."""
    pair = np.array([[[1.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]])
    for found, other in zip(spectrum(linear(unit * pair)), spectrum(linear(pair)), strict=True):
        assert not found.exact
        assert found.value == pytest.approx(other.value + math.log(unit), rel=64.0 * EPS)
        assert found.standard_error == pytest.approx(other.standard_error, rel=1e-6)
    with pytest.raises(Undefined, match="exceed the range"):
        spectrum(linear(pair * np.array([1.0, 1e-200])[:, None, None]))
    # The control: one linear part that is zero is no small one.
    assert (values(spectrum(linear(pair * np.array([1.0, 0.0])[:, None, None]))) == -np.inf).all()
