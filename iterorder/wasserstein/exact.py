"""W_p of two empirical measures in several dimensions: a linear program whose answer is proven before it is given.

A solver in floats loses what is some 10¹⁴ times shorter than its largest cost, and does not say so. Here it only
proposes: the cost of its plan bounds W_p from above, a feasible dual solution bounds it from below, and the distance
is returned where the two agree to `ACCURACY`. Where they do not, the costs are cut off: in units of the least mass a
plan carries whole masses, so no pair of an optimal plan costs more than all of any other plan, and a solver that sees
no larger cost has its digits for those that matter. Each such round gains the solver's own digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from iterorder.errors import BackendUnavailableError, InvalidInputError, IterorderError
from iterorder.wasserstein import transport

# The relative error that is let through, and the one that ends the search: rounding keeps the bounds of thousands of
# points with heavy tails some 2⁻³⁰ apart, those of others 2⁻⁴².
ACCURACY = 2.0**-26
AIM = 2.0**-40
# A round leaves of the reach at most the part that the solver loses, some 2⁻³⁰ for thousands of points: from the
# largest float to the smallest takes 70 of them.
ROUNDS = 80
# Steps of the dual solution over all pairs; a start from the solver's own dual needs one.
DUAL_STEPS = 256
# Pairs that a step reads at a time, 8 MB.
DUAL_PAIRS = 1 << 20


class Plan(NamedTuple):
    """A feasible plan: whole masses between points of u and of v, with a guess of the dual solution of u."""

    rows: np.ndarray
    columns: np.ndarray
    masses: np.ndarray
    dual: np.ndarray


Solver = Callable[[np.ndarray], Plan]


def exact_distance(u: np.ndarray, v: np.ndarray, p: float) -> float:
    """W_p of the empirical measures with a relative error of at most `ACCURACY`, or an error."""
    if p == math.inf:
        raise InvalidInputError("p is inf: give a finite p with method='exact' in d > 1, or method='sliced'")
    largest, smallest = math.inf, 0.0
    for solve in _solvers(len(u), len(v)):
        for upper, lower in _bounds(solve, u, v, p):
            largest, smallest = min(largest, upper), max(smallest, lower)
            if largest - smallest <= AIM * largest:
                return largest
        if largest - smallest <= ACCURACY * largest:
            return largest
    raise InvalidInputError(
        f"u and v have distances of too many sizes for p={p:g}: a plan was found, but only "
        f"{smallest / largest:.3%} of its length could be proven to be needed; leave out the points that are far from "
        "all others, give a smaller p, or method='sliced'"
    )


def _bounds(solve: Solver, u: np.ndarray, v: np.ndarray, p: float) -> Iterator[tuple[float, float]]:
    """An upper and a lower bound of W_p, round after round, while the costs can be cut off further."""
    # A plan's masses add up to this; each is a whole number.
    total = math.lcm(len(u), len(v))
    best, reach = math.inf, math.inf
    for _ in range(ROUNDS):
        cost, reach = transport.cost_matrix(u, v, p, reach)
        plan = solve(cost)
        best = min(best, _plan_distance(u, v, plan, p))
        goal = total * (best * (1 - AIM) / reach) ** p
        yield best, reach * (_dual_bound(cost, plan, total, goal) / total) ** (1.0 / p)
        narrower = best * total ** (1.0 / p)
        if not (narrower / reach) ** p <= 0.5:  # less than one binary digit to gain
            return
        reach = narrower


def _plan_distance(u: np.ndarray, v: np.ndarray, plan: Plan, p: float) -> float:
    """The p-th root of the mean cost of a plan, from the points themselves: no cut-off, no underflow."""
    differences = u[plan.rows] - v[plan.columns]
    size = float(np.abs(differences).max())
    if size == 0:
        return 0.0
    distances = np.linalg.norm(differences / size, axis=1)
    largest = float(distances.max())
    mean = np.average((distances / largest) ** p, weights=plan.masses)
    return size * largest * float(mean) ** (1.0 / p)


def _dual_bound(cost: np.ndarray, plan: Plan, total: int, goal: float) -> float:
    """A lower bound of the total cost of every plan, by steps towards the duals that belong to `plan`, up to `goal`.

    For any numbers f the minimal g_j = min_i (c_ij − f_i) make Σ a_i f_i + Σ b_j g_j such a bound [1]_. A step lowers
    −f_i to g_j − c_ij on the pairs of the plan: these are Bellman's for shortest paths in the residual graph, and
    where the plan is optimal they end with no gap.

    References
    ----------
    .. [1] Peyré, Cuturi (2019), Computational Optimal Transport, Sections 3.1 and 3.3.
    """
    n, m = cost.shape
    u_mass, v_mass = total // n, total // m
    used = cost[plan.rows, plan.columns]
    minus_f = np.median(plan.dual) - plan.dual
    best = 0.0
    for _ in range(DUAL_STEPS):
        g = _row_minimum(cost, minus_f)
        # Each g_j is rounded once, downwards by at most eps/2 of itself; the products and their sum round once each.
        terms = np.concatenate([v_mass * g, -u_mass * minus_f])
        rounding = 2 * np.finfo(float).eps * float(np.abs(terms).sum())
        best = max(best, math.fsum(terms) - rounding)
        if best >= goal:
            break
        before = minus_f.copy()
        np.minimum.at(minus_f, plan.rows, g[plan.columns] - used)
        if (minus_f == before).all():
            break
    return best


def _row_minimum(cost: np.ndarray, added: np.ndarray) -> np.ndarray:
    """min_i (cost_ij + added_i), shape (m,), without a second matrix."""
    n, m = cost.shape
    height = max(1, DUAL_PAIRS // m)
    smallest = np.full(m, np.inf)
    for start in range(0, n, height):
        rows = slice(start, start + height)
        np.minimum(smallest, (cost[rows] + added[rows, None]).min(axis=0), out=smallest)
    return smallest


def _solvers(n: int, m: int) -> list[Solver]:
    """POT's network simplex where it is installed, SciPy's assignment for samples of one size."""
    pot = transport.import_pot()
    solvers: list[Solver] = []
    if pot is not None:
        solvers.append(lambda cost: _simplex(pot, cost))
    if n == m:
        solvers.append(_assignment)
    if not solvers:
        raise BackendUnavailableError(
            f"method='exact' with samples of different sizes ({n} and {m}) in d > 1 needs POT: {transport.INSTALL_HINT}"
        )
    return solvers


def _simplex(pot, cost: np.ndarray) -> Plan:
    n, m = cost.shape
    total = math.lcm(n, m)
    # Whole masses: every flow of the simplex is then exact. Weights 1/n would leave flows of 1e-17, which the p-th
    # root turns into a visible distance between equal samples.
    u_masses, v_masses = np.full(n, float(total // n)), np.full(m, float(total // m))
    flows, log = pot.emd(u_masses, v_masses, cost, numItermax=2**62, log=True)
    if log["warning"] is not None:
        raise IterorderError(f"the network simplex of POT failed: {log['warning']}")
    rows, columns = np.nonzero(flows)
    masses = flows[rows, columns]
    if not ((np.bincount(rows, masses, n) == u_masses).all() and (np.bincount(columns, masses, m) == v_masses).all()):
        raise IterorderError("the network simplex of POT failed: its plan does not have the masses of the samples")
    return Plan(rows, columns, masses, np.asarray(log["u"]))


def _assignment(cost: np.ndarray) -> Plan:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost)
    return Plan(rows, columns, np.ones(len(rows)), np.zeros(len(rows)))
