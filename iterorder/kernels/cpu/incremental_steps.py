"""Which incremental step a form has."""

from __future__ import annotations

from functools import singledispatch

from iterorder.forms import Affine, Form, Rows
from iterorder.kernels import draw_tables
from iterorder.kernels.cpu import packing
from iterorder.kernels.cpu.incremental_lanes import (
    affine_lane_steps,
    line_steps,
    pair_steps,
    regression_lane_steps,
    single_regression_lane_steps,
)
from iterorder.kernels.cpu.incremental_rows import affine_row_steps, regression_row_steps


@singledispatch
def incremental_steps_of(form: Form, packed: packing.Packed, draws: draw_tables.Draws):
    """The function that makes the steps of a form of affine maps, chosen by its layout and its dimension."""
    raise TypeError(f"no incremental step for {type(form).__name__}")


@incremental_steps_of.register
def _(form: Affine, packed: packing.Packed, draws: draw_tables.Draws):
    if draws.kind == draw_tables.PACKED_BITS:
        return pair_steps()
    if packed.dim == 1 and packed.batch_size == 1:
        return line_steps()
    return affine_lane_steps(packed.dim) if packed.lane_layout else affine_row_steps()


@incremental_steps_of.register
def _(form: Rows, packed: packing.Packed, draws: draw_tables.Draws):
    if not form.is_affine:
        raise TypeError("no incremental step for a loss that is not quadratic")
    if packed.lane_layout:
        make = single_regression_lane_steps if packed.batch_size == 1 else regression_lane_steps
        return make(packed.dim, bool(packed.shrink != 1.0))
    return regression_row_steps()
