"""What is said on standard error: it may be gone, closed or full, and none of that stops a computation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TextIO

#: How much is said: results and errors alone; progress too; details too.
QUIET, USUAL, VERBOSE = range(3)
_LEVEL: ContextVar[int] = ContextVar("iterorder_log_level", default=USUAL)


@contextmanager
def speaking(level: int) -> Iterator[None]:
    """Say so much in the block: in this thread, whatever others do."""
    token = _LEVEL.set(level)
    try:
        yield
    finally:
        _LEVEL.reset(token)


def is_quiet() -> bool:
    """Whether no progress is wanted."""
    return _LEVEL.get() == QUIET


def standard_error() -> TextIO | None:
    """Where lines go; None where a process has no console, or has closed it."""
    stream = sys.stderr
    return None if stream is None or getattr(stream, "closed", False) else stream


def is_terminal(stream: TextIO | None) -> bool:
    """Whether what is written can be written over."""
    return stream is not None and hasattr(stream, "isatty") and stream.isatty()


def say(text: str, *, end: str = "\n") -> None:
    """Write a text, if it is wanted and can be written: a log on a full disk is no reason to stop."""
    if not is_quiet() and (stream := standard_error()) is not None:
        with suppress(OSError):
            print(text, end=end, file=stream, flush=True)


def detail(text: str) -> None:
    """Write what few want to know: a line of the log that ``--verbose`` asks for."""
    if _LEVEL.get() == VERBOSE:
        say(f"iterorder: {text}")
