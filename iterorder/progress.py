"""How far a long computation is: a bar in a terminal or a notebook, lines in a log, or a function of the user."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.log import is_quiet, is_terminal, say, standard_error

Progress: TypeAlias = bool | Callable[[float], object] | None
"""Whether to show how far a computation is, or a function that is called with the finished share, from 0 to 1."""
#: A line in a log comes after so many seconds at the earliest, and then whenever the time has grown by this factor.
FIRST_LINE, NEXT_LINE = 10.0, 1.3
#: Seconds between two drawings in a notebook.
REDRAWN = 0.2


class Report:
    """Takes the finished share of one computation, in [0, 1]; what it tells never goes back.

    Called with the share of the whole. A part of the plan, such as the second of two simulations, gets a report of its
    own by `part`, which is called with the share of that part.
    """

    def __init__(self, tell: Callable[[float], object]) -> None:
        self._tell, self._told = tell, -1.0

    def __call__(self, share: float) -> None:
        share = min(max(share, 0.0), 1.0)
        if share > self._told:
            self._told = share
            self._tell(share)

    def part(self, first: float, last: float) -> Report:
        """A report of the stretch from `first` to `last` of this one."""
        return Report(lambda share: self(first + share * (last - first)))


def part(report: Report | None, first: float, last: float) -> Report | None:
    """`report.part`, or None where nothing is reported: the ``progress=`` of an inner computation."""
    return None if report is None else report.part(first, last)


def as_progress(value: Any) -> Progress:
    """What was given as `progress`, or an error that says what is accepted."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if value is None or callable(value):
        return value
    raise InvalidInputError(f"progress is {value!r}: give True, False, or a function of the finished share in [0, 1]")


@contextmanager
def reported(progress: Progress, title: str) -> Iterator[Report | None]:
    """A report for the block, or None where nothing is wanted; at its end, unless by an error, all is told as finished.

    With True: a bar on standard error in a terminal, a bar in a notebook, sparse lines elsewhere (a log of a batch
    system, say). A function is called with the share, from 0 to 1; an exception that it raises ends the computation.
    """
    if progress is None or progress is False or (progress is True and is_quiet()):
        yield None
        return
    with _shown(progress, title) as tell:
        report = Report(tell)
        yield report
        report(1.0)


@contextmanager
def _shown(progress: Progress, title: str) -> Iterator[Callable[[float], object]]:
    if callable(progress):
        yield progress
    elif _in_notebook():
        yield _NotebookBar(title)
    elif is_terminal(standard_error()):
        with _bar(title) as tell:
            yield tell
    else:
        yield _Lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Callable[[float], object]]:
    """A bar that is gone at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share: bar.update(task, completed=share)


class _Lines:
    """Whole lines, the more rarely the longer it takes: for logs, where a bar would be thousands of lines."""

    def __init__(self, title: str) -> None:
        self._title, self._start = title, time.monotonic()
        self._next = FIRST_LINE
        self._paced: tuple[float, float] | None = None

    def __call__(self, share: float) -> None:
        spent = time.monotonic() - self._start
        if self._paced is None and share > 0.0:  # what came before may have been a compilation
            self._paced = spent, share
        if spent < self._next and not (share == 1.0 and self._next > FIRST_LINE):
            return
        self._next = max(FIRST_LINE, NEXT_LINE * spent)
        say(f"{self._title}: {share:.0%} after {_clock(spent)}{self._left(spent, share)}")

    def _left(self, spent: float, share: float) -> str:
        """The time left at the pace since the first share that was told."""
        begun, first = self._paced or (spent, share)
        if not first < share < 1.0:
            return ""
        return f", about {_clock((spent - begun) * (1.0 - share) / (share - first))} left"


class _NotebookBar:
    """The browser's own bar: it needs no widgets."""

    def __init__(self, title: str) -> None:
        from IPython.display import HTML, display

        self._title, self._html = title, HTML
        self._start, self._drawn = time.monotonic(), -np.inf
        self._handle = display(self._view(0.0), display_id=True)

    def __call__(self, share: float) -> None:
        now = time.monotonic()
        if share == 1.0 or now - self._drawn >= REDRAWN:
            self._drawn = now
            self._handle.update(self._view(share))

    def _view(self, share: float) -> Any:
        spent = _clock(time.monotonic() - self._start)
        return self._html(f"{self._title} <progress value='{share:.4f}'></progress> {share:.0%} after {spent}")


def _in_notebook() -> bool:
    module = sys.modules.get("IPython")
    return module is not None and hasattr(module.get_ipython(), "kernel")


def _clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any.

    Examples
    --------
    >>> _clock(75.2), _clock(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
