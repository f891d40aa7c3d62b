"""The one place that knows compilers.

Kernels are compiled without any `fastmath` flag: every rounding is the one that the source says, so a result depends on
neither the vector width, nor the number of lanes, nor the kernel that a body was inlined into, and NaN checks work.
Where a multiply and an add may become one rounding, the source says so with `madd`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


def jit(function):
    """Compile for the CPU, cached on disk, without the interpreter lock, IEEE division (no exception on x/0)."""
    return njit(cache=True, nogil=True, error_model="numpy")(function)


def jit_inline(function):
    """Like `jit`, and always inlined by LLVM: for bodies inside a loop over lanes, which it must see to vectorise."""
    return njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)


@intrinsic
def madd(typing_context, a, b, c):
    """a·b + c, one rounding where the processor multiplies and adds in one instruction, two where it does not.

    The choice (LLVM's `fmuladd`) depends on the processor alone, never on the surrounding code.
    """
    if not (isinstance(a, types.Float) and a == b == c):
        return None

    def generate(context, builder, signature, arguments):
        kind = arguments[0].type
        name = builder.module.declare_intrinsic("llvm.fmuladd", (kind,), ir.FunctionType(kind, [kind, kind, kind]))
        return builder.call(name, arguments)

    return a(a, a, a), generate
