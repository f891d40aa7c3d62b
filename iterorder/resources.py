"""How many threads and how much memory there are: the one place that asks, for kernels, distances and sizes."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

#: Assumed where the system does not say how much memory it has.
UNKNOWN_MEMORY = 2**36
CGROUP = Path("/sys/fs/cgroup")


def threads() -> int:
    """The threads that computations may use, at least one.

    What `numba.set_num_threads` or NUMBA_NUM_THREADS says; without them the processors that this process may run on,
    and no more than a container's share of their time.
    """
    numba = sys.modules.get("numba")
    if numba is not None:
        chosen = numba.get_num_threads()
        if chosen != numba.config.NUMBA_NUM_THREADS or "NUMBA_NUM_THREADS" in os.environ:
            return int(chosen)
    elif os.environ.get("NUMBA_NUM_THREADS", "").isdigit():
        return max(1, int(os.environ["NUMBA_NUM_THREADS"]))
    return min(_processors(), _quota())


@cache
def memory() -> int:
    """Bytes of memory that this process may use: those of the machine, or of its container."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else UNKNOWN_MEMORY
    limits = (_number(CGROUP / "memory.max"), _number(CGROUP / "memory" / "memory.limit_in_bytes"))
    return min([machine, *(limit for limit in limits if limit is not None and limit > 0)])


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@cache
def _quota() -> int:
    """Whole processors that a container may keep busy; as many as there are without a limit."""
    try:
        given, period = (CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        given, period = (str(_number(CGROUP / "cpu" / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
    if given.isdigit() and period.isdigit() and int(period) > 0:
        return max(1, int(given) // int(period))
    return os.cpu_count() or 1


def _number(file: Path) -> int | None:
    """The number in a file; None where there is no file or another word, such as max."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
