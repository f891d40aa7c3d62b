"""What one cell computes: a pure function of the configuration and the number of the cell, as bytes."""

from __future__ import annotations

import inspect
import json
import sysconfig
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.maps.base import RandomMaps
from iterorder.networks.model import StepModel
from iterorder.shown import a_kind
from iterorder.sweeps.grid import Grid
from iterorder.sweeps.measures import Measure

#: The parameter of a grid that stands for another seed in each of its values.
SEED_BLOCK = "seed_block"
#: The variable of every table of a sweep that says which cells are done.
DONE = "done"
#: The types that results are kept in, by the kind of a NumPy array.
KEPT = {"b": "|b1", "i": "<i8", "u": "<i8", "f": "<f8"}
MOST_WHOLE = np.iinfo(np.int64).max
#: Characters of an error's message that are kept.
MESSAGE = 2000


class Outcome(NamedTuple):
    """What came of a cell: bytes in a layout, or an error.

    `layout` is JSON, a list of [name, dtype, shape] in the order of the bytes. Without an error, `error` is empty.
    """

    cell: int
    seconds: float
    layout: str
    data: bytes
    error: str
    message: str


class Part(NamedTuple):
    """A cell, or the replicas [first, first + replicas) of one where `replicas` is positive."""

    cell: int
    first: int = 0
    replicas: int = 0


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a sweep.

    Attributes
    ----------
    make_maps : function
        Gets the parameters of a point that it has names for, and makes the maps.
    grid : Grid
        The points.
    measures : tuple of Measure
        What is measured at each of them.
    seed : int
        That of every cell, unless the grid has a ``seed_block``.
    """

    make_maps: Callable[..., RandomMaps]
    grid: Grid
    measures: tuple[Measure, ...]
    seed: int

    def __post_init__(self) -> None:
        accepted, everything = accepted_names(self.make_maps)
        options = {name for measure in self.measures for name in measure.accepts}
        for name in self.grid.names:
            if not (everything or name in accepted or name in options or name == SEED_BLOCK):
                known = ", ".join(sorted(accepted | options)) or "nothing"
                raise InvalidInputError(
                    f"grid has {name!r}, which neither make_maps nor the measure takes: they take {known}"
                )

    def seed_of(self, cell: int) -> int:
        """The seed that a cell is measured with: that of the sweep, or of its block of seeds."""
        return block_seed(self.seed, self.grid.point(cell).get(SEED_BLOCK))

    def maps_of(self, cell: int) -> Any:
        """The maps of a cell, or its network."""
        accepted, everything = accepted_names(self.make_maps)
        taken = {name for measure in self.measures for name in measure.accepts} | {SEED_BLOCK}
        point = self.grid.point(cell)
        # What a measure takes is its own, unless make_maps names it too.
        given = {n: v for n, v in point.items() if n in accepted or (everything and n not in taken)}
        maps = self.make_maps(**given)
        if not isinstance(maps, (RandomMaps, StepModel)):
            raise InvalidInputError(f"make_maps returned {a_kind(maps)}: return random maps, or a network to train")
        return maps

    def compute(self, part: Part) -> Outcome:
        """The outcome of a cell, or of a part of it; an error of the cell is an outcome too."""
        start = time.perf_counter()
        try:
            maps = self.maps_of(part.cell)
            values = self._values(maps, part)
            layout, data = packed(values)
            if not part.replicas:
                self._check_names(layout)
        except Exception as error:
            return failed_by(part.cell, error, time.perf_counter() - start)
        return Outcome(part.cell, time.perf_counter() - start, layout, data, "", "")

    def replicas_of(self, cell: int) -> int:
        """How many replicas a cell could be split into parts of; 0 where its measure cannot be split."""
        if len(self.measures) != 1:
            return 0
        return self.measures[0].replicas(self.grid.point(cell))

    def joined(self, cell: int, parts: list[Outcome]) -> Outcome:
        """The outcome of a cell from those of its parts, in the order of the replicas."""
        start = time.perf_counter()
        spent = sum(part.seconds for part in parts)
        wrong = next((part for part in parts if part.error), None)
        if wrong is not None:
            return wrong._replace(cell=cell, seconds=spent)
        try:
            arrays = [unpacked(part.layout, part.data) for part in parts]
            whole = {name: np.concatenate([some[name] for some in arrays]) for name in arrays[0]}
            values = self.measures[0].join(self.maps_of(cell), self.seed_of(cell), self.grid.point(cell), whole)
            layout, data = packed(values)
            self._check_names(layout)
        except Exception as error:
            return failed_by(cell, error, spent)
        return Outcome(cell, spent + time.perf_counter() - start, layout, data, "", "")

    def _check_names(self, layout: str) -> None:
        """Refuse variables that a table of the sweep has other columns for."""
        columns = {*self.grid.names, *(axis.dim for axis in self.grid.axes), DONE}
        if taken := sorted(columns.intersection(name for name, *_ in json.loads(layout))):
            what = "the cells that are done" if taken[0] == DONE else "a parameter of the grid"
            raise InvalidInputError(
                f"the measure returned the name {taken[0]!r}, which is that of {what}: give it another name"
            )

    def _values(self, maps: RandomMaps, part: Part) -> dict[str, Any]:
        point, seed = self.grid.point(part.cell), self.seed_of(part.cell)
        if part.replicas:
            return self.measures[0].part(maps, seed, point, part.first, part.replicas)
        values: dict[str, Any] = {}
        for measure in self.measures:
            found = measure.values(maps, seed, point)
            _check_table(found)
            if twice := sorted(values.keys() & found.keys()):
                raise InvalidInputError(f"two measures give {', '.join(map(repr, twice))}: give them in two sweeps")
            values |= found
        return values


def failed(cell: int, kind: str, message: str, seconds: float = 0.0) -> Outcome:
    """The outcome of a cell that has none."""
    return Outcome(cell, seconds, "", b"", kind, message[:MESSAGE])


def failed_by(cell: int, error: Exception, seconds: float) -> Outcome:
    """The outcome of a cell that an error has ended: its message, and where it left the code of the user."""
    place = user_line(error)
    return failed(cell, type(error).__name__, f"{str(error)[: MESSAGE - len(place)]}{place}", seconds)


def user_line(error: Exception) -> str:
    """`` (file:line)``, the last line of the user's own code that an error came through; empty where there is none.

    The file is without its folder, which may be another one on each worker.
    """
    own = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), "<frozen")
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if not (file.startswith(own) or "site-packages" in file or "dist-packages" in file):
            return f" ({Path(file).name}:{line})"
    return ""


def block_seed(seed: int, block) -> int:
    """The seed of a block: that of the sweep without one, else an independent one for each number of a block."""
    if block is None:
        return seed
    if not isinstance(block, int) or block < 0:
        raise InvalidInputError(f"{SEED_BLOCK} is {block!r}: give integers from 0 on")
    return int(np.random.SeedSequence(seed, spawn_key=(block,)).generate_state(1, np.uint64)[0])


@cache
def accepted_names(function: Callable) -> tuple[frozenset[str], bool]:
    """The names that a function takes, and whether it takes any."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return frozenset(), True
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return frozenset(names), any(p.kind is p.VAR_KEYWORD for p in parameters)


