"""Compiled kernels, each looked up once for a type of float.

The types of a kernel's arguments depend on that type alone, not on the system: any small system serves as an example.
Looking them up anew for every call would take longer than a small simulation.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from iterorder.kernels import blocks, float_draws, systems
from iterorder.kernels import draws as items
from iterorder.kernels.backward import backward_each, backward_to, mark_diverged, sliding_window
from iterorder.kernels.custom import MAX_LANE_DIM, compiled_body, custom_steps, layout_of, memory_of
from iterorder.kernels.forward import forward
from iterorder.kernels.incremental import incremental, incremental_steps_of, new_carry
from iterorder.kernels.lanes import LANES
from iterorder.kernels.lifted import address_of_images, lifted_body, lifted_steps, may_repeat
from iterorder.kernels.steps import steps_of
from iterorder.kernels.sweep import CHUNK, PACKED_CHUNK, backward_sweep, new_sweep
from iterorder.kernels.targets import address_of, entry_of
from iterorder.maps import AffineMaps, CustomMaps, GaussianRegressionSGD
from iterorder.maps.gaussian_regression import gaussian_step

#: The function of each kind of draws (`systems.PACKED_BITS` …).
FILL = (
    items.packed_bits,
    items.bits,
    items.indices,
    items.weighted,
    items.batches,
    items.cyclic,
    items.shuffled,
    items.permuted,
    float_draws.uniforms,
    float_draws.normals,
    float_draws.index_and_normals,
)


class _Example(NamedTuple):
    """Arguments of the types that kernels take."""

    code: blocks.Code
    system: systems.System
    draws: systems.Draws
    scratch: blocks.Scratch
    place: tuple
    x0: np.ndarray
    saves: np.ndarray
    states: np.ndarray
    diverged: np.ndarray
    control: blocks.Control


@cache
def _example(dtype: np.dtype) -> _Example:
    maps = AffineMaps([[[0.0]]], [[0.0]])
    system = systems.system_of(maps, dtype)
    draws = systems.draws_of(system, maps.sampling_law, 0)
    scratch = blocks.new_scratch(system, draws, LANES, shared=False)
    counts = np.zeros(1, np.int64)
    place = (np.uint64(0),) * 3
    x0, states = np.zeros((1, 1), dtype), np.zeros((1, 1, 1), dtype)
    control = blocks.Control(counts, counts, 0)
    return _Example(blocks.Code(0, 0, 0), system, draws, scratch, place, x0, counts, states, counts, control)


def code_for(system: systems.System, draws: systems.Draws, lanes: int, shared: bool, instead=None) -> blocks.Code:
    """The functions that draw and apply a chunk of steps; `instead`: the address of others than `steps_of` chooses."""
    steps = instead or system.own_steps or _steps_address(steps_of(system, draws, shared), system.table.dtype)
    return blocks.Code(_fill_address(FILL[draws.kind]), steps, blocks.chunk_of(draws, LANES if shared else lanes))


def sweep_code(system: systems.System, draws: systems.Draws) -> blocks.Code:
    """The functions for a sweep, whose chunks are short: after each it looks for iterates that have met."""
    code = code_for(system, draws, LANES, shared=True)
    return code._replace(chunk=min(code.chunk, PACKED_CHUNK if draws.kind == systems.PACKED_BITS else CHUNK))


def incremental_code(system: systems.System, draws: systems.Draws) -> blocks.Code:
    """The same with incremental steps, for blocks of eight lanes."""
    steps = _incremental_address(incremental_steps_of(system, draws), system.table.dtype)
    return code_for(system, draws, LANES, shared=False, instead=steps)


@cache
def _fill_address(function) -> int:
    example = _example(np.dtype(np.float64))
    return address_of(function, example.draws, example.scratch.drawn, example.scratch.shuffle, *example.place, 0, 0)


@cache
def _steps_address(function, dtype: np.dtype) -> int:
    example = _example(dtype)
    return address_of(function, example.system, example.scratch, 0, 0, 0, 0)


@cache
def _incremental_address(function, dtype: np.dtype) -> int:
    example = _example(dtype)
    return address_of(function, example.system, example.scratch, new_carry(example.system), 0, 0, example.states[0])


@systems.system_of.register
def _(maps: CustomMaps, dtype) -> systems.System:
    return _with_own_steps(maps.body, maps.dim, maps.noise, maps.noise_dim, maps.params, np.dtype(dtype))


@systems.system_of.register
def _(maps: GaussianRegressionSGD, dtype) -> systems.System:
    return _with_own_steps(gaussian_step, maps.dim, "normal", maps.dim + 1, maps.params, np.dtype(dtype))


def _with_own_steps(step, dim, noise, noise_dim, params, dtype: np.dtype) -> systems.System:
    columns, scalar = dim <= MAX_LANE_DIM, dtype.type
    stride = dim if columns else systems.padded(dim, dtype)
    empty = np.zeros((1, stride), dtype)
    steps, images = _custom_addresses(step, dim, noise, noise_dim, layout_of(params), dtype)
    memory = np.append(memory_of(params), images)
    return systems.System(
        systems.CUSTOM, columns, dim, stride, 1, empty, empty, scalar(1.0), scalar(1.0), memory, steps
    )


@lru_cache(maxsize=256)
def _custom_addresses(step, dim, noise, noise_dim, layout, dtype: np.dtype) -> tuple[int, int]:
    """The compiled step of custom maps, the same for all whose parameters have the same types and shapes.

    And what repeats a step of eight replicas one at a time, where the step may need that; else 0.
    """
    example, rows = _example(dtype), noise_dim + (noise == "index+normal")
    kinds, arguments = (step, dim, noise, layout, dtype), (example.system, example.scratch, 0, 0, 0, 0)
    lifted = lifted_body(step, dim, noise, rows, layout, dtype).body
    if lifted is None:
        return address_of(custom_steps(compiled_body(*kinds), dim, noise, rows, layout), *arguments), 0
    steps = lifted_steps(lifted, dim, noise, rows, layout, dtype)
    address = address_of(steps, *arguments)
    if not may_repeat(steps, dtype):
        return address, 0
    return address, address_of_images(compiled_body(*kinds), dim, noise, rows, layout, dtype)


@cache
def kernel(function, dtype: np.dtype):
    """A kernel, compiled: calling it skips the look-up of types, so its arguments must be of exactly these."""
    example = _example(dtype)
    first = (example.code, example.system, example.draws, example.scratch)
    last = (example.saves, example.states, example.control)
    arguments = {
        forward: (*first, *example.place, example.x0, *last[:2], example.diverged, example.control),
        backward_each: (*first, *example.place, example.x0, *last),
        backward_to: (*first, *example.place, example.x0, *last),
        backward_sweep: (
            *first[:3],
            new_sweep(example.system, example.draws, 1),
            *example.place,
            example.x0,
            *last,
        ),
        sliding_window: (*first, *example.place, example.x0, 0, *last),
        incremental: (
            *first,
            new_carry(example.system),
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
