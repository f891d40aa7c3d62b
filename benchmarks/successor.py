"""Kernels for GPUs compiled by numba-cuda-mlir, the successor of numba-cuda: how many it takes.

    pip install "numba-cuda-mlir[cu13]>=0.6,<0.7"    in an environment of its own
    python benchmarks/successor.py

Nothing is run, and nothing may be: its version 0.6.0 exchanges float64 between threads as float32. It stands in for
numba-cuda under the names of `numba.cuda`; what it lacks there is what kernels must not need when they move. The exit
status is 1 where a kernel is not compiled.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from types import ModuleType

#: Modules of numba-cuda that the hub and the list of kernels import, by the successor's two layers.
UPPER, LOWER = "numba_cuda_mlir.cuda", "numba_cuda_mlir.numba_cuda"
NAMES = (
    ("", UPPER),
    (".libdevice", UPPER),
    *((name, LOWER) for name in (".cudadrv", ".cudadrv.nvvm", ".np", ".np.arrayobj", ".typing", ".typing.typeof")),
    *((name, LOWER) for name in (".typing.templates", ".target", ".codegen", ".dispatcher", ".extending", ".types")),
    *((name, LOWER) for name in (".cgutils", ".cudadecl", ".cudaimpl")),
)


def stand_in() -> None:
    """Put the successor's modules in the place of numba-cuda's; an empty one where it has none."""
    import numba

    for name, layer in NAMES:
        try:
            module = importlib.import_module(layer + name)
        except ImportError:
            module = ModuleType(layer + name)
        sys.modules[f"numba.cuda{name}"] = module
        parent, _, last = f"numba.cuda{name}".rpartition(".")
        if parent.startswith("numba.cuda") and not hasattr(sys.modules[parent], last):
            setattr(sys.modules[parent], last, module)
    numba.cuda = sys.modules["numba.cuda"]


def main() -> int:
    """The exit status."""
    stand_in()
    tools = importlib.import_module("numba_cuda_mlir.tools")
    vars(tools)["_cached_cc"] = (9, 0)  # what it would ask a driver for
    import device_kernels

    cuda, types = importlib.import_module(UPPER), importlib.import_module("numba_cuda_mlir.types")
    missing: dict[str, str] = {}
    failures: Counter[str] = Counter()
    # Of each path through the code the forward kernel, and that of increments: the compiler takes seconds for each.
    kernels = [
        kernel
        for kernel in device_kernels.every_kernel(missing)
        if kernel.dtype == "float64"
        and kernel.system in device_kernels.FEW
        and kernel.dispatcher.py_func.__name__ == "forward"
    ]
    for kernel in kernels:
        try:
            cuda.compile_ptx(kernel.dispatcher.py_func, types.void(*kernel.types), cc=(9, 0))
        except Exception as error:  # of many kinds; the report is what is wanted
            reason = (
                f"{type(error).__name__}: {str(error).strip().splitlines()[-1][:160] if str(error).strip() else ''}"
            )
            failures[reason] += 1
            print(f"not compiled: {kernel.name}: {reason}", flush=True)
    print(f"{len(kernels) - failures.total()} of {len(kernels)} kernels compiled; {len(missing)} systems without any")
    for reason, count in failures.most_common(10):
        print(f"  {count} × {reason}")
    return 1 if failures or missing else 0


if __name__ == "__main__":
    sys.exit(main())
