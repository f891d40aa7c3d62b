"""Verdicts: the literal rule, the orders of every family, controls that must not say 'point', aliasing, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder.convergence import replica_blocks
from iterorder.convergence.diagnosis import diagnose
from iterorder.convergence.verdict import Measured
from iterorder.convergence.verdict import verdict as rule
from tests import naive_convergence as naive
from tests.systems import SYSTEMS

SEED = 20251122
EPS = float(np.finfo(np.float64).eps)
ORDERS = ["forward", "backward", ito.Window(10), ito.Window(start=20)]
SETTLES = {
    "forward": "distribution",
    "backward": "point",
    "Window(width=10)": "distribution",
    "Window(start=20)": "point",
}


def verdict(maps, n_steps, *, order="forward", x0=None, n_replicas=60, seed=SEED):
    start = np.zeros(maps.dim) if x0 is None else x0
    return diagnose(maps, start, n_steps, order=order, n_replicas=n_replicas, seed=seed)


# ------------------------------------------------------------------------------------------------------- point or law

CONTRACTING = {
    "two-point": (ito.gallery.two_point_quadratic(0.3), 400),
    "fern": (ito.gallery.barnsley_fern(), 300),
    "linear regression": (SYSTEMS["linear d=3 batch 2"], 1600),
    "logistic regression": (SYSTEMS["logistic d=5"], 1500),
    "reshuffled": (SYSTEMS["affine d=2 reshuffle"], 203),
}


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("name", CONTRACTING)
def test_backward_settles_and_forward_moves_on(name, order):
    """C2, C3, C21: a sliding window moves like forward, an anchored one settles like backward."""
    maps, n_steps = CONTRACTING[name]
    assert verdict(maps, n_steps, order=order).verdict == SETTLES[str(order)]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_common_fixed_point_is_a_point_in_every_order(order):
    """C14: interpolation."""
    features = np.random.default_rng(0).normal(size=(20, 3))
    maps = ito.LinearRegressionSGD(features, features @ np.ones(3), 0.1)
    assert verdict(maps, 200, order=order).verdict == "point"
    settled = verdict(ito.AffineMaps([[[0.5]], [[0.9]]], [[0.5], [0.1]]), 3000, order=order, x0=[5.0])
    assert settled.verdict == "point"
    assert "at rounding" in settled.evidence.reason


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_growth_diverges(order):
    grows = verdict(ito.AffineMaps([[[1.01]]], [[0.0]]), 1000, order=order, x0=[1.0])
    assert grows.verdict == "diverges"
    assert grows.evidence.diverged_fraction == 0
    assert grows.evidence.ratio > 10
    leaves = verdict(ito.AffineMaps([[[2.0]]], [[1.0]]), 3000, order=order)
    assert leaves.verdict == "diverges"
    assert leaves.evidence.diverged_fraction == 1
    assert leaves.evidence.late_diameter == math.inf


def test_half_of_the_replicas_diverged_is_enough_and_a_few_are_not():
    """Starts 0 rest in the fixed point, starts 1 leave."""
    maps = ito.AffineMaps([[[2.0]]], [[0.0]])
    starts = np.zeros((20, 1))
    starts[:9] = 1.0
    few = verdict(maps, 2000, x0=starts, n_replicas=20)
    assert (few.verdict, few.evidence.diverged_fraction) == ("point", 0.45)
    starts[9] = 1.0
    assert verdict(maps, 2000, x0=starts, n_replicas=20).verdict == "diverges"


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_slow_systems_are_inconclusive(order):
    """A step size of .01 needs hundreds of steps to forget its start: neither order may be judged by then."""
    slow = verdict(ito.gallery.two_point_quadratic(0.01), 100, order=order)
    assert slow.verdict == "inconclusive"
    assert "give more steps" in slow.evidence.reason
    assert verdict(ito.gallery.two_point_quadratic(0.01), 20_000, order=order).verdict == SETTLES[str(order)]


def test_maps_that_do_not_contract_never_settle():
    """The control of C20 in affine form: turns by a third or none, a unique law, backward never settles."""
    third = np.array([[-0.5, -math.sqrt(0.75)], [math.sqrt(0.75), -0.5]])
    maps = ito.AffineMaps([np.eye(2), third], np.zeros((2, 2)))
    for order in ORDERS:
        assert verdict(maps, 400, order=order, x0=[1.0, 0.0]).verdict == "distribution"
    walk = ito.AffineMaps([[[1.0]], [[1.0]]], [[-1.0], [1.0]])
    for order in ("forward", "backward"):
        assert verdict(walk, 400, order=order, n_replicas=200).verdict == "inconclusive"


@pytest.mark.parametrize("n_steps", [400, 401, 6400])
@pytest.mark.parametrize("n_maps", [2, 8, 25])
def test_a_cycle_is_neither_a_point_nor_a_law(n_maps, n_steps):
    """C13: n/2 and n may meet the cycle at one phase, and 6400/2/256 steps hold whole cycles of 25/2 and 8."""
    maps = ito.QuadraticSGD(np.ones(n_maps), np.arange(float(n_maps)), 0.3, sampling="cyclic")
    assert verdict(maps, n_steps).verdict == "inconclusive"
    assert verdict(maps, n_steps, order="backward").verdict == "point"


def test_too_few_replicas_cannot_call_a_law_steady():
    few = verdict(ito.gallery.two_point_quadratic(0.5), 200, n_replicas=13)
    assert few.verdict == "inconclusive"
    assert math.isnan(few.evidence.p_value)
    assert "too few" in few.evidence.reason
    assert verdict(ito.gallery.two_point_quadratic(0.5), 200, n_replicas=14).verdict == "distribution"
    assert verdict(ito.gallery.two_point_quadratic(0.5), 200, n_replicas=1, order="backward").verdict == "point"


def test_slow_maps_that_stall_at_rounding_are_a_point():
    """Backward logistic regression with h·ridge = 1/500 stalls hundreds of units of rounding apart."""
    features = np.random.default_rng(0).normal(size=(50, 5))
    labels = np.sign(features @ np.ones(5) + np.random.default_rng(1).normal(size=50))
    maps = ito.LogisticRegressionSGD(features, labels, 0.02, ridge=0.1, batch_size=5)
    settled = verdict(maps, 9000, order="backward", n_replicas=3)
    assert settled.verdict == "point"


# ------------------------------------------------------------------------------------------ approach to a law, or point


def noisy_decay(x, draw, params, out):
    out[0] = 0.99 * x[0] + params[0] * (draw[0] - 0.5)


@pytest.mark.parametrize("n_replicas", [1, 200])
@pytest.mark.parametrize("x0", [10.0, 1e2, 1e4])
def test_a_forward_path_that_approaches_its_law_is_no_point(x0, n_replicas):
    """SGD from far away: the diameter falls with the distance, the moves of single steps stay those of the noise.

    The controls: the same maps backward, and a decay without noise.
    """
    maps = ito.QuadraticSGD([1.0, 1.0], [-1.0, 1.0], 0.01)
    far = verdict(maps, 800, x0=[x0], n_replicas=n_replicas)
    assert far.evidence.ratio <= 0.75
    assert far.evidence.moves_ratio == pytest.approx(1.0, abs=0.5 if n_replicas == 1 else 0.05)
    assert far.verdict == "inconclusive"
    assert "still approach a law" in far.evidence.reason
    assert verdict(maps, 800, x0=[x0], n_replicas=n_replicas, order="backward").verdict == "point"
    decay = ito.CustomMaps(noisy_decay, dim=1, params=(0.0,))
    assert verdict(decay, 800, x0=[x0], n_replicas=n_replicas).verdict == "point"
    moving = ito.CustomMaps(noisy_decay, dim=1, params=(1e-3 * x0,))
    assert verdict(moving, 800, x0=[x0], n_replicas=n_replicas).verdict == "inconclusive"


def test_least_squares_from_zero_are_no_point():
    generator = np.random.default_rng(0)
    features, weights = generator.normal(size=(100, 5)), np.ones(5)
    noisy = ito.LinearRegressionSGD(features, features @ weights + generator.normal(size=100), 0.002)
    assert verdict(noisy, 4000).verdict == "inconclusive"
    assert verdict(noisy, 4000, order="backward").verdict == "point"
    # The control: labels without noise, and every map keeps the weights.
    exact = ito.LinearRegressionSGD(features, features @ weights, 0.002)
    for order in ("forward", "backward"):
        settled = verdict(exact, 4000, order=order)
        assert settled.verdict == "point"
        assert "at rounding" not in settled.evidence.reason


def test_slow_approaches_to_a_point_are_points():
    """As 1/n: x → x/(1+x) without noise; moves that come ever more rarely."""
    harmonic = ito.CustomMaps(shrinks_as_one_over_n, dim=1)
    assert verdict(harmonic, 4000, x0=[1.0], n_replicas=3).verdict == "point"
    assert verdict(ito.gallery.reflected_walk(), 2000, order="backward", n_replicas=100).verdict == "point"


def shrinks_as_one_over_n(x, draw, params, out):
    out[0] = x[0] / (1.0 + x[0]) + 0.0 * draw[0]


# ------------------------------------------------------------------------------------------- rounding or a true move


def nearby(draw_slope, offset, size):
    """x → slope·(x − size) + size ± offset."""
    slope = np.full((2, 1, 1), draw_slope)
    return ito.AffineMaps(slope, (1 - draw_slope) * size + offset * np.array([[-1.0], [1.0]]))


@pytest.mark.parametrize("slope", [0.0, 0.5, 0.9])
def test_moves_of_half_a_unit_far_from_zero_are_no_point(slope):
    """At 10¹³ a unit is 512 in the last place; n of them, as if every path were a slow contraction, are far above."""
    n, far = 10_000, 1e13
    moving = verdict(nearby(slope, 0.5, far), n, x0=[far], n_replicas=32)
    assert moving.evidence.late_diameter < 64 * EPS * far * n / (2 * math.log(1 / EPS))
    assert moving.verdict == "distribution"
    # A walk has no contraction to stall: whatever it does is a true move.
    walk = verdict(nearby(1.0, 0.5, far), n, x0=[far], n_replicas=32)
    assert walk.verdict == "inconclusive"


def slow(x, draw, params, out):
    moved = x[0] + draw[0]  # rounds, to and fro, by up to half an eps
    out[0] = (1.0 - 1e-4) * (moved - draw[0]) + 1e-4


def test_a_slow_contraction_stalls_where_its_roundings_add_up():
    """All maps fix 1 but for rounding, and forget it by h = 1e-4 a step, so that 1/h of the roundings add up.

    They are random, with a standard deviation of eps/√12: the path is a walk with a weak pull, of standard deviation
    eps/√(24h) = 20 eps, and its diameter is above 64 eps.
    """
    maps = ito.CustomMaps(slow, dim=1)
    settled = verdict(maps, 2_000_000, x0=[0.5], n_replicas=16)
    evidence = settled.evidence
    assert evidence.late_diameter > 64 * EPS * evidence.scale
    assert evidence.ratio > 0.75
    assert evidence.amplification == pytest.approx(1e4, rel=0.01)
    assert settled.verdict == "point"
    assert "at rounding" in evidence.reason


# ------------------------------------------------------------------------------------------------- walks and many laws


def test_a_walk_is_no_law():
    """Its late window is twice as long: D2/D1 → √2. At most one walk in two thousand may pass; none of 200 did."""
    walk = ito.AffineMaps([[[1.0]], [[1.0]]], [[-1.0], [1.0]])
    for order in ("forward", "backward"):
        for n_replicas in (20, 50):
            for seed in range(10):
                found = verdict(walk, 2000, order=order, n_replicas=n_replicas, seed=seed)
                assert found.verdict in ("inconclusive", "diverges")
                assert found.evidence.ratio_low < math.sqrt(2) < found.evidence.ratio_high


def double_well(x, draw, params, out):
    out[0] = x[0] + 0.1 * (x[0] - x[0] * x[0] * x[0]) + 0.1 * (draw[0] - 0.5)


@pytest.mark.parametrize("pattern", [[1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0]], ids=str)
def test_starts_that_go_round_are_no_change_of_law(pattern):
    """Each well keeps its law; halves of even and of odd replicas would hold one well each."""
    maps = ito.CustomMaps(double_well, dim=1)
    starts = np.resize(pattern, 60)[:, None]
    assert verdict(maps, 4000, x0=starts).verdict == "distribution"


# -------------------------------------------------------------------------------------------------------- literal rule


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**64 - 1),
    slope=st.sampled_from([-0.5, 0.5, 0.9, 0.97, 0.99, 1.0, 1.03, 1.2, 2.0]),
    noise=st.sampled_from([0.0, 1.0]),
    n_steps=st.integers(8, 60),
    order=st.sampled_from(["forward", "backward"]),
)
def test_verdict_is_the_literal_rule(seed, slope, noise, n_steps, order):
    maps = ito.AffineMaps([[[slope]], [[0.8 * slope]]], [[-noise], [noise]])
    result = diagnose(maps, [1.0], n_steps, order=order, n_replicas=20, seed=seed)
    evidence = result.evidence
    steps = np.concatenate([evidence.early_steps, evidence.late_steps])
    assert steps.tolist() == list(range(n_steps // 4 + 1, n_steps + 1))
    run = ito.simulate(maps, [1.0], n_steps, order=order, n_replicas=20, seed=seed, save_steps=steps)
    early, late = np.split(run.states, [len(evidence.early_steps)], axis=1)
    assert result.verdict == naive.verdict(early, late, evidence.amplification, evidence.p_value)
    assert evidence.early_diameter == np.median([naive.diameter(path) for path in early])
    assert evidence.late_diameter == np.median([naive.diameter(path) for path in late])


RULE = [
    # late, ratio, p_value, diverged → verdict, at scale 1 (rounding 64 eps = 1.4e-14) and a ratio known to 20 %
    (1.0, 1.0, 0.5, 0.5, "diverges"),
    (1.0, 1.0, 0.5, 0.49, "distribution"),
    (1e-14, 20.0, 0.5, 0.0, "point"),
    (1.5e-14, 20.0, 0.5, 0.0, "diverges"),
    (0.0, math.nan, 0.5, 0.0, "point"),
    (1.0, math.inf, 0.5, 0.0, "diverges"),
    (math.inf, math.nan, 0.5, 0.2, "diverges"),
    (1.0, 1.1, 0.5, 0.0, "distribution"),
    (1.0, 1.101, 0.5, 0.0, "inconclusive"),
    (1.0, 10.0, 0.5, 0.0, "inconclusive"),
    (1.0, 10.001, 0.5, 0.0, "diverges"),
    (1.0, 0.75, 0.5, 0.0, "point"),
    (1.0, 0.751, 0.5, 0.0, "inconclusive"),
    (1.0, 0.899, 0.5, 0.0, "inconclusive"),
    (1.0, 0.9, 1e-3, 0.0, "distribution"),
    (1.0, 0.9, 0.99e-3, 0.0, "inconclusive"),
    (1.0, 0.9, math.nan, 0.0, "inconclusive"),
]


@pytest.mark.parametrize(("late", "ratio", "p_value", "diverged", "expected"), RULE)
def test_limits_of_the_rule(late, ratio, p_value, diverged, expected):
    word, reason = rule(Measured(late, ratio, (0.9, 1.2), 64 * EPS, p_value, diverged))
    assert word == expected
    assert reason


@pytest.mark.parametrize(
    ("moves", "expected"), [(0.0, "point"), (0.5, "point"), (0.501, "inconclusive"), (math.nan, "inconclusive")]
)
@pytest.mark.parametrize("goes_round", [False, True])
def test_moves_of_single_steps_must_shrink_by_the_root_of_the_ratio(moves, expected, goes_round):
    measured = Measured(1.0, 0.25, (0.2, 0.3), 64 * EPS, 0.5, 0.0, goes_round, moves)
    word, reason = rule(measured)
    assert word == expected
    assert ("goes round" in reason) == (goes_round and word == "inconclusive")


def test_a_reason_tells_of_replicas_that_left():
    """A third of the paths go to infinity, the others rest at 0: a point, and not of all."""
    maps, starts = ito.AffineMaps([[[2.0]]], [[0.0]]), np.where(np.arange(60) % 3 == 0, 1.0, 0.0)[:, None]
    found = verdict(maps, 2000, x0=starts)
    assert found.verdict == "point"
    assert found.evidence.reason.endswith("; 33.3 % of the replicas left the finite numbers")
    assert verdict(maps, 2000, x0=[1.0]).evidence.reason == "100 % of the replicas left the finite numbers"
    assert "left" not in verdict(maps, 2000).evidence.reason
    assert verdict(maps, 2000, x0=1.0 - starts).evidence.reason == "66.7 % of the replicas left the finite numbers"


# ------------------------------------------------------------------------------------------------------------ evidence


def test_evidence_shows_what_was_looked_at():
    result = verdict(ito.gallery.two_point_quadratic(0.5), 100, n_replicas=40)
    evidence = result.evidence
    assert evidence.early_steps.tolist() == list(range(26, 51))
    assert evidence.late_steps.tolist() == list(range(51, 101))
    assert evidence.compared_steps == (53, 100)
    assert evidence.ratio == evidence.late_diameter / evidence.early_diameter
    assert evidence.diverged_fraction == 0
    assert 0 <= evidence.p_value <= 1
    assert 0.5 < evidence.scale < 2
    assert evidence.amplification == 1
    assert evidence.ratio_low <= evidence.ratio <= evidence.ratio_high
    with pytest.raises(AttributeError):
        evidence.ratio = 0.0


def test_blocks_of_replicas_change_nothing(monkeypatch):
    whole = verdict(ito.gallery.barnsley_fern(), 50, order="backward")
    monkeypatch.setattr(replica_blocks, "BLOCK_BYTES", 8 * 2 * 40 * 7)
    monkeypatch.setattr(replica_blocks, "BUSY_REPLICAS", 1)
    parts = verdict(ito.gallery.barnsley_fern(), 50, order="backward")
    for name in ("early_diameter", "late_diameter", "scale", "p_value", "reason"):
        assert getattr(parts.evidence, name) == getattr(whole.evidence, name)


# ----------------------------------------------------------------------------------------------------------- bad input

BAD = [
    ({"maps": 3}, "maps is an int"),
    ({"x0": [0.0, 0.0]}, r"x0 has shape \(2,\)"),
    ({"x0": [math.inf]}, r"x0\[0\] is inf"),
    ({"n_steps": 7}, r"n_steps is 7: give an integer in \[8"),
    ({"n_steps": 10.5}, "n_steps is 10.5"),
    ({"n_replicas": 0}, "n_replicas is 0"),
    ({"order": "up"}, "order is 'up'"),
    ({"seed": 2**64}, "seed is"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_is_named(change, message):
    maps = ito.gallery.two_point_quadratic(0.5)
    arguments = {"maps": maps, "x0": [0.0], "n_steps": 20, "order": "forward", "n_replicas": 4, "seed": 1}
    with pytest.raises(ito.InvalidInputError, match=message):
        diagnose(**{**arguments, **change})


def test_a_settled_cycle_says_that_it_is_one():
    """Neither a point nor a steady law, however long: the reason must not ask for more steps."""
    maps = ito.QuadraticSGD([1.0, 2.0, 1.5], [0.0, 1.0, -1.0], 0.3, sampling="cyclic")
    for n_steps in (300, 3000):
        found = ito.diagnose(maps, [0.2], n_steps, order="forward", n_replicas=50, seed=0)
        assert found.verdict == "inconclusive"
        assert "goes round with the epoch" in found.evidence.reason
        assert "more steps" not in found.evidence.reason
    assert ito.diagnose(maps, [0.2], 300, order="backward", n_replicas=50, seed=0).verdict == "point"
    # The control: independent draws of the same maps have a steady law.
    iid = ito.QuadraticSGD(maps.curvatures, maps.minimizers, 0.3)
    assert ito.diagnose(iid, [0.2], 300, order="forward", n_replicas=50, seed=0).verdict == "distribution"


def test_a_law_that_goes_round_is_not_steady():
    """Laws at n/2 and n were compared where both are even: all of these were distributions, with p up to 1."""
    flip = ito.AffineMaps([[[-1.0]]], [[0.0]])
    turn = ito.AffineMaps([[[0.0, -1.0], [1.0, 0.0]]], [[0.0, 0.0]])
    for n_steps in (1000, 4000, 4002, 40_000):
        for maps, x0 in ((flip, [1.0]), (turn, [1.0, 0.5])):
            found = ito.diagnose(maps, x0, n_steps, order="forward", n_replicas=60, seed=1)
            assert found.verdict == "inconclusive"
            assert "the law still moves" in found.evidence.reason
            assert "unless it goes round a cycle" in found.evidence.reason

    def walk(x, draw, params, out):
        place = x[0] + (1.0 if draw[0] < 0.5 else -1.0)
        out[0] = place - params[0] * math.floor(place / params[0])

    even, odd = (ito.CustomMaps(walk, dim=1, params=(places,)) for places in (4.0, 5.0))
    for n_steps in (1000, 4000):
        # Of four places one takes two in turn; of five, all are met alike after some dozens of steps: the control.
        assert ito.diagnose(even, [0.0], n_steps, order="forward", n_replicas=200, seed=1).verdict == "inconclusive"
        assert ito.diagnose(odd, [0.0], n_steps, order="forward", n_replicas=200, seed=1).verdict == "distribution"
