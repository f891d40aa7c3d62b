"""Compiled kernels, each looked up once for a type of float.

The types of a kernel's arguments depend on that type alone, not on the system: any small system serves as an example.
Looking them up anew for every call would take longer than a small simulation.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from iterorder.forms import Affine, Body, Form
from iterorder.kernels.cpu import batch_draws, float_draws, index_draws, profile
from iterorder.kernels.cpu.backward import backward_each, backward_to, mark_diverged, sliding_window
from iterorder.kernels.cpu.body_steps import body_of, custom_steps, layout_of
from iterorder.kernels.cpu.forward import forward
from iterorder.kernels.cpu.incremental import incremental, new_carry
from iterorder.kernels.cpu.incremental_steps import incremental_steps_of
from iterorder.kernels.cpu.lane_blocks import Code, Control, Scratch, chunk_of, new_scratch
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.lift.steps import (
    groups_of,
    lifted_body,
    lifted_steps,
    lifted_text,
    repeat_addresses,
)
from iterorder.kernels.cpu.packing import Packed, pack
from iterorder.kernels.cpu.steps import steps_of
from iterorder.kernels.cpu.sweep import CHUNK, PACKED_CHUNK, backward_sweep, new_sweep
from iterorder.kernels.draw_tables import PACKED_BITS, Draws, draws_of
from iterorder.kernels.targets import address_of, entry_of, is_compiled_for
from iterorder.sampling import Sampling

#: The function of each kind of draws (`draw_tables.PACKED_BITS` …).
FILL = (
    index_draws.packed_bits,
    index_draws.bits,
    index_draws.indices,
    index_draws.weighted,
    index_draws.batches,
    index_draws.cyclic,
    index_draws.shuffled,
    index_draws.permuted,
    float_draws.uniforms,
    float_draws.normals,
    float_draws.index_and_normals,
)


class _Example(NamedTuple):
    """Arguments of the types that kernels take."""

    code: Code
    packed: Packed
    draws: Draws
    scratch: Scratch
    place: tuple
    x0: np.ndarray
    saves: np.ndarray
    states: np.ndarray
    diverged: np.ndarray
    control: Control


@cache
def _example(dtype: np.dtype) -> _Example:
    form = Affine(np.zeros((1, 1, 1)), np.zeros((1, 1)))
    packed, draws = pack(form, dtype), draws_of(form, Sampling(1), 0)
    scratch = new_scratch(packed, draws, LANES, shared=False)
    counts = np.zeros(1, np.int64)
    place = (np.uint64(0),) * 3
    x0, states = np.zeros((1, 1), dtype), np.zeros((1, 1, 1), dtype)
    control = Control(counts, counts, 0)
    return _Example(Code(0, 0, 0), packed, draws, scratch, place, x0, counts, states, counts, control)


def code_for(form: Form, packed: Packed, draws: Draws, lanes: int, shared: bool) -> Code:
    """The functions that draw a chunk of steps and apply it."""
    return _code(address_of_steps(form, packed, draws, shared), draws, LANES if shared else lanes)


def sweep_code(form: Form, packed: Packed, draws: Draws) -> Code:
    """The functions for a sweep, whose chunks are short: after each it looks for iterates that have met."""
    code = code_for(form, packed, draws, LANES, shared=True)
    return code._replace(chunk=min(code.chunk, PACKED_CHUNK if draws.kind == PACKED_BITS else CHUNK))


def incremental_code(form: Form, packed: Packed, draws: Draws) -> Code:
    """The same with incremental steps, for blocks of eight lanes."""
    steps = _incremental_address(incremental_steps_of(form, packed, draws), packed.table.dtype)
    return _code(steps, draws, LANES)


def _code(steps: int, draws: Draws, noise_lanes: int) -> Code:
    return Code(fill_address(fill_of(draws)), steps, chunk_of(draws, noise_lanes))


def fill_of(draws: Draws):
    """The function that draws a chunk of steps."""
    if batch_draws.has_own_fill(draws):
        return batch_draws.batches(draws.batch_size, profile.PROFILE.batch_groups)
    return FILL[draws.kind]


def address_of_steps(form: Form, packed: Packed, draws: Draws, shared: bool) -> int:
    """The function that applies a chunk of steps to a block of eight lanes."""
    dtype = packed.table.dtype
    if isinstance(form, Body):
        kinds = form.dim, form.noise, form.noise_dim, layout_of(form.params)
        steps, packed.parameters[-2:] = _body_addresses(form.step, *kinds, dtype, groups_of(form.step, form.dim))
        return steps
    return steps_address(steps_of(form, packed, draws, shared), dtype)


@cache
def fill_address(function) -> int:
    example = _example(np.dtype(np.float64))
    return address_of(function, example.draws, example.scratch.drawn, example.scratch.shuffle, *example.place, 0, 0)


@cache
def steps_address(function, dtype: np.dtype) -> int:
    example = _example(dtype)
    return address_of(function, example.packed, example.scratch, 0, 0, 0, 0)


@cache
def _incremental_address(function, dtype: np.dtype) -> int:
    example = _example(dtype)
    return address_of(function, example.packed, example.scratch, new_carry(example.packed), 0, 0, example.states[0])


@lru_cache(maxsize=256)
def _body_addresses(step, dim, noise, noise_dim, layout, dtype: np.dtype, groups: int) -> tuple[int, tuple[int, int]]:
    """The compiled step of a body, the same for all whose parameters have the same types and shapes.

    And what repeats a step of several replicas one at a time; zeros where each is worked on by itself.
    """
    example, rows = _example(dtype), noise_dim + (noise == "index+normal")
    arguments = example.packed, example.scratch, 0, 0, 0, 0
    kinds, body = (dim, noise, rows, layout), lifted_text(step, dim, rows, layout).body
    if body is not None:
        steps = lifted_steps(body, *kinds, groups)
        if is_compiled_for(steps, *arguments) or (
            # Where the other steps are on disk, lifting has failed before.
            not is_compiled_for(custom_steps(body_of(step), *kinds), *arguments)
            and lifted_body(step, *kinds, dtype).body is not None
        ):
            return address_of(steps, *arguments), repeat_addresses(step, *kinds, dtype)
    return address_of(custom_steps(body_of(step), *kinds), *arguments), (0, 0)


@cache
def kernel(function, dtype: np.dtype):
    """A kernel, compiled: calling it skips the look-up of types, so its arguments must be of exactly these."""
    example = _example(dtype)
    first = (example.code, example.packed, example.draws, example.scratch)
    last = (example.saves, example.states, example.control)
    arguments = {
        forward: (*first, *example.place, example.x0, *last[:2], example.diverged, example.control),
        backward_each: (*first, *example.place, example.x0, *last),
        backward_to: (*first, *example.place, example.x0, *last),
        backward_sweep: (
            *first[:3],
            new_sweep(example.packed, example.draws, 1),
            *example.place,
            example.x0,
            *last,
        ),
        sliding_window: (*first, *example.place, example.x0, 0, *last),
        incremental: (
            *first,
            new_carry(example.packed),
            *example.place,
            example.x0,
            example.saves,
            example.states[0],
            np.zeros(1, bool),
            example.control,
        ),
        mark_diverged: (example.states, example.saves, example.diverged),
    }[function]
    return entry_of(function, *arguments)
