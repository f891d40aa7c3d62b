"""What came of a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from iterorder.report.document import Beside, Code, Part, Picture, Section, Table, Text, drawn, facts

if TYPE_CHECKING:
    from iterorder.sweeps.grid import Axis
    from iterorder.sweeps.results import Sweep, Variable

#: Diagrams, panels of one, and failed cells that are shown.
DIAGRAMS, PANELS, FAILED = 6, 8, 20


def sweep(folder: Path) -> Iterator[Section]:
    """Its diagrams, the range of each variable, failed cells, and where it comes from."""
    from iterorder.sweeps.ledger import FILE

    if not (folder / FILE).is_file():
        return
    from iterorder.sweeps import open_sweep

    found = open_sweep(folder)
    done, failed = found.done, found.failed
    shape = " × ".join(f"{axis.dim} {len(axis)}" for axis in found.grid.axes)
    counts = f"{int(done.sum())} of {done.size} cells are done ({shape}), {len(failed)} ended with an error."
    parts: list[Part] = [Text(counts), Beside(list(_diagrams(found)))]
    if undrawn := _undrawn(found):
        parts.append(Text(undrawn))
    if variables := [variable for variable in found.variables if not variable.shape]:
        parts.append(Table(("variable", "least", "median", "largest", "cells"), _ranges(found, variables)))
    if failed:
        rows = [[cell.cell, _point(cell.point), cell.kind, cell.message] for cell in failed[:FAILED]]
        parts += [
            Text(f"Cells that ended with an error{_first(failed)}:"),
            Table(("cell", "at", "error", "message"), rows),
        ]
    yield Section("Sweep", parts)
    yield Section("Where it comes from", [facts({"seed": found.seed, **found.provenance}), *_again(found)])


def _again(found: Sweep) -> Iterator[Part]:
    from iterorder.errors import InvalidInputError
    from iterorder.sweeps.from_file import kept_configuration

    try:
        text = kept_configuration(found.folder).text
    except InvalidInputError:  # it was made from Python
        yield Text("This sweep was made from Python: the same call of ito.sweep repeats it.")
        return
    yield Text("This configuration repeats it, by iterorder sweep CONFIG.toml:")
    yield Code(text)


def _varied(found: Sweep) -> list[Axis]:
    """The axes with more than one value, the longest first."""
    return sorted((axis for axis in found.grid.axes if len(axis) > 1), key=len, reverse=True)


def _undrawn(found: Sweep) -> str:
    """Why there are no diagrams, and what draws some; empty where there are."""
    axes = _varied(found)
    if len(axes) < 3 or (len(axes) == 3 and len(axes[2]) <= PANELS):
        return ""
    grid = ", ".join(f"{axis.dim} {len(axis)}" for axis in axes)
    return (
        f"No diagram is drawn: one has two axes and at most {PANELS} panels of a third, and this sweep varies {grid}. "
        "Take a slice: ito.open_sweep(folder).to_xarray().sel(…)."
    )


def _diagrams(found: Sweep) -> Iterator[Picture]:
    """Each variable over the two longest axes, a panel for each value of a short third one."""
    from matplotlib import pyplot

    from iterorder.plotting import house_style

    axes = _varied(found)
    if not axes or _undrawn(found):
        return
    x, *others = (axis.names[0] for axis in axes)
    y, facet = (*others, None, None)[:2]
    plain = [variable.name for variable in found.variables if not variable.shape]
    for name in plain[:DIAGRAMS]:
        with house_style():
            panels = found.plot(x, y, color=name, facet=facet)
            figure = panels[0].figure
            over = f"{name} over {x}" + (f" and {y}" if y else "") + (f", for each {facet}" if facet else "")
            yield drawn(figure, over)
            pyplot.close(figure)


def _ranges(found: Sweep, variables: list[Variable]) -> list[list[object]]:
    table = found.to_xarray()
    rows: list[list[object]] = []
    for variable in variables:
        values = np.asarray(table[variable.name], float)[np.asarray(table["done"])]
        values = values[np.isfinite(values)]
        ends = [float(np.min(values)), float(np.median(values)), float(np.max(values))] if values.size else [""] * 3
        rows.append([variable.name, *ends, int(values.size)])
    return rows


def _point(point: dict) -> str:
    return ", ".join(f"{name}={value}" for name, value in point.items())


def _first(failed: list) -> str:
    return f", the first {FAILED} of {len(failed)}" if len(failed) > FAILED else ""
