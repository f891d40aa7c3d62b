"""What a sweep will take, from a timed sample of its cells."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from iterorder.sweeps.cells import Cells, Part

#: Cells that are tried at most, and seconds after which no other is begun.
SAMPLED, SAMPLE_SECONDS = 8, 10.0
#: Bytes of a row beside its result.
ROW = 60


@dataclass(frozen=True)
class Plan:
    """An estimate of the work on a sweep.

    Attributes
    ----------
    cells : int
        How many there are to compute.
    sampled : int
        Cells that were timed, spread over the grid.
    failed : int
        Of these, how many ended with an error.
    seconds_each : float
        Mean over them, without the time to compile.
    result_bytes : int
        Of one cell.
    peak_bytes : int
        The most memory that this process has had so far; 0 where the system does not tell.
    messages : tuple of str
        Of the cells that failed.
    """

    cells: int
    sampled: int
    failed: int
    seconds_each: float
    result_bytes: int
    peak_bytes: int
    messages: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """On one worker."""
        return self.cells * self.seconds_each

    @property
    def file_bytes(self) -> int:
        """Of the file of the sweep."""
        return self.cells * (self.result_bytes + ROW)


def planned(cells: Cells) -> Plan:
    """Compute a few cells, spread over the grid, and tell what all of them will take."""
    total = len(cells.grid)
    chosen = list(dict.fromkeys(k * total // SAMPLED for k in range(SAMPLED)))
    cells.compute(Part(chosen[0]))  # compiles
    start, outcomes = time.perf_counter(), []
    for cell in chosen:
        outcomes.append(cells.compute(Part(cell)))
        if time.perf_counter() - start > SAMPLE_SECONDS:
            break
    messages = tuple(dict.fromkeys(f"{o.error}: {o.message}" for o in outcomes if o.error))
    return Plan(
        cells=total,
        sampled=len(outcomes),
        failed=sum(bool(outcome.error) for outcome in outcomes),
        seconds_each=sum(outcome.seconds for outcome in outcomes) / len(outcomes),
        result_bytes=max(len(outcome.data) for outcome in outcomes),
        peak_bytes=_peak(),
        messages=messages,
    )


def _peak() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024
