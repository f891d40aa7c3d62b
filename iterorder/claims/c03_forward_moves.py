"""C3: with finite variance and no common fixed point the forward iterate never settles.

E‖X_(n+1)−X_n‖² tends to E_π E‖T(x)−x‖² > 0.
Independent paths against the closed form. On ridge logistic regression, which has none, against the same mean over
certified backward limits. Controls: backward under the same maps, and maps that share a fixed point.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.ensembles import mean_square_increment, path_statistics
from iterorder.claims.formulas import AffineSystem
from iterorder.claims.judge import Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import breast_cancer_regression, diabetes_regression, random_affine
from iterorder.claims.table import ClaimRow
from iterorder.maps import LogisticRegressionSGD, QuadraticSGD, gallery
from iterorder.maps.base import RandomMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.simulate import simulated

FORWARD_MOVE, BACKWARD_MOVE = "E|X(n+1) − X(n)|²", "E|Z(n+1) − Z(n)|²"
#: Increments of one path that are averaged.
WINDOW = 64


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C3."""
    count = replicas(effort, 4_000)

    def row(system, maps, n, value=None, **options) -> ClaimRow:
        return _row(judge, system, maps, n, count, stream(seed, "C3", system), value, **options)

    two_point = 0.3**2 / (2.0 * (2.0 - 0.3))
    same_minimizer = QuadraticSGD(np.ones(2), np.array([0.5, 0.5]), 0.3)
    return [
        *(
            row(f"two-point quadratic, h={h:.3g}", gallery.two_point_quadratic(h), 100, h**2 / (2.0 * (2.0 - h)))
            for h in (0.3, 0.5, 2.0 / 3.0)
        ),
        row("Barnsley's fern", gallery.barnsley_fern(), 150),
        row("random affine maps, d=3", random_affine(stream(seed, "C3", "matrices")), 100),
        *judge.where_available(
            # At h = 0.05 the tails are so heavy that one sample in hundreds is too skew for a test of its mean.
            "diabetes",
            lambda: [row("diabetes, h=0.02, batch 1", diabetes_regression(0.02), 20_000)],
        ),
        *judge.where_available("breast cancer", lambda: [_logistic(judge, stream(seed, "C3", "logistic"), effort)]),
        row(
            "two-point quadratic, h=0.3, backward",
            gallery.two_point_quadratic(0.3),
            100,
            two_point,
            order=BACKWARD,
            control=True,
        ),
        row("two quadratics with one minimiser, h=0.3", same_minimizer, 100, two_point, start=[0.0], control=True),
    ]


def _row(
    judge: Judge, system, maps: RandomMaps, n, count, seed, value=None, *, order=FORWARD, start=None, control=False
) -> ClaimRow:
    formulas = AffineSystem.of(maps)
    x0 = formulas.mean if start is None else start
    predicted = formulas.mean_square_increment if value is None else value
    # From x0 = m the covariance after n steps is C − Mⁿ(C), 0 ≤ Mⁿ(C): for symmetric maps tr Mⁿ(C) ≤ √d·ρⁿ‖C‖_F, and
    # the same holds up to a constant for others. The mean square increment is linear in it.
    bias = math.sqrt(maps.dim) * formulas.radius**n * predicted
    quantity = f"{BACKWARD_MOVE if order == BACKWARD else FORWARD_MOVE}, n ≥ {n}"
    squares = _path_means(maps, x0, n, count, seed, judge.backend, order)
    return judge.mean(system, quantity, predicted, squares, bias=bias, control=control)


def _path_means(maps: RandomMaps, x0, n: int, count: int, seed: int, backend: str, order: str = FORWARD) -> np.ndarray:
    steps = np.arange(n, n + WINDOW + 1)
    return path_statistics(maps, x0, steps, mean_square_increment, count=count, seed=seed, backend=backend, order=order)


def _logistic(judge: Judge, seed: int, effort: str) -> ClaimRow:
    """Forward increments against E_π E‖T(x)−x‖², the mean over all maps at independent backward limits."""
    maps, x0 = breast_cancer_regression(), np.zeros(30)
    count, n = replicas(effort, 4_000), 2_500
    # The mean over all maps takes count × 569 numbers, and varies little from one limit to the next.
    few = min(count, 4_000)
    limits = simulated(
        maps, x0, n, order=BACKWARD, n_replicas=few, seed=seed, backend=judge.backend, first_replica=count
    ).states[:, 0]
    expected = _mean_square_moves(maps, limits)
    # Both laws are within cⁿB of the stationary one, states stay in the ball of radius B = (largest move)/(1−c), and
    # x → ‖T(x)−x‖² has the Lipschitz constant 2·sup‖T(x)−x‖·Lip(T−id) ≤ 2·2(largest move)·2 there.
    move = maps.step_size * float(np.linalg.norm(maps.features, axis=1).max())
    c = maps.lipschitz_max
    return judge.mean(
        "breast cancer, ridge logistic",
        f"{FORWARD_MOVE}, n ≥ {n}",
        expected.mean(),
        _path_means(maps, x0, n, count, seed, judge.backend),
        error=float(expected.std(ddof=1)) / math.sqrt(few),
        bias=2.0 * 8.0 * move * c**n * move / (1.0 - c),
    )


def _mean_square_moves(maps: LogisticRegressionSGD, states: np.ndarray) -> np.ndarray:
    """E‖T(x) − x‖² at each state, over all items: the gradient is −y·σ(−y·aᵀx)·a + ridge·x."""
    signed = maps.labels[:, None] * maps.features
    slopes = np.exp(-np.logaddexp(0.0, states @ signed.T))
    squares = (
        slopes**2 @ (signed**2).sum(axis=1) / len(signed)
        - 2.0 * maps.ridge * np.einsum("rn,nd,rd->r", slopes, signed, states, optimize=True) / len(signed)
        + maps.ridge**2 * (states**2).sum(axis=1)
    )
    return maps.step_size**2 * squares


CLAIM = Claim("C3", "the forward iterate keeps moving: its mean square increment is that under π", 9, check)
