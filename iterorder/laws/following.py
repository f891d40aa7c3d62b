"""`continuation`: the laws of a system over the values of a parameter, each from where the last one was left."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from iterorder.device_arrays import to_numpy
from iterorder.errors import DivergenceError, InvalidInputError
from iterorder.estimate import Estimate
from iterorder.kernels.backends import as_backend
from iterorder.laws.continued import Continuation
from iterorder.laws.modes import least_modes
from iterorder.laws.taut_string import sure_modes
from iterorder.maps import RandomMaps
from iterorder.noise import MAX_REPLICAS
from iterorder.progress import Progress, Report, as_progress, part, reported
from iterorder.request import as_starts, as_system, check_maker, check_memory, made_maps
from iterorder.simulate import simulated
from iterorder.stationary.products import epoch_of
from iterorder.theory.families import analyse
from iterorder.theory.undefined import value_or_reason
from iterorder.types import ArrayLike, Seed
from iterorder.validation import MAX_STEPS, as_floats, as_int, as_level, as_seed, read_only

#: The probabilities whose quantiles are told.
PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Of a value, the share of the progress that its states take; the rest is for exponent and modes.
SIMULATED = 0.5
#: A point that moves by less, in units of itself, has settled.
MOVES_ON = 1e-6
#: Neighbours that differ by no more, in units of the largest, have met.
ROUNDING = 64.0 * float(np.finfo(np.float64).eps)


def continuation(
    make_maps: Callable[[float], RandomMaps],
    values: ArrayLike,
    *,
    x0: ArrayLike,
    n_steps: int,
    seed: Seed,
    n_replicas: int = 1000,
    follow: bool = True,
    level: float = 0.05,
    quantiles: ArrayLike = PROBABILITIES,
    backend: str = "cpu",
    progress: Progress = False,
) -> Continuation:
    """The laws of a system over the values of a parameter, and where they change.

    Parameters
    ----------
    make_maps : function of the parameter
        Such as ``lambda h: LinearRegressionSGD(features, targets, h)``; maps whose step size does not change by itself.
    values : array_like, shape (n_values,)
        Of the parameter, in the order in which they are visited: up and down again shows hysteresis.
    x0 : array_like, shape (d,) or (n_replicas, d)
        The starts for the first value.
    n_steps : int ≥ 1
        With each value. Of maps that go by epochs, a multiple of their length.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the noise; a sequence or a generator gives one such number.
    n_replicas : int ≥ 2
        Paths beside each other, whose states are the law.
    follow : bool
        Whether each value starts from the states of the value before, with the noise that comes next: one long run in
        which the parameter moves. Else each starts from `x0`, all with the same noise.
    level : float in (0, 1)
        Of the tests of modes: of all values and coordinates together, by Bonferroni's rule.
    quantiles : array_like of floats in [0, 1]
        The probabilities whose quantiles are told.
    backend : {"cpu", "cuda"}
        Where the maps are applied.
    progress : bool or function
        As in `simulate`.

    Returns
    -------
    Continuation
        The law after so many steps, which is a stationary law only where these are enough: see the Notes.

    Raises
    ------
    InvalidInputError
        If an argument is not as described, or the result would not fit into memory.
    BackendUnavailableError
        If the backend is not installed.

    Notes
    -----
    Arnold [1]_ tells two kinds of bifurcation of random systems apart. A phenomenological one changes the shape of the
    stationary density, here its number of modes; a dynamical one the stability of the random flow, here the sign of the
    Lyapunov exponent. One may happen without the other, and neither needs to be a loss of stability in the mean square.

    `n_steps` decides what is seen. A law that the replicas leave within so many steps is not followed, and one that
    they leave more rarely is followed although it is not stationary: two branches that differ going up and down say
    that paths remember where they came from for `n_steps`, no more. Give other numbers of steps to see which of the two
    it is. A replica that diverges has no state to be followed, and begins the next value from its `x0`. Where all
    replicas are one path that moves on, as of maps that draw nothing, a RuntimeWarning says so.

    Two numbers of modes are told. `sure_modes` is a lower bound with confidence for every law [2]_, where replicas are
    draws of one: where `x0` is one start. `Continuation.phenomenological` looks at it. With the same confidence it
    tells more than k modes where the distribution function of no law with k is within twice √(log(2/share)/(2n)), for
    n replicas and the share of one value and coordinate in the level.

    `least_modes` goes on from there by the bootstrap of Silverman's critical bandwidth [3]_, which sees smaller modes
    and does not keep its level for all laws. Of 200 samples of 1000 at level .05 it finds two modes or more in one of a
    normal law, but in 14 % of an exponential, 42 % of a uniform and 90 % of Student's law with two degrees of freedom:
    of flat densities and long tails it is no evidence. Fractal laws have as many modes as a sample shows. Kernels
    narrower than 1/512 of the extent of a sample are not looked at. To reject a number of modes takes 1/share samples,
    so that the time for that grows with the square of the number of values and coordinates.

    References
    ----------
    .. [1] Arnold (1998), Random Dynamical Systems, Springer, chapter 9.
    .. [2] Donoho (1988), One-sided inference about functionals of a density, Annals of Statistics 16(4).
    .. [3] Silverman (1981), Using kernel density estimates to investigate multimodality, J. R. Stat. Soc. B 43(1).

    Examples
    --------
    The iterates of SGD on ½x² and ½(x − 1)² lose their stability at the step size 2:

    >>> from iterorder.maps import gallery
    >>> found = continuation(gallery.two_point_quadratic, [0.5, 1.5, 2.5], x0=[0.5], n_steps=100, seed=0)
    >>> found.mean_square_stable, found.dynamical.tolist()
    ((True, True, False), [[1.5, 2.5]])
    """
    seed, level, backend, follow = as_seed(seed), as_level(level), as_backend(backend), bool(follow)
    points = as_floats("values", values, ndim=(1,))
    probabilities = as_floats("quantiles", quantiles, ndim=(1,))
    if ((probabilities < 0.0) | (probabilities > 1.0)).any():
        raise InvalidInputError(f"quantiles is {quantiles!r}: give probabilities in [0, 1]")
    n_replicas = as_int("n_replicas", n_replicas, low=2, high=MAX_REPLICAS)
    n_steps = as_int("n_steps", n_steps, low=1, high=MAX_STEPS // len(points))
    systems = _systems(make_maps, points)
    starts = to_numpy(as_starts("x0", x0, n_replicas, systems[0], backend))
    _check_steps(systems, points, n_steps, follow)
    parts = f"{n_replicas} states for each of {len(points)} values"
    size = 16 * len(points) * starts.size  # and once more while they are gathered
    check_memory(size, parts, "lower n_replicas, or give fewer values")
    known, modes = [], []
    share, rng = level / (len(points) * systems[0].dim), np.random.default_rng(seed)
    with reported(as_progress(progress), "continuation") as report:
        states = _visited(systems, starts, n_steps, seed, follow, backend, part(report, 0.0, SIMULATED))
        for k, maps in enumerate(systems):
            sample, gone = _finite(states[k]), n_steps * (k + 1 if follow else 1)
            known.append(_known(maps, sample, gone, seed, backend))
            modes.append([_modes(values, share, rng) for values in sample.T])
            if report is not None:
                report(SIMULATED + (1.0 - SIMULATED) * (k + 1) / len(points))
    _warn_of_one_path(systems, points, states, backend)
    sure, least = np.moveaxis(np.array(modes, np.int64), 2, 0)
    return Continuation(
        values=read_only(points),
        states=read_only(states),
        **{name: read_only(array) for name, array in _moments(states, probabilities).items()},
        probabilities=read_only(probabilities),
        mean_square_stable=tuple(stable for stable, _, _ in known),
        lyapunov_exponent=tuple(exponent for _, exponent, _ in known),
        least_modes=read_only(least),
        sure_modes=read_only(sure),
        reasons=tuple(reasons for _, _, reasons in known),
        level=level,
        follow=follow,
        n_steps=n_steps,
        seed=seed,
        maps=tuple(systems),
    )


def _systems(make_maps: Callable[[float], RandomMaps], values: np.ndarray) -> list[RandomMaps]:
    """The maps of each value, all in one dimension."""
    check_maker(make_maps, "the parameter")
    systems = [as_system(made_maps(make_maps, value, "the parameter")) for value in values.tolist()]
    for value, maps in zip(values.tolist(), systems, strict=True):
        if maps.dim != systems[0].dim:
            raise InvalidInputError(
                f"make_maps returns maps of dimension {maps.dim} for the parameter {value:.6g}, and of dimension "
                f"{systems[0].dim} for {values[0]:.6g}: give a function whose maps act on one space"
            )
        if not maps.time_homogeneous:
            raise InvalidInputError(
                f"make_maps returns maps whose step size changes with the step for the parameter {value:.6g}: no law "
                "stays with them; give a constant step size"
            )
    return systems


def _check_steps(systems: list[RandomMaps], values: np.ndarray, n_steps: int, follow: bool) -> None:
    """A run that follows must leave every value at the end of an epoch: laws inside of one are others."""
    for value, maps in zip(values.tolist(), systems, strict=True):
        law = maps.sampling_law
        if follow and law.kind != "iid" and n_steps % law.batches_per_epoch:
            raise InvalidInputError(
                f"n_steps is {n_steps}, and an epoch has {law.batches_per_epoch} steps for the parameter {value:.6g}: "
                "give a multiple, so that all laws are those at the end of an epoch"
            )


def _visited(
    systems: list[RandomMaps],
    starts: np.ndarray,
    n_steps: int,
    seed: int,
    follow: bool,
    backend: str,
    report: Report | None,
) -> np.ndarray:
    """The states that each system leaves, shape (n_values, n_replicas, d)."""
    states = np.empty((len(systems), *starts.shape))
    begin = starts
    for k, maps in enumerate(systems):
        how: dict[str, Any] = {"n_replicas": len(starts), "seed": seed, "backend": backend}
        if follow:
            how["first_step"] = k * n_steps
        shown = part(report, k / len(systems), (k + 1) / len(systems))
        states[k] = _after(maps, begin, n_steps, progress=shown, **how)
        if follow:
            begin = np.where(np.isfinite(states[k]).all(axis=1)[:, None], states[k], starts)
    return states


def _after(maps: RandomMaps, starts: np.ndarray, n_steps: int, **how: Any) -> np.ndarray:
    """The last states; that all replicas diverge is a result here."""
    try:
        return simulated(maps, starts, n_steps, **how).states[:, 0]
    except DivergenceError as error:
        if error.trajectory is None:
            raise
        return error.trajectory.states[:, 0]


def _finite(states: np.ndarray) -> np.ndarray:
    """The states of the replicas that have not diverged."""
    return states[np.isfinite(states).all(axis=1)]


def _warn_of_one_path(systems: list[RandomMaps], values: np.ndarray, states: np.ndarray, backend: str) -> None:
    """Say where all replicas are one path that moves on: of the law they show one point, such as a phase of a cycle."""
    for value, maps, found in zip(values.tolist(), systems, states, strict=True):
        if len(found) < 2 or not np.isfinite(found[0]).all() or not (found == found[0]).all():
            continue
        later = _after(maps, found[:1], epoch_of(maps), seed=0, backend=backend)[0]
        if np.abs(later - found[0]).max() > MOVES_ON * np.abs(found[0]).max():
            warnings.warn(
                f"all {len(found)} replicas are one path at the parameter {value:.6g}, and it moves on: the maps draw "
                "nothing that tells them apart, and of the law there is one point. Give x0 a start for each replica, "
                "shape (n_replicas, d), and follow=False: replicas that have met at one value are one at the next",
                RuntimeWarning,
                stacklevel=3,
            )
            return


def _known(
    maps: RandomMaps, states: np.ndarray, first_step: int, seed: int, backend: str
) -> tuple[bool | None, Estimate | None, dict[str, str]]:
    """Stability in the mean square, the Lyapunov exponent, and why there is none."""
    system = analyse(maps, seed=seed, effort="brief", backend=backend)
    stable, why_not = value_or_reason(system.mean_square_stable)
    exponent, no_exponent = value_or_reason(lambda: system.exponent_along(states, first_step))
    reasons = {"mean_square_stable": why_not, "lyapunov_exponent": no_exponent}
    return stable, exponent, {name: reason for name, reason in reasons.items() if reason}


def _moments(states: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of `Continuation` that are moments and shares of the finite states; NaN where none is."""
    count, n_replicas, dim = states.shape
    mean, deviation = np.full((2, count, dim), np.nan)
    quantiles = np.full((count, len(probabilities), dim), np.nan)
    diverged = np.ones(count)
    for k in range(count):
        if len(finite := _finite(states[k])):
            diverged[k] = 1.0 - len(finite) / n_replicas
            with np.errstate(over="ignore"):  # the square of a finite number may not be one
                mean[k], deviation[k] = finite.mean(axis=0), finite.std(axis=0)
            quantiles[k] = np.quantile(finite, probabilities, axis=0)
    return {"mean": mean, "standard_deviation": deviation, "quantiles": quantiles, "diverged": diverged}


def _modes(values: np.ndarray, share: float, rng: np.random.Generator) -> tuple[int, int]:
    """`sure_modes` and `least_modes` of one coordinate, each at its share of the level."""
    values = without_rounding(values)
    sure = sure_modes(values, share)
    return sure, least_modes(values, share, rng, max(1, sure))


def without_rounding(values: np.ndarray) -> np.ndarray:
    """Numbers in units of the largest, sorted, where all that differ by roundings from one to the next are equal.

    Replicas that have met in a point are off by roundings, which are no modes of a law.

    Examples
    --------
    >>> without_rounding(np.array([2.0, 0.5, 2.0 - 4e-16]))
    array([0.25, 1.  , 1.  ])
    """
    scale = float(np.abs(values).max(initial=0.0))
    if scale == 0.0:
        return values
    places = np.sort(values / scale)
    group = np.append(0, np.cumsum(np.diff(places) > ROUNDING))
    return places[np.searchsorted(group, group)]
