"""The stationary variance of SGD over step and batch size collapses on the temperature h/B (preset temperature).

Least squares on 64 points, everything by the moment equations. (a) The variance against h/B: curves of large batches,
of which few points are left to chance, lie below. (b) The same against h(n−B)/(B(n−1)), on one line while h is small.
(c) The relative departure from that line, with its first order, which depends on h and on the temperature apart.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report

NAME = "temperature"


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    sizes = table.batch_size.values
    colors = mpl.colormaps["viridis"](np.linspace(0.0, 0.9, len(sizes)))
    with house_style():
        figure = Figure(figsize=(PAGE, 2.9))
        left, middle, right = figure.subplots(1, 3)
        for size, color in zip(sizes.tolist(), colors, strict=True):
            cells = table.sel(batch_size=size)
            left.loglog(cells.ratio, cells.variance, ".", ms=3.5, color=color, label=f"$B={size}$")
            middle.loglog(cells.temperature, cells.variance, ".", ms=3.5, color=color)
            right.loglog(table.step_size, cells.departure, ".", ms=3.5, color=color)
            right.loglog(table.step_size, cells.predicted, color=color, lw=0.7)
        small = table.isel(step_size=0)
        line = (small.variance / small.temperature).values[0]
        ends = np.array([table.temperature.values.min(), table.temperature.values.max()])
        for axes in (left, middle):
            axes.loglog(ends, line * ends, color=ORDER_COLORS["theory"], lw=0.8, zorder=0, label="Lyapunov equation")
        left.set(xlabel="$h/B$", ylabel="stationary variance")
        middle.set(xlabel="$h(n-B)/(B(n-1))$")
        right.set(xlabel="step size $h$", ylabel="departure, with its first order")
        panel_title(left, "a", "large batches lie below")
        panel_title(middle, "b", "batches of distinct points")
        panel_title(right, "c", "where the collapse ends")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return saved(figure, folder, NAME, effort, columns(table))


if __name__ == "__main__":
    main(draw, __doc__)
