"""What came of a sweep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from iterorder.report.document import Code, Part, Section, Table, Text, facts
from iterorder.report.sweep_diagrams import diagrams
from iterorder.report.sweep_tables import tables

if TYPE_CHECKING:
    from iterorder.sweeps.results import Sweep

#: Failed cells that are shown.
FAILED = 20


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
    parts: list[Part] = [Text(counts), *diagrams(found), *tables(found)]
    if failed:
        rows = [[cell.cell, _point(cell.point), cell.kind, cell.message] for cell in failed[:FAILED]]
        parts += [
            Text(f"Cells that ended with an error{_first(failed)}:"),
            Table(("cell", "at", "error", "message"), rows),
        ]
    yield Section("Sweep", parts, "sweep")
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


def _point(point: dict) -> str:
    return ", ".join(f"{name}={value}" for name, value in point.items())


def _first(failed: list) -> str:
    return f", the first {FAILED} of {len(failed)}" if len(failed) > FAILED else ""
