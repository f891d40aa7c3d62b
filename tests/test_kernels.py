"""Vectors and their primitives against literal twins, and the on-disk cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from iterorder.forms import Body, Stateful
from iterorder.kernels import draw_tables
from iterorder.kernels.cpu import (
    affine_steps,
    compiled,
    incremental_lanes,
    incremental_rows,
    packing,
    passing_steps,
    profile,
    row_steps,
    single_steps,
    stateful_steps,
)
from iterorder.kernels.cpu.bodies import exp, philox
from iterorder.kernels.cpu.compiled import FILL
from iterorder.kernels.cpu.incremental_steps import incremental_steps_of
from iterorder.kernels.cpu.lanes import any_lane, counting, element, load, madd, splat, store, unrelated, where
from iterorder.kernels.cpu.loads import (
    broadcast_columns,
    gather_columns,
    load_columns,
    load_row,
    store_columns,
    store_row,
    store_transposed,
)
from iterorder.kernels.cpu.packing import aligned_zeros
from iterorder.kernels.cpu.steps import steps_of
from iterorder.kernels.cpu.sums import (
    affine_image,
    dot,
    linear_image,
    long_partial_sums,
    multiple,
    partial_sums,
    plus,
    plus_multiple,
    shrink_and_move,
    sum_each,
    total,
)
from iterorder.kernels.targets import jit_entry
from tests import naive
from tests.systems import EVERY

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(0)
ONE = np.uint64(1)


@jit_entry
def fused_or_not(a, b, c):
    return madd(a, b, c)


def is_fused() -> bool:
    """Whether this processor multiplies and adds in one rounding: (1 + eps)² − 1 − 2 eps is eps² or 0."""
    return fused_or_not(1 + EPS, 1 + EPS, -1 - 2 * EPS) != 0.0


def random(*shape, dtype=np.float64):
    return RNG.normal(size=shape).astype(dtype)


# --------------------------------------------------------------------------------------------------------------- lanes


@jit_entry
def philox_in_lanes(block, replica, stride, stream, low, high, out):
    w0, w1, w2, w3 = philox(block, counting(replica, stride, 8), stream, low, high)
    store(w0, out, 0, 0)
    store(w1, out, 1, 0)
    store(w2, out, 2, 0)
    store(w3, out, 3, 0)


@pytest.mark.parametrize("stride", [0, 1])
def test_philox_in_lanes_gives_the_words_of_each_replica(stride):
    out = np.zeros((4, 8), np.uint64)
    block, replica, stream, seed = 2**40 + 17, 2**32 - 8, 3 << 28, 0xFEDCBA9876543210
    numbers = (block, replica, stride, stream, seed & 0xFFFFFFFF, seed >> 32)
    philox_in_lanes(*(np.uint64(number) for number in numbers), out)
    for lane in range(8):
        words = naive.philox(block, replica + lane * stride, stream, seed)
        assert tuple(int(word) for word in out[:, lane]) == words


@jit_entry
def operations(a, b, out):
    x, y = load(a, 0, 0, splat(0.0, 16)), load(b, 0, 0, splat(0.0, 16))
    store(x + y, out, 0, 0)
    store(x - y, out, 1, 0)
    store(x * y, out, 2, 0)
    store(x / y, out, 3, 0)
    store(where(x < y, x, y), out, 4, 0)
    store(where(x > y, x, y), out, 5, 0)
    store(where(x == x, x, y), out, 6, 0)
    store(2.0 - x, out, 7, 0)
    return any_lane(x != x)


@pytest.mark.parametrize("nan", [False, True])
def test_operators_are_those_of_numpy_in_every_lane(nan):
    a, b, out = random(1, 16), random(1, 16), np.zeros((8, 16))
    if nan:
        a[0, 5] = np.nan
    assert operations(a, b, out) == nan
    x, y = a[0], b[0]
    expected = [x + y, x - y, x * y, x / y, np.where(x < y, x, y), np.where(x > y, x, y), np.where(x == x, x, y), 2 - x]
    np.testing.assert_array_equal(out, expected)


@jit_entry
def integers(a, out):
    x = load(a, 0, 0, splat(ONE, 8))
    store((x << np.uint64(3)) | (x >> np.uint64(60)), out, 0, 0)
    store((x & np.uint64(0xFF)) ^ x, out, 1, 0)
    return element(a, 0, unrelated(3))


def test_integers_are_unsigned():
    a = RNG.integers(0, 2**64, (1, 8), dtype=np.uint64)
    out = np.zeros((2, 8), np.uint64)
    assert np.uint64(integers(a, out) & 0xFFFFFFFFFFFFFFFF) == a[0, 3]
    np.testing.assert_array_equal(out[0], (a[0] << np.uint64(3)) | (a[0] >> np.uint64(60)))
    np.testing.assert_array_equal(out[1], (a[0] & np.uint64(0xFF)) ^ a[0])


# ----------------------------------------------------------------------------------------------------------------- exp


@jit_entry
def exp_each(x, out):
    for i in range(x.size):
        out[i] = exp(x[i])


@jit_entry
def exp_lanes(x, out):
    for i in range(0, x.shape[1], 8):
        store(exp(load(x, 0, i, splat(0.0, 8))), out, 0, i)


def test_exp_is_within_two_ulp_and_the_same_in_lanes():
    x = np.concatenate([np.linspace(-708, 709, 200_001), np.linspace(-1, 1, 20_005), [0.0, -0.0]])
    out, lanes = np.empty_like(x), np.empty((1, x.size))
    exp_each(x, out)
    # NumPy's is within one ulp, ours within one more; an ulp is at most eps relative.
    np.testing.assert_allclose(out, np.exp(x), rtol=3 * EPS, atol=0)
    exp_lanes(x[None, :], lanes)
    np.testing.assert_array_equal(lanes[0], out)


def test_exp_is_cut_and_lets_nan_through():
    x = np.array([np.inf, 1e300, -np.inf, -1e300, np.nan])
    out = np.empty_like(x)
    exp_each(x, out)
    assert (out[:2] > 1e307).all()
    assert (out[2:4] < 1e-307).all()
    assert np.isnan(out[4])


# --------------------------------------------------------------------------------------------------- loads and stores


@jit_entry
def copy_columns(source, first, lane, target):
    store_columns(load_columns(source, first, lane, 3), target, 1, 0)


@jit_entry
def copy_row(table, target):
    store_row(load_row(table, 2, 0, 3), target, 1)


@jit_entry
def gathered(table, drawn, out):
    store_columns(gather_columns(table, drawn, 1, 8, 11), out, 0, 8)


@jit_entry
def gathered_pair(table, drawn, out):
    store_columns(gather_columns(table, drawn, 1, 8, 2), out, 0, 8)


@jit_entry
def broadcast(table, out):
    store_columns(broadcast_columns(table, 3, 11), out, 0, 8)


@jit_entry
def transposed(source, target):
    store_transposed(source, 2, 8, target, 1, 3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_and_rows_are_copied(dtype):
    source, target = random(6, 24, dtype=dtype), np.zeros((5, 8), dtype)
    copy_columns(source, 2, 8, target)
    np.testing.assert_array_equal(target[1:4], source[2:5, 8:16])
    assert (target[[0, 4]] == 0).all()
    table, row = random(4, 3 * 64 // np.dtype(dtype).itemsize, dtype=dtype), np.zeros((2, 48), dtype)
    copy_row(table, row)
    np.testing.assert_array_equal(row[1, : table.shape[1]], table[2])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gathered_columns_are_the_transposed_rows(dtype):
    drawn, out = RNG.integers(0, 50, (2, 16)).astype(np.uint64), np.zeros((11, 16), dtype)
    table = random(50, 12, dtype=dtype)
    gathered(table, drawn, out)
    np.testing.assert_array_equal(out[:, 8:], table[drawn[1, 8:], :11].T)
    assert (out[:, :8] == 0).all()
    pairs = random(50, 2, dtype=dtype)
    gathered_pair(pairs, drawn, out)
    np.testing.assert_array_equal(out[:2, 8:], pairs[drawn[1, 8:]].T)
    broadcast(table, out)
    np.testing.assert_array_equal(out[:, 8:], np.repeat(table[3, :11, None], 8, axis=1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_transposed_store_is_a_transpose(dtype):
    source, target = random(10, 16, dtype=dtype), np.zeros((9, 12), dtype)
    transposed(source, target)
    np.testing.assert_array_equal(target[1:, 3:11], source[2:, 8:].T)
    assert (target[0] == 0).all()
    assert (target[:, [0, 1, 2, 11]] == 0).all()


# ------------------------------------------------------------------------------------------------------ sums and moves


@jit_entry
def dot_of_columns(a, x, out):
    store(dot(load_columns(a, 0, 0, 7), load_columns(x, 0, 0, 7), load(a, 7, 0, splat(0.0, 8))), out, 0, 0)


@jit_entry
def moved_columns(a, x, out):
    moved = plus_multiple(
        multiple(0.75, load_columns(x, 0, 0, 7)), load(a, 7, 0, splat(0.0, 8)), load_columns(a, 0, 0, 7)
    )
    store_columns(plus(moved, load_columns(a, 0, 0, 7)), out, 0, 0)


@jit_entry
def images(augmented, x, image, product):
    maps, state = load_columns(augmented, 0, 0, 12), load_columns(x, 0, 0, 3)
    store_columns(affine_image(maps, state), image, 0, 0)
    store_columns(linear_image(state, maps), product, 0, 0)


@jit_entry
def sums_of_row(a, x, start, out):
    products = partial_sums(load_row(a, 1, 0, 3), load_row(x, 0, 0, 3), start)
    store(products, out, 0, 0)
    store_row(plus_multiple(load_row(x, 0, 0, 3), total(products, load_row(x, 0, 0, 3)), load_row(a, 1, 0, 3)), x, 1)


@jit_entry
def sums_of_long_row(a, x, size, start, out):
    store(long_partial_sums(a, 1, 0, x, 0, size, start), out, 0, 0)


@jit_entry
def each_sum(sums, out):
    store(sum_each(sums, 1), out, 0, 0)


@jit_entry
def shrunk_row(x, shrink, move, table, size):
    shrink_and_move(x, 1, shrink, move, table, 2, size)


def test_sums_over_columns_have_the_order_of_their_twin():
    a, x, out = random(8, 8), random(8, 8), np.zeros((7, 8))
    dot_of_columns(a, x, out)
    fused = is_fused()
    expected = [naive.chained_sum(a[:7, j], x[:7, j], a[7, j], 2, fused) for j in range(8)]
    np.testing.assert_array_equal(out[0], expected)
    moved_columns(a, x, out)
    for j in range(8):
        twin = [naive.madd(a[7, j], a[k, j], 0.75 * x[k, j], fused) + a[k, j] for k in range(7)]
        np.testing.assert_array_equal(out[:, j], twin)


def test_images_of_affine_maps_have_the_order_of_their_twin():
    augmented, x, image, product = random(12, 8), random(3, 8), np.zeros((3, 8)), np.zeros((3, 8))
    images(augmented, x, image, product)
    fused = is_fused()
    for j in range(8):
        rows = augmented[:, j].reshape(3, 4)
        np.testing.assert_array_equal(image[:, j], naive.affine_image(rows[:, :3], rows[:, 3], x[:, j], fused))
        twin = [naive.chained_sum(x[1:, j], rows[1:, k], x[0, j] * rows[0, k], 1, fused) for k in range(3)]
        np.testing.assert_array_equal(product[:, j], twin)


def test_sums_along_rows_have_the_order_of_their_twin():
    a, x, out = random(2, 24), random(2, 24), np.zeros((1, 8))
    sums_of_row(a, x, 0.3, out)
    fused = is_fused()
    np.testing.assert_array_equal(out[0], naive.partial_sums(a[1], x[0], 0.3, 8, fused))
    s = out[0]
    sum_of_all = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
    twin = [naive.madd(sum_of_all, move, number, fused) for move, number in zip(a[1], x[0], strict=True)]
    np.testing.assert_array_equal(x[1], twin)
    sums = random(9, 8)
    each_sum(sums, out)
    np.testing.assert_array_equal(out[0], [naive.sum_of_neighbours(row) for row in sums[1:]])


@pytest.mark.parametrize("vectors", [5, 6, 13, 14, 20])
def test_sums_from_memory_have_the_same_order(vectors):
    a, x, out = random(2, 8 * vectors), random(1, 8 * vectors), np.zeros((1, 8))
    sums_of_long_row(a, x, 8 * vectors, -1.5, out)
    np.testing.assert_array_equal(out[0], naive.partial_sums(a[1], x[0], -1.5, 8, is_fused()))


def test_sums_in_single_precision_are_within_their_bound():
    a, x = random(2, 48, dtype=np.float32), random(2, 48, dtype=np.float32)
    out, again = np.zeros((1, 8), np.float32), np.zeros((1, 8), np.float32)
    sums_of_row(a, x, np.float32(0.5), out)
    sums_of_long_row(a, x[:1], 48, np.float32(0.5), again)
    np.testing.assert_array_equal(out, again)
    exact = 0.5 + a[1].astype(float) @ x[0].astype(float)
    # A sum of n products in any order is within n·eps of the sum of magnitudes, eight roundings for the lanes included.
    bound = 60 * np.finfo(np.float32).eps * (0.5 + np.abs(a[1].astype(float)) @ np.abs(x[0].astype(float)))
    assert abs(out.astype(float).sum() - exact) <= bound


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_in_memory_is_shrunk_and_moved(dtype):
    x, table = random(3, 32, dtype=dtype), random(4, 32, dtype=dtype)
    moved = x.copy()
    shrunk_row(moved, dtype(0.75), dtype(-1.5), table, 32)
    expected = dtype(0.75) * x[1] + dtype(-1.5) * table[2]
    np.testing.assert_allclose(moved[1], expected, atol=8 * np.finfo(dtype).eps * np.abs(table).max())
    np.testing.assert_array_equal(np.delete(moved, 1, 0), np.delete(x, 1, 0))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint64])
def test_zeros_are_aligned(dtype):
    for shape in ((3, 5), (1, 0), (7,)):
        zeros = aligned_zeros(shape, dtype)
        assert zeros.shape == shape
        assert zeros.size == 0 or zeros.ctypes.data % 64 == 0
        assert zeros.flags.c_contiguous
        assert not zeros.any()


# --------------------------------------------------------------------------------------------------------------- cache

RUN = """
import iterorder as ito
print(ito.simulate(ito.AffineMaps([[[0.5]]], [[1.0]]), [1.0], 1, seed=0).states[0, 0, 0])
"""
STEP = "x = total if single else multiple(packed.scale, total)"


def test_a_change_in_any_kernel_file_reaches_cached_kernels(tmp_path):
    """The step is made to triple its image in a copy of the package whose kernels are cached."""
    shutil.copytree(
        Path(__file__).parents[1] / "iterorder", tmp_path / "iterorder", ignore=shutil.ignore_patterns("__pycache__")
    )

    def result():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        environment.pop("NUMBA_CACHE_DIR", None)
        run = subprocess.run(
            [sys.executable, "-c", RUN], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return float(run.stdout), run.stderr

    before, said_first = result()
    again, said_then = result()
    assert "compiling" in said_first
    assert "compiling" not in said_then
    assert again == before
    for file in (tmp_path / "iterorder").rglob("*.py"):  # the same files, installed anew
        os.utime(file, (1.0, 1.0))
    assert result() == (before, "")
    steps = tmp_path / "iterorder" / "kernels" / "cpu" / "affine_steps.py"
    source = steps.read_text()
    assert STEP in source
    steps.write_text(source.replace(STEP, "x = multiple(packed.shrink + packed.shrink + packed.shrink, total)"))
    after, said_at_last = result()
    assert after == 3 * before != 0
    assert "compiling" in said_at_last


# --------------------------------------------------------------------------------------------------------------- paths


def test_the_systems_of_the_tests_run_every_step(monkeypatch):
    """A moved threshold must not uncover a path, under any profile."""
    by_replicas = (affine_steps, row_steps, passing_steps, single_steps, stateful_steps)
    makers = {
        f"{module.__name__}.{name}": value
        for module in (*by_replicas, incremental_lanes, incremental_rows)
        for name, value in vars(module).items()
        if name.endswith("steps") and hasattr(value, "cache_info")
    }

    def asked():
        return {name: sum(maker.cache_info()[:2]) for name, maker in makers.items()}

    before, fills = asked(), set()
    for shape, maps in product((profile.AVX512, profile.NARROW), EVERY.values()):
        monkeypatch.setattr(profile, "PROFILE", shape)
        form = maps.form()
        draws = draw_tables.draws_of(form, maps.sampling_law, 0)
        fills.add(compiled.fill_of(draws))
        if isinstance(form, Body):
            continue  # a step of its own
        for dtype in (np.dtype(np.float64), np.dtype(np.float32)):
            packed = packing.pack(form, dtype)
            for shared, few in ((False, 0), (True, 0), (False, 1)):
                steps_of(form, packed, draws, shared, few)
            if form.is_affine and not isinstance(form, Stateful):
                incremental_steps_of(form, packed, draws)
    after = asked()
    assert not [name for name in makers if after[name] == before[name]]
    assert fills.issuperset(FILL)  # and those of small batches
