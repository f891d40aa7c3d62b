"""Gossip averaging on four graphs: how fast the disagreement goes, against the spectral gap (preset gossip).

A random pair of neighbours takes its mean. (a) The rate at which E‖δ‖² shrinks, exactly, and that of almost every path,
against the bound from the gap of the graph's Laplacian: no point lies below the line. (b) The first over the bound: on
the complete graph they are equal.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder.neighbours.gossip import bound
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report

NAME = "gossip"
COLORS = {"path": "forward", "ring": "anchored", "star": "decay", "complete": "backward"}


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    sizes = table.n_nodes.values
    gaps = {graph: np.array([1.0 - bound(graph, int(n)) for n in sizes]) for graph in COLORS}
    with house_style():
        figure = Figure(figsize=(PAGE, 2.9))
        left, right = figure.subplots(1, 2)
        for graph, color in COLORS.items():
            cells, shown = table.sel(graph=graph), ORDER_COLORS[color]
            mean_square = 1.0 - cells.mean_square_radius.values
            almost_sure = 1.0 - np.exp(2.0 * cells.lyapunov_exponent.values)
            left.loglog(gaps[graph], mean_square, "o", color=shown, ms=3.5, label=graph)
            left.loglog(gaps[graph], almost_sure, "^", color=shown, ms=3.5, mfc="none")
            right.plot(sizes, mean_square / gaps[graph], "o-", color=shown, ms=3.0, label=graph)
        ends = np.array([min(g.min() for g in gaps.values()), max(g.max() for g in gaps.values())])
        left.loglog(ends, ends, color=ORDER_COLORS["theory"], lw=1.0, label="the bound")
        left.set(xlabel=r"bound from the gap, $\lambda_2/(2|E|)$", ylabel="shrinking of the square in a step")
        panel_title(left, "a", "dots: of the mean square", "triangles: of almost every path, $1-e^{2\\gamma}$")
        right.set(xlabel="number of nodes", ylabel="mean-square rate over the bound", ylim=(0.9, None))
        panel_title(right, "b", "equal on the complete graph")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
        bounds = {f"bound_{graph}": values for graph, values in gaps.items()}
        return saved(figure, folder, NAME, effort, columns(table) | bounds)


if __name__ == "__main__":
    main(draw, __doc__)
