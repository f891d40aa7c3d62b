"""`iterorder report`: what a folder holds, in one HTML file."""

from __future__ import annotations

import argparse
from pathlib import Path

from iterorder.cli import output
from iterorder.errors import InvalidInputError

EXAMPLES = """examples:
  iterorder report phase
  iterorder report reports --out theory.html
"""


def add_to(commands) -> None:
    """The arguments of the command."""
    report = commands.add_parser(
        "report",
        help="tell what a folder holds in one HTML file",
        description="Write one HTML file, which opens without a network, with the figures, tables, parameters, "
        "versions and the command to repeat it: of a sweep, of runs of training, of saved trajectories, or of what "
        "make reproduce left in reports.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument("folder", type=Path, metavar="FOLDER", help="what to tell of")
    report.add_argument("--out", type=Path, metavar="FILE", help="the file (default: report.html in the folder)")
    report.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write it and say where; the exit status."""
    from iterorder.report import write_report

    output.check_targets(out=arguments.out)
    try:
        path = write_report(arguments.folder, arguments.out)
    except FileNotFoundError as error:
        raise InvalidInputError(f"{error}; give that of a sweep, a run or make reproduce") from None
    output.console().print(f"{path} ({path.stat().st_size / 2**20:.1f} MiB)", markup=False, highlight=False)
    return output.OK
