"""Synchronous coupling: how fast two starts approach each other under the same maps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder._version import __version__
from iterorder.arrays import as_array
from iterorder.certificates import fewer_steps
from iterorder.convergence.norms import mean_and_variance, power_mean
from iterorder.convergence.replica_blocks import Ensemble, check_table_size
from iterorder.device_arrays import to_numpy
from iterorder.drawn import drawn_by
from iterorder.errors import DivergenceError, InvalidInputError
from iterorder.labelled import frame
from iterorder.lengths import euclidean_norm
from iterorder.maps.base import RandomMaps
from iterorder.optional import imported
from iterorder.orders import FORWARD, Order
from iterorder.progress import Progress, as_progress, reported
from iterorder.records import Recorded
from iterorder.shown import ShownByFacts, shown, span
from iterorder.trajectory import Trajectory
from iterorder.types import ArrayLike, DTypeLike, FloatArray, IntArray, SaveSteps, Seed
from iterorder.validation import as_power

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.axes import Axes

    from iterorder.theory import Theory


@dataclass(frozen=True, eq=False, repr=False)
class CouplingDistance(ShownByFacts, Recorded):
    """Distance between two starts that meet the same maps.

    Attributes
    ----------
    steps : ndarray of int64, shape (n_saved,)
        Numbers of steps after which the distance was taken, increasing.
    distance : ndarray, shape (n_saved,)
        (mean over the replicas of ‖x−y‖^p)^(1/p); for p = inf the largest. NaN from the first step at which a replica
        has diverged: the mean over those that are left would be of another law (conditioned on staying finite).
    standard_error : ndarray, shape (n_saved,)
        Of `distance`, by the delta method; NaN where it is not known: one replica, or p = inf.
    per_replica : ndarray, shape (n_replicas, n_saved)
        ‖x−y‖; NaN where either start has diverged, inf where the distance of finite states overflows.
    scale : ndarray, shape (n_saved,)
        Size of the states that sets their rounding: (mean of max(‖x‖, ‖y‖)^p)^(1/p), and its running maximum where
        the order is not forward, as a backward iterate adds small moves to a sum that began at the start.
    p : float
        The power of the mean over the replicas.

    Notes
    -----
    A robust curve when some replicas diverge: ``np.nanmedian(coupling.per_replica, axis=0)``.
    """

    steps: IntArray
    distance: FloatArray
    standard_error: FloatArray
    per_replica: FloatArray
    scale: FloatArray
    p: float

    @classmethod
    def of_replicas(cls, steps: IntArray, per_replica: FloatArray, sizes: FloatArray, p: float) -> CouplingDistance:
        """From the distance of each replica and the larger length of its two states, both (n_replicas, n_saved)."""
        distance, variance = mean_and_variance(per_replica, p)
        return cls(
            steps=_frozen(steps.copy()),
            distance=_frozen(distance),
            standard_error=_frozen(_standard_error(distance, variance, p, len(per_replica))),
            per_replica=_frozen(per_replica),
            scale=_frozen(power_mean(sizes, p)),
            p=p,
        )

    def _facts(self) -> dict[str, str]:
        return {
            "steps": span(self.steps),
            "distance": f"{shown(float(self.distance[0]))} → {shown(float(self.distance[-1]))}",
            "n_replicas": str(len(self.per_replica)),
            "p": shown(self.p),
        }

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> FloatArray:
        """None of the arrays here is the coupling: NumPy is told so, as it would make an array of one object."""
        raise InvalidInputError(
            "a CouplingDistance is a curve and no array: give its .distance (or .per_replica) beside its .steps"
        )

    def to_dataframe(self) -> pandas.DataFrame:
        """The curve as a table of pandas: a row for each step, with the columns distance and standard_error.

        Raises
        ------
        BackendUnavailableError
            If pandas is not installed.
        """
        return frame({"distance": self.distance, "standard_error": self.standard_error}, {"step": self.steps})

    def to_xarray(self) -> xarray.Dataset:
        """The curve and the distance of each replica with named axes (replica, step).

        Raises
        ------
        BackendUnavailableError
            If xarray is not installed.
        """
        xarray = imported("xarray", extra="store", use="to_xarray")
        return xarray.Dataset(
            {
                "distance": (("step",), self.distance),
                "standard_error": (("step",), self.standard_error),
                "per_replica": (("replica", "step"), self.per_replica),
            },
            {"step": self.steps, "replica": np.arange(len(self.per_replica))},
            {"p": self.p, "version": __version__},
        )

    def plot(self, ax: Axes | None = None, *, rate: bool = True, theory: Theory | None = None) -> Axes:
        """Draw the distance over the step on a logarithmic axis, with a band of two standard errors.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.
        rate : bool
            Draw the line of `fit_rate`, where there is one.
        theory : Theory, optional
            Draw lines with the slopes that it knows, through the first distance: its Lyapunov exponent, that of a
            typical path, and for p = 2 the slope in the long run, ½·log of its ``mean_square_radius``.

        Returns
        -------
        matplotlib Axes
            Those that were drawn on.

        Examples
        --------
        >>> import iterorder as ito
        >>> maps = ito.gallery.ar1(0.5, 1.0)
        >>> coupling = ito.coupling_distance(maps, [0.0], [1.0], 30, order="forward", n_replicas=10, seed=0)
        >>> coupling.plot(theory=ito.theory(maps)).get_yscale()
        'log'
        """
        return drawn_by("couplings", self, ax, rate=rate, theory=theory)


def coupling_distance(
    maps: RandomMaps,
    x0: ArrayLike,
    y0: ArrayLike,
    n_steps: int,
    *,
    order: Order,
    n_replicas: int,
    seed: Seed,
    p: float = 2,
    save_steps: SaveSteps = "all",
    backend: str = "cpu",
    progress: Progress = False,
) -> CouplingDistance:
    """Distance of two starts under the same maps, an upper bound of W_p between their laws.

    Both starts meet the maps of the same seed and replicas (synchronous coupling), so the distance is seen down to
    rounding, far below the sampling floor of an empirical Wasserstein distance.

    Parameters
    ----------
    maps : RandomMaps
        The system, which both starts meet.
    x0, y0 : array_like, shape (dim,) or (n_replicas, dim)
        The two starts: one for all replicas, or one for each.
    n_steps : int in [0, 2⁶²]
        How many maps are composed.
    order : "forward", "backward" or Window
        The order in which they are composed, as in `simulate`.
    n_replicas : int ≥ 1
        Pairs of runs, each with maps of its own; the standard error falls as 1/√n_replicas.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the maps; a generator is advanced by one draw.
    p : float ≥ 1 or inf
        The power of the mean over the replicas, as in W_p.
    save_steps : "all", increasing ints in [0, n_steps], or None for the last
        After which numbers of steps the distance is taken.
    backend : {"cpu", "cuda"}
        Where the runs are simulated, as in `simulate`.
    progress : bool or function
        True: show how far the simulation is (a bar in a terminal or a notebook, sparse lines on standard error
        elsewhere). A function is called with the finished share, up to 1; an exception that it raises ends the run.

    Returns
    -------
    CouplingDistance
        The distance at each saved step with its standard error, and that of each replica.

    Raises
    ------
    InvalidInputError
        If an argument is not as described; the message shows it.
    DivergenceError
        If in every replica one of the starts left the finite numbers; carries a trajectory of the last replicas.

    See Also
    --------
    fit_rate : the rate of the decay, with an interval.

    Notes
    -----
    Forward and backward distances have the same law at every step where the draws are exchangeable (C1). W_p is at
    most r_p^n·‖x0−y0‖, r_p = (E Lip^p)^(1/p) (C5). The mean is over finitely many replicas and follows the typical
    product of slopes, not the mean one, once log(n_replicas) is used up; `fit_rate` stops there.

    References
    ----------
    .. [1] Diaconis, Freedman (1999), Iterated random functions, SIAM Review 41(1).

    Examples
    --------
    >>> from iterorder import gallery
    >>> maps = gallery.two_point_quadratic(0.5)
    >>> coupling_distance(maps, [0.0], [1.0], 3, order="forward", n_replicas=5, seed=1).distance
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    how: dict[str, Any] = {"order": order, "n_replicas": n_replicas, "seed": seed, "backend": backend}
    ensemble = Ensemble.checked(maps, {"x0": x0, "y0": y0}, n_steps, **how)
    n_replicas, order, p, progress = ensemble.n_replicas, ensemble.order, as_power(p), as_progress(progress)
    n_saved = (
        ensemble.n_steps + 1
        if isinstance(save_steps, str)
        else as_array("save_steps", 0 if save_steps is None else save_steps).size
    )
    check_table_size(n_replicas, n_saved)
    per_replica = np.empty((n_replicas, n_saved))
    sizes: list[np.ndarray] = []  # of each block
    counts: list[int] = []
    diverged = np.full(n_replicas, -1)  # the first step at which either start was gone
    with reported(progress, "coupling") as report:
        for block, (first, second) in ensemble.in_blocks(save_steps, n_saved, report):
            with np.errstate(over="ignore", invalid="ignore"):
                per_replica[block] = to_numpy(euclidean_norm(first.states - second.states))
            size = to_numpy(np.maximum(euclidean_norm(first.states), euclidean_norm(second.states)))
            sizes.append(power_mean(size, p))
            counts.append(len(size))
            diverged[block] = _earlier(first.diverged_at, second.diverged_at)
    if (diverged >= 0).all():
        raise _all_diverged(diverged, first, second)
    scale = _mean_of_blocks(sizes, counts, p)
    distance, variance = mean_and_variance(per_replica, p)
    return CouplingDistance(
        steps=_frozen(first.save_steps.copy()),
        distance=_frozen(distance),
        standard_error=_frozen(_standard_error(distance, variance, p, n_replicas)),
        per_replica=_frozen(per_replica),
        scale=_frozen(scale if order == FORWARD else np.maximum.accumulate(scale)),
        p=p,
    )


