"""C15: the expected loss of the backward limit is the stationary average E_π f; a forward tail average does better.

At equal numbers of gradients: the backward iterate, the forward iterate, which has the same law (C1), and the average
of the second half of the forward path, whose variance is that of a mean of correlated states. Control: the tail average
does not have the stationary risk.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.ensembles import path_statistics
from iterorder.claims.formulas import AffineSystem
from iterorder.claims.judge import Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import diabetes_regression
from iterorder.claims.table import ClaimRow
from iterorder.maps import QuadraticSGD
from iterorder.maps.base import RandomMaps
from iterorder.orders import BACKWARD
from iterorder.simulate import simulated


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C15."""
    # The population variance of the minimisers is one: E(x−θ*)² = h/(2−h) = 0.1765, and 0.0033 for the tail average.
    scalar = QuadraticSGD(np.ones(2), np.array([-1.0, 1.0]), 0.3)
    square = np.array([[2.0]])  # the risk (x−θ*)² is ½·2·(x−θ*)²
    name, own_seed = "two quadratics, unit variance, h=0.3", stream(seed, "C15", "scalar")

    def diabetes_rows() -> list[ClaimRow]:
        maps = diabetes_regression(0.02, ridge=0.1)  # at 0.05 one sample in hundreds is too skew for a test of its mean
        curvature = maps.features.T @ maps.features / len(maps.features) + maps.ridge * np.eye(maps.dim)
        part = stream(seed, "C15", "diabetes")
        return _rows(judge, "diabetes, ridge 0.1, h=0.02", maps, curvature, 2_000, replicas(effort, 8_000), part)

    return [
        *_rows(judge, name, scalar, square, 300, replicas(effort, 20_000), own_seed),
        *judge.where_available("diabetes", diabetes_rows),
    ]


def _rows(judge: Judge, system: str, maps: RandomMaps, curvature, tail: int, count: int, seed: int) -> list[ClaimRow]:
    """Excess risks ½(x−θ*)ᵀH(x−θ*) after 2·tail gradients from θ*: backward, forward, and the mean of the last half."""
    formulas, n, paths = AffineSystem.of(maps), 2 * tail, count // 5
    mean = formulas.mean

    def risk(states: np.ndarray) -> np.ndarray:
        return 0.5 * np.einsum("ri,ij,rj->r", states - mean, curvature, states - mean)

    # Disjoint replicas: the three ensembles are independent.
    backward = simulated(maps, mean, n, order=BACKWARD, n_replicas=count, seed=seed, backend=judge.backend).states[:, 0]
    forward = simulated(maps, mean, n, n_replicas=count, seed=seed, backend=judge.backend, first_replica=count).states[
        :, 0
    ]
    steps = np.arange(tail + 1, n + 1)
    averages = path_statistics(
        maps,
        mean,
        steps,
        lambda states: states.mean(axis=1),
        count=paths,
        seed=seed,
        backend=judge.backend,
        first_replica=2 * count,
    )
    average = risk(averages)
    stationary = 0.5 * float(np.trace(curvature @ formulas.covariance))
    averaged = 0.5 * float(np.trace(curvature @ _covariance_of_average(formulas, tail)))
    # From θ* the covariance after k steps is C − M^k(C), and ‖M^k(C)‖_F ≤ ρ^k‖C‖_F for symmetric maps.
    missing = math.sqrt(maps.dim) * formulas.radius**tail * stationary
    of_average = f"risk of the mean of the last {tail} of {n}"
    return [
        judge.mean(system, f"risk of Zₙ, n = {n}", stationary, risk(backward), bias=missing),
        judge.mean(system, f"risk of Xₙ, n = {n}", stationary, risk(forward), bias=missing),
        judge.mean(system, of_average, averaged, average, bias=missing),
        judge.mean(system, of_average, stationary, average, bias=missing, control=True),
    ]


def _covariance_of_average(formulas: AffineSystem, count: int) -> np.ndarray:
    """Covariance of the mean of `count` successive stationary states: E[(x_k − m)(x_0 − m)ᵀ] = (E A)^k C.

    (C + Σ_{0<k<m} (1 − k/m)(Ā^k C + C Āᵀ^k))/m
    """
    covariance = formulas.covariance
    lagged, total = covariance.copy(), covariance.copy()
    for k in range(1, count):
        lagged = formulas.mean_matrix @ lagged
        total += (1.0 - k / count) * (lagged + lagged.T)
    return total / count


CLAIM = Claim("C15", "the backward limit has the stationary risk; a forward tail average has less", 8, check)
