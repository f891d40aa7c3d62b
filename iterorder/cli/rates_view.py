"""The table of rates, what is to be said below it, and the lines for GitHub."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from iterorder.cli import output

if TYPE_CHECKING:
    from iterorder.gate.comparison import Comparison

MEASURED = "finds: the change of the rate that a comparison of two such measurements finds in 9 cases of 10"
COMPARED = "change: minus is slower; allowed: by chance or --rtol; finds: the change that is found in 9 cases of 10"


def print_rates(rows: list[Comparison], summary: str, *, compared: bool, sought: float, advice: str = "") -> None:
    """The table, its warnings and the summary; the `advice` where less is seen than the effort is for."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = output.console()
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = ["system", "rate", "interval", "steps", "stopped by"]
    for column in [*columns, *(["baseline", "change", "allowed"] if compared else []), "finds"]:
        view.add_column(column)
    if compared:
        view.add_column("verdict")
    finds = _finds(rows, compared)
    for row in rows:
        view.add_row(*map(Text, _cells(row, compared, finds[row.system])))
    console.print(view)
    console.print(COMPARED if compared else MEASURED, style="dim")
    for _, note in _notes(rows, compared):
        console.print(Text(note, "yellow"))
    for note in _weak(finds, sought, advice):
        console.print(Text(note, "dim"))
    console.print(Text(summary, "bold"))


def github_lines(rows: list[Comparison], systems: Path | None, *, compared: bool) -> Iterator[str]:
    """A line for GitHub for each failure and each warning, at the entry of the system where it is in a file."""
    from iterorder.gate.systems_file import line_of_entry

    def line(kind: str, name: str, message: str) -> str:
        place = None if systems is None else line_of_entry(systems, name)
        return output.annotation(kind, message, title="iterorder rates", file=systems, line=place)

    for row in rows:
        if compared and not row.passed:
            yield line("error", row.system, failure(row))
    for name, note in _notes(rows, compared):
        fails = not compared and not note.startswith("warning: ")
        if fails or note.startswith("warning: "):
            yield line("error" if fails else "warning", name, note.removeprefix("warning: "))


def failure(row: Comparison) -> str:
    """One sentence that says why a system does not pass."""
    from iterorder.gate.rates import MeasuredRate, Unfitted

    if row.before is not None and isinstance(row.now, MeasuredRate) and not row.expect_none:
        how = "slower" if row.now.rate > row.before.rate else "faster"
        return (
            f"{row.system}: the rate was {row.before.rate:.6g} a step and is {row.now.rate:.6g}, {how} by more than "
            f"{row.allowed:.2g}, the largest difference of two measurements of one rate"
        )
    if isinstance(row.now, Unfitted):
        return f"{row.system} has no rate: {row.now.reason}"
    if row.now is None:
        return f"{row.system} is gone: the baseline has it, and SYSTEMS has not"
    return f"{row.system} has a rate, {row.now.rate:.6g} a step, and is expected to have none"


def _cells(row: Comparison, compared: bool, finds: float) -> list[str]:
    from iterorder.gate.rates import MeasuredRate, Unfitted

    now, before = row.now, row.before
    cells = ["-"] * 4
    if isinstance(now, MeasuredRate):
        cells = [f"{now.rate:.6g}", f"{now.low:.6g} … {now.high:.6g}", f"{now.first}–{now.last}", now.stopped_by]
    elif isinstance(now, Unfitted):
        cells[0] = "none" if row.expect_none else "failed"
    if not compared:
        return [row.system, *cells, _percent(finds)]
    change = allowed = "-"
    if before is not None and isinstance(now, MeasuredRate) and before.rate:
        size = abs(before.rate)
        change = f"{100.0 * (before.rate - now.rate) / size:+.2g} %"
        allowed = ("" if row.one_sided else "±") + _percent(row.allowed / size)
    base = "-" if before is None else f"{before.rate:.6g}"
    return [row.system, *cells, base, change, allowed, _percent(finds), row.verdict]


def _finds(rows: list[Comparison], compared: bool) -> dict[str, float]:
    """The relative change of each system that is found; in a measurement alone, by a comparison of two like it."""
    from iterorder.gate.rates import MeasuredRate, allowed_difference, detectable

    found = {}
    for row in rows:
        found[row.system] = row.detectable
        if not compared and isinstance(row.now, MeasuredRate):
            found[row.system] = detectable(row.now, row.now, allowed_difference(row.now, row.now, len(rows)))
    return found


def _percent(share: float) -> str:
    return f"{100.0 * share:.2g} %" if math.isfinite(share) else "-"


def _notes(rows: list[Comparison], compared: bool) -> list[tuple[str, str]]:
    """Systems and what is to be said of them."""
    from iterorder.gate.rates import MeasuredRate, Unfitted

    notes = []
    for row in rows:
        if isinstance(row.now, MeasuredRate) and row.now.warning:
            notes.append((row.system, f"warning: {row.now.warning}"))
        if isinstance(row.now, MeasuredRate) and row.expect_none:
            notes.append((row.system, failure(row)))
        if isinstance(row.now, Unfitted):
            expected = ", as is expected" if row.expect_none else ""
            notes.append((row.system, f"{row.system} has no rate{expected}: {row.now.reason}"))
        if compared and row.before is not None and row.before.warning:
            notes.append((row.system, f"warning: in the baseline, {row.before.warning}"))
    return notes


def _weak(finds: dict[str, float], sought: float, advice: str) -> list[str]:
    """Systems of which less is seen than the effort is for."""
    return [
        f"{name}: a change below {_percent(change)} may pass unnoticed{advice}"
        for name, change in finds.items()
        if math.isfinite(change) and change > 1.1 * sought
    ]
