"""Losses of linear models as textbooks write them: value, slope and curvature in the margin, number by number."""

from __future__ import annotations

import math


def squared(z, b):
    return (z - b) ** 2 / 2, z - b, 1.0


def logistic(z, y):
    sigma = 1.0 / (1.0 + math.exp(y * z))
    return math.log(1.0 + math.exp(-y * z)), -y * sigma, sigma * (1.0 - sigma)


def huber(z, b, delta=1.0):
    u = z - b
    if abs(u) <= delta:
        return u**2 / 2, u, 1.0
    return delta * (abs(u) - delta / 2), math.copysign(delta, u), 0.0


def squared_hinge(z, y):
    gap = 1.0 - y * z
    return (gap**2 / 2, -y * gap, 1.0) if gap > 0.0 else (0.0, 0.0, 0.0)


def smoothed_quantile(z, b, level=0.5, width=1.0):
    """The mean of the pinball loss of b − z + V, V uniform on [−width, width]: outside the pinball loss itself."""
    u = b - z
    if u > width:
        return level * u, -level, 0.0
    if u < -width:
        return (level - 1.0) * u, 1.0 - level, 0.0
    # ∫ of level·v over the positive part (0, u + width) and of (level − 1)·v over the negative one, over 2·width.
    above, below = (u + width) ** 2 / 2, (u - width) ** 2 / 2
    value = (level * above + (1.0 - level) * below) / (2.0 * width)
    slope = -(level * (u + width) + (1.0 - level) * (u - width)) / (2.0 * width)
    return value, slope, 1.0 / (2.0 * width)


def log_cosh(z, b):
    u = z - b
    return math.log(math.cosh(u)), math.tanh(u), 1.0 / math.cosh(u) ** 2


def poisson(z, b):
    return math.exp(z) - b * z, math.exp(z) - b, math.exp(z)


LOSSES = {
    "squared": squared,
    "logistic": logistic,
    "huber": huber,
    "squared-hinge": squared_hinge,
    "smoothed-quantile": smoothed_quantile,
    "log-cosh": log_cosh,
    "poisson": poisson,
}

#: Those whose targets are no numbers of any kind: signs, counts.
SIGNS, COUNTS = {"logistic", "squared-hinge"}, {"poisson"}
#: Those whose slope has a kink, and no derivative there.
KINKED = {"huber", "squared-hinge", "smoothed-quantile"}
