"""The rate of momentum on a quadratic, against the radius of its matrix (preset momentum).

Two starts of the same steps approach each other at the logarithm of the spectral radius (lines). It is least where the
eigenvalues meet, at the momentum (1 − √(hλ))²; beyond, it is ½ log β whatever the step size.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder.neighbours.momentum import best_momentum, momentum_radius
from iterorder.plotting import COLUMN, ORDER_COLORS, house_style
from iterorder.progress import Report

NAME = "momentum"
COLORS = ("forward", "anchored", "backward")


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    fine = np.linspace(0.0, 0.97, 300)
    with house_style():
        figure = Figure(figsize=(1.5 * COLUMN, 3.0))
        axes = figure.subplots()
        for h, name in zip(table.step_size.values, COLORS, strict=True):
            color = ORDER_COLORS[name]
            axes.plot(fine, [-np.log(momentum_radius(h, b)) for b in fine], color=color, lw=1.0)
            axes.plot(
                table.momentum, -table.rate.sel(step_size=h), "o", color=color, ms=3.0, label=rf"$h\lambda={h:g}$"
            )
            best = best_momentum(h)
            axes.plot([best], [-np.log(momentum_radius(h, best))], "*", color=color, ms=7.0)
        axes.set(xlabel=r"momentum $\beta$", ylabel="decay a step", yscale="log")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return saved(figure, folder, NAME, effort, columns(table))


if __name__ == "__main__":
    main(draw, __doc__)
