"""The curve whose slope on two logarithmic axes is a dimension, and the scales that it was taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.dimensions.estimated import DimensionEstimate
from iterorder.plot.axes import axes_for, few_ticks
from iterorder.plot.rates import in_equal_digits
from iterorder.plotting import ORDER_COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What is measured, over what, and the sign of its slope.
AXES = {
    "correlation": ("radius $r$", "share of pairs within $r$", 1.0),
    "box": (r"side $\varepsilon$ of a box", "boxes that hold a point", -1.0),
}


def draw(found: DimensionEstimate, ax) -> Axes:
    """See `DimensionEstimate.plot`."""
    scale, measured, sign = AXES[found.kind]
    used = (found.scales >= found.finest) & (found.scales <= found.coarsest)
    logs = np.log(found.scales)
    middle = np.log(found.measured[used]).mean() - sign * found.value * logs[used].mean()
    value, low, high = in_equal_digits(found.value, found.low, found.high)
    with axes_for(ax, columns=2) as axes:
        axes.plot(found.scales, found.measured, "o", color=ORDER_COLORS["forward"], markersize=3.0, label=measured)
        line, label = np.exp(middle + sign * found.value * logs), f"dimension {value} in [{low}, {high}]"
        axes.plot(found.scales, line, color=ORDER_COLORS["theory"], linewidth=0.9, linestyle="--", label=label)
        shade: dict = {"color": ORDER_COLORS["floor"], "alpha": 0.2, "linewidth": 0.0, "label": "scales of the fit"}
        axes.axvspan(found.finest, found.coarsest, **shade)
        axes.set(xscale="log", yscale="log", xlabel=scale, ylabel=measured)
        few_ticks(axes)
    return axes
