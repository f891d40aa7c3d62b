"""wasserstein_1d with weights of any size: fractions as the twin, mirror images, rounded levels as the control."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterorder.wasserstein import wasserstein_1d
from iterorder.wasserstein.exact_masses import exact_distance
from iterorder.wasserstein.weighted_kernel import LEVEL_ERROR, pair_total, segments

EPS = np.finfo(float).eps
ORDERS = [1, 1.5, 2, 3, 50]
# Sixteenths, whose differences are exact.
points = st.lists(st.integers(-1000, 1000).map(lambda k: k / 16), min_size=1, max_size=7).map(np.array)


def weights_of(points, powers=30):
    """Weights from 10^−powers to 10^powers."""
    weight = st.builds(lambda m, e: m * 10.0**e, st.floats(1, 10), st.integers(-powers, powers))
    return st.lists(weight, min_size=points.size, max_size=points.size).map(np.array)


def relative(terms: int) -> float:
    """The docstring's bound, and a few roundings of a power and a root."""
    return (terms + 8) * 2 * EPS


def in_fractions(u, v, p, u_weights, v_weights) -> float:
    """W_p by a walk in fractions; the p-th power of a difference is exact for whole p."""
    u_left, v_left = (
        [[Fraction(x), Fraction(w)] for x, w in sorted(zip(*a, strict=True))]
        for a in ((u.tolist(), u_weights.tolist()), (v.tolist(), v_weights.tolist()))
    )
    for left in (u_left, v_left):
        total = sum(w for _, w in left)
        for pair in left:
            pair[1] /= total
    pieces = []
    while u_left and v_left:
        mass = min(u_left[0][1], v_left[0][1])
        pieces.append((mass, abs(u_left[0][0] - v_left[0][0])))
        for left in (u_left, v_left):
            left[0][1] -= mass
            if left[0][1] == 0:
                left.pop(0)
    if p == int(p):
        mean = sum(mass * difference ** int(p) for mass, difference in pieces)
        # In logarithms: the mean may be below every float.
        log = (math.log(mean.numerator) - math.log(mean.denominator)) / p if mean else -math.inf
        return float(mean) if p == 1 else math.exp(log)
    return math.fsum(float(mass) * float(difference) ** p for mass, difference in pieces) ** (1 / p)


@pytest.mark.parametrize(("p", "small", "expected"), [(1, 1e-12, 9.99999999999e-10), (50, 1e-18, 436.51583224016593)])
def test_a_small_weight_counts_alike_on_both_sides(p, small, expected):
    right = wasserstein_1d([0, 1000.0], [0.0], p, u_weights=[1, small])
    left = wasserstein_1d([0, 1000.0], [1000.0], p, u_weights=[small, 1])
    assert right == left == pytest.approx(expected, rel=relative(3), abs=0)
    # The control: the difference of two running sums has lost the digits of the weight.
    assert abs(1000.0 * ((1 + small) - 1) ** (1 / p) / expected - 1) > relative(3)


@pytest.mark.parametrize("small", [1e-12, 1e-18, 1e-100, 1e-300])
@pytest.mark.parametrize("p", ORDERS)
def test_a_small_weight_counts_in_the_middle(p, small):
    found = wasserstein_1d([0, 5, 10], [0, 10], p, u_weights=[1, small, 1])
    # Half of the mass of the middle point goes to each side.
    assert found == pytest.approx(5 * (small / (2 + small)) ** (1 / p), rel=20 * EPS * (1 - math.log(small) / p), abs=0)


@settings(max_examples=80)
@given(st.data(), points, points, st.sampled_from([*ORDERS]))
def test_equals_the_walk_in_fractions(data, u, v, p):
    u_weights, v_weights = data.draw(weights_of(u)), data.draw(weights_of(v))
    found = wasserstein_1d(u, v, p, u_weights=u_weights, v_weights=v_weights)
    expected = in_fractions(u, v, p, u_weights, v_weights)
    # The twin's logarithm and root multiply a rounding by |log W|.
    allowed = relative(u.size + v.size) * (1 + abs(math.log(expected or 1.0)))
    assert found == pytest.approx(expected, rel=allowed, abs=0)
    mirrored = wasserstein_1d(-u, -v, p, u_weights=u_weights, v_weights=v_weights)
    assert mirrored == pytest.approx(found, rel=2 * relative(u.size + v.size), abs=0)
    assert wasserstein_1d(v, u, p, u_weights=v_weights, v_weights=u_weights) == pytest.approx(found, rel=allowed, abs=0)


