"""How a verdict came about: the late diameter of the paths in units of the early one, beside the rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.convergence.diagnosis import Diagnosis
from iterorder.convergence.verdict import DIVERGING_RATIO, POINT_RATIO, STEADY_HIGH, STEADY_LOW
from iterorder.plot.axes import axes_for
from iterorder.plotting import ORDER_COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What the picture shows at least, and where a ratio outside is put, with an arrow.
LEAST, MOST = 1e-3, 1e2


def draw(diagnosis: Diagnosis, ax) -> Axes:
    """See `Diagnosis.plot`."""
    evidence = diagnosis.evidence
    zones = {
        "point": (LEAST, POINT_RATIO, ORDER_COLORS["backward"]),
        "distribution": (STEADY_LOW, STEADY_HIGH, ORDER_COLORS["forward"]),
        "diverges": (DIVERGING_RATIO, MOST, ORDER_COLORS["floor"]),
    }
    with axes_for(ax, (4.8, 1.7)) as axes:
        for name, (low, high, color) in zones.items():
            axes.axvspan(low, high, color=color, alpha=0.2, linewidth=0.0)
            axes.text(np.sqrt(low * high), 0.82, name, ha="center", va="center", fontsize="small")
        low, ratio, high = (_inside(value) for value in (evidence.ratio_low, evidence.ratio, evidence.ratio_high))
        if np.isfinite(ratio):
            axes.plot([low, high], [0.4, 0.4], color=ORDER_COLORS["theory"], linewidth=1.0)
            axes.plot([ratio], [0.4], marker=_marker(evidence.ratio), color=ORDER_COLORS["theory"], clip_on=False)
        axes.set(xscale="log", xlim=(LEAST, MOST), ylim=(0.0, 1.0), yticks=[])
        axes.set_xlabel("late ÷ early diameter of a path,\nmedian with interval")
        # Beside axes that were given there may be others, which the reason would run over.
        title = diagnosis.verdict if ax is not None else f"{diagnosis.verdict}: {evidence.reason}"
        axes.set_title(title, loc="left", wrap=ax is None)
    return axes


def _inside(value: float) -> float:
    return float(np.clip(value, LEAST, MOST))


def _marker(ratio: float) -> str:
    """A ratio that has no place in the picture points to where it is."""
    return "<" if ratio < LEAST else ">" if ratio > MOST else "o"