def _standard_error(distance: np.ndarray, variance: np.ndarray, p: float, n_replicas: int) -> np.ndarray:
    """Delta method for m ↦ m^(1/p): the relative error of the distance is that of the mean divided by p."""
    known = n_replicas > 1 and not math.isinf(p)
    with np.errstate(invalid="ignore"):
        return np.where(known & (distance == 0.0), 0.0, distance * np.sqrt(variance) / p)


def _mean_of_blocks(means: list[np.ndarray], counts: list[int], p: float) -> np.ndarray:
    """The power mean of all replicas from those of blocks of so many."""
    shares = np.array(counts) * (len(counts) / sum(counts))
    return power_mean(np.array(means) * shares[:, None] ** (1.0 / p), p)


def _frozen(array: np.ndarray) -> np.ndarray:
    """The same array, read-only: a table of all replicas is too large to copy."""
    array.setflags(write=False)
    return array


def _earlier(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The smaller of two steps each, of which a negative one is none."""
    return np.where(first < 0, second, np.where(second < 0, first, np.minimum(first, second)))


def _all_diverged(diverged_at: np.ndarray, first: Trajectory, second: Trajectory) -> DivergenceError:
    worse = max(first, second, key=lambda run: int((run.diverged_at >= 0).sum()))
    step = int(diverged_at.min())
    return DivergenceError(
        f"all {len(diverged_at)} replicas left the finite numbers from x0 or y0, the first at step {step}, where the "
        f"system expands: {fewer_steps(worse.maps)}; before step {step} there are distances, and their rate is one of "
        "growth",
        worse,
        holds="the finite part of the last replicas",
    )
