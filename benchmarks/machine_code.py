"""Every kernel for GPUs as machine code, made without a GPU: registers, stack, spills and instructions.

    python benchmarks/machine_code.py             compares with benchmarks/machine_code.txt
    python benchmarks/machine_code.py --every 4   the kernels of every fourth system
    python benchmarks/machine_code.py --write     writes that file, which reviews compare

numba-cuda compiles to PTX as for a launch, and nvJitLink to machine code. The exit status is 1 where a kernel in up to
16 dimensions uses the stack, or where the file does not say what was found with the versions that it names.
Other versions of the compilers give other numbers, and those are shown alone.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import os
import re
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_suffix(".txt")
#: Versions that decide what comes out.
DECIDING = ("numba-cuda", "numba", "llvmlite", "numpy", "nvidia-nvvm", "nvidia-nvjitlink")
#: Up to this dimension nothing may be on the stack, but arrays that functions of users index.
IN_REGISTERS = 16
USED = re.compile(r"Used (\d+) registers")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
LABEL = re.compile(r"(\$\w+):")
BRANCH = re.compile(r"\bbra(?:\.uni)?\s+(\$\w+);")
#: Of a Volta or later GPU: bytes of an instruction, the bits that name it, and the name of the one that fills up.
INSTRUCTION_BYTES, OPCODE, NOP = 16, 0xFFF, 0x918


class Code(NamedTuple):
    """Machine code in numbers: registers of a thread, bytes of its stack and of spills, instructions.

    `fma` and `loop` are of the PTX: fused multiply-adds of any type of float, and the instructions of the longest loop
    that has none inside.
    """

    registers: int
    stack: int
    spills: int
    instructions: int
    loop: int
    fma: int


def ptx_of(kernel) -> str:
    """The PTX that a launch makes: of the dispatcher's own options, which must not leave optimisation to the linker.

    It is for the lowest capability, as its text is the same for the others (tests/test_machine_code.py).
    """
    from numba.cuda.dispatcher import _Kernel

    library = _Kernel(kernel.dispatcher.py_func, kernel.types, **kernel.dispatcher.targetoptions)._codelibrary
    if library._lto:
        raise RuntimeError(f"{kernel.name} is optimised by the linker, which contracts products and sums")
    return library.get_asm_str()


def code_of(ptx: str, capability: tuple[int, int]) -> Code:
    """The numbers of what nvJitLink makes of it."""
    from cuda.core import Linker, LinkerOptions, ObjectCode

    arch = f"sm_{capability[0]}{capability[1]}"
    linker = Linker(ObjectCode.from_ptx(ptx.encode()), options=LinkerOptions(arch=arch, verbose=True))
    binary, log = linker.link("cubin").code, linker.get_info_log()
    stacks = [tuple(map(int, found)) for found in STACK.findall(log)]
    return Code(
        registers=max(map(int, USED.findall(log))),
        stack=max(stack for stack, _, _ in stacks),
        spills=sum(stores + loads for _, stores, loads in stacks),
        instructions=instructions(binary),
        loop=longest_loop(ptx),
        fma=len(re.findall(r"\bfma\.", ptx)),
    )


def instructions(binary: bytes) -> int:
    """How many there are in the text of an ELF file, without what fills it up."""
    start, (size, count, names) = struct.unpack_from("<Q", binary, 0x28)[0], struct.unpack_from("<3H", binary, 0x3A)
    sections = [struct.unpack_from("<2I4Q", binary, start + k * size) for k in range(count)]
    total = 0
    for name, *_, offset, length in sections:
        at = sections[names][4] + name
        if binary[at : binary.index(b"\0", at)].startswith(b".text."):
            words = struct.iter_unpack("<2Q", binary[offset : offset + length])
            total += sum(word & OPCODE != NOP for word, _ in words)
    return total


def longest_loop(ptx: str) -> int:
    """Instructions of the longest loop without another one inside; 0 without a loop."""
    labels: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    place = 0
    for line in ptx.splitlines():
        if label := LABEL.match(line.strip()):
            labels[label.group(1)] = place
        elif line.startswith("\t") and line.rstrip().endswith(";") and not line.lstrip().startswith("."):
            place += 1
            if (branch := BRANCH.search(line)) and branch.group(1) in labels:
                loops.append((labels[branch.group(1)], place))
    inner = [a for a in loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in loops)]
    return max((end - begin for begin, end in inner), default=0)


# ---------------------------------------------------------------------------------------------------------- all of them


class Line(NamedTuple):
    """A kernel: its place in the list, whether it may use the stack, and spill, and its numbers by capability."""

    place: int
    name: str
    may_stack: bool
    may_spill: bool
    codes: list[Code]

    @property
    def wrong(self) -> str:
        """What it does and may not; empty where all is well."""
        stack, spills = max(code.stack for code in self.codes), max(code.spills for code in self.codes)
        if (stack and not self.may_stack) or (spills and not self.may_spill):
            return f"{stack} bytes of stack, {spills} of spills"
        return ""


def _share(number: int, of: int, every: int) -> list[Line]:
    """Every `of`-th of every `every`-th system, as the kernels of one call the same functions."""
    from device_kernels import CAPABILITIES, every_kernel, without_device

    without_device()
    kernels = every_kernel()
    gc.disable()  # nothing of what compilers keep can go, and looking for it takes longer than compiling
    systems = list(dict.fromkeys((kernel.system, kernel.dtype) for kernel in kernels))
    own, found = set(systems[::every][number::of]), []
    for place, kernel in enumerate(kernels):
        if (kernel.system, kernel.dtype) in own:
            ptx = ptx_of(kernel)
            codes, wide = [code_of(ptx, capability) for capability in CAPABILITIES], kernel.dim > IN_REGISTERS
            found.append(Line(place, kernel.name, wide or kernel.own_functions, wide, codes))
    return found


def every_code(processes: int, every: int = 1) -> list[Line]:
    """All kernels, or those of every so many systems, in the order of the list."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        shares = pool.map(_share, range(processes), [processes] * processes, [every] * processes)
        return sorted(line for share in shares for line in share)


