"""Code for one to four replicas: the same roundings as that of a vector of eight, which works for one alone as long."""

from __future__ import annotations

from iterorder.forms import Body, Form, Rows, Stateful
from iterorder.kernels.cpu import compiled
from iterorder.kernels.cpu.few_draws import few_fill
from iterorder.kernels.cpu.lane_blocks import Code, chunk_of
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.packing import Packed
from iterorder.kernels.cpu.steps import steps_of
from iterorder.kernels.draw_tables import Draws

#: Widths of the code for few lanes.
WIDTHS = (1, 2, 4)


def few_of(n_replicas: int) -> int:
    """The least width that holds so many replicas; zero where they are as well off with eight lanes."""
    return next((width for width in WIDTHS if n_replicas <= width), 0)


def few_code(form: Form, packed: Packed, draws: Draws, few: int) -> Code:
    """`compiled.code_for` of a block of eight lanes of which the first `few` are used."""
    chunk = chunk_of(draws, LANES)
    fill = few_fill(draws, few, chunk) or compiled.fill_of(draws)
    if isinstance(form, Body) or _has_only_whole_vectors(form, packed):
        return compiled.code_for(form, packed, draws, LANES, shared=False)._replace(fill=compiled.fill_address(fill))
    steps = steps_of(form, packed, draws, False, few)
    return Code(compiled.fill_address(fill), compiled.steps_address(steps, packed.table.dtype), chunk)


def _has_only_whole_vectors(form: Form, packed: Packed) -> bool:
    """Whether steps are compiled for eight lanes alone: with a slope that a user wrote, where lanes are replicas."""
    rows = form.gradient if isinstance(form, Stateful) else form
    return packed.lane_layout and isinstance(rows, Rows) and not rows.slope.folded
