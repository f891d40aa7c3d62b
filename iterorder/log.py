"""What is said on standard error: it may be gone, closed or full, and none of that stops a computation."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TextIO


def standard_error() -> TextIO | None:
    """Where lines go; None where a process has no console, or has closed it."""
    stream = sys.stderr
    return None if stream is None or getattr(stream, "closed", False) else stream


def is_terminal(stream: TextIO | None) -> bool:
    """Whether what is written can be written over."""
    return stream is not None and hasattr(stream, "isatty") and stream.isatty()


def say(text: str, *, end: str = "\n") -> None:
    """Write a text, if it can be written: a log on a full disk is no reason to stop."""
    if (stream := standard_error()) is not None:
        with suppress(OSError):
            print(text, end=end, file=stream, flush=True)
