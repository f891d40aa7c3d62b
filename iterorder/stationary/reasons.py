"""Why a system has no certificate: its Lyapunov exponent, and what was seen of starts that have not met."""

from __future__ import annotations

import math

import numpy as np

from iterorder.errors import DivergenceError, NotContractiveError
from iterorder.estimate import Estimate
from iterorder.maps import RandomMaps
from iterorder.simulate import simulate
from iterorder.stationary.coalescence import NeverMetError
from iterorder.theory.families import analyse
from iterorder.theory.undefined import Undefined

EPS = float(np.finfo(np.float64).eps)
# Steps before a small difference is made, those for which it is followed, and replicas.
SETTLE, FOLLOW, REPLICAS = 512, 64, 256
# The difference, the smallest that rounding leaves some digits of, and the largest that is small: all per unit of size.
SMALL, FLOOR, CEILING = 1e-6, 1e4 * EPS, 1e-3
# A difference of 10⁻⁶ is rounded to ten digits: so many decimals of its growth per step are known.
DIGITS = 9
# The shrinking of distances by far more than what would have been needed shows that close paths do meet.
CLEARLY = 2.0
# What is left of distances after a doubling of the steps, where they are said to shrink.
SLOWLY = 0.9


def known_exponent(maps: RandomMaps, seed: int) -> Estimate | None:
    """The Lyapunov exponent of a family whose derivative is known; None where it is not, or there is no law."""
    system = analyse(maps, seed=seed, effort="quick")
    if not system.derivative_known:  # differences along the paths from the start of the sample tell more
        return None
    try:
        return system.lyapunov_exponent()
    except Undefined:
        return None


def measured_exponent(maps: RandomMaps, x0: np.ndarray, seed: int) -> float:
    """The growth per step of a small difference between paths under the same maps, while it is small and not rounding.

    The sum of log growths over the sum of steps, over replicas that have run for a while; NaN where none stays finite.
    """
    try:
        near = simulate(maps, x0, SETTLE, n_replicas=REPLICAS, seed=seed).states[:, 0]
        size = 1.0 + np.abs(near).max(axis=1, keepdims=True)
        near, far = (_followed(maps, x, seed) for x in _finite(near, near + SMALL * size))
    except DivergenceError:
        return math.nan
    with np.errstate(over="ignore", invalid="ignore"):
        gaps = np.linalg.norm(far - near, axis=2) / size
    inside = np.logical_and.accumulate((gaps >= FLOOR) & (gaps <= CEILING), axis=1)
    # Where the first step leaves at once, the bound that it passed is all that is known.
    last = np.maximum(inside.sum(axis=1) - 1, 1)
    ends = np.clip(gaps[np.arange(REPLICAS), last], FLOOR, CEILING)
    kept = np.isfinite(gaps[:, :2]).all(axis=1)
    if not kept.any():
        return math.nan
    return float(np.log(ends[kept] / gaps[kept, 0]).sum() / last[kept].sum())


def _followed(maps: RandomMaps, states: np.ndarray, seed: int) -> np.ndarray:
    run = simulate(maps, states, FOLLOW, n_replicas=REPLICAS, seed=seed, first_step=SETTLE, save_steps="all")
    return run.states


def _finite(*states: np.ndarray) -> tuple[np.ndarray, ...]:
    """Diverged starts as zeros of no difference: `simulate` takes finite ones only, and they are left out later."""
    kept = np.isfinite(states[0]).all(axis=1, keepdims=True)
    return tuple(np.where(kept, x, 0.0) for x in states)


def why_not(
    maps: RandomMaps,
    x0: np.ndarray,
    tol: float,
    *,
    seed: int,
    max_steps: int,
    known: Estimate | None,
    found: Exception,
) -> NotContractiveError:
    """The error of a sample that cannot be certified.

    `known` is the Lyapunov exponent, if it is, and `found` what the search for meeting starts ended with.
    """
    exponent = measured_exponent(maps, x0, seed) if known is None else known.value
    if known is not None:
        told = f"the Lyapunov exponent is {known}"
    elif math.isnan(exponent):
        told = "the Lyapunov exponent cannot be measured, for paths leave the finite numbers"
    else:
        shown = round(exponent, DIGITS) + 0.0  # no minus zero
        told = f"the Lyapunov exponent, measured over at most {FOLLOW} steps while paths are close, is {shown:.3g}"
    advice = "give a larger tol or max_steps, a smaller step size or a ridge"
    if known is not None and known.low >= 0.0:
        reason = "backward iterates converge where it is negative, so the search stopped early"
        return NotContractiveError(f"no sample can be certified to {tol:g}; {told}: {reason}; {advice}")
    if known is None and round(exponent, DIGITS) == 0.0:
        advice = "nothing contracts at a geometric rate, and a smaller step size or other maps are needed for that"
    start = f"not every sample is certified to {tol:g} within max_steps={max_steps}"
    if isinstance(found, NeverMetError):
        if found.early:
            start = f"no sample can be certified to {tol:g} within max_steps={max_steps}, {_pace(found)}"
        if known is None and exponent * found.n_steps < -CLEARLY * math.log1p(found.distance / tol):
            advice = f"{_laws(found.ends)}; give a larger max_steps if paths change over rarely, or another system"
    return NotContractiveError(f"{start}; {told}: {advice}")


def _pace(found: NeverMetError) -> str:
    """Why the search stopped early."""
    slowly = found.distance < SLOWLY * found.before
    return (
        f"as starts under the same maps {'approach each other too slowly' if slowly else 'do not approach each other'}:"
        f" their median distance is {found.before:.3g} after {found.n_steps // 2} steps and {found.distance:.3g} after "
        f"{found.n_steps}, where the search stopped early"
    )


def _laws(ends: np.ndarray) -> str:
    """What it means that close paths meet and distant ones do not; `ends` are iterates from distant starts."""
    groups: list[np.ndarray] = []
    apart = 1e-3 * float(np.ptp(ends, axis=0).max())
    for end in ends:
        if all(np.abs(end - other).max() > apart for other in groups):
            groups.append(end)
    shown = ", ".join(np.array2string(group[:3], precision=3, separator=", ") for group in groups[:4])
    return (
        "close paths meet and distant ones do not, so there may be several stationary laws (under the same maps "
        f"distant starts end in {len(groups)} groups, at {shown}{' …' if len(groups) > 4 else ''})"
    )
