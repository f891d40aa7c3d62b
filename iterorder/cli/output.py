"""What all commands write: tables, JSON files, annotations, and the exit status."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iterorder import files
from iterorder.cli.exit_status import FAILED, GONE, INTERRUPTED, OK, USAGE
from iterorder.cli.options import STANDARD_OUTPUT
from iterorder.errors import InvalidInputError, NotWrittenError
from iterorder.files import check_writable, is_stream
from iterorder.log import detail

__all__ = ["FAILED", "GONE", "INTERRUPTED", "OK", "USAGE"]

#: Columns of the table where the output is no terminal.
PLAIN_WIDTH = 160


def console():
    """Where tables go: as wide as the terminal, or as they need."""
    from rich.console import Console

    class Told(Console):
        def on_broken_pipe(self) -> None:
            raise

    found = Told()
    return found if found.is_terminal else Told(width=PLAIN_WIDTH)


def check_targets(**targets: Path | None) -> None:
    """Refuse files that could not be written, or two that are one; before minutes of work."""
    seen: dict[Path, str] = {}
    for name, path in targets.items():
        if path is None or path == STANDARD_OUTPUT:
            continue
        option = f"--{name}"
        check_writable(path, option)
        if is_stream(path):
            continue
        other = seen.setdefault(path.resolve(), option)
        if other != option:
            raise InvalidInputError(f"{option} {path} is the file of {other}: give another one")


def deliver(arguments: argparse.Namespace, content: dict[str, Any], show: Callable[[], None], *unwritten: str) -> None:
    """Write the JSON that was asked for and show the table; with `--json -` the JSON is all that is printed.

    Raises
    ------
    InvalidInputError
        At the end, where a file could not be written; `unwritten` has the messages of files that were tried before.
    """
    target = None if is_alone(arguments) else arguments.json
    # Before anything is printed: what was computed is not lost when the reader of a pipe has gone.
    missed = [*unwritten, *try_to_write("--json", target, lambda path: files.write_json(path, files.plain(content)))]
    if is_alone(arguments):
        print(json.dumps(files.plain(content), indent=1, ensure_ascii=False, allow_nan=False))
    else:
        show()
    sys.stdout.flush()  # a reader that has gone is noticed here, not when Python ends
    if missed:
        raise InvalidInputError("; ".join(missed))


def is_alone(arguments: argparse.Namespace) -> bool:
    """Whether JSON is all that goes to standard output."""
    return arguments.json == STANDARD_OUTPUT


def say_line(line: str) -> None:
    """Print a line at once: of a result in several pieces."""
    print(line, flush=True)


def teller(arguments: argparse.Namespace) -> Callable[[str], object]:
    """What prints such lines; nothing where they are not wanted, or JSON is alone."""
    return (lambda line: None) if arguments.quiet or is_alone(arguments) else say_line


def try_to_write(option: str, path: Path | None, write: Callable[[Path], object]) -> list[str]:
    """Write a file; the message where it cannot be, as what was measured is still worth printing."""
    if path is None:
        return []
    try:
        write(path)
    except OSError as error:
        return [f"{option} {error if isinstance(error, NotWrittenError) else NotWrittenError.of(path, error)}"]
    detail(f"{option}: wrote {path}")
    return []


def annotation(kind: str, message: str, *, title: str, file: Path | None = None, line: int | None = None) -> str:
    """A line that GitHub shows beside the code of a pull request.

    Examples
    --------
    >>> annotation("error", "down by 5 %", title="rates", file=Path("systems.py"), line=3)
    '::error file=systems.py,line=3,title=rates::down by 5 %25'
    """
    properties = {"file": None if file is None else file.as_posix(), "line": line if file else None, "title": title}
    given = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items() if value is not None)
    return f"::{kind} {given}::{_escaped(message)}"


def _escaped(value, more: str = "") -> str:
    """Percent signs first: they begin the escapes."""
    text = str(value)
    for letter in f"%\r\n{more}":
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text
