"""Points of a batch from its words, in registers and in memory, against Floyd's algorithm in Python's integers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from iterorder.kernels.cpu.batch_draws import LARGEST, SMALLEST, distinct
from iterorder.kernels.cpu.index_draws import SMALL_BATCH, _distinct_by_marks, distinct_by_search
from iterorder.kernels.cpu.lane_groups import FILL_GROUPS
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.loads import load_few_columns, store_columns
from iterorder.kernels.targets import jit_entry
from tests import naive

RNG = np.random.default_rng(20)
LAST_WORD = 2**32 - 1


def words_of(size: int, lanes: int) -> np.ndarray:
    """Words of lanes that are all least, all largest, all equal, of few values, and any; shape (size, lanes)."""
    words = RNG.integers(0, LAST_WORD, (size, lanes), endpoint=True, dtype=np.uint64)
    words[:, 0], words[:, 1], words[:, 2] = 0, LAST_WORD, words[0, 2]
    words[:, 3:6] = RNG.choice([0, 2**31, LAST_WORD], (size, 3))
    return words


def check(found: np.ndarray, words: np.ndarray, n: int) -> None:
    expected = [naive.distinct(column, n) for column in words.T.tolist()]
    np.testing.assert_array_equal(found.T, expected)
    assert all(len(set(points)) == len(points) and max(points) < n for points in expected)


def numbers_of_points(size: int) -> tuple[int, ...]:
    """All points in the batch, all but one, and the most that a word tells apart."""
    return size, size + 1, 1000, LAST_WORD


@cache
def in_registers(size: int, width: int):
    @jit_entry
    def draw(words, n, drawn):
        store_columns(distinct(load_few_columns(words, 0, 0, size, width), n, size), drawn, 0, 0)

    return draw


@jit_entry
def by_search(drawn, n):
    distinct_by_search(drawn, 1, drawn.shape[0] - 2, n, 0)


@jit_entry
def by_marks(drawn, n, marks):
    for lane in range(drawn.shape[1]):
        _distinct_by_marks(drawn, 1, drawn.shape[0] - 2, n, lane, marks)


@pytest.mark.parametrize("width", [LANES, FILL_GROUPS * LANES])
@pytest.mark.parametrize("size", [1, 2, SMALLEST, 4, 5, LARGEST])
def test_points_in_registers_are_those_of_their_twin(size, width):
    for n in numbers_of_points(size):
        words, drawn = words_of(size, width), np.zeros((size, width), np.uint64)
        in_registers(size, width)(words, np.uint64(n), drawn)
        check(drawn, words, n)


@pytest.mark.parametrize("size", [1, 2, SMALLEST, LARGEST, LARGEST + 1, SMALL_BATCH])
def test_points_found_by_search_are_those_of_their_twin(size):
    for n in numbers_of_points(size):
        words = words_of(size, LANES)
        drawn = np.pad(words, ((1, 1), (0, 0)), constant_values=n - 1)  # rows of other batches, which nothing reads
        by_search(drawn, n)
        check(drawn[1:-1], words, n)
        assert (drawn[[0, -1]] == n - 1).all()


@pytest.mark.parametrize("size", [1, SMALL_BATCH, SMALL_BATCH + 1, 100])
def test_points_found_by_marks_are_those_of_their_twin(size):
    for n in numbers_of_points(size)[:-1]:
        words, marks = words_of(size, LANES), np.zeros(n, np.int8)
        drawn = np.pad(words, ((1, 1), (0, 0)), constant_values=n - 1)
        by_marks(drawn, n, marks)
        check(drawn[1:-1], words, n)
        assert not marks.any()
        assert (drawn[[0, -1]] == n - 1).all()


def test_the_twin_tells_another_rule_from_floyds():
    """The control: a repeated point that is left, or replaced by the first point that is free."""
    words = [LAST_WORD] * 3
    assert naive.distinct(words, 5) == [2, 3, 4]
    assert naive.distinct([0, 0, 0], 5) == [0, 3, 4]
