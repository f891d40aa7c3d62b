"""How far a check is: a line that is written over in a terminal, sparse lines in a log."""

from __future__ import annotations

import time

from iterorder.log import is_terminal, say, standard_error
from iterorder.progress import FIRST_LINE, NEXT_LINE


class StatusLine:
    """One line of a terminal, gone afterwards; elsewhere whole lines, the more rarely the longer it takes."""

    def __init__(self) -> None:
        self.live = is_terminal(standard_error())
        self.start, self.next = time.perf_counter(), FIRST_LINE

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.perf_counter() - self.start

    def show(self, current: str, done: int, total: int, failed: int) -> None:
        """Tell how many claims are done."""
        spent = self.seconds
        text = f"checking {current}  {done}/{total} claims, {failed} failures, {spent:.0f} s"
        if self.live:
            say(f"\r\x1b[K{text}", end="")
        elif spent >= self.next:
            self.next = NEXT_LINE * spent
            say(text)

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(self, *_) -> None:
        if self.live:
            say("\r\x1b[K", end="")
