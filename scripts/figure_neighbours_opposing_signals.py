"""Two groups that pull a weight in opposite directions (preset opposing_signals).

(a) The losses of both groups along gradient descent with a step size above the boundary: learning raises the sharpness
between the groups, and their losses swing against each other. (b) How far the weight between them grows, over h k² c²
at the end of the gradient flow: from 2 on it does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder import simulate
from iterorder.neighbours.opposing_signals import group_losses, opposing_signals
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report

NAME, START = "opposing_signals", [0.1, 1e-6, 0.1]
SCALED, PULL, STEPS = 2.6, 6.0, 300


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    states = simulate(opposing_signals(SCALED, PULL), START, STEPS, seed=0, save_steps="all").states[0]
    losses = group_losses(states, PULL)
    data = {**columns(table), "loss_plus": losses[:, 0], "loss_minus": losses[:, 1]}
    with house_style():
        figure = Figure(figsize=(PAGE, 2.8))
        left, right = figure.subplots(1, 2)
        steps = np.arange(STEPS + 1)
        left.plot(steps, losses[:, 0], color=ORDER_COLORS["forward"], lw=0.9, label="group $+k$")
        left.plot(steps, losses[:, 1], color=ORDER_COLORS["decay"], lw=0.9, label="group $-k$")
        left.set(xlabel="step $n$", ylabel="loss of a group")
        left.legend()
        panel_title(left, "a", f"$h\\,k^2={SCALED}$, $k={PULL:g}$: above the boundary")
        for pull, color in zip(table.pull.values, ("forward", "anchored", "decay", "sliding"), strict=True):
            cells = table.sel(pull=pull)
            right.semilogy(cells.sharpness, cells.growth, "o", ms=3.0, color=ORDER_COLORS[color], label=f"$k={pull:g}$")
        right.axvline(2.0, color=ORDER_COLORS["theory"], lw=0.8)
        right.set(xlabel=r"$h\,k^2c^2$ at the end of the flow", ylabel=r"largest $|v|/v_0$")
        right.legend()
        panel_title(right, "b", "the line: 2, where the end is not stable")
        return saved(figure, folder, NAME, effort, data)


if __name__ == "__main__":
    main(draw, __doc__)
