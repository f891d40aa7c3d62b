"""The rule of the public contract: which verdict the numbers of a diagnosis lead to, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass

from iterorder.convergence.steadiness import STEADY_LEVEL

# Ratios of the late to the early diameter.
POINT_RATIO, STEADY_LOW, STEADY_HIGH, DIVERGING_RATIO = 0.75, 0.9, 1.1, 10.0
#: That of a walk, whose second window is twice as long as the first.
WALK_RATIO = math.sqrt(2.0)
DIVERGED_SHARE = 0.5
#: The reason that stands for a law that still moves, where it always will.
CYCLE = (
    "the late diameter is {ratio:.3g} times the early one, and in cyclic order the law goes round with the epoch: a "
    "path that has settled on the cycle, theory(maps).cycle, is neither a point nor a steady law"
)


@dataclass(frozen=True)
class Measured:
    """What the rule looks at.

    Attributes
    ----------
    late, ratio : float
        The late diameter, and it over the early one.
    growth : tuple of two floats
        Interval for the median of that ratio over the replicas.
    rounding : float
        What the late diameter of a path at rest can be.
    p_value, diverged : float
        Of a steady law, and the share of replicas that left the finite numbers.
    goes_round : bool
        Whether the law goes round with the epoch (C13).
    moves_ratio : float
        Late over early moves of single steps, zero where the late ones are at rounding.
    """

    late: float
    ratio: float
    growth: tuple[float, float]
    rounding: float
    p_value: float
    diverged: float
    goes_round: bool = False
    moves_ratio: float = 0.0


def verdict(measured: Measured) -> tuple[str, str]:
    """A word and the reason for it, with the replicas that do not count among the others."""
    word, reason = _rule(measured)
    if 0.0 < measured.diverged < DIVERGED_SHARE:
        reason += f"; {100.0 * measured.diverged:.3g} % of the replicas left the finite numbers"
    return word, reason


def _rule(measured: Measured) -> tuple[str, str]:
    late, ratio = measured.late, measured.ratio
    if measured.diverged >= DIVERGED_SHARE:
        return "diverges", f"{100.0 * measured.diverged:.3g} % of the replicas left the finite numbers"
    if late <= measured.rounding:
        return "point", f"the late diameter {late:.3g} is at rounding ({measured.rounding:.3g})"
    change = f"the late diameter is {ratio:.3g} times the early one"
    if ratio > DIVERGING_RATIO or math.isinf(late):
        return "diverges", f"{change} (above {DIVERGING_RATIO:g})"
    if ratio <= POINT_RATIO:
        return _shrinking(measured, change)
    if not ratio >= STEADY_LOW:
        return "inconclusive", f"{change}, between {POINT_RATIO:g} and {STEADY_LOW:g}: give more steps"
    if not ratio <= STEADY_HIGH:
        return "inconclusive", (
            f"{change}, above {STEADY_HIGH:g}: paths go on spreading, as a walk's do (1.41), or the windows are short "
            "beside their memory; give more steps"
        )
    return _law(measured, change)


def _shrinking(measured: Measured, change: str) -> tuple[str, str]:
    """The verdict where the late diameter is much the smaller: moves of single steps must shrink as well.

    At a point they shrink at least as the diameter does; in a law that a path still approaches they stay as they are.
    The bound is half-way between the two on the scale of logarithms.
    """
    if measured.moves_ratio <= math.sqrt(measured.ratio):
        return "point", f"{change} (at most {POINT_RATIO:g}), and moves of single steps shrink with it"
    if measured.goes_round:
        return "inconclusive", CYCLE.format(ratio=measured.ratio)
    return "inconclusive", (
        f"{change}, but moves of single steps do not shrink with it ({measured.moves_ratio:.3g} times the early ones): "
        "the paths still approach a law from where they started; give more steps"
    )


def _law(measured: Measured, change: str) -> tuple[str, str]:
    """The verdict where the two diameters are alike."""
    low, high = measured.growth
    unsteady = not measured.p_value >= STEADY_LEVEL
    if unsteady and measured.goes_round:
        return "inconclusive", CYCLE.format(ratio=measured.ratio)
    if math.isnan(measured.p_value):
        return "inconclusive", f"{change}, but there are too few finite replicas to test whether the law is steady"
    if unsteady:
        return "inconclusive", (
            f"{change}, but the law still moves (p = {measured.p_value:.2g}): give more steps, unless it goes round a "
            "cycle"
        )
    if not (low > POINT_RATIO and high < WALK_RATIO):
        return "inconclusive", (
            f"{change}, but it differs so much from replica to replica that its median may be anything from "
            f"{low:.3g} to {high:.3g}, a point's ({POINT_RATIO:g}) or a walk's (1.41) among them; give more replicas "
            "or more steps"
        )
    return "distribution", (
        f"{change} (its median over the replicas from {low:.3g} to {high:.3g}) and the law is steady "
        f"(p = {measured.p_value:.2g})"
    )
