"""Why a system has no certificate: its Lyapunov exponent, and what was seen of starts that have not met."""

from __future__ import annotations

import math

import numpy as np

from iterorder.errors import DivergenceError, NotContractiveError
from iterorder.estimate import Estimate
from iterorder.lengths import euclidean_norm
from iterorder.maps import RandomMaps
from iterorder.rounding import exponent_rounding
from iterorder.simulate import simulated
from iterorder.stationary.coalescence import NeverMetError
from iterorder.theory.families import analyse
from iterorder.theory.undefined import NoLawReachedError, NoMinimizerError, Undefined

EPS = float(np.finfo(np.float64).eps)
# Steps before a small difference is made, those for which its growth is measured, and replicas.
SETTLE, FOLLOW, REPLICAS = 512, 64, 256
# The difference, the smallest that rounding leaves some digits of, and the largest that is small: all per unit of size.
SMALL, FLOOR, CEILING = 1e-6, 1e4 * EPS, 1e-3
# A difference of at least this that is zero after one more step was not shrunk: the map is constant there, to rounding.
VANISHES = 1e-8
# A difference of 10⁻⁶ is rounded to ten digits: so many decimals of its growth per step are known.
DIGITS = 9
# The shrinking of distances by far more than what would have been needed shows that close paths do meet.
CLEARLY = 2.0
# Starts whose close paths are followed, and standard errors by which a growth must be above zero to count as one.
TRIED, DOUBT = 4, 4.0
# What is left of distances after a doubling of the steps, where they are said to shrink.
SLOWLY = 0.9


def known_exponent(maps: RandomMaps, seed: int, backend: str) -> Estimate | None:
    """The Lyapunov exponent of a family whose derivative is known; None where it is not, or it has no exponent.

    That of maps which a user wrote is measured along close paths instead, from several starts: an exponent along one
    chain says nothing of the others.

    Raises
    ------
    NotContractiveError
        If it is known that there is no stationary law, which no search may then find.
    """
    system = analyse(maps, seed=seed, effort="quick", backend=backend)
    if not system.derivative_known:
        return None
    try:
        return system.lyapunov_exponent()
    except NoLawReachedError as error:
        advice = maps.smaller_steps
        raise NotContractiveError(f"there is nothing to sample: {error}{advice and f'; try {advice}'}") from None
    except NoMinimizerError as error:
        raise NotContractiveError(f"there is nothing to sample: {error}") from None
    except Undefined:
        return None


def never_meets(maps: RandomMaps, known: Estimate) -> bool:
    """Whether a known exponent rules out that generic starts meet; that of maps which may fold is not `known`."""
    return known.low >= -exponent_rounding(maps.dim)


def measured_exponent(maps: RandomMaps, x0: np.ndarray, seed: int, backend: str = "cpu") -> float:
    """The growth per step of a small difference between paths under the same maps, while it is small and not rounding.

    Its first half is left to the transient, as in `fit_rate`: a difference turns to the direction that grows most, and
    of c·rⁿ(1 + bqⁿ) the log growth from the start is off by log(1 + b)/n, from the half on by O(bq^(n/2)/n).
    The sum of log growths over the sum of steps, over replicas that have run for a while: minus infinity where one
    vanishes from one step to the next, as on locally constant maps; NaN where none stays finite.
    """
    logs, steps, _ = _growths(maps, x0, seed, backend)
    return float(logs.sum() / steps.sum()) if steps.size else math.nan


def refuse_expanding(maps: RandomMaps, starts: np.ndarray, tol: float, seed: int, backend: str) -> None:
    """Refuse starts that have met although close paths move apart: that they met is then an accident of the starts.

    Raises
    ------
    NotContractiveError
        If the growth from one of the first starts is above zero by more than its Monte Carlo error.
    """
    for start in starts[:TRIED]:
        logs, steps, met = _growths(maps, start, seed, backend)
        if met or not steps.size:
            continue  # differences that vanish altogether are no growth, whatever the others do
        exponent = float(logs.sum() / steps.sum())
        error = float(np.std(logs - exponent * steps)) * math.sqrt(len(logs)) / float(steps.sum())
        if round(exponent - DOUBT * error, DIGITS) > 0.0:
            raise NotContractiveError(
                f"no sample can be certified to {tol:g}: distant starts have met, but paths close to that from "
                f"{np.array2string(start[:3], precision=3)} move apart; the Lyapunov exponent, measured over at most "
                f"{FOLLOW} steps while paths are close, is {exponent:.3g}: such a limit is not stable; {_advice(maps)}"
            )


