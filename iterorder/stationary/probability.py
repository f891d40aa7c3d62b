"""Certificates that hold with probability 1 − δ, from moments: by Markov's inequality for ‖Z_n − Z‖^p.

Given ξ_1 … ξ_n the rest of the limit is a fresh draw Z' from the stationary law. So ‖Z_n − Z‖ is at most
∏Lip(T_ξk)·‖x0 − Z'‖, and ‖x0 − Z'‖_p ≤ ‖T(x0) − x0‖_p/(1 − r_p). For affine maps E‖Z_n − Z‖² is even known: it is the
trace of Lⁿ(M) with L(C) = E[A C Aᵀ] and M = E(Z − x0)(Z − x0)ᵀ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg

from iterorder.maps import GaussianRegressionSGD, RandomMaps
from iterorder.noise import MAX_REPLICAS
from iterorder.sampling import FreshNoise
from iterorder.stationary.products import epoch_of
from iterorder.theory.affine.epochs import epoch_law
from iterorder.theory.affine.items import affine_items
from iterorder.theory.affine.law import step_law
from iterorder.theory.affine.moments import SecondMoments, fixed_point_of_mean
from iterorder.theory.undefined import Undefined

# Draws from which moments of unknown maps are estimated, and standard errors that are added to the estimates.
DRAWS, MARGIN = 20_000, 6.0
POWERS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
# Applications of the second-moment operator before its decay is taken for geometric.
FEW, MANY = 64, 4096


class Flow(NamedTuple):
    """Second moments of an affine system: C → E[A C Aᵀ] of one epoch, and M = E(Z − x0)(Z − x0)ᵀ."""

    apply: Callable[[np.ndarray], np.ndarray]
    start: np.ndarray


def gaussian_moments(maps: GaussianRegressionSGD) -> np.ndarray:
    """The stationary variances, shape (d,); raises Undefined where they are infinite."""
    curvatures = maps.step_size * maps.eigenvalues
    if curvatures.max() >= 1.0 or 0.5 * (curvatures / (1.0 - curvatures)).sum() >= 1.0:
        raise Undefined("the variance is infinite: h·λ_max ≥ 1 or S = ½Σ hλ/(1−hλ) ≥ 1")
    if not (maps.eigenvalues > 0.0).all():
        raise Undefined("a direction without data never contracts: an eigenvalue is 0")
    s = 0.5 * (curvatures / (1.0 - curvatures)).sum()
    return maps.step_size * maps.noise_std**2 / (2.0 * (1.0 - curvatures) * (1.0 - s))


def second_moment_flow(maps: RandomMaps, x0: np.ndarray) -> Flow:
    """The flow of a mean-square stable affine system; raises Undefined where there is none."""
    if isinstance(maps, GaussianRegressionSGD):
        h, lam = maps.step_size, maps.eigenvalues

        def apply(c):
            drift = h * lam[:, None] * c
            return c - drift - drift.T + h * h * (2.0 * lam[:, None] * c * lam + (lam @ np.diag(c)) * np.diag(lam))

        return Flow(apply, np.diag(gaussian_moments(maps)) + np.outer(x0, x0))
    items = affine_items(maps)
    if items is None:
        raise Undefined("the maps are not affine")
    law = step_law(maps.sampling_law, items) if epoch_of(maps) == 1 else epoch_law(maps.sampling_law, items)
    moments = SecondMoments(law)
    if moments.stable is not True:
        raise Undefined("the system is not mean-square stable")
    mean = fixed_point_of_mean(law)
    start = moments.solve(law.noise_covariance(mean)) + np.outer(mean - x0, mean - x0)
    return Flow(lambda c: c + moments.apply(c), start)


def epochs_to(flow: Flow, target: float, most: int) -> tuple[int, float]:
    """The epochs n after which E‖Z_n − Z‖² = tr Lⁿ(M) is at most `target`, and a bound of it there.

    From some j on the decay is bounded by a geometric one: L^j(X) ≤ q·X for X = L^j(M) in the semidefinite order, which
    L keeps.

    Raises
    ------
    Undefined
        If more than `most` are needed.
    """
    current, n, kept = flow.start, 0, [flow.start]
    while np.trace(current) > target:
        if n >= most:
            raise Undefined(f"the second moments are still above the tolerance after {most} steps")
        if n in (FEW, MANY):
            half = kept[n // 2]
            size = float(np.trace(half))
            # Directions without a second moment stay without one; a relative floor keeps the pencil definite.
            floor = 1e-13 * size * np.eye(len(half)) if size > 0.0 else np.eye(len(half))
            q = float(scipy.linalg.eigh(current, half + floor, eigvals_only=True)[-1])
            if 0.0 < q < 1.0:
                blocks = math.ceil(math.log(target / (1.01 * np.trace(current))) / math.log(q))
                total = n + blocks * (n // 2)
                if total > most:
                    raise Undefined(f"the second moments are still above the tolerance after {most} steps")
                return total, 1.01 * float(np.trace(current)) * q**blocks
        current = flow.apply(current)
        n += 1
        if n <= MANY // 2:
            kept.append(current)
    return n, float(np.trace(current))


class MeanContraction(NamedTuple):
    """‖Z_n − Z‖ ≤ ∏Lip·distance but for the probability asked for; r_1, and a mean distance of x0 from the law."""

    distance: float
    contraction: float
    size: float


def mean_contraction(maps: RandomMaps, x0: np.ndarray, probability: float, seed: int) -> MeanContraction:
    """The best distance over some powers p.

    For maps with fresh noise the moments of the moves and of the constants are estimated, and taken six standard errors
    above the estimates.

    Raises
    ------
    Undefined
        If no mean contraction r_p is below one.
    """
    if not isinstance(maps.sampling_law, FreshNoise):
        raise Undefined("finitely many maps without a Lipschitz constant below one")
    # The last replicas of the counter: no sample sees their noise.
    draws = maps.sampling_law.draws(seed, MAX_REPLICAS - 1, np.arange(DRAWS))
    moves = np.array([np.linalg.norm(maps.apply(x0, draw) - x0) for draw in draws])
    constants = np.array([maps.lipschitz(draw) for draw in draws], np.float64)
    best, first = math.inf, _upper_mean(constants)
    for p in POWERS:
        contraction = _upper_mean(constants**p) ** (1.0 / p)
        if contraction < 1.0:
            move = _upper_mean(moves**p) ** (1.0 / p)
            best = min(best, move / (1.0 - contraction) * probability ** (-1.0 / p))
    if not math.isfinite(best):
        raise Undefined("no mean contraction r_p is below one")
    return MeanContraction(best, first, _upper_mean(moves) / (1.0 - first))


def _upper_mean(values) -> float:
    if values.min() == values.max():
        return float(values[0])
    return float(values.mean() + MARGIN * values.std(ddof=1) / math.sqrt(len(values)))
