"""The image of a state under a map, in three parts: with the first item of a batch, with one more, and at the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache, singledispatch
from typing import Any, NamedTuple

import numpy as np

from iterorder.forms import Affine, Body, Form, Rows, Stateful
from iterorder.kernels.bodies.steps import Slope, affine_added, row_added, velocity_begun
from iterorder.kernels.cpu.packing import lanes_of, padded
from iterorder.kernels.cpu.profile import AVX512
from iterorder.kernels.device.compilers import device_function, memory
from iterorder.kernels.device.long_states import LongStates, is_long, long_states
from iterorder.kernels.device.memory_states import MemoryStates, memory_states
from iterorder.kernels.device.own_functions import attempted
from iterorder.kernels.device.packing import differing, in_threads
from iterorder.kernels.device.slopes import slope_of
from iterorder.kernels.device.states import Differing, ThreadStates, thread_states
from iterorder.kernels.device.team_states import TeamStates, halves_first, neighbours_first, team_states
from iterorder.kernels.optimizer_numbers import ITEM_WEIGHT, MOMENTUM, RIDGE, STEP_SIZES, WEIGHT_DECAY

ONE, FIRST_STEP_SIZE, WHOLE = np.uint64(1), np.uint64(STEP_SIZES), np.int64


class Image(NamedTuple):
    """Device functions of a form.

    ``first(x, item, maps)`` is the total with the first item of a batch, ``more(total, x, item, maps)`` that with
    another one, and ``finish(total, x, step, maps)`` the image. Of functions that take their draw as an array,
    ``under(x, draw, maps)`` is the image. `states` are those that these work on, with `load`, `keep`, `save` and
    `all_finite`. Where registers do not hold the total at once, `rest` goes over the batch a second time, and
    ``joined(made, rest_made)`` is the image.
    """

    states: Any
    first: Any = None
    more: Any = None
    finish: Any = None
    under: Any = None
    rest: Any = None
    joined: Any = None


@singledispatch
def image_of(form: Form, dtype: np.dtype) -> Image:
    """The image under the maps of a form: the same functions for all forms that compile to the same."""
    raise TypeError(f"no kernel for {type(form).__name__}")


@image_of.register
def _(form: Affine, dtype: np.dtype) -> Image:
    if in_threads(form):
        return affine_image(form.dim, form.batch_size == 1, differing(form, dtype), dtype)
    return matrix_image(form.dim, dtype)


@image_of.register
def _(form: Rows, dtype: np.dtype) -> Image:
    states, slope = _states_of(form, dtype), slope_of(form.slope, dtype)
    return rows_image(states, slope, bool(dtype.type(form.shrink) != 1.0), differing(form, dtype))


def _states_of(form: Rows, dtype: np.dtype) -> ThreadStates | LongStates:
    """Those in which the processor's steps add the threads of a team in the same order (`kernels.cpu.steps`)."""
    if in_threads(form):
        return thread_states(form.dim, dtype)
    fits = padded(form.dim, dtype) <= AVX512.max_row_vectors * lanes_of(dtype)
    if is_long(form.dim, dtype):
        return long_states(form.dim, dtype)
    alone = form.slope.linear and form.batch_size == 1 and fits
    return team_states(form.dim, dtype, halves_first if alone else neighbours_first)


@image_of.register
def _(form: Body, dtype: np.dtype) -> Image:
    states = thread_states(form.dim, dtype) if in_threads(form) else memory_states(form.dim)
    return body_image(form.step, states, form.noise == "index", dtype)


@image_of.register
def _(form: Stateful, dtype: np.dtype) -> Image:
    gradient, momentum = form.gradient, bool(form.momentum)
    if not isinstance(gradient, (Affine, Rows)):
        raise TypeError(f"no kernel for an optimiser of {type(gradient).__name__}")
    slope = slope_of(gradient.slope, dtype) if isinstance(gradient, Rows) else None
    if in_threads(form):
        return optimizer_image(gradient.dim, slope, momentum, differing(gradient, dtype), dtype)
    return team_optimizer_image(gradient.dim, slope, momentum, dtype)


@cache
def affine_image(dim: int, single: bool, columns: Differing | None, dtype: np.dtype) -> Image:
    """x → the mean over a batch of A x + b."""
    states = thread_states(dim, dtype)
    image, plus, multiple, row = states.affine_image, states.plus, states.multiple, states.row(dim * (dim + 1), columns)

    @device_function
    def first(x, item, maps):
        return image(row(maps, item), x)

    @device_function
    def more(total, x, item, maps):
        return plus(total, image(row(maps, item), x))

    @device_function
    def finish(total, x, step, maps):
        return total if single else multiple(maps.scale, total)

    return Image(states, first, more, finish)


@cache
def matrix_image(dim: int, dtype: np.dtype) -> Image:
    """The same in many dimensions."""
    states = long_states(dim, dtype) if is_long(dim, dtype) else team_states(dim, dtype)
    image, plus, multiple = states.matrix_image, states.plus, states.multiple
    begun, settled = states.begun, states.settled

    @device_function
    def first(x, item, maps):
        return begun(image(maps, item, x))

    @device_function
    def more(total, x, item, maps):
        return plus(total, image(maps, item, x))

    @device_function
    def finish(total, x, step, maps):
        return settled(multiple(maps.scale, total))

    return Image(states, first, more, finish)


