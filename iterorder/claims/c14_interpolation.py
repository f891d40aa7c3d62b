"""C14: where all maps share a fixed point θ* (interpolation), both orders converge to it.

Linear regression with targets without noise, and two quadratics with one minimiser. Controls, on the diabetes data
with its real targets, which no linear model fits: forward does not converge to the least-squares solution, and
backward converges, but to a random point.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder import datasets
from iterorder.claims.formulas import AffineSystem
from iterorder.claims.judge import Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import rounding_bound
from iterorder.claims.table import ClaimRow
from iterorder.maps import LinearRegressionSGD, QuadraticSGD
from iterorder.maps.base import RandomMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.simulate import simulated


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C14."""
    count = replicas(effort, 16)
    # Slopes 0.7 and −1.1: one map expands, E a² = 0.85.
    quadratics = QuadraticSGD(np.array([1.0, 7.0]), np.array([2.0, 2.0]), 0.3)
    part = stream(seed, "C14", "quadratics")
    return [
        *(
            _row(judge, "two quadratics with one minimiser", quadratics, [2.0], 800, count, part, order)
            for order in (FORWARD, BACKWARD)
        ),
        *judge.where_available("diabetes", lambda: _diabetes(judge, stream(seed, "C14", "diabetes"), count)),
    ]


def _diabetes(judge: Judge, seed: int, count: int) -> list[ClaimRow]:
    features, targets = datasets.diabetes()
    solution = np.linalg.lstsq(features, targets, rcond=None)[0]
    h, n = 0.1, 60_000
    interpolating = LinearRegressionSGD(features, features @ solution, h)
    noisy = LinearRegressionSGD(features, targets, h)
    exact, real = "diabetes, targets without noise, h=0.1", "diabetes, real targets, h=0.1"
    return [
        *(_row(judge, exact, interpolating, solution, n, count, seed, order) for order in (FORWARD, BACKWARD)),
        _settles(judge, real, noisy, n, count, seed),
        *(_row(judge, real, noisy, solution, n, count, seed, order, control=True) for order in (FORWARD, BACKWARD)),
    ]


def _row(judge: Judge, system, maps: RandomMaps, target, n, count, seed, order, *, control=False) -> ClaimRow:
    """The largest distance of the iterate from θ*; for a control the smallest."""
    states = simulated(
        maps, np.zeros(maps.dim), n, order=order, n_replicas=count, seed=seed, backend=judge.backend
    ).states[:, 0]
    distances = np.linalg.norm(states - target, axis=1)
    allowed = _allowed(judge, maps, float(np.linalg.norm(target)), n, count)
    which, measured = ("smallest", distances.min()) if control else ("largest", distances.max())
    name = "X" if order == FORWARD else "Z"
    return judge.test(system, f"{which} |{name}ₙ − θ*|, n = {n}", 0.0, measured, allowed, control=control)


def _settles(judge: Judge, system, maps: RandomMaps, n, count, seed) -> ClaimRow:
    """The backward iterate with noise in the labels: at rest all the same (C2)."""
    run = simulated(
        maps,
        np.zeros(maps.dim),
        2 * n,
        order=BACKWARD,
        n_replicas=count,
        seed=seed,
        backend=judge.backend,
        save_steps=[n, 2 * n],
    )
    formulas = AffineSystem.of(maps)
    # Z_2n = T_1∘…∘T_n of a state that has the law of X_n, a distance away that is at most this in the mean square.
    start = math.sqrt(float(np.trace(formulas.covariance) + 4.0 * (formulas.mean**2).sum()))
    moved = np.linalg.norm(run.states[:, 1] - run.states[:, 0], axis=1).max()
    return judge.test(system, f"largest |Z₂ₙ − Zₙ|, n = {n}", 0.0, moved, 2.0 * _allowed(judge, maps, start, n, count))


def _allowed(judge: Judge, maps: RandomMaps, start: float, n: int, count: int) -> float:
    """Markov's inequality for E‖X_n−θ*‖² ≤ √d·ρⁿ·‖x0−θ*‖², ρ the radius of E A⊗A of these symmetric maps.

    Rounding is summed in the same mean-square sense: the errors of the steps shrink by √ρ each.
    """
    formulas = AffineSystem.of(maps)
    rho = formulas.radius
    # The largest number of a step in the mean square: (1 + (E‖D‖²)^½)·‖x‖, D = A − I.
    increments = np.linalg.norm(formulas.matrices - np.eye(maps.dim), ord=2, axis=(1, 2))
    scale = (1.0 + math.sqrt(float(formulas.weights @ increments**2))) * max(start, 1.0)
    in_mean_square = maps.dim**0.25 * rho ** (n / 2) * start + rounding_bound(scale, maps.dim, math.sqrt(rho))
    return in_mean_square * math.sqrt(count / judge.level)


CLAIM = Claim("C14", "maps with a common fixed point: both orders converge to it", 7, check)
