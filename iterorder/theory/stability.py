"""The step size at which a system loses stability (C7)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.kernels.backends import as_backend
from iterorder.maps.base import RandomMaps
from iterorder.maps.descent import SGDMaps
from iterorder.progress import Progress, Report, as_progress, part, reported
from iterorder.request import check_maker, made_maps
from iterorder.theory.affine.critical_step import critical_step_size, same_losses
from iterorder.theory.analysis import Analysis
from iterorder.theory.families import analyse
from iterorder.theory.undefined import NoLawReachedError, Undefined
from iterorder.types import Seed
from iterorder.validation import as_choice, as_float, as_seed

KINDS = ("mean-square", "almost-sure")
#: Step sizes looked at before the boundary is narrowed down: fewer where each may take a Monte Carlo run.
GRID, GRID_OF_ESTIMATES = 128, 16
ESTIMATES = 10
#: Bisections of an interval of a hundredth of the step size until its ends are neighbours, and the share of the time.
BISECTIONS, GRID_SHARE = 60, 0.7
# An exponent this many standard errors from zero is near enough: it adds three per cent to the error.
ROOT = 0.25
# The slope is taken to a step size that is another by this much, of those looked at if one is near enough.
NEAR, FAR = 0.01, 0.05


def stability_boundary(
    make_maps: Callable[[float], RandomMaps],
    low: float,
    high: float,
    *,
    kind: str = "mean-square",
    seed: Seed = 0,
    backend: str = "cpu",
    progress: Progress = False,
) -> Estimate:
    """The smallest step size in [low, high] at which stability is lost.

    Parameters
    ----------
    make_maps : function of the step size
        Such as ``lambda h: LinearRegressionSGD(features, targets, h)``.
    low, high : float
        Stable at `low`, unstable somewhere up to `high`.
    kind : {"mean-square", "almost-sure"}
        Where the spectral radius of C → E[A C Aᵀ], or the Lyapunov exponent, passes its bound.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of Monte Carlo exponents: the same for all step sizes, so that they are coupled.
    backend : {"cpu", "cuda"}
        What simulates the paths along which exponents are measured.
    progress : bool or function
        True: show how far the search is (a bar in a terminal or a notebook, sparse lines on standard error elsewhere).
        A function is called with the finished share, up to 1; an exception that it raises ends the search.

    Returns
    -------
    Estimate
        Exact to rounding where the exponent is; else with the standard error of the exponent over its slope.

    Raises
    ------
    InvalidInputError
        If `make_maps` is no function of one number that returns maps, the system is not stable at `low`, or stable at
        all the step sizes looked at, or its stability is not known.
    BackendUnavailableError
        If the backend is not installed.

    Notes
    -----
    128 step sizes (16 where exponents are Monte Carlo) are looked at, then the first change of sign is narrowed down,
    by bisection or from the estimates on both sides: the stable set need not be an interval, and a gap narrower than
    the grid is missed. A step size at which no stationary law is reached counts as unstable. Monte Carlo takes about a
    second for each exponent, five to fifteen of them: none is run where mean-square stability or a Lipschitz constant
    below one shows the sign. Of SGD on convex quadratic losses whose data do not change with the step size the
    mean-square boundary is one eigenvalue (C18); of other affine maps each step size takes one linear solve with
    d(d+1)/2 unknowns.

    Examples
    --------
    >>> from iterorder.maps import GaussianRegressionSGD
    >>> boundary = stability_boundary(lambda h: GaussianRegressionSGD([1.0], 1.0, h), 0.1, 2.0)
    >>> round(boundary.value, 12)
    0.666666666667
    """
    low, high = as_float("low", low, low=0.0, strict=True), as_float("high", high)
    kind, seed, backend = as_choice("kind", kind, KINDS), as_seed(seed), as_backend(backend)
    if high <= low:
        raise InvalidInputError(f"high is {high!r} and low is {low!r}: give low < high")

    with reported(as_progress(progress), "stability_boundary") as report:
        return _boundary(_Stability(make_maps, kind, seed, backend), low, high, report)


def _boundary(stability: _Stability, low: float, high: float, report: Report | None) -> Estimate:
    if not stability.is_stable(low):
        raise InvalidInputError(f"low is {low!r}, where the system is not stable: give a smaller step size")
    exact = stability.kind == "mean-square" or _is_exact(stability.excess(low))
    points = GRID if exact else GRID_OF_ESTIMATES
    stable, unstable = _first_change(stability.is_stable, low, high, points, part(report, 0.0, GRID_SHARE))
    if not exact:
        return _from_estimates(stability.excess, stable, unstable, part(report, GRID_SHARE, 1.0))
    middle, done = 0.5 * (stable + unstable), 0
    while stable < middle < unstable:
        stable, unstable = (middle, unstable) if stability.is_stable(middle) else (stable, middle)
        middle, done = 0.5 * (stable + unstable), done + 1
        if report is not None:
            report(GRID_SHARE + (1.0 - GRID_SHARE) * done / BISECTIONS)
    return Estimate.of(middle)


def _is_exact(exponent: Estimate) -> bool:
    return exponent.exact and math.isfinite(exponent.value)


class _Stability:
    """What decides about the stability at a step size, kept."""

    def __init__(self, make_maps: Callable[[float], RandomMaps], kind: str, seed: int, backend: str) -> None:
        check_maker(make_maps, "the step size")
        self.make_maps, self.kind, self.seed, self.backend = make_maps, kind, seed, backend
        self.known: dict[float, Estimate] = {}
        self.losses: tuple[RandomMaps, float | None] | None = None

    def excess(self, h: float) -> Estimate:
        """The Lyapunov exponent; infinite where no stationary law is reached."""
        if h not in self.known:
            self.known[h] = self._excess(self._analysis(h), h)
        return self.known[h]

    def is_stable(self, h: float) -> bool:
        """The sign alone: of almost-sure stability without Monte Carlo where it is sure."""
        if h in self.known:
            return self.known[h].value < 0.0
        system = self._analysis(h)
        if self.kind == "mean-square":
            with self._told(h):
                return self._contracts(system, h)
        bound = system.maps.lipschitz_max
        if bound is not None and bound < 1.0:
            return True
        with contextlib.suppress(Undefined):
            if self._contracts(system, h):  # γ ≤ ½ log of the radius
                return True
        self.known[h] = self._excess(system, h)
        return self.known[h].value < 0.0

    def _contracts(self, system: Analysis, h: float) -> bool:
        """In the mean square: of losses that do not change with the step size by their one boundary."""
        if self.losses is None or not same_losses(system.maps, self.losses[0]):
            self.losses = system.maps, critical_step_size(system.maps)
        critical = self.losses[1]
        if critical is None:
            return system.mean_square_contracts()
        assert isinstance(system.maps, SGDMaps), "no other maps have such a step size"
        return system.maps.step_size < critical

    def _analysis(self, h: float) -> Analysis:
        maps = made_maps(self.make_maps, h, "the step size")
        return analyse(maps, seed=self.seed, effort="quick", backend=self.backend)

    def _excess(self, system: Analysis, h: float) -> Estimate:
        try:
            with self._told(h):
                return system.lyapunov_exponent()
        except NoLawReachedError:
            return Estimate.of(math.inf)

    @contextlib.contextmanager
    def _told(self, h: float) -> Iterator[None]:
        """What is not known, as an error that says of which step size."""
        try:
            yield
        except NoLawReachedError:
            raise
        except Undefined as undefined:
            raise InvalidInputError(
                f"the {self.kind} stability at step size {h:.6g} is not known: {undefined}"
            ) from None


def _first_change(
    is_stable: Callable[[float], bool], low: float, high: float, points: int, report: Report | None
) -> tuple[float, float]:
    before = low
    for k in range(1, points + 1):
        h = low + (high - low) * k / points
        if report is not None:
            report((k - 1) / points)
        if not is_stable(h):
            return before, h
        before = h
    raise InvalidInputError(
        f"high is {high!r}, and the system is stable at all of {points} step sizes up to it: give a larger one"
    )


def _from_estimates(
    excess: Callable[[float], Estimate], stable: float, unstable: float, report: Report | None
) -> Estimate:
    """The root of coupled Monte Carlo exponents, which vary with the step size far less than each is off.

    By the secant, of which the Illinois rule halves the end that stays; by halves where an end is not finite.
    """
    seen = {h: excess(h) for h in (stable, unstable)}
    weights = {"stable": 1.0, "unstable": 1.0}
    boundary, rest = 0.5 * (stable + unstable), 0.5 * (unstable - stable)
    for k in range(ESTIMATES):
        if report is not None:
            report(k / ESTIMATES)
        boundary = _next(
            stable, unstable, seen[stable].value * weights["stable"], seen[unstable].value * weights["unstable"]
        )
        found = seen[boundary] = excess(boundary)
        if abs(found.value) <= ROOT * found.standard_error:
            rest = 0.0
            break
        if found.value < 0.0:
            weights = {"stable": 1.0, "unstable": 0.5 * weights["unstable"]}
            stable = boundary
        else:
            weights = {"stable": 0.5 * weights["stable"], "unstable": 1.0}
            unstable = boundary
        rest = 0.5 * (unstable - stable)
    else:
        boundary = 0.5 * (stable + unstable)
    return Estimate.from_mean(boundary, math.hypot(_error(excess, seen, boundary), rest))


def _next(a: float, b: float, at_a: float, at_b: float) -> float:
    middle = 0.5 * (a + b)
    if not (math.isfinite(at_a) and math.isfinite(at_b)):
        return middle
    root = a + (b - a) * at_a / (at_a - at_b)
    return root if a < root < b else middle


def _error(excess: Callable[[float], Estimate], seen: dict[float, Estimate], boundary: float) -> float:
    """The standard error of the exponent, and how far from zero it may be, over its slope from those seen."""
    finite = {h: found for h, found in seen.items() if math.isfinite(found.value)}
    at = min(finite, key=lambda h: abs(h - boundary))
    others = [h for h in finite if abs(h - at) >= NEAR * at]
    other = min(others, key=lambda h: abs(h - at)) if others else 0.0
    if abs(other - at) > FAR * at:
        other = at * (1.0 - 2.0 * NEAR)
        finite[other] = excess(other)
    slope = (finite[at].value - finite[other].value) / (at - other)
    error = math.hypot(1.0, ROOT) * finite[at].standard_error
    return error / abs(slope) if slope else math.inf
