"""Simulations of which less is kept than the states: run block by block of replicas."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from iterorder.errors import DivergenceError
from iterorder.maps import RandomMaps
from iterorder.orders import Order
from iterorder.progress import Report, part
from iterorder.request import check_memory
from iterorder.simulate import simulate
from iterorder.trajectory import Trajectory

# States of one block and one start; large enough that a block keeps every core busy.
BLOCK_BYTES = 2**26


def check_table_size(n_replicas: int, n_saved: int) -> None:
    """Refuse a table of one number for each replica and saved step, and its two working copies, that would not fit."""
    check_memory(3 * 8 * n_replicas * n_saved, f"{n_replicas} replicas × {n_saved} saved steps")


def run_in_blocks(
    maps: RandomMaps,
    starts: tuple[np.ndarray, ...],
    n_steps,
    *,
    order: Order,
    seed,
    save_steps,
    n_saved: int,
    backend: str,
    progress: Report | None = None,
) -> Iterator[tuple[slice, tuple[Trajectory, ...]]]:
    """Simulate every start under the same maps, a block of replicas at a time.

    The blocks are those of one big run, bit for bit (a split of the replicas changes nothing). A block whose
    replicas all diverged is data here: the caller knows whether all blocks did.

    Parameters
    ----------
    maps : RandomMaps
    starts : tuple of ndarray, shape (n_replicas, dim)
    n_steps, order, seed, save_steps, backend
        As in `simulate`.
    n_saved : int
        The number of saved steps.
    progress : Report, optional
        Takes the finished share of all blocks and starts.

    Yields
    ------
    slice
        The replicas of the block.
    tuple of Trajectory
        One for each start.
    """
    n_replicas, dim = starts[0].shape
    size = max(1, BLOCK_BYTES // (8 * dim * max(1, n_saved)))
    for first in range(0, n_replicas, size):
        block = slice(first, min(first + size, n_replicas))
        runs = []
        for k, start in enumerate(starts):
            # Of all replicas of all starts.
            done, more = len(starts) * first + k * (block.stop - first), block.stop - first
            share = part(progress, done / (len(starts) * n_replicas), (done + more) / (len(starts) * n_replicas))
            runs.append(_run(maps, start[block], n_steps, order, seed, save_steps, first, backend, share))
        yield block, tuple(runs)


def _run(maps, starts, n_steps, order, seed, save_steps, first, backend, progress) -> Trajectory:
    try:
        return simulate(
            maps,
            starts,
            n_steps,
            order=order,
            n_replicas=len(starts),
            seed=seed,
            save_steps=save_steps,
            first_replica=first,
            backend=backend,
            progress=progress,
        )
    except DivergenceError as error:
        if error.trajectory is None:
            raise
        return error.trajectory
