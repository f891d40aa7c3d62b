"""The Lyapunov exponent: the growth rate per step of a small difference between two states.

γ = lim (1/n) log‖D(T_ξ1∘…∘T_ξn)‖ along the stationary chain; negative where backward iterates converge (C2).
Exact where one basis makes all linear parts triangular (one dimension, commuting maps, a fixed order); otherwise the
mean log growth of the first of two tangent vectors that a QR iteration follows.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.maps.base import RandomMaps
from iterorder.maps.logistic_regression import LogisticRegressionSGD
from iterorder.maps.optimizer import Optimizer
from iterorder.sampling import Sampling
from iterorder.theory.affine.epochs import log_radius_of_cycle
from iterorder.theory.affine.items import Items, affine_items
from iterorder.theory.affine.law import step_law
from iterorder.theory.affine.moments import SecondMoments
from iterorder.theory.affine.triangular import common_diagonals
from iterorder.theory.logistic_cycle import logistic_cycle
from iterorder.theory.step_draws import all_steps, draw_blocks
from iterorder.theory.tangent import Tangent, affine_tangent, logistic_tangent, optimizer_tangent
from iterorder.theory.undefined import NoLawReachedError, NoMinimizerError, Undefined

#: Work of a Monte Carlo run, in estimated nanoseconds: fixed beforehand, so that a result depends on the maps, the seed
#: and the effort alone.
WORK = {"quick": 1.0e9, "full": 1.6e10}
#: Estimated nanoseconds of a step in NumPy, and for each replica of one coordinate of its state, of drawing an item,
#: and of one number of an item.
STEP_COST, COORDINATE_COST, DRAW_COST, ENTRY_COST = 1.0e5, 30.0, 150.0, 4.0
#: Replicas: enough for a standard error known to 5 %; fewer where a step is all arithmetic, so that more steps fit.
REPLICAS, REPLICAS_OF_LARGE_STEPS, LARGE_STEP = 256, 64, 4.0e3
#: The measurement starts after the first quarter of the steps; the orders by epoch are cut at epoch ends.
QUARTERS = 4
#: A drift between the halves of the measurement beyond this many standard errors is bias, and enters the error.
DRIFT_LIMIT = 4.0
#: Two leading growths that differ by more than 4² nats over the run, but by less than four of the standard deviations
#: of that difference, fluctuate about each other: a random walk gets there, two exponents that differ do not stay.
SEPARATION = 4.0


def exact_affine_exponent(sampling: Sampling, items: Items) -> float | None:
    """The exponent of an affine system whose maps one basis makes triangular, or in cyclic order; else None.

    The largest of E log|t_k| over the diagonal entries t_k of the batch means: for commuting symmetric maps over the
    common eigenvectors. A batch in a random order has the law of an independent one, so that reshuffling, whose
    epochs are independent, has the same exponent per step.

    Examples
    --------
    >>> from iterorder.theory.affine.items import affine_items
    >>> from iterorder.maps import QuadraticSGD
    >>> maps = QuadraticSGD([1.0, 3.0], [0.0, 0.0], 0.5)
    >>> exact_affine_exponent(maps.sampling_law, affine_items(maps)) / math.log(0.5)  # |a| = ½ twice
    1.0
    """
    if sampling.kind == "cyclic":
        return log_radius_of_cycle(sampling, items) / sampling.batches_per_epoch
    if items.equal:
        rows, weights = np.zeros((1, 1), int), np.ones(1)
        items = items.select(slice(0, 1))
    else:
        listed = all_steps(sampling)
        if listed is None:
            return None
        rows, weights = listed
    diagonals = common_diagonals(items)
    if diagonals is None:
        return None
    return float((weights @ diagonals.batch_means(rows).log_moduli()).max())


def monte_carlo_exponent(tangent: Tangent, sampling: Sampling, cost: float, *, seed: int, effort: str) -> Estimate:
    """The mean log growth of tangent vectors over replicas that meet the draws of `simulate`.

    Parameters
    ----------
    tangent : Tangent
        States and tangent vectors of the replicas.
    sampling : Sampling
    cost : float
        Estimated nanoseconds of one step of one replica: it sets the number of steps.
    seed : int in [0, 2⁶⁴)
    effort : {"quick", "full"}

    Returns
    -------
    Estimate
        The standard error is that of the mean over replicas. Two kinds of bias are added to it in quadrature where
        they show: a drift between the two halves of the measurement beyond four of its standard errors (directions
        that align slowly), and half the distance to the second exponent where the two do not separate (then the
        larger of two fluctuating growths is measured, and their mean is a lower bound).
        Minus infinity, exact, where a product of linear parts vanished.

    Raises
    ------
    Undefined
        If linear parts exceed the finite numbers, or an epoch has more than a quarter of the steps.
    """
    replicas = tangent.n_replicas
    start, middle, n_steps = _plan(sampling, STEP_COST + replicas * cost, WORK[effort])
    halves = np.zeros((2, replicas))
    separation = np.zeros(replicas)
    step = 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for block in draw_blocks(sampling, seed, replicas, n_steps):
            logs = np.log([tangent.advance(rows) for rows in block])  # (step, replica, vector)
            first, second = (np.clip(cut - step, 0, len(block)) for cut in (start, middle))
            halves += logs[first:second, :, 0].sum(axis=0), logs[second:, :, 0].sum(axis=0)
            separation += (logs[first:, :, 0] - logs[first:, :, -1]).sum(axis=0)
            if not np.isfinite(halves).all():
                break
            step += len(block)
    if np.isneginf(halves).any() and not np.isnan(halves).any():
        return Estimate.of(-math.inf)  # a product of linear parts is zero with positive probability, and stays zero
    if not np.isfinite(halves).all():
        raise NoLawReachedError("products of linear parts leave the finite numbers within one step")
    return _estimate(halves, np.array([middle - start, n_steps - middle]), separation)


def _plan(sampling: Sampling, cost: float, work: float) -> tuple[int, int, int]:
    """First and middle step of the measurement, and the number of steps."""
    epoch = sampling.batches_per_epoch if sampling.kind == "reshuffle" else 1
    # Hundreds of steps, whatever they cost: below, nothing is measured.
    quarter = max(int(work / cost), 400) // (QUARTERS * epoch)
    if quarter == 0:
        raise Undefined(
            f"an epoch of {epoch} steps is too long to follow for the {QUARTERS} epochs that a measurement needs: "
            "give effort='full', larger batches or fewer points"
        )
    return quarter * epoch, (quarter + 3 * quarter // 2) * epoch, QUARTERS * quarter * epoch


def _estimate(halves, lengths, separation) -> Estimate:
    replicas = halves.shape[1]
    means = halves.sum(axis=0) / lengths.sum()
    error = float(means.std(ddof=1)) / math.sqrt(replicas)
    drifts = halves[0] / lengths[0] - halves[1] / lengths[1]
    drift, drift_error = float(drifts.mean()), float(drifts.std(ddof=1)) / math.sqrt(replicas)
    if abs(drift) > DRIFT_LIMIT * drift_error:
        error = math.hypot(error, drift)
    if np.isfinite(separation).all() and SEPARATION**2 < separation.mean() < SEPARATION * separation.std(ddof=1):
        error = math.hypot(error, 0.5 * float(separation.mean()) / lengths.sum())
    return Estimate.from_mean(float(means.mean()), error)


def replica_cost(dim: int, entries: int, batch_size: int) -> float:
    """Estimated nanoseconds that one step of one replica takes, `entries` numbers for each item of its batch."""
    return COORDINATE_COST * dim + batch_size * (DRAW_COST + ENTRY_COST * entries)


def lyapunov_exponent(maps: RandomMaps, *, seed: int = 0, effort: str = "quick") -> Estimate:
    """The top Lyapunov exponent per step, for every sampling.

    Parameters
    ----------
    maps : RandomMaps
        `AffineMaps`, `QuadraticSGD`, `LinearRegressionSGD`, `LogisticRegressionSGD`, or an `Optimizer` of constant step
        size around one of these.
    seed : int in [0, 2⁶⁴)
        Of the Monte Carlo run: it meets the draws that `simulate` makes with this seed.
    effort : {"quick", "full"}
        About one second, or sixteen times the steps.

    Returns
    -------
    Estimate
        Exact in one dimension, for commuting maps (with batches: up to 5040 of them) and in cyclic order.

    Raises
    ------
    Undefined
        If the chain has no stationary law along which to measure.

    Examples
    --------
    >>> from iterorder.maps import gallery
    >>> str(lyapunov_exponent(gallery.sierpinski())), math.log(0.5)
    ('-0.693147', -0.6931471805599453)
    """
    items = affine_items(maps)
    if items is not None:
        return affine_exponent(maps.sampling_law, items, seed=seed, effort=effort)
    if isinstance(maps, LogisticRegressionSGD):
        return _logistic_exponent(maps, seed, effort)
    if isinstance(maps, Optimizer) and isinstance(maps.maps, LogisticRegressionSGD):
        return _optimizer_exponent(maps, seed, effort)
    raise Undefined(f"no derivative is known for {type(maps).__name__}")


def affine_exponent(
    sampling: Sampling, items: Items, *, seed: int, effort: str, moments: SecondMoments | None = None
) -> Estimate:
    """`lyapunov_exponent` of affine maps; `moments` of one step, where they are there already, save their making."""
    exact = exact_affine_exponent(sampling, items)
    if exact is not None:
        return Estimate.of(exact)
    cost = replica_cost(items.dim, items.entries_per_item, sampling.batch_size)
    moments = SecondMoments(step_law(sampling, items)) if moments is None else moments
    tangent = affine_tangent(items, moments, _replicas(cost), seed)
    return monte_carlo_exponent(tangent, sampling, cost, seed=seed, effort=effort)


def _logistic_exponent(maps: LogisticRegressionSGD, seed: int, effort: str) -> Estimate:
    law = maps.sampling_law
    shrink = 1.0 - maps.step_size * maps.ridge
    if maps.ridge and abs(shrink) >= 1.0:
        raise NoLawReachedError(
            f"no stationary law is reached: far out every map multiplies by 1 − h·ridge = {shrink:.6g}"
        )
    if law.kind == "cyclic" or law.batch_size == law.n_items:
        with contextlib.suppress(Undefined):  # a chain without randomness that does not settle is still a chain
            return Estimate.of(logistic_cycle(maps).exponent)
    return _along_chain(lambda replicas: logistic_tangent(maps, replicas, seed), maps, maps.dim, seed, effort)


def _optimizer_exponent(maps: Optimizer, seed: int, effort: str) -> Estimate:
    losses, h = maps.maps, float(maps.step_sizes[0])
    assert isinstance(losses, LogisticRegressionSGD)
    pull = losses.ridge + maps.weight_decay
    far_out = np.array([[1.0 - h * pull, -h * maps.momentum], [losses.ridge, maps.momentum]])
    radius = float(np.abs(np.linalg.eigvals(far_out)).max())
    if pull and radius >= 1.0:
        raise NoLawReachedError(
            f"no stationary law is reached: far out every map multiplies by a factor of {radius:.6g}"
        )
    return _along_chain(lambda replicas: optimizer_tangent(maps, replicas, seed), maps, losses.dim, seed, effort)


def _along_chain(
    tangent_of: Callable[[int], Tangent], maps: RandomMaps, entries: int, seed: int, effort: str
) -> Estimate:
    """By Monte Carlo, from a start that needs a minimiser; `entries` numbers for each item."""
    cost = replica_cost(maps.dim, entries, maps.sampling_law.batch_size)
    try:
        tangent = tangent_of(_replicas(cost))
    except InvalidInputError as error:
        raise NoMinimizerError(f"no stationary law is known: {error}") from None
    return monte_carlo_exponent(tangent, maps.sampling_law, cost, seed=seed, effort=effort)


def _replicas(cost: float) -> int:
    return REPLICAS if cost < LARGE_STEP else REPLICAS_OF_LARGE_STEPS
