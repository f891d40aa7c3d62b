"""A test of stationarity: where along the path it departs, beside what a stationary path is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.laws.drift_test import drift_error
from iterorder.laws.stationarity import StationarityTest
from iterorder.plot.axes import axes_for
from iterorder.plotting import ORDER_COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(test: StationarityTest, ax) -> Axes:
    """See `StationarityTest.plot`."""
    with axes_for(ax, columns=2) as axes:
        (_draw_distances if test.kind == "wasserstein" else _draw_drifts)(axes, test)
    return axes


def _draw_distances(ax: Axes, test: StationarityTest) -> None:
    steps = test.block_length * np.arange(1, len(test.parts) + 1)
    label = f"the path, $p = {test.p_value:.3g}$"
    ax.plot(steps, test.parts, "o-", color=ORDER_COLORS["forward"], markersize=3.0, label=label)
    if np.isfinite(test.critical):
        label = f"rejected above, level {test.level:g}"
        ax.axhline(test.critical, color=ORDER_COLORS["theory"], linewidth=0.9, linestyle="--", label=label)
    ax.set(xlabel="steps in the first part", ylabel=r"$\sqrt{n\,s\,(1-s)}\;W_1$, first part and rest")
    ax.set_ylim(bottom=0.0)


def _draw_drifts(ax: Axes, test: StationarityTest) -> None:
    steps = test.block_length * (np.arange(len(test.parts)) + 0.5)
    mean, reach = float(test.parts.mean()), test.critical * drift_error(test.parts)
    color = ORDER_COLORS["backward"]
    ax.axhline(0.0, color=ORDER_COLORS["theory"], linewidth=0.8)
    ax.plot(steps, test.parts, "o", color=ORDER_COLORS["forward"], markersize=3.0, label="mean of a block")
    ax.axhspan(mean - reach, mean + reach, color=color, alpha=0.25, linewidth=0.0)
    label = f"mean of all, with its interval of {1.0 - test.level:.4g}, $p = {test.p_value:.3g}$"
    ax.axhline(mean, color=color, linewidth=1.0, label=label)
    ax.set(xlabel="step of the path", ylabel=r"$\|T(x)-c\|^2-\|x-c\|^2$")