@settings(max_examples=40)
@given(st.data(), points, points, st.sampled_from([*ORDERS, math.inf]))
def test_both_ways_agree(data, u, v, p):
    """Weights between which pairs of floats are enough, and the same in whole numbers."""
    u_weights, v_weights = data.draw(weights_of(u, 3)), data.draw(weights_of(v, 3))
    x, y = np.argsort(u), np.argsort(v)
    expected = exact_distance(u[x], v[y], u_weights[x], v_weights[y], p)
    found = wasserstein_1d(u, v, p, u_weights=u_weights, v_weights=v_weights)
    assert found == pytest.approx(expected, rel=relative(u.size + v.size), abs=0)


@given(st.data(), points, points)
def test_the_largest_difference_is_the_limit_of_the_orders(data, u, v):
    """No order is above p = inf, and a large one comes near: every point of positive mass counts."""
    u_weights, v_weights = data.draw(weights_of(u)), data.draw(weights_of(v))
    weights = {"u_weights": u_weights, "v_weights": v_weights}
    largest = wasserstein_1d(u, v, math.inf, **weights)
    assert largest >= max(np.abs(u[:, None] - v).min(axis=1).max(), np.abs(v[:, None] - u).min(axis=1).max())
    assert wasserstein_1d(u, v, 1e300, **weights) >= largest * (1 - relative(u.size + v.size))


@settings(max_examples=40)
@given(st.data(), st.integers(1, 9), st.integers(1, 9))
def test_levels_keep_to_their_bound(data, n, m):
    """Pairs of floats against fractions; the control is a running sum, whose levels are off by more."""
    a, b = (data.draw(weights_of(np.empty(k), 6)) for k in (n, m))
    (a_total, a_low), (b_total, b_low) = pair_total(a), pair_total(b)
    lengths, places = np.empty(n + m - 1), np.empty(n + m - 1, np.int64)
    segments(a, b, a_total, a_low, b_total, b_low, lengths, places)
    total = sum(map(Fraction, a.tolist())) * sum(map(Fraction, b.tolist()))
    # Each length is rounded once to a float; beyond that the sum is off by the levels' error.
    rounding = EPS / 2 * total + (n + m + 8) * Fraction(LEVEL_ERROR) * total
    assert abs(sum(map(Fraction, lengths.tolist())) - total) <= rounding
    levels = np.cumsum(a * float(sum(b)))
    for i in range(n):
        exact = sum(map(Fraction, a[: i + 1].tolist())) * sum(map(Fraction, b.tolist()))
        reached = sum(map(Fraction, lengths[places <= i].tolist()))
        assert abs(reached - exact) <= EPS / 2 * exact + (n + m + 8) * Fraction(LEVEL_ERROR) * total
    assert levels[-1] == pytest.approx(float(total), rel=(n + m) * EPS)


def test_weights_beyond_the_floats_of_their_product():
    # The mass 10⁻⁶¹⁵ is no float; its fiftieth root is.
    found = wasserstein_1d([0, 1.0], [0.0], 50, u_weights=[1e308, 1e-307])
    assert found == pytest.approx(10 ** (-615 / 50), rel=64 * EPS)
    assert wasserstein_1d([0, 1.0], [0.0], 1, u_weights=[1e308, 1e-307]) == 0.0


def test_equal_real_weights_are_no_weights():
    u, v = np.random.default_rng(2).normal(size=(2, 300))
    for p in (1, 2, math.inf):
        weighted = wasserstein_1d(u, v[:200], p, u_weights=np.full(300, 1 / 300), v_weights=np.full(200, 0.1))
        assert weighted == pytest.approx(wasserstein_1d(u, v[:200], p), rel=relative(500), abs=0)


def test_a_sample_is_at_distance_zero_from_itself():
    u, weights = np.random.default_rng(3).random((2, 1000))
    for p in (1, 2, math.inf):
        assert wasserstein_1d(u, u[::-1], p, u_weights=weights, v_weights=4 * weights[::-1]) == 0


def test_importance_weights_over_hundreds_of_decades():
    generator = np.random.default_rng(4)
    u, v = generator.normal(size=(2, 2000))
    a, b = np.exp(60 * generator.normal(size=(2, 2000)))
    x, y = np.argsort(u), np.argsort(v)
    for p in (1, 2, 50):
        found = wasserstein_1d(u, v, p, u_weights=a, v_weights=b)
        assert found == pytest.approx(exact_distance(u[x], v[y], a[x], b[y], p), rel=relative(4000), abs=0)


def test_many_small_terms_after_a_large_one_are_not_lost():
    """Weights k⁻⁴ at k: from 3·10⁵ on a term is lost to a running sum, the control."""
    k = np.arange(1.0, 4e5)
    weights = k**-4
    exact = math.fsum(weights * (k - 1)) / math.fsum(weights)
    assert wasserstein_1d(k, [1.0], u_weights=weights) == pytest.approx(exact, rel=8 * EPS)
    assert abs(np.cumsum(weights * (k - 1))[-1] / weights.sum() / exact - 1) > 1e3 * EPS