@cache
def rows_image(states: ThreadStates | LongStates, slope: Slope, ridge: bool, columns: Differing | None) -> Image:
    """x → shrink·x − scale·Σ φ(aᵀx + c)·a over the rows of a batch."""
    added, multiple, row = row_added(states, states.dim, slope), states.multiple, states.row(states.dim + 1, columns)
    settled = states.settled

    @device_function
    def more(total, x, item, maps):
        return added(total, x, row(maps, item), maps.factor, maps.given, maps.zero)

    @device_function
    def first(x, item, maps):
        return more(multiple(maps.shrink, x) if ridge else x, x, item, maps)

    @device_function
    def finish(total, x, step, maps):
        return settled(total)

    return Image(states, first, more, finish)


@cache
def optimizer_image(dim: int, slope: Slope | None, momentum: bool, columns: Differing | None, dtype: np.dtype) -> Image:
    """v → momentum·v + g(x), x → (1 − h·decay)·x − h·v; no slope: affine gradients."""
    parts, states = thread_states(dim, dtype), thread_states(2 * dim if momentum else dim, dtype)
    begun, moved = velocity_begun(parts, momentum), parts.moved
    with_gradient, halves, joined = _gradient_added(parts, slope, columns), parts.halves, parts.joined

    @device_function
    def first(z, item, maps):
        x, v = halves(z) if momentum else (z, z)
        total = begun(x, v, maps.optimizer[RIDGE], maps.optimizer[MOMENTUM])
        return with_gradient(total, x, item, maps)

    @device_function
    def more(total, z, item, maps):
        return with_gradient(total, halves(z)[0] if momentum else z, item, maps)

    @device_function
    def finish(total, z, step, maps):
        x = halves(z)[0] if momentum else z
        x = moved(x, total, step_size(step, maps), maps.optimizer[WEIGHT_DECAY], maps.one)
        return joined(x, total) if momentum else x

    return Image(states, first, more, finish)


@cache
def team_optimizer_image(dim: int, slope: Slope | None, momentum: bool, dtype: np.dtype) -> Image:
    """The same in many dimensions, where the gradient is summed before it meets the velocity."""
    size: dict = {"parts": 2 if momentum else 1}
    long = is_long(dim, dtype)
    states = long_states(dim, dtype, **size) if long else team_states(dim, dtype, from_memory=True, **size)
    with_gradient, moved, zeros = _gradient_added(states, slope), states.moved, states.zeros
    halves, joined, plus_multiple = states.halves, states.joined, states.plus_multiple

    @device_function
    def more(total, z, item, maps):
        return with_gradient(total, halves(z)[0] if momentum else z, item, maps)

    @device_function
    def first(z, item, maps):
        return more(zeros(z), z, item, maps)

    @device_function
    def finish(total, z, step, maps):
        x = halves(z)[0] if momentum else z
        v = plus_multiple(total, maps.optimizer[RIDGE], x)
        v = plus_multiple(v, maps.optimizer[MOMENTUM], halves(z)[1]) if momentum else v
        x = moved(x, v, step_size(step, maps), maps.optimizer[WEIGHT_DECAY], maps.one)
        return joined(x, v) if momentum else x

    return Image(states, first, more, finish)


@lru_cache(maxsize=256)
def body_image(function: Callable, states: ThreadStates | MemoryStates, by_index: bool, dtype: np.dtype) -> Image:
    """What a function makes of a state; NaN where it leaves an entry out, or looks one up that is not there."""
    under = states.image_by(attempted(function), dtype)

    @device_function
    def first(x, item, maps):
        draw = memory.local.array(1, WHOLE)
        draw[0] = item
        return under(x, draw, maps)

    @device_function
    def finish(total, x, step, maps):
        return total

    return Image(states, first, None, finish) if by_index else Image(states, under=under)


@device_function
def step_size(step, maps):
    """That of a step; the last goes on."""
    return maps.optimizer[min(FIRST_STEP_SIZE + step, np.uint64(maps.optimizer.size) - ONE)]


def _gradient_added(states: ThreadStates | LongStates, slope: Slope | None, columns: Differing | None = None):
    """The total with the gradient of one item, times its weight in the mean."""
    if slope is not None:
        return _row_gradient(states, slope, columns)
    if isinstance(states, (TeamStates, LongStates)):
        return _matrix_gradient(states)
    affine, numbers = affine_added(states), states.row(states.dim * (states.dim + 1), columns)

    @device_function
    def with_gradient(total, x, item, maps):
        return affine(total, x, numbers(maps, item), maps.optimizer[ITEM_WEIGHT])

    return with_gradient


def _row_gradient(states: ThreadStates | LongStates, slope: Slope, columns: Differing | None):
    added, row = row_added(states, states.dim, slope), states.row(states.dim + 1, columns)

    @device_function
    def with_gradient(total, x, item, maps):
        return added(total, x, row(maps, item), maps.optimizer[ITEM_WEIGHT], maps.given, maps.zero)

    return with_gradient


def _matrix_gradient(states: TeamStates | LongStates):
    image, plus_multiple = states.matrix_image, states.plus_multiple

    @device_function
    def with_gradient(total, x, item, maps):
        return plus_multiple(total, maps.optimizer[ITEM_WEIGHT], image(maps, item, x))

    return with_gradient
