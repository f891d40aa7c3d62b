"""Momentum as a larger state.

On the loss ½λx² the step v ← βv − hλx, x ← x + v has the matrix [[1 − hλ, β], [−hλ, β]] on (x, v). Its
eigenvalues solve z² − (1 + β − hλ)z + β = 0: a complex pair of modulus √β where (1 − √β)² ≤ hλ ≤ (1 + √β)², real ones
outside. It is stable iff 0 < hλ < 2(1 + β), and at fixed hλ ≤ 1 the rate is best with β = (1 − √(hλ))².
"""

from __future__ import annotations

import math

import numpy as np


def momentum_matrix(step: float, momentum: float) -> np.ndarray:
    """The step on (x, v) for the product `step` of step size and curvature, shape (2, 2)."""
    return np.array([[1.0 - step, momentum], [-step, momentum]])


def momentum_radius(step: float, momentum: float) -> float:
    """Its spectral radius.

    Examples
    --------
    >>> momentum_radius(0.25, 0.25)
    0.5
    """
    trace = 1.0 + momentum - step
    discriminant = trace**2 - 4.0 * momentum
    if discriminant <= 0.0:
        return math.sqrt(momentum)
    return 0.5 * (abs(trace) + math.sqrt(discriminant))


def best_momentum(step: float) -> float:
    """The momentum with the least radius for a product of step size and curvature up to 1: (1 − √step)²."""
    return (1.0 - math.sqrt(step)) ** 2
