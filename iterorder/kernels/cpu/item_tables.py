"""Items of many steps as a table, by the compiled draws of the kernels: for maps that are applied by other code."""

from __future__ import annotations

import numpy as np

from iterorder.forms import Body
from iterorder.kernels.cpu.compiled import FILL, fill_address
from iterorder.kernels.cpu.lane_blocks import Shuffle, new_shuffle
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.packing import aligned_zeros
from iterorder.kernels.draw_tables import Draws, draws_of
from iterorder.kernels.targets import call_at, jit_entry
from iterorder.sampling import Sampling

#: Chunks begin at multiples of this: no block of noise is cut, however many steps it serves.
ALIGNMENT = 128
#: Of the kinds of form, one that keeps draws as they are: two equally likely items are not packed into bits.
_FORM = Body(lambda: None, 2, "index", 1, ())


@jit_entry
def _fill(address, draws, drawn, shuffle, replica, stride, base, last):
    call_at(address, (draws, drawn, shuffle, replica, stride, base, 0, last))


def item_table(law: Sampling, seed: int, first_replica: int, n_replicas: int, first: int, count: int) -> np.ndarray:
    """What `law.draw` gives for steps first … first + count − 1 of replicas that follow each other.

    Parameters
    ----------
    law : Sampling
        How a step draws its items.
    seed, first_replica, n_replicas : int
        The key of the noise, and the replicas of the table.
    first : int
        A multiple of `ALIGNMENT`.
    count : int
        Steps of the table.

    Returns
    -------
    ndarray of int32, shape (count, n_replicas, batch_size)
        The items of each step and replica.
    """
    draws = draws_of(_FORM, law, seed)
    size, lanes = law.batch_size, -(-n_replicas // LANES) * LANES
    length = -(-count // ALIGNMENT) * ALIGNMENT
    drawn = aligned_zeros((length * size, lanes), np.uint64)
    _draw(draws, drawn, new_shuffle(draws, lanes), first_replica, first, length)
    items = drawn.reshape(length, size, lanes)[:count, :, :n_replicas]
    return np.ascontiguousarray(items.transpose(0, 2, 1), np.int32)


def _draw(draws: Draws, drawn: np.ndarray, shuffle: Shuffle, replica: int, base: int, last: int) -> None:
    # One function for all sizes of a batch: called so rarely, one for each size would not pay its compilation.
    _fill(
        fill_address(FILL[draws.kind]), draws, drawn, shuffle, np.uint64(replica), np.uint64(1), np.uint64(base), last
    )
