"""Gradients that come late: the mean square over the step size, and where the mean turns over (preset stale_gradients).

Lines: the spectral radius of the second moments, for four delays. Ticks at the top: where the mean itself loses
stability, hλ = 2 sin(π/(4τ + 2)) at the largest eigenvalue of the mean curvature, exactly. The mean square goes first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder.neighbours import federated
from iterorder.plotting import COLUMN, ORDER_COLORS, house_style
from iterorder.progress import Report

NAME = "stale_gradients"
COLORS = ("forward", "anchored", "decay", "backward")


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    largest = float(np.linalg.eigvalsh(federated.clients()[0].mean(axis=0))[-1])
    limits = np.array([federated.delay_limit(int(delay)) / largest for delay in table.delay.values])
    with house_style():
        figure = Figure(figsize=(1.5 * COLUMN, 3.0))
        axes = figure.subplots()
        for delay, limit, name in zip(table.delay.values, limits, COLORS, strict=True):
            color = ORDER_COLORS[name]
            axes.plot(
                table.step_size, table.mean_square_radius.sel(delay=delay), "o-", color=color, ms=2.5, label=delay
            )
            axes.plot([limit, limit], [1.4, 1.5], color=color, lw=2.0)
        axes.axhline(1.0, color=ORDER_COLORS["theory"], lw=0.8)
        axes.set(xscale="log", xlabel="step size $h$", ylabel="spectral radius of the second moments", ylim=(0.0, 1.5))
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, title="delay in steps")
        return saved(figure, folder, NAME, effort, columns(table) | {"limit_of_the_mean": limits})


if __name__ == "__main__":
    main(draw, __doc__)
