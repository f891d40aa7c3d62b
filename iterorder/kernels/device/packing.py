"""Forms of maps as the kernels of a device read them: one row of numbers for each map, without padding to lanes."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from iterorder.forms import Affine, Body, Form, Rows, Stateful

# Where the numbers of an optimiser stand; the step sizes of steps 0, 1, … follow, and the last goes on.
FRICTION, WEIGHT_DECAY, RIDGE, ITEM_WEIGHT, STEP_SIZES = (np.uint64(k) for k in range(5))


class Maps(NamedTuple):
    """A form of maps as arrays and numbers of one type of float.

    ``table[i]`` holds the rows of (A | b), or (a, c). `scale` and `factor` are the weight of an item in a step and its
    negative; `given` the parameters of a slope or a body; `optimizer` momentum, decay, ridge, weight and step sizes.
    """

    table: Any
    shrink: np.floating
    scale: np.floating
    factor: np.floating
    zero: np.floating
    one: np.floating
    given: tuple
    optimizer: Any


@singledispatch
def pack(form: Form, dtype) -> Maps:
    """A form as arrays of the host."""
    raise TypeError(f"no kernel for {type(form).__name__}")


def _maps(table, shrink: float, scale: float, dtype, given: tuple = ()) -> Maps:
    number = np.dtype(dtype).type
    scalars = (number(value) for value in (shrink, scale, -scale, 0.0, 1.0))
    # An empty tuple is no argument of a kernel.
    return Maps(np.ascontiguousarray(table, dtype), *scalars, given or (0,), np.zeros(1, dtype))


@pack.register
def _(form: Affine, dtype) -> Maps:
    m = len(form.offsets)
    augmented = np.concatenate([form.matrices, form.offsets[:, :, None]], axis=2).reshape(m, -1)
    return _maps(augmented, 1.0, 1.0 / form.batch_size, dtype)


@pack.register
def _(form: Rows, dtype) -> Maps:
    given = form.slope.params
    if form.slope.exact and np.dtype(dtype) == np.float32:  # operations of that type alone
        given = tuple(np.float32(value) if isinstance(value, float) else value for value in given)
    return _maps(np.column_stack([form.rows, form.constants]), form.shrink, form.scale, dtype, given)


@pack.register
def _(form: Body, dtype) -> Maps:
    return _maps(np.zeros((1, 1)), 1.0, 1.0, dtype, form.params)


@pack.register
def _(form: Stateful, dtype) -> Maps:
    numbers = (form.momentum, form.weight_decay, form.ridge, 1.0 / form.gradient.batch_size)
    optimizer = np.concatenate([numbers, form.step_sizes]).astype(dtype)
    return pack(form.gradient, dtype)._replace(optimizer=optimizer)
