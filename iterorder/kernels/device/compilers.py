"""The one place that knows the compiler for GPUs: numba-cuda, or its simulator where NUMBA_ENABLE_CUDASIM is 1.

numba-cuda is in maintenance; numba-cuda-mlir, its successor, compiles the same text. Every product that the source does
not write as `madd` keeps its own rounding, as on the processor, so that both give the same bits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, SimpleNamespace

import numpy as np
from numba import config

from iterorder.kernels.bodies import comparisons as plain_comparisons
from iterorder.kernels.bodies import mathematics as plain_mathematics
from iterorder.kernels.cpu import lanes
from iterorder.kernels.targets import jit_entry, load_bodies


@contextmanager
def _row_stack() -> Iterator[None]:
    """NumPy with a function that numba-cuda 0.30 asks for when it is imported, and that NumPy 2.5 has no more."""
    missing = not hasattr(np, "row_stack")
    if missing:
        np.row_stack = np.vstack  # noqa: NPY201
    try:
        yield
    finally:
        if missing:
            del np.row_stack  # noqa: NPY201


#: Bytes that a thread reads at once.
VECTOR_BYTES = 16
SIMULATED = bool(config.ENABLE_CUDASIM)

with _row_stack():
    from numba import cuda

    if not SIMULATED:
        import numba.cuda.np.arrayobj  # noqa: F401  (asks for it when a kernel is compiled)


def _without_contraction() -> None:
    """Tell NVVM to keep products and sums apart; numba-cuda has no option for it."""
    from numba.cuda.cudadrv import nvvm

    plain = nvvm.compile_ir
    if hasattr(plain, "__wrapped__"):
        return

    @functools.wraps(plain)
    def compile_ir(ir, **options):
        return plain(ir, **{"fma": False, **options})

    nvvm.compile_ir = compile_ir


#: What `checks_of_indices` sets, and numba-cuda asks where it compiles the look-up of an entry.
_checking = [False]


def _with_checks() -> bool:
    """Let numba-cuda check indices when it is told to, as Numba does: it says no, whoever asks. Whether it will."""
    from numba.cuda.target import CUDATargetContext

    if not isinstance(getattr(CUDATargetContext, "enable_boundscheck", None), property):
        return False
    CUDATargetContext.enable_boundscheck = property(lambda context: _checking[0])
    return True


@contextmanager
def checks_of_indices() -> Iterator[None]:
    """What is compiled meanwhile ends where an index is out of range, with a status that says so."""
    before, _checking[0] = _checking[0], True
    try:
        yield
    finally:
        _checking[0] = before


if not SIMULATED:
    _without_contraction()
#: Whether indices of users' functions can be checked.
CHECKS = SIMULATED or _with_checks()
#: `memory.local.array(length, dtype)` is an array of a thread's own, in compiled code and in the simulator, where the
#: module of numba-cuda serves kernels alone and not what they call.
memory = SimpleNamespace(local=SimpleNamespace(array=np.empty)) if SIMULATED else cuda


def vocabulary() -> SimpleNamespace:
    """What numba-cuda has to define types and functions of its code with, by Numba's names."""
    from numba.cuda import cgutils, cudadecl, cudaimpl, extending, types
    from numba.cuda.typing import templates
    from numba.cuda.typing.typeof import typeof

    return SimpleNamespace(
        types=types,
        typeof=typeof,
        models=extending.core_models,
        register_model=extending.register_model,
        infer_global=cudadecl.registry.register_global,
        AbstractTemplate=templates.AbstractTemplate,
        signature=templates.signature,
        lower=cudaimpl.registry.lower,
        struct_proxy=cgutils.create_struct_proxy,
        intrinsic=extending.intrinsic,
    )


def device_function(function: Callable) -> Callable:
    """What kernels call; in the simulator the function itself, as each call through a wrapper takes microseconds."""
    return function if SIMULATED else cuda.jit(device=True, lto=False)(function)


