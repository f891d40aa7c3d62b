"""A distance over the step with the line whose slope is its rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from iterorder.convergence.rates import Rate
from iterorder.plot.axes import axes_for
from iterorder.plotting import ORDER_COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(rate: Rate, ax) -> Axes:
    """See `Rate.plot`."""
    seen = (rate.distance > 0.0) & np.isfinite(rate.distance)
    with axes_for(ax, columns=2) as axes:
        steps, distance = rate.steps[seen], rate.distance[seen]
        axes.plot(steps, distance, "o", color=ORDER_COLORS["coupling"], markersize=3.0, label="distance")
        draw_fit(axes, rate)
        shade: dict = {"color": ORDER_COLORS["floor"], "alpha": 0.2, "linewidth": 0.0, "label": "steps of the fit"}
        axes.axvspan(rate.first, rate.last, **shade)
        axes.set(xlabel="step $n$", ylabel="distance", yscale="log")
    return axes


def draw_fit(ax: Axes, rate: Rate) -> None:
    """The fitted line over the steps of the fit, its label the rate with its interval."""
    inside = (rate.steps >= rate.first) & (rate.steps <= rate.last)
    steps, logs = rate.steps[inside], np.log(rate.distance[inside])
    line = np.exp(logs.mean() + rate.rate * (steps - steps.mean()))
    value, low, high = in_equal_digits(rate.rate, rate.low, rate.high)
    label = f"fit, {value} a step in [{low}, {high}]" + ", no exponential" * rate.curved
    ax.plot(steps, line, color=ORDER_COLORS["average"], linestyle="--", label=label)


def in_equal_digits(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A value and its interval with two digits of the interval's half width, or four of the value without one."""
    unit = 0.5 * (high - low)
    digits = 2 if unit > 0.0 and math.isfinite(unit) else 4
    scale = unit if digits == 2 else abs(value) or 1.0
    places = max(0, digits - 1 - math.floor(math.log10(scale)))
    return f"{value:.{places}f}", f"{low:.{places}f}", f"{high:.{places}f}"
