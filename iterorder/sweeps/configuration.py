"""A sweep as a TOML file: checked before anything runs, with the file, line and key in every message."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np

from iterorder.errors import InvalidInputError, IterorderError
from iterorder.sweeps.cells import SEED_BLOCK, Cells
from iterorder.sweeps.file_lines import fault_at, keys_in
from iterorder.sweeps.grid import Grid
from iterorder.sweeps.measures import Measure, as_measures
from iterorder.sweeps.systems import SYSTEMS, make_system, names_of
from iterorder.validation import as_seed, check_none

#: The longest file, in bytes, and range of values.
MOST_BYTES, MOST_VALUES = 2**22, 10**6
#: What to give for a key that each file must have.
NEEDED = {
    "seed": "give an integer, such as seed = 0",
    "measure": 'give the name of a measure, such as measure = "diagnosis"',
    "folder": 'give the name of the folder of the sweep, such as folder = "phase"',
}
Made = TypeVar("Made")


class Range(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Values from one number to another, both of them included."""

    start: float = msgspec.field(name="from")
    to: float
    count: int
    scale: Literal["linear", "log"] = "linear"

    def values(self) -> list[float]:
        """The numbers."""
        if not 1 <= self.count <= MOST_VALUES:
            raise InvalidInputError(f"count is {self.count}: give a number in [1, {MOST_VALUES}]")
        if self.scale == "log":
            if self.start <= 0.0 or self.to <= 0.0:
                raise InvalidInputError(f"from {self.start:g} to {self.to:g} has no logarithms: give positive numbers")
            return np.geomspace(self.start, self.to, self.count).tolist()
        return np.linspace(self.start, self.to, self.count).tolist()


class File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a configuration file may hold."""

    seed: int
    measure: str | list[str] | dict[str, dict[str, Any]]
    folder: str
    maps: dict[str, Any] = {}
    grid: dict[str, list | Range] = {}
    together: list[dict[str, list]] = []
    points: list[dict[str, Any]] = []
    engine: Literal["serial", "processes", "dask"] = "serial"
    workers: int | None = None
    scheduler: str | None = None
    block_seconds: float = 0.5
    split_replicas: int | None = None
    durable: bool = False


@dataclass(frozen=True, eq=False)
class Configuration:
    """A sweep as a file describes it.

    Attributes
    ----------
    file : File
        What stands in it.
    text, name : str
        The file itself, and what messages call it.
    cells : Cells
        What the file asks for, ready to be computed.
    """

    file: File
    text: str
    name: str
    cells: Cells

    @property
    def system(self) -> dict[str, Any]:
        """What the maps are, beside the grid."""
        return {"maps": {"system": self.file.maps}}

    def folder_in(self, out: Path) -> Path:
        """The folder of the sweep below an output folder.

        Raises
        ------
        InvalidInputError
            If it would lie outside: by an absolute path, by .. or by a link.
        """
        root = out.resolve()
        folder = (root / self.file.folder).resolve()
        if not self.file.folder or folder == root or not folder.is_relative_to(root):
            what = f"{self.file.folder!r} leaves the output folder {out}: give the name of a folder inside"
            raise fault_at(self.text, self.name, ["folder"], what)
        return folder


def read_configuration(path: Path) -> Configuration:
    """The sweep that a TOML file describes.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InvalidInputError
        If it is no TOML, has unknown keys, lacks some, or has values that are not accepted: the message has a line for
        each, which begins with file, line and key.
    """
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise InvalidInputError(f"{path} is larger than {MOST_BYTES} bytes: give a TOML file of a sweep")
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path} is no text ({error}): give a TOML file") from None
    return parsed(text, str(path))


def parsed(text: str, name: str) -> Configuration:
    """The sweep that a text describes; `name` is that of the file, for messages."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))  # none at the end of the document
        number = line[1] if line else text.count("\n") + (not text.endswith("\n"))
        raise InvalidInputError(f"{name}:{number}: no TOML: {error}") from None
    check_none(_faults_of_keys(content, text, name))
    return _checked(msgspec.convert(content, File), text, name)


