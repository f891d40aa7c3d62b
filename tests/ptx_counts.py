"""Counts of operations in the PTX of kernels, as JSON, for tests/test_machine_code.py: in a process of its own.

    python tests/ptx_counts.py as-it-is | apart | contracted

`apart` compiles with a `madd` of two roundings, `contracted` so too and lets the compiler contract.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

#: One system for each path through the code whose functions are all the package's own.
SYSTEMS = (
    "two-point",
    "table",
    "fern",
    "linear d=10 ridge",
    "linear d=17",
    "logistic d=5",
    "logistic d=20",
    "quadratic d=2 batch",
    "gaussian d=3",
    "optimizer linear d=17",
)
#: Those that a compiler that contracts is shown, of which each has a product and a sum apart.
CONTRACTED = ("fern", "linear d=10 ridge", "logistic d=5")


def of_two_roundings() -> None:
    """Put a product and a sum in the place of the fused multiply-add that the hub takes from libdevice."""
    import numba.cuda.libdevicedecl  # noqa: F401  (declares what it finds there)
    from numba import cuda
    from numba.cuda import libdevice

    def apart(a, b, c):
        return a * b + c

    libdevice.fma = cuda.jit(device=True)(apart)
    libdevice.fmaf = cuda.jit(device=True)(apart)


def contracting() -> None:
    """Undo what the hub tells the compiler."""
    from numba.cuda.cudadrv import nvvm

    plain = nvvm.compile_ir.__wrapped__
    nvvm.compile_ir = lambda ir, **options: plain(ir, **options)


def _is_counted(system: str, dtype: str) -> bool:
    """All systems in float64, and some in float32: a kernel takes seconds."""
    return system in SYSTEMS and (dtype == "float64" or system in CONTRACTED)


def main(how: str) -> dict:
    """Counts by the name of the kernel, and what else the tests ask."""
    if how != "as-it-is":
        of_two_roundings()
    import device_kernels
    from machine_code import ptx_of

    device_kernels.without_device()
    kernels = device_kernels.every_kernel()
    chosen = [k for k in kernels if k.dispatcher.py_func.__name__ == "forward" and _is_counted(k.system, k.dtype)]
    if how == "contracted":
        contracting()
        chosen = [k for k in chosen if k.system in CONTRACTED]
    counts = {}
    for kernel in chosen:
        ptx = ptx_of(kernel)
        counts[kernel.name] = {
            operation: len(re.findall(rf"\b{operation}\.(?:rn\.)?f(?:32|64)", ptx))
            for operation in ("fma", "mul", "add")
        }
    return {
        "counts": counts,
        "names": sorted({kernel.dispatcher.py_func.__name__ for kernel in kernels}),
        **(_more(chosen[:3]) if how == "as-it-is" else {}),
    }


def _more(kernels) -> dict:
    """Whether the text is the same for all capabilities, and the machine code that of a launch."""
    from cuda.core import Linker, LinkerOptions, ObjectCode
    from device_kernels import CAPABILITIES
    from numba.cuda.dispatcher import _Kernel

    texts, binaries = [], []
    for kernel in kernels:
        library = _Kernel(kernel.dispatcher.py_func, kernel.types, **kernel.dispatcher.targetoptions)._codelibrary
        ptx = [library.get_asm_str(cc=capability) for capability in CAPABILITIES]
        texts.append(
            len({re.sub(r"\.target \w+", "", text) for text in ptx}) == 1 and len(set(ptx)) == len(CAPABILITIES)
        )
        major, minor = CAPABILITIES[-1]
        linker = Linker(ObjectCode.from_ptx(ptx[-1].encode()), options=LinkerOptions(arch=f"sm_{major}{minor}"))
        binaries.append(linker.link("cubin").code == library.get_cubin(cc=CAPABILITIES[-1]).code)
    return {"same text": texts, "same code": binaries}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
