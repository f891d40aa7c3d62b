"""method='sinkhorn': its fixed point, its proof, and that it answers for ordinary and for heavy-tailed clouds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterorder.errors import InvalidInputError
from iterorder.wasserstein import sinkhorn, transport, wasserstein
from iterorder.wasserstein import sinkhorn_newton as newton

EPS = np.finfo(float).eps
# A seed whose Cauchy clouds have parts that hardly exchange mass.
SLOW = 26


def cloud(kind, n, dim, seed):
    generator = np.random.default_rng(seed)
    if kind == "uniform":
        return generator.random((n, dim))
    if kind == "clusters":
        return generator.normal(size=(n, dim)) + 10 * (generator.random((n, 1)) < 0.4)
    if kind == "student":
        return generator.standard_t(2, (n, dim))
    return generator.standard_cauchy((n, dim)) if kind == "cauchy" else generator.normal(size=(n, dim))


def plainly_iterated(u, v, p, regularisation, steps):
    """The plan after Sinkhorn's literal iteration, and the costs."""
    cost = np.linalg.norm(u[:, None] - v[None], axis=2) ** p
    kernel = np.exp(-cost / (regularisation * cost.mean()))
    a, b = np.ones(len(u)), np.ones(len(v))
    for _ in range(steps):
        a = (1 / len(u)) / (kernel @ b)
        b = (1 / len(v)) / (kernel.T @ a)
    return a[:, None] * kernel * b, cost


@pytest.mark.parametrize(("n", "m"), [(12, 9), (9, 12)])
@pytest.mark.parametrize("p", [1, 2])
def test_equals_its_fixed_point(n, m, p):
    u, v = cloud("normal", n, 2, 0), cloud("normal", m, 2, 1) + 0.5
    plan, cost = plainly_iterated(u, v, p, 0.05, 20_000)
    found = wasserstein(u, v, p, method="sinkhorn")
    # An objective within g of the least leaves the plan within √(2g/η) of the best one's (Pinsker), and g is below AIM.
    error = cost.max() * math.sqrt(2 * sinkhorn.AIM / 0.05)
    assert found**p == pytest.approx(float((plan * cost).sum()), rel=0, abs=error)
    # The control: a few of its steps are not there.
    plan, _ = plainly_iterated(u, v, p, 0.05, 3)
    assert abs(float((plan * cost).sum()) / found**p - 1) > 1e-3


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["normal", "uniform", "clusters", "student", "cauchy"]),
    st.sampled_from(["normal", "uniform", "clusters", "student", "cauchy"]),
    st.integers(1, 80),
    st.integers(1, 80),
    st.integers(2, 7),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 10**6),
)
def test_never_fails_at_its_default_and_bounds_the_distance(kind, other, n, m, dim, p, seed):
    u, v = cloud(kind, n, dim, seed), cloud(other, m, dim, seed + 1)
    found = wasserstein(u, v, p, method="sinkhorn")
    if n == m or transport.import_pot() is not None:
        assert found >= wasserstein(u, v, p) * (1 - 4 * (n + m) * EPS)
    # Objectives within ACCURACY of the least belong to plans within √(2·ACCURACY·cost/strength) of the best (Pinsker).
    cost = np.linalg.norm(u[:, None] - v[None], axis=2) ** p
    error = 2 * cost.max() * math.sqrt(2 * sinkhorn.ACCURACY * found**p / (0.05 * cost.mean()))
    assert wasserstein(v, u, p, method="sinkhorn") ** p == pytest.approx(found**p, rel=0, abs=error)


@pytest.mark.parametrize("regularisation", [1.0, 0.05, 1e-3, 1e-5])
def test_its_objective_is_within_the_stated_accuracy(regularisation):
    for seed in range(5):
        u, v = cloud("cauchy", 60, 3, seed), cloud("cauchy", 60, 3, seed + 100)
        cost, scale = transport.cost_matrix(u, v, 2)
        total = (wasserstein(u, v, 2, method="sinkhorn", regularisation=regularisation) / scale) ** 2
        strength = regularisation * cost.mean()
        # The cost alone is at most exact + strength · log(number of points), the entropy of an assignment.
        least = (wasserstein(u, v, 2) / scale) ** 2
        assert least * (1 - 240 * EPS) <= total <= (least + strength * math.log(60)) * (1 + sinkhorn.ACCURACY)


