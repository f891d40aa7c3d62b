"""`iterorder check`: the claims of the theory, or those that every system of a user must keep."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from iterorder.cli import output
from iterorder.cli.options import add_command, add_format
from iterorder.cli.status import StatusLine
from iterorder.errors import InvalidInputError

if TYPE_CHECKING:
    from iterorder.claims import ClaimRow, ClaimTable

EXAMPLES = (
    "iterorder check C13 C22",
    "iterorder check C22 --effort full --seed 1 --json table.json",
    "iterorder check --systems my_systems.py",
)


def add_to(commands) -> None:
    """The arguments of the command."""
    check = add_command(
        commands,
        "check",
        run=run,
        help="check the claims of the theory by simulation",
        description="Check the claims of the theory by simulation and print the table.",
        examples=EXAMPLES,
        options=("seed", "effort", "backend"),
        fails="a claim failed",
    )
    check.add_argument("claims", nargs="*", metavar="CLAIM", help="C1, C2, …; default: all")
    check.add_argument(
        "--systems", type=Path, metavar="FILE.py", help="check C1 to C5 on the SYSTEMS that a Python file defines"
    )
    add_format(check)
    check.set_defaults(by_hand={"claims": "CLAIM"})


def run(arguments: argparse.Namespace) -> int:
    """Check, print, write; the exit status."""
    from iterorder.kernels.backends import as_backend
    from iterorder.validation import as_seed

    seed = as_seed(arguments.seed)
    as_backend(arguments.backend)
    output.check_targets(json=arguments.json)
    table, seconds = (_own if arguments.systems is not None else _claims)(arguments, seed)
    output.deliver(arguments, table.to_dict(), lambda: _show(table, seconds, arguments))
    return output.OK if table.passed else output.FAILED


def _show(table: ClaimTable, seconds: float, arguments: argparse.Namespace) -> None:
    """The table, and a line for GitHub of each failure where they are wanted."""
    _print(table, seconds, sections="claim" if arguments.systems is None else "system")
    if arguments.format == "github":
        for row in table.failures:
            note = f"; {row.note}" if row.note else ""
            message = f"{row.claim}, {row.quantity}: measured {row.measured:.6g}, predicted {row.predicted:.6g}{note}"
            title = f"{row.claim} fails for {row.system}"
            print(output.annotation("error", message, title=title, file=arguments.systems))


def _claims(arguments: argparse.Namespace, seed: int) -> tuple[ClaimTable, float]:
    """The claims of the theory, and how long they took."""
    from iterorder.claims import ClaimTable
    from iterorder.claims.check import CLAIMS, one_by_one, selected

    # In capitals where that makes it a claim: an error shows what was typed.
    chosen = selected([name.upper() if name.upper() in CLAIMS else name for name in arguments.claims] or None)
    rows: list[ClaimRow] = []
    how = {"seed": seed, "effort": arguments.effort, "backend": arguments.backend}
    with StatusLine() as status:
        names = [claim.id for claim in chosen]
        status.show(names[0], 0, len(names), 0)
        for done, (_, new) in enumerate(one_by_one(chosen, **how), start=1):
            rows += new
            failed = sum(row.verdict == "fail" for row in rows)
            status.show(names[done] if done < len(names) else "done", done, len(names), failed)
        return ClaimTable(tuple(rows), seed, arguments.effort), status.seconds


def _own(arguments: argparse.Namespace, seed: int) -> tuple[ClaimTable, float]:
    """The general claims on a user's systems, and how long they took."""
    from iterorder.gate.general import check_systems
    from iterorder.gate.systems_file import systems_of_file

    if arguments.claims:
        raise InvalidInputError("claims are given beside --systems: a user's systems are checked on C1 to C5 together")
    try:
        systems = systems_of_file(arguments.systems)
    except FileNotFoundError as error:
        raise InvalidInputError(str(error)) from error
    start = time.perf_counter()
    table = check_systems(systems, seed=seed, effort=arguments.effort, backend=arguments.backend, progress=True)
    return table, time.perf_counter() - start


def _print(table: ClaimTable, seconds: float, sections: str) -> None:
    """The table with a gap between its `sections`, what is to be said of rows that failed, and the summary."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from iterorder.claims.table import COLUMNS

    console = output.console()
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
