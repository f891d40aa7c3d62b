"""The set that the iterates of a system fill, in one call."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.errors import DivergenceError
from iterorder.maps.base import RandomMaps
from iterorder.plot.axes import (
    SIZE,
    SQUARE,
    axes_for,
    component,
    draw_exact,
    draw_histogram,
    draw_points,
    two_coordinates,
)
from iterorder.plotting import ORDER_COLORS
from iterorder.progress import Progress
from iterorder.request import as_maps, check_memory
from iterorder.rounding import surely_negative
from iterorder.simulate import simulated
from iterorder.theory.theory import theory
from iterorder.types import ArrayLike, Seed
from iterorder.validation import as_choice, as_float, as_int

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

KINDS = ("density", "points")
#: Paths that are followed at once, and cells along the longer side of a picture.
PATHS, CELLS = 2_000, 500
#: Shades of a density: the smallest number of points that is seen is one.
SHADES = "Greys"


def attractor(
    maps: RandomMaps,
    n_points: int = 1_000_000,
    ax: Axes | None = None,
    *,
    kind: str = "density",
    coordinates: tuple[int | str, int | str] = (0, 1),
    burn_in: int = 1_000,
    x0: ArrayLike | None = None,
    margin: float = 0.02,
    colorbar: bool = False,
    seed: Seed = 0,
    backend: str = "cpu",
    progress: Progress = False,
) -> Axes:
    """Draw the support of the stationary law, by the points of many forward paths.

    Parameters
    ----------
    maps : RandomMaps
        The system, of any dimension.
    n_points : int ≥ 1
        How many points, on 2000 paths.
    ax : matplotlib Axes, optional
        New ones by pyplot if there are none.
    kind : {"density", "points"}
        How many points there are in each cell, in logarithmic shades; or the points themselves. On the line a
        histogram, with the exact law where it is known.
    coordinates : two ints or names
        Those that are drawn, in more than two dimensions.
    burn_in : int ≥ 0
        Steps of a path before its first point.
    x0 : array_like, shape (dim,) or (2000, dim), optional
        Where the paths start: the origin by default.
    margin : float ≥ 0
        Of the axes, as a share of what is drawn.
    colorbar : bool
        Beside a density in the plane, a scale of its shades that says how many points there are.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the paths; a generator is advanced by one draw.
    backend : {"cpu", "cuda"}
        Where the paths are simulated, as in `simulate`.
    progress : bool or function
        As in `iterorder.simulate`.

    Returns
    -------
    matplotlib Axes
        Those that were drawn on.

    Raises
    ------
    DivergenceError
        If every path leaves the finite numbers.

    Warns
    -----
    RuntimeWarning
        If no Lipschitz constant below one and no negative Lyapunov exponent is known: there may be no stationary law,
        or several, and what is drawn then depends on ``x0`` and ``burn_in``.

    Examples
    --------
    >>> import iterorder as ito
    >>> axes = ito.plot.attractor(ito.gallery.barnsley_fern(), 50_000)
    >>> axes.get_aspect()
    1.0
    """
    maps = as_maps(maps)
    kind, count = as_choice("kind", kind, KINDS), as_int("n_points", n_points, low=1, high=2**40)
    burn, share = as_int("burn_in", burn_in, low=0, high=2**60), as_float("margin", margin, low=0.0)
    paths = min(PATHS, count)
    each = -(-count // paths)
    start = np.zeros(maps.dim) if x0 is None else x0
    saves = np.arange(burn + 1, burn + each + 1)
    how: dict[str, Any] = {
        "n_replicas": paths,
        "seed": seed,
        "save_steps": saves,
        "backend": backend,
        "progress": progress,
    }
    check_memory(8 * paths * each * maps.dim, f"{count} points of {maps.dim} numbers", "lower n_points")
    try:
        run = simulated(maps, start, int(saves[-1]), **how)
    except DivergenceError as error:
        raise DivergenceError(
            f"all {paths} paths left the finite numbers within {int(saves[-1])} steps, of which burn_in are {burn}: "
            "such a system has no attractor to draw; give maps that contract on average"
            + (f", {maps.smaller_steps}" if maps.smaller_steps else ""),
            error.trajectory,
        ) from None
    _warn_without_contraction(maps, backend)
    points = run.states.reshape(-1, maps.dim)
    points = points[np.isfinite(points).all(axis=1)][:count]
    with axes_for(ax, SIZE if maps.dim == 1 else SQUARE, columns=int(maps.dim == 1)) as axes:
        if maps.dim == 1:
            edges = draw_histogram(axes, points[:, 0], CELLS, ORDER_COLORS["forward"], f"{len(points)} points")
            draw_exact(axes, maps.law, edges)
            axes.set(xlabel=component("x", 0, 1, maps), ylabel="density")
        else:
            shades = _draw_plane(axes, maps, points, coordinates, kind, share)
            if colorbar and shades is not None:
                axes.figure.colorbar(shades, ax=axes, label=f"points in a cell, of {len(points):,}", shrink=0.8)
    return axes


def _warn_without_contraction(maps: RandomMaps, backend: str) -> None:
    """Say which certificate is missing, where there is neither a sure one nor one on average."""
    largest = maps.lipschitz_max
    if largest is not None and largest < 1.0:
        return
    exponent = theory(maps, backend=backend, only="lyapunov_exponent").lyapunov_exponent
    if exponent is not None and surely_negative(exponent, maps.dim):
        return
    sure = "no Lipschitz constant of all maps is known" if largest is None else f"one map stretches by {largest:.6g}"
    mean = "no Lyapunov exponent" if exponent is None else f"the Lyapunov exponent is {exponent}"
    warnings.warn(
        f"maps are not known to contract ({sure}, and {mean}{' is known' * (exponent is None)}): there may be no "
        "stationary law, or several, and the picture depends on x0 and burn_in",
        RuntimeWarning,
        stacklevel=3,
    )


def _draw_plane(
    ax: Axes, maps: RandomMaps, points: np.ndarray, coordinates: tuple[int | str, int | str], kind: str, margin: float
) -> QuadMesh | None:
    """The shades of a density, where that is drawn."""
    dim = points.shape[1]
    chosen = two_coordinates(coordinates, dim, maps)
    plane = points[:, chosen]
    shades = None
    if kind == "points":
        draw_points(ax, plane, ORDER_COLORS["theory"])
    else:
        shades = _draw_density(ax, plane, margin)
    ax.set_aspect("equal", adjustable="box")
    ax.set(**{f"{axis}label": component("x", k, dim, maps) for axis, k in zip("xy", chosen, strict=True)})
    return shades


def _draw_density(ax: Axes, plane: np.ndarray, margin: float) -> QuadMesh:
    from matplotlib.colors import LogNorm

    low, high = plane.min(axis=0), plane.max(axis=0)
    room = np.maximum(margin * (high - low), np.maximum(1e-12, 1e-12 * np.abs(high)))
    low, high = low - room, high + room
    cell = (high - low).max() / CELLS  # square ones
    cells = np.maximum(1, np.ceil((high - low) / cell).astype(int))
    x, y = (np.linspace(low[k], high[k], cells[k] + 1) for k in range(2))
    counts, _, _ = np.histogram2d(plane[:, 0], plane[:, 1], bins=[x, y])
    shown = np.ma.masked_equal(counts.T, 0.0)
    norm = LogNorm(vmin=0.3, vmax=max(1.0, counts.max()))
    return ax.pcolormesh(x, y, shown, cmap=SHADES, norm=norm, rasterized=True)
