"""The compiled step of a system: chosen by its family, its layout and its dimension.

A block holds the states of some lanes: replicas, or backward iterates of one replica. In the lane layout it has shape
(dim, lanes) and a vector holds one coordinate of several lanes; in the row layout it has shape (lanes, stride) and a
vector holds several coordinates of one lane. The roundings of a lane never depend on the other lanes.
"""

from __future__ import annotations

from iterorder.kernels.cpu import affine_steps, draw_tables, packing, row_steps, stateful_steps
from iterorder.kernels.cpu.packing import check_family

# Up to this many vectors a row, the states of four lanes fit into registers; above, of two.
FEW_VECTORS = 7


def steps_of(system: packing.Packed, draws: draw_tables.Draws, shared: bool):
    """The function that applies the maps of a chunk to a block of states.

    Its arguments::

        system : Packed
        scratch : Scratch
            ``scratch.states`` is the block, ``scratch.drawn`` holds the draws of the chunk.
        start, stop, direction : int
            Steps of the chunk as in range(); direction is 1 or −1.
        first_lane : int
            A multiple of eight; lanes below are left alone.

    Parameters
    ----------
    system : Packed
    draws : Draws
    shared : bool
        Every lane meets the maps of lane 0: the same roundings, and no data to gather.
    """
    if system.optimizer.size:
        return stateful_steps.steps_of(system, shared)
    single = system.batch_size == 1
    if system.family == packing.AFFINE:
        if draws.kind == draw_tables.PACKED_BITS:
            return affine_steps.pair_steps(shared)
        if system.lane_layout:
            return (affine_steps.shared_lane_steps if shared else affine_steps.lane_steps)(system.dim, single)
        vectors = system.row_vectors
        return affine_steps.row_steps(vectors, shared) if vectors > 0 else affine_steps.long_row_steps(shared)
    check_family(system, packing.LINEAR, packing.LOGISTIC)
    logistic, ridge = system.family == packing.LOGISTIC, bool(system.shrink != 1.0)
    if system.lane_layout:
        make = row_steps.shared_lane_steps if shared else row_steps.lane_steps
        return make(system.dim, single, logistic, ridge)
    if system.row_vectors > 0 and single and not logistic:
        few = system.row_vectors <= FEW_VECTORS
        make = row_steps.short_linear_row_steps if few else row_steps.linear_row_steps
        return make(system.row_vectors, ridge, shared)
    if system.row_vectors > 0:
        return row_steps.row_steps(system.row_vectors, single, logistic, ridge, shared)
    return row_steps.long_row_steps(logistic, shared)
