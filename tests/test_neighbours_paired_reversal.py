"""Order sensitivity: the expansion in Lie brackets, exact statements for quadratics, and their wrong neighbours."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.neighbours.notes import item_maps
from iterorder.neighbours.paired_reversal import (
    bracket_scores,
    epoch,
    order_sensitivity,
    palindromes,
    summed_brackets,
)

ROOT = Path(__file__).resolve().parents[1]
SIDECAR = json.loads((ROOT / "figures" / "neighbours_paired_reversal.json").read_text(encoding="utf-8"))
EPS = np.finfo(float).eps


def regression(step_size=0.05, n=5, dim=3, seed=0):
    rng = np.random.default_rng(seed)
    return ito.LinearRegressionSGD(rng.normal(size=(n, dim)), rng.normal(size=n), step_size, ridge=0.1)


def fields(maps):
    """The gradients of the items as square matrices on (x, 1)."""
    matrices = item_maps(maps)
    return np.concatenate([matrices, np.zeros((len(matrices), 1, maps.dim + 1))], axis=1)


def rounding(maps, x, n_steps):
    """Each step rounds sums of dim + 4 terms of about this size, and quadratic steps stretch little here."""
    size = np.abs(x).max() + maps.step_size * np.abs(maps.gradients(x)).sum()
    return 64 * EPS * (maps.dim + 4) * n_steps * size


@given(seed=st.integers(0, 10**6))
def test_sums_of_brackets_against_the_double_loop(seed):
    maps = regression(seed=seed)
    rng = np.random.default_rng(seed)
    order, x = rng.permutation(5), rng.normal(size=3)
    pairs = [ito.lie_bracket(maps, j, i, x) for i, j in itertools.combinations(order.tolist(), 2)]
    scale = sum(np.abs(pair).max() for pair in pairs) + np.abs(maps.gradients(x)).max() ** 2 * 25
    np.testing.assert_allclose(summed_brackets(maps, order, x), np.sum(pairs, axis=0), rtol=0, atol=256 * EPS * scale)


@given(seed=st.integers(0, 10**6), step_size=st.floats(1e-3, 0.3))
def test_two_steps_and_palindromes_of_quadratics_are_exact(seed, step_size):
    """By the maps themselves and by products of matrices."""
    maps = regression(step_size, n=2, seed=seed)
    first, second = fields(maps)
    x = np.random.default_rng(seed).normal(size=3)
    found = epoch(maps, [0, 1, 1, 0], x) - epoch(maps, [1, 0, 0, 1], x)
    one = np.eye(4) - step_size * first
    other = np.eye(4) - step_size * second
    literal = (one @ other @ other @ one - other @ one @ one @ other) @ [*x, 1.0]
    # Four factors of norm at most 1 + h‖G‖, products of 4 × 4 matrices.
    norm = (1 + step_size * max(np.linalg.norm(first), np.linalg.norm(second))) ** 4 * (1 + np.linalg.norm(x))
    tolerance = 256 * EPS * norm
    exact = palindromes(first, second, step_size) @ [*x, 1.0]
    np.testing.assert_allclose(exact, literal, rtol=0, atol=tolerance)
    np.testing.assert_allclose(found, exact[:3], rtol=0, atol=tolerance)
    swapped = epoch(maps, [1, 0], x) - epoch(maps, [0, 1], x)
    np.testing.assert_allclose(swapped, step_size**2 * ito.lie_bracket(maps, 0, 1, x), rtol=0, atol=tolerance)


def test_the_other_double_commutator_is_rejected():
    first, second = fields(regression(0.1, n=2))
    commutator = first @ second - second @ first
    wrong = commutator @ (first - second) - (first - second) @ commutator
    one, other = np.eye(4) - 0.1 * first, np.eye(4) - 0.1 * second
    literal = one @ other @ other @ one - other @ one @ one @ other
    fourth = 0.1**4 * (first @ second @ second @ first - second @ first @ first @ second)
    assert np.abs(palindromes(first, second, 0.1) - literal).max() < 1e-3 * np.abs(literal).max()
    assert np.abs(-(0.1**3) * wrong + fourth - literal).max() > 0.5 * np.abs(literal).max()


def test_scores_are_the_change_of_loss_with_the_gradient_half_way():
    """F(a) − F(b) = ⟨∇F(½(a+b)), a − b⟩ and a − b = h² [i, j] without remainder; the control has ∇F at x."""
    maps, x = regression(0.2), np.ones(3)
    scores = bracket_scores(maps, x)
    for i, j in itertools.permutations(range(5), 2):
        bracket = ito.lie_bracket(maps, i, j, x)
        assert scores[i, j] == pytest.approx(maps.gradients(x).mean(axis=0) @ bracket, abs=rounding(maps, x, 64))
        a, b = epoch(maps, [j, i], x), epoch(maps, [i, j], x)
        change = mean_loss(maps, a) - mean_loss(maps, b)
        middle = maps.gradients((a + b) / 2).mean(axis=0)
        scale = mean_loss(maps, a) + mean_loss(maps, b)
        assert change == pytest.approx(0.2**2 * middle @ bracket, abs=256 * EPS * scale)
    assert abs(change - 0.2**2 * scores[i, j]) > 1e6 * EPS * scale


def mean_loss(maps, x):
    return 0.5 * np.mean((maps.features @ x - maps.targets) ** 2) + 0.05 * x @ x


def slopes(values, steps):
    return np.diff(np.log(values)) / np.diff(np.log(steps))


@pytest.mark.parametrize("family", [0, 1])
def test_the_figure_has_the_orders_of_the_expansion(family):
    """Slopes where h is small: 2 alone, 3 beside the reversal, and 3 for what the brackets leave; 2 is no 3."""
    data = {name: np.array(values) for name, values in SIDECAR["data"].items()}
    steps = data["step_size"]
    # The next order is a share of about h·n·H of the term; sidecars have six digits.
    near = slice(0, 6)
    for name, order in [("reversed_order", 2), ("reversed_remainder", 3), ("mean_of_pair", 3), ("paired_epochs", 3)]:
        found = slopes(data[name][family][near], steps[near])
        assert np.abs(found - order).max() < 0.25, name
        assert np.abs(found - (5 - order)).min() > 0.5, name
    gap = np.abs(data["reversed_order"] / data["predicted"] - 1.0)[family]
    assert gap[0] < 0.05 < gap[-1]
    agreement = data["score_agreement"][family]
    assert agreement[0] > 0.9


def test_bad_systems_are_refused():
    with pytest.raises(InvalidInputError, match="steps of SGD"):
        order_sensitivity(ito.gallery.sierpinski(), 0)
    with pytest.raises(InvalidInputError, match="not quadratic"):
        item_maps(ito.LogisticRegressionSGD(np.eye(2), np.array([1.0, -1.0]), 0.1))
    with pytest.raises(InvalidInputError, match="n_orders"):
        order_sensitivity(regression(), 0, n_orders=1)
