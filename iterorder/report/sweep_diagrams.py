"""The diagrams of a sweep on its page: two axes, panels over the others, and words on what has no place in them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.report.document import Beside, Part, Picture, Text, drawn

if TYPE_CHECKING:
    from iterorder.sweeps.grid import Axis
    from iterorder.sweeps.results import Sweep

#: Variables that are drawn, and panels of each: in more they are too small to be read.
DIAGRAMS, PANELS = 6, 12
#: Panels of a diagram that has another one beside it.
BESIDE = 2


@dataclass(frozen=True)
class Layout:
    """Where the axes of a grid go: two to those of a diagram, the others to its panels."""

    x: Axis
    y: Axis | None
    others: dict[Axis, list[int]]
    """The places of each other axis that are drawn; a single one has no panels of its own."""

    @property
    def facets(self) -> list[str]:
        """The parameters with panels."""
        return [axis.names[0] for axis, places in self.others.items() if len(places) > 1]

    @property
    def panels(self) -> int:
        """How many there are."""
        return math.prod(map(len, self.others.values()))

    @property
    def at(self) -> dict[str, Any]:
        """The values that are drawn of the axes that are not drawn whole."""
        found: dict[str, Any] = {}
        for axis, places in self.left_out.items():
            values = [axis.column(axis.names[0])[k] for k in places]
            found[axis.names[0]] = values if len(places) > 1 else values[0]
        return found

    @property
    def left_out(self) -> dict[Axis, list[int]]:
        """The axes of which some values are not drawn."""
        return {axis: places for axis, places in self.others.items() if len(places) < len(axis)}


def diagrams(found: Sweep) -> Iterator[Part]:
    """Each variable over the two longest axes, with panels over the others, and which values have none."""
    layout = _layout([axis for axis in found.grid.axes if len(axis) > 1])
    variables = [variable.name for variable in found.variables if math.prod(variable.shape) == 1]
    if layout is None or not variables:
        return
    pictures = [_picture(found, layout, name) for name in variables[:DIAGRAMS]]
    yield from pictures if layout.panels > BESIDE else [Beside(pictures)]
    if left := variables[DIAGRAMS:]:
        yield Text(f"Not drawn: {', '.join(left)}.")
    if layout.left_out:
        some = "; ".join(
            f"of {axis.names[0]} {len(places)} of {len(axis)} values ({_listed(axis, places)})"
            for axis, places in layout.left_out.items()
        )
        first = next(iter(layout.left_out)).names[0]
        others = f"ito.open_sweep(folder).plot(…, at={{{first!r}: …}})"
        yield Text(f"There are at most {PANELS} panels, and they show {some}. Others are drawn by {others}.")


def _layout(axes: list[Axis]) -> Layout | None:
    """The longest axis of numbers across, the next longest upwards, and as many panels of the others as fit."""
    if not axes:
        return None
    x = max(axes, key=lambda axis: (_is_numeric(axis), len(axis)))
    rest = sorted((axis for axis in axes if axis is not x), key=len, reverse=True)
    budget, others = PANELS, {}
    for axis in sorted(rest[1:], key=len):
        count = min(len(axis), budget)
        others[axis] = _spread(len(axis), count)
        budget //= count
    return Layout(x, rest[0] if rest else None, others)


def _is_numeric(axis: Axis) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in axis.column(axis.names[0]))


def _spread(length: int, count: int) -> list[int]:
    """So many places from end to end; a single one lies in the middle."""
    return [length // 2] if count == 1 else np.linspace(0, length - 1, count).round().astype(int).tolist()


def _picture(found: Sweep, layout: Layout, name: str) -> Picture:
    from matplotlib import pyplot

    from iterorder.plotting import house_style

    x, y = layout.x.names[0], layout.y.names[0] if layout.y else None
    figure = found.plot(x, y, color=name, facet=layout.facets, at=layout.at)[0].figure
    over = f"{name} over {x}" + (f" and {y}" if y else "")
    for_each = f", for each {' and '.join(layout.facets)}" if layout.facets else ""
    held = [f"{key} = {value}" for key, value in layout.at.items() if key not in layout.facets]
    try:
        with house_style():
            return drawn(figure, over + for_each + (f", at {', '.join(held)}" if held else ""))
    finally:
        pyplot.close(figure)


def _listed(axis: Axis, places: list[int]) -> str:
    column = axis.column(axis.names[0])
    return ", ".join(f"{column[k]:.4g}" if isinstance(column[k], float) else str(column[k]) for k in places)