def test_newton_finishes_what_the_iteration_cannot():
    u, v = cloud("cauchy", 80, 3, SLOW), cloud("cauchy", 80, 3, SLOW + 1)
    cost, _ = transport.cost_matrix(u, v, 1)
    strength = 0.05 * cost.mean()
    f = sinkhorn._annealed(cost, strength)
    total, gap = sinkhorn._proven(cost, f, strength)
    assert gap > sinkhorn.ACCURACY * total  # the control: no proof yet
    for sparse in (True, False):
        finished = newton.climbed(cost, f, strength, sinkhorn.AIM * total / 4, math.inf, sparse=sparse)
        finished_total, finished_gap = sinkhorn._proven(cost, finished, strength)
        assert abs(finished_gap) <= sinkhorn.AIM * finished_total


def thinned(plan, rows_lack, row_sums):
    """The plan without its small entries, entry by entry, and how much of rows and columns is gone."""
    n, m = plan.shape
    kept = np.zeros_like(plan)
    for i in range(n):
        for j in range(m):
            small = newton.LEVENBERG * rows_lack * min(row_sums[i] / m, 1 / (n * m))
            kept[i, j] = plan[i, j] if plan[i, j] > small else 0.0
    return kept


@pytest.mark.parametrize("kind", ["normal", "student"])
def test_a_sparse_step_is_that_of_the_thinned_plan(kind, monkeypatch):
    """Against the literal matrix; what is left out is a smaller part than what steadies it, as its docstring says."""
    monkeypatch.setattr(newton, "LEAST_PRODUCTS", 0)
    monkeypatch.setattr(newton, "SPARSE_PRICE", 2**-10)  # never too dear
    n, m = 40, 50
    cost, _ = transport.cost_matrix(cloud(kind, n, 2, 5), cloud(kind, m, 2, 6), 2)
    strength = 1e-3 * cost.mean()
    here = newton.place(cost, sinkhorn._annealed(cost, strength), strength)
    error = np.abs(here.gradient).sum()
    kept = thinned(here.plan, error, here.sums)
    assert 0 < np.count_nonzero(kept) < kept.size / 2  # small entries there are
    gone = here.plan - kept
    assert (gone.sum(axis=1) <= newton.LEVENBERG * error * here.sums).all()
    assert (gone.sum(axis=0) <= newton.LEVENBERG * error / m).all()
    matrix = np.diag(newton.steadied(here)) - m * kept @ kept.T
    assert np.linalg.eigvalsh(matrix).min() > 0
    step = newton.sparse_step(here)
    residual = np.linalg.norm(matrix @ step - here.gradient) / np.linalg.norm(here.gradient)
    # Conjugate gradients update their residual: over k steps it may differ from the true one by k·eps·condition.
    assert residual <= min(0.1, math.sqrt(error)) + 1e3 * EPS * np.linalg.cond(matrix)
    # A wrong target: the step that the iteration makes, log(what a row has over what it should have).
    scaling = -np.log(n * here.sums)
    assert np.linalg.norm(matrix @ scaling - here.gradient) > 0.5 * np.linalg.norm(here.gradient)


def test_full_and_sparse_steps_find_one_distance(monkeypatch):
    u, v = cloud("normal", 150, 2, 7), cloud("normal", 170, 2, 8)
    found = []
    for price, least in ((2**-10, 0), (2**60, 1)):
        monkeypatch.setattr(newton, "SPARSE_PRICE", price)
        monkeypatch.setattr(newton, "LEAST_PRODUCTS", least)
        found.append(wasserstein(u, v, 2, method="sinkhorn", regularisation=1e-3))
    # As for the fixed point above: both objectives are within AIM of the least.
    cost = np.linalg.norm(u[:, None] - v[None], axis=2) ** 2
    error = 2 * cost.max() * math.sqrt(2 * sinkhorn.AIM * found[0] ** 2 / (1e-3 * cost.mean()))
    assert found[0] ** 2 == pytest.approx(found[1] ** 2, rel=0, abs=error)


