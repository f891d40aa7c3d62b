"""The compiled step of a form of maps, chosen by its layout and its dimension.

A block holds the states of some lanes: replicas, or backward iterates of one replica. In the lane layout it has shape
(dim, lanes) and a vector holds one coordinate of several lanes; in the row layout it has shape (lanes, stride) and a
vector holds several coordinates of one lane. The roundings of a lane never depend on the other lanes.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from iterorder.forms import Affine, Form, Rows, Stateful
from iterorder.kernels.cpu import affine_steps, pair_steps, passing_steps, profile, row_steps, single_steps
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.packing import Packed
from iterorder.kernels.cpu.slopes import move_of
from iterorder.kernels.cpu.stateful_steps import stateful_steps
from iterorder.kernels.draw_tables import PACKED_BITS, Draws


@singledispatch
def steps_of(form: Form, packed: Packed, draws: Draws, shared: bool, few: int = 0):
    """The function that applies the maps of a chunk to a block of states.

    Its arguments::

        packed : Packed
        scratch : Scratch
            ``scratch.states`` is the block, ``scratch.drawn`` holds the draws of the chunk.
        start, stop, direction : int
            Steps of the chunk as in range(); direction is 1 or −1.
        first_lane : int
            A multiple of eight; lanes below are left alone.

    Parameters
    ----------
    form : Form
        What the maps are as numbers.
    packed : Packed
        The form, packed.
    draws : Draws
        How the items or floats of a step are drawn.
    shared : bool
        Every lane meets the maps of lane 0: the same roundings, and no data to gather.
    few : int
        Zero, or how many of the first lanes are worked on: one, two or four. The same roundings. Not with `shared`.
    """
    raise TypeError(f"no step for {type(form).__name__}")


@steps_of.register
def _(form: Affine, packed: Packed, draws: Draws, shared: bool, few: int = 0):
    if draws.kind == PACKED_BITS:
        lookup = pair_steps.LOOKUP if packed.table.dtype == np.float64 else None
        return pair_steps.pair_steps(shared, profile.PROFILE.pair_lanes, lookup)
    if packed.lane_layout:
        single = packed.batch_size == 1
        if shared:
            return affine_steps.shared_lane_steps(packed.dim, single)
        return affine_steps.lane_steps(packed.dim, single, few)
    vectors = packed.row_vectors
    return affine_steps.row_steps(vectors, shared, few) if vectors > 0 else affine_steps.long_row_steps(shared, few)


@steps_of.register
def _(form: Rows, packed: Packed, draws: Draws, shared: bool, few: int = 0):
    single, ridge, slope = packed.batch_size == 1, bool(packed.shrink != 1.0), move_of(form.slope)
    if packed.lane_layout:
        if shared:
            return row_steps.shared_lane_steps(packed.dim, single, slope, ridge)
        shape = profile.PROFILE
        if single and not few and form.slope.exact and packed.dim > shape.max_held_dim:
            width = shape.register_bytes // packed.table.itemsize
            return row_steps.passing_lane_steps(packed.dim, slope, ridge, width)
        groups = shape.lane_groups if single and slope.lifts else 1
        return row_steps.lane_steps(packed.dim, single, slope, ridge, few, groups)
    vectors, shape = packed.row_vectors, profile.PROFILE
    if vectors == 0:
        return row_steps.long_row_steps(slope, shared, few)
    short = vectors <= shape.few_row_vectors
    fits = short or shape.rows_in_registers
    width = shape.register_bytes // packed.table.itemsize
    parts = -(-packed.dim // width)
    if not single:
        if fits or not slope.folded or packed.batch_size < LANES:
            return row_steps.row_steps(vectors, slope, ridge, shared, few)
        return passing_steps.passing_batch_steps(parts, width, slope, ridge, shared, few)
    if fits and form.slope.linear:
        if few == 1:
            return single_steps.single_linear_row_steps(vectors, ridge)
        if not few and not shape.rows_in_registers:
            return passing_steps.passing_linear_row_steps(parts, width, ridge, shared)
        make = row_steps.short_linear_row_steps if short and few != 2 else row_steps.linear_row_steps
        return make(vectors, ridge, shared, few)
    if fits and few == 1 and slope.folded:
        return single_steps.single_row_steps(vectors, slope, ridge)
    state_bytes = LANES * packed.stride * packed.table.itemsize
    groups = 2 if 2 * state_bytes <= shape.max_state_bytes else 1
    return passing_steps.passing_row_steps(parts, width, slope, ridge, shared, few, groups)


@steps_of.register
def _(form: Stateful, packed: Packed, draws: Draws, shared: bool, few: int = 0):
    return stateful_steps(form, packed, shared, few)
