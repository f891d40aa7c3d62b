"""The compiled step of a system: chosen by its family, its layout and its dimension.

A block holds the states of some lanes: replicas, or backward iterates of one replica. In the lane layout it has shape
(dim, lanes) and a vector holds one coordinate of several lanes; in the row layout it has shape (lanes, stride) and a
vector holds several coordinates of one lane. The roundings of a lane never depend on the other lanes.
"""

from __future__ import annotations

from iterorder.kernels import affine, optimizer, regression, systems
from iterorder.kernels.systems import check_family

# Up to this many vectors a row, the states of four lanes fit into registers; above, of two.
FEW_VECTORS = 7


def steps_of(system: systems.System, draws: systems.Draws, shared: bool):
    """The function that applies the maps of a chunk to a block of states.

    Its arguments::

        system : System
        scratch : Scratch
            ``scratch.states`` is the block, ``scratch.drawn`` holds the draws of the chunk.
        start, stop, direction : int
            Steps of the chunk as in range(); direction is 1 or −1.
        first_lane : int
            A multiple of eight; lanes below are left alone.

    Parameters
    ----------
    system : System
    draws : Draws
    shared : bool
        Every lane meets the maps of lane 0: the same roundings, and no data to gather.
    """
    if system.optimizer.size:
        return optimizer.steps_of(system, shared)
    single = system.batch_size == 1
    if system.family == systems.AFFINE:
        if draws.kind == systems.PACKED_BITS:
            return affine.pair_steps(shared)
        if system.lane_layout:
            return (affine.shared_lane_steps if shared else affine.lane_steps)(system.dim, single)
        vectors = system.row_vectors
        return affine.row_steps(vectors, shared) if vectors > 0 else affine.long_row_steps(shared)
    check_family(system, systems.LINEAR, systems.LOGISTIC)
    logistic, ridge = system.family == systems.LOGISTIC, bool(system.shrink != 1.0)
    if system.lane_layout:
        make = regression.shared_lane_steps if shared else regression.lane_steps
        return make(system.dim, single, logistic, ridge)
    if system.row_vectors > 0 and single and not logistic:
        few = system.row_vectors <= FEW_VECTORS
        make = regression.short_linear_row_steps if few else regression.linear_row_steps
        return make(system.row_vectors, ridge, shared)
    if system.row_vectors > 0:
        return regression.row_steps(system.row_vectors, single, logistic, ridge, shared)
    return regression.long_row_steps(logistic, shared)
