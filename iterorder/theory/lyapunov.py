"""Lyapunov exponents: the growth rates per step of small differences between states, and of volumes.

γ = lim (1/n) log‖D(T_ξ1∘…∘T_ξn)‖ along the stationary chain; negative where backward iterates converge (C2).
Exact where one basis makes all linear parts triangular (one dimension, commuting maps, a fixed order); otherwise the
mean log growth of the first of two tangent vectors that a QR iteration follows. The whole spectrum follows as many.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from functools import partial, singledispatch

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.maps.base import RandomMaps
from iterorder.maps.custom import CustomMaps
from iterorder.maps.optimizer import Optimizer
from iterorder.maps.rows import RowMaps
from iterorder.sampling import Sampling
from iterorder.theory.affine.epochs import log_radius_of_cycle
from iterorder.theory.affine.items import DenseItems, Items, affine_items
from iterorder.theory.affine.law import step_law
from iterorder.theory.affine.moments import SecondMoments
from iterorder.theory.custom import custom_spectrum
from iterorder.theory.growth import STEP_COST, WORK, Growth, exponents, follow, n_replicas_for, planned, replica_cost
from iterorder.theory.row_cycle import only_cycle
from iterorder.theory.settled_paths import (
    SeveralGrowthsError,
    may_have_several_laws,
    refuse_several_growths,
    settled,
    steps_to_settle,
)
from iterorder.theory.spectrum import exact_affine_spectrum, triangular_spectrum
from iterorder.theory.step_draws import draw_blocks
from iterorder.theory.tangent import (
    OptimizerTangent,
    RowTangent,
    Tangent,
    affine_tangent,
    generator,
    optimizer_tangent,
    row_tangent,
)
from iterorder.theory.undefined import NoLawReachedError, NoMinimizerError, Undefined

#: A run that tells slow paths of one law from several laws is so many times as long.
LONGER = 4
#: Squares of numbers between this and its inverse are numbers, and so are sums of them.
SQUARED = 2.0**-400


def exact_affine_exponent(sampling: Sampling, items: Items) -> float | None:
    """The exponent of an affine system whose maps one basis makes triangular, or in cyclic order; else None.

    The largest of E log|t_k| over the diagonal entries t_k of the batch means: for commuting symmetric maps over the
    common eigenvectors. A batch in a random order has the law of an independent one, so that reshuffling, whose
    epochs are independent, has the same exponent per step.

    Examples
    --------
    >>> import math
    >>> from iterorder.theory.affine.items import affine_items
    >>> from iterorder.maps import QuadraticSGD
    >>> maps = QuadraticSGD([1.0, 3.0], [0.0, 0.0], 0.5)
    >>> exact_affine_exponent(maps.sampling_law, affine_items(maps)) / math.log(0.5)  # |a| = ½ twice
    1.0
    """
    if sampling.kind == "cyclic":
        return log_radius_of_cycle(sampling, items) / sampling.batches_per_epoch
    found = triangular_spectrum(sampling, items)
    return None if found is None else float(found[0])


def monte_carlo_spectrum(
    tangent: Tangent, sampling: Sampling, cost: float, *, seed: int, effort: str
) -> tuple[Estimate, ...]:
    """The mean log growths of tangent vectors over replicas that meet the draws of `simulate`.

    Parameters
    ----------
    tangent : Tangent
        States and tangent vectors of the replicas.
    sampling : Sampling
        How a step draws its items.
    cost : float
        Estimated nanoseconds of one step of one replica: it sets the number of steps.
    seed : int in [0, 2⁶⁴)
        The key of the draws.
    effort : {"quick", "full"}
        "full" takes sixteen times the steps.

    Returns
    -------
    tuple of Estimate
        `growth.exponents`, largest first, which says what their errors hold.

    Raises
    ------
    Undefined
        If linear parts exceed the finite numbers, or an epoch has more than a quarter of the steps.
    """
    return exponents(grown(tangent, sampling, cost, seed=seed, work=WORK[effort]))


def _steps_of_a_block(sampling: Sampling) -> int:
    """Those that a run is cut at: of an epoch, unless steps are independent."""
    return 1 if sampling.kind == "iid" else sampling.batches_per_epoch


def grown(tangent: Tangent, sampling: Sampling, cost: float, *, seed: int, work: float) -> Growth:
    """The log growths of which that is the mean, for about so many nanoseconds."""
    plan = planned(_steps_of_a_block(sampling), STEP_COST + tangent.n_replicas * cost, work)
    return follow(tangent, draw_blocks(sampling, seed, tangent.n_replicas, plan.n_steps), plan)


def lyapunov_exponent(maps: RandomMaps, *, seed: int = 0, effort: str = "quick", backend: str = "cpu") -> Estimate:
    """The top Lyapunov exponent per step, for every sampling.

    Parameters
    ----------
    maps : RandomMaps
        `AffineMaps`, `QuadraticSGD`, SGD on a loss of a linear model of known curvature, an `Optimizer` of constant
        step size around one of these, or `CustomMaps`, whose derivative is seen in differences.
    seed : int in [0, 2⁶⁴)
        Of the Monte Carlo run: it meets the draws that `simulate` makes with this seed.
    effort : {"quick", "full"}
        About one second, or sixteen times the steps.
    backend : str
        What simulates the paths that `CustomMaps` are followed along.

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
    >>> import math
    >>> from iterorder.maps import gallery
    >>> str(lyapunov_exponent(gallery.sierpinski())), math.log(0.5)
    ('-0.693147', -0.6931471805599453)
    """
    items = affine_items(maps)
    if items is not None:
        return affine_exponent(maps.sampling_law, items, seed=seed, effort=effort)
    return lyapunov_spectrum(maps, 1, seed=seed, effort=effort, backend=backend)[0]


def lyapunov_spectrum(
    maps: RandomMaps, k: int, *, seed: int = 0, effort: str = "quick", backend: str = "cpu"
) -> tuple[Estimate, ...]:
    """The k largest exponents of maps whose derivative is known: their sums are the growth rates of volumes.

    Exact where the exponent is. By Monte Carlo the errors are those of each for itself: an exponent that does not
    separate from its neighbour is a lower or an upper bound, with half their distance in its error.

    Raises
    ------
    Undefined
        If the chain has no stationary law along which to measure, or the family no derivative.
    InvalidInputError
        If k vectors are too many to follow.

    Examples
    --------
    >>> import math
    >>> from iterorder.maps import AffineMaps
    >>> shear = AffineMaps([[[0.5, 1.0], [0.0, 0.25]]], [[0.0, 0.0]])
    >>> [str(found) for found in lyapunov_spectrum(shear, 2)], math.log(0.5), math.log(0.25)
    (['-0.693147', '-1.38629'], -0.6931471805599453, -1.3862943611198906)
    """
    items = affine_items(maps)
    if items is not None:
        return affine_spectrum(maps.sampling_law, items, k, seed=seed, effort=effort)
    return _spectrum(maps, k, seed, effort, backend)


@singledispatch
def _spectrum(maps: RandomMaps, k: int, seed: int, effort: str, backend: str) -> tuple[Estimate, ...]:
    """`lyapunov_spectrum` of maps that are not affine: a kind whose derivative is known has a row here."""
    raise Undefined(f"no derivative is known for {type(maps).__name__}")


def affine_exponent(
    sampling: Sampling, items: Items, *, seed: int, effort: str, moments: SecondMoments | None = None
) -> Estimate:
    """`lyapunov_exponent` of affine maps; `moments` of one step, where they are there already, save their making."""
    exact = exact_affine_exponent(sampling, items)
    if exact is not None:
        return Estimate.of(exact)
    return _affine_chain(sampling, items, 1, seed, effort, moments)[0]


def affine_spectrum(
    sampling: Sampling, items: Items, k: int, *, seed: int, effort: str, moments: SecondMoments | None = None
) -> tuple[Estimate, ...]:
    """`lyapunov_spectrum` of affine maps."""
    exact = exact_affine_spectrum(sampling, items)
    if exact is not None:
        return tuple(Estimate.of(value) for value in exact[:k])
    return _affine_chain(sampling, items, k, seed, effort, moments)


def _affine_chain(
    sampling: Sampling, items: Items, k: int, seed: int, effort: str, moments: SecondMoments | None
) -> tuple[Estimate, ...]:
    own_unit, log_unit = _in_own_unit(items)
    if log_unit != 0.0:
        return tuple(_moved(found, log_unit) for found in _affine_chain(sampling, own_unit, k, seed, effort, None))
    n_vectors = min(k + 1, items.dim)
    cost = replica_cost(items.dim, items.entries_per_item, sampling.batch_size, n_vectors)
    moments = SecondMoments(step_law(sampling, items)) if moments is None else moments
    tangent = affine_tangent(items, moments, n_replicas_for(cost, n_vectors), seed, n_vectors)
    return monte_carlo_spectrum(tangent, sampling, cost, seed=seed, effort=effort)[:k]


def _in_own_unit(items: Items) -> tuple[Items, float]:
    """Linear parts whose squares are numbers, and the log of what they were divided by: exponents are moved by it.

    Raises
    ------
    Undefined
        If some are so much smaller than others that they have no common unit.
    """
    if not isinstance(items, DenseItems):
        return items, 0.0
    sizes = np.abs(items.linear_parts).max(axis=(1, 2))
    largest, smallest = float(sizes.max()), float(sizes[sizes > 0.0].min(initial=np.inf))
    if largest == 0.0 or SQUARED <= smallest <= largest <= 1.0 / SQUARED:
        return items, 0.0
    if smallest < SQUARED * largest:
        raise Undefined(
            f"linear parts of sizes from {smallest:.3g} to {largest:.3g} exceed the range of floating point"
        )
    exponent = math.frexp(largest)[1]
    parts = np.ldexp(items.linear_parts, -exponent)
    return DenseItems(parts - np.eye(items.dim), items.offsets, parts), exponent * math.log(2.0)


def _moved(found: Estimate, by: float) -> Estimate:
    """An exponent of maps that are larger by a factor."""
    return Estimate(found.value + by, found.standard_error, found.low + by, found.high + by, found.exact)


@_spectrum.register
def _(maps: CustomMaps, k: int, seed: int, effort: str, backend: str) -> tuple[Estimate, ...]:
    return custom_spectrum(maps, k, seed=seed, effort=effort, backend=backend)


@_spectrum.register
def _(maps: RowMaps, k: int, seed: int, effort: str, backend: str) -> tuple[Estimate, ...]:
    _check_curvature(maps)
    law = maps.sampling_law
    shrink = 1.0 - maps.step_size * maps.ridge
    if maps.loss.bounded and maps.ridge and abs(shrink) >= 1.0:
        raise NoLawReachedError(
            f"no stationary law is reached: far out every map multiplies by 1 − h·ridge = {shrink:.6g}"
        )
    if law.kind == "cyclic" or law.batch_size == law.n_items:
        with contextlib.suppress(Undefined):  # a chain without randomness that does not settle is still a chain
            cycle = only_cycle(maps, seed=seed, backend=backend)
            return tuple(Estimate.of(value) for value in (cycle.exponent, *cycle.spectrum[1:])[:k])
    if may_have_several_laws(maps, maps.step_size):
        return _along_settled_paths(partial(RowTangent, maps), maps, maps.dim, k, seed, effort, backend)
    return _along_chain(partial(row_tangent, maps), maps, maps.dim, k, seed, effort)


@_spectrum.register
def _(maps: Optimizer, k: int, seed: int, effort: str, backend: str) -> tuple[Estimate, ...]:
    losses, h = maps.maps, float(maps.step_sizes[0])
    if not isinstance(losses, RowMaps):  # of a schedule, which is analysed no further
        raise Undefined(f"no derivative is known for {type(maps).__name__}")
    _check_curvature(losses)
    pull = losses.ridge + maps.weight_decay
    far_out = np.array([[1.0 - h * pull, -h * maps.momentum], [losses.ridge, maps.momentum]])
    radius = float(np.abs(np.linalg.eigvals(far_out)).max())
    if losses.loss.bounded and pull and radius >= 1.0:
        raise NoLawReachedError(
            f"no stationary law is reached: far out every map multiplies by a factor of {radius:.6g}"
        )
    if may_have_several_laws(losses, h):
        return _along_settled_paths(partial(OptimizerTangent, maps), maps, losses.dim, k, seed, effort, backend)
    return _along_chain(partial(optimizer_tangent, maps), maps, losses.dim, k, seed, effort)


def _check_curvature(maps: RowMaps) -> None:
    if not maps.loss.has("curvature"):
        raise Undefined(f"no curvature of the loss {maps.loss!r} is known: give curvature= to Loss")


def _along_chain(
    tangent_of: Callable[[int, int, int], Tangent], maps: RandomMaps, entries: int, k: int, seed: int, effort: str
) -> tuple[Estimate, ...]:
    """By Monte Carlo, from a start that needs a minimiser; `entries` numbers for each item."""
    n_vectors = min(k + 1, maps.dim)
    cost = replica_cost(maps.dim, entries, maps.sampling_law.batch_size, n_vectors)
    replicas = n_replicas_for(cost, n_vectors)
    try:
        tangent = tangent_of(replicas, seed, n_vectors)
    except InvalidInputError as error:
        raise NoMinimizerError(f"no stationary law is known: {error}") from None
    return monte_carlo_spectrum(tangent, maps.sampling_law, cost, seed=seed, effort=effort)[:k]


def _along_settled_paths(
    tangent_at: Callable[[np.ndarray, np.ndarray], Tangent],
    maps: RandomMaps,
    entries: int,
    k: int,
    seed: int,
    effort: str,
    backend: str,
) -> tuple[Estimate, ...]:
    """By Monte Carlo, where there may be several laws: from several starts, which must agree."""
    n_vectors = min(k + 1, maps.dim)
    cost = replica_cost(maps.dim, entries, maps.sampling_law.batch_size, n_vectors)
    replicas, random = n_replicas_for(cost, n_vectors), generator(seed)
    epoch = _steps_of_a_block(maps.sampling_law)
    steps = -(-steps_to_settle(replicas, cost, effort) // epoch) * epoch
    before = (seed + 1) % 2**64  # other draws than those of the measurement, of which the states must be independent
    states, _ = settled(maps, replicas, before, steps, random, backend)
    frames = random.standard_normal((len(states), n_vectors, maps.dim))
    try:
        growth = grown(tangent_at(states, frames), maps.sampling_law, cost, seed=seed, work=WORK[effort])
        refuse_several_growths(growth, k)
    except SeveralGrowthsError:  # or paths that remember for longer than half of the run: a longer one tells
        growth = grown(tangent_at(states, frames), maps.sampling_law, cost, seed=seed, work=LONGER * WORK[effort])
        refuse_several_growths(growth, k)
    return exponents(growth, steps)[:k]
