"""C15: the expected loss of the backward limit is the stationary average E_π f; a forward tail average does better.

At equal numbers of gradients: the backward iterate, the forward iterate, which has the same law (C1), and the average
of the second half of the forward path, whose variance is that of a mean of correlated states. Control: the tail average
does not have the stationary risk.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.formulas import AffineSystem
from iterorder.claims.judge import Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import diabetes_regression
from iterorder.claims.table import ClaimRow
from iterorder.maps import LinearRegressionSGD, QuadraticSGD
from iterorder.maps.base import RandomMaps
from iterorder.orders import BACKWARD
from iterorder.simulate import simulate


def check(seed: int, effort: str, level: float) -> list[ClaimRow]:
    """Rows of C15."""
    judge = Judge("C15", level)
    h, tail = 0.3, 300
    # The population variance of the minimisers is one: E(x−θ*)² = h/(2−h) = 0.1765, and 0.0033 for the tail average.
    scalar = QuadraticSGD(np.ones(2), np.array([-1.0, 1.0]), h)
    return [
        *_rows(
            judge,
            "two quadratics, unit variance, h=0.3",
            scalar,
            np.array([[2.0]]),  # the risk is (x−θ*)², that is ½·2·(x−θ*)²
            tail,
            replicas(effort, 20_000),
            replicas(effort, 4_000),
            stream(seed, "C15", "scalar"),
        ),
        *judge.where_available("diabetes", lambda: _diabetes(judge, stream(seed, "C15", "diabetes"), effort)),
    ]


def _diabetes(judge: Judge, seed: int, effort: str) -> list[ClaimRow]:
    maps: LinearRegressionSGD = diabetes_regression(0.05, ridge=0.1)
    curvature = maps.features.T @ maps.features / len(maps.features) + maps.ridge * np.eye(maps.dim)
    # Whole tails are kept in memory: 200 paths take 32 MB, the four times as many of "full" 130 MB.
    paths = replicas(effort, 200) // (1 if effort == "quick" else 4)
    system, tail = "diabetes, ridge 0.1, h=0.05", 2_000
    return _rows(judge, system, maps, curvature, tail, replicas(effort, 4_000), paths, seed)


def _rows(
    judge: Judge, system: str, maps: RandomMaps, curvature, tail: int, count: int, paths: int, seed: int
) -> list[ClaimRow]:
    """Excess risks ½(x−θ*)ᵀH(x−θ*) after 2·tail gradients from θ*: backward, forward, and the mean of the last half."""
    formulas, n = AffineSystem.of(maps), 2 * tail
    mean, steps = formulas.mean, np.arange(tail + 1, n + 1)
    backward = simulate(maps, mean, n, order=BACKWARD, n_replicas=count, seed=seed).states[:, 0]
    forward = simulate(maps, mean, n, n_replicas=count, seed=seed, first_replica=count).states[:, 0]
    tails = simulate(maps, mean, n, n_replicas=paths, seed=seed, first_replica=2 * count, save_steps=steps).states

    def risk(states: np.ndarray) -> np.ndarray:
        return 0.5 * np.einsum("ri,ij,rj->r", states - mean, curvature, states - mean)

    stationary = 0.5 * float(np.trace(curvature @ formulas.covariance))
    averaged = 0.5 * float(np.trace(curvature @ _covariance_of_average(formulas, tail)))
    # From θ* the covariance after k steps is C − M^k(C), and ‖M^k(C)‖_F ≤ ρ^k‖C‖_F for symmetric maps.
    missing = math.sqrt(maps.dim) * formulas.radius**tail * stationary
    average = risk(tails.mean(axis=1))
    return [
        judge.mean(system, f"risk of Zₙ, n = {n}", stationary, risk(backward), bias=missing),
        judge.mean(system, f"risk of Xₙ, n = {n}", stationary, risk(forward), bias=missing),
        judge.mean(system, f"risk of the mean of the last {tail}", averaged, average, bias=missing),
        judge.mean(system, f"risk of the mean of the last {tail}", stationary, average, bias=missing, control=True),
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
