"""Primitives against their twins, and the on-disk cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from iterorder.kernels import systems
from iterorder.kernels.targets import jit
from iterorder.kernels.vector import dot, exp, gather_columns, shrink_and_move

EPS = np.finfo(np.float64).eps


@jit
def exp_each(x, out):
    for i in range(x.size):
        out[i] = exp(x[i])


@jit
def dot_rows(table, item, offset, x, lane, size):
    return dot(table, item, offset, x, lane, size)


@jit
def move_row(x, lane, shrink, move, table, item, size):
    shrink_and_move(x, lane, shrink, move, table, item, size)


@jit
def gather(table, index, draw, lane, columns):
    gather_columns(table, index, draw, lane, columns)


def test_exp_is_within_two_ulp():
    x = np.concatenate([np.linspace(-708, 709, 200_001), np.linspace(-1, 1, 20_001), [0.0, -0.0]])
    out = np.empty_like(x)
    exp_each(x, out)
    # NumPy's is within one ulp, ours within one more; an ulp is at most eps relative.
    np.testing.assert_allclose(out, np.exp(x), rtol=3 * EPS, atol=0)


def test_exp_is_cut_and_lets_nan_through():
    x = np.array([np.inf, 1e300, -np.inf, -1e300, np.nan])
    out = np.empty_like(x)
    exp_each(x, out)
    assert (out[:2] > 1e307).all()
    assert (out[2:4] < 1e-307).all()
    assert np.isnan(out[4])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("vectors", [1, 3, 13])
def test_row_primitives_match_numpy(dtype, vectors):
    rng = np.random.default_rng(0)
    size = vectors * systems.padded(1, dtype)
    table, x = rng.normal(size=(5, 2 * size)).astype(dtype), rng.normal(size=(4, size)).astype(dtype)
    exact = np.dot(table[3, size:].astype(np.longdouble), x[2].astype(np.longdouble))
    magnitude = np.abs(table[3, size:].astype(np.float64)) @ np.abs(x[2].astype(np.float64))
    # A sum of n products with any order of additions is within n·eps of the sum of magnitudes.
    assert abs(dot_rows(table, np.uint32(3), size, x, 2, size) - exact) <= size * np.finfo(dtype).eps * magnitude
    moved = x.copy()
    shrink, move = dtype(0.75), dtype(-1.5)
    move_row(moved, 1, shrink, move, table, np.uint32(4), size)
    expected = shrink * x[1] + move * table[4, :size]
    np.testing.assert_allclose(moved[1], expected, atol=4 * np.finfo(dtype).eps * np.abs(table).max() * 2)
    np.testing.assert_array_equal(np.delete(moved, 1, 0), np.delete(x, 1, 0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gathered_columns_are_the_transposed_rows(dtype):
    rng = np.random.default_rng(1)
    table = rng.normal(size=(50, 24)).astype(dtype)
    index = rng.integers(0, 50, (3, 2, 16)).astype(np.uint32)
    columns = np.zeros((24, 16), dtype)
    gather(table, index, 2 * 2 + 1, 8, columns)
    np.testing.assert_array_equal(columns[:, 8:], table[index[2, 1, 8:]].T)
    assert (columns[:, :8] == 0).all()


RUN = """
import iterorder as ito
print(ito.simulate(ito.AffineMaps([[[0.5]]], [[1.0]]), [1.0], 1, seed=0).states[0, 0, 0])
"""


def test_a_change_in_any_kernel_file_reaches_cached_kernels(tmp_path):
    """The step is made to forget its scale in a copy of the package whose driver is cached."""
    shutil.copytree(
        Path(__file__).parents[1] / "iterorder", tmp_path / "iterorder", ignore=shutil.ignore_patterns("__pycache__")
    )

    def result():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        environment.pop("NUMBA_CACHE_DIR", None)
        return float(subprocess.check_output([sys.executable, "-c", RUN], env=environment, cwd=tmp_path))

    before = result()
    steps = tmp_path / "iterorder" / "kernels" / "steps.py"
    source = steps.read_text()
    assert "x[0, j] = system.scale * image[0, j]" in source
    steps.write_text(source.replace("x[0, j] = system.scale * image[0, j]", "x[0, j] = 3.0 * image[0, j]"))
    assert result() == 3 * before != 0
