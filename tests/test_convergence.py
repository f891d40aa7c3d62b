"""The coupling distance: literal twin, exact cases in both orders, divergence as data, bad input."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder.convergence import coupling_distance, replica_blocks
from tests import naive_convergence as naive
from tests.systems import SYSTEMS

EPS = np.finfo(np.float64).eps
SEED = 20251122
ORDERS = ["forward", "backward", ito.Window(7), ito.Window(start=5)]


def ar1(slope, noise=(-1.0, 1.0)):
    """x → slope·x + noise, with as many maps as values of the noise."""
    return ito.AffineMaps(np.full((len(noise), 1, 1), slope), np.array(noise)[:, None])


def couple(maps, x0, y0, n_steps, *, order="forward", n_replicas=4, seed=SEED, **options):
    return coupling_distance(maps, x0, y0, n_steps, order=order, n_replicas=n_replicas, seed=seed, **options)


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("name", ["two-point", "affine d=3 weighted", "linear d=3 batch 2", "logistic d=5"])
def test_matches_the_literal_twin(name, order):
    maps = SYSTEMS[name]
    starts = np.random.default_rng(3).normal(size=(2, 3, maps.dim))
    steps = [0, 1, 4, 12]
    for p in (1, 2, 3.5, math.inf):
        coupling = couple(maps, *starts, 12, order=order, n_replicas=3, p=p, save_steps=steps)
        table, mean = naive.coupling(maps, *starts, steps, order=order, n_replicas=3, seed=SEED, p=p)
        # Both ways round each of the 12 steps; 100 covers the sums of a step and their growth under these maps.
        bound = 100 * 12 * (maps.dim + 8) * EPS * (1 + np.abs(starts).max())
        np.testing.assert_allclose(coupling.per_replica, table, rtol=0, atol=bound)
        np.testing.assert_allclose(coupling.distance, mean, rtol=0, atol=bound)
        assert coupling.steps.tolist() == steps
        assert coupling.p == p


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("slope", [0.5, -0.7, 0.95, 1.02])
def test_equal_slopes_give_the_exact_power(slope, order):
    """C5: |x−y|·|a|^n for every p, whatever the noise."""
    n = 60
    coupling = couple(ar1(slope), [0.25], [1.0], n, order=order)
    exact = 0.75 * abs(slope) ** np.arange(n + 1)
    # Each of n steps rounds two states of at most `scale`, and stretches the roundings before it at most as a^n.
    bound = 4 * EPS * n * float(coupling.scale.max()) * max(1.0, abs(slope) ** n)
    np.testing.assert_allclose(coupling.per_replica, np.broadcast_to(exact, (4, n + 1)), rtol=0, atol=bound)
    np.testing.assert_allclose(coupling.distance, exact, rtol=0, atol=bound)
    assert (coupling.standard_error <= bound).all()


@pytest.mark.parametrize("order", ["forward", "backward"])
@pytest.mark.parametrize("p", [1, 2])
def test_random_slopes_give_the_mean_power(order, p):
    """C5 with a drawn from {.3, .9}: the mean of the p-th powers is |x−y|^p (E a^p)^n, at four standard errors."""
    maps = ito.AffineMaps([[[0.3]], [[0.9]]], [[1.0], [-1.0]])
    coupling = couple(maps, [0.0], [1.0], 8, order=order, n_replicas=20_000, p=p)
    exact = ((0.3**p + 0.9**p) / 2) ** (np.arange(9) / p)
    error = np.abs(coupling.distance - exact)
    assert (error <= 4 * coupling.standard_error + 10 * EPS).all()
    wrong = np.exp(np.arange(9) * (np.log(0.3) + np.log(0.9)) / 2)  # the Lyapunov exponent
    assert (np.abs(coupling.distance - wrong)[2:] > 4 * coupling.standard_error[2:]).all()


@pytest.mark.parametrize("p", [1, 2, 3])
def test_standard_error_is_the_spread_over_repetitions(p):
    maps = ito.AffineMaps([[[0.3]], [[0.9]]], [[1.0], [-1.0]])
    runs = [couple(maps, [0.0], [1.0], 4, n_replicas=500, p=p, seed=seed) for seed in range(200)]
    spread = np.std([run.distance[1:] for run in runs], axis=0, ddof=1)
    claimed = np.mean([run.standard_error[1:] for run in runs], axis=0)
    # A spread from 200 runs is off by 5 %; five times that.
    np.testing.assert_allclose(claimed, spread, rtol=0.25)


def test_standard_error_is_unknown_for_one_replica_and_for_the_largest():
    maps = ar1(0.5)
    assert np.isnan(couple(maps, [0.0], [1.0], 5, n_replicas=1).standard_error).all()
    assert np.isnan(couple(maps, [0.0], [1.0], 5, p=math.inf).standard_error).all()
    assert (couple(maps, [1.0], [1.0], 5).standard_error == 0).all()


def test_starts_that_meet_stay_together_exactly():
    coin = ito.AffineMaps([[[0.0]], [[1.0]]], [[0.0], [0.0]])
    coupling = couple(coin, [0.0], [1.0], 20, n_replicas=100)
    met = np.argmax(coupling.per_replica == 0, axis=1)
    assert (met > 0).all()
    for row, first in zip(coupling.per_replica, met, strict=True):
        assert (row[:first] == 1).all()
        assert (row[first:] == 0).all()


def test_blocks_of_replicas_change_no_bit(monkeypatch):
    maps, options = SYSTEMS["logistic d=5"], {"n_replicas": 23, "order": "backward"}
    starts = np.random.default_rng(5).normal(size=(2, 23, 5))
    whole = couple(maps, *starts, 15, **options)
    monkeypatch.setattr(replica_blocks, "BLOCK_BYTES", 8 * 5 * 16 * 3)
    monkeypatch.setattr(replica_blocks, "BUSY_REPLICAS", 1)
    parts = couple(maps, *starts, 15, **options)
    for name in ("steps", "distance", "standard_error", "per_replica", "scale"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**64 - 1),
    order=st.sampled_from(ORDERS),
    exponent=st.sampled_from([-500, 0, 500]),
    name=st.sampled_from(["affine d=3 weighted", "linear d=3 batch 2"]),
)
def test_symmetric_homogeneous_and_below_the_contraction(seed, order, exponent, name):
    """d(x, y) = d(y, x) ≤ c^n·‖x−y‖, and linear maps commute with powers of two, far outside the range of squares."""
    maps = SYSTEMS[name]
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, maps.dim))
    coupling = couple(maps, x, y, 10, order=order, seed=seed)
    np.testing.assert_array_equal(couple(maps, y, x, 10, order=order, seed=seed).distance, coupling.distance)
    start = float(np.linalg.norm(x - y))
    bound = start * maps.lipschitz_max ** np.arange(11)
    assert (coupling.per_replica <= bound * (1 + 1e3 * EPS) + 1e3 * EPS * coupling.scale).all()
    if isinstance(maps, ito.AffineMaps):
        linear = ito.AffineMaps(maps.matrices, np.zeros_like(maps.offsets), maps.probabilities)
        plain, scaled = (
            couple(linear, np.ldexp(x, e), np.ldexp(y, e), 10, order=order, seed=seed) for e in (0, exponent)
        )
        np.testing.assert_allclose(scaled.distance, np.ldexp(plain.distance, exponent), rtol=16 * EPS)


def test_scale_follows_a_forward_state_and_remembers_a_backward_one():
    maps = ar1(0.5, [0.0])
    assert couple(maps, [1024.0], [0.0], 10).scale[-1] == 1.0
    assert couple(maps, [1024.0], [0.0], 10, order="backward").scale[-1] == 1024.0


@pytest.mark.parametrize("block_bytes", [2**26, 8 * 2 * 41 * 7])
def test_progress_tells_the_share_of_both_starts_and_all_blocks(monkeypatch, block_bytes):
    monkeypatch.setattr(replica_blocks, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(replica_blocks, "BUSY_REPLICAS", 1)
    maps, told = ito.gallery.barnsley_fern(), []
    couple(maps, [0.0, 0.0], [1.0, 1.0], 40, n_replicas=20, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    # The second start begins half way through the first block.
    first_block = min(20, block_bytes // (8 * 2 * 41))
    assert any(share == pytest.approx(0.5 * first_block / 20) for share in told)
    told.clear()
    ito.diagnose(maps, [0.0, 0.0], 40, order="forward", n_replicas=20, seed=1, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1


def test_progress_that_is_no_such_thing_is_named():
    maps = ar1(0.5)
    with pytest.raises(ito.InvalidInputError, match="progress is 'yes'"):
        couple(maps, [0.0], [1.0], 10, progress="yes")
    with pytest.raises(ito.InvalidInputError, match="progress is 'yes'"):
        ito.diagnose(maps, [0.0], 10, order="forward", n_replicas=3, seed=1, progress="yes")


# ---------------------------------------------------------------------------------------------------------- divergence

# Replicas leave the finite numbers at very different steps; the first start lies on the common fixed point.
WILD = ito.AffineMaps([[[0.5]], [[1e60]]], [[0.0], [0.0]], [0.6, 0.4])


def test_one_diverged_replica_is_data_and_takes_the_mean_with_it():
    coupling = couple(WILD, [0.0], [1.0], 8, n_replicas=50)
    gone = np.isnan(coupling.per_replica)
    assert gone[:, -1].any()
    assert not gone[:, -1].all()
    assert (gone[:, :-1] <= gone[:, 1:]).all()
    np.testing.assert_array_equal(np.isnan(coupling.distance), gone.any(axis=0))
    np.testing.assert_array_equal(np.isnan(coupling.standard_error), gone.any(axis=0))
    kept = ~gone[:, -1]
    assert np.isfinite(coupling.per_replica[kept]).all()


def test_a_diverged_block_is_data_when_another_is_finite(monkeypatch):
    monkeypatch.setattr(replica_blocks, "BLOCK_BYTES", 1)  # one replica a block
    monkeypatch.setattr(replica_blocks, "BUSY_REPLICAS", 1)
    coupling = couple(WILD, [0.0], [1.0], 8, n_replicas=50)
    assert 0 < np.isnan(coupling.per_replica[:, -1]).sum() < 50


def test_all_diverged_is_an_error_that_carries_the_finite_part():
    with pytest.raises(ito.DivergenceError, match=r"all 4 replicas.*: lower n_steps, or take maps that") as caught:
        couple(ar1(2.0), [0.0], [1.0], 2000, save_steps=[0, 10, 2000])
    assert caught.value.trajectory.states.shape[1] == 3
    assert np.isfinite(caught.value.trajectory.states[:, :2]).all()


def test_the_step_at_which_paths_leave_is_the_first_of_any_replica_and_start(monkeypatch):
    """x → 2x from 1 is 2ⁿ, beyond every float at n = 1024, and from 2¹⁰⁰ a hundred steps earlier."""
    doubled = ito.AffineMaps([[[2.0]]], [[0.0]])
    monkeypatch.setattr(replica_blocks, "BLOCK_BYTES", 1)  # one replica a block
    monkeypatch.setattr(replica_blocks, "BUSY_REPLICAS", 1)
    starts = [[1.0], [2.0**100], [0.0]], [[4.0], [0.0], [2.0]]
    with pytest.raises(ito.DivergenceError, match="the first at step 924, where the system expands") as caught:
        couple(doubled, *starts, 1100, n_replicas=3)
    assert "before step 924 there are distances" in str(caught.value)
    assert np.isfinite(couple(doubled, *starts, 923, n_replicas=3).distance).all()


@pytest.mark.parametrize("order", ["forward", "backward", ito.Window(3000), ito.Window(start=10)], ids=str)
def test_a_step_size_is_spoken_of_where_there_is_one(order):
    """Affine maps have none that could be lowered; an optimiser has that of its losses."""
    descent = ito.LinearRegressionSGD([[1.0], [2.0]], [0.0, 1.0], 9.0)
    for maps, advised in ((ar1(2.0), False), (descent, True), (ito.Optimizer(descent, weight_decay=0.1), True)):
        with pytest.raises(ito.DivergenceError) as run:
            ito.simulate(maps, [1.0], 3000, order=order, seed=1)
        with pytest.raises(ito.DivergenceError) as pair:
            couple(maps, [1.0], [2.0], 3000, order=order, save_steps=None)
        for error in (run, pair):
            assert ("lower the step size or n_steps" in str(error.value)) == advised
            assert "lower n_steps, or take maps that expand less" in str(error.value) or advised


def test_distances_beyond_squares_and_beyond_floats():
    still = ito.AffineMaps([np.eye(2)], [np.zeros(2)])
    assert couple(still, [3e200, 0.0], [0.0, 4e200], 1).distance[1] == pytest.approx(5e200)
    assert couple(still, [3e-200, 0.0], [0.0, 4e-200], 1).distance[1] == pytest.approx(5e-200)
    assert couple(still, [1.5e308, 0.0], [-1.5e308, 0.0], 1).distance[1] == math.inf


# ----------------------------------------------------------------------------------------------------------- bad input

BAD = [
    ({"x0": [0.0, 1.0]}, r"x0 has shape \(2,\)"),
    ({"y0": [[0.0], [1.0]]}, r"y0 has shape \(2, 1\): give \(1,\).*or \(4, 1\)"),
    ({"y0": [math.nan]}, r"y0\[0\] is nan"),
    ({"y0": ["a"]}, "y0 has dtype"),
    ({"p": 0.5}, "p is 0.5: give a number of at least 1"),
    ({"p": math.nan}, "p is nan"),
    ({"p": 10**400}, "p is an integer of 1329 bits: give a number of at least 1, or inf for the largest"),
    ({"p": "2"}, "p is '2'"),
    ({"n_steps": -1}, "n_steps is -1"),
    ({"n_replicas": 0}, "n_replicas is 0"),
    ({"order": "sideways"}, "order is 'sideways'"),
    ({"seed": -1}, "seed is -1"),
    ({"save_steps": [3, 2]}, "save_steps has 3 before 2"),
    ({"save_steps": "some"}, "save_steps is 'some'"),
    ({"maps": None}, "maps is a NoneType"),
    ({"n_steps": 2**40}, "lower n_replicas"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=str)
def test_bad_input_is_named(change, message):
    arguments = {"maps": ar1(0.5), "x0": [0.0], "y0": [1.0], "n_steps": 5, "order": "forward", "n_replicas": 4}
    with pytest.raises(ito.InvalidInputError, match=message):
        coupling_distance(**{**arguments, "seed": 1, **change})


def test_a_missing_seed_is_a_type_error():
    with pytest.raises(TypeError, match="seed"):
        coupling_distance(ar1(0.5), [0.0], [1.0], 5, order="forward", n_replicas=4)


def test_results_are_read_only():
    coupling = couple(ar1(0.5), [0.0], [1.0], 5)
    for name in ("steps", "distance", "standard_error", "per_replica", "scale"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(coupling, name)[...] = 0


def test_import_loads_neither_numba_nor_scipy():
    code = (
        "import sys; import iterorder.convergence, iterorder.convergence.rates, iterorder.convergence.diagnosis; "
        "print(*{'numba', 'scipy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
