"""C9: E‖x − θ*‖² under the stationary law is h times the trace of the Lyapunov solution, to first order.

Quadratics and least squares by linear solves; ridge logistic regression on the line by the spectral method, to
rounding. Control: a spread of the order h².
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from iterorder.claims.judge import Judge
from iterorder.claims.laws import stationary_means
from iterorder.claims.registry import Claim
from iterorder.claims.systems import tilted_logistic
from iterorder.claims.table import ClaimRow
from iterorder.maps import LinearRegressionSGD, LogisticRegressionSGD
from iterorder.theory import theory
from iterorder.theory.small_step import minimizer, small_step_covariance

STEPS = (4e-3, 2e-3, 1e-3)


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C9: deterministic, whatever seed and effort."""
    generator = np.random.default_rng(9)
    features, noise = generator.standard_normal((20, 3)), generator.standard_normal(20)

    def linear(h: float) -> LinearRegressionSGD:
        return LinearRegressionSGD(features, features.sum(axis=1) + noise, h)

    rows = []
    for system, unit_step, spreads in (
        ("least squares, d=3, 20 points", linear(1.0), [_by_linear_solves(linear(h), judge.backend) for h in STEPS]),
        (
            "ridge logistic regression, d=1",
            tilted_logistic(1.0),
            [_by_spectral_method(tilted_logistic(h)) for h in STEPS],
        ),
    ):
        limit = float(np.trace(small_step_covariance(unit_step)))
        ratios = [spread / h for spread, h in zip(spreads, STEPS, strict=True)]
        # Two steps of Richardson's extrapolation leave O(h³); the last correction bounds it.
        once = [2.0 * b - a for a, b in pairwise(ratios)]
        value = (4.0 * once[1] - once[0]) / 3.0
        bound = abs(value - once[1]) + 1e-9 * limit
        rows.append(judge.compare(system, "limit of E‖x − θ*‖²/h", limit, value, bound))
        slope = math.log(spreads[0] / spreads[2]) / math.log(STEPS[0] / STEPS[2])
        allowed = abs(math.log(ratios[0] / ratios[2])) / math.log(STEPS[0] / STEPS[2]) + 1e-9
        rows.append(judge.compare(system, "slope of E‖x − θ*‖² in h", 1.0, slope, allowed))
        rows.append(judge.compare(system, "slope of E‖x − θ*‖² in h", 2.0, slope, 0.1, control=True))
    return rows


def _by_spectral_method(maps: LogisticRegressionSGD) -> float:
    centre = minimizer(maps)[0]
    return stationary_means(maps, [lambda x: (x - centre) ** 2])[0]


def _by_linear_solves(maps: LinearRegressionSGD, backend: str) -> float:
    known, centre = theory(maps, backend=backend, only=("mean", "covariance")), minimizer(maps)
    assert known.covariance is not None
    assert known.mean is not None
    return float(np.trace(known.covariance) + ((known.mean - centre) ** 2).sum())


CLAIM = Claim("C9", "the stationary spread is proportional to the step size", 0, check)
