"""How far a run is, and whether it has to stop: what every step of every unit asks."""

from __future__ import annotations

import threading
import time

from iterorder.progress import Progress

#: Seconds between two states of an unfinished unit on disk.
CHECKPOINT_SECONDS = 60.0


class OutOfTime(Exception):
    """The time that was given is over, or another unit failed."""


def until(deadline: float | None) -> Progress:
    """What ends a computation by `OutOfTime` at the deadline, given to it as ``progress=``; False without one."""
    if deadline is None:
        return False

    def check(share: float) -> None:
        if time.monotonic() >= deadline:
            raise OutOfTime

    return check


class Pace:
    """Counts gradient steps of all threads; raises `OutOfTime` in each of them when it is time to stop."""

    def __init__(self, total: int, max_seconds: float | None) -> None:
        self.total, self.done = max(1, total), 0
        self.deadline = None if max_seconds is None else time.monotonic() + max_seconds
        self.stop = threading.Event()
        self._lock = threading.Lock()

    @property
    def share(self) -> float:
        """Of all gradient steps."""
        return self.done / self.total

    @property
    def is_over(self) -> bool:
        """Whether nothing new should begin."""
        return self.stop.is_set() or (self.deadline is not None and time.monotonic() >= self.deadline)

    def add(self, steps: int) -> None:
        """So many gradient steps are done."""
        with self._lock:
            self.done += steps
