"""How many threads and how much memory there are: the one place that asks, for kernels, distances and sizes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from iterorder.validation import as_int

#: Assumed where the system does not say how much memory it has.
UNKNOWN_MEMORY = 2**36
#: Where the control groups of Linux are mounted, and the file that says to which of them this process belongs.
CGROUP = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


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


@contextmanager
def limited_to(count) -> Iterator[None]:
    """Use no more than `count` threads in the block, also in BLAS; None leaves everything as it is.

    Raises
    ------
    InvalidInputError
        If it is no integer from 1 to the number of processors that this process may use.
    """
    if count is None:
        yield
        return
    import threadpoolctl

    numba = sys.modules.get("numba")
    most = _processors() if numba is None else int(numba.config.NUMBA_NUM_THREADS)
    count = as_int("--threads", count, low=1, high=most)
    with threadpoolctl.threadpool_limits(count):
        if numba is None:  # which reads the variable when it is imported
            with _variable("NUMBA_NUM_THREADS", str(count)):
                yield
            return
        before = numba.get_num_threads()
        numba.set_num_threads(count)
        try:
            yield
        finally:
            numba.set_num_threads(before)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@cache
def memory() -> int:
    """Bytes of memory that this process may use: those of the machine, or of its container."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else UNKNOWN_MEMORY
    files = [folder / "memory.max" for folder in _groups()]
    files += [folder / "memory.limit_in_bytes" for folder in _groups("memory")]
    limits = (_number(file) for file in files)
    return min([machine, *(limit for limit in limits if limit is not None and limit > 0)])


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@cache
def _quota() -> int:
    """Whole processors that a container may keep busy; as many as there are without a limit."""
    shares = [_words(folder / "cpu.max") for folder in _groups()]
    for folder in _groups("cpu"):
        shares.append([str(_number(folder / f"cpu.cfs_{name}_us")) for name in ("quota", "period")])
    numbers = [[int(word) for word in share] for share in shares if len(share) == 2 and all(map(str.isdigit, share))]
    return min([max(1, given // period) for given, period in numbers if period > 0], default=os.cpu_count() or 1)


def _groups(controller: str = "") -> list[Path]:
    """The group of this process and all above it, up to what is mounted: each of them may have a limit of its own.

    Those of version 2; with the name of a controller those of version 1, where each has a tree. A container often
    mounts the tree from its own group on: then the path that the system tells leads nowhere, and the root is the group.
    """
    root = CGROUP / controller
    try:
        lines = [line.split(":", 2) for line in OWN_GROUPS.read_text().splitlines()]
    except OSError:
        return [root]
    for line in lines:
        if len(line) == 3 and controller in line[1].split(",") and ".." not in line[2].split("/"):
            path = Path(line[2].lstrip("/"))
            return [root / path, *(root / parent for parent in path.parents)]
    return [root]


def _words(file: Path) -> list[str]:
    """What stands in a file, word by word; nothing where there is no file."""
    try:
        return file.read_text().split()
    except (OSError, ValueError):
        return []


def _number(file: Path) -> int | None:
    """The number in a file; None where there is no file or another word, such as max."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
