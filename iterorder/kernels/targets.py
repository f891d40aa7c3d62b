"""The one place that knows compilers.

Kernels are compiled without any `fastmath` flag: every rounding is the one that the source says, so a result depends on
neither the vector width, nor the number of lanes, nor the kernel that a body was inlined into, and NaN checks work.
Where a multiply and an add may become one rounding, the source says so with `madd`.
"""

from __future__ import annotations

from pathlib import Path

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from iterorder import noise

# Numba's cache notices a change of the file that a kernel stands in, but not of the files that it calls. All kernels
# therefore carry the state of the whole folder: after an update of any file every cached kernel is compiled anew.
_FOLDER_STAMP = tuple(
    (file.name, file.stat().st_mtime_ns, file.stat().st_size)
    for file in sorted([*Path(__file__).parent.glob("*.py"), Path(noise.__file__)])
)


def _compiled(function, **options):
    dispatcher = njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    cache_file = dispatcher._cache._cache_file
    cache_file._source_stamp = (cache_file._source_stamp, _FOLDER_STAMP)
    return dispatcher


def jit(function):
    """Compile for the CPU, cached on disk, without the interpreter lock, IEEE division (no exception on x/0)."""
    return _compiled(function)


def jit_inline(function):
    """Like `jit`, and always inlined by LLVM: for bodies inside a loop over lanes, which it must see to vectorise."""
    return _compiled(function, forceinline=True)


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
