"""The command's arguments, and what an error or an interruption becomes."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import time
from contextlib import suppress
from types import ModuleType
from typing import TextIO

from iterorder import log, resources
from iterorder._version import __version__
from iterorder.cli import (
    check,
    completion,
    doctor,
    exit_status,
    explore,
    figures,
    rates,
    report,
    sample,
    simulate,
    sweep,
    train,
)
from iterorder.cli.exit_status import CLOSED, INTERRUPTED, MEANINGS, USAGE
from iterorder.cli.options import exit_statuses, help_format
from iterorder.cli.parser import Parser
from iterorder.cli.wording import as_typed, options_of, typed
from iterorder.errors import IterorderError, NotWrittenError

#: The commands, each a module with a function `add_to(commands)` that calls `options.add_command`; in the order of the
#: help.
COMMANDS: tuple[ModuleType, ...] = (
    simulate,
    sample,
    check,
    rates,
    sweep,
    train,
    figures,
    report,
    explore,
    doctor,
    completion,
)


def main(argv=None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, optional
        Arguments after the program's name; default: those of the process.

    Returns
    -------
    int
        The exit status; `iterorder.cli.exit_status` has the meanings.
    """
    _open_streams()
    try:
        status = _status(argv)
        sys.stdout.flush()  # of a help text as well: an error is told here, not by Python when it ends
        return status
    except OSError as error:  # of the streams alone: all others have been told
        for stream in (sys.stdout, sys.stderr):
            _let_go(stream)
        if isinstance(error, BrokenPipeError):
            return CLOSED
        print(f"iterorder: {NotWrittenError.of('standard output', error)}", file=sys.stderr)
        return USAGE


def _open_streams() -> None:
    """Let what is printed go nowhere where a stream was closed before the start: files are written all the same."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # the mathematics has letters that not every terminal knows


def _status(argv: list[str] | None) -> int:
    """Run the command; its exit status, with a message where there is an error that is not of the streams."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
        if not hasattr(arguments, "run"):
            parser.print_help()
            return exit_status.OK
    except SystemExit as stop:  # argparse has printed its message, or what --help and --version ask for
        return int(stop.code or 0)
    try:
        return _run(arguments)
    except (IterorderError, OSError) as error:
        if isinstance(error, BrokenPipeError) or _is_of_output(error):
            raise
        print(f"iterorder: {_words(error, arguments)}", file=sys.stderr)
        return exit_status.of_error(error)
    except KeyboardInterrupt:
        print("iterorder: interrupted", file=sys.stderr)
        return INTERRUPTED


def _is_of_output(error: Exception) -> bool:
    """Whether this is what the system says of standard output, which has no name: other files are told by theirs."""
    if not isinstance(error, OSError) or isinstance(error, IterorderError) or error.filename is not None:
        return False
    return error.errno == errno.ENOSPC or not _is_sound(sys.stdout)


def _is_sound(stream: TextIO) -> bool:
    """Whether what was printed can be written: what could not be is still waiting, and fails again."""
    try:
        stream.flush()
    except OSError:
        return False
    return True


def _let_go(stream: TextIO) -> None:
    """Write nothing any more to a stream that fails, not even when Python closes it."""
    if not _is_sound(stream):
        with suppress(OSError):  # a stream without a descriptor
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _words(error: Exception, arguments: argparse.Namespace) -> str:
    """What is wrong, in the words of who typed the command."""
    if isinstance(error, OSError) and not isinstance(error, IterorderError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"  # without the number of the system's error
    parser, by_hand = arguments.parser, arguments.by_hand
    return as_typed(str(error), options_of(parser) | by_hand, typed(arguments, parser) | by_hand.keys())


def _run(arguments: argparse.Namespace) -> int:
    """The command with as many threads and words as were asked for."""
    quiet, verbose = (getattr(arguments, name, False) for name in ("quiet", "verbose"))
    if quiet and verbose:
        print("iterorder: --quiet is given beside --verbose: give one of them", file=sys.stderr)
        return USAGE
    level = log.QUIET if quiet else log.VERBOSE if verbose else log.USUAL
    with log.speaking(level), resources.limited_to(getattr(arguments, "threads", None)):
        start = time.perf_counter()
        log.detail(f"version {__version__}, {resources.threads()} threads, {resources.memory() / 1e9:.1f} GB")
        status = arguments.run(arguments)
        log.detail(f"exit status {status} after {time.perf_counter() - start:.1f} s")
        return status


def _parser() -> Parser:
    parser = Parser(
        prog="iterorder",
        description="Random maps composed forward and backward, checked against the theory.",
        epilog=f"iterorder COMMAND --help has the options of a command, and examples.\n\n{exit_statuses(MEANINGS)}",
        formatter_class=help_format,
    )
    parser.add_argument("--version", action="version", version=f"iterorder {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        command.add_to(commands)
    return parser
