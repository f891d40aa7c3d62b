"""What rounding may do to an iterate with an error bound, and which share of a tolerance is kept for it."""

from __future__ import annotations

import math

import numpy as np

from iterorder.estimate import Estimate
from iterorder.maps import RandomMaps

EPS = float(np.finfo(np.float64).eps)
#: Share of the tolerance that the truncation may use; the rest is for rounding.
TRUNCATION = 0.5
#: Roundings per coordinate in a Lyapunov exponent that is exactly zero.
OF_EXPONENT = 64.0


def exponent_rounding(dim: int) -> float:
    """How far from zero a measured Lyapunov exponent may be that is zero."""
    return OF_EXPONENT * dim * EPS


def surely_negative(exponent: Estimate, dim: int) -> bool:
    """Whether an exponent is below zero by more than its interval and rounding; one in closed form is what it is."""
    return exponent.high < (0.0 if exponent.exact else -exponent_rounding(dim))


class RoundingError(Exception):
    """Rounding alone may exceed the tolerance; the message is for the user."""


def rounding_of(maps: RandomMaps, sizes, growth: float, tol: float, *, steps: int = 1, eps: float = EPS):
    """Rounding of some steps, each of about d + batch operations, and what later maps leave of it.

    `growth` is the sum, over the blocks of so many steps that follow, of the factors by which they change an error,
    1/(1−c) of maps that all contract by c, times the terms of a step in units of the states; `sizes` are those of the
    states. Of maps that a user wrote it is an estimate: their operations are not known.

    Raises
    ------
    RoundingError
        If it is more than its share of the tolerance.
    """
    law = maps.sampling_law
    total = 4.0 * steps * (maps.dim + law.batch_size + 8) * eps * growth * sizes
    worst = float(np.max(total))
    if worst > (1.0 - TRUNCATION) * tol:
        raise RoundingError(
            f"tol is {tol:g}, but rounding alone can move a state of size {float(np.max(sizes)):.3g} by {worst:.2g}: "
            f"give tol of at least {2.2 * worst:.2g}"
        )
    return total


def geometric_growth(contraction: float) -> float:
    """The sum of the powers of a contraction of lengths."""
    return 1.0 / (1.0 - contraction) if contraction < 1.0 else math.inf
