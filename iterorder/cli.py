"""The `iterorder` command."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from iterorder._version import __version__
from iterorder.errors import InvalidInputError, IterorderError
from iterorder.files import whole_file

if TYPE_CHECKING:
    from iterorder.claims import ClaimRow, ClaimTable

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
#: Columns of the table where the output is no terminal.
PLAIN_WIDTH = 160


def main(argv=None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, optional
        Arguments after the program's name; default: those of the process.

    Returns
    -------
    int
        Exit status: 0 when all is well, 1 when a claim failed or a rate changed, is gone or cannot be fitted, 2 for
        wrong arguments and files, 130 after an interruption.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # the mathematics has letters that not every terminal knows
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:  # argparse has printed its message, or what --help and --version ask for
        return int(stop.code or 0)
    try:
        return arguments.run(arguments)
    except IterorderError as error:
        print(f"iterorder: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("iterorder: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone: nothing may be written any more, not even when Python closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="iterorder", description="Random maps composed forward and backward, checked against the theory."
    )
    parser.add_argument("--version", action="version", version=f"iterorder {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="check the claims of the theory by simulation",
        description="Check the claims of the theory by simulation and print the table. Exit status 1 when one fails.",
    )
    check.add_argument("claims", nargs="*", metavar="CLAIM", help="C1, C2, …; default: all")
    check.add_argument("--effort", choices=("quick", "full"), default="quick", help="within a minute, or minutes")
    check.add_argument("--seed", type=int, default=0, help="of all noise, in [0, 2⁶⁴); default 0")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the table to FILE")
    check.add_argument(
        "--systems", type=Path, metavar="FILE.py", help="check C1 to C5 on the SYSTEMS that a Python file defines"
    )
    check.set_defaults(run=_check)
    rates = commands.add_parser(
        "rates",
        help="save convergence rates, or hold them against saved ones",
        description="Measure convergence rates by coupling. Exit status 1 when one differs from its baseline, cannot "
        "be fitted, or is of the baseline alone (gone); a system that the baseline has not (new) is shown and passes.",
    )
    what = rates.add_mutually_exclusive_group()
    what.add_argument("--save", type=Path, metavar="FILE", help="write a baseline")
    what.add_argument("--against", type=Path, metavar="FILE", help="compare with a baseline")
    rates.add_argument(
        "--systems", type=Path, metavar="FILE.py", help="a Python file with SYSTEMS; default: the gallery"
    )
    rates.add_argument("--effort", choices=("quick", "full"), default="quick")
    rates.add_argument("--seed", type=int, default=None, help="default: 0, and one more than that of the baseline")
    rates.set_defaults(run=_rates)
    return parser


def _rates(arguments: argparse.Namespace) -> int:
    from iterorder.gate import rates
    from iterorder.gate.systems_file import own_systems, systems_of_file
    from iterorder.validation import MAX_SEED, as_seed

    try:
        before, used = rates.read(arguments.against) if arguments.against else ([], -1)
        systems = own_systems() if arguments.systems is None else systems_of_file(arguments.systems)
    except FileNotFoundError as error:
        raise InvalidInputError(str(error)) from error
    if arguments.save is not None:
        _check_target(arguments.save, "--save")
    seed = as_seed((used + 1) % (MAX_SEED + 1) if arguments.seed is None else arguments.seed)
    now = rates.measure(systems, seed=seed, effort=arguments.effort)
    if arguments.against is None:
        measured = [rate for rate in now if isinstance(rate, rates.MeasuredRate)]
        missing = f", {len(now) - len(measured)} without one" if len(measured) < len(now) else ""
        summary = f"{len(measured)} rates per step{missing}, 95 % intervals, seed {seed}"
        _print_rates([(rate.system, rate, None, "") for rate in now], summary)
        if arguments.save is not None:
            rates.save(arguments.save, measured, seed=seed, effort=arguments.effort)
        return OK if measured == now else FAILED
    rows = rates.compare(before, now)
    counts = {kind: sum(row.verdict == kind for row in rows) for kind in ("same", "changed", "failed", "gone", "new")}
    summary = (
        ", ".join(f"{count} {kind}" for kind, count in counts.items() if count or kind in ("same", "changed"))
        + f" beside {arguments.against}; chance of a false alarm at most {rates.LEVEL:g} (seeds {used} and {seed})"
    )
    _print_rates([(row.system, row.now, row.before, row.verdict) for row in rows], summary, compared=True)
    return OK if all(row.passed for row in rows) else FAILED


def _print_rates(rows, summary: str, *, compared: bool = False) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from iterorder.gate.rates import MeasuredRate, Unfitted

    console = _console()
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("system", "rate", "interval", "steps", "stopped by", *(("baseline", "verdict") if compared else ())):
        view.add_column(column)
    notes = []
    for system, now, before, verdict in rows:
        cells = ["-"] * 4
        if isinstance(now, MeasuredRate):
            cells = [f"{now.rate:.6g}", f"{now.low:.6g} … {now.high:.6g}", f"{now.first}–{now.last}", now.stopped_by]
            notes += [f"warning: {now.warning}"] if now.warning else []
        elif isinstance(now, Unfitted):
            cells[0] = "failed"
            notes.append(f"{system} has no rate: {now.reason}")
        if compared:
            cells += ["-" if before is None else f"{before.rate:.6g}", verdict]
            if before is not None and before.warning:
                notes.append(f"warning: in the baseline, {before.warning}")
        view.add_row(*map(Text, (system, *cells)))
    console.print(view)
    for note in notes:
        console.print(Text(note, "yellow"))
    console.print(Text(summary, "bold"))


def _console():
    """Where tables go: as wide as the terminal, or as they need."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


