"""What the driver of a sweep asks of an engine."""

from __future__ import annotations

import os
import pickle
import sys
from typing import NamedTuple, Protocol

from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.sweeps.cells import Cells, Outcome, Part

#: A block of work: what one task computes.
Block = tuple[Part, ...]


class Finished(NamedTuple):
    """A block that has come back: its outcomes, or None where its worker died."""

    block: Block
    outcomes: list[Outcome] | None


class Engine(Protocol):
    """Computes blocks somewhere."""

    @property
    def least_seconds(self) -> float:
        """The time that a task must have, so that handing out tasks is not what everything waits for."""

    @property
    def blames_one(self) -> bool:
        """Whether a block without outcomes is the one that the worker computed, not one that waited for it."""

    def room(self) -> int:
        """How many more blocks it takes now."""

    def submit(self, block: Block) -> None:
        """Take a block."""

    def collect(self, timeout: float) -> list[Finished]:
        """Blocks that have come back, after so many seconds at the latest."""

    def salvage(self) -> list[Outcome]:
        """Outcomes of blocks that are not whole, where the work stops."""

    def close(self) -> None:
        """Stop all work."""


def computed(cells: Cells, block: Block) -> list[Outcome]:
    """The outcomes of a block: what every engine runs."""
    return [cells.compute(part) for part in block]


def limit_threads(threads: int) -> None:
    """Let the kernels of the calling thread use so many cores: workers share them."""
    import numba

    numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))


def carried(cells: Cells) -> bytes:
    """The cells as bytes for the workers of this client, which are trusted; nothing else reads them.

    Raises
    ------
    BackendUnavailableError
        If a function lives in a script or a notebook, and cloudpickle is not installed.
    InvalidInputError
        If the functions cannot be sent.
    """
    try:
        import cloudpickle as how
    except ImportError:
        how = pickle
        functions = [cells.make_maps, *(measure.function for measure in cells.measures)]
        if any(getattr(function, "__module__", "") == "__main__" for function in functions):
            reason = "cloudpickle is not installed: pip install iterorder[sweep]"
            raise BackendUnavailableError(
                f"functions of a script or a notebook are sent by cloudpickle, and {reason}", reason
            ) from None
    try:
        return how.dumps(cells)
    except Exception as error:  # pickling runs code of any library
        raise InvalidInputError(
            f"make_maps or measure cannot be sent to other processes ({error}): define them in a module, without open "
            "files or locks, or give engine='serial'"
        ) from error


def quiet_environment(threads: int) -> dict[str, str]:
    """The environment of a worker: one thread for linear algebra, so many for kernels."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **single, "NUMBA_NUM_THREADS": str(threads)}


def search_path() -> list[str]:
    """Where this process finds modules: its workers look there as well."""
    return [os.path.abspath(place) for place in sys.path]
