"""The Lyapunov exponent: the growth rate per step of a small difference between two states.

γ = lim (1/n) log‖D(T_ξ1∘…∘T_ξn)‖ along the stationary chain; negative where backward iterates converge (C2).
Exact where one basis makes all linear parts triangular (one dimension, commuting maps, a fixed order); otherwise the
mean log growth of a tangent vector that is renormalised at every step, the first column of a QR iteration.
"""

from __future__ import annotations

import contextlib
import math

import numpy as np

from iterorder.affine.epochs import log_radius_of_cycle
from iterorder.affine.items import Items, affine_items
from iterorder.affine.triangular import common_diagonals
from iterorder.estimate import Estimate
from iterorder.logistic_cycle import exponent_of_logistic_cycle
from iterorder.maps.base import RandomMaps
from iterorder.maps.logistic_regression import LogisticRegressionSGD
from iterorder.sampling import Sampling
from iterorder.step_draws import all_steps, draw_blocks
from iterorder.tangent import Tangent, affine_tangent, logistic_tangent
from iterorder.undefined import Undefined

#: Work of a Monte Carlo run, in nanoseconds of a 3 GHz core: what bounds it is fixed, so that results do not depend
#: on the machine.
WORK = {"quick": 1.0e9, "full": 1.6e10}
#: Costs in the same unit: of a step in Python, of one number of a draw, of one number of a linear part.
STEP_COST, DRAW_COST, ENTRY_COST = 4.0e4, 70.0, 5.0
#: Replicas: enough for a standard error known to 5 %; fewer where a step is all arithmetic, so that more steps fit.
REPLICAS, REPLICAS_OF_LARGE_STEPS = 256, 64
#: Share of the steps before the measurement.
BURN_IN = 0.25
#: A drift between the halves of the measurement beyond this many standard errors is bias, and enters the error.
DRIFT_LIMIT = 4.0


def exact_affine_exponent(sampling: Sampling, items: Items) -> float | None:
    """The exponent of an affine system whose maps one basis makes triangular, or in cyclic order; else None.

    The largest of E log|t_k| over the diagonal entries t_k of the batch means: for commuting symmetric maps over the
    common eigenvectors. A batch in a random order has the law of an independent one, so that reshuffling, whose
    epochs are independent, has the same exponent per step.

    Examples
    --------
    >>> from iterorder.affine.items import affine_items
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


def monte_carlo_exponent(tangent: Tangent, sampling: Sampling, entries: int, *, seed: int, effort: str) -> Estimate:
    """The mean log growth of tangent vectors over replicas that meet the draws of `simulate`.

    Parameters
    ----------
    tangent : Tangent
        States and tangent vectors of `replicas_for` many replicas.
    sampling : Sampling
    entries : int
        Numbers that one state and one item of a draw cost.
    seed : int in [0, 2⁶⁴)
    effort : {"quick", "full"}

    Returns
    -------
    Estimate
        The standard error is that of the mean over replicas; a drift between the two halves of the measurement that
        four of its standard errors do not explain (directions that align slowly) is added in quadrature. Minus
        infinity, exact, where a product of linear parts vanished.

    Raises
    ------
    Undefined
        If the chain leaves the finite numbers.
    """
    replicas = tangent.n_replicas
    cost = STEP_COST + replicas * sampling.batch_size * (DRAW_COST + ENTRY_COST * entries)
    # At least a few epochs or hundreds of steps, whatever they cost.
    n_steps = max(int(WORK[effort] / cost), 400)
    start, middle = int(BURN_IN * n_steps), int((1.0 + BURN_IN) / 2.0 * n_steps)
    halves = np.zeros((2, replicas))
    step = 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for block in draw_blocks(sampling, seed, replicas, n_steps):
            growth = np.empty((len(block), replicas))
            for k, rows in enumerate(block):
                growth[k] = tangent.advance(rows)
            logs = np.log(growth)
            first, second = (np.clip(cut - step, 0, len(block)) for cut in (start, middle))
            halves += logs[first:second].sum(axis=0), logs[second:].sum(axis=0)
            if not np.isfinite(halves).all():
                break
            step += len(block)
    if np.isneginf(logs).any() and not np.isnan(logs).any():
        return Estimate.of(-math.inf)  # a product of linear parts is zero with positive probability, and stays zero
    if not np.isfinite(halves).all():
        raise Undefined("the chain leaves the finite numbers: it has no stationary law along which to measure")
    return _estimate(halves, np.array([middle - start, n_steps - middle]))


def _estimate(halves, lengths) -> Estimate:
    replicas = halves.shape[1]
    means = halves.sum(axis=0) / lengths.sum()
    error = float(means.std(ddof=1)) / math.sqrt(replicas)
    drifts = halves[0] / lengths[0] - halves[1] / lengths[1]
    drift, drift_error = float(drifts.mean()), float(drifts.std(ddof=1)) / math.sqrt(replicas)
    if abs(drift) > DRIFT_LIMIT * drift_error:
        error = math.hypot(error, drift)
    return Estimate.from_mean(float(means.mean()), error)


def replicas_for(entries: int, batch_size: int) -> int:
    """The number of replicas of a Monte Carlo run."""
    return (
        REPLICAS
        if batch_size * (entries * ENTRY_COST + DRAW_COST) * REPLICAS < 10 * STEP_COST
        else REPLICAS_OF_LARGE_STEPS
    )


def lyapunov_exponent(maps: RandomMaps, *, seed: int = 0, effort: str = "quick") -> Estimate:
    """The top Lyapunov exponent per step, for every sampling.

    Parameters
    ----------
    maps : RandomMaps
        `AffineMaps`, `QuadraticSGD`, `LinearRegressionSGD` or `LogisticRegressionSGD`.
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
        return _affine_exponent(maps.sampling_law, items, seed, effort)
    if isinstance(maps, LogisticRegressionSGD):
        return _logistic_exponent(maps, seed, effort)
    raise Undefined(f"no derivative is known for {type(maps).__name__}")


def _affine_exponent(sampling: Sampling, items: Items, seed: int, effort: str) -> Estimate:
    exact = exact_affine_exponent(sampling, items)
    if exact is not None:
        return Estimate.of(exact)
    replicas = replicas_for(items.entries_per_item, sampling.batch_size)
    tangent = affine_tangent(sampling, items, replicas, seed)
    return monte_carlo_exponent(tangent, sampling, items.entries_per_item, seed=seed, effort=effort)


def _logistic_exponent(maps: LogisticRegressionSGD, seed: int, effort: str) -> Estimate:
    law = maps.sampling_law
    if law.kind == "cyclic" or law.batch_size == law.n_items:
        with contextlib.suppress(Undefined):  # a chain without randomness that does not settle is still a chain
            return Estimate.of(exponent_of_logistic_cycle(maps))
    # A state and a vector: twice the numbers of a linear part.
    replicas = replicas_for(2 * maps.dim, law.batch_size)
    tangent = logistic_tangent(maps, replicas, seed)
    return monte_carlo_exponent(tangent, law, 2 * maps.dim, seed=seed, effort=effort)