def _growths(maps: RandomMaps, x0: np.ndarray, seed: int, backend: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """Log growths of small differences, over how many steps, of the replicas that stay finite; and if any vanished."""
    try:
        near = simulated(maps, x0, SETTLE, n_replicas=REPLICAS, seed=seed, backend=backend).states[:, 0]
        size = _sizes(near)
        near, far = (_followed(maps, x, seed, backend) for x in _finite(near, near + SMALL * size))
    except DivergenceError:
        return np.zeros(0), np.zeros(0), False
    with np.errstate(over="ignore", invalid="ignore"):
        gaps = euclidean_norm(far - near) / size
    inside = np.logical_and.accumulate((gaps >= FLOOR) & (gaps <= CEILING), axis=1)
    # Where the first step leaves at once, the bound that it passed is all that is known.
    last = np.maximum(inside.sum(axis=1) - 1, 1)
    kept = np.isfinite(gaps[:, :2]).all(axis=1)
    begin = last // 2
    logs = (_slopes(gaps, begin, last) * (last - begin))[kept]
    vanishes = inside[:, :-1] & (gaps[:, :-1] >= VANISHES) & (gaps[:, 1:] == 0.0)
    logs[vanishes[kept].any(axis=1)] = -np.inf
    return logs, (last - begin)[kept], bool((gaps[kept] == 0.0).any())


def _slopes(gaps: np.ndarray, begin: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The slopes of lines through the logarithms of each row from one column to another, both included.

    Not from end to end: a rotation between unequal axes makes every difference longer and shorter by turns.
    """
    columns = np.arange(gaps.shape[1])
    used = (columns >= begin[:, None]) & (columns <= last[:, None])
    x = np.where(used, columns - 0.5 * (begin + last)[:, None], 0.0)
    heights = np.log(np.clip(gaps, FLOOR, CEILING))
    return (x * np.where(used, heights, 0.0)).sum(axis=1) / (x**2).sum(axis=1)


def _sizes(states: np.ndarray) -> np.ndarray:
    """The sizes of the states, (R, 1), or the median of all where that is larger; one where all are zero."""
    sizes = np.abs(states).max(axis=1, keepdims=True)
    finite = sizes[np.isfinite(sizes)]
    return np.maximum(sizes, float(np.median(finite)) or 1.0 if finite.size else 1.0)


def _followed(maps: RandomMaps, states: np.ndarray, seed: int, backend: str) -> np.ndarray:
    options: dict = {"n_replicas": REPLICAS, "seed": seed, "backend": backend}
    return simulated(maps, states, 2 * FOLLOW, first_step=SETTLE, save_steps="all", **options).states


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
    backend: str,
    max_steps: int,
    known: Estimate | None,
    found: Exception,
) -> NotContractiveError:
    """The error of a sample that cannot be certified.

    `known` is the Lyapunov exponent, if it is, and `found` what the search for meeting starts ended with.
    """
    exponent = measured_exponent(maps, x0, seed, backend) if known is None else known.value
    if known is not None:
        vanishes = known.value != 0.0 and abs(known.value) <= exponent_rounding(maps.dim)
        told = f"the Lyapunov exponent is {known}{', zero to rounding' if vanishes else ''}"
    elif math.isnan(exponent):
        told = "the Lyapunov exponent cannot be measured, for paths leave the finite numbers"
    else:
        shown = round(exponent, DIGITS) + 0.0  # no minus zero
        told = f"the Lyapunov exponent, measured over at most {FOLLOW} steps while paths are close, is {shown:.3g}"
    if known is not None and never_meets(maps, known):
        reason = "backward iterates converge where it is negative, so the search stopped early"
        return NotContractiveError(f"no sample can be certified to {tol:g}; {told}: {reason}; {_advice(maps)}")
    advice = ", or ".join(filter(None, ("give a larger tol or max_steps", maps.smaller_steps)))
    if known is None and round(exponent, DIGITS) == 0.0:
        advice = f"nothing contracts at a geometric rate; {_advice(maps)}"
    elif known is None and exponent > 0.0:
        moving = f"close paths move apart; {_advice(maps)}"
        advice = _unstable(found, tol) or _kept_start(maps, x0, seed, backend) or moving
    start = f"not every sample is certified to {tol:g} within max_steps={max_steps}"
    if isinstance(found, NeverMetError):
        if found.early:
            start = f"no sample can be certified to {tol:g} within max_steps={max_steps}, {_pace(found)}"
        # Affine maps whose close paths meet have one law.
        if not maps.form().is_affine and exponent * found.n_steps < -CLEARLY * math.log1p(found.distance / tol):
            advice = f"{_laws(found.ends)}; give a larger max_steps if paths change over rarely, or another system"
    return NotContractiveError(f"{start}; {told}: {advice}")


def _unstable(found: Exception, tol: float) -> str:
    """What it means that only the iterate from x0 has not met the others; empty where that was not seen."""
    if not isinstance(found, NeverMetError) or not np.isfinite(found.ends).all():
        return ""
    own, others = found.ends[0], found.ends[1:]
    if len(others) < 2 or np.ptp(others, axis=0).max() > tol:
        return ""
    places = [np.array2string(end[:3], precision=3, separator=", ") for end in (own, others[0])]
    return (
        f"the law depends on x0, from which close paths move apart: it ends at {places[0]}, and every other start that "
        f"was tried at {places[1]}; give an x0 away from what all maps keep fixed"
    )


def _kept_start(maps: RandomMaps, x0: np.ndarray, seed: int, backend: str) -> str:
    """What it means that close paths move apart from a point that all maps keep; empty of another start."""
    states = simulated(maps, x0, SETTLE, n_replicas=REPLICAS, seed=seed, backend=backend).states
    if not (states == x0).all():
        return ""
    place = np.array2string(x0[:3], precision=3, separator=", ")
    return f"x0 = {place} is kept by all maps, and paths beside it move away; give an x0 away from it"


def _advice(maps: RandomMaps) -> str:
    """What may help a system that does not contract, which no tol or max_steps will."""
    step = maps.smaller_steps
    return f"give {step}" if step else "no tol or max_steps helps: give maps that contract on average"


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
    ends = ends[np.isfinite(ends).all(axis=1)]
    apart = 1e-3 * float(np.ptp(ends, axis=0).max())
    for end in ends:
        if all(np.abs(end - other).max() > apart for other in groups):
            groups.append(end)
    shown = ", ".join(np.array2string(group[:3], precision=3, separator=", ") for group in groups[:4])
    return (
        "close paths meet and distant ones do not, so there may be several stationary laws (under the same maps "
        f"distant starts end in {len(groups)} groups, at {shown}{' …' if len(groups) > 4 else ''})"
    )