def kernel(function: Callable) -> Callable:
    """What is launched.

    Not optimised by the linker, as numba-cuda has it where it finds one: that would contract products and sums.
    """
    return cuda.jit(function) if SIMULATED else cuda.jit(function, lto=False)


def of_constants(function: FunctionType, dtype: np.dtype) -> FunctionType:
    """The function with its constants of one type of float: a number of Python would make all float64."""
    if dtype == np.float64:
        return function
    constants = tuple(dtype.type(c) if isinstance(c, float) else c for c in function.__code__.co_consts)
    code = function.__code__.replace(co_consts=constants)
    return FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)


@device_function
def isfinite(x):
    """Whether a number is finite."""
    return math.isfinite(x)


# ---------------------------------------------------------------------------------------------------------- primitives


def _simulated() -> dict[str, Callable]:
    """One rounding of a·b + c is that of this processor: Python has none before 3.13."""

    @jit_entry
    def one_rounding(a, b, c):
        return lanes.madd(a, b, c)

    return {
        "madd": lambda a, b, c: one_rounding(float(a), float(b), float(c)),
        "madd_single": lambda a, b, c: np.float32(one_rounding(np.float32(a), np.float32(b), np.float32(c))),
        "as_bits": lambda x: np.float64(x).view(np.uint64),
        "from_bits": lambda x: np.uint64(x).view(np.float64),
        "sqrt": lambda x: np.sqrt(np.float64(x)),
    }


def _compiled() -> dict[str, Callable]:
    from numba.cuda import libdevice

    fma, fma_single = libdevice.fma, libdevice.fmaf
    bits_of, number_of = libdevice.double_as_longlong, libdevice.longlong_as_double

    @device_function
    def madd(a, b, c):
        return fma(a, b, c)

    @device_function
    def madd_single(a, b, c):
        return fma_single(a, b, c)

    @device_function
    def as_bits(x):
        return np.uint64(bits_of(x))

    @device_function
    def from_bits(x):
        return number_of(np.int64(x))

    @device_function
    def sqrt(x):
        return math.sqrt(x)

    return {"madd": madd, "madd_single": madd_single, "as_bits": as_bits, "from_bits": from_bits, "sqrt": sqrt}


@device_function
def _where(condition, yes, no):
    return yes if condition else no


@device_function
def _alike(value, example):
    return value


@device_function
def to_float64(x):
    """A number as float64."""
    return np.float64(x)


@device_function
def to_float32(x):
    """A number as float32."""
    return np.float32(x)


_known = _simulated() if SIMULATED else _compiled()
madd, madd_single = _known["madd"], _known["madd_single"]
as_bits, from_bits, sqrt = _known["as_bits"], _known["from_bits"], _known["sqrt"]
_primitives = SimpleNamespace(**_known, where=_where, alike=_alike, to_float=to_float64)

_loaded = load_bodies(device_function, _primitives)  # type: ignore[arg-type]
philox, below, feistel_round = _loaded["philox"], _loaded["below"], _loaded["feistel_round"]
uniform, normal_pair, exp = _loaded["uniform"], _loaded["normal_pair"], _loaded["exp"]

#: What users mean by exp, log, tanh, sin and cos.
mathematics = SimpleNamespace(**load_bodies(device_function, _primitives, (plain_mathematics,)))  # type: ignore[arg-type]


@functools.cache
def comparisons(dtype: np.dtype) -> SimpleNamespace:
    """Python's min, max and abs for numbers of one type of float."""
    inline = lambda body: device_function(of_constants(body, dtype))  # noqa: E731
    return SimpleNamespace(**load_bodies(inline, _primitives, (plain_comparisons,)))  # type: ignore[arg-type]


