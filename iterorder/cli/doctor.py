"""`iterorder doctor`: what is installed, and what can compute here."""

from __future__ import annotations

import argparse

from iterorder.cli import output
from iterorder.cli.options import STANDARD_OUTPUT, add_command

BACKENDS = ("cpu", "cuda")
EXAMPLES = ("iterorder doctor", "iterorder doctor --json -", "iterorder doctor --backend cpu --json doctor.json")


def add_to(commands) -> None:
    """The arguments of the command."""
    doctor = add_command(
        commands,
        "doctor",
        run=run,
        help="show what is installed and what can compute here",
        description="Show versions, the processor, and whether GPUs can be used; if not, why, and the line that helps. "
        "--json without a name is --json -.",
        examples=EXAMPLES,
        fails="the backend of --backend cannot be used",
        changed={"json": {"nargs": "?", "const": STANDARD_OUTPUT}},  # as it was before other commands had `-`
    )
    doctor.add_argument(
        "--backend", choices=BACKENDS, default="cpu", help="the exit status tells whether this one can be used"
    )


def run(arguments: argparse.Namespace) -> int:
    """Look, print, write; the exit status."""
    from iterorder.installation import backend_info

    output.check_targets(json=arguments.json)
    info = backend_info()
    output.deliver(arguments, info, lambda: print(info))
    return output.OK if info[arguments.backend]["usable"] else output.FAILED
