"""`--dry-run`: what something will take, and nothing else."""

from __future__ import annotations

import argparse
from typing import Any

from iterorder import resources
from iterorder.cli import output

#: Lengths of time, the longest first.
SPANS = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))


def tell_cost(arguments: argparse.Namespace, what: str, seconds: float, size: int, content: dict[str, Any]) -> int:
    """Tell seconds and bytes of the result; the exit status."""
    memory = resources.memory()
    estimate = {"dry_run": True, **content, "seconds": seconds, "bytes": size, "memory": memory}

    def show() -> None:
        lines = (
            what,
            f"time: {spoken(seconds)}, from a timed piece, without the time to compile",
            f"memory: {size_of(size)} for the result, of {size_of(memory)}",
            "nothing was run: leave --dry-run out",
        )
        for line in lines:
            output.console().print(line, markup=False, highlight=False)

    output.deliver(arguments, estimate, show)
    return output.OK


def spoken(seconds: float) -> str:
    """A time in its own unit, to two digits, as more are not known.

    Examples
    --------
    >>> spoken(0.012), spoken(42.0), spoken(5400.0)
    ('0.012 s', '42 s', '1.5 hours')
    """
    for name, length in SPANS:
        if seconds >= length:
            return f"{seconds / length:.2g} {name}" if seconds < 100 * length else f"{seconds / length:,.0f} {name}"
    return f"{seconds:.2g} s"


def size_of(count: int) -> str:
    """Bytes in their own unit.

    Examples
    --------
    >>> size_of(16_008), size_of(3_000_000_000)
    ('16 kB', '3 GB')
    """
    for name, unit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} B"
