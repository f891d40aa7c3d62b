"""C11: two steps in the two orders differ by h² times the Lie bracket of their gradients.

Exactly for quadratic losses; up to O(h³) for logistic ones, and a palindrome differs from its mirror by O(h³) alone.
Controls: without the bracket the difference is O(h²), and the bracket of the wrong sign.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim
from iterorder.claims.table import ClaimRow
from iterorder.maps import LinearRegressionSGD, LogisticRegressionSGD, QuadraticSGD
from iterorder.maps.base import RandomMaps
from iterorder.theory import lie_bracket

STEPS = (2e-3, 1e-3)
POINT = np.array([0.7, -0.4])


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C11: deterministic, whatever seed and effort."""
    curvatures = np.array([[[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.3], [-0.3, 3.0]]])
    quadratic = QuadraticSGD(curvatures, [[1.0, 0.0], [0.0, 1.0]], 0.1)
    linear = LinearRegressionSGD([[1.0, 2.0], [-1.0, 0.5]], [1.0, -1.0], 0.1, ridge=0.1)

    def logistic(h: float) -> LogisticRegressionSGD:
        return LogisticRegressionSGD([[1.0, 2.0], [-1.0, 0.5]], [1, -1], h, ridge=0.1)

    smooth = "two logistic losses, d=2"
    after = [_order(logistic(h), (0, 1)) - h * h * lie_bracket(logistic(h), 0, 1, POINT) for h in STEPS]
    before = [_order(logistic(h), (0, 1)) for h in STEPS]
    palindromes = [_order(logistic(h), (0, 1, 1, 0), (1, 0, 0, 1)) for h in STEPS]
    return [
        _exact(judge, "two quadratics, d=2, h=0.1", quadratic),
        _exact(judge, "two points of a linear regression, h=0.1", linear),
        _slope(judge, smooth, "T₁T₂ − T₂T₁ − h²·bracket", 3.0, after),
        _slope(judge, smooth, "T₁T₂T₂T₁ − T₂T₁T₁T₂", 3.0, palindromes),
        _slope(judge, smooth, "T₁T₂ − T₂T₁", 2.0, before),
        _slope(judge, f"{smooth}, no bracket", "T₁T₂ − T₂T₁", 3.0, before, control=True),
        _exact(judge, "two quadratics, the other sign", quadratic, sign=-1.0, control=True),
    ]


def _order(maps: RandomMaps, first, second=None) -> np.ndarray:
    """The composition with the first index outermost, less that of the second (the mirror) order."""

    def compose(items) -> np.ndarray:
        x = POINT
        for i in reversed(items):
            x = maps.apply(x, i)
        return x

    return compose(first) - compose(tuple(reversed(first)) if second is None else second)


def _exact(judge: Judge, system, maps, *, sign=1.0, control=False) -> ClaimRow:
    bracket = sign * maps.step_size**2 * lie_bracket(maps, 0, 1, POINT)
    error = np.abs(_order(maps, (0, 1)) - bracket).max()
    # Two steps of two orders of some d + 8 roundings of numbers below 4.
    return judge.compare(system, "T₁T₂ − T₂T₁ − h²·bracket", 0.0, error, 4 * 4 * 10 * EPS, control=control)


def _slope(judge: Judge, system, quantity, predicted, differences, *, control=False) -> ClaimRow:
    """The power of h between the two steps: the next order changes it by O(h), of which a hundred times is allowed."""
    sizes = [float(np.linalg.norm(difference)) for difference in differences]
    slope = math.log(sizes[0] / sizes[1]) / math.log(STEPS[0] / STEPS[1])
    return judge.compare(system, f"order of {quantity}", predicted, slope, 100.0 * STEPS[0], control=control)


CLAIM = Claim("C11", "the order of two steps matters by their Lie bracket", 0, check)
