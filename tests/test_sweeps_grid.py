"""Grids: products, values that go together, lists of points, and what a file keeps of them."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.sweeps.grid import Grid

VALUES = st.one_of(
    st.integers(-(2**40), 2**40), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5), st.booleans()
)
NAMES = st.sampled_from(["a", "b", "c", "d"])


@given(st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=4), min_size=1))
def test_products_are_those_of_itertools_and_survive_a_file(grid):
    made = Grid.of(grid)
    expected = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    assert list(made.points()) == expected
    assert len(made) == len(expected)
    again = Grid.described(json.loads(json.dumps(made.description())))
    assert again == made
    assert [list(map(type, p.values())) for p in again.points()] == [list(map(type, p.values())) for p in expected]


def test_values_that_go_together():
    grid = Grid.of({("h", "batch"): [(0.1, 1), (0.2, 4)], "order": ["forward", ito.Window(3)]})
    assert grid.shape == (2, 2)
    assert grid.dims == ("h", "order")
    assert list(grid.points())[2] == {"h": 0.2, "batch": 4, "order": "forward"}
    assert Grid.described(json.loads(json.dumps(grid.description()))) == grid


def test_lists_of_points():
    grid = Grid.of([{"h": 0.1, "n": 3}, {"n": 5, "h": 0.2}])
    assert grid.dims == ("point",)
    assert list(grid.points()) == [{"h": 0.1, "n": 3}, {"h": 0.2, "n": 5}]
    assert grid.column("n") == [3, 5]


def test_arrays_become_numbers_of_python():
    grid = Grid.of({"h": np.array([0.1, 0.2]), "eigenvalues": [np.array([1.0, 2.0]), [3, 4]], "n": np.arange(2)})
    point = grid.point(0)
    assert point == {"h": 0.1, "eigenvalues": (1.0, 2.0), "n": 0}
    assert type(point["n"]) is int


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        (3, "grid is an int"),
        ([], "empty list"),
        ([{}], "without parameters"),
        ({"two words": [1]}, "names"),
        ({("a", "a"): [(1, 2)]}, "twice"),
        ({"a": [1], ("a", "b"): [(1, 2)]}, "twice"),
        ({("a", "b"): [(1,)]}, "tuple of 2"),
        ({"a": "word"}, "list of values"),
    ],
)
def test_what_is_no_grid(grid, told):
    with pytest.raises(InvalidInputError, match=told):
        Grid.of(grid)


def test_columns_of_tables_are_values():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"h": [0.5, 0.1], "order": ["forward", "backward"]}, index=["b", "a"])
    given = Grid.of({name: table[name] for name in table})
    assert given == Grid.of({"h": [0.5, 0.1], "order": ["forward", "backward"]})
    with pytest.raises(InvalidInputError, match=r"grid\['h'\]\[1\] is nan"):
        Grid.of({"h": table["h"].where(table["h"] > 0.2)})
