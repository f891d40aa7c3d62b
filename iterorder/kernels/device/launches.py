"""How much is launched at once: threads of a block, steps of a launch."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from iterorder.kernels.device import arrays
from iterorder.kernels.device.compilers import SIMULATED, cuda
from iterorder.progress import Report

#: Threads of a block; in the simulator, where each is a thread of Python, those of one team.
THREADS = 128
#: Numbers moved by a first launch. Later ones take as many steps as keep the GPU busy for so many seconds, after which
#: Ctrl-C and progress are heard: a launch takes a millisecond of the host, in which the GPU rests.
WORK_OF_LAUNCH, SECONDS_OF_LAUNCH = 2**36, 0.25
#: How much longer than the last launch one may be.
GROWTH = 8
#: Rows that a GPU works on at the same time: fewer are not faster.
FULL_GPU = 2**17


class Piece(NamedTuple):
    """Steps of one launch: from `begin` to `end`, through `targets`, the first of which is saved at `saved`.

    A piece that ends between two saved steps saves nothing at its end.
    """

    begin: int
    end: int
    targets: list[int]
    saved: int


class Pace:
    """How many steps a launch takes, of so many rows in which a step of one reads so many numbers."""

    def __init__(self, rows: int, numbers: int) -> None:
        self.least = self.steps = max(64, WORK_OF_LAUNCH // (max(rows, FULL_GPU) * numbers))

    @contextmanager
    def launching(self, steps: int) -> Iterator[None]:
        """What is launched, and waited for, takes so many steps: the next ones are as many as by its time they may be.

        Never fewer than at first, when what is compiled takes longer. The simulator keeps its pace.
        """
        start = time.perf_counter()
        yield
        seconds = (time.perf_counter() - start) * self.steps / max(1, steps)
        if not SIMULATED:
            self.steps = max(self.least, round(self.steps * min(GROWTH, SECONDS_OF_LAUNCH / max(seconds, 1e-9))))


def pieces(saves: np.ndarray, pace: Pace) -> Iterator[Piece]:
    """The pieces of a forward run."""
    reached, saved, steps = 0, 0, saves.tolist()
    while saved < len(steps):
        last, most = saved, pace.steps
        while last < len(steps) and steps[last] <= reached + most:
            last += 1
        targets = steps[saved:last]
        end = targets[-1] if targets else reached + most
        yield Piece(reached, end, targets, saved)
        reached, saved = end, last


def launch(kernel, n_threads: int, team: int, *arguments) -> None:
    """Launch a kernel for so many threads, on CuPy's current stream."""
    if SIMULATED:
        with _quick_turns():
            kernel[-(-n_threads // team), team](*arguments)
        return
    stream = cuda.external_stream(arrays.current_stream())
    with warnings.catch_warnings():  # that so few replicas leave a GPU idle
        warnings.filterwarnings("ignore", message=".*Grid size")  # it may begin with a colour
        kernel[-(-n_threads // THREADS), THREADS, stream](*arguments)


@contextmanager
def _quick_turns() -> Iterator[None]:
    """Threads of Python that wait for each other: the simulator polls them, and each poll would last five ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def tell(report: Report | None, share: float) -> None:
    """Wait for what was launched, and tell how far the run is."""
    if not SIMULATED:
        cuda.current_context().synchronize()
    if report is not None:
        report(share)
