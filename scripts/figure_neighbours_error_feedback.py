"""Compressed gradients with and without memory: where the mean ends (preset error_feedback).

Each of four clients sends one coordinate of its gradient, always the same. Without memory the mean ends elsewhere, at
every step size; with error feedback its distance from the minimiser is the noise of 4000 replicas (bars: two standard
errors).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder.neighbours import error_feedback, federated
from iterorder.plotting import COLUMN, ORDER_COLORS, house_style
from iterorder.progress import Report

NAME = "error_feedback"
COLORS = {"none": "forward", "error-feedback": "backward"}
LABELS = {"none": "without memory", "error-feedback": "error feedback"}
REPLICAS = 4000


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    curvatures, minimizers = federated.clients()
    theta = federated.optimum(curvatures, minimizers)
    elsewhere = error_feedback.end_without_memory(curvatures, minimizers, error_feedback.compressors())
    with house_style():
        figure = Figure(figsize=(1.5 * COLUMN, 3.0))
        axes = figure.subplots()
        for memory, name in COLORS.items():
            cells = table.sel(memory=memory)
            found = np.linalg.norm(cells["mean"].values[..., :2] - theta, axis=-1)
            error = 2.0 * np.sqrt(cells.variance.values[..., :2].sum(axis=-1) / REPLICAS)
            axes.errorbar(
                table.step_size, found, error, fmt="o", color=ORDER_COLORS[name], ms=3.0, label=LABELS[memory]
            )
        end = float(np.linalg.norm(elsewhere - theta))
        axes.axhline(end, color=ORDER_COLORS["theory"], lw=0.8, label="exactly, without memory")
        axes.set(xscale="log", yscale="log", xlabel="step size $h$", ylabel="distance of the mean from the minimiser")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return saved(figure, folder, NAME, effort, columns(table) | {"end_without_memory": elsewhere, "theta": theta})


if __name__ == "__main__":
    main(draw, __doc__)
