"""The kernels for GPUs as PTX, without a GPU: one rounding where the text says so, and nowhere else.

They need numba-cuda: `make machine-code VENV=.venv-cuda` installs it, as continuous integration does.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
if importlib.util.find_spec("numba_cuda") is None or os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
    pytest.skip("needs numba-cuda, and no simulator", allow_module_level=True)


def found(how: str) -> dict:
    """What a process of its own has counted."""
    command = [sys.executable, str(ROOT / "tests" / "ptx_counts.py"), how]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def as_it_is():
    return found("as-it-is")


@pytest.fixture(scope="module")
def apart():
    return found("apart")


def test_a_multiply_add_has_one_rounding_only_where_it_is_written(as_it_is, apart):
    """With a `madd` of two roundings none is left: the compiler makes none of its own. Normals are written without."""
    assert as_it_is["counts"].keys() == apart["counts"].keys()
    assert [name for name, count in apart["counts"].items() if count["fma"]] == []
    without = [name for name, count in as_it_is["counts"].items() if not count["fma"]]
    assert without == [name for name in as_it_is["counts"] if name.startswith("gaussian")]


def test_each_one_that_is_written_is_one(as_it_is, apart):
    """A multiply-add of two roundings is a product more, unless the same product stands there twice.

    But where a word of bits serves a loop of few operations, which the compiler writes out more or less often.
    """
    for name, count in as_it_is["counts"].items():
        if name.startswith("two-point"):
            assert min(apart["counts"][name][operation] for operation in ("mul", "add")) > 0
            continue
        more = apart["counts"][name]["mul"] - count["mul"]
        assert min(1, count["fma"]) <= more <= count["fma"], name


def test_a_compiler_that_contracts_is_found_out(apart):
    """The wrong target: were the option lost, products and sums would be one operation again."""
    contracted = found("contracted")
    assert [name for name, count in contracted["counts"].items() if not count["fma"]] == []


def test_what_is_looked_at_is_what_is_launched(as_it_is):
    """The text is the same for all capabilities, and the linker makes of it the code that numba-cuda loads."""
    assert all(as_it_is["same text"])
    assert all(as_it_is["same code"])


def test_every_kernel_of_the_package_is_reached(as_it_is):
    """Each function of the package that is launched stands in the list of what is compiled."""
    launched = {
        node.name
        for file in (ROOT / "iterorder" / "kernels" / "device").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and any(getattr(d, "id", "") == "kernel" for d in node.decorator_list)
    }
    assert launched
    assert launched <= set(as_it_is["names"])


def test_the_longest_loop_is_one_without_another_inside():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from machine_code import longest_loop
    finally:
        sys.path.pop(0)
    text = "\tmov.u64 %a, 1;\n$L__1:\n\tadd.s64 %a, %a, 1;\n$L__2:\n\t.reg .b64 %x;\n\tmul.f64 %f, %f, %f;\n"
    text += "\t@%p1 bra $L__2;\n\t@%p2 bra $L__1;\n$L__3:\n\tbra.uni $L__3;\n\tret;\n"
    assert longest_loop(text) == 2
    assert longest_loop("\tret;\n") == 0
