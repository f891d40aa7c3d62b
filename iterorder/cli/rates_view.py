"""The table of rates, what is to be said below it, and the lines for GitHub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from iterorder.cli import output

if TYPE_CHECKING:
    from iterorder.gate.comparison import Comparison
    from iterorder.gate.rates import MeasuredRate

MEASURED = "finds: the change of the rate that a comparison of two such measurements finds in 9 cases of 10"
COMPARED = (
    "change: minus is slower, unchanged is within a standard error; allowed: by chance or --rtol; "
    "finds: the change that is found in 9 cases of 10"
)
#: Smaller shares of a rate are those of rounding: of interest to nobody.
LEAST_PERCENT = 0.01
VANISHING = "shares of the rate, or differences per step where it cannot be told from zero"


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
    tests = _tests(rows, compared)
    for row in rows:
        view.add_row(*map(Text, _cells(row, tests[row.system], compared)))
    console.print(view)
    vanishes = any(test.before is not None and test.before.vanishes for test in tests.values())
    console.print((COMPARED if compared else MEASURED) + (f"; {VANISHING}" if vanishes else ""), style="dim")
    for _, note in _notes(rows):
        console.print(Text(note, "yellow"))
    for note in _weak(tests, sought, advice):
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
    failing = {row.system for row in rows if not row.passed}
    for name, note in _notes(rows):
        fails = not compared and name in failing and not note.startswith("warning: ")
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


def _cells(row: Comparison, test: Comparison, compared: bool) -> list[str]:
    from iterorder.gate.rates import MeasuredRate, Unfitted

    now, before = row.now, row.before
    cells = ["-"] * 4
    if isinstance(now, MeasuredRate):
        cells = [f"{now.rate:.6g}", f"{now.low:.6g} … {now.high:.6g}", f"{now.first}–{now.last}", now.stopped_by]
    elif isinstance(now, Unfitted):
        cells[0] = "none" if row.expect_none else "failed"
    change = allowed = finds = "-"
    if test.before is not None and isinstance(now, MeasuredRate):
        change = _change(test.before, now)
        allowed = ("" if row.one_sided else "±") + _relative(test.allowed, test.before)
        finds = _relative(test.detectable_difference, test.before)
    if not compared:
        return [row.system, *cells, finds]
    base = "-" if before is None else f"{before.rate:.6g}"
    return [row.system, *cells, base, change, allowed, finds, row.verdict]


def _change(before: MeasuredRate, now: MeasuredRate) -> str:
    """How much faster a rate is; what is no more than the noise of the two measurements is not printed as a number."""
    from iterorder.gate.rates import noise_of

    difference = before.rate - now.rate
    if abs(difference) <= noise_of(before, now):
        return "unchanged"
    return _relative(difference, before, "+")


def _relative(difference: float, rate: MeasuredRate, sign: str = "") -> str:
    """A difference as a share of a rate; as it is, where that cannot be told from zero."""
    if rate.vanishes:
        return f"{difference:{sign}.2g}"
    percent = 100.0 * difference / abs(rate.rate)
    return f"{percent:{sign}.2g} %" if abs(percent) >= LEAST_PERCENT else f"<{LEAST_PERCENT:g} %"


def _tests(rows: list[Comparison], compared: bool) -> dict[str, Comparison]:
    """The comparison of each system; of a measurement alone, that with another one like it."""
    from iterorder.gate.comparison import compare
    from iterorder.gate.rates import MeasuredRate

    if not compared:
        now = [row.now for row in rows if row.now is not None]
        rows = compare([rate for rate in now if isinstance(rate, MeasuredRate)], now)
    return {row.system: row for row in rows}


def _notes(rows: list[Comparison]) -> list[tuple[str, str]]:
    """Systems and what is to be said of them."""
    from iterorder.gate.rates import MeasuredRate, Unfitted

    notes = []
    for row in rows:
        before = row.before if row.before is not None and row.before.warning else None
        if isinstance(row.now, MeasuredRate) and row.verdict == "none":
            notes.append((row.system, f"{row.system} has no rate, as is expected: {row.now.absent}"))
        elif isinstance(row.now, MeasuredRate) and row.now.warning:
            too = f" (in the baseline too, {before.rate:+.3g})" if before else ""
            notes.append((row.system, f"warning: {row.system}: {row.now.warning}{too}"))
        elif before:
            notes.append((row.system, f"warning: {row.system}: in the baseline, {before.warning}"))
        if row.verdict == "unexpected":
            notes.append((row.system, failure(row)))
        if isinstance(row.now, Unfitted):
            expected = ", as is expected" if row.expect_none else ""
            notes.append((row.system, f"{row.system} has no rate{expected}: {row.now.reason}"))
    return notes


def _weak(tests: dict[str, Comparison], sought: float, advice: str) -> list[str]:
    """Systems of which less is seen than the effort is for."""
    return [
        f"{name}: a change below {100.0 * test.detectable:.2g} % may pass unnoticed{advice}"
        for name, test in tests.items()
        if test.detectable > 1.1 * sought
    ]
