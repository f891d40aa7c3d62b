"""What all commands write: tables, JSON files, annotations, and the exit status."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from iterorder.errors import InvalidInputError
from iterorder.files import is_stream

OK, FAILED, USAGE, GONE, INTERRUPTED = 0, 1, 2, 3, 130
#: Columns of the table where the output is no terminal.
PLAIN_WIDTH = 160
#: How failures are told: in the table alone, or for the pages of a pull request as well.
FORMATS = ("table", "github")


def console():
    """Where tables go: as wide as the terminal, or as they need."""
    from rich.console import Console

    found = Console()
    return found if found.is_terminal else Console(width=PLAIN_WIDTH)


def check_targets(**targets: Path | None) -> None:
    """Refuse files that could not be written, or two that are one; before minutes of work."""
    seen: dict[Path, str] = {}
    for name, path in targets.items():
        if path is None:
            continue
        option, folder = f"--{name}", path.resolve().parent
        if is_stream(path):
            continue
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            what = "is a folder" if path.is_dir() else f"is in {folder}, which is no folder that can be written to"
            raise InvalidInputError(f"{option} {path} {what}: give the name of a file in an existing folder")
        other = seen.setdefault(path.resolve(), option)
        if other != option:
            raise InvalidInputError(f"{option} {path} is the file of {other}: give another one")


def try_to_write(option: str, path: Path | None, write: Callable[[Path], object]) -> list[str]:
    """Write a file; the message where it cannot be, as what was measured is still worth printing."""
    if path is None:
        return []
    try:
        write(path)
    except OSError as error:
        return [f"{option} {path} cannot be written: {error}"]
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
