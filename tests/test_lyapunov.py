"""The Lyapunov exponent: exact cases, and Monte Carlo against them.

Monte Carlo is judged at five standard errors, a level of 6·10⁻⁷ for each comparison; the seeds are fixed.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import iterorder as ito
from iterorder.estimate import Estimate
from iterorder.maps import AffineMaps, LinearRegressionSGD, LogisticRegressionSGD, QuadraticSGD, gallery
from iterorder.sampling import Sampling
from iterorder.theory import step_draws
from iterorder.theory.affine.items import DenseItems, affine_items
from iterorder.theory.affine.law import step_law
from iterorder.theory.affine.moments import SecondMoments
from iterorder.theory.affine.triangular import common_diagonals
from iterorder.theory.lyapunov import exact_affine_exponent, lyapunov_exponent, monte_carlo_spectrum
from iterorder.theory.step_draws import all_epochs, draw_blocks
from iterorder.theory.tangent import RowTangent, affine_tangent, orthonormalise
from iterorder.theory.undefined import Undefined
from tests import naive_theory
from tests.systems import SYSTEMS

EPS = np.finfo(np.float64).eps
LEVEL = 5.0
RNG = np.random.default_rng(12)


def rotation(angle):
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def score(estimate: Estimate, target: float) -> float:
    return (estimate.value - target) / estimate.standard_error


def by_chain(maps, cost=2.0e4, seed=3) -> Estimate:
    """The Monte Carlo estimate, also where an exact value exists; a high cost makes the run short."""
    items, law = affine_items(maps), maps.sampling_law
    tangent = affine_tangent(items, SecondMoments(step_law(law, items)), 64, seed)
    return monte_carlo_spectrum(tangent, law, cost, seed=seed, effort="quick")[0]


# --------------------------------------------------------------------------------------------------- exact values


@pytest.mark.parametrize("h", [1e-12, 0.3, 1.4])
def test_one_dimension(h):
    curvatures = np.array([0.5, 1.0, 2.0])
    found = lyapunov_exponent(QuadraticSGD(curvatures, [0.0, 1.0, 2.0], h))
    literal = np.mean([math.log1p(-h * c) if h * c < 1 else math.log(h * c - 1) for c in curvatures])
    assert found.exact
    assert found.value == pytest.approx(literal, rel=16 * EPS)


def test_weights_count():
    maps = AffineMaps([[[0.5]], [[3.0]], [[7.0]]], np.zeros((3, 1)), [0.75, 0.25, 0.0])
    assert lyapunov_exponent(maps).value == pytest.approx(0.75 * math.log(0.5) + 0.25 * math.log(3), rel=8 * EPS)


def test_tiny_linear_parts_keep_their_digits():
    assert lyapunov_exponent(AffineMaps([[[1e-20]]], [[0.0]])).value == pytest.approx(math.log(1e-20), rel=EPS)


def test_a_zero_in_one_dimension_is_minus_infinity():
    assert lyapunov_exponent(QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.5)) == Estimate.of(-math.inf)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_batches_in_one_dimension(batch_size):
    features = np.array([[0.5], [1.0], [2.0], [-1.5]])
    maps = LinearRegressionSGD(features, np.ones(4), 0.4, ridge=0.1, batch_size=batch_size)
    literal = sum(p * math.log(abs(a[0, 0])) for p, a, _ in naive_theory.step_maps(maps))
    assert lyapunov_exponent(maps).value == pytest.approx(literal, rel=32 * EPS)
    shuffled = LinearRegressionSGD(features, np.ones(4), 0.4, ridge=0.1, batch_size=batch_size, sampling="reshuffle")
    epochs = naive_theory.epoch_maps(shuffled)
    per_epoch = sum(p * math.log(abs(a[0, 0])) for p, a, _ in epochs) / shuffled.sampling_law.batches_per_epoch
    assert lyapunov_exponent(shuffled).value == pytest.approx(per_epoch, rel=32 * EPS)


def test_common_eigenvectors():
    basis = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    values = RNG.uniform(0.1, 3.0, size=(5, 4))
    curvatures = np.einsum("ij,nj,kj->nik", basis, values, basis)
    curvatures = 0.5 * (curvatures + np.swapaxes(curvatures, 1, 2))
    found = lyapunov_exponent(QuadraticSGD(curvatures, np.zeros((5, 4)), 0.4))
    assert found.exact
    assert found.value == pytest.approx(np.log(np.abs(1 - 0.4 * values)).mean(axis=0).max(), rel=1e3 * EPS)


def test_orthogonal_rows_commute():
    basis = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    lengths = np.array([1.0, 2.0, 1.5, 0.7])
    rows = lengths[:, None] * basis[[0, 1, 2, 1]]
    found = lyapunov_exponent(LinearRegressionSGD(rows, np.zeros(4), 0.3, ridge=0.2))
    moduli = np.full((4, 3), abs(1 - 0.3 * 0.2))
    moduli[range(4), [0, 1, 2, 1]] = np.abs(1 - 0.3 * (0.2 + lengths**2))
    assert found.exact
    assert found.value == pytest.approx(np.log(moduli).mean(axis=0).max(), rel=1e3 * EPS)


@pytest.mark.parametrize("transposed", [False, True])
def test_triangular_and_conformal_families(transposed):
    upper = np.array([[[0.5, 3.0], [0.0, 0.9]], [[0.2, -1.0], [0.0, 1.3]]])
    maps = AffineMaps(np.swapaxes(upper, 1, 2) if transposed else upper, np.zeros((2, 2)))
    assert lyapunov_exponent(maps).value == pytest.approx(0.5 * math.log(0.9 * 1.3), rel=8 * EPS)
    turning = AffineMaps([0.5 * rotation(0.3), 0.7 * rotation(1.0)], np.zeros((2, 2)))
    assert lyapunov_exponent(turning).value == pytest.approx(0.5 * math.log(0.35), rel=64 * EPS)


def test_a_single_map_has_its_spectral_radius():
    matrix = RNG.normal(size=(5, 5))
    found = lyapunov_exponent(AffineMaps(matrix[None], np.zeros((1, 5))))
    assert found.value == pytest.approx(math.log(np.abs(np.linalg.eigvals(matrix)).max()), rel=1e3 * EPS)


def test_projections_that_annihilate_each_other():
    halves = AffineMaps([np.diag([0.5, 0.0]), np.diag([0.0, 0.5])], np.zeros((2, 2)))
    assert lyapunov_exponent(halves).value == -math.inf
    # Not commuting, and orthogonal to rounding alone: found along the chain.
    u, w = np.array([0.6, 0.8]), np.array([-0.8, 0.6])
    turned = AffineMaps([np.outer(u, u), np.outer(w, w), 0.3 * rotation(0.3)], np.zeros((3, 2)))
    assert common_diagonals(affine_items(turned)) is None
    assert lyapunov_exponent(turned).value == -math.inf


def test_families_without_a_common_basis_are_refused():
    nearly = np.array([np.diag([2.0, 1.0]), np.diag([2.0, 1.0]) + 1e-9 * np.array([[0.0, 1.0], [1.0, 0.0]])])
    assert common_diagonals(DenseItems(nearly - np.eye(2), np.zeros((2, 2)), nearly)) is None


@pytest.mark.parametrize("name", ["affine d=8 cyclic", "linear d=4 cyclic batch"])
def test_cyclic_order(name):
    maps = SYSTEMS[name]
    product, _ = naive_theory.composed(maps, range(maps.sampling_law.n_items))
    radius = np.abs(np.linalg.eigvals(product)).max()
    found = lyapunov_exponent(maps)
    assert found.exact
    assert found.value == pytest.approx(math.log(radius) / maps.sampling_law.batches_per_epoch, rel=1e4 * EPS)


def test_long_cycles_do_not_underflow():
    maps = AffineMaps(np.full((5000, 1, 1), 0.5), np.zeros((5000, 1)), sampling="cyclic")
    assert lyapunov_exponent(maps).value == pytest.approx(math.log(0.5), rel=5000 * EPS)


# --------------------------------------------------------------------------------------------------- Monte Carlo


def test_random_rotations():
    """Of uniformly distributed directions: γ = log of the mean singular value; forty rotations are uniform to 10⁻¹⁹.

    The forty squared lengths are c|1+qe^(iψ)|², q = .6, at equal distances of ψ: their product misses that of the
    uniform law by a factor |1 − q⁴⁰e^(40iψ)|², q⁴⁰ = 10⁻⁹.
    """
    singular = np.array([2.0, 0.5])
    maps = AffineMaps([np.diag(singular) @ rotation(math.pi * j / 40) for j in range(40)], np.zeros((40, 2)))
    found = by_chain(maps)
    assert abs(score(found, math.log(singular.mean()))) < LEVEL
    assert abs(score(found, np.log(singular).mean())) > LEVEL  # the wrong target: the mean of the two exponents
    assert abs(score(found, math.log(singular.max()))) > LEVEL  # and the log of the Lipschitz constant


@pytest.mark.parametrize("sampling", ["iid", "reshuffle"])
def test_chain_agrees_with_commuting_maps(sampling):
    basis = rotation(0.4)
    curvatures = np.einsum("ij,nj,kj->nik", basis, [[1.0, 0.2], [2.0, 0.4], [0.5, 0.9], [1.5, 0.1]], basis)
    curvatures = 0.5 * (curvatures + np.swapaxes(curvatures, 1, 2))
    maps = QuadraticSGD(curvatures, np.zeros((4, 2)), 0.5, batch_size=2, sampling=sampling)
    exact = exact_affine_exponent(maps.sampling_law, affine_items(maps))
    found = by_chain(maps)
    assert abs(score(found, exact)) < LEVEL
    mean_matrix = math.log(1 - 0.5 * np.linalg.eigvalsh(curvatures.mean(axis=0))[0])
    assert abs(score(found, mean_matrix)) > LEVEL  # log ρ(E A) is not γ


def test_reshuffling_without_commuting_against_a_plain_product():
    maps = AffineMaps([np.diag([2.0, 0.3]), rotation(0.5), 0.8 * rotation(1.1)], np.zeros((3, 2)), sampling="reshuffle")
    epochs = [naive_theory.composed(maps, order[:, 0])[0] for order in all_epochs(maps.sampling_law)]
    logs, vector = [], np.array([1.0, 0.0])
    for i in np.random.default_rng(5).integers(len(epochs), size=20000):
        vector = epochs[i] @ vector
        logs.append(math.log(np.linalg.norm(vector)) / 3)
        vector /= np.linalg.norm(vector)
    blocks = np.mean(np.reshape(logs, (100, -1)), axis=1)
    found = by_chain(maps)
    error = math.hypot(found.standard_error, blocks.std(ddof=1) / 10)
    assert abs(found.value - blocks.mean()) < LEVEL * error
    independent = by_chain(AffineMaps(maps.matrices, maps.offsets))
    assert abs(found.value - independent.value) > LEVEL * math.hypot(found.standard_error, independent.standard_error)


def test_equal_exponents_widen_the_error():
    """A stretch and a quarter turn: γ = 0, and any finite run sees the larger of two random walks."""
    found = by_chain(AffineMaps([np.diag([2.0, 0.5]), rotation(math.pi / 2)], np.zeros((2, 2))))
    assert found.low < 0.0 < found.high
    assert found.standard_error > 0.4 * found.value


def test_small_steps_on_a_slow_system():
    """h → 0: γ/h → −λ_min although no direction aligns within the run; the next term is of order h."""
    features = RNG.normal(size=(50, 4)) * np.array([0.1, 1.0, 1.5, 2.0])
    smallest = np.linalg.eigvalsh(features.T @ features / 50)[0]
    found = lyapunov_exponent(LinearRegressionSGD(features, np.zeros(50), 1e-5))
    assert found.value / 1e-5 == pytest.approx(-smallest, rel=0.02)


def test_logistic_chain_in_one_dimension():
    features, labels = RNG.normal(size=(30, 1)) * 2, np.where(RNG.uniform(size=30) < 0.6, 1, -1)
    maps = LogisticRegressionSGD(features, labels, 0.8, ridge=0.1)
    logs = naive_theory.logistic_log_growth(maps, 40000, 500, np.random.default_rng(1))
    blocks = logs.reshape(80, -1).mean(axis=1)
    found = lyapunov_exponent(maps, seed=8)
    error = math.hypot(found.standard_error, blocks.std(ddof=1) / math.sqrt(80))
    assert not found.exact
    assert abs(found.value - blocks.mean()) < LEVEL * error
    bounds = [maps.lipschitz(i) for i in range(30)]
    assert found.value < np.log(bounds).mean() - LEVEL * error  # γ < E log Lip: the bound is not the exponent


@pytest.mark.parametrize(
    "options", [{"batch_size": 12}, {"sampling": "cyclic"}, {"sampling": "cyclic", "batch_size": 5}]
)
def test_logistic_without_randomness_is_exact(options):
    features, labels = RNG.normal(size=(12, 2)), np.arange(12) % 2
    maps = LogisticRegressionSGD(features, labels, 0.5, ridge=0.2, **options)
    found = lyapunov_exponent(maps)
    law = maps.sampling_law

    def epoch(x):
        for step in range(law.batches_per_epoch):
            x = maps.apply(x, np.arange(step * law.batch_size, (step + 1) * law.batch_size))
        return x

    x = np.zeros(2)
    for _ in range(2000):
        x = epoch(x)
    shift = 1e-5  # central differences: an error of shift² and of eps/shift
    columns = [(epoch(x + shift * unit) - epoch(x - shift * unit)) / (2 * shift) for unit in np.eye(2)]
    radius = np.abs(np.linalg.eigvals(np.transpose(columns))).max()
    assert found.exact
    assert found.value == pytest.approx(math.log(radius) / law.batches_per_epoch, rel=1e-7)


def test_logistic_chains_that_do_not_settle():
    features, labels = [[1.0], [2.0], [-1.0]], [1, -1, 1]
    with pytest.raises(Undefined, match="multiplies by 1 − h·ridge = -29"):
        lyapunov_exponent(LogisticRegressionSGD(features, labels, 30.0, ridge=1.0))
    with pytest.raises(Undefined, match="a hyperplane separates"):
        lyapunov_exponent(LogisticRegressionSGD(features, [1, 1, -1], 0.1))


def test_large_linear_parts():
    """A factor of 10¹⁴⁰ shifts the exponent by its log; where squares overflow there is a reason and no number."""
    matrices = np.array([np.diag([1.0, 0.3]), rotation(0.5)])
    small, large = (by_chain(AffineMaps(size * matrices, np.zeros((2, 2)))) for size in (1.0, 1e140))
    error = math.hypot(small.standard_error, large.standard_error)
    assert abs(large.value - small.value - math.log(1e140)) < LEVEL * error
    with pytest.raises(Undefined, match="exceed the range"), np.errstate(all="ignore"):
        by_chain(AffineMaps(1e160 * matrices, np.zeros((2, 2))))


def test_same_seed_same_estimate_and_other_seeds_differ():
    maps = gallery.barnsley_fern()
    estimates = [by_chain(maps, cost=1e6, seed=seed) for seed in (1, 1, 2)]
    assert estimates[0] == estimates[1]
    assert estimates[0].value != estimates[2].value


def test_too_long_epochs_are_refused():
    maps = AffineMaps(0.5 * RNG.normal(size=(3000, 2, 2)), np.zeros((3000, 2)), sampling="reshuffle")
    with pytest.raises(Undefined, match="3000 steps is too long"):
        by_chain(maps, cost=1e7)


# ---------------------------------------------------------------------------------------------------- the machinery


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling.validated(10),
        Sampling.validated(2),
        Sampling.validated(1),
        Sampling.validated(3, probabilities=[0.2, 0.0, 0.8]),
        Sampling.validated(10, batch_size=2),
        Sampling.validated(50, batch_size=7),
        Sampling.validated(60, batch_size=40),
        Sampling.validated(10, batch_size=3, kind="reshuffle"),
        Sampling.validated(4097, batch_size=100, kind="reshuffle"),
        Sampling.validated(10, batch_size=3, kind="cyclic"),
    ],
    ids=str,
)
def test_draw_blocks_are_the_draws_of_simulate(sampling, monkeypatch):
    monkeypatch.setattr(step_draws, "BLOCK_ENTRIES", 600)  # several blocks
    seed, replicas, steps = 2**63 + 5, 3, 300 if sampling.n_items < 1000 else 50
    found = np.concatenate(list(draw_blocks(sampling, seed, replicas, steps)))
    assert found.shape == (steps, replicas, sampling.batch_size)
    for step in [s for s in (0, 1, 2, 3, 40, 41, 127, 128, 129, 255, 256, 299) if s < steps]:
        for replica in range(replicas):
            assert np.array_equal(found[step, replica], np.atleast_1d(sampling.draw(seed, replica, step)))


@pytest.mark.parametrize("name", ["fern", "quadratic d=2 batch", "linear d=3 batch 2", "linear d=10 ridge"])
def test_push_is_the_linear_part(name):
    maps, vectors = SYSTEMS[name], RNG.normal(size=(4, 2, SYSTEMS[name].dim))
    size = maps.sampling_law.batch_size
    rows = np.stack([RNG.permutation(maps.sampling_law.n_items)[:size] for _ in range(4)])
    pushed = affine_items(maps).push(vectors, rows)
    for replica in range(4):
        matrix, _ = naive_theory.linear_form(maps, rows[replica])
        np.testing.assert_allclose(pushed[replica], vectors[replica] @ matrix.T, atol=1e3 * EPS * np.abs(vectors).max())


@pytest.mark.parametrize("name", ["logistic d=5", "logistic d=16 batch 4"])
def test_logistic_tangent_is_the_derivative(name):
    maps = SYSTEMS[name]
    size, states, frames = maps.sampling_law.batch_size, RNG.normal(size=(3, maps.dim)), np.zeros((3, 2, maps.dim))
    frames[:, 0, 0] = frames[:, 1, 1] = 1.0
    rows = np.stack([RNG.permutation(maps.sampling_law.n_items)[:size] for _ in range(3)])
    lengths = RowTangent(maps, states, frames).advance(rows)
    shift = 1e-5  # central differences: an error of shift² and of eps/shift
    for replica in range(3):
        ahead, behind = (maps.apply(states[replica] + s * np.eye(maps.dim)[:2], rows[replica]) for s in (shift, -shift))
        expected = np.abs(np.diag(np.linalg.qr(((ahead - behind) / (2 * shift)).T)[1]))
        np.testing.assert_allclose(lengths[replica], expected, rtol=1e-8)


def test_orthonormalise_is_a_qr_decomposition():
    frames = RNG.normal(size=(5, 2, 4))
    triangular = [np.abs(np.diag(np.linalg.qr(frame.T)[1])) for frame in frames]
    lengths = orthonormalise(frames, 0.0)
    np.testing.assert_allclose(lengths, triangular, rtol=1e3 * EPS)
    np.testing.assert_allclose(
        frames @ np.swapaxes(frames, 1, 2), np.broadcast_to(np.eye(2), (5, 2, 2)), atol=100 * EPS
    )


@pytest.mark.parametrize("ridge", [0.0, 1e-20])
def test_a_direction_without_data_has_an_exponent_of_zero(ridge):
    """Rows along one line: beside it only the ridge moves anything, and no rounding of the basis."""
    features = np.outer([1.0, -2.0, 3.0], [1.0, 2.0]) / 5.0
    maps = ito.LinearRegressionSGD(features, [1.0, 0.0, 2.0], 0.1, ridge=ridge)
    assert lyapunov_exponent(maps).value == pytest.approx(-0.1 * ridge, rel=1e-15, abs=0.0)
    with pytest.raises(ito.NotContractiveError, match=r"the Lyapunov exponent is (0|-1e-21, zero to rounding):"):
        ito.stationary_sample(maps, 3, seed=0)