# ------------------------------------------------------------------------------------------------------------- as bytes


def packed(values) -> tuple[str, bytes]:
    """Numbers and arrays by names as one string of bytes, and its layout as JSON; an `Estimate` is two numbers."""
    _check_table(values)
    layout, data = [], []
    for name, value in _spread(values):
        if not isinstance(name, str) or not name.isidentifier():
            raise InvalidInputError(f"the measure returned the name {name!r}: give names without spaces and signs")
        array = np.asarray(value)
        if array.dtype.kind == "u" and (array > MOST_WHOLE).any():
            raise InvalidInputError(
                f"the measure returned {array.max()} as {name!r}, and whole numbers are kept up to 2⁶³ − 1: return a "
                "float, or two numbers"
            )
        if array.dtype.kind not in KEPT:
            raise InvalidInputError(
                f"the measure returned {a_kind(value)} as {name!r}: return numbers or arrays of them"
            )
        layout.append([name, KEPT[array.dtype.kind], list(array.shape)])
        data.append(np.ascontiguousarray(array, KEPT[array.dtype.kind]).tobytes())
    return json.dumps(layout, separators=(",", ":")), b"".join(data)


def _check_table(values) -> None:
    if not isinstance(values, Mapping) or not values:
        raise InvalidInputError(f"the measure returned {a_kind(values)}: return a dict of numbers or arrays by names")


def _spread(values: Mapping):
    for name, value in values.items():
        if isinstance(value, Estimate):
            yield name, value.value
            yield f"{name}_error", value.standard_error
        elif value is None:  # what does not exist
            yield name, float("nan")
        else:
            yield name, value


def unpacked(layout: str, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of `packed`."""
    found, place = {}, 0
    for name, kind, shape in json.loads(layout):
        dtype, count = np.dtype(kind), int(np.prod(shape, dtype=np.int64))
        found[name] = np.frombuffer(data, dtype, count, place).reshape(shape)
        place += count * dtype.itemsize
    return found


def fitted(outcome: Outcome, layout: str) -> Outcome:
    """An outcome in the layout that the sweep has: whole numbers become floats there, and anything else is an error.

    A single NaN, which None is, stands for an array of floats that does not exist.
    """
    if outcome.error or outcome.layout == layout:
        return outcome
    arrays, wanted = unpacked(outcome.layout, outcome.data), json.loads(layout)
    data = []
    for name, kind, shape in wanted:
        array = arrays.get(name)
        if array is not None and kind == "<f8" and array.shape == () and np.isnan(array):
            array = np.full(shape, np.nan)
        fits = array is not None and list(array.shape) == shape and (array.dtype.str == kind or kind == "<f8")
        if array is None or not fits:
            break
        data.append(np.ascontiguousarray(array, kind).tobytes())
    else:
        if len(wanted) == len(arrays):
            return outcome._replace(layout=layout, data=b"".join(data))
    single = any(name in arrays and not shape and arrays[name].shape for name, _, shape in wanted)
    advice = "; the first cell has a single number, such as None, where this one has an array" if single else ""
    return failed(
        outcome.cell,
        "InvalidInputError",
        f"the measure returned {_shape_text(outcome.layout)}, and the first cell has {_shape_text(layout)}: return the "
        f"same names, types and shapes from every cell, np.full(shape, nan) for an array that does not exist{advice}",
        outcome.seconds,
    )


def _shape_text(layout: str) -> str:
    kinds = {"|b1": "bool", "<i8": "int", "<f8": "float"}
    return ", ".join(f"{name} {kinds[kind]}{tuple(shape) if shape else ''}" for name, kind, shape in json.loads(layout))
