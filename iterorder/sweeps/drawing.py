"""Diagrams of sweeps: one variable over one or two parameters, a panel for each value of others."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.plot.grids import as_drawn, edges_of, is_geometric
from iterorder.plotting import COLUMN, PAGE, house_style
from iterorder.sweeps.diagram import Diagram
from iterorder.sweeps.results import Sweep
from iterorder.sweeps.variables import TRUTH

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Colours of the values of a variable that is a code: those of Okabe and Ito.
CODE_COLORS = ("#D55E00", "#0072B2", "#000000", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442")
#: The colour of cells without a result.
MISSING_COLOR = "#dddddd"
#: Panels that stand side by side.
ACROSS = 4


#: Values that span more than this are told apart by their logarithms.
LINEAR = 1e3
#: What stands for infinity.
HUGE = 1e300
#: The colour of cells that are infinite, or nearly.
INFINITE_COLOR = "#7f0000"
#: Letters of a line of a label, and of a title above one of several panels.
LINE, TITLE = 32, 20


class Shown(NamedTuple):
    """What is drawn: a variable, its label, its finite values in all panels, the words that they stand for.

    `beyond` says which end of the colours infinite values are at: "neither", "min", "max" or "both".
    """

    name: str
    label: str
    values: np.ndarray
    words: tuple[str, ...]
    beyond: str

    @property
    def smallest(self) -> float | None:
        """The smallest positive value where all are of one sign and their logarithms are drawn; else None."""
        positive = self.values[self.values > 0.0]
        if self.words or positive.size == 0 or self.values.min() < 0.0:
            return None
        return float(positive.min()) if positive.max() > LINEAR * positive.min() else None

    def colors(self) -> dict[str, Any]:
        """The arguments of pcolormesh, the same for all panels."""
        from matplotlib import colormaps, rcParams
        from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm, Normalize, SymLogNorm

        if count := len(self.words):
            colors = ListedColormap([CODE_COLORS[k % len(CODE_COLORS)] for k in range(count)])
            return {"cmap": colors, "norm": BoundaryNorm(np.arange(count + 1) - 0.5, count)}
        low, high = (float(self.values.min()), float(self.values.max())) if self.values.size else (0.0, 1.0)
        if low == high:  # one value: a scale from nothing to it, or to one
            low, high = min(low, 0.0), max(high, 0.0) if high else 1.0
        beyond = colormaps[rcParams["image.cmap"]].with_extremes(over=INFINITE_COLOR, under=INFINITE_COLOR)
        if self.smallest is None:
            return {"cmap": beyond, "norm": Normalize(low, high)}
        scale = LogNorm(low, high) if low > 0.0 else SymLogNorm(self.smallest, vmin=low, vmax=high)
        return {"cmap": beyond, "norm": scale}


def draw(sweep: Sweep, diagram: Diagram, ax) -> np.ndarray:
    """Panels of a variable over one or two parameters; see `Sweep.plot`."""
    variable = _variable(sweep, diagram.color)
    panels = diagram.panels(sweep)
    shown = _shown(sweep, variable, [panel for _, panel in panels])
    _check_wholly_drawn(panels[0][1], variable, diagram, sweep)
    colors = shown.colors()
    with _axes(ax, len(panels)) as found:
        for axes, (title, panel) in zip(found, panels, strict=True):
            x = (diagram.x, sweep.grid.axis_of(diagram.x).dim)
            if diagram.y is None:
                _draw_line(axes, panel, shown, x)
            else:
                _draw_image(axes, panel, shown, colors, x, (diagram.y, sweep.grid.axis_of(diagram.y).dim))
            axes.set_title(fill(title, TITLE) if len(panels) > 1 else title)
        if diagram.y is not None:
            # Of the last panel, whose image has the scale of all.
            bar = found[-1].figure.colorbar(
                found[-1].collections[0], ax=list(found), label=shown.label, extend=shown.beyond
            )
            if shown.words:
                bar.set_ticks(range(len(shown.words)), labels=list(shown.words))
        return found


def _variable(sweep: Sweep, color: str | None) -> str:
    known = [variable.name for variable in sweep.variables]
    if color is None and known:
        return known[0]
    if color not in [*known, "done"]:
        raise InvalidInputError(f"color is {color!r}: give one of {', '.join(map(repr, [*known, 'done']))}")
    return str(color)


def _shown(sweep: Sweep, name: str, panels: list[xarray.Dataset]) -> Shown:
    values = np.concatenate([panel[name].values[panel.done.values].astype(float).ravel() for panel in panels])
    finite = values[np.isfinite(values)]
    words = next((variable.words for variable in sweep.variables if variable.name == name), TRUTH)
    ends = bool((values == -np.inf).any()), bool((values == np.inf).any())
    beyond = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[ends]
    return Shown(name, fill(_label(panels[0], name), LINE), finite, words, beyond)


def _check_wholly_drawn(panel: xarray.Dataset, variable: str, diagram: Diagram, sweep: Sweep) -> None:
    """Refuse a variable that has more dimensions than a panel shows."""
    dims = {sweep.grid.axis_of(name).dim for name in (diagram.x, diagram.y) if name is not None}
    if others := [dim for dim in panel[variable].dims if dim not in dims]:
        listed, first = ", ".join(map(repr, others)), others[0]
        advice = "select one of each in to_xarray()"
        if first in sweep.grid.names:
            advice = f"give it as facet, or one value as at={{{first!r}: {sweep.grid.column(str(first))[0]!r}}}"
        raise InvalidInputError(f"{variable!r} also depends on {listed}: {advice}")


@contextmanager
def _axes(axes, count: int) -> Iterator[np.ndarray]:
    """Those that a user gave, as they are; or new ones by pyplot, in the style of the house."""
    if axes is None:
        from matplotlib import pyplot

        rows = math.ceil(count / ACROSS)
        columns = math.ceil(count / rows)
        wide = min(PAGE, 0.9 * COLUMN * columns)
        size: dict[str, Any] = {"figsize": (wide, rows * (0.8 * wide / columns + 0.4)), "layout": "constrained"}
        with house_style():
            places = pyplot.subplots(rows, columns, sharey=True, squeeze=False, **size)[1].ravel()
            for unused in places[count:]:
                unused.remove()
            yield places[:count]
        return
    found = np.atleast_1d(np.asarray(axes, object)).ravel()
    if len(found) != count:
        raise InvalidInputError(f"ax has {len(found)} axes and there are {count} panels: give one for each")
    yield found


def _draw_line(axes: Axes, panel: xarray.Dataset, shown: Shown, x: tuple[str, str]) -> None:
    name, dim = x
    places = panel[name].values
    found = panel[shown.name].transpose(dim).values.astype(float)
    axes.plot(places, np.where(panel.done.transpose(dim).values, found, np.nan), "o-", markersize=3)
    axes.set(xlabel=name, ylabel=shown.label)
    if is_geometric(places):
        axes.set_xscale("log")
        _plain_minor_ticks(axes.xaxis, places)
    if shown.words:
        axes.set_yticks(range(len(shown.words)), list(shown.words))
        axes.set_ylim(-0.5, len(shown.words) - 0.5)
    elif shown.smallest is not None:
        if shown.values.min() > 0.0:
            axes.set_yscale("log")
        else:
            axes.set_yscale("symlog", linthresh=shown.smallest)


def _plain_minor_ticks(axis: Axis, numbers: np.ndarray) -> None:
    """Of a logarithmic axis over decades; within one they are all that there is."""
    from matplotlib.ticker import NullFormatter

    if numbers.max() >= 10.0 * numbers.min():
        axis.set_minor_formatter(NullFormatter())


def _draw_image(
    axes: Axes, panel: xarray.Dataset, shown: Shown, colors, x: tuple[str, str], y: tuple[str, str]
) -> None:
    (x_name, x_dim), (y_name, y_dim) = x, y
    values = panel[shown.name].transpose(y_dim, x_dim).values.astype(float)
    masked = np.ma.masked_where(~panel.done.transpose(y_dim, x_dim).values | np.isnan(values), values)
    places = [as_drawn(panel[name].values) for name in (x_name, y_name)]
    axes.set_facecolor(MISSING_COLOR)
    # Norms mask what is infinite, and give what is huge the colour of the pointed end.
    axes.pcolormesh(*(edges_of(some) for some in places), np.clip(masked, -HUGE, HUGE), **colors)
    for axis, numbers, set_scale in zip(
        (axes.xaxis, axes.yaxis), places, (axes.set_xscale, axes.set_yscale), strict=True
    ):
        if numbers.dtype.kind not in "iuf":
            axis.set_ticks(range(len(numbers)), [str(value) for value in numbers])
        elif is_geometric(numbers):
            set_scale("log")
            _plain_minor_ticks(axis, numbers)
    axes.set(xlabel=x_name, ylabel=y_name)


def _label(panel: xarray.Dataset, variable: str) -> str:
    about = panel[variable].attrs
    units = about.get("units", "1")
    return about.get("long_name", variable) + ("" if units == "1" else f" ({units})")
