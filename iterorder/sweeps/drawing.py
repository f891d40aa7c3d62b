"""Diagrams of sweeps: one variable over two parameters, a panel for each value of a third."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.plot.grids import edges_of, is_geometric
from iterorder.plotting import COLUMN, PAGE
from iterorder.sweeps.results import Sweep

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

#: Colours of the values of a variable that is a code: those of Okabe and Ito.
CODE_COLORS = ("#D55E00", "#0072B2", "#000000", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442")
#: The colour of cells without a result.
MISSING_COLOR = "#dddddd"


def draw(sweep: Sweep, x: str, y: str | None, color: str | None, facet: str | None, axes) -> np.ndarray:
    """Panels of a variable over one or two parameters; see `Sweep.plot`."""
    table = sweep.to_xarray()
    variable = _variable(table, sweep, color)
    names = [name for name in (x, y, facet) if name is not None]
    for k, name in enumerate(names):
        if name not in sweep.grid.names or name in names[:k]:
            raise InvalidInputError(
                f"{name!r} is no parameter of the sweep, or given twice: give {', '.join(map(repr, sweep.grid.names))}"
            )
    dims = [sweep.grid.axis_of(name).dim for name in names]
    if len(set(dims)) < len(dims):
        raise InvalidInputError(f"{' and '.join(map(repr, names))} lie on one axis of the grid: give others")
    table = table.squeeze([dim for dim, size in table.sizes.items() if size == 1 and dim not in dims])
    others = [dim for dim in table[variable].dims if dim not in dims]
    if others:
        raise InvalidInputError(
            f"{variable!r} also depends on {', '.join(map(repr, others))}: select one value of each in to_xarray(), or "
            "give one as facet"
        )
    panels = _panels(table, facet, dims)
    found = _axes(axes, len(panels))
    for axis, (title, panel) in zip(found, panels, strict=True):
        if y is None:
            _draw_line(axis, panel, variable, x, dims[0])
        else:
            _draw_image(axis, panel, variable, (x, dims[0]), (y, dims[1]), axis is found[-1], _limits(table, variable))
        axis.set_title(title)
    return found


def _variable(table: xarray.Dataset, sweep: Sweep, color: str | None) -> str:
    known = [variable.name for variable in sweep.variables]
    if color is None and known:
        return known[0]
    if color not in [*known, "done"]:
        raise InvalidInputError(f"color is {color!r}: give one of {', '.join(map(repr, [*known, 'done']))}")
    return str(color)


def _panels(table: xarray.Dataset, facet: str | None, dims: list[str]) -> list[tuple[str, xarray.Dataset]]:
    if facet is None:
        return [("", table)]
    values = table[facet].values
    return [(f"{facet} = {value}", table.isel({dims[-1]: k})) for k, value in enumerate(values)]


def _axes(axes, count: int) -> np.ndarray:
    if axes is None:
        from matplotlib.figure import Figure

        wide = min(PAGE, 0.9 * COLUMN * count)
        figure = Figure(figsize=(wide, 0.8 * wide / count + 0.4), layout="constrained")
        return np.atleast_1d(figure.subplots(1, count, sharey=True))
    found = np.atleast_1d(np.asarray(axes, object)).ravel()
    if len(found) != count:
        raise InvalidInputError(f"ax has {len(found)} axes and there are {count} panels: give one for each")
    return found


def _limits(table: xarray.Dataset, variable: str) -> tuple[float, float]:
    values = table[variable].values[table.done.values].astype(float)
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _draw_line(axes: Axes, panel: xarray.Dataset, variable: str, x: str, dim: str) -> None:
    values = np.where(panel.done.transpose(dim).values, panel[variable].transpose(dim).values.astype(float), np.nan)
    axes.plot(panel[x].values, values, "o-", markersize=3)
    axes.set(xlabel=x, ylabel=_label(panel, variable))
    if is_geometric(panel[x].values):
        axes.set_xscale("log")


def _draw_image(axes: Axes, panel, variable: str, x: tuple[str, str], y: tuple[str, str], last: bool, limits) -> None:
    (x_name, x_dim), (y_name, y_dim) = x, y
    values = panel[variable].transpose(y_dim, x_dim).values.astype(float)
    masked = np.ma.masked_where(~panel.done.transpose(y_dim, x_dim).values | ~np.isfinite(values), values)
    edges = [edges_of(panel[name].values) for name in (x_name, y_name)]
    meanings = panel[variable].attrs.get("flag_meanings")
    how: dict[str, Any] = _of_codes(meanings.split()) if meanings else {"vmin": limits[0], "vmax": limits[1]}
    axes.set_facecolor(MISSING_COLOR)
    image = axes.pcolormesh(edges[0], edges[1], masked, **how)
    for name, set_scale, set_ticks in (
        (x_name, axes.set_xscale, axes.set_xticks),
        (y_name, axes.set_yscale, axes.set_yticks),
    ):
        numbers = panel[name].values
        if numbers.dtype.kind not in "iuf":
            set_ticks(range(len(numbers)), [str(value) for value in numbers])
        elif is_geometric(numbers):
            set_scale("log")
    axes.set(xlabel=x_name, ylabel=y_name)
    if last:
        bar = axes.figure.colorbar(image, ax=axes, label=_label(panel, variable))
        if meanings:
            bar.set_ticks(range(len(meanings.split())), labels=meanings.split())


def _of_codes(words: list[str]) -> dict[str, Any]:
    from matplotlib.colors import BoundaryNorm, ListedColormap

    colors = ListedColormap([CODE_COLORS[k % len(CODE_COLORS)] for k in range(len(words))])
    return {"cmap": colors, "norm": BoundaryNorm(np.arange(len(words) + 1) - 0.5, len(words))}


def _label(panel: xarray.Dataset, variable: str) -> str:
    about = panel[variable].attrs
    units = about.get("units", "1")
    return about.get("long_name", variable) + ("" if units == "1" else f" ({units})")