def _check(arguments: argparse.Namespace) -> int:
    from iterorder.claims import ClaimTable
    from iterorder.claims.check import progress, selected
    from iterorder.validation import as_seed

    seed = as_seed(arguments.seed)
    if arguments.json is not None:
        _check_target(arguments.json, "--json")  # before minutes of work
    if arguments.systems is not None:
        return _check_own(arguments, seed)
    chosen = selected([name.upper() for name in arguments.claims] or None)
    rows: list[ClaimRow] = []
    with _StatusLine(sys.stderr) as status:
        names = [claim.id for claim in chosen]
        status.show(names[0], 0, len(names), 0)
        for done, (_, new) in enumerate(progress(chosen, seed=seed, effort=arguments.effort), start=1):
            rows += new
            failed = sum(row.verdict == "fail" for row in rows)
            status.show(names[done] if done < len(names) else "done", done, len(names), failed)
    table = ClaimTable(tuple(rows), seed, arguments.effort)
    unwritten = None
    if arguments.json is not None:
        try:
            write_json(arguments.json, table.to_dict())
        except OSError as error:
            unwritten = error  # the table is still worth printing
    _print(table, status.seconds)
    sys.stdout.flush()  # a reader that has gone is noticed here, not when Python ends
    if unwritten is not None:
        raise InvalidInputError(f"--json {arguments.json} cannot be written: {unwritten}")
    return OK if table.passed else FAILED


def _check_own(arguments: argparse.Namespace, seed: int) -> int:
    """The general claims on a user's systems."""
    from iterorder.gate.general import check_systems
    from iterorder.gate.systems_file import systems_of_file

    if arguments.claims:
        raise InvalidInputError("claims are given beside --systems: a user's systems are checked on C1 to C5 together")
    try:
        systems = systems_of_file(arguments.systems)
    except FileNotFoundError as error:
        raise InvalidInputError(str(error)) from error
    start = time.perf_counter()
    table = check_systems(systems, seed=seed, effort=arguments.effort)
    if arguments.json is not None:
        write_json(arguments.json, table.to_dict())
    _print(table, time.perf_counter() - start, sections="system")
    return OK if table.passed else FAILED


class _StatusLine:
    """One line that is written over while the claims run, gone afterwards; nothing where the stream is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.live = stream, stream.isatty()
        self.start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.perf_counter() - self.start

    def show(self, current: str, done: int, total: int, failed: int) -> None:
        """Replace the line."""
        if self.live:
            text = f"checking {current}  {done}/{total} claims, {failed} failures, {self.seconds:.0f} s"
            print(f"\r\x1b[K{text}", end="", file=self.stream, flush=True)

    def __enter__(self) -> _StatusLine:
        return self

    def __exit__(self, *_) -> None:
        if self.live:
            print("\r\x1b[K", end="", file=self.stream, flush=True)


def _print(table: ClaimTable, seconds: float, sections: str = "claim") -> None:
    """The table with a gap between its `sections`, what is to be said of rows that failed, and the summary."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from iterorder.claims.table import COLUMNS

    console = _console()
    view = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in COLUMNS:
        numeric = column in ("predicted", "measured", "uncertainty")
        view.add_column(column, justify="right" if numeric else "left", no_wrap=numeric)
    colours = {"pass": "green", "fail": "bold red", "skipped": "yellow"}
    previous = getattr(table.rows[0], sections) if table.rows else ""
    for row in table.rows:
        if getattr(row, sections) != previous:
            view.add_section()
            previous = getattr(row, sections)
        *cells, verdict = row.cells()
        view.add_row(*map(Text, cells), Text(verdict, colours[row.verdict]))
    console.print(view)
    legend = "uncertainty: the largest deviation that the row allows, at its test level or by a derived bound"
    console.print(legend, style="dim")
    for row in table.failures:
        if row.note:
            console.print(Text(f"{row.claim} fails for {row.system}: {row.note}", "yellow"))
    console.print(Text(f"{table.summary()}, {seconds:.0f} s"), style="bold" if table.passed else "bold red")


def _check_target(path: Path, option: str) -> None:
    """Refuse a file that could not be written."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        what = "is a folder" if path.is_dir() else f"is in {folder}, which is no folder that can be written to"
        raise InvalidInputError(f"{option} {path} {what}: give the name of a file in an existing folder")


def write_json(path: Path, content: dict) -> None:
    """The content as one JSON file, whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as file:
        file.write(f"{text}\n".encode())


if __name__ == "__main__":
    sys.exit(main())
