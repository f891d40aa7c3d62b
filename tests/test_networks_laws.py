"""C1 on a network: at fixed n both orders have one law if batches are independent; others need not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from iterorder.networks import MLP, train
from iterorder.networks.normalised import NormalisedMLP

COUNT, LEVEL = 300, 1e-3
RNG = np.random.default_rng(3)
#: Few items that pull apart: the order of steps inside an epoch is felt.
FEATURES, LABELS = RNG.normal(size=(4, 5)) * np.array([[3.0], [1.0], [1.0], [1.0]]), np.array([0, 1, 2, 0])


def model():
    return MLP(FEATURES, LABELS, hidden=(6,), step_size=0.2, dtype="float64")


def p_value(n: int, sampling: str, other: int | None = None) -> float:
    """Of two samples of the loss from disjoint sequences: forward at n, backward at n or at another step."""
    options = {"batch_size": 1, "sampling": sampling, "n_sequences": 2 * COUNT, "seed": 1}
    forward = train(model(), order="forward", n_steps=n, **options).observables["loss"][0, :COUNT, 0]
    backward = train(model(), order="backward", n_steps=other or n, **options).observables["loss"][0, COUNT:, 0]
    return float(ks_2samp(forward, backward).pvalue)


@pytest.mark.parametrize("n", [5, 14])
def test_independent_batches_give_one_law(n):
    assert p_value(n, "iid") > LEVEL


@pytest.mark.parametrize("n", [5, 14])
def test_another_step_has_another_law(n):
    """The wrong target: the same sizes of samples tell n from n + 6."""
    assert p_value(n, "iid", n + 6) < LEVEL


@pytest.mark.parametrize(("sampling", "n"), [("reshuffle", 5), ("reshuffle", 6), ("cyclic", 6), ("cyclic", 10)])
def test_the_order_of_an_epoch_is_felt(sampling, n):
    """In an epoch of four steps: forward ends with the part of the second, backward begins with it."""
    assert p_value(n, sampling) < LEVEL


def normalised(**options):
    data = np.random.default_rng(1).normal(size=(30, 4)), np.random.default_rng(2).integers(0, 3, 30)
    return NormalisedMLP(*data, **{"hidden": 5, "step_size": 0.1, "weight_decay": 0.0} | options)


def test_the_step_of_normalised_weights_is_the_gradient_of_their_loss():
    """By central differences of the observed loss, all items in one batch; and it is orthogonal to every row."""
    of, h, eps = normalised(), 2.0**-17, np.finfo(float).eps
    weight = of.start(1, seed=1)["weight"]
    gradient = (weight - of.step({"weight": weight}, np.arange(30), 0)["weight"]) / 0.1
    for place in np.ndindex(weight.shape):
        e = np.zeros_like(weight)
        e[place] = h
        ends = [of.observe({"weight": weight + sign * e})["loss"][0] for sign in (1, -1)]
        assert abs((ends[0] - ends[1]) / (2 * h) - gradient[place]) < 256 * h**2 / 6 + 16 * eps / h
    assert np.abs((gradient * weight).sum(axis=2)).max() < 64 * eps
    assert np.abs(gradient).max() > 0.01
    longer = of.observe({"weight": 3.0 * weight})
    assert longer["loss"][0] == pytest.approx(of.observe({"weight": weight})["loss"][0], rel=64 * eps)
    assert longer["quartic"][0] == pytest.approx(81.0, rel=64 * eps)


def test_long_weights_shrink_at_the_rate_of_their_decay():
    """From far above the gradient is nothing beside the decay: ‖w‖⁴ goes down by (1 − hλ)⁴ a step; not by its root."""
    of = normalised(weight_decay=0.2).with_start_norm(1e4)
    found = train(of, batch_size=4, n_steps=50, save_steps=[0, 50], seed=1).observables["quartic"][0, 0]
    # A step adds h²G²/‖w‖² to ‖w‖², below 1e-10 of it for G below ten.
    assert found[1] / found[0] == pytest.approx((1 - 0.1 * 0.2) ** 200, rel=50 * 1e-8)