def test_conjugate_gradients_solve_or_tell():
    generator = np.random.default_rng(9)
    root = generator.normal(size=(20, 20))
    matrix, right = root @ root.T + np.eye(20), generator.normal(size=20)
    inverse = 1 / np.diag(matrix)
    found = newton.solved(lambda x: matrix @ x, right, inverse, 1e-10, 200)
    assert np.linalg.norm(matrix @ found - right) <= 1e-10 * np.linalg.norm(right) + 1e3 * EPS * np.linalg.cond(matrix)
    assert newton.solved(lambda x: matrix @ x, right, inverse, 1e-10, 3) is None


@pytest.mark.parametrize(("kind", "regularisation"), [("student", 1e-3), ("cauchy", 0.01), ("clusters", 1e-4)])
def test_answers_where_groups_of_points_hardly_exchange_mass(kind, regularisation):
    """Levels that are met one by one lead there; the iteration alone, at the strength asked for, does not."""
    u, v = cloud(kind, 150, 2, 0), cloud(kind, 150, 2, 1) + 0.3
    least = wasserstein(u, v, 2) ** 2
    cost = np.linalg.norm(u[:, None] - v[None], axis=2) ** 2
    strength = regularisation * cost.mean()
    found = wasserstein(u, v, 2, method="sinkhorn", regularisation=regularisation) ** 2
    assert least * (1 - 600 * EPS) <= found <= (least + strength * math.log(150)) * (1 + sinkhorn.ACCURACY)
    unit = cost / cost.max()
    f, _, met = sinkhorn._iterated(unit, np.zeros(150), strength / cost.max(), sinkhorn.AIM, math.inf)
    total, gap = sinkhorn._proven(unit, f, strength / cost.max())
    assert not met
    assert not gap <= sinkhorn.ACCURACY * total


def test_a_rounded_plan_has_its_marginals_whatever_it_was():
    generator = np.random.default_rng(3)
    for plan in (generator.random((7, 5)), generator.random((7, 5)) / 35, np.full((7, 5), 1 / 35)):
        rounded = sinkhorn._rounded(plan.copy())
        assert rounded.min() >= 0
        assert rounded.sum(axis=1) == pytest.approx(np.full(7, 1 / 7), rel=64 * EPS)
        assert rounded.sum(axis=0) == pytest.approx(np.full(5, 1 / 5), rel=64 * EPS)


@pytest.mark.parametrize("regularisation", [1e-30, 1e-300, 5e-324])
def test_a_blur_below_the_rounding_is_an_error(regularisation):
    u, v = cloud("normal", 20, 2, 0), cloud("normal", 20, 2, 1)
    with pytest.raises(InvalidInputError, match=r"regularisation is .*give a larger one"):
        wasserstein(u, v, method="sinkhorn", regularisation=regularisation)


@pytest.mark.parametrize("regularisation", [2.0**24, 1e10, 1e16, 1e300])
@pytest.mark.parametrize("kind", ["normal", "cauchy"])
def test_a_blur_above_all_costs_spreads_the_mass_evenly(kind, regularisation):
    """Every pair of points then carries the same mass, up to a part of the largest cost over the strength."""
    u, v = cloud(kind, 12, 2, 3), cloud(kind, 15, 2, 4)
    cost = np.linalg.norm(u[:, None] - v[None], axis=2) ** 2
    found = wasserstein(u, v, method="sinkhorn", regularisation=regularisation)
    assert found == pytest.approx(math.sqrt(cost.mean()), rel=sinkhorn.ACCURACY)
    # The control: a blur by the mean cost is told from it.
    less = wasserstein(u, v, method="sinkhorn", regularisation=1.0)
    assert less != pytest.approx(found, rel=100 * sinkhorn.ACCURACY)
