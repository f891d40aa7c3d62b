"""Mean log growth of tangent vectors over replicas: the Monte Carlo part of every Lyapunov exponent.

Gram and Schmidt keep the vectors of a replica orthonormal; the mean logs of the lengths that they divide out are the
exponents, largest first (Benettin's method).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.estimate import QUANTILE, Estimate
from iterorder.theory.tangent import Tangent
from iterorder.theory.undefined import NoLawReachedError, Undefined

#: Work of a Monte Carlo run, in estimated nanoseconds: fixed beforehand, so that a result depends on the maps, the seed
#: and the effort alone. "brief" is for many systems in a row. A run that would take more than the last, at its fewest
#: steps, is refused.
WORK, MOST_WORK = {"brief": 1.0e8, "quick": 1.0e9, "full": 1.6e10}, 6.0e10
#: Estimated nanoseconds of a step in NumPy, and for each replica of one coordinate of its state, of drawing an item,
#: and of one number of an item.
STEP_COST, COORDINATE_COST, DRAW_COST, ENTRY_COST = 1.0e5, 30.0, 150.0, 4.0
#: The same of a QR decomposition, which three or more vectors take, and of one of its multiplications.
QR_COST, PRODUCT_COST = 1.5e3, 0.25
#: Replicas: enough for a standard error known to 5 %; fewer where a step is all arithmetic, so that more steps fit.
REPLICAS, REPLICAS_OF_LARGE_STEPS, LARGE_STEP = 256, 64, 4.0e3
#: The measurement starts after the first quarter of the steps; the orders by epoch are cut at epoch ends.
QUARTERS, FEWEST_STEPS = 4, 400
#: A drift between the halves of the measurement beyond this many standard errors is bias, and enters the error.
DRIFT_LIMIT = 4.0
#: Two growths next to each other that differ by more than 4² nats over the run, but by less than four of the standard
#: deviations of that difference, fluctuate about each other: a random walk gets there, two exponents that differ do
#: not stay.
SEPARATION = 4.0
#: Replicas from which on Student's law is the normal one.
MANY = 32
#: A start is forgotten when e^(−8) of a distance to it is left; before that the growth still moves towards its limit.
FORGOTTEN = 8.0


@dataclass(frozen=True)
class Plan:
    """First and middle step of a measurement, and the number of steps."""

    start: int
    middle: int
    n_steps: int


@dataclass(frozen=True, eq=False)
class Growth:
    """What was seen of the vectors of all replicas.

    Attributes
    ----------
    halves : ndarray, shape (2, R, k)
        Sums of log growth over the two halves of the measurement.
    lengths : ndarray, shape (2,)
        Steps of each.
    separation : ndarray, shape (R, k − 1)
        Sums over both of the differences from one vector to the next.
    blur : ndarray, shape (R, k)
        Sums over both of bounds for the log of what the tangent map is off by.
    """

    halves: np.ndarray
    lengths: np.ndarray
    separation: np.ndarray
    blur: np.ndarray

    def vanished(self, k: int) -> tuple[int, int]:
        """On how many replicas vector k had vanished by the middle of the measurement, and on how many at its end."""
        gone = np.logical_or.accumulate(np.isneginf(self.halves[:, :, k]), axis=0).sum(axis=1)
        return int(gone[0]), int(gone[1])

    def of(self, replicas: np.ndarray) -> Growth:
        """That of some replicas."""
        return Growth(self.halves[:, replicas], self.lengths, self.separation[replicas], self.blur[replicas])

    def mean(self, k: int) -> np.ndarray:
        """The mean growth per step of vector k, shape (R,)."""
        return self.halves[:, :, k].sum(axis=0) / self.lengths.sum()

    def drift(self, k: int) -> np.ndarray:
        """The mean growth of vector k in the first half less that in the second, shape (R,)."""
        return self.halves[0, :, k] / self.lengths[0] - self.halves[1, :, k] / self.lengths[1]


def planned(epoch: int, cost: float, work: float) -> Plan:
    """The steps of a run of `work` nanoseconds where one takes `cost`, in whole epochs of so many steps."""
    # Hundreds of steps, whatever they cost: below, nothing is measured.
    quarter = max(int(work / cost), FEWEST_STEPS) // (QUARTERS * epoch)
    if quarter == 0:
        raise Undefined(
            f"an epoch of {epoch} steps is too long to follow for the {QUARTERS} epochs that a measurement needs: "
            "give effort='full', larger batches or fewer points"
        )
    return Plan(quarter * epoch, (quarter + 3 * quarter // 2) * epoch, QUARTERS * quarter * epoch)


def replica_cost(dim: int, entries: int, batch_size: int, n_vectors: int = 2) -> float:
    """Estimated nanoseconds that one step of one replica takes, `entries` numbers for each item of its batch."""
    cost = COORDINATE_COST * dim + batch_size * (DRAW_COST + ENTRY_COST * entries)
    if n_vectors <= 2:
        return cost
    return cost + QR_COST + PRODUCT_COST * n_vectors * (COORDINATE_COST * dim + batch_size * entries + n_vectors * dim)


def n_replicas_for(cost: float, n_vectors: int = 2) -> int:
    """The number of replicas where a step of one takes `cost` nanoseconds.

    Raises
    ------
    InvalidInputError
        If the fewest steps take longer than a run may.
    """
    count = REPLICAS if cost < LARGE_STEP else REPLICAS_OF_LARGE_STEPS
    if n_vectors > 2 and FEWEST_STEPS * count * cost > MOST_WORK:
        raise InvalidInputError(
            f"following {n_vectors} tangent vectors would take about {FEWEST_STEPS * count * cost / 1e9:.0f} s or "
            "more: give a smaller k, the number of exponents"
        )
    return count


def follow(tangent: Tangent, blocks: Iterable, plan: Plan) -> Growth:
    """Push the vectors through blocks of draws; ends early where all have vanished or one left the finite numbers."""
    shape = tangent.n_replicas, tangent.n_vectors
    halves, blur = np.zeros((2, *shape)), np.zeros(shape)
    separation = np.zeros((shape[0], shape[1] - 1))
    step = 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for block in blocks:
            grown = [(tangent.advance(rows), tangent.blur) for rows in block]
            logs = np.log([lengths for lengths, _ in grown])  # (step, replica, vector)
            first, second = (np.clip(cut - step, 0, len(block)) for cut in (plan.start, plan.middle))
            halves += logs[first:second].sum(axis=0), logs[second:].sum(axis=0)
            separation -= np.diff(logs[first:], axis=2).sum(axis=0)
            blur += sum((np.log1p(width) for _, width in grown[first:]), start=np.zeros(shape))
            firsts = halves[:, :, 0]
            if np.isneginf(firsts).any(axis=0).all() or np.isnan(firsts).any() or np.isposinf(firsts).any():
                break
            step += len(block)
    return Growth(halves, np.array([plan.middle - plan.start, plan.n_steps - plan.middle]), separation, blur)


def exponents(growth: Growth, settled: int | None = None) -> tuple[Estimate, ...]:
    """The exponents of all vectors, largest first; of states that move for `settled` steps before the measurement.

    The standard error is that of the mean over replicas, of few as wide as Student's law has it. Three kinds of bias
    are added to it where they show: a drift between the two halves of the measurement beyond four of its standard
    errors (directions that align slowly), and half the distance to a neighbour from which an exponent does not separate
    (then the larger and the smaller of two fluctuating growths are measured; all of it where they are in the wrong
    order), both in quadrature; and what the tangent map may be off by. Where states have not forgotten their start,
    what a drift may still come to is added as well. Minus infinity, exact, where a product of linear parts vanished.

    Measured with 300 seeds each, at a tenth of the quick effort, on ten systems with known exponents (products of
    Ginibre and Cauchy matrices, random Fibonacci, Pollicott's pair, least squares on the line, the logistic and the
    Hénon map): the intervals of 95 % held them in 93 to 97 % of the runs.

    Raises
    ------
    NoLawReachedError
        If linear parts exceed the finite numbers.
    """
    halves, total = growth.halves, growth.lengths.sum()
    # What has vanished for one replica vanishes with positive probability, and stays zero.
    vanished = np.logical_or.accumulate(np.isneginf(halves).any(axis=(0, 1)))
    if np.isnan(halves).any() or np.isposinf(halves).any():
        raise NoLawReachedError("products of linear parts leave the finite numbers within one step")
    found = []
    for k in np.flatnonzero(~vanished).tolist():
        mean, drift = growth.mean(k), growth.drift(k)
        error = _error_of_mean(mean, drift)
        if abs(drift.mean()) > DRIFT_LIMIT * _standard_error(drift):
            error = math.hypot(error, float(drift.mean()))
        if settled is not None:
            error = math.hypot(error, _still_to_come(growth, k, settled))
        for pair in range(max(k - 1, 0), min(k + 1, len(vanished) - 1)):
            apart = growth.separation[:, pair]
            if np.isfinite(apart).all():
                error = math.hypot(error, _not_separated(apart) / total)
        error += float(growth.blur[:, k].mean()) / total
        found.append(Estimate.from_mean(float(mean.mean()), error))
    found.sort(key=lambda estimate: -estimate.value)
    return (*found, *(Estimate.of(-math.inf) for _ in range(int(vanished.sum()))))


def _still_to_come(growth: Growth, k: int, settled: int) -> float:
    """What is left of the drift of vector k where the start is not forgotten: it goes on at the rate of the first."""
    rates = growth.mean(0)
    rate = -float(rates.mean())
    if not DRIFT_LIMIT * _standard_error(rates) < rate < FORGOTTEN / settled:
        return 0.0
    drift = growth.drift(k)
    left = math.expm1(-0.5 * rate * float(growth.lengths.sum()))
    return (abs(float(drift.mean())) + _standard_error(drift)) / -left


def _not_separated(apart: np.ndarray) -> float:
    """What the growths of two neighbours may be off by over the run, from their differences on all replicas."""
    mean = float(apart.mean())
    if mean < -DRIFT_LIMIT * _standard_error(apart):
        return -mean  # the one behind grows faster: the first has not found its direction
    fluctuates = len(apart) > 1 and SEPARATION**2 < mean < SEPARATION * apart.std(ddof=1)
    return 0.5 * mean if fluctuates else 0.0


def _error_of_mean(mean: np.ndarray, drift: np.ndarray) -> float:
    """Of few replicas so that 1.96 of it hold the mean in 95 % of the runs, of one from the halves of its path."""
    if (count := len(mean)) >= MANY:
        return _standard_error(mean)
    from scipy.special import stdtrit

    error = _standard_error(mean) if count > 1 else 0.5 * abs(float(drift[0]))
    return error * float(stdtrit(max(count - 1, 1), 0.975)) / QUANTILE


def _standard_error(values: np.ndarray) -> float:
    """NaN of a single value, which no comparison holds for."""
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
