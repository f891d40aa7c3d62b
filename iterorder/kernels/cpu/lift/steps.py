"""Steps of maps that a user wrote, for several replicas at once: the body compiled for numbers of several lanes.

`kernels.cpu.body_steps` has the same steps one replica at a time. They are the twin of these, what runs where a body
cannot be lifted, and what repeats a step in which an index was out of range in some lane. Both have the same bits.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numba.np.numpy_support import from_dtype

from iterorder.forms import Body
from iterorder.kernels.cpu import profile
from iterorder.kernels.cpu.attempt import succeeds
from iterorder.kernels.cpu.body_steps import MAX_LANE_DIM, layout_of, parameter_types, parameters_at
from iterorder.kernels.cpu.explain import missing_call, reason_and_hint
from iterorder.kernels.cpu.images import images_arguments, images_kernel
from iterorder.kernels.cpu.lane_groups import steps_over_lanes
from iterorder.kernels.cpu.lanes import LANES, load_from, row_pointer, store_to
from iterorder.kernels.cpu.lift import varying_operations  # noqa: F401, which teaches the compiler what bodies use
from iterorder.kernels.cpu.lift.one_exit import CannotLift
from iterorder.kernels.cpu.lift.own_functions import OWN, with_own_functions
from iterorder.kernels.cpu.lift.rewrite import has_text, lifted_function
from iterorder.kernels.cpu.lift.varying import Varying
from iterorder.kernels.cpu.lift.varying_arrays import LONGEST_ROW, array_of, new_array, on_stack, unwritable
from iterorder.kernels.cpu.mixed_draws import IndexAndFloats, index_and_floats
from iterorder.kernels.targets import OPTIONS, address_of, call_at, jit_allocating, jit_inline

#: Draws up to this size are held in registers (or on the stack) by a step.
MOST_DRAWS = 64
#: Steps of so few coordinates, or with one of these functions, wait for themselves.
FEW_COORDINATES, LONG_FUNCTIONS = 2, frozenset({*OWN, "sqrt"})


# --------------------------------------------------------------------------------------------------------------- draws


def varying_draw_type(noise: str, lanes: int):
    """The Numba type of the draws of so many lanes."""
    if noise == "index+normal":
        return IndexAndFloats(Varying(types.int64, lanes), array_of(types.float64, lanes, writable=False))
    return array_of(types.int64 if noise == "index" else types.float64, lanes, writable=False)


def varying_draw(noise: str, lanes: int):
    """The draws of some lanes: rows first … first + count − 1 of their columns, copied next to the step."""
    kind = varying_draw_type(noise, lanes)
    mixed = noise == "index+normal"
    words = array_of(types.float64, lanes, writable=False) if mixed else kind

    @intrinsic(prefer_literal=True)
    def read(typing_context, drawn, first, lane, count):
        if not isinstance(count, types.IntegerLiteral):
            return None

        def generate(context, builder, signature, arguments):
            row = row_pointer(context, builder, drawn, *arguments[:3])
            stride = builder.extract_value(context.make_array(drawn)(context, builder, arguments[0]).shape, 1)
            array, place = on_stack(context, builder, words, count.literal_value)
            for k in range(count.literal_value):
                source = builder.gep(row, [builder.mul(stride, stride.type(k))])
                if k == 0 and mixed:
                    index = load_from(builder, source, lanes)
                bits = builder.bitcast(load_from(builder, source, lanes), place.type.pointee)
                builder.store(bits, builder.gep(place, [ir.Constant(ir.IntType(64), k)]))
            return index_and_floats(context, builder, kind, index, array) if mixed else array

        return kind(drawn, types.intp, types.intp, count), generate

    return read


# --------------------------------------------------------------------------------------------------------------- steps


@intrinsic(prefer_literal=True)
def _load(typing_context, states, row, lane, lanes):
    """states[row, lane : lane + lanes] as numbers of so many lanes (a literal)."""
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    kind = Varying(states.dtype, lanes.literal_value)

    def generate(context, builder, signature, arguments):
        return load_from(builder, row_pointer(context, builder, states, *arguments[:3]), kind.lanes)

    return kind(states, types.intp, types.intp, lanes), generate


@intrinsic
def _store(typing_context, numbers, states, row, lane):
    """states[row, lane : lane + lanes] ← numbers of so many lanes."""

    def generate(context, builder, signature, arguments):
        store_to(builder, arguments[0], row_pointer(context, builder, states, *arguments[1:]))
        return context.get_dummy_value()

    return types.void(numbers, states, types.intp, types.intp), generate


@jit_allocating
def repeat(memory, states, drawn, first, rows, lane):
    """One step of eight lanes, one state after the other, by the kernel of images whose address ends `memory`."""
    dim = states.shape[0]
    x, found = np.empty((LANES, dim), states.dtype), np.empty((LANES, dim), states.dtype)
    words = np.empty((rows, LANES), np.int64)
    for i in range(LANES):
        for k in range(dim):
            x[i, k] = states[k, lane + i]
        for k in range(rows):
            words[k, i] = np.int64(drawn[first + k, (lane + i) % drawn.shape[1]])
    call_at(memory[memory.size - 1], (x, 1, words, memory, found))
    for i in range(LANES):
        for k in range(dim):
            states[k, lane + i] = found[i, k]


@cache
def _repeat_address(dtype: np.dtype) -> int:
    block, drawn = np.zeros((1, LANES), dtype), np.zeros((1, LANES), np.uint64)
    return address_of(repeat, np.zeros(1, np.int64), block, drawn, 0, 1, 0)


def repeat_addresses(step, dim: int, noise: str, rows: int, layout: tuple, dtype) -> tuple[int, int]:
    """What lifted steps find behind the parameters: `repeat`, and what that calls."""
    images = address_of(images_kernel(step, dim, noise, rows, layout), *images_arguments(dim, rows, dtype))
    return _repeat_address(np.dtype(dtype)), images


class Lifted(NamedTuple):
    """A body for numbers of several lanes; None where there is none, and then why."""

    body: Any
    reason: str = ""


@lru_cache(maxsize=256)
def lifted_body(function, dim: int, noise: str, rows: int, layout: tuple, dtype) -> Lifted:
    """The body of steps whose draws have `rows` entries, lifted if that can be, and compiled."""
    found = lifted_text(function, dim, rows, layout)
    if found.body is None:
        return found
    state, given, out = from_dtype(np.dtype(dtype)), parameter_types(layout), {"writable": True}
    kinds = (
        array_of(state, LANES, writable=False),
        varying_draw_type(noise, LANES),
        given,
        array_of(state, LANES, **out),
    )
    try:
        found.body.compile(kinds)
    except Exception as error:  # Numba raises many kinds
        return Lifted(None, _in_words(error, function))
    return found


@lru_cache(maxsize=256)
def lifted_text(function, dim: int, rows: int, layout: tuple) -> Lifted:
    """The same before it is compiled."""
    if dim > MAX_LANE_DIM or rows > MOST_DRAWS:
        return Lifted(None, f"has more than {MAX_LANE_DIM} coordinates or {MOST_DRAWS} numbers in a draw")
    tables = [item[1][1] if isinstance(item, tuple) and len(item[1]) == 2 else None for item in layout]
    tables = [length if length is not None and 0 < length <= LONGEST_ROW else None for length in tables]
    names = tuple(function.__code__.co_varnames[k] for k in (0, 1, 3))
    try:
        many = lifted_function(with_own_functions(function), names, tables)
    except CannotLift as error:
        return Lifted(None, str(error))
    return Lifted(njit(**OPTIONS, forceinline=True, boundscheck=True)(many))


def _in_words(error: Exception, function) -> str:
    """Why a body is not compiled for several lanes: what a user wrote, not the types that stand for it."""
    call = missing_call(error)
    if not str(error).strip():  # of older versions of Numba
        return "does something with numbers that differ between replicas, which there is for single numbers only"
    if "Varying(" not in call:
        return reason_and_hint(error)[0]
    name = call.partition("(")[0].removeprefix("array_")  # a method of arrays
    if name == "bool" and not has_text(function):  # a branch, which only its text makes a choice
        return (
            "branches on numbers that differ between replicas, and its text, which would make choices of them, cannot "
            "be read (typed at a prompt, or made by exec): define it in a file"
        )
    return f"uses {name} of numbers that differ between replicas, which there is for single numbers only"


def groups_of(step, dim: int) -> int:
    """Groups of eight lanes to work on at once: several where a step waits for the chain of its own results."""
    waits = dim <= FEW_COORDINATES or not LONG_FUNCTIONS.isdisjoint(step.__code__.co_names)
    return profile.PROFILE.lane_groups if waits else 1


def engine_of(form: Body) -> str:
    """How steps of a body are done, in words."""
    rows = form.noise_dim + (form.noise == "index+normal")
    found = lifted_body(form.step, form.dim, form.noise, rows, layout_of(form.params), np.dtype(np.float64))
    if found.body is None:
        return f"one replica at a time: {found.reason}"
    groups = groups_of(form.step, form.dim)
    return f"{LANES} replicas at once" if groups == 1 else f"up to {groups * LANES} replicas at once"


def lifted_steps(body, dim: int, noise: str, rows: int, layout: tuple, groups: int):
    """The steps of a block for a body of `lifted_text`, for groups of eight lanes at once where each has draws."""
    parameters = parameters_at(layout)

    def run_of(width: int):
        draw = varying_draw(noise, width)

        @jit_inline
        def run(packed, scratch, start, stop, direction, lane):
            states, drawn, given = scratch.states, scratch.drawn, parameters(packed.parameters)
            x, image = new_array(states, dim, width), new_array(states, dim, width)
            column = lane % drawn.shape[1]  # a division, which the compiler leaves in the loop
            for k in range(dim):
                x[k] = _load(states, k, lane, width)
            for row in range(start, stop, direction):
                for k in range(dim):
                    image[k] = np.nan  # what a branch leaves out is not a number
                drawn_now = draw(drawn, row * rows, column, rows)
                if succeeds(body, unwritable(x), drawn_now, given, image):
                    for k in range(dim):
                        x[k] = image[k]
                else:  # an index out of range in some lane: whose it was is known one state at a time
                    for k in range(dim):
                        _store(x[k], states, k, lane)
                    memory = packed.parameters
                    for group in range(lane, lane + width, LANES):
                        call_at(memory[memory.size - 2], (memory, states, drawn, row * rows, rows, group))
                    for k in range(dim):
                        x[k] = _load(states, k, lane, width)
            for k in range(dim):
                _store(x[k], states, k, lane)

        return run

    return steps_over_lanes(run_of, 0, groups)
