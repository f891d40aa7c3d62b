"""`dimension`: of the points of a law."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.dimensions.boxes import box_dimension
from iterorder.dimensions.pairs import correlation_dimension
from iterorder.drawn import drawn_by
from iterorder.errors import InvalidInputError
from iterorder.estimate import QUANTILE, Estimate
from iterorder.maps import RandomMaps
from iterorder.shown import a_kind, interval_shown
from iterorder.types import ArrayLike, FloatArray, Seed
from iterorder.validation import as_choice, as_floats, as_seed, read_only

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from iterorder.stationary.result import StationarySample
    from iterorder.trajectory import Trajectory

KINDS = {"correlation": correlation_dimension, "box": box_dimension}
#: Fewer points see no scales.
FEWEST = 100


@dataclass(frozen=True, repr=False)
class DimensionEstimate(Estimate):
    """A dimension with its interval, and the curve that it is the slope of.

    Attributes
    ----------
    kind : {"correlation", "box"}
        Which dimension it is.
    scales : ndarray, shape (k,)
        Radii, or sides of boxes, the finest first; in units of the state.
    measured : ndarray, shape (k,)
        The share of pairs of points within each radius; or how many boxes of each side hold a point, the geometric mean
        over some places of the grid.
    finest, coarsest : float
        The scales between which the slope was taken.
    """

    kind: str = "correlation"
    scales: FloatArray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    measured: FloatArray = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    finest: float = math.nan
    coarsest: float = math.nan

    def __str__(self) -> str:
        return f"{self.value:.6g} in {interval_shown(self.low, self.high)}"

    def _facts(self) -> dict[str, str]:
        value, scales = f"{self.value:.6g}", f"{self.finest:.3g}…{self.coarsest:.3g}"
        return {"kind": repr(self.kind), "value": value, **self._interval_fact(), "scales": scales}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curve whose slope the dimension is, on two logarithmic axes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            New ones by pyplot if there are none.

        Returns
        -------
        matplotlib Axes
            Shaded between the scales that the slope was taken from. A curve that bends there, or goes up and down
            about its line, is why an interval is wide.
        """
        return drawn_by("dimensions", self, ax)


def dimension(
    sample: ArrayLike | StationarySample | Trajectory, *, kind: str = "correlation", seed: Seed = 0
) -> DimensionEstimate:
    """The fractal dimension of a law, from a sample of it.

    Parameters
    ----------
    sample : array_like, shape (n,) or (n, d), StationarySample or Trajectory
        Points of the law, 10⁵ for two digits. Of a trajectory all finite saved states are taken.
    kind : {"correlation", "box"}
        The correlation dimension D₂ is the rate at which the chance that two points are within r goes to zero, and
        weighs what the law visits often; the box dimension D₀ is that of its support, and needs all of it to be
        visited. They are equal where all pieces of a self-similar law have the same weight per size.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the points whose neighbours are counted, or the places of the grid.

    Returns
    -------
    DimensionEstimate
        The slope of the finer half of the scales. Its interval is evidence, not a bound: 1.96 standard errors (of the
        choice of points, or of the place of the grid), and on top the largest difference between it and the slope of
        another half. That covers scaling which is no power law in what was seen, such as the edge of a set at coarse
        scales and the log-periodic waves of self-similar sets; nobody sees finer scales than the points do. It does
        not cover a logarithm beside the power: r·log(1/r) of the arcsine law looks like a dimension of .9, not 1.

    Raises
    ------
    InvalidInputError
        If the sample sees less than a factor of four of scales; the message says what to give.

    Notes
    -----
    Scales: for D₂ from the radius within which a point has ten neighbours to a quarter of the root mean square size of
    the law, by distances in a k-d tree; for D₀ boxes from a quarter of the longest side down to where 2 % of them may
    not have been visited yet, by Chao's estimate. Neither goes below twenty times the error bound of a
    `StationarySample`. A law with tails, such as a normal one, has a support that no sample visits: ask for D₂.

    References
    ----------
    .. [1] P. Grassberger, I. Procaccia, Measuring the strangeness of strange attractors, Physica D 9 (1983).
    .. [2] J. Theiler, Estimating fractal dimension, J. Opt. Soc. Am. A 7 (1990).

    Examples
    --------
    >>> import iterorder as ito
    >>> triangle = ito.stationary_sample(ito.gallery.sierpinski(), 30_000, seed=0)
    >>> found = dimension(triangle)
    >>> bool(found.low < np.log(3) / np.log(2) < found.high)
    True
    """
    kind = as_choice("kind", kind, tuple(KINDS))
    points = _points(sample)
    bounds = np.asarray(getattr(sample, "error_bound", 0.0), float)
    resolution = float(np.nanmax(bounds, initial=0.0)) if hasattr(sample, "certificate") else 0.0
    found = KINDS[kind](points, resolution, np.random.default_rng(as_seed(seed)))
    if isinstance(found, str):
        raise InvalidInputError(f"sample has no {kind} dimension to be seen: {found}")
    reach = QUANTILE * found.error + found.departure
    return DimensionEstimate(
        found.value,
        found.error,
        found.value - reach,
        found.value + reach,
        False,
        kind=kind,
        scales=read_only(found.scales),
        measured=read_only(found.measured),
        finest=float(found.scales[0]),
        coarsest=float(found.scales[found.used - 1]),
    )


def _points(sample: Any) -> np.ndarray:
    """Finite points, shape (n, d)."""
    if isinstance(sample, RandomMaps):
        raise InvalidInputError(
            f"sample is {a_kind(sample)}, a system: give points of its law, such as stationary_sample(maps, 100_000, "
            "seed=0), or ask lyapunov_dimension(maps) for a bound"
        )
    states = np.asarray(sample, float) if hasattr(sample, "save_steps") else None
    points = as_floats("sample", sample, ndim=(1, 2)) if states is None else states.reshape(-1, states.shape[-1])
    points = points[:, None] if points.ndim == 1 else points
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < FEWEST:
        turned = ", or sample.T if its columns are the points" if points.shape[1] >= FEWEST else ""
        raise InvalidInputError(f"sample has {len(points)} finite points: give {FEWEST} at least, better 10⁵{turned}")
    return points
