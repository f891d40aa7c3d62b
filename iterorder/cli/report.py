"""`iterorder report`: what a folder holds, in one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from iterorder import log
from iterorder.cli import output
from iterorder.cli.dry_run import size_of
from iterorder.cli.options import add_command, add_out
from iterorder.cli.wording import counted
from iterorder.errors import InvalidInputError

EXAMPLES = ("iterorder report phase", "iterorder report phase --out phase.html --json -")

#: Of kinds of things whose plural has more than an s at its end.
PLURALS = {"trajectory": "trajectories", "run of training": "runs of training", "table of claims": "tables of claims"}


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
    """Say what was found, write it and say where; the exit status."""
    from iterorder.report.written import PAGE, document, write_document

    folder: Path = arguments.folder
    out = folder / PAGE if arguments.out is None else arguments.out
    # Before pictures are drawn: also of the file that nobody named, unless its folder is what is missing.
    output.check_targets(out=out if folder.is_dir() else arguments.out, json=arguments.json)
    try:
        page = document(folder)
    except FileNotFoundError as error:
        raise InvalidInputError(f"{error}; give that of a sweep, a run or make reproduce") from None
    log.say(f"found in {folder}: {', '.join(_counted(count, kind) for kind, count in page.found.items())}")
    write_document(page, out)
    size = out.stat().st_size

    def show() -> None:
        output.console().print(f"{out} ({size_of(size)})", markup=False, highlight=False)

    output.deliver(arguments, {"folder": folder, "out": out, "found": page.found, "bytes": size}, show)
    return output.OK


def _counted(count: int, kind: str) -> str:
    return counted(count, kind, PLURALS.get(kind))
