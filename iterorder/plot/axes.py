"""Axes to draw on, letters for iterates, and the pieces that several pictures share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.orders import FORWARD, Order
from iterorder.plotting import ORDER_COLORS, house_style
from iterorder.shown import a_kind
from iterorder.validation import as_choice, as_int

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

    from iterorder.maps.base import RandomMaps

#: Inches of a picture that nobody gave axes for, and of one with equal axes.
SIZE, SQUARE = (4.8, 3.3), (4.0, 4.0)
#: Standard deviations that a band of errors and an ellipse of a covariance show.
DEVIATIONS = 2.0
#: The share of the values at either side that a histogram leaves out, where they reach so many times as far.
OUTSIDE, FAR = 0.005, 5.0


@contextmanager
def axes_for(ax, size: tuple[float, float] = SIZE, *, columns: int = 0) -> Iterator[Axes]:
    """The axes that a user gave, as they are; or new ones by pyplot, in the style of the house.

    A legend of so many columns, where there are any, stands above new axes, over no data; in axes that were given it
    stands inside, as what is around them belongs to others, and has room above the data where it would cover them.
    """
    from matplotlib.axes import Axes

    if isinstance(ax, Axes):
        yield ax
        if columns:
            legend = ax.legend(loc="best", fontsize="x-small", frameon=False)
            legend.set_in_layout(False)  # a layout would make room for it
            _keep_clear(ax, legend)
        return
    if ax is not None:
        raise InvalidInputError(f"ax is {a_kind(ax)}: give matplotlib Axes, such as plt.subplots()[1], or None")
    from matplotlib import pyplot

    with house_style():
        axes = pyplot.subplots(figsize=size)[1]
        yield axes
        if columns:
            axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.2)


def _keep_clear(ax: Axes, legend: Legend) -> None:
    """Raise the upper end of the axis by the height of a legend that lies over a line or a band."""
    if not ax.get_autoscaley_on() or ax.get_aspect() != "auto":  # limits that somebody set, or a plane
        return
    ax.figure.canvas.figure.draw_without_rendering()  # that of a subfigure too
    box, frame = legend.get_window_extent(), ax.get_window_extent()
    lines = (line.get_path().transformed(line.get_transform()) for line in ax.lines)
    bands = (path.transformed(ax.transData) for band in ax.collections for path in band.get_paths())
    covered = any(line.intersects_bbox(box, filled=False) for line in lines)
    if covered or any(band.intersects_bbox(box) for band in bands):
        top = ax.transAxes.transform((0.0, 1.0 + box.height / (frame.height - box.height)))
        ax.set_ylim(top=float(ax.transData.inverted().transform(top)[1]), auto=True)


def letter(order: Order) -> str:
    """X for forward iterates, Z for all that are composed in another order."""
    return "X" if order == FORWARD else "Z"


def as_coordinate(name: str, value, dim: int, maps: RandomMaps | None = None) -> int:
    """The number of a coordinate, counted from 0, from it or from the name that the maps have for it."""
    names = maps.coordinate_names if maps is not None else None
    if isinstance(value, str) and names is not None:
        return names.index(as_choice(name, value, names))
    if isinstance(value, str):
        raise InvalidInputError(f"{name} is {value!r}, and the coordinates have no names: give a number below {dim}")
    return as_int(name, value, low=0, high=dim - 1)


def two_coordinates(value, dim: int, maps: RandomMaps | None = None) -> list[int]:
    """The numbers of the two coordinates that make a plane, from them or from their names."""
    given = [value] if isinstance(value, str) or np.ndim(value) == 0 else list(value)
    chosen = [as_coordinate("coordinates", k, dim, maps) for k in given]
    if len(chosen) != 2 or chosen[0] == chosen[1]:
        raise InvalidInputError(f"coordinates is {value!r}: give two different ones, such as (0, 1)")
    return chosen


def component(symbol: str, coordinate: int, dim: int, maps: RandomMaps | None = None) -> str:
    """How an axis calls a coordinate of a state: by its name, or its number; that of the line needs none."""
    names = maps.coordinate_names if maps is not None else None
    if names is not None:
        name = names[coordinate].replace("$", r"\$")  # a sum of money is no formula
        return f"${symbol}$, {name}"
    return f"${symbol}$" if dim == 1 else f"${symbol}$, coordinate {coordinate}"


def draw_histogram(ax: Axes, values: np.ndarray, bins, color: str, label: str) -> np.ndarray:
    """A density by bars, of the finite values; their edges. Of a heavy tail the label says how much lies outside."""
    values = values[np.isfinite(values)]
    if values.size == 0:
        raise InvalidInputError("there is no finite value to draw: every replica has diverged")
    shown = values if bins is not None else _without_far_tails(values)
    edges = np.histogram_bin_edges(shown, "auto" if bins is None else bins)
    counts, _ = np.histogram(values, edges)
    beyond = 1.0 - counts.sum() / len(values)
    outside = f", {beyond:.1%} of them outside" if beyond > 0.0 else ""
    ax.stairs(counts / (len(values) * np.diff(edges)), edges, fill=True, color=color, alpha=0.45, label=label + outside)
    return edges


def _without_far_tails(values: np.ndarray) -> np.ndarray:
    """All values, or those between two quantiles where the others reach so far that no bar could be seen."""
    low, high = np.quantile(values, [OUTSIDE, 1.0 - OUTSIDE])
    inside = values[(low <= values) & (values <= high)]
    return inside if high > low and np.ptp(values) > FAR * (high - low) else values


def draw_exact(ax: Axes, law: Any, edges: np.ndarray) -> np.ndarray | None:
    """The mean density of an exact law in the same bins, which laws without a density have too; None without a cdf."""
    if not hasattr(law, "cdf"):
        return None
    heights = np.diff(law.cdf(edges)) / np.diff(edges)
    ax.stairs(heights, edges, color=ORDER_COLORS["theory"], linewidth=0.9, label="stationary law, same bins")
    return heights


def draw_ellipse(ax: Axes, mean: np.ndarray, covariance: np.ndarray, label: str, **style) -> None:
    """The curve of two standard deviations in every direction of the plane."""
    values, vectors = np.linalg.eigh(covariance)
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    curve = mean[:, None] + DEVIATIONS * vectors @ (np.sqrt(np.maximum(values, 0.0))[:, None] * circle)
    ax.plot(*curve, label=label, **style)


def draw_points(ax: Axes, points: np.ndarray, color: str, label: str | None = None) -> None:
    """Points of the plane, the fainter the more there are, on equal axes."""
    size = float(np.clip(4000.0 / max(1, len(points)), 0.2, 12.0))
    x, y = points.T
    ax.scatter(x, y, s=size, color=color, alpha=0.6, linewidths=0.0, rasterized=True, label=label)
    ax.set_aspect("equal", adjustable="datalim")


def few_ticks(ax: Axes) -> None:
    """Labels at 1 and 3 times the powers of ten: over a decade or two Matplotlib's run into each other."""
    from matplotlib.ticker import LogLocator, NullFormatter

    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axis.set_minor_formatter(NullFormatter())


def finite_quantiles(values: np.ndarray, at: tuple[float, ...]) -> np.ndarray:
    """Of the finite values in each column, shape (len(at), columns); NaN where there are none."""
    found = np.full((len(at), values.shape[1]), np.nan)
    known = np.isfinite(values).any(axis=0)
    found[:, known] = np.nanquantile(np.where(np.isfinite(values), values, np.nan)[:, known], at, axis=0)
    return found
