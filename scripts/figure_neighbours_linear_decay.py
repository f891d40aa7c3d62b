"""Exact risks at equal gradients: backward, the tail average, linear decay and its refinement (preset linear_decay).

Least squares on 64 points, one point a step, by the moment equations. (a) The risk after 256 gradients over the step
size. (b) The least risk over the step sizes of the sweep, for each number of gradients.
"""

from __future__ import annotations

from pathlib import Path

from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report

NAME, SHOWN = "linear_decay", 256
METHODS = {
    "risk_backward": ("backward, as forward", "backward", "D"),
    "risk_average": ("mean of the second half", "average", "s"),
    "risk_linear": ("linear decay", "decay", "^"),
    "risk_refined": ("refined by gradient norms", "coupling", "o"),
}


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    with house_style():
        figure = Figure(figsize=(PAGE, 2.9))
        left, right = figure.subplots(1, 2)
        for name, (label, color, marker) in METHODS.items():
            style = {"color": ORDER_COLORS[color], "marker": marker, "ms": 3.0, "lw": 0.9}
            left.loglog(table.step_size, table[name].sel(n_steps=SHOWN), label=label, **style)
            right.loglog(table.n_steps, table[name].min("step_size"), **style)
        left.set(xlabel="first step size $h$", ylabel="expected excess loss")
        right.set(xlabel="gradients $n$", ylabel="least over the step sizes")
        panel_title(left, "a", f"{SHOWN} gradients")
        panel_title(right, "b", "each at its best step size")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return saved(figure, folder, NAME, effort, columns(table))


if __name__ == "__main__":
    main(draw, __doc__)
