"""Contraction of blocks: every product by brute force, drawn against listed ones, where single maps do not contract."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import iterorder as ito
from iterorder.theory import blocks
from iterorder.theory.contraction import contraction
from iterorder.theory.undefined import Undefined
from tests import naive_theory
from tests.systems import OPTIMIZED, logistic

EPS = float(np.finfo(np.float64).eps)
RNG = np.random.default_rng(15)
FEATURES, TARGETS = RNG.normal(size=(4, 2)), RNG.normal(size=4)


def literal(maps, p, length):
    """Over all sequences of draws, with the matrices of `apply`."""
    law = maps.sampling_law
    if law.kind == "iid":
        steps = naive_theory.step_maps(maps)
        sequences = list(itertools.product(steps, repeat=length))
    else:
        n = law.n_items
        orders = [range(n)] if law.kind == "cyclic" else list(itertools.permutations(range(n)))
        listed = [(1.0 / len(orders), order) for order in orders]
        sequences = [
            [(w if k == 0 else 1.0, naive_theory.linear_form(maps, order[k % n])[0]) for k in range(length)]
            for w, order in listed
        ]
    total, largest = 0.0, 0.0
    for sequence in sequences:
        product = np.eye(maps.dim)
        weight = math.prod(step[0] for step in sequence)
        for step in sequence:
            product = step[1] @ product
        norm = np.linalg.norm(product, 2)
        largest = max(largest, norm)
        total += weight * norm**p if math.isfinite(p) else 0.0
    return largest if math.isinf(p) else total ** (1.0 / p)


@pytest.mark.parametrize("p", [1, 2, 5.5, math.inf])
@pytest.mark.parametrize(
    ("maps", "length"),
    [
        (ito.LinearRegressionSGD(FEATURES, TARGETS, 0.3), 3),
        (ito.LinearRegressionSGD(FEATURES, TARGETS, 0.3, batch_size=2), 2),
        (ito.LinearRegressionSGD(FEATURES, TARGETS, 0.3, sampling="reshuffle"), 3),
        (ito.LinearRegressionSGD(FEATURES, TARGETS, 0.3, sampling="cyclic"), 6),
        (ito.gallery.barnsley_fern(), 4),
        (OPTIMIZED["optimizer of two quadratics"], 8),
    ],
)
def test_over_all_blocks(maps, length, p):
    found = contraction(maps, p, block=length)
    assert found.exact
    assert found.value == pytest.approx(literal(maps, p, length), rel=1e4 * EPS)


def test_blocks_contract_where_single_maps_do_not():
    maps = ito.LinearRegressionSGD(FEATURES, TARGETS, 0.3)
    known = ito.theory(maps)
    assert known.contraction(2).value == 1.0
    assert known.contraction(2, block=4).value < 0.9
    # No block of independent maps has sup Lip < 1, as an index may repeat; an epoch of all rows has.
    assert known.contraction(math.inf, block=5).value == pytest.approx(1.0)
    epochs = ito.theory(ito.LinearRegressionSGD(FEATURES, TARGETS, 0.3, sampling="reshuffle"))
    assert epochs.contraction(math.inf, block=4).value < 0.95


def test_drawn_blocks_agree_with_listed_ones(monkeypatch):
    maps = ito.LinearRegressionSGD(FEATURES, TARGETS, 0.3)
    exact = contraction(maps, 2, block=4)
    monkeypatch.setattr(blocks, "MAX_LISTED", 100)  # there are 256
    drawn = contraction(maps, 2, block=4, seed=3)
    assert not drawn.exact
    assert abs(drawn.value - exact.value) < 5 * drawn.standard_error  # a level of 6·10⁻⁷
    assert abs(drawn.value - contraction(maps, 2, block=3).value) > 5 * drawn.standard_error  # the wrong target
    assert contraction(maps, math.inf, block=1).value == pytest.approx(1.0)
    with pytest.raises(Undefined, match="too many to list"):
        contraction(maps, math.inf, block=4)


def test_a_mean_that_single_draws_carry_is_refused():
    """E a² over (E a)² to the power 400: the mean of the products is beyond any sample."""
    maps = ito.AffineMaps([[[0.1]], [[1.5]]], [[0.0], [1.0]])
    with pytest.raises(Undefined, match="Monte Carlo does not know this mean"):
        contraction(maps, 2, block=400)
    assert ito.theory(maps).contraction(2, block=400) is None
    assert contraction(maps, 2, block=10).value == pytest.approx(((0.01 + 2.25) / 2) ** 5, rel=1e3 * EPS)


@pytest.mark.parametrize("dim", [1, 2])
def test_long_blocks_keep_to_the_range_of_floating_point(dim):
    doubling = ito.AffineMaps([2.0 * np.eye(dim)], np.zeros((1, dim)))
    assert contraction(doubling, 1, block=1000).value == pytest.approx(2.0**1000, rel=1e-12)
    with pytest.raises(Undefined, match="beyond the range"):
        contraction(doubling, 1, block=2000)
    halving = ito.AffineMaps(RNG.uniform(0.45, 0.5, 200)[:, None, None] * np.eye(dim), np.zeros((200, dim)))
    assert 0.0 < contraction(halving, 1, block=500).value < 0.5**500
    assert contraction(halving, 1, block=5000).value == 0.0  # below 10⁻³⁰⁸
    huge = ito.AffineMaps([1e30 * np.eye(dim)], np.zeros((1, dim)))
    with pytest.raises(Undefined, match="linear parts exceed the range"):
        contraction(huge, 1, block=20)
    steep = ito.LogisticRegressionSGD(10.0 * RNG.normal(size=(5, dim)), [1, -1, 1, -1, 1], 1.0)
    with pytest.raises(Undefined, match="beyond the range"):
        contraction(steep, 2, block=2000)


def test_the_first_steps_of_an_epoch_are_listed():
    maps = ito.LinearRegressionSGD(RNG.normal(size=(10, 2)), RNG.normal(size=10), 0.3, sampling="reshuffle")
    found = contraction(maps, 2, block=2)  # 90 ordered pairs of 3.6 million orders
    assert found.exact
    pairs = [
        maps.apply(maps.apply(np.eye(2), i), j) - maps.apply(maps.apply(np.zeros(2), i), j)
        for i, j in itertools.permutations(range(10), 2)
    ]
    expected = math.sqrt(np.mean([np.linalg.norm(pair, 2) ** 2 for pair in pairs]))
    assert found.value == pytest.approx(expected, rel=1e3 * EPS)
    assert contraction(maps, math.inf, block=2).value == pytest.approx(max(np.linalg.norm(x, 2) for x in pairs))


def test_maps_that_are_not_affine_have_powers():
    maps = logistic(3)
    single = contraction(maps, 1.5)
    bound = contraction(maps, 1.5, block=7)
    assert bound.value == pytest.approx(single.value**7)
    assert (bound.low, bound.exact) == (0.0, False)  # an upper bound, and not the mean itself
    fresh = contraction(ito.GaussianRegressionSGD([1.0, 2.0], 1.0, 0.2), 2, block=5)
    assert (fresh.low, fresh.exact) == (0.0, False)
    assert contraction(ito.GaussianRegressionSGD([1.0], 1.0, 1.0), 2, block=3).value == pytest.approx(2.0**1.5)
    reshuffled = logistic(3, sampling="reshuffle")
    with pytest.raises(Undefined, match="not independent"):
        contraction(reshuffled, 2, block=3)
    assert contraction(reshuffled, math.inf, block=3).value == pytest.approx(reshuffled.lipschitz_max**3, rel=1e-6)


def test_a_long_block_in_many_dimensions_takes_fewer_draws(monkeypatch):
    maps = ito.LinearRegressionSGD(RNG.normal(size=(500, 40)), RNG.normal(size=500), 0.01)
    counts = []
    monkeypatch.setattr(blocks, "_log_norms", lambda items, steps, count: counts.append(count) or np.zeros(count))
    contraction(maps, 1, block=40)
    assert blocks.MIN_DRAWS <= counts[0] < blocks.DRAWS["quick"]


@pytest.mark.parametrize("block", [0, -1, 1.5, "2", True])
def test_bad_blocks(block):
    with pytest.raises(ito.InvalidInputError, match="block"):
        contraction(ito.gallery.sierpinski(), 1, block=block)
