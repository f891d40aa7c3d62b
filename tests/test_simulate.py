"""Every order of every family against its literal twin; cuts, splits and threads change no bit; bad input."""

from __future__ import annotations

import ast
import importlib
import itertools
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder import cli
from iterorder.certificates import sure_certificate
from iterorder.gate import rates
from iterorder.gate.general import check_systems
from iterorder.gate.systems_file import Entry
from iterorder.kernels import backends
from iterorder.kernels.cpu.algorithm import algorithm
from iterorder.kernels.cpu.backend import Cpu
from iterorder.kernels.device import availability
from iterorder.sampling import FreshNoise
from iterorder.simulate import simulated
from iterorder.theory.growth import WORK
from tests import naive
from tests.systems import EVERY, FEW

EPS = np.finfo(np.float64).eps
SEED = 0xFEDCBA9876543210
ORDERS = ["forward", "backward", ito.Window(4), ito.Window(start=9)]


def rounding_bound(maps, n, scale, dtype=np.float64):
    """Bound of the difference of two ways to compute n steps.

    A step of either way is a chain of at most (batch + 1)·(dim + 8) roundings of numbers of size `scale` (the 8 stand
    for the exponential and the division of the logistic step), and none of these systems stretches an error by more
    than a factor K = `largest_stretch` over any stretch of steps, so n steps add at most 2·K·n of them.
    """
    return (
        2
        * largest_stretch(maps)
        * n
        * (maps.sampling_law.batch_size + 1)
        * (maps.dim + 8)
        * np.finfo(dtype).eps
        * scale
    )


def largest_stretch(maps):
    """Four; with momentum an error of x enters the velocity with the curvature, and both go on for 1/(1 − momentum)."""
    if not isinstance(maps, ito.Optimizer):
        return 4.0
    steps = 1.0 / (1.0 - maps.momentum)
    return 4.0 * (1.0 + steps * maps.maps.curvature_range()[1]) * (1.0 + steps * float(maps.step_sizes.max()))


def scale_of(maps, *states):
    """The size of the numbers that a step adds up: states, and the moves away from them."""
    size = max(float(np.abs(s).max()) for s in states)
    if isinstance(maps.sampling_law, FreshNoise):
        draws = [maps.draw(SEED, 0, step) for step in range(200)]
    else:
        first = [] if maps.time_homogeneous else [0]
        draws = [np.array([*first, i]) for i in np.flatnonzero(maps.sampling_law.weights > 0)[:200]]
    images = [maps.apply(np.full(maps.dim, size), draw) for draw in draws]
    return 1.0 + size + float(np.abs(images).max())


SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
#: With SYSTEMS=few one for each path through the code. Matrices of many rows take the simulator of a GPU minutes.
NAMES = FEW if os.environ.get("SYSTEMS") == "few" else list(EVERY)
NAMES = [name for name in NAMES if not SIMULATED or name not in ("affine d=105", "optimizer quadratic d=20 batch")]


