"""The command's arguments, and what an error or an interruption becomes."""

from __future__ import annotations

import argparse
import os
import sys

from iterorder._version import __version__
from iterorder.cli import check, doctor, rates, report, sweep, train
from iterorder.cli.output import FAILED, GONE, INTERRUPTED, USAGE
from iterorder.errors import EngineError, IterorderError


def main(argv=None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, optional
        Arguments after the program's name; default: those of the process.

    Returns
    -------
    int
        Exit status: 0 when all is well, 1 when a claim failed, a rate changed, is gone or cannot be fitted, cells of a
        sweep ended with errors, or a backend cannot be used, 2 for wrong arguments and files, 3 when what computes a
        sweep has gone, 130 after an interruption.
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
    except EngineError as error:
        print(f"iterorder: {error}", file=sys.stderr)
        return GONE
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
    check.add_to(commands)
    rates.add_to(commands)
    sweep.add_to(commands)
    doctor.add_to(commands)
    train.add_to(commands)
    report.add_to(commands)
    return parser
