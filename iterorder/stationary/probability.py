"""Certificates that hold with probability 1 − δ, from moments: by Markov's inequality for ‖Z_n − Z‖^p.

Given ξ_1 … ξ_n the rest of the limit is a fresh draw Z' from the stationary law. So ‖Z_n − Z‖ is at most
∏Lip(T_ξk)·‖x0 − Z'‖, and ‖x0 − Z'‖_p ≤ ‖T(x0) − x0‖_p/(1 − r_p). For affine maps E‖Z_n − Z‖² is even known: it is the
trace of Lⁿ(M) with L(C) = E[A C Aᵀ] and M = E(Z − x0)(Z − x0)ᵀ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import singledispatch
from typing import NamedTuple

import numpy as np
import scipy.linalg

from iterorder.lengths import euclidean_norm, scale_of
from iterorder.maps import CustomMaps, GaussianRegressionSGD, RandomMaps
from iterorder.noise import MAX_REPLICAS
from iterorder.progress import Report
from iterorder.rounding import geometric_growth
from iterorder.sampling import FreshNoise
from iterorder.stationary.mean_square_growth import mean_square_growth, step_terms
from iterorder.stationary.products import epoch_of
from iterorder.theory.affine.epochs import epoch_law
from iterorder.theory.affine.items import affine_items
from iterorder.theory.affine.law import step_law
from iterorder.theory.affine.mean import fixed_point_of_mean
from iterorder.theory.affine.moments import SecondMoments
from iterorder.theory.contraction import lipschitz_constants
from iterorder.theory.gaussian import GaussianAnalysis
from iterorder.theory.undefined import Undefined

# Draws from which moments of fresh noise are estimated, and standard errors that are added to the estimates.
DRAWS, MARGIN = 20_000, 6.0
# A single draw that makes up this share of the sum of squares of what is averaged shows a tail too heavy to estimate.
HEAVY = 0.05
#: Powers whose moments are exact sums over finitely many maps, and those that are estimated from draws.
EXACT_POWERS, ESTIMATED_POWERS = (1.0, 2.0, 4.0, 8.0, 16.0), (1.0, 2.0)
# Applications of the second-moment operator after which its decay is bounded by a geometric one.
FEW, MANY = 64, 4096
EPS = float(np.finfo(np.float64).eps)
# What squares of distances may lose where they leave the range of floating point: the squares of numbers below 10⁻¹⁴⁰.
LOST = 1e-280


class Flow(NamedTuple):
    """Second moments of an affine system: C → E[A C Aᵀ] of one epoch, M = E(Z − x0)(Z − x0)ᵀ, and how fast they decay.

    `decay` is the mean-square contraction of an epoch, the root of the spectral radius of that operator; 0 if unknown.
    `work` is the number of multiplications of an application, and `growth` what is left of rounding, see `rounding_of`.
    """

    apply: Callable[[np.ndarray], np.ndarray]
    start: np.ndarray
    decay: float = 0.0
    work: float = 0.0
    growth: float = math.inf


@singledispatch
def second_moment_flow(maps: RandomMaps, x0: np.ndarray) -> Flow:
    """The flow of a mean-square stable affine system; raises Undefined where there is none."""
    items = affine_items(maps)
    if items is None:
        raise Undefined("the maps are not affine")
    one_step = step_law(maps.sampling_law, items)
    law = one_step if epoch_of(maps) == 1 else epoch_law(maps.sampling_law, items)
    moments = SecondMoments(law)
    if moments.stable is not True:
        raise Undefined("the system is not mean-square stable")
    mean = fixed_point_of_mean(law)
    with np.errstate(over="ignore", invalid="ignore"):
        covariance = moments.covariance()
    decay, work = math.sqrt(1.0 + moments.excess), items.n_items * items.entries_per_item * maps.dim
    flow = _flow(lambda c: c + moments.apply_often(c), covariance, (mean - x0).rounded, decay, work)
    states = np.abs(x0) + np.sqrt(np.diag(flow.start))
    terms = step_terms(one_step, states)
    return flow._replace(growth=mean_square_growth(moments, terms) / float(euclidean_norm(states)))


@second_moment_flow.register
def _(maps: GaussianRegressionSGD, x0: np.ndarray) -> Flow:
    system = GaussianAnalysis(maps, 0, "quick")
    decay = math.sqrt(system.mean_square_radius().value)
    flow = _flow(system.mean_square, system.covariance(), x0, decay, maps.dim**2)
    return flow._replace(growth=maps.dim**0.25 * geometric_growth(decay))  # the operator is symmetric


def _flow(apply, covariance: np.ndarray, offset: np.ndarray, decay: float, work: float) -> Flow:
    """From the covariance of the law, and its mean less x0."""
    with np.errstate(over="ignore"):
        start = covariance + np.outer(offset, offset) + LOST * np.eye(len(offset))
    if not np.isfinite(start).all():
        raise Undefined("the second moments about x0 exceed the range of floating point")
    return Flow(_from_above(apply), start, decay, work)


def _from_above(apply):
    """The operator with its rounding, of at most some 8d roundings of numbers of the size of the trace, put on top.

    So the images stay semidefinite, and are upper bounds in that order, which the operator keeps.
    """

    def bounded(c):
        d = len(c)
        image = apply(c)
        return 0.5 * (image + image.T) + 8.0 * d * EPS * max(float(np.trace(c)), 0.0) * np.eye(d)

    return bounded


def expected_epochs(flow: Flow, target: float) -> float:
    """About how many epochs `epochs_to` will find, from the decay of the slowest moments; inf where it is not known."""
    if not 0.0 < flow.decay < 1.0 or target < LOST:
        return math.inf
    return max(math.log(float(np.trace(flow.start)) / target), 0.0) / (-2.0 * math.log(flow.decay))


def applications(flow: Flow, target: float, most: int) -> float:
    """About how often `epochs_to` will apply the operator: as far as it goes, and once more over half the way."""
    n = min(expected_epochs(flow, target), most, MANY)
    return n if n < FEW else 1.5 * n


def epochs_to(flow: Flow, target: float, most: int, report: Report | None = None) -> tuple[int, float]:
    """The epochs n after which E‖Z_n − Z‖² = tr Lⁿ(M) is at most `target`, and a bound of it there.

    From some j on the decay is bounded by a geometric one: if L^j(Y) ≤ q·Y in the semidefinite order, which L keeps,
    for a Y ≥ L^j(M), then tr L^(jk)(Y) ≤ q^k·tr Y. Y is L^j(M) with a small multiple of the identity, so that it has an
    inverse. A known decay spares applications that would not be enough. `report` takes the finished share.

    Raises
    ------
    Undefined
        If more than `most` are needed, or the target is too small for squares.
    """
    if target < LOST:
        raise Undefined("squares of the tolerance are below the range of floating point")
    current, n, half, dust = flow.start, 0, flow.start, np.eye(len(flow.start))
    planned, done = max(applications(flow, target, most), 1.0), 0

    def apply(c: np.ndarray) -> np.ndarray:
        nonlocal done
        done += 1
        if report is not None:
            report(done / planned)
        return flow.apply(c)

    while np.trace(current) > target:
        if n >= most:
            break
        if n in (FEW // 2, MANY // 2):
            half = current
        if n in (FEW, MANY):
            found = _geometric(half, current, _repeated(apply, dust, n // 2), n // 2, target)
            if found is not None and found[0] <= most:
                return found
            if n == MANY and _hopeless(half, current, n, flow.decay, target, most):
                break
        current = apply(current)
        n += 1
    else:
        return n, float(np.trace(current))
    raise Undefined(f"the second moments are still above the tolerance after {most} steps")


def _hopeless(half, current, n: int, decay: float, target: float, most: int) -> bool:
    """Whether neither the latest pace nor that of the slowest moments, each taken twice, leads to `target`."""
    if decay == 0.0:
        return False
    pace = max(math.log(np.trace(half) / np.trace(current)) / (n / 2), -2.0 * math.log(decay))
    return 2.0 * pace * (most - n) < math.log(np.trace(current) / target)


def _repeated(apply, c, times: int) -> np.ndarray:
    for _ in range(times):
        c = apply(c)
    return c


def _geometric(half, current, dust, j: int, target: float) -> tuple[int, float] | None:
    """n and a bound there, from X = L^j(M), L^j(X) and L^j(I); None where nothing decays."""
    size = float(np.trace(half)) / len(half)
    floor = math.sqrt(EPS) * size  # an inverse to half the digits
    y, image = half + floor * np.eye(len(half)), current + floor * dust
    try:
        q = float(scipy.linalg.eigh(image, y, eigvals_only=True)[-1]) * (1.0 + math.sqrt(EPS))
    except np.linalg.LinAlgError:
        return None
    if not 0.0 < q < 1.0:
        return None
    blocks = max(1, math.ceil(math.log(target / np.trace(y)) / math.log(q)))
    return j * (1 + blocks), float(np.trace(y)) * q**blocks


class MeanContraction(NamedTuple):
    """‖Z_n − Z‖ ≤ ∏Lip·distance but for the probability asked for; r_p, and a mean distance of x0 from the law."""

    distance: float
    contraction: float
    size: float


def mean_contraction(maps: RandomMaps, x0: np.ndarray, probability: float, seed: int) -> MeanContraction:
    """The best distance over some powers p.

    For finitely many maps drawn independently the moments are sums, and exact; with batches those of single items,
    which are larger. For fresh noise they are estimated from draws and taken six standard errors above the estimates,
    for p ≤ 2, and only where no draw shows a heavy tail.

    Raises
    ------
    Undefined
        If no mean contraction r_p is known to be below one.
    """
    law = maps.sampling_law
    if isinstance(law, FreshNoise):
        assert isinstance(maps, CustomMaps), "the bounds of other fresh maps are not known"
        moves, constants = _of_draws(maps, x0, seed)
        mean, powers = _upper_mean, ESTIMATED_POWERS
    else:
        if law.kind != "iid" or maps.lipschitz_max is None:
            raise Undefined("the maps of an epoch are not independent, or their constants not known")
        moves = euclidean_norm(maps.images(x0) - x0)
        constants = lipschitz_constants(maps, np.arange(law.n_items)[:, None])
        mean, powers = (lambda values: float(law.weights @ values)), EXACT_POWERS
    best, best_contraction = math.inf, math.nan
    unit = float(scale_of(moves.max()))  # powers neither overflow nor vanish
    for p in powers:
        with np.errstate(over="ignore"):
            contraction = mean(constants**p) ** (1.0 / p)
        move = unit * mean((moves / unit) ** p) ** (1.0 / p)
        # In logarithms: a probability of 1e−300 is a factor of 1e300 for p = 1.
        if contraction < 1.0 and move > 0.0:
            log_distance = math.log(move) - math.log1p(-contraction) - math.log(probability) / p
            if log_distance < best:
                best, best_contraction = log_distance, contraction
        elif contraction < 1.0:
            best, best_contraction = -math.inf, contraction
    if math.isnan(best_contraction):
        raise Undefined("no mean contraction r_p is known to be below one")
    distance = math.exp(min(best, 700.0))
    return MeanContraction(distance, best_contraction, float(moves.mean()) / (1.0 - best_contraction))


def _of_draws(maps: CustomMaps, x0: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """‖T(x0) − x0‖ and Lip(T) of fresh draws, those of the last replica of the counter: no sample sees its noise."""
    from iterorder.kernels.cpu.images import images_of, words_of

    replica = MAX_REPLICAS - 1
    words = words_of(maps.sampling_law, seed, np.array([replica]), 0, DRAWS)[:, :, 0].T
    images = images_of(maps.form())(np.broadcast_to(x0, (DRAWS, 1, maps.dim)), words)[:, 0]
    if not callable(maps.lipschitz_bound):
        constants = np.full(DRAWS, maps.lipschitz_bound, np.float64)
    else:
        assert isinstance(maps.sampling_law, FreshNoise)
        draws = maps.sampling_law.draws(seed, replica, np.arange(DRAWS))
        constants = np.array([maps.lipschitz(draw) for draw in draws], np.float64)
    return euclidean_norm(images - x0), constants


def _upper_mean(values) -> float:
    """The mean and six standard errors; infinite where one value decides."""
    if values.min() == values.max():
        return float(values[0])
    squares = values**2
    if not squares.max() < HEAVY * squares.sum():
        return math.inf
    return float(values.mean() + MARGIN * values.std(ddof=1) / math.sqrt(len(values)))
