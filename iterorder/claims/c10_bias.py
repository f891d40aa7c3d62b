"""C10: on a loss that is not quadratic the mean is off the minimiser by −h f‴C/(4f″²), and the variance is hC/(2f″).

Ridge logistic regression on the line, by the spectral method. Controls: no bias, and a bias of the other sign.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from iterorder.claims.judge import Judge
from iterorder.claims.laws import stationary_means
from iterorder.claims.registry import Claim
from iterorder.claims.systems import tilted_logistic
from iterorder.claims.table import ClaimRow
from iterorder.theory.small_step import minimizer

STEPS = (2e-2, 1e-2, 5e-3)


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C10: deterministic, whatever seed and effort."""
    system = "ridge logistic regression, d=1"
    maps = tilted_logistic(1.0)
    centre = float(minimizer(maps)[0])
    second, third = _derivatives(maps, centre)
    noise = float((maps.gradients(np.array([centre])) ** 2).mean())
    bias, spread = -third * noise / (4.0 * second**2), noise / (2.0 * second)
    means, variances = [], []
    for h in STEPS:
        first, square = stationary_means(tilted_logistic(h), [lambda x: x - centre, lambda x: (x - centre) ** 2])
        means.append(first / h)
        variances.append((square - first**2) / h)
    value, error = _extrapolated(means)
    variance, variance_error = _extrapolated(variances)
    return [
        judge.compare(system, "limit of (E x − θ*)/h", bias, value, error),
        judge.compare(system, "limit of Var x/h", spread, variance, variance_error),
        judge.compare(system, "no bias", 0.0, value, error, control=True),
        judge.compare(system, "a bias of the other sign", -bias, value, error, control=True),
    ]


def _derivatives(maps, x: float) -> tuple[float, float]:
    """f″ and f‴ of the mean loss: with p = σ(z), log(1+e^(−z)) has p(1−p) and p(1−p)(1−2p)."""
    rows = maps.labels * maps.features[:, 0]
    p = 1.0 / (1.0 + np.exp(-rows * x))
    curvature = p * (1.0 - p)
    return float((rows**2 * curvature).mean()) + maps.ridge, float((rows**3 * curvature * (1.0 - 2.0 * p)).mean())


def _extrapolated(values) -> tuple[float, float]:
    """The limit for h → 0 from h, h/2, h/4 by Richardson's extrapolation, and its last correction as a bound."""
    once = [2.0 * b - a for a, b in pairwise(values)]
    value = (4.0 * once[1] - once[0]) / 3.0
    return value, abs(value - once[1]) + 1e-9 * abs(value)


CLAIM = Claim("C10", "bias and variance of smooth losses, to first order in the step size", 0, check)
