"""`stationary_sample`: independent draws from the stationary law, each with a bound of its error."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from iterorder.bound_trials import check_bounds
from iterorder.certificates import sure_certificate
from iterorder.device_arrays import to_numpy
from iterorder.errors import InvalidInputError, NotContractiveError
from iterorder.estimate import Estimate
from iterorder.forms import Stateful
from iterorder.kernels.backends import as_backend
from iterorder.lengths import euclidean_norm
from iterorder.log import detail
from iterorder.maps import RandomMaps
from iterorder.noise import MAX_REPLICAS
from iterorder.progress import Progress, Report, as_progress, part, reported
from iterorder.request import as_system, check_memory
from iterorder.rounding import TRUNCATION, RoundingError, geometric_growth, rounding_of
from iterorder.sampling import FreshNoise
from iterorder.stationary.coalescence import meet
from iterorder.stationary.far_laws import refuse_far_laws
from iterorder.stationary.iterates import iterates_to
from iterorder.stationary.probability import (
    Flow,
    applications,
    epochs_to,
    expected_epochs,
    mean_contraction,
    second_moment_flow,
)
from iterorder.stationary.products import NotReachedError, epoch_of, share_of_products, steps_to
from iterorder.stationary.reasons import known_exponent, never_meets, refuse_expanding, why_not
from iterorder.stationary.result import StationarySample
from iterorder.theory.undefined import Undefined
from iterorder.types import ArrayLike, FloatArray, IntArray, Seed
from iterorder.validation import MAX_STEPS, as_float, as_floats, as_int, as_seed

EPS = float(np.finfo(np.float64).eps)
# Below, squares of distances leave the range of floating point; so does the rounding of a state near such a tolerance.
MIN_FAILURE, MIN_TOL = 1e-100, 1e-280


class _Plan(NamedTuple):
    """How far to go back: steps and bounds of the truncation, shape (n,).

    `growth` is what all later maps leave of rounding, see `rounding_of`, and `size` how far from the origin states are
    beside the samples.
    """

    certificate: str
    rests_on: str
    n_steps: IntArray
    bounds: FloatArray
    growth: float
    size: float


def stationary_sample(
    maps: RandomMaps,
    n_samples: int,
    *,
    seed: Seed,
    tol: float = 1e-8,
    x0: ArrayLike | None = None,
    failure_probability: float = 1e-9,
    max_steps: int = 1_000_000,
    backend: str = "cpu",
    progress: Progress = False,
) -> StationarySample:
    """Independent samples of the stationary law, with a certificate: coupling from the past.

    The limit of the backward iterates is an exact draw from the stationary law, so a backward iterate with a bound of
    its distance to the limit is a perfect sample up to that bound. The strongest certificate that the system has is
    used; every sample stops at its own number of steps. With reshuffled or cyclic data the law is that at epoch ends;
    that of a cycle is a point, to which forward iterates converge, and backward ones in general do not (claim C13).

    Parameters
    ----------
    maps : RandomMaps
        The system; one that does not contract on average is an error.
    n_samples : int ≥ 1
        How many independent points.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Sample r meets the maps of replica r of `simulate` with this seed.
    tol : float > 0
        Largest Euclidean error of a sample, rounding included.
    x0 : array_like, shape (d,), optional
        Where the iterates begin; the origin by default. The number of steps depends on it. A law that does (an unstable
        fixed point, several basins) is an error where distant starts show it.
    failure_probability : float in (0, 1)
        δ of the certificate "probability", for each sample.
    max_steps : int
        The most steps of a sample.
    backend : {"cpu", "cuda"}
        Where the iterates are computed, as in `simulate`.
    progress : bool or function
        True: show how far the sample is (a bar in a terminal or a notebook, sparse lines on standard error elsewhere).
        A function is called with the finished share, up to 1; an exception that it raises ends the sampling. With a
        bound it is the share of the work: the search for the numbers of steps, and the steps. Where starts must meet,
        whose steps nobody knows beforehand, it is that of the samples that have met, or of the steps at the pace at
        which they approach each other.

    Returns
    -------
    StationarySample
        The points, the error bound of each, and what the bounds rest on.

    Raises
    ------
    NotContractiveError
        If a sample is not certified after `max_steps`, or earlier where none would be; the message has the Lyapunov
        exponent and says when it stopped, and why.
    InvalidInputError
        If an argument is not as described, `tol` is below the rounding of the iterates, or a Lipschitz bound that was
        given is smaller than what is observed.
    DivergenceError
        If samples leave the finite numbers.

    Notes
    -----
    Sure: ‖Z_m − Z_n‖ ≤ ∏_{k≤n} Lip(T_ξk)·D/(1−c) for all m ≥ n, c = sup Lip < 1 and D = sup‖T(x0) − x0‖. Probability:
    Markov's inequality with E‖Z_n − Z‖² = tr Lⁿ(M) for affine maps, L(C) = E[A C Aᵀ] and M = E(Z−x0)(Z−x0)ᵀ, which
    covers least squares with batches of one; for other maps with ∏Lip·‖T(x0)−x0‖_p/(1−r_p). With fresh noise these
    moments are estimated from 20 000 draws, taken six standard errors above, and refused where the tail is heavy.

    Coalescence doubles the steps until distant starts in general position have met. That is evidence: `error_bound` is
    NaN, and `spread` the largest distance of the starts that were tried. Of `gallery.reflected_walk`, which folds,
    about half of the samples are farther from the limit than their spread. Where the starts have met but close paths
    move apart, or a start up to a thousand times as far, or where a row of the data would be met, leads to another
    limit, the sample is refused. It gives up early: at once with a Lyapunov exponent that is known not to be negative,
    or to be too small for `max_steps`; else when no sample has met in 5·`max_steps` steps of all samples together and
    the distances shrink too slowly. Systems that contract, but slower than geometrically, work on: starts of
    `gallery.reflected_walk` approach each other like 1/n, which takes 1/`tol` steps, so that it needs a larger `tol`.

    References
    ----------
    .. [1] Diaconis, Freedman (1999), Iterated random functions, SIAM Review 41(1).
    .. [2] Propp, Wilson (1996), Exact sampling with coupled Markov chains, Random Structures and Algorithms 9.

    Examples
    --------
    >>> from iterorder import gallery
    >>> sample = stationary_sample(gallery.two_point_quadratic(0.5), 1000, seed=0)
    >>> sample.certificate, sample.points.shape, bool(sample.error_bound.max() <= 1e-8)
    ('sure', (1000, 1), True)
    """
    maps = as_system(maps)
    if not maps.time_homogeneous:
        raise InvalidInputError(
            "maps has a step size that changes with the step, so that no law is stationary: give schedule='constant'"
        )
    n_samples = as_int("n_samples", n_samples, low=1, high=MAX_REPLICAS - 2)
    seed, tol = as_seed(seed), as_float("tol", tol, low=0.0, strict=True)
    if tol < MIN_TOL:
        raise InvalidInputError(f"tol is {tol!r}: give a number of at least {MIN_TOL:g}, and states in a larger unit")
    delta = as_float("failure_probability", failure_probability, low=0.0, strict=True)
    if not MIN_FAILURE <= delta < 1.0:
        raise InvalidInputError(f"failure_probability is {delta!r}: give a number in [{MIN_FAILURE:g}, 1)")
    max_steps = as_int("max_steps", max_steps, low=1, high=MAX_STEPS)
    backend = as_backend(backend)
    start = np.zeros(maps.dim) if x0 is None else as_floats("x0", x0, ndim=(1,))
    if start.shape != (maps.dim,):
        raise InvalidInputError(f"x0 has shape {start.shape}: give ({maps.dim},)")
    checked_bytes(maps, n_samples)
    with reported(as_progress(progress), "stationary sample") as report:
        check_bounds(maps, start, seed, backend)
        return _strongest(_Request(maps, start, n_samples, tol, delta, seed, max_steps, backend), report)


def checked_bytes(maps: RandomMaps, n_samples: int) -> int:
    """Those of the result: of a sample its point, bound, spread and number of steps. Too many are an error."""
    size = 8 * n_samples * (maps.dim + 3)
    check_memory(size, f"{n_samples:,} samples x {maps.dim} numbers", "lower n_samples")
    return size


class _Request(NamedTuple):
    """What was asked for, validated."""

    maps: RandomMaps
    start: FloatArray
    n_samples: int
    tol: float
    delta: float
    seed: int
    max_steps: int
    backend: str


def _strongest(asked: _Request, report: Report | None) -> StationarySample:
    """The sample with the strongest certificate that there is, or the error that says why there is none."""
    failure: Exception | None = None
    for name, certified in (("sure", _sure), ("probability", _probable)):
        try:
            found = certified(asked, report)
        except (NotReachedError, RoundingError) as error:
            # A sure contraction near one asks for more steps than the mean one: the next certificate may do.
            failure = failure or error
            detail(f"certificate {name}: not within max_steps, or not as fine as tol")
            continue
        if found is not None:
            detail(f"certificate {name}: rests on {found.rests_on}")
            return found
        detail(f"certificate {name}: the maps have none")
    known = known_exponent(asked.maps, asked.seed, asked.backend)

    def refused(error: Exception) -> NotContractiveError:
        maps, start, tol = asked.maps, asked.start, asked.tol
        run: dict[str, Any] = {"seed": asked.seed, "backend": asked.backend, "max_steps": asked.max_steps}
        return why_not(maps, start, tol, **run, known=known, found=error)

    if known is not None and never_meets(asked.maps, known):
        raise refused(NotReachedError())
    try:
        return _coalesced(asked, known, report)
    except (NotReachedError, RoundingError) as error:
        if isinstance(failure or error, RoundingError):
            raise InvalidInputError(str(failure or error)) from None
        raise refused(error) from None


def _finished(asked: _Request, plan: _Plan, report: Report | None) -> StationarySample:
    maps, seed = asked.maps, asked.seed
    points = iterates_to(maps, asked.start, plan.n_steps, seed, report, asked.backend)
    sizes = plan.size if plan.certificate == "sure" else plan.size + to_numpy(euclidean_norm(points))
    bounds = plan.bounds + rounding_of(maps, sizes, plan.growth, asked.tol, steps=epoch_of(maps))
    spread = np.full(len(points), np.nan)
    return StationarySample(points, bounds, plan.n_steps, plan.certificate, spread, plan.rests_on, seed, maps)


def _constants_of(maps: RandomMaps) -> str:
    """Where the Lipschitz constants of the maps come from."""
    return "lipschitz given" if maps.bound_given else "lipschitz known"


def _sure(asked: _Request, report: Report | None) -> StationarySample | None:
    maps, start = asked.maps, asked.start
    try:
        certificate = sure_certificate(maps, start[None, :])
    except NotContractiveError:
        return None
    distance = certificate.distance
    threshold = math.inf if distance == 0.0 else TRUNCATION * asked.tol / distance
    n_steps, products, report = _steps_to(asked, threshold, report)
    # Iterates never leave the ball around x0 in which the limit lies.
    size = float(euclidean_norm(start)) + distance
    growth = geometric_growth(certificate.contraction ** epoch_of(maps))
    plan = _Plan("sure", _constants_of(maps), n_steps, products * distance, growth, size)
    return _finished(asked, plan, report)


def _probable(asked: _Request, report: Report | None) -> StationarySample | None:
    maps, start, tol, delta = asked.maps, asked.start, asked.tol, asked.delta
    epoch = epoch_of(maps)
    try:
        flow = second_moment_flow(maps, start)
    except Undefined:
        return _by_lipschitz(asked, report)
    second = float(np.trace(flow.start))
    size = float(euclidean_norm(start)) + math.sqrt(second)
    form = maps.form()
    if maps.dim == 1 and form.is_affine and not isinstance(form, Stateful):
        distance = math.sqrt(second / delta)
        threshold = math.inf if distance == 0.0 else TRUNCATION * tol / distance
        n_steps, products, report = _steps_to(asked, threshold, report)
        plan = _Plan("probability", "moments", n_steps, products * distance, flow.growth, size)
        return _finished(asked, plan, report)
    try:
        target, most = delta * (TRUNCATION * tol) ** 2, asked.max_steps // epoch
        share = _share_of_search(flow, target, most, maps, asked.n_samples)
        epochs, moment = epochs_to(flow, target, most, part(report, 0.0, share))
    except Undefined:
        raise NotReachedError from None
    n_steps = np.full(asked.n_samples, epochs * epoch)
    bounds = np.full(asked.n_samples, math.sqrt(moment / delta))
    plan = _Plan("probability", "moments", n_steps, bounds, flow.growth, size)
    return _finished(asked, plan, part(report, share, 1.0))


def _share_of_search(flow: Flow, target: float, most: int, maps: RandomMaps, n_samples: int) -> float:
    """Of all multiplications, those that find out how many steps the samples take."""
    searching = applications(flow, target, most) * flow.work
    stepping = min(expected_epochs(flow, target), most) * epoch_of(maps) * n_samples * maps.dim
    return searching / max(searching + stepping * maps.sampling_law.batch_size, 1.0)


def _steps_to(asked: _Request, threshold: float, report: Report | None) -> tuple[IntArray, FloatArray, Report | None]:
    """`steps_to`, and a report for what is left."""
    share = 0.0 if report is None else share_of_products(asked.maps)
    run: dict[str, Any] = {"seed": asked.seed, "max_steps": asked.max_steps, "backend": asked.backend}
    n_steps, products = steps_to(asked.maps, threshold, asked.n_samples, report=part(report, 0.0, share), **run)
    return n_steps, products, part(report, share, 1.0)


def _by_lipschitz(asked: _Request, report: Report | None) -> StationarySample | None:
    maps, start = asked.maps, asked.start
    if isinstance(maps.sampling_law, FreshNoise) and not maps.bound_given:
        return None
    try:
        found = mean_contraction(maps, start, asked.delta, asked.seed)
    except Undefined:
        return None
    threshold = math.inf if found.distance == 0.0 else TRUNCATION * asked.tol / found.distance
    n_steps, products, report = _steps_to(asked, threshold, report)
    size = float(euclidean_norm(start)) + found.size
    growth = geometric_growth(found.contraction)
    plan = _Plan("probability", _constants_of(maps), n_steps, products * found.distance, growth, size)
    return _finished(asked, plan, report)


def _coalesced(asked: _Request, known: Estimate | None, report: Report | None) -> StationarySample:
    maps, tol = asked.maps, asked.tol
    slowest = -math.inf if known is None else min(known.low, 0.0)
    points, distances, n_steps, starts = meet(
        maps,
        asked.start,
        asked.n_samples,
        TRUNCATION * tol,
        seed=asked.seed,
        max_steps=asked.max_steps,
        backend=asked.backend,
        slowest=slowest,
        report=report,
    )
    run: dict[str, Any] = {"seed": asked.seed, "backend": asked.backend}
    if known is None:
        refuse_expanding(maps, starts, tol, **run)
    if not maps.form().is_affine:  # affine maps whose paths meet from somewhere have one law
        refuse_far_laws(maps, starts, int(n_steps[0]), tol, max_steps=asked.max_steps, **run)
    sizes = euclidean_norm(points)
    # Starts a spread apart were within the tolerance after so many steps.
    shrink = (TRUNCATION * tol / max(float(sizes.max()), tol)) ** (1.0 / int(np.median(n_steps)))
    growth = geometric_growth(min(shrink, 1.0 - EPS) ** epoch_of(maps))
    rounding_of(maps, sizes, growth, tol, steps=epoch_of(maps))  # refuses a tolerance that rounding alone exceeds
    nothing = np.full(len(points), np.nan)
    return StationarySample(points, nothing, n_steps, "coalescence", distances, "starts that met", asked.seed, maps)
