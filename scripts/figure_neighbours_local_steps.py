"""The bias of federated quadratics after several local steps (preset local_steps).

Four clients in the plane, of which one at random takes K steps in each round. Lines: the distance of the exact
stationary mean from the minimiser of the mean loss; dotted, to first order in the step size; dots: the mean of 16,000
replicas, with two standard errors. With one local step there is no bias: its dots show the noise.
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

NAME = "local_steps"
COLORS = ("floor", "forward", "anchored", "backward")
REPLICAS = 16000


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    curvatures, minimizers = federated.clients()
    theta = federated.optimum(curvatures, minimizers)
    sizes = table.step_size.values
    exact = {}
    with house_style():
        figure = Figure(figsize=(1.5 * COLUMN, 3.0))
        axes = figure.subplots()
        for steps, name in zip(table.steps.values, COLORS, strict=True):
            cells, color = table.sel(steps=steps), ORDER_COLORS[name]
            found = np.linalg.norm(cells["mean"].values - theta, axis=-1)
            error = 2.0 * np.sqrt(cells.variance.values.sum(axis=-1) / REPLICAS)
            axes.errorbar(sizes, found, error, fmt="o", color=color, ms=3.0, lw=0.8, label=f"$K={steps}$")
            if steps > 1:
                k = int(steps)
                bias = [federated.fixed_point(curvatures, minimizers, h, k) - theta for h in sizes]
                first = [federated.first_order_bias(curvatures, minimizers, h, k) for h in sizes]
                exact[f"bias_{k}"] = np.linalg.norm(bias, axis=1)
                axes.plot(sizes, exact[f"bias_{k}"], color=color)
                axes.plot(sizes, np.linalg.norm(first, axis=1), ":", color=color, lw=1.0)
        end = float(np.linalg.norm(minimizers.mean(axis=0) - theta))
        axes.axhline(end, color=ORDER_COLORS["theory"], lw=0.8, ls="--", label=r"$K\to\infty$")
        axes.set(xscale="log", yscale="log", xlabel="step size $h$", ylabel="distance of the mean from the minimiser")
        axes.set_ylim(1e-4, 4.0 * end)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5)
        return saved(figure, folder, NAME, effort, columns(table) | exact)


if __name__ == "__main__":
    main(draw, __doc__)
