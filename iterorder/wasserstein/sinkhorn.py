"""The transport cost under the plan that entropy blurs: Sinkhorn's iteration, finished by Newton's.

With the potentials f (n,) and g (m,), the strength η and equal weights the plan is
P_ij = exp((f_i + g_j − c_ij)/η)/nm. Sinkhorn's iteration makes its rows and columns sum to 1/n and 1/m in turn. Heavy
tails leave parts of a plan that hardly exchange mass: there it takes any number of steps, and Newton's some twenty.
In the end the plan is rounded to the marginals, so that its cost is that of a possible plan, and its objective is held
against the dual one.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.wasserstein import transport

# What the objective may be above the least one, as a part of the cost, and what ends the search.
ACCURACY = 2.0**-20
AIM = 2.0**-32
# The strength falls from the largest cost to what was asked for by this factor a level; between, rows are met to this.
ANNEALING = 4.0
LEVEL_TOLERANCE = 2.0**-6
# Steps at a level, and how many of them without the logarithms: a scaling of e^30 is far inside the floats.
LEVEL_STEPS = 256
LARGEST_LOGARITHM = 30.0
# Over-relaxation: halfway between Sinkhorn's own steps and the largest that are stable, and a third of the steps.
RELAXATION = 1.5
# Newton's steps, the least part of one, the part of the slope it must gain, and what steadies its matrix.
NEWTON_STEPS = 128
LEAST_PART = 2.0**-20
ARMIJO = 2.0**-13
LEVENBERG = 2.0**-10


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
                f = _newton(cost, f, strength)
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


def _softmin(cost: np.ndarray, f: np.ndarray, strength: float) -> np.ndarray:
    """g_j = −η log mean_i exp((f_i − c_ij)/η): the columns then have their masses exactly."""
    exponents = (f[:, None] - cost) / strength
    largest = exponents.max(axis=0)
    exponents -= largest
    np.exp(exponents, out=exponents)
    return -strength * (largest + np.log(exponents.mean(axis=0)))


def _plan(cost: np.ndarray, f: np.ndarray, g: np.ndarray, strength: float) -> np.ndarray:
    plan = (f[:, None] + g - cost) / strength
    np.exp(plan, out=plan)
    plan /= cost.size
    return plan


def _annealed(cost: np.ndarray, strength: float) -> np.ndarray:
    """The potentials of u after Sinkhorn's iteration at falling strengths."""
    g = np.zeros(cost.shape[1])
    level = max(float(cost.max()), strength)
    while level > strength:
        g = _iterated(cost, g, level, LEVEL_TOLERANCE)[1]
        level = max(level / ANNEALING, strength)
    return _iterated(cost, g, strength, AIM)[0]


def _iterated(cost: np.ndarray, g: np.ndarray, strength: float, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Potentials after steps at one strength, until the rows are met to `tolerance` of the mass."""
    n, m = cost.shape
    steps = 0
    while True:
        # In logarithms: whatever g is, the plan has no row below 1/nm then, and products with it are safe.
        f = _softmin(cost.T, g, strength)
        g = _softmin(cost, f, strength)
        kernel = _plan(cost, f, g, strength)
        rows, columns = np.ones(n), np.ones(m)
        while True:
            sums = kernel @ columns
            error = float(np.abs(rows * sums - 1.0 / n).sum())
            range_used = max(float(np.abs(np.log(rows)).max()), float(np.abs(np.log(columns)).max()))
            if error <= tolerance or steps >= LEVEL_STEPS or range_used > LARGEST_LOGARITHM:
                break
            steps += 1
            rows *= (rows * sums * n) ** -RELAXATION
            columns *= (columns * (rows @ kernel) * m) ** -RELAXATION
        f += strength * np.log(rows)
        g += strength * np.log(columns)
        if error <= tolerance or steps >= LEVEL_STEPS:
            return f, g


def _newton(cost: np.ndarray, f: np.ndarray, strength: float) -> np.ndarray:
    """Potentials of u after Newton's steps on the dual objective mean(f) + mean(g(f)), g the softmin, concave in f.

    Its gradient is 1/n − (row sums r), minus its Hessian (diag(r) − m P Pᵀ)/η: a Laplacian, whose only null vector
    where all points exchange mass is the constant. Where they hardly do, the matrix is steadied in proportion to the
    gradient (Levenberg).
    """
    n, m = cost.shape

    def at(f: np.ndarray) -> tuple[float, np.ndarray]:
        g = _softmin(cost, f, strength)
        return float(f.mean() + g.mean()), _plan(cost, f, g, strength)

    value, plan = at(f)
    for _ in range(NEWTON_STEPS):
        sums = plan.sum(axis=1)
        gradient = 1.0 / n - sums
        error = float(np.abs(gradient).sum())
        matrix = 1.0 / n**2 - m * (plan @ plan.T)
        # The products above are sums that round to about eps; so do the row sums.
        matrix[np.diag_indices(n)] += sums + LEVENBERG * error * sums + np.finfo(float).eps
        step = strength * np.linalg.solve(matrix, gradient)
        part, gain = 1.0, ARMIJO * float(gradient @ step)
        while True:
            higher, moved = at(f + part * step)
            if higher >= value + part * gain and higher > value:
                break
            part /= 2
            if part < LEAST_PART:  # nothing is left to gain but rounding
                return f
        f, value, plan = f + part * step, higher, moved
    return f


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
    g = _softmin(cost, f, strength)
    plan = _rounded(_plan(cost, f, g, strength))
    total = float(np.vdot(plan, cost))
    positive = plan[plan > 0]
    entropy = float(positive @ np.log(positive * cost.size))
    # With g the softmin the plan of f and g has mass one: the dual objective has no third term.
    return total, total + strength * entropy - float(f.mean() + g.mean())