def versions() -> str:
    """What decides the numbers, in one line."""
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return ", ".join([python, *(f"{name} {importlib.metadata.version(name)}" for name in DECIDING)])


def text_of(found: list[Line], missing: dict[str, str]) -> Iterator[str]:
    """The file: a head, a line for each kernel, and the systems that have none."""
    from device_kernels import CAPABILITIES

    arches = [f"sm_{major}{minor}" for major, minor in CAPABILITIES]
    yield "# Kernels for GPUs as machine code: benchmarks/machine_code.py --write"
    yield f"# {versions()}"
    yield f"# {' | '.join(arches)}: {', '.join(Code._fields)}"
    width = max(len(line.name) for line in found)
    for line in found:
        cells = (" ".join(f"{value:5d}" for value in code) for code in line.codes)
        yield f"{line.name:<{width}} | {' | '.join(cells)}"
    for name, reason in missing.items():
        yield f"# none for {name}: {reason}"


def main(argv=None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Machine code of the kernels for GPUs, without a GPU.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help=f"write {FILE.name}")
    what.add_argument("--every", type=int, default=1, metavar="N", help="compile those of every N-th system alone")
    parser.add_argument("--processes", type=int, default=min(4, os.cpu_count() or 1))
    arguments = parser.parse_args(argv)
    from device_kernels import every_kernel

    missing: dict[str, str] = {}
    every_kernel(missing)
    found = every_code(arguments.processes, arguments.every)
    text = "".join(f"{line}\n" for line in text_of(found, missing))
    print(text, end="")
    wrong = [f"{line.name}: {line.wrong}" for line in found if line.wrong]
    for message in wrong:
        print(message, file=sys.stderr)
    if arguments.write:
        FILE.write_text(text, encoding="utf-8")
    return 1 if wrong or _differs(text, None if arguments.every == 1 else {line.name for line in found}) else 0


def _differs(text: str, names: set[str] | None) -> bool:
    """Whether the file says something else of these kernels, of the same versions; the differences are shown."""
    import difflib

    known = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    told = known.splitlines()
    if names is not None:
        told = [line for line in told if line.startswith("#") or line.partition(" |")[0].rstrip() in names]
    before, now = ([" ".join(line.split()) for line in some] for some in (told, text.splitlines()))  # of any width
    changes = list(difflib.unified_diff(before, now, FILE.name, "found", lineterm="", n=0))
    print("\n".join(changes[:60]), file=sys.stderr)
    same = f"# {versions()}" in known or not known
    if changes and same:
        print(f"{FILE.name} is not what was found: run with --write, and look at the difference", file=sys.stderr)
    return bool(changes) and same


if __name__ == "__main__":
    sys.exit(main())