def _faults_of_keys(content: dict[str, Any], text: str, name: str) -> Iterator[InvalidInputError]:
    """What is unknown, missing, or of another type than its key takes."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(File)}
    for key in content:
        if key not in fields:
            yield fault_at(text, name, [key], f"unknown key: give one of {', '.join(fields)}")
    for key, field in fields.items():
        if key not in content:
            if field.required:
                yield fault_at(text, name, [], f"lacks {key}: {NEEDED[key]}")
        elif key == "grid" and isinstance(content[key], dict):
            for parameter, values in content[key].items():
                yield from _fault_of_type(values, list | Range, [key, parameter], text, name)
        else:
            yield from _fault_of_type(content[key], field.type, [key], text, name)


def _fault_of_type(value: Any, kind: Any, keys: list[str], text: str, name: str) -> Iterator[InvalidInputError]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        inner = keys_in(where.removesuffix("`"))
        if unknown := re.search(r"unknown field `(.*)`", what):
            inner.append(unknown[1])
            what = f"unknown key: give one of {', '.join(f.encode_name for f in msgspec.structs.fields(Range))}"
        elif missing := re.search(r"missing required field `(.*)`", what):
            what = f"lacks {missing[1]}: a range is {{ from = 0.1, to = 1.0, count = 10 }}"
        yield fault_at(text, name, [*keys, *inner], what)


def _checked(file: File, text: str, name: str) -> Configuration:
    faults: list[InvalidInputError] = []

    def tried(keys: list[str], make: Callable[[], Made]) -> Made | None:
        """What is made; None with one fault more."""
        try:
            return _located(text, name, keys, make)
        except InvalidInputError as error:
            faults.append(error)
            return None

    grid = tried(["grid"], partial(_grid, file))
    measures = tried(["measure"], partial(as_measures, file.measure))
    seed = tried(["seed"], partial(as_seed, file.seed))
    if grid is not None:
        faults += _faults_of_names(file, grid, measures, text, name)
    check_none(faults)
    assert grid is not None  # else there were faults
    assert measures is not None
    assert seed is not None
    cells = Cells(partial(make_system, **_plain(file.maps)), grid, measures, seed)
    _check_values(cells, file, text, name)
    return Configuration(file, text, name, cells)


def _grid(file: File) -> Grid:
    if file.points:
        if file.grid or file.together:
            raise InvalidInputError("points stand beside grid or together: give a list of points or a product")
        return Grid.of([dict(point) for point in file.points])
    axes: dict[Any, Any] = {}
    for key, values in file.grid.items():
        try:
            axes[key] = values.values() if isinstance(values, Range) else values
        except InvalidInputError as error:
            raise InvalidInputError(f"[{key!r}] {error}") from None
    for table in file.together:
        lengths = {key: len(values) for key, values in table.items()}
        if len(set(lengths.values())) != 1:
            raise InvalidInputError(f"together has lists of different lengths ({lengths}): values go together by place")
        axes[tuple(table)] = list(zip(*table.values(), strict=True))
    return Grid.of(axes)


def _faults_of_names(
    file: File, grid: Grid, measures: tuple[Measure, ...] | None, text: str, name: str
) -> Iterator[InvalidInputError]:
    """Parameters that belong neither to the measure, as far as that is known, nor to the maps of a family."""
    options = {option for measure in measures or () for option in measure.accepts} | {SEED_BLOCK}
    families = grid.column("family") if "family" in grid.names else [file.maps.get("family")]
    for family in dict.fromkeys(families):
        if not isinstance(family, str) or family not in SYSTEMS:
            what = "lacks family" if family is None else f"{family!r} is no family"
            yield fault_at(text, name, ["maps", "family"] if family is None else ["family"], f"{what}: {_families()}")
            continue
        known = names_of(family) | {"family"}
        for key in file.maps:
            if key not in known:
                yield fault_at(text, name, ["maps", key], f"no parameter of {family}: give one of {_listed(known)}")
        for key in grid.names if measures is not None else ():
            if key not in known | options:
                what = f"no parameter of {family} and no option of the measure: give one of {_listed(known | options)}"
                yield fault_at(text, name, [key], what)


def _families() -> str:
    return f"give one of {', '.join(SYSTEMS)}"


def _check_values(cells: Cells, file: File, text: str, name: str) -> None:
    """The first and the last maps can be made: an error tells of the parameter that it names."""
    for cell in dict.fromkeys((0, len(cells.grid) - 1)):
        try:
            cells.maps_of(cell)
        except (IterorderError, ValueError) as error:
            known = [*file.maps, *cells.grid.names]
            named = [key for key in known if re.search(rf"\b{re.escape(key)}\b", str(error))]
            raise fault_at(text, name, named[:1], str(error)) from None


def _listed(names) -> str:
    return ", ".join(sorted(names))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Lists as they are; dates and tables, which no family takes, are refused by the families."""
    return dict(values)


def _located(text: str, name: str, keys: list[str], make: Callable[[], Made]) -> Made:
    """What `make` returns; an error of it with the place of a key, of one that it names where it names one."""
    try:
        return make()
    except InvalidInputError as error:
        inner = re.search(r"\[?'(\w+)'", str(error))
        raise fault_at(text, name, [*keys, *([inner[1]] if inner else [])], str(error)) from None
