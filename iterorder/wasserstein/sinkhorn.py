"""The transport cost under the plan that entropy blurs: Sinkhorn's iteration, finished by Newton's.

Sinkhorn's iteration makes rows and columns of the plan (see `sinkhorn_plan`) sum to 1/n and 1/m in turn. Small
strengths and heavy tails leave parts of a plan that hardly exchange mass: there it takes any number of steps, and
Newton's some twenty, begun at large strengths already. In the end the plan is rounded to the marginals, so that its
cost is that of a possible plan, and its objective is held against the dual one.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.wasserstein import transport
from iterorder.wasserstein.sinkhorn_newton import climbed
from iterorder.wasserstein.sinkhorn_plan import balanced, softmin

# What the objective may be above the least one, as a part of the cost, and what ends the search.
ACCURACY = 2.0**-20
AIM = 2.0**-32
# The strength falls from the largest cost to what was asked for by this factor a level. Between, the rows are met to
# this part of all mass, and each to this part of its own: points far away weigh little in the first.
ANNEALING = 4.0
LEVEL_TOLERANCE = 2.0**-6
LEVEL_RELATIVE = 0.25
# Steps of the iteration at a level, and the largest logarithm of a scaling: e^30 is far inside the floats.
LEVEL_STEPS = 64
LARGEST_LOGARITHM = 30.0
# Over-relaxation: halfway between Sinkhorn's own steps and the largest that are stable, and a third of the steps.
RELAXATION = 1.5


def sinkhorn_distance(u: np.ndarray, v: np.ndarray, p: float, regularisation: float) -> float:
    """(Transport cost)^(1/p) under the plan that entropy of `regularisation` · (mean cost) blurs [1]_.

    The plan has the marginals of the samples (it is rounded to them [2]_), and its objective, cost + strength ·
    relative entropy, is proven to be within `ACCURACY` · cost of the least.

    References
    ----------
    .. [1] Cuturi (2013), Sinkhorn distances: lightspeed computation of optimal transport, NIPS.
    .. [2] Altschuler, Weed, Rigollet (2017), Near-linear time approximation algorithms for optimal transport via
       Sinkhorn iteration, NIPS, Algorithm 2.
    """
    if p == math.inf:
        raise InvalidInputError("p is inf: give a finite p with method='sinkhorn', or method='sliced'")
    if len(u) > len(v):  # Newton's matrix is that of the rows
        u, v = v, u
    cost, scale = transport.cost_matrix(u, v, p)
    if not cost.any():  # one common point
        return 0.0
    strength = regularisation * float(cost.mean())
    total, gap = _product(cost, strength)
    # The largest cost is one: at a strength below eps the exponents have no digits.
    if not gap <= AIM * total and strength > np.finfo(float).eps:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # what leaves the floats is not proven
            f = _annealed(cost, strength)
            total, gap = _better((total, gap), _proven(cost, f, strength))
            if not gap <= AIM * total:
                f = climbed(cost, f, strength, AIM * total / 4, math.inf)
                total, gap = _better((total, gap), _proven(cost, f, strength))
    if not gap <= ACCURACY * total:
        raise InvalidInputError(
            f"regularisation is {regularisation:g}: no blurred plan was proven to be within {ACCURACY:.1g} of the "
            "best; give a larger one, leave out the points that are far from all others, or give method='exact'"
        )
    return scale * total ** (1.0 / p)


def _better(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """Of two plans, by cost and gap, the one that is proven to be nearer to the best; NaN proves nothing."""
    return second if second[1] <= first[1] else first


def _product(cost: np.ndarray, strength: float) -> tuple[float, float]:
    """The cost of the plan that any strength above all costs ends at, mass everywhere alike, and its gap.

    No plan has an objective below −η log mean exp(−c/η), which is at least mean c − mean c²/2η for costs c ≥ 0.
    """
    gap = float(np.square(cost).mean()) / (2 * strength) if strength > 0 else math.inf
    return float(cost.mean()), gap


def _annealed(cost: np.ndarray, strength: float) -> np.ndarray:
    """The potentials of u after Sinkhorn's iteration at falling strengths, helped by Newton's steps where it is slow.

    A level that is met leaves the next one a few strengths to go, however far apart the points are.
    """
    g = np.zeros(cost.shape[1])
    level = max(float(cost.max()), strength)
    while level > strength:
        f, g, met = _iterated(cost, g, level, LEVEL_TOLERANCE, LEVEL_RELATIVE)
        if not met:
            g = softmin(cost, climbed(cost, f, level, LEVEL_TOLERANCE, LEVEL_RELATIVE), level)
        level = max(level / ANNEALING, strength)
    return _iterated(cost, g, strength, AIM, math.inf)[0]


def _iterated(
    cost: np.ndarray, g: np.ndarray, strength: float, tolerance: float, relative: float
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Potentials after at most `LEVEL_STEPS` steps at one strength, and whether the rows are met.

    They are where all lack at most `tolerance` of the mass together, and each at most `relative` of its own.
    """
    n, m = cost.shape
    steps = 0
    while True:
        # In logarithms: whatever g is, the plan has no row below 1/nm then, and products with it are safe.
        f = softmin(cost.T, g, strength)
        g, kernel = balanced(cost, f, strength)
        rows, columns = np.ones(n), np.ones(m)
        while True:
            sums = kernel @ columns
            lacking = np.abs(rows * sums * n - 1.0)
            met = bool(lacking.mean() <= tolerance and lacking.max() <= relative)
            range_used = max(float(np.abs(np.log(rows)).max()), float(np.abs(np.log(columns)).max()))
            if met or steps >= LEVEL_STEPS or range_used > LARGEST_LOGARITHM:
                break
            steps += 1
            rows *= (rows * sums * n) ** -RELAXATION
            columns *= (columns * (rows @ kernel) * m) ** -RELAXATION
        f = f + strength * np.log(rows)
        g = g + strength * np.log(columns)
        if met or steps >= LEVEL_STEPS:
            return f, g, met


def _rounded(plan: np.ndarray) -> np.ndarray:
    """`plan` where rows or columns have too much cut down, and what is missing put where they have too little."""
    n, m = plan.shape
    plan *= np.minimum(1.0, 1.0 / (n * plan.sum(axis=1)))[:, None]
    plan *= np.minimum(1.0, 1.0 / (m * plan.sum(axis=0)))
    rows, columns = 1.0 / n - plan.sum(axis=1), 1.0 / m - plan.sum(axis=0)
    missing = float(rows.sum())
    if missing > 0:
        plan += np.outer(rows, columns / missing)
    return plan


def _proven(cost: np.ndarray, f: np.ndarray, strength: float) -> tuple[float, float]:
    """The cost of the rounded plan of the potentials f, and how far its objective is above the dual one."""
    g, plan = balanced(cost, f, strength)
    plan = _rounded(plan)
    total = float(np.vdot(plan, cost))
    positive = plan[plan > 0]
    entropy = float(positive @ np.log(positive * cost.size))
    # With g the softmin the plan of f and g has mass one: the dual objective has no third term.
    return total, total + strength * entropy - float(f.mean() + g.mean())
