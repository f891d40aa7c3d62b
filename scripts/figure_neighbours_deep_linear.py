"""A product of L weights learns the number one: gradient descent beside its flow (preset deep_linear).

(a) The product of two weights along the flow, a sigmoid, and by gradient descent with three step sizes. (b) How far the
product lags behind when the flow has come to ½, for several depths, with the leading term, of order h.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main
from _neighbours import columns, saved, swept
from matplotlib.figure import Figure

from iterorder import simulate
from iterorder.neighbours.deep_linear import deep_linear, flow_product
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report

NAME, START, LAST = "deep_linear", 0.01, 5.0
STEPS = {0.4: "D", 0.2: "s", 0.05: "."}


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    table = swept(NAME, report)
    times = np.linspace(0.0, LAST, 101)
    data = {**columns(table), "times": times, "sigmoid": [flow_product(START, time, 2) for time in times]}
    with house_style():
        figure = Figure(figsize=(PAGE, 2.8))
        left, right = figure.subplots(1, 2)
        left.plot(times, data["sigmoid"], color=ORDER_COLORS["theory"], label="flow: a sigmoid")
        for (step, marker), color in zip(STEPS.items(), ("decay", "average", "forward"), strict=True):
            count = round(LAST / step)
            run = simulate(deep_linear(step, 2), [START**0.5], count, seed=0, save_steps="all")
            data[f"descent_{step}"] = run.states[0, :, 0] ** 2
            places = step * np.arange(count + 1)
            left.plot(places, data[f"descent_{step}"], marker, ms=3.0, color=ORDER_COLORS[color], label=f"$h={step}$")
        left.set(xlabel="time $t=nh$", ylabel="product of two weights")
        left.legend()
        panel_title(left, "a", "two layers from $p_0=0.01$")
        for depth, color in zip(table.depth.values, ("floor", "forward", "anchored", "decay", "sliding"), strict=True):
            cells = table.sel(depth=depth)
            right.loglog(
                table.step_size, np.abs(cells.gap), "o", ms=3.0, color=ORDER_COLORS[color], label=f"$L={depth}$"
            )
            right.loglog(table.step_size, np.abs(cells.predicted), color=ORDER_COLORS[color], lw=0.8)
        right.set(xlabel="step size $h$", ylabel="distance of the products near ½")
        right.legend()
        panel_title(right, "b", "order $h$: lines are the leading term")
        return saved(figure, folder, NAME, effort, data)


if __name__ == "__main__":
    main(draw, __doc__)
