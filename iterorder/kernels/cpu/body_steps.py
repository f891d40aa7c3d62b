"""Steps of maps that a user wrote: the plain Python body, compiled and run over the lanes of a block.

The body sees one state at a time, through arrays that own no memory. In few dimensions they are so small, and used with
such plain indices, that the compiler keeps them in registers for a chunk of steps.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import FunctionType

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype

from iterorder.forms import Body
from iterorder.kernels.cpu.attempt import succeeds
from iterorder.kernels.cpu.explain import allocates, explained, makes_arrays
from iterorder.kernels.cpu.lanes import row_pointer
from iterorder.kernels.cpu.lift.own_functions import with_own_functions
from iterorder.kernels.cpu.mixed_draws import IndexAndFloats, index_and_floats
from iterorder.kernels.targets import OPTIONS, check_compiler, jit, jit_inline

# Up to this dimension a state is worked on in registers; above, in its row of the block.
MAX_LANE_DIM = 16

#: The type of a draw of "index+normal" noise.
INDEX_AND_NORMALS = IndexAndFloats(types.int64, types.Array(types.float64, 1, "A", readonly=True))


# ----------------------------------------------------------------------------------------------------- views of a block


def _view(context, builder, kind, pointer, length, stride):
    """A one-dimensional array over memory that belongs to somebody else."""
    array = context.make_array(kind)(context, builder)
    size = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
    populate_array(
        array,
        data=builder.bitcast(pointer, array.data.type),
        shape=[length],
        strides=[stride],
        itemsize=size,
        meminfo=None,
    )
    return array._getvalue()


@intrinsic(prefer_literal=True)
def _local(typing_context, like, length):
    """A new array of `length` (literal) numbers on the stack."""
    if not isinstance(length, types.IntegerLiteral):
        return None
    kind = types.Array(like.dtype, 1, "C")

    def generate(context, builder, signature, arguments):
        number, n = context.get_value_type(like.dtype), length.literal_value
        space = cgutils.alloca_once(builder, ir.ArrayType(number, n))
        size = context.get_constant(types.intp, like.dtype.bitwidth // 8)
        return _view(context, builder, kind, space, context.get_constant(types.intp, n), size)

    return kind(like, length), generate


@intrinsic(prefer_literal=True)
def row_view(typing_context, block, lane, length):
    """The first `length` (literal) numbers of a row."""
    if not isinstance(length, types.IntegerLiteral):
        return None
    kind = types.Array(block.dtype, 1, "C")

    def generate(context, builder, signature, arguments):
        pointer = row_pointer(context, builder, block, *arguments[:2])
        size = context.get_constant(types.intp, block.dtype.bitwidth // 8)
        return _view(context, builder, kind, pointer, context.get_constant(types.intp, length.literal_value), size)

    return kind(block, types.intp, length), generate


@intrinsic
def unwritable(typing_context, array):
    """The same array for a body that may not write to it."""
    kind = types.Array(array.dtype, 1, "C", readonly=True)

    def generate(context, builder, signature, arguments):
        return arguments[0]

    return kind(array), generate


def draw_view(noise: str):
    """The draw of one lane: rows first … first + count − 1 of its column."""

    @intrinsic(prefer_literal=True)
    def view(typing_context, drawn, first, lane, count):
        if not isinstance(count, types.IntegerLiteral):
            return None
        kind = types.Array(types.int64 if noise == "index" else types.float64, 1, "A", readonly=True)

        def generate(context, builder, signature, arguments):
            array, first, lane = arguments[:3]
            pointer = row_pointer(context, builder, drawn, array, first, lane)
            stride = builder.extract_value(context.make_array(drawn)(context, builder, array).strides, 0)
            length = context.get_constant(types.intp, count.literal_value)
            words = _view(context, builder, kind, pointer, length, stride)
            if noise != "index+normal":
                return words
            return index_and_floats(context, builder, INDEX_AND_NORMALS, builder.load(pointer), words)

        result = INDEX_AND_NORMALS if noise == "index+normal" else kind
        return result(drawn, types.intp, types.intp, count), generate

    return view


def draw_type(noise: str):
    """The Numba type of a draw."""
    if noise == "index+normal":
        return INDEX_AND_NORMALS
    return types.Array(types.int64 if noise == "index" else types.float64, 1, "A", readonly=True)


def layout_of(params: tuple) -> tuple:
    """What a compiled step must know of its parameters: (type, shape) of arrays, the type of numbers."""
    return tuple((p.dtype.str, p.shape) if isinstance(p, np.ndarray) else type(p) for p in params)


def parameter_types(layout: tuple) -> types.BaseTuple:
    """The Numba type of the tuple of parameters."""
    kinds = []
    for item in layout:
        if isinstance(item, tuple):
            kinds.append(types.Array(from_dtype(np.dtype(item[0])), len(item[1]), "C", readonly=True))
        else:
            kinds.append(types.float64 if item is float else types.int64)
    return types.Tuple(kinds)


def parameters_at(layout: tuple):
    """Reads the parameters of a map: numbers and views of arrays, from the memory that `memory_of` fills."""
    kind = parameter_types(layout)

    @intrinsic
    def read(typing_context, memory):
        def generate(context, builder, signature, arguments):
            base = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            items = []
            for k, (form, item) in enumerate(zip(layout, kind, strict=True)):
                word = builder.load(builder.gep(base, [ir.Constant(ir.IntType(64), k)]))
                if isinstance(item, types.Array):
                    items.append(_array_at(context, builder, item, word, form[1]))
                else:
                    items.append(builder.bitcast(word, context.get_value_type(item)))
            return context.make_tuple(builder, kind, items)

        return kind(memory), generate

    return read


def _array_at(context, builder, kind, address, shape):
    """A C array at an address; its shape is a constant, so that loops over it can be unrolled."""
    array = context.make_array(kind)(context, builder)
    size = kind.dtype.bitwidth // 8
    strides = [size * math.prod(shape[k + 1 :]) for k in range(len(shape))]
    populate_array(
        array,
        data=builder.inttoptr(address, array.data.type),
        shape=[context.get_constant(types.intp, n) for n in shape],
        strides=[context.get_constant(types.intp, n) for n in strides],
        itemsize=context.get_constant(types.intp, size),
        meminfo=None,
    )
    return array._getvalue()


def memory_of(params: tuple) -> np.ndarray:
    """The parameters as 64-bit words: the bits of numbers and the addresses of arrays, which must outlive their use."""
    words = np.zeros(len(params), np.int64)
    for k, p in enumerate(params):
        if isinstance(p, np.ndarray):
            words[k] = p.ctypes.data
        else:
            words[k] = np.array(p, np.float64 if isinstance(p, float) else np.int64).view(np.int64)
    return words


# ---------------------------------------------------------------------------------------------------------------- steps


@lru_cache(maxsize=256)
def body_of(function):
    """The body as a function that is compiled when a kernel that calls it is.

    `function` is `CustomMaps.body`, another one for other values of what it reads from outside: those are compiled in.
    """
    return njit(**OPTIONS, forceinline=True, boundscheck=True)(with_own_functions(function))


def check_compiles(form: Body) -> None:
    """Compile a body for float64; what fails is a `MapCompilationError` with place and reason."""
    check_compiler()
    assert isinstance(form.step, FunctionType)
    number = types.float64
    state, out = types.Array(number, 1, "C", readonly=True), types.Array(number, 1, "C")
    kinds = state, draw_type(form.noise), parameter_types(layout_of(form.params)), out

    def compiles(function):
        body = body_of.__wrapped__(function)
        body.compile(kinds)
        return body

    body = body_of(form.step)
    try:
        body.compile(kinds)
    except Exception as error:  # Numba raises many kinds
        raise explained(form.step, error, compiles) from error
    if makes_arrays(body):
        raise allocates(form.step, body, compiles)


@lru_cache(maxsize=256)
def custom_steps(body, dim: int, noise: str, rows: int, layout: tuple):
    """The step of a block, as `steps.steps_of` describes it; where the noise is shared its columns are all equal."""
    draw, parameters = draw_view(noise), parameters_at(layout)

    @jit_inline
    def step(x, drawn, given, image):
        for k in range(dim):
            image[k] = np.nan  # what a branch leaves out is not a number
        if not succeeds(body, unwritable(x), drawn, given, image):  # the path is found as diverged
            for k in range(dim):
                image[k] = np.nan
        for k in range(dim):
            x[k] = image[k]

    @jit
    def column_steps(packed, scratch, start, stop, direction, first_lane):
        states, drawn, given = scratch.states, scratch.drawn, parameters(packed.parameters)
        for lane in range(first_lane, states.shape[1]):
            x, image = _local(states, dim), _local(states, dim)
            for k in range(dim):
                x[k] = states[k, lane]
            for row in range(start, stop, direction):
                step(x, draw(drawn, row * rows, lane % drawn.shape[1], rows), given, image)
            for k in range(dim):
                states[k, lane] = x[k]

    @jit
    def row_steps(packed, scratch, start, stop, direction, first_lane):
        states, drawn, given = scratch.states, scratch.drawn, parameters(packed.parameters)
        image = row_view(scratch.image, 0, dim)
        for lane in range(first_lane, states.shape[0]):
            x = row_view(states, lane, dim)
            for row in range(start, stop, direction):
                step(x, draw(drawn, row * rows, lane % drawn.shape[1], rows), given, image)

    return column_steps if dim <= MAX_LANE_DIM else row_steps
