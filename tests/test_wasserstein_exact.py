"""The exact distance in several dimensions where the costs span decades: right in every digit that is promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from iterorder.errors import InvalidInputError, IterorderError
from iterorder.wasserstein import exact, transport, wasserstein
from tests import naive_wasserstein as naive

EPS = np.finfo(float).eps

pot = transport.import_pot()
needs_pot = pytest.mark.skipif(pot is None, reason="POT is not installed")


def without_certificate(u, v, p):
    """W_p by one call of POT that nobody checks: what a wrong answer looks like."""
    cost, scale = transport.cost_matrix(u, v, p)
    n = len(u)
    return scale * (float(pot.emd2(np.ones(n), np.ones(n), cost)) / n) ** (1 / p)


@needs_pot
@pytest.mark.parametrize(("far", "p", "expected"), [(1e9, 2, math.sqrt(10)), (1e3, 8, 3.9067396990395973)])
def test_a_far_pair_of_equal_points_costs_nothing(monkeypatch, far, p, expected):
    u = np.array([[7, 2], [0, 2], [3, 7], [far, 0]])
    v = np.array([[4, 0], [3, 5], [7, 6], [far, 0]])
    for a, b in ((u, v), (v, u)):
        assert wasserstein(a, b, p) == pytest.approx(expected, rel=8 * EPS)
        # Repeated points: the same measures in other sizes.
        assert wasserstein(np.repeat(a, 2, axis=0), np.repeat(b, 3, axis=0), p) == pytest.approx(expected, rel=8 * EPS)
    # The control: one solve without its proof is off in one order of the arguments at least, by more than rounding.
    assert max(abs(without_certificate(a, b, p) / expected - 1) for a, b in ((u, v), (v, u))) > 0.05
    monkeypatch.setattr(transport, "import_pot", lambda: None)
    assert wasserstein(u, v, p) == pytest.approx(expected, rel=8 * EPS)


@st.composite
def spanning_decades(draw, sizes=((2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (2, 4), (3, 6), (1, 5), (2, 3))):
    """Two samples of whole points, from units to 10¹² of them, some of which are nearly common."""
    n, m = draw(st.sampled_from(sizes))
    dim = draw(st.integers(2, 3))
    point = st.tuples(st.integers(0, 12), st.lists(st.integers(-9, 9), min_size=dim, max_size=dim))

    def points(size):
        drawn = draw(st.lists(point, min_size=size, max_size=size))
        return np.array([[10**decade * x for x in near] for decade, near in drawn])

    u, v = points(n), points(m)
    common = draw(st.integers(0, min(n, m)))
    v[:common] = u[:common] + np.array(draw(st.lists(st.integers(-9, 9), min_size=dim, max_size=dim)))
    return u, v


@needs_pot
@settings(max_examples=60, deadline=None)
@given(spanning_decades(), st.sampled_from([1, 2, 3, 8, 20]))
def test_costs_that_span_decades_equal_every_matching_tried_in_integers(samples, p):
    u, v = samples
    expected = naive.transport_in_integers(u, v, p)
    found = wasserstein(u, v, p)
    assert found == pytest.approx(expected, rel=exact.AIM + 64 * EPS, abs=0)
    assert wasserstein(v, u, p) == pytest.approx(found, rel=2 * exact.AIM + 64 * EPS, abs=0)


@settings(max_examples=30, deadline=None)
@given(spanning_decades(sizes=((3, 3), (5, 5))), st.sampled_from([1, 2, 8]))
def test_the_assignment_solver_is_held_to_the_same(samples, p):
    u, v = samples
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "import_pot", lambda: None)
        found = wasserstein(u, v, p)
    assert found == pytest.approx(naive.transport_in_integers(u, v, p), rel=exact.AIM + 64 * EPS, abs=0)


@needs_pot
@pytest.mark.parametrize(("n", "m"), [(120, 120), (120, 80)])
@pytest.mark.parametrize("p", [1, 2, 8, 50])
def test_heavy_tails_are_symmetric(n, m, p):
    generator = np.random.default_rng(0)
    u, v = generator.standard_cauchy((n, 3)) ** 3, generator.standard_cauchy((m, 3)) ** 3
    v[:20] = u[:20] + generator.normal(size=(20, 3))
    assert wasserstein(u, v, p) == pytest.approx(wasserstein(v, u, p), rel=2 * exact.ACCURACY)


@needs_pot
def test_large_orders_come_to_the_smallest_largest_step():
    generator = np.random.default_rng(1)
    u, v = generator.normal(size=(2, 25, 2))
    lengths = np.linalg.norm(u[:, None] - v[None], axis=2)
    bottleneck = next(
        reach for reach in np.unique(lengths) if not (lengths > reach)[linear_sum_assignment(lengths > reach)].any()
    )
    # (1/25)^(1/p) of the bottleneck is a lower bound.
    for p in (1e2, 1e4, 1e6):
        assert bottleneck * 25 ** (-1 / p) * (1 - exact.ACCURACY) <= wasserstein(u, v, p)
        assert wasserstein(u, v, p) <= bottleneck * (1 + exact.ACCURACY)


@needs_pot
def test_lengths_whose_squares_underflow():
    u, v = np.array([[1e-200, 0], [1, 1]]), np.array([[0, 3e-200], [1, 1]])
    assert wasserstein(u, v, 2) == pytest.approx(math.sqrt(5) * 1e-200, rel=8 * EPS)


@needs_pot
def test_the_bounds_enclose_the_distance_and_the_lower_one_needs_no_good_plan():
    generator = np.random.default_rng(2)
    u, v = generator.normal(size=(2, 30, 2))
    cost, scale = transport.cost_matrix(u, v, 2)
    least = cost[linear_sum_assignment(cost)].sum()
    identity = exact.Plan(np.arange(30), np.arange(30), np.ones(30), np.zeros(30))
    assert scale * (cost.trace() / 30) ** 0.5 == pytest.approx(exact._plan_distance(u, v, identity, 2), rel=64 * EPS)
    assert exact._dual_bound(cost, identity, 30, least) <= least
    best = exact.Plan(*linear_sum_assignment(cost), np.ones(30), np.zeros(30))
    # Thirty sums of costs below one round to thirty eps.
    assert least * (1 - 64 * 30 * EPS) <= exact._dual_bound(cost, best, 30, math.inf) <= least * (1 + 30 * EPS)


def test_a_plan_that_cannot_be_proven_is_refused(monkeypatch):
    def backwards(cost):
        return exact.Plan(np.arange(4), np.arange(4), np.ones(4), np.zeros(4))

    monkeypatch.setattr(exact, "_solvers", lambda n, m: [backwards])
    points = np.array([[0.0, 0], [1, 0], [2, 0], [3, 1]])
    with pytest.raises(InvalidInputError, match=r"u and v .* p=2.*could be proven.*method='sliced'"):
        wasserstein(points, points[::-1])


@needs_pot
def test_a_plan_with_other_masses_is_an_error(monkeypatch):
    class Wrong:
        def emd(self, a, b, cost, **options):
            return np.zeros(cost.shape), {"warning": None, "u": np.zeros(len(cost))}

    monkeypatch.setattr(transport, "import_pot", Wrong)
    with pytest.raises(IterorderError, match="masses of the samples"):
        wasserstein(np.eye(2), np.ones((3, 2)))
