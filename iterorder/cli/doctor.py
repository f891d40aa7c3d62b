"""`iterorder doctor`: what is installed, and what can compute here."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from iterorder import files
from iterorder.cli import output
from iterorder.errors import InvalidInputError

BACKENDS = ("cpu", "cuda")
#: Where `--json` without a name goes.
STANDARD_OUTPUT = "-"


def add_to(commands) -> None:
    """The arguments of the command."""
    doctor = commands.add_parser(
        "doctor",
        help="show what is installed and what can compute here",
        description="Show versions, the processor, and whether GPUs can be used; if not, why, and the line that helps. "
        "Exit status 1 where the backend cannot be used.",
    )
    doctor.add_argument(
        "--backend", choices=BACKENDS, default="cpu", help="the exit status tells whether this one can be used"
    )
    doctor.add_argument(
        "--json",
        nargs="?",
        const=STANDARD_OUTPUT,
        metavar="FILE",
        help="write it as JSON to FILE; without a name to standard output, and nothing else",
    )
    doctor.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look, print, write; the exit status."""
    from iterorder.installation import backend_info

    file = None if arguments.json in (None, STANDARD_OUTPUT) else Path(arguments.json)
    output.check_targets(json=file)
    info = backend_info()
    unwritten = output.try_to_write("--json", file, lambda path: files.write_json(path, info))
    print(json.dumps(info, indent=2) if arguments.json == STANDARD_OUTPUT else info)
    sys.stdout.flush()
    if unwritten:
        raise InvalidInputError("; ".join(unwritten))
    return output.OK if info[arguments.backend]["usable"] else output.FAILED
