"""`iterorder report`: what a folder holds, in one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from iterorder.cli import output
from iterorder.cli.dry_run import size_of
from iterorder.cli.options import add_command, add_out
from iterorder.errors import InvalidInputError

EXAMPLES = ("iterorder report phase", "iterorder report phase --out phase.html --json -")


def add_to(commands) -> None:
    """The arguments of the command."""
    report = add_command(
        commands,
        "report",
        run=run,
        help="tell what a folder holds in one HTML file",
        description="Write one HTML file, which opens without a network, with the figures, tables, parameters, "
        "versions and the command to repeat it: of a sweep, runs of training, saved trajectories and samples, or of "
        "what make reproduce left in reports.",
        examples=EXAMPLES,
    )
    report.add_argument("folder", type=Path, metavar="FOLDER", help="what to tell of")
    add_out(report, "the file (default: report.html in the folder)")


def run(arguments: argparse.Namespace) -> int:
    """Write it and say where; the exit status."""
    from iterorder.report import write_report

    output.check_targets(out=arguments.out, json=arguments.json)
    try:
        path = write_report(arguments.folder, arguments.out)
    except FileNotFoundError as error:
        raise InvalidInputError(f"{error}; give that of a sweep, a run or make reproduce") from None
    size = path.stat().st_size

    def show() -> None:
        output.console().print(f"{path} ({size_of(size)})", markup=False, highlight=False)

    output.deliver(arguments, {"folder": arguments.folder, "out": path, "bytes": size}, show)
    return output.OK