def few_of(steps: int, backend: str) -> int:
    """So many steps; a few in the simulator of a GPU, where one takes milliseconds."""
    return steps % 14 if SIMULATED and backend == "cuda" else steps


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_matches_the_literal_twin(name, order, backend):
    maps = EVERY[name]
    saves = [0, 1, 7, 23]
    x0 = np.random.default_rng(0).normal(size=(3, maps.dim))
    place = {"order": order, "seed": SEED, "n_replicas": 3, "first_replica": 5, "first_step": 11}
    run = simulated(maps, x0, 23, save_steps=saves, backend=backend, **place)
    twin = naive.trajectory(maps, x0, saves, **place)
    bound = rounding_bound(maps, 23, scale_of(maps, x0, twin))
    np.testing.assert_allclose(run.states, twin, rtol=0, atol=bound)
    assert (run.diverged_at == -1).all()
    assert (run.error_bound == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_all_backward_iterates_match_the_recomputed_ones(name, backend):
    """The incremental form and the sweep against one recomputation for each n."""
    maps = EVERY[name]
    x0 = np.random.default_rng(1).normal(size=(2, maps.dim))
    place = {"order": "backward", "seed": SEED, "n_replicas": 2, "backend": backend}
    n = few_of(75, backend) + 5  # more than a block of lanes, so that the sweep has a second one
    run = simulated(maps, x0, n, save_steps="all", **place)
    assert algorithm(maps.form(), run.save_steps, len(run.states)) in ("incremental", "sweep")
    each = np.concatenate([simulated(maps, x0, int(k), **place).states for k in run.save_steps], axis=1)
    if algorithm(maps.form(), run.save_steps, len(run.states)) == "sweep":
        np.testing.assert_array_equal(run.states, each)
    else:
        bound = rounding_bound(maps, n, scale_of(maps, x0, each))
        np.testing.assert_allclose(run.states, each, rtol=0, atol=bound)


def rounding_of_affine_iterates(matrices, offsets, x0):
    """The bound in the Notes of `simulate`: C·n·eps·(Π_n |x0| + Σ_k Π_k |b_(k+1)|), Π_k = |A_1|⋯|A_k|, entry by entry.

    Each of the n factors of a term is a chain of d + 1 multiply-adds, and a saved iterate one more: C = d + 2, and
    twice for two ways.
    """
    products, offset = np.eye(len(x0)), np.zeros(len(x0))
    for a, b in zip(matrices, offsets, strict=True):
        offset, products = offset + products @ np.abs(b), products @ np.abs(a)
    return 2 * (len(x0) + 2) * (len(matrices) + 1) * EPS * (products @ np.abs(x0) + offset)


def by_increments(matrices, offsets, x0):
    """Z + P (T(x0) − x0), in which the rounding of x0 stays."""
    z, p = np.array(x0), np.eye(len(x0))
    for a, b in zip(matrices, offsets, strict=True):
        z, p = z + p @ (a @ x0 + b - x0), p @ a
    return z


@settings(max_examples=20)
@given(
    dim=st.sampled_from([1, 2, 3, 20]),
    n_maps=st.integers(1, 5),
    far=st.floats(0.0, 15.0),
    n=st.integers(1, 120),
    seed=st.integers(0, 999),
)
def test_all_backward_iterates_forget_a_far_start(dim, n_maps, far, n, seed):
    rng = np.random.default_rng(seed)
    matrices = rng.uniform(-1.0, 1.0, (n_maps, dim, dim)) / dim
    maps = ito.AffineMaps(matrices, rng.normal(size=(n_maps, dim)))
    x0 = 10.0**far * rng.normal(size=dim)
    place = {"order": "backward", "seed": seed}
    every = ito.simulate(maps, x0, n, save_steps="all", **place).states[0]
    drawn = [maps.draw(seed, 0, step) for step in range(n)]
    for k in {0, 1, n // 2, n}:
        alone = ito.simulate(maps, x0, k, **place).states[0, 0]
        bound = rounding_of_affine_iterates(matrices[drawn[:k]], maps.offsets[drawn[:k]], x0)
        assert (np.abs(every[k] - alone) <= bound).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "maps",
    [
        ito.gallery.sierpinski(),
        ito.AffineMaps([[[0.5]], [[0.3]], [[-0.4]]], [[1.0], [2.0], [0.0]]),
        ito.QuadraticSGD([1.0, 3.0], [0.0, 1.0], 0.3),
        ito.LinearRegressionSGD(np.eye(3)[[0, 1, 2, 0]], [1.0, 2.0, 3.0, 0.0], 0.9, ridge=0.3),
        ito.LinearRegressionSGD(np.eye(3)[[0, 1, 2, 0]], [1.0, 2.0, 3.0, 0.0], 0.9, batch_size=2),
        ito.LinearRegressionSGD(np.tile(np.eye(40), (2, 1)), np.ones(80), 20.0, batch_size=40),
    ],
    ids=repr,
)
def test_a_forgotten_start_leaves_no_rounding(maps, dtype):
    """From 10⁶/√eps all iterates end within the rounding of the law itself; by increments they do not."""
    n, eps = 400, float(np.finfo(dtype).eps)
    x0 = np.full(maps.dim, 1e6 / eps**0.5)
    place = {"order": "backward", "seed": SEED, "dtype": dtype}
    ends = ito.simulate(maps, x0, n, save_steps="all", **place).states[0, -1]
    alone = ito.simulate(maps, x0, n, **place).states[0, 0]
    bound = rounding_bound(maps, n, scale_of(maps, alone), dtype)
    assert np.abs(ends - alone).max() <= bound
    # The control: what the increments P (T(x0) − x0) leave at least of the numbers that they add up.
    assert eps * np.abs(x0).max() > bound


def test_increments_from_a_far_start_are_rejected():
    maps = ito.AffineMaps([[[0.5]], [[0.3]], [[-0.4]]], [[1.0], [2.0], [0.0]])
    drawn = [maps.draw(SEED, 0, step) for step in range(200)]
    matrices, offsets, x0 = maps.matrices[drawn], maps.offsets[drawn], np.array([1e15])
    alone = ito.simulate(maps, x0, 200, order="backward", seed=SEED).states[0, 0]
    assert abs(by_increments(matrices, offsets, x0) - alone)[0] > rounding_of_affine_iterates(matrices, offsets, x0)[0]


def test_what_overflows_on_the_way_is_found_at_every_saved_step():
    """An iterate that is infinite between finite ones counts as diverged, however the iterates are computed."""
    maps = ito.AffineMaps([[[1e200]], [[1e-200]]], [[0.0], [0.0]], probabilities=[0.5, 0.5])
    run = ito.simulate(maps, [1e200], 40, order="backward", n_replicas=16, seed=SEED, save_steps="all")
    gone = run.diverged_at >= 0
    assert gone.any()
    assert (np.isfinite(run.states[:, :, 0]).all(axis=1) == ~gone).all()


@pytest.mark.parametrize("name", FEW)
def test_float32_is_the_same_maps(backend, name):
    maps = EVERY[name]
    x0 = np.full(maps.dim, 0.5)
    # Windows use the same two kernels' steps: one family is enough for them.
    for order in ORDERS if name == "two-point" else ORDERS[:2]:
        single = simulated(maps, x0, 20, order=order, n_replicas=3, seed=SEED, backend=backend, dtype="float32")
        double = simulated(maps, x0, 20, order=order, n_replicas=3, seed=SEED, backend=backend)
        assert single.states.dtype == np.float32
        bound = rounding_bound(maps, 20, scale_of(maps, double.states), np.float32)
        np.testing.assert_allclose(single.states, double.states, rtol=0, atol=bound)
        assert np.abs(single.states - double.states).max() > 0


# ---------------------------------------------------------------------------------------------- the same bits, always


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("name", FEW)
def test_replicas_can_be_split_anywhere(backend, name, order):
    maps = EVERY[name]
    x0 = np.random.default_rng(2).normal(size=(150, maps.dim))
    options = {"order": order, "seed": SEED, "save_steps": [3, 12, 40], "backend": backend}
    whole = simulated(maps, x0, 40, n_replicas=150, **options).states
    for first, last in itertools.pairwise([0, 1, 3, 70, 150]):
        part = simulated(maps, x0[first:last], 40, n_replicas=last - first, first_replica=first, **options)
        np.testing.assert_array_equal(part.states, whole[first:last])


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("name", FEW)
def test_threads_change_nothing(name, order, monkeypatch):
    """The work is made to look large, so that it goes to threads whatever its size."""
    from iterorder.kernels.cpu import threads as pool

    maps = EVERY[name]
    options = {"order": order, "seed": SEED, "n_replicas": 200, "save_steps": list(range(0, 41, 4))}
    threads = numba.get_num_threads()
    results = []
    try:
        for count, small in ((1, pool.SMALL_WORK), (1, 0), (min(2, threads), 0)):
            numba.set_num_threads(count)
            monkeypatch.setattr(pool, "SMALL_WORK", small)
            results.append(ito.simulate(maps, np.zeros(maps.dim), 40, **options).states)
    finally:
        numba.set_num_threads(threads)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@given(st.sampled_from(NAMES), st.integers(0, 300), st.integers(0, 300), st.integers(0, 2**40))
@settings(max_examples=60)
def test_forward_runs_can_be_cut_anywhere(backend, name, n, m, first_step):
    maps, n, m = EVERY[name], few_of(n, backend), few_of(m, backend)
    options = {"seed": SEED, "n_replicas": 2, "first_replica": 9, "backend": backend}
    whole = simulated(maps, np.zeros(maps.dim), n + m, first_step=first_step, **options).states
    inner = simulated(maps, np.zeros(maps.dim), n, first_step=first_step, **options).states[:, -1]
    outer = simulated(maps, inner, m, first_step=first_step + n, **options).states
    np.testing.assert_array_equal(outer, whole)


@given(st.sampled_from(NAMES), st.integers(0, 200), st.integers(0, 200), st.integers(0, 2**40))
@settings(max_examples=60)
def test_backward_runs_are_cut_inner_piece_first(backend, name, n, m, first_step):
    maps, n, m = EVERY[name], few_of(n, backend), few_of(m, backend)
    options = {"seed": SEED, "n_replicas": 2, "order": "backward", "backend": backend}
    whole = simulated(maps, np.zeros(maps.dim), n + m, first_step=first_step, **options).states
    inner = simulated(maps, np.zeros(maps.dim), m, first_step=first_step + n, **options).states[:, -1]
    outer = simulated(maps, inner, n, first_step=first_step, **options).states
    np.testing.assert_array_equal(outer, whole)


def test_saved_steps_do_not_change_forward_states():
    maps = EVERY["linear d=10 ridge"]
    run = {"seed": SEED, "n_replicas": 3}
    every = ito.simulate(maps, np.zeros(10), 130, save_steps="all", **run).states
    some = ito.simulate(maps, np.zeros(10), 130, save_steps=[0, 5, 129, 130], **run).states
    np.testing.assert_array_equal(every[:, [0, 5, 129, 130]], some)


# -------------------------------------------------------------------------------------------------- orders and noise


def test_windows_reduce_to_the_plain_orders():
    maps = EVERY["logistic d=5"]
    run = {"seed": SEED, "n_replicas": 4, "save_steps": "all"}
    start, n = np.zeros(5), 30
    forward, backward = (ito.simulate(maps, start, n, order=o, **run).states for o in ("forward", "backward"))
    np.testing.assert_array_equal(ito.simulate(maps, start, n, order=ito.Window(1), **run).states, forward)
    np.testing.assert_array_equal(ito.simulate(maps, start, n, order=ito.Window(n), **run).states, backward)
    np.testing.assert_array_equal(ito.simulate(maps, start, n, order=ito.Window(start=0), **run).states, backward)
    np.testing.assert_array_equal(ito.simulate(maps, start, n, order=ito.Window(start=n), **run).states, forward)
    # A start or a width beyond the run is no error: nothing turns round.
    np.testing.assert_array_equal(ito.simulate(maps, start, n, order=ito.Window(start=99), **run).states, forward)
    np.testing.assert_array_equal(ito.simulate(maps, start, n, order=ito.Window(99), **run).states, backward)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_shared_noise_gives_every_replica_the_maps_of_replica_zero(backend, order):
    maps = EVERY["linear d=3 batch 2"]
    x0 = np.random.default_rng(5).normal(size=(20, 3))
    run = {"order": order, "seed": SEED, "backend": backend}
    shared = simulated(maps, x0, 30, n_replicas=20, noise="shared", first_replica=77, **run)
    for r in (0, 13, 19):
        alone = simulated(maps, x0[r], 30, **run)
        np.testing.assert_array_equal(shared.states[r], alone.states[0])


def test_backward_settles_and_forward_does_not():
    maps = ito.gallery.two_point_quadratic(0.3)
    run = {"seed": 3, "n_replicas": 2000, "save_steps": [199, 200]}
    moves = {
        order: np.diff(ito.simulate(maps, [0.25], 200, order=order, **run).states[..., 0], axis=1)
        for order in ("forward", "backward")
    }
    assert np.abs(moves["backward"]).max() <= 4 * EPS
    # E(X_(n+1) − X_n)² → h²/(2(2−h)) (C3, C21), and moves are bounded by h: a five-sigma band by Hoeffding's variance.
    expected, spread = 0.3**2 / (2 * 1.7), 0.3**2 / 2 / np.sqrt(2000)
    assert abs((moves["forward"] ** 2).mean() - expected) < 5 * spread


# ----------------------------------------------------------------------------------------------------- the certificate


@pytest.mark.parametrize("name", ["two-point", "bernoulli", "sierpinski", "logistic d=5", "logistic d=20"])
@pytest.mark.parametrize("tol", [1e-3, 1e-7])
def test_certified_error_is_kept(name, tol):
    maps = EVERY[name]
    x0 = np.random.default_rng(6).normal(size=(3, maps.dim))
    run = {"order": "backward", "n_replicas": 3, "seed": SEED, "save_steps": [1, 10, 400, 20_000]}
    exact = ito.simulate(maps, x0, 20_000, **run)
    cut = ito.simulate(maps, x0, 20_000, tol=tol, **run)
    error = np.linalg.norm(cut.states - exact.states, axis=2)
    # Errors of more than 1/(1−c) steps ago are forgotten by contraction with constant c.
    memory = int(np.ceil(1 / (1 - maps.lipschitz_max)))
    rounding = rounding_bound(maps, memory, scale_of(maps, exact.states))
    assert (cut.error_bound <= tol).all()
    assert (error <= cut.error_bound + rounding).all()
    assert (cut.error_bound[:, -1] > 0).all()


def exact_two_point(replica: int, n_steps: int) -> Fraction:
    """The backward iterate of zero of x → x − h(x − c), c = 0 or 1, by rational arithmetic, h as it is in float64."""
    h, x = Fraction(0.3), Fraction(0)
    for step in reversed(range(n_steps)):
        x -= h * (x - naive.index(SEED, replica, step, 2))
    return x


@pytest.mark.parametrize(("dtype", "least"), [("float32", 3.3e-5), ("float64", 6.1e-14)])
def test_an_error_bound_holds_rounding(dtype, least):
    """Near the smallest tol that is accepted half of the bound is rounding; the truncation alone would not do."""
    run = {"order": "backward", "seed": SEED, "n_replicas": 50, "dtype": dtype}
    cut = ito.simulate(TWO, [0.0], 400, tol=least, **run)
    errors = [abs(Fraction(float(x)) - exact_two_point(r, 400)) for r, x in enumerate(cut.states[:, 0, 0])]
    bound, truncation = float(cut.error_bound[0, 0]), 0.7 ** int(np.ceil(np.log(0.5 * least) / np.log(0.7)))
    assert max(errors) <= bound <= least
    assert bound > 1.5 * truncation
    better = ", dtype='float64'" if dtype == "float32" else ""
    for tol in (least / 10, 5e-324):
        with pytest.raises(ito.InvalidInputError, match=f"rounding .* at least [^,]*{better}, or tol=0, which cuts"):
            ito.simulate(TWO, [0.0], 400, tol=tol, **run)
    assert (ito.simulate(TWO, [0.0], 400, **run).error_bound == 0.0).all()


def test_tol_without_certificate_is_an_error():
    maps = EVERY["linear d=10 ridge"]
    wild = ito.LinearRegressionSGD(maps.features, maps.targets, 1.0)
    with pytest.raises(ito.NotContractiveError, match="largest Lipschitz constant"):
        ito.simulate(wild, np.zeros(10), 5, order="backward", seed=1, tol=1e-6)
    ito.simulate(wild, np.zeros(10), 5, seed=1, tol=1e-6)  # forward ignores it


# --------------------------------------------------------------------------------------------------------- divergence


def stretch(dim=1):
    """Doubling or a large jump: leaves the finite numbers at a step that depends on the draws."""
    return ito.AffineMaps(np.stack([2.0 * np.eye(dim), 1e3 * np.eye(dim)]), np.ones((2, dim)))


@pytest.mark.parametrize("dim", [1, 2, 9])
def test_divergence_step_is_exact(backend, dim):
    maps, n, x0 = stretch(dim), 200, np.array([[1.0], [-1.0 / 1e3], [0.5]]) * np.ones(dim)
    with pytest.raises(ito.DivergenceError, match="all 3 replicas") as caught:
        simulated(maps, x0, n, n_replicas=3, seed=SEED, backend=backend, save_steps="all")
    run = caught.value.trajectory
    for r in range(3):
        finite = np.isfinite(naive.forward_path(maps, x0[r], n, seed=SEED, replica=r)).all(axis=1).tolist()
        assert run.diverged_at[r] == finite.index(False)
        assert np.isnan(run.states[r, run.diverged_at[r] :]).all()
        assert np.isfinite(run.states[r, : run.diverged_at[r]]).all()
    last = run.diverged_at.max()
    with pytest.raises(ito.DivergenceError) as coarse:  # found inside a long stretch without saves, too
        simulated(maps, x0, n, n_replicas=3, seed=SEED, backend=backend)
    np.testing.assert_array_equal(coarse.value.trajectory.diverged_at, run.diverged_at)
    start = simulated(maps, x0, 50, n_replicas=3, seed=SEED, backend=backend).states[:, -1]
    with pytest.raises(ito.DivergenceError) as cut:
        simulated(maps, start, n - 50, n_replicas=3, seed=SEED, backend=backend, first_step=50)
    np.testing.assert_array_equal(cut.value.trajectory.diverged_at + 50, run.diverged_at)
    assert last < n


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(
    "maps", [stretch(), EVERY["logistic d=20"], EVERY["logistic d=5"]], ids=["affine", "rows", "lanes"]
)
def test_some_diverged_replicas_are_data(backend, maps, order):
    if isinstance(maps, ito.LogisticRegressionSGD):  # 1 − h·ridge = −9: expanding far from the data
        maps = ito.LogisticRegressionSGD(maps.features, maps.labels, 1.0, ridge=10.0)
        x0 = np.stack([np.full(maps.dim, 1e290), np.zeros(maps.dim)])
        n = 40
    else:
        x0, n = np.array([[1e250], [1.0]]), 60
    run = simulated(maps, x0, n, order=order, n_replicas=2, seed=SEED, save_steps="all", backend=backend)
    assert run.diverged_at[0] > 0
    assert run.diverged_at[1] == -1
    assert np.isnan(run.states[0, run.diverged_at[0] :]).all()
    assert np.isfinite(run.states[1]).all()


@pytest.mark.parametrize("dim", [1, 5, 20])
def test_a_diverging_replica_leaves_the_others_alone(dim):
    """Sweeps reuse lanes from replica to replica: nothing of one that overflowed may stay behind."""
    rng = np.random.default_rng(7)
    maps = ito.LogisticRegressionSGD(rng.normal(size=(9, dim)), np.ones(9), 1.0, ridge=10.0)
    x0 = np.zeros((20, dim))
    x0[3] = 1e290
    run = {"order": "backward", "seed": SEED}
    saves = [1, 2, 3, 4, 5, 6, 7, 20, 40]
    swept = ito.simulate(maps, x0, 40, n_replicas=20, save_steps=saves, **run)
    assert np.flatnonzero(swept.diverged_at >= 0).tolist() == [3]
    for r in (0, 3, 4, 19):
        each = [ito.simulate(maps, x0[[r]], n, first_replica=r, **run).states[0, 0] for n in saves if r != 3 or n < 8]
        np.testing.assert_array_equal(swept.states[r, : len(each)], each)


def test_backward_iterates_survive_an_overflow_of_their_linear_part():
    maps = ito.AffineMaps([[[2.0]], [[3.0]], [[2.5]]], np.zeros((3, 1)))
    run = ito.simulate(maps, [0.0], 2000, order="backward", seed=1, save_steps="all")
    assert (run.states == 0).all()


def test_divergence_of_windows_is_told_of_saved_steps():
    run = {"n_replicas": 2, "seed": SEED, "save_steps": [5, 900]}
    with pytest.raises(ito.DivergenceError) as caught:
        ito.simulate(stretch(), [1.0], 900, order=ito.Window(start=800), **run)
    assert caught.value.trajectory.diverged_at.tolist() == [900, 900]


def test_huge_numbers_of_steps_choose_as_small_ones_do():
    maps = EVERY["two-point"]
    assert algorithm(maps.form(), np.array([2**62]), 8) == "each"
    assert algorithm(EVERY["logistic d=5"].form(), np.array([2**62 - 1, 2**62]), 8) == "each"


def test_a_subclass_is_refused_rather_than_ignored():
    class Shifted(ito.AffineMaps):
        def apply(self, x, draw):
            return super().apply(x, draw) + 1.0

    with pytest.raises(ito.InvalidInputError, match="maps is a Shifted, which changes 'apply' of AffineMaps"):
        ito.simulate(Shifted([[[0.5]]], [[0.0]]), [0.0], 3, seed=1)


# ---------------------------------------------------------------------------------------------------------- bad input


TWO = ito.gallery.two_point_quadratic(0.3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": "sgd"}, "maps is a str"),
        ({"x0": [0.0, 1.0]}, r"x0 has shape \(2,\): give \(1,\)"),
        ({"x0": [[0.0], [1.0]]}, r"x0 has shape \(2, 1\)"),
        ({"x0": [np.nan]}, r"x0\[0\] is nan"),
        ({"x0": ["a"]}, "x0 has dtype"),
        ({"x0": np.array([1], object)}, "x0 has dtype object"),
        ({"x0": [1j]}, "x0 has dtype complex128"),
        ({"x0": [1e200], "dtype": "float32"}, "not finite in float32"),
        ({"n_steps": -1}, "n_steps is -1"),
        ({"n_steps": 2**62 + 1}, "n_steps is 4611686018427387905"),
        ({"n_steps": 3.5}, "n_steps is 3.5"),
        ({"save_steps": [3, 2]}, "save_steps has 3 before 2"),
        ({"save_steps": [2, 2]}, "save_steps has 2 before 2"),
        ({"save_steps": [0, 11]}, "save_steps holds 11"),
        ({"save_steps": [-1, 5]}, "save_steps holds -1"),
        ({"save_steps": [0.5]}, "save_steps has dtype float64"),
        ({"save_steps": []}, "save_steps has dtype"),
        ({"save_steps": "every"}, "save_steps is 'every'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"order": "sideways"}, "order is 'sideways'"),
        ({"order": 3}, "order is 3"),
        ({"n_replicas": 0}, "n_replicas is 0"),
        ({"n_replicas": 2**32 + 1}, "n_replicas is 4294967297"),
        ({"first_replica": 2**32}, "first_replica is 4294967296"),
        ({"first_step": -1}, "first_step is -1"),
        ({"first_step": 2**62}, "first_step is 4611686018427387904"),
        ({"noise": "common"}, "noise is 'common'"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"dtype": "real"}, "dtype is 'real'"),
        ({"backend": "tpu"}, "backend is 'tpu'"),
        ({"tol": -1.0}, "tol is -1.0"),
        ({"tol": 10**400}, "tol is an integer of 1329 bits"),
        ({"seed": 10**5000}, "seed is an integer of 16610 bits"),
        ({"save_steps": [[1], [2, 3]]}, "save_steps is"),
        ({"dtype": "i4,("}, "dtype is"),
        ({"dtype": None}, "dtype is None"),
        (
            {"x0": [[1.7e308], [-1.7e308]], "n_replicas": 2, "tol": 1e-3, "order": "backward"},
            "tol needs a finite bound",
        ),
        ({"tol": np.nan}, "tol is nan"),
        ({"n_replicas": 2**32, "n_steps": 2**40, "save_steps": [1, 2**40]}, "64.0 GiB.*lower n_replicas"),
        ({"n_steps": 2**60, "save_steps": "all"}, "GiB"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"maps": TWO, "x0": [0.5], "n_steps": 10, "seed": 1, **change}
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.simulate(**arguments)


@pytest.mark.parametrize("window", [{}, {"width": 0}, {"width": 2, "start": 1}, {"start": -1}, {"width": 1.5}])
def test_bad_windows_are_refused(window):
    with pytest.raises(ito.InvalidInputError, match=r"Window\(|width is|start is"):
        ito.Window(**window)


def test_a_missing_seed_is_pythons_own_error():
    with pytest.raises(TypeError, match="seed"):
        ito.simulate(TWO, [0.5], 3)


def folding(h):
    """Maps whose exponent is measured along simulated paths; by a bound stable below h = 1, where they expand."""
    return ito.CustomMaps(fold, dim=1, params=([h],), lipschitz=0.5 if h < 1.0 else None)


def fold(x, draw, params, out):
    out[0] = (0.4 if params[0][0] < 1.0 else 4.0) * np.sin(x[0]) + draw[0]


def fold_pair(x, draw, params, out):
    out[0] = 0.4 * np.sin(x[1]) + draw[0]
    out[1] = 0.4 * np.sin(x[0])


FOLDING, FOLDING_PAIR = folding(0.5), ito.CustomMaps(fold_pair, dim=2)
RUNS = {
    "simulate": lambda backend: ito.simulate(TWO, [0.5], 3, seed=1, backend=backend),
    "stationary_sample": lambda backend: ito.stationary_sample(TWO, 3, seed=1, backend=backend),
    "coupling_distance": lambda backend: ito.coupling_distance(
        TWO, [0.0], [1.0], 3, order="forward", n_replicas=2, seed=1, backend=backend
    ),
    "diagnose": lambda backend: ito.diagnose(TWO, [0.5], 20, order="forward", n_replicas=2, seed=1, backend=backend),
    "check_theory": lambda backend: ito.check_theory(["C16", "C20"], backend=backend),
    "check_systems": lambda backend: check_systems([Entry("two", TWO, np.zeros(1))], backend=backend),
    "theory": lambda backend: ito.theory(FOLDING, backend=backend),
    "stability_boundary": lambda backend: ito.stability_boundary(
        folding, 0.5, 1.0, kind="almost-sure", backend=backend
    ),
    "rates": lambda backend: rates.measure([Entry("two", TWO, np.zeros(1))], seed=1, backend=backend),
}


@pytest.fixture
def no_gpu(monkeypatch):
    """A machine without one, whatever this is."""
    nothing = availability.Obstacle("no-driver", "there is none here", "nvidia-smi")
    monkeypatch.setattr(availability, "obstacle", lambda: nothing)
    availability._require.cache_clear()  # a machine that has one is asked once


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("run", RUNS)
def test_a_backend_that_is_not_there_is_the_same_error_everywhere(run):
    with pytest.raises(ito.BackendUnavailableError, match="backend is 'cuda'") as caught:
        RUNS[run]("cuda")
    assert caught.value.reason == "no-driver"
    with pytest.raises(ito.InvalidInputError, match="backend is 'gpu': give one of 'cpu', 'cuda'"):
        RUNS[run]("gpu")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("command", [["check", "C22"], ["check", "--systems", "none.py"], ["rates"]])
@pytest.mark.parametrize("name", ["cuda", "gpu"])
def test_the_command_refuses_a_backend_in_the_same_words(command, name, capsys):
    with pytest.raises(ito.IterorderError) as caught:
        RUNS["simulate"](name)
    assert cli.main([*command, "--backend", name]) == cli.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert str(caught.value) in " ".join(err.split())


def arguments_of(function: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]


def calls_of(names, tree: ast.Module) -> list[ast.Call]:
    """Calls of functions of the package by these names, and not of local variables that are called like them."""
    nodes = list(ast.walk(tree))
    imported = [
        node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("iterorder")
    ]
    known = {name.name for node in imported for name in node.names}
    known |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return [node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") in known & set(names)]


def test_nothing_simulates_without_the_backend_of_its_caller():
    """A claim or a theory that forgot it would run on the processor, and pass: calls are read, not run."""
    package = Path(ito.__file__).parent
    files = [file for file in sorted(package.rglob("*.py")) if "kernels" not in file.parts]
    trees = {file.relative_to(package): ast.parse(file.read_text(encoding="utf-8")) for file in files}
    functions = [node for tree in trees.values() for node in tree.body if isinstance(node, ast.FunctionDef)]
    public = [function for function in functions if not function.name.startswith("_")]
    places = {f.name: arguments_of(f).index("backend") for f in public if "backend" in arguments_of(f)}
    assert set(RUNS) - {"rates"} <= set(places)
    assert {"path_statistics", "iterates_to", "analyse", "custom_spectrum"} <= set(places)
    found = [(file, call) for file, tree in trees.items() for call in calls_of(places, tree)]
    assert len(found) > 80
    for file, call in found:
        # Options that are collected first stand there as **name.
        given = {"backend", None} & {word.arg for word in call.keywords} or len(call.args) > places[call.func.id]
        assert given, f"{file}:{call.lineno} calls {call.func.id} without a backend"


class Counting(Cpu):
    """The processor's backend, which counts what it runs."""

    runs = 0

    def __getattribute__(self, name):
        if name in ("forward", "backward", "window", "backward_to"):
            Counting.runs += 1
        return super().__getattribute__(name)


@pytest.mark.parametrize("run", [*RUNS, "coalescence", "spectrum"])
def test_the_backend_is_carried_into_every_inner_simulation(run, monkeypatch):
    """A second one is made known: no run may go to the first, under any name."""
    monkeypatch.setitem(WORK, "quick", 1e7)  # the fewest steps do
    walk = ito.gallery.reflected_walk()
    runs = RUNS | {
        "coalescence": lambda backend: ito.stationary_sample(walk, 3, tol=0.1, seed=1, backend=backend),
        "spectrum": lambda backend: ito.theory(FOLDING_PAIR, backend=backend).lyapunov_spectrum(2),
    }

    def named(name, chunk=None):
        assert name == "counting"
        return Counting()

    for module in ("iterorder.simulate", "iterorder.bound_trials", "iterorder.stationary.iterates"):
        monkeypatch.setattr(importlib.import_module(module), "backend_named", named)
    monkeypatch.setattr(backends, "BACKENDS", ("cpu", "cuda", "counting"))
    Counting.runs = 0
    runs[run]("counting")
    assert Counting.runs > 0
    with pytest.raises(AssertionError):  # the control
        runs[run]("cpu")


def test_zero_steps_is_the_start():
    for order in ORDERS:
        np.testing.assert_array_equal(ito.simulate(TWO, [2], 0, order=order, seed=1).states, [[[2.0]]])


def test_last_replica_and_last_step_of_the_counter_can_be_used():
    run = ito.simulate(TWO, [0.5], 3, seed=1, n_replicas=2, first_replica=2**32 - 2, first_step=2**62 - 3)
    twin = naive.trajectory(
        TWO, [0.5], [3], order="forward", seed=1, n_replicas=2, first_replica=2**32 - 2, first_step=2**62 - 3
    )
    np.testing.assert_allclose(run.states, twin, atol=rounding_bound(TWO, 3, 2.0))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["fern", "two-point", "linear d=17"])
def test_blocks_of_any_size_give_the_same_bits(name, threads):
    """Blocks are balanced over the threads: their sizes change with the replicas, the bits do not."""
    maps, before = EVERY[name], numba.get_num_threads()
    run = {"order": "forward", "seed": SEED, "save_steps": [3, 70]}
    whole = ito.simulate(maps, np.full(maps.dim, 0.2), 70, n_replicas=130, **run).states
    try:
        numba.set_num_threads(min(threads, before))
        for n in (1, 8, 9, 63, 64, 65, 72, 129):
            part = ito.simulate(maps, np.full(maps.dim, 0.2), 70, n_replicas=n, **run).states
            np.testing.assert_array_equal(part, whole[:n])
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize("name", FEW)
def test_shared_noise_is_that_of_replica_zero(name):
    maps = EVERY[name]
    for order in ("forward", "backward"):
        run = {"order": order, "seed": SEED, "save_steps": [5, 40]}
        shared = ito.simulate(maps, np.full(maps.dim, 0.2), 40, n_replicas=9, noise="shared", first_replica=3, **run)
        alone = ito.simulate(maps, np.full(maps.dim, 0.2), 40, **run)
        np.testing.assert_array_equal(shared.states, np.repeat(alone.states, 9, axis=0))


def test_the_smallest_tol_has_a_depth():
    certificate = sure_certificate(ito.gallery.two_point_quadratic(0.1), np.array([[1e10]]))
    assert certificate.bound(certificate.depth(1e-320)) <= 1e-320


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_gets_threads_of_its_own():
    """The waiting threads of the parent do not exist in a child."""
    code = """
import os, numpy as np, iterorder as ito
maps = ito.gallery.sierpinski()
run = lambda: ito.simulate(maps, [0.0, 0.0], 2000, n_replicas=2000, seed=1).states
parent = run()
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(run(), parent) else 3)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_one_replica_that_diverges_is_told_as_one():
    with pytest.raises(ito.DivergenceError, match=r"^the only replica left the finite numbers, at step \d+:"):
        ito.simulate(ito.QuadraticSGD([1.0], [0.0], 5.0), [1.0], 2000, seed=1)
