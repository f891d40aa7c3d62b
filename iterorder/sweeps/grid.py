"""The points of a sweep: products of values, values that go together, or a list of points, each with a number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from iterorder.arrays import as_array
from iterorder.errors import InvalidInputError
from iterorder.orders import Window
from iterorder.shown import a_kind

#: The dimension of a list of points.
POINT = "point"
ACCEPTED = "give numbers, words, truth values, None, ito.Window or lists of them, and make other things in make_maps"


GridLike: TypeAlias = Mapping[Any, Any] | Sequence[Mapping[str, Any]]
"""What `sweep` takes as a grid: a dict of names, or of tuples of names, to values; or a list of points."""


@dataclass(frozen=True)
class Axis:
    """One axis of a grid: the values of one parameter, or of several that go together.

    Attributes
    ----------
    names : tuple of str
        The parameters that run along it.
    values : tuple of tuples
        ``values[k]`` are those of the names at place k.
    dim : str
        The name of the dimension: that of the first parameter, or "point" for a list of points.
    """

    names: tuple[str, ...]
    values: tuple[tuple, ...]
    dim: str

    def __len__(self) -> int:
        return len(self.values)

    def column(self, name: str) -> list:
        """The values of one parameter along the axis."""
        place = self.names.index(name)
        return [row[place] for row in self.values]


@dataclass(frozen=True)
class Grid:
    """The product of some axes, the last one running fastest: cell `k` is the k-th point."""

    axes: tuple[Axis, ...]

    @classmethod
    def of(cls, grid) -> Grid:
        """The grid that a user gave.

        Parameters
        ----------
        grid : dict or list of dict
            A dict of names to values is their product; a key that is a tuple of names has tuples of their values, which
            go together. A list of dicts with the same names is a list of points.

        Raises
        ------
        InvalidInputError
            If it is neither, a name comes twice or is no identifier, or a value is not one that a file can keep.
        """
        if isinstance(grid, Grid):
            return grid
        if isinstance(grid, Mapping):
            return cls._product(grid)
        if isinstance(grid, Sequence) and not isinstance(grid, str) and all(isinstance(p, Mapping) for p in grid):
            return cls._listed(list(grid))
        raise InvalidInputError(f"grid is {a_kind(grid)}: give a dict of names to values, or a list of dicts")

    @classmethod
    def _product(cls, grid: Mapping) -> Grid:
        if not grid:
            raise InvalidInputError("grid is empty: give at least one parameter, such as {'step_size': [0.1, 0.2]}")
        axes = tuple(_axis(key, values) for key, values in grid.items())
        _check_names([name for axis in axes for name in axis.names])
        return cls(axes)

    @classmethod
    def _listed(cls, points: list[Mapping]) -> Grid:
        if not points:
            raise InvalidInputError("grid is an empty list: give at least one point")
        names = tuple(points[0])
        for k, point in enumerate(points):
            if set(point) != set(names):
                raise InvalidInputError(
                    f"grid[{k}] has the names {sorted(map(str, point))}, and grid[0] has {sorted(map(str, names))}: "
                    "give every point the same names"
                )
        _check_names(list(names))
        rows = tuple(
            tuple(as_value(f"grid[{k}][{name!r}]", point[name]) for name in names) for k, point in enumerate(points)
        )
        return cls((Axis(names, rows, POINT),))

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in the order of the axes."""
        return tuple(name for axis in self.axes for name in axis.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def dims(self) -> tuple[str, ...]:
        """The name of each axis."""
        return tuple(axis.dim for axis in self.axes)

    def __len__(self) -> int:
        return math.prod(self.shape)

    def point(self, cell: int) -> dict[str, Any]:
        """The parameters of one cell."""
        places = np.unravel_index(cell, self.shape)
        return {
            name: value
            for axis, k in zip(self.axes, places, strict=True)
            for name, value in zip(axis.names, axis.values[int(k)], strict=True)
        }

    def points(self) -> Iterator[dict[str, Any]]:
        """Those of all cells, in their order."""
        return (self.point(cell) for cell in range(len(self)))

    def column(self, name: str) -> list:
        """The values of a parameter along its axis."""
        return self.axis_of(name).column(name)

    def axis_of(self, name: str) -> Axis:
        """The axis that a parameter lies on."""
        for axis in self.axes:
            if name in axis.names:
                return axis
        raise InvalidInputError(f"{name!r} is no parameter of the grid: give one of {', '.join(map(repr, self.names))}")

    def description(self) -> list:
        """What a file keeps: plain lists from which `described` makes the same grid."""
        return [
            {"dim": axis.dim, "names": list(axis.names), "values": [[as_plain(v) for v in row] for row in axis.values]}
            for axis in self.axes
        ]

    @classmethod
    def described(cls, description: list) -> Grid:
        """The grid of a `description`."""
        return cls(
            tuple(
                Axis(
                    tuple(map(str, axis["names"])),
                    tuple(tuple(from_plain(value) for value in row) for row in axis["values"]),
                    str(axis["dim"]),
                )
                for axis in description
            )
        )


def _axis(key, values) -> Axis:
    names = key if isinstance(key, tuple) else (key,)
    if hasattr(values, "__array__") and not isinstance(values, (np.ndarray, np.generic)):
        values = as_array(f"grid[{key!r}]", values)  # of pandas and the like
    if not isinstance(values, (list, tuple, range, np.ndarray)) or (isinstance(values, np.ndarray) and not values.ndim):
        raise InvalidInputError(f"grid[{key!r}] is {a_kind(values)}: give a list of values, [{values!r}] for one")
    if len(values) == 0:
        raise InvalidInputError(f"grid[{key!r}] is empty: give at least one value")
    if not isinstance(key, tuple):
        return Axis(names, tuple((as_value(f"grid[{key!r}][{k}]", value),) for k, value in enumerate(values)), str(key))
    rows = []
    for k, row in enumerate(values):
        if not isinstance(row, (list, tuple)) or len(row) != len(names):
            raise InvalidInputError(f"grid[{key!r}][{k}] is {row!r}: give a tuple of {len(names)} values")
        rows.append(tuple(as_value(f"grid[{key!r}][{k}]", value) for value in row))
    return Axis(names, tuple(rows), str(names[0]) if names else "")


def _check_names(names: list) -> None:
    for k, name in enumerate(names):
        if not isinstance(name, str) or not name.isidentifier():
            raise InvalidInputError(f"grid has the name {name!r}: give names that can be those of arguments")
        if name in names[:k]:
            raise InvalidInputError(f"grid has {name!r} twice: give each parameter once")
    if not names:
        raise InvalidInputError("grid has a point without parameters: give at least one")


def as_value(name: str, value):
    """A value that a file can keep, of Python's own types: arrays become tuples."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return tuple(as_value(f"{name}[{k}]", item) for k, item in enumerate(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInputError(f"{name} is {value}: give a finite number")
    if value is None or isinstance(value, (bool, int, float, str, Window)):
        return value
    raise InvalidInputError(f"{name} is {a_kind(value)}: {ACCEPTED}")


def as_plain(value):
    """A value as JSON has it."""
    if isinstance(value, Window):
        return {"window": {key: number for key, number in vars(value).items() if number is not None}}
    return [as_plain(item) for item in value] if isinstance(value, tuple) else value


def from_plain(value):
    """The value that `as_plain` wrote."""
    if isinstance(value, dict):
        return Window(**value["window"])
    return tuple(from_plain(item) for item in value) if isinstance(value, list) else value