def _has_bit() -> Callable:
    if SIMULATED:
        return lambda word, bit: bool(word >> bit & np.uint64(1))
    from llvmlite import ir

    compiler = vocabulary()
    text = "{.reg .b32 t; .reg .pred p; and.b32 t, $1, $2; setp.ne.b32 p, t, 0; selp.b32 $0, 1, 0, p;}"

    @compiler.intrinsic
    def has_bit(context, word, bit):
        def lower(context, builder, signature, arguments):
            short = ir.IntType(32)
            low, place = (builder.trunc(argument, short) for argument in arguments)
            mask = builder.shl(ir.Constant(short, 1), place)
            told = builder.asm(ir.FunctionType(short, [short, short]), text, "=r,r,r", [low, mask], False)
            return builder.icmp_unsigned("!=", told, ir.Constant(short, 0))

        return compiler.signature(compiler.types.boolean, word, bit), lower

    return has_bit


#: Whether a word of 32 bits has one of them. Written as machine code, as LLVM would make three instructions of the one.
has_bit = _has_bit()


def _vector_at() -> Callable:
    if SIMULATED:
        return lambda table, row, column: table[row, column : column + np.uint64(VECTOR_BYTES // table.itemsize)]
    from llvmlite import ir
    from numba.cuda import cgutils

    compiler = vocabulary()

    @compiler.intrinsic
    def vector_at(context, table, row, column):
        result = compiler.types.UniTuple(table.dtype, VECTOR_BYTES * 8 // table.dtype.bitwidth)

        def lower(context, builder, signature, arguments):
            array, *place = arguments
            view = context.make_array(table)(context, builder, array)
            pointer = cgutils.get_item_pointer(context, builder, table, view, place)
            number = context.get_value_type(table.dtype)
            whole = builder.bitcast(pointer, ir.VectorType(number, result.count).as_pointer())
            vector = builder.load(whole, align=VECTOR_BYTES)
            numbers = [builder.extract_element(vector, ir.Constant(ir.IntType(32), k)) for k in range(result.count)]
            return context.make_tuple(builder, result, numbers)

        return compiler.signature(result, table, row, column), lower

    return vector_at


#: ``(table, row, column)``: as many numbers as a thread reads at once; the column is a multiple of their count.
vector_at = _vector_at()


# ----------------------------------------------------------------------------------------------- teams of eight threads


def _simulated_team() -> tuple[Callable, Callable, Callable, Callable]:
    """The simulator puts its own module into the globals of a kernel alone; others ask for the one that runs.

    It runs one block at a time, here one team.
    """
    from numba.cuda.simulator.kernel import _get_kernel_context as running

    buffer = np.zeros(8)

    def place_in_team():
        return running().threadIdx.x & 7

    def from_thread(value, thread):
        running().syncthreads()
        buffer[running().threadIdx.x] = value
        running().syncthreads()
        return type(value)(buffer[thread])

    def exchanged(value, distance):
        return from_thread(value, running().threadIdx.x ^ distance)

    def wait_for_team():
        running().syncthreads()

    return place_in_team, exchanged, from_thread, wait_for_team


def _compiled_team() -> tuple[Callable, Callable, Callable, Callable]:
    @device_function
    def place_in_team():
        return cuda.threadIdx.x & 7

    @device_function
    def exchanged(value, distance):
        return cuda.shfl_xor_sync(0xFF << (cuda.laneid & 24), value, distance)

    @device_function
    def from_thread(value, thread):
        return cuda.shfl_sync(0xFF << (cuda.laneid & 24), value, (cuda.laneid & 24) + thread)

    @device_function
    def wait_for_team():
        cuda.syncwarp(0xFF << (cuda.laneid & 24))

    return place_in_team, exchanged, from_thread, wait_for_team


#: The number of a thread in its team of eight; of a value and a distance, the value of another thread of it; of a value
#: and a number, that of the thread with this number; and a wait until all of the team have come here and see what each
#: has written. No other threads have to be there.
place_in_team, exchanged, from_thread, wait_for_team = _simulated_team() if SIMULATED else _compiled_team()
