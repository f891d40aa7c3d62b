"""Simulations of which less is kept than the states: run block by block of replicas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from iterorder.errors import DivergenceError
from iterorder.kernels.backends import as_backend
from iterorder.maps import RandomMaps
from iterorder.orders import Order, as_order
from iterorder.progress import Report, part
from iterorder.request import as_replicas, as_starts, as_system, check_memory
from iterorder.simulate import simulate
from iterorder.trajectory import Trajectory
from iterorder.validation import MAX_STEPS, as_int, as_seed

# States of one block and one start: small enough that memory is used again instead of asked for anew, which takes
# longer than the simulation; up to the second number where it takes that to keep every core busy.
BLOCK_BYTES, MOST_BYTES = 2**24, 2**26
BUSY_REPLICAS = 1024
# Those of a GPU, which wants many replicas at a time.
DEVICE_BYTES = 2**29


def check_table_size(n_replicas: int, n_saved: int) -> None:
    """Refuse a table of a number for each replica and saved step that does not fit beside two copies (`fit_rate`)."""
    check_memory(3 * 8 * n_replicas * n_saved, f"{n_replicas} replicas × {n_saved} saved steps")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Replicas from one start or several under the same maps: arguments of `simulate`, checked.

    Attributes
    ----------
    maps : RandomMaps
        The system.
    starts : tuple of ndarray, shape (n_replicas, dim)
        For each start its states, one a replica.
    n_steps : int
        How many maps are composed.
    order : Order
        The order in which they are composed.
    seed : int
        The integer that was made of the user's seed.
    backend : str
        Where the replicas are simulated.
    """

    maps: RandomMaps
    starts: tuple[np.ndarray, ...]
    n_steps: int
    order: Order
    seed: int
    backend: str

    @classmethod
    def checked(
        cls, maps, starts: dict[str, object], n_steps, *, order, n_replicas, seed, backend, least: int = 0
    ) -> Ensemble:
        """From what a user gave, starts by the names of their arguments; at least so many steps."""
        backend = as_backend(backend)
        maps, n_replicas, seed = as_system(maps), as_replicas(n_replicas), as_seed(seed)
        arrays = tuple(as_starts(name, value, n_replicas, maps, backend) for name, value in starts.items())
        order, n_steps = as_order(order), as_int("n_steps", n_steps, low=least, high=MAX_STEPS)
        return cls(maps, arrays, n_steps, order, seed, backend)

    @property
    def n_replicas(self) -> int:
        """Those of each start."""
        return len(self.starts[0])

    def in_blocks(
        self, save_steps, n_saved: int, progress: Report | None = None
    ) -> Iterator[tuple[slice, tuple[Trajectory, ...]]]:
        """Simulate every start, a block of replicas at a time.

        The blocks are those of one big run, bit for bit (a split of the replicas changes nothing). A block whose
        replicas all diverged is data here: the caller knows whether all blocks did.

        Parameters
        ----------
        save_steps
            As in `simulate`.
        n_saved : int
            Their number.
        progress : Report, optional
            Takes the finished share of all blocks and starts.

        Yields
        ------
        slice
            The replicas of the block.
        tuple of Trajectory
            One for each start.
        """
        each = 8 * self.maps.dim * max(1, n_saved)
        busy = BLOCK_BYTES if self.backend == "cpu" else DEVICE_BYTES
        size = max(1, busy // each, min(BUSY_REPLICAS, MOST_BYTES // each))
        total = len(self.starts) * self.n_replicas
        for first in range(0, self.n_replicas, size):
            block = slice(first, min(first + size, self.n_replicas))
            runs = []
            for k, start in enumerate(self.starts):
                # Of all replicas of all starts.
                done, more = len(self.starts) * first + k * (block.stop - first), block.stop - first
                share = part(progress, done / total, (done + more) / total)
                runs.append(self._run(start[block], first, save_steps, share))
            yield block, tuple(runs)

    def _run(self, starts: np.ndarray, first: int, save_steps, progress) -> Trajectory:
        try:
            return simulate(
                self.maps,
                starts,
                self.n_steps,
                order=self.order,
                n_replicas=len(starts),
                seed=self.seed,
                save_steps=save_steps,
                first_replica=first,
                backend=self.backend,
                progress=progress,
            )
        except DivergenceError as error:
            if error.trajectory is None:
                raise
            return error.trajectory
