"""Convergence rates of some systems, with as many replicas as it takes to notice a change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from iterorder.convergence import Rate, coupling_distance, fit_rate
from iterorder.errors import DivergenceError, InvalidInputError, IterorderError
from iterorder.gate.systems_file import Entry
from iterorder.kernels.backends import as_backend
from iterorder.orders import BACKWARD
from iterorder.progress import Progress, Report, as_progress, part, reported

#: The chance of a false alarm of a whole comparison, shared by its systems.
LEVEL = 1e-3
#: The chance with which a change of the size that is sought is found.
POWER = 0.9
#: The relative change of a rate that is sought, and the numbers (replicas × steps × dim) that may be spent on it.
SOUGHT, NUMBERS = {"quick": 0.05, "full": 0.0125}, {"quick": 2**23, "full": 2**25}
#: Replicas and steps of the first measurement; a fit stops by itself at rounding, and where means of products fail.
REPLICAS, STEPS = 400, 400
#: The interval that is saved.
INTERVAL = 0.95
# What two fits of equal distances may differ by on two machines: the logarithms, 745 in size at most, are rounded, and
# the slope of a line through three of them is as much off. Rounding of the distances themselves is in the interval.
ROUNDING = 4.0 * float(np.finfo(np.float64).eps) * -math.log(float(np.finfo(np.float64).smallest_subnormal))
#: Measurements of one rate at most, each with the replicas that the one before asks for.
ROUNDS = 3
# Replicas beyond those, as a standard error is known to a tenth, and more than there can be.
RESERVE, MOST = 1.2, 2**32


@dataclass(frozen=True)
class MeasuredRate:
    """The rate per step at which two starts of a system approach each other, in the first mean.

    Attributes
    ----------
    system : str
        Its name in the file of systems.
    rate, low, high : float
        With the 95 % interval from resampled replicas.
    first, last : int
        Steps of the fit.
    stopped_by : str
        Why the fit ends there.
    replicas : int
        Zero where it was not saved.
    curved : bool
        Whether the distance is no exponential at these steps.
    """

    system: str
    rate: float
    low: float
    high: float
    first: int
    last: int
    stopped_by: str
    replicas: int = 0
    curved: bool = False

    @property
    def standard_error(self) -> float:
        """That of the interval."""
        return 0.5 * (self.high - self.low) / quantile(0.5 * (1.0 - INTERVAL))

    @property
    def vanishes(self) -> bool:
        """Whether it cannot be told from zero: a share of it says nothing."""
        return self.low <= 0.0 <= self.high

    @property
    def absent(self) -> str:
        """Why it is none; empty where it is one."""
        if self.vanishes:
            return "it cannot be told from zero"
        return "the distance does not fall exponentially" if self.curved else ""

    @property
    def warning(self) -> str:
        """What is wrong with a rate that is not below zero, or of a curve that is none; empty where nothing is."""
        if self.vanishes:
            return f"the rate is {self.rate:+.3g} and cannot be told from zero: starts may not approach in the mean"
        if self.rate > 0.0:
            return f"the rate is {self.rate:+.3g}, not negative: starts do not approach in the mean"
        if self.curved:
            return (
                f"the rate is {self.rate:+.3g} in steps {self.first} to {self.last} only: the slope changes there, so "
                "that the distance does not fall exponentially, or has not begun to"
            )
        return ""


@dataclass(frozen=True)
class Unfitted:
    """A system without a rate, and the reason."""

    system: str
    reason: str


def quantile(tail: float) -> float:
    """The point above which a standard normal number lies with a chance of `tail`."""
    from scipy.special import ndtri

    return -float(ndtri(tail))


def detectable(rate: MeasuredRate, other: MeasuredRate, allowed: float) -> float:
    """The difference that a comparison which allows another finds with a chance of `POWER`."""
    return allowed + quantile(1.0 - POWER) * math.hypot(rate.standard_error, other.standard_error)


def noise_of(rate: MeasuredRate, other: MeasuredRate) -> float:
    """What the difference of two measurements of one rate is of itself: its standard error, and rounding."""
    return math.hypot(rate.standard_error, other.standard_error) + ROUNDING


def allowed_difference(rate: MeasuredRate, other: MeasuredRate, n_systems: int, one_sided: bool = False) -> float:
    """The largest difference of two measurements of one rate, at an equal share of `LEVEL`.

    Standard errors add in squares.
    """
    tail = LEVEL / n_systems * (1.0 if one_sided else 0.5)
    return quantile(tail) * math.hypot(rate.standard_error, other.standard_error) + ROUNDING


def measure(
    systems: list[Entry], *, seed: int, effort: str = "quick", backend: str = "cpu", progress: Progress = False
) -> list[MeasuredRate | Unfitted]:
    """The rates of some systems, from synchronous couplings of backward iterates; one without a rate stops no other.

    A first measurement says how many replicas are needed for a comparison of two such rates to find a change of
    `SOUGHT`; the next has them, as far as `NUMBERS` goes.
    """
    backend = as_backend(backend)  # here, as a system that raises an error stops no other
    # One edge more than there are measurements: shares of the numbers that all of them may take.
    plans = [_plan(entry, effort) for entry in systems]
    edges = np.cumsum([0, *(numbers for plan in plans for numbers in plan)])
    found: list[MeasuredRate | Unfitted] = []
    with reported(as_progress(progress), "rates") as report:
        for entry in systems:
            first = ROUNDS * len(found)
            ends = (edges[first : first + ROUNDS + 1] / edges[-1]).tolist()
            shares = [part(report, low, high) for low, high in pairwise(ends)]
            found.append(_measured(entry, seed, effort, len(systems), backend, shares))
            if report is not None:
                report(ends[-1])
    return found


def _plan(entry: Entry, effort: str) -> list[int]:
    """The numbers that each measurement of a rate may take: those after the first are there where more replicas fit."""
    first = REPLICAS * STEPS * entry.maps.dim
    return [first, *(ROUNDS - 1) * [NUMBERS[effort] if NUMBERS[effort] > first else 0]]


def _measured(
    entry: Entry, seed: int, effort: str, n_systems: int, backend: str, shares: list[Report | None]
) -> MeasuredRate | Unfitted:
    try:
        rate = _named(entry, _fit(entry, seed, REPLICAS, STEPS, backend, shares[0]), REPLICAS)
        for share in shares[1:]:
            n_steps = _enough_steps(rate)
            n_replicas = min(_wanted(rate, n_systems, effort), NUMBERS[effort] // (n_steps * entry.maps.dim))
            if n_replicas <= rate.replicas:
                break
            rate = _named(entry, _fit(entry, seed, n_replicas, n_steps, backend, share), n_replicas)
        return rate
    except DivergenceError as error:
        advice = entry.maps.smaller_steps or "maps that expand less"
        return Unfitted(entry.name, f"{str(error).partition(':')[0]} and two paths diverge: take {advice}")
    except IterorderError as error:
        return Unfitted(entry.name, str(error))


def _wanted(rate: MeasuredRate, n_systems: int, effort: str) -> int:
    """The replicas of two measurements that can tell the change that is sought; those of this one where it can."""
    found = detectable(rate, rate, allowed_difference(rate, rate, n_systems))
    # A rate of zero has no relative change, and no more replicas are needed to know that.
    finds = found / max(SOUGHT[effort] * abs(rate.rate), ROUNDING)
    if finds <= 1.0 or (rate.vanishes and rate.standard_error <= ROUNDING):
        return rate.replicas
    return int(min(RESERVE * rate.replicas * finds**2, MOST))


def _enough_steps(rate: MeasuredRate) -> int:
    """Means of products fail later with more replicas, as the logarithm of their number: by three times at most."""
    return min(STEPS, 3 * rate.last + 8) if rate.stopped_by == "monte carlo" else STEPS


def _fit(entry: Entry, seed: int, n_replicas: int, n_steps: int, backend: str, progress) -> Rate:
    coupling = coupling_distance(
        entry.maps,
        entry.x0,
        entry.other_start,
        n_steps,
        order=BACKWARD,
        n_replicas=n_replicas,
        seed=seed,
        backend=backend,
        p=1,
        progress=progress,
    )
    return fit_rate(coupling, level=INTERVAL)


def _named(entry: Entry, fit: Rate, n_replicas: int) -> MeasuredRate:
    if not math.isfinite(fit.low) or not math.isfinite(fit.high):
        raise InvalidInputError(f"the rate {fit.rate:.3g} has no finite interval: too few replicas are apart")
    return MeasuredRate(
        entry.name, fit.rate, fit.low, fit.high, fit.first, fit.last, fit.stopped_by, n_replicas, fit.curved
    )
