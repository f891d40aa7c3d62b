"""Code for one to four replicas: the same roundings as that of a vector of eight, which works for one alone as long."""

from __future__ import annotations

from iterorder.forms import Body, Form, Rows, Stateful
from iterorder.kernels.cpu import compiled
from iterorder.kernels.cpu.few_draws import few_fill
from iterorder.kernels.cpu.lane_blocks import Code, chunk_of
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.packing import Packed
from iterorder.kernels.cpu.steps import steps_of
from iterorder.kernels.draw_tables import PACKED_BITS, Draws

#: Widths of the code for few lanes.
WIDTHS = (1, 2, 4)


def few_of(n_replicas: int) -> int:
    """The least width that holds so many replicas; zero where they are as well off with eight lanes."""
    return next((width for width in WIDTHS if n_replicas <= width), 0)


def few_code(form: Form, packed: Packed, draws: Draws, few: int) -> tuple[Code, int]:
    """`compiled.code_for` of eight lanes of which the first `few` are used, and of how many lanes draws are kept.

    Where no vector of eight is filled or read, those of few lanes stand close together, and chunks are longer.
    """
    whole = isinstance(form, Body) or _has_only_whole_vectors(form, packed)
    lanes = LANES if whole or draws.kind == PACKED_BITS else few
    fill = few_fill(draws, few, chunk_of(draws, lanes))
    if fill is None:
        fill, lanes = compiled.fill_of(draws), LANES
    if whole:
        steps = compiled.address_of_steps(form, packed, draws, shared=False)
    else:
        steps = compiled.steps_address(steps_of(form, packed, draws, False, few), packed.table.dtype)
    return Code(compiled.fill_address(fill), steps, chunk_of(draws, lanes)), lanes


def _has_only_whole_vectors(form: Form, packed: Packed) -> bool:
    """Whether steps are compiled for eight lanes alone: with a slope that a user wrote, where lanes are replicas."""
    rows = form.gradient if isinstance(form, Stateful) else form
    return packed.lane_layout and isinstance(rows, Rows) and not rows.slope.folded
