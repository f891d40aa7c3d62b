"""The rows of a table of claims: how far measured numbers are from predicted ones, in units of what is allowed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from iterorder.claims.table import CONTROL, FAIL, SKIPPED, ClaimRow, ClaimTable
from iterorder.errors import InvalidInputError
from iterorder.plot.axes import axes_for
from iterorder.plotting import ORDER_COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Where the axis becomes logarithmic, and the farthest deviation that has a place of its own.
LINEAR, FARTHEST = 2.0, 1e4
#: Of a row's height, how far its dots may be apart.
SPREAD = 0.3


def draw(table: ClaimTable, ax) -> Axes:
    """See `ClaimTable.plot`."""
    rows = [row for row in table.rows if row.verdict != SKIPPED]
    if not rows:
        raise InvalidInputError("the table has no row that was measured: there is nothing to draw")
    claims = list(dict.fromkeys(row.claim for row in rows))
    with axes_for(ax, (4.8, 1.0 + 0.19 * len(claims)), columns=2) as axes:
        axes.axvspan(-1.0, 1.0, color=ORDER_COLORS["floor"], alpha=0.2, linewidth=0.0, label="allowed")
        groups = {
            "claims": ([row for row in rows if row.kind != CONTROL and row.verdict != FAIL], "o", "forward"),
            "controls, which must be outside": ([row for row in rows if row.kind == CONTROL], "D", "coupling"),
            "failed": ([row for row in rows if row.verdict == FAIL], "X", "backward"),
        }
        for label, (chosen, marker, name) in groups.items():
            if chosen:
                places = [(deviation(row), _height(row, rows, claims)) for row in chosen]
                _draw_rows(axes, np.array(places), marker, ORDER_COLORS[name], label)
        axes.set_xscale("symlog", linthresh=LINEAR)
        axes.set_xlim(-FARTHEST, FARTHEST)
        axes.set(yticks=range(len(claims)), yticklabels=claims, ylim=(len(claims) - 0.5, -0.5))
        axes.set_xlabel("(measured − predicted) ÷ allowed deviation")
    return axes


def _draw_rows(ax: Axes, places: np.ndarray, marker: str, color: str, label: str) -> None:
    """Open diamonds for controls; what has no place in the picture points to where it is."""
    style: dict = {"color": color, "linestyle": "none", "markersize": 3.5, "markeredgewidth": 0.7, "clip_on": False}
    style |= {"fillstyle": "none" if marker == "D" else "full", "label": label}
    for side, shape in ((0, marker), (-1, "<"), (1, ">")):
        found = places[np.sign(places[:, 0]) * (np.abs(places[:, 0]) >= FARTHEST) == side]
        if len(found):
            ax.plot(found[:, 0], found[:, 1], shape, **style)
            style["label"] = None


def deviation(row: ClaimRow) -> float:
    """In units of the uncertainty; of a relation ≤ or ≥ the part that is on the wrong side is positive."""
    difference = row.measured - row.predicted
    if row.relation == "≥":
        difference = -difference
    if difference == 0.0:
        return 0.0
    ratio = difference / row.uncertainty if row.uncertainty > 0.0 else math.copysign(math.inf, difference)
    return float(np.clip(ratio if not math.isnan(ratio) else math.inf, -FARTHEST, FARTHEST))


def _height(row: ClaimRow, rows: list[ClaimRow], claims: list[str]) -> float:
    """A place in the line of its claim, so that no two rows cover each other."""
    same = [other for other in rows if other.claim == row.claim]
    share = (same.index(row) + 0.5) / len(same) - 0.5
    return claims.index(row.claim) + 2.0 * SPREAD * share
