"""A sweep as a TOML file: checked before anything runs, with the file, line and key in every message."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from iterorder.errors import InvalidInputError, IterorderError
from iterorder.sweeps.cells import SEED_BLOCK, Cells
from iterorder.sweeps.grid import Grid
from iterorder.sweeps.measures import Measure, as_measures
from iterorder.sweeps.systems import SYSTEMS, make_system, names_of
from iterorder.validation import as_seed

#: The longest file, in bytes, and range of values.
MOST_BYTES, MOST_VALUES = 2**22, 10**6


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
    text : str
        The file itself.
    cells : Cells
        What the file asks for, ready to be computed.
    """

    file: File
    text: str
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
            raise InvalidInputError(
                f"folder {self.file.folder!r} leaves the output folder {out}: give the name of a folder inside"
            )
        return folder


def read_configuration(path: Path) -> Configuration:
    """The sweep that a TOML file describes.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InvalidInputError
        If it is no TOML, has an unknown key, or a value that is not accepted: the message begins with file, line and
        key.
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
        line = re.search(r"line (\d+)", str(error))
        raise InvalidInputError(f"{name}:{line[1] if line else '?'}: no TOML: {error}") from None
    try:
        file = msgspec.convert(content, File)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        keys = _keys_in(where.removesuffix("`"))
        keys[1:1] = _wrong_axis(content) if keys[:1] == ["grid"] else []
        if unknown := re.search(r"unknown field `(.*)`", what):
            keys.append(unknown[1])
            fields = ", ".join(field.encode_name for field in msgspec.structs.fields(File))
            what = f"unknown key: give one of {'from, to, count, scale' if len(keys) > 1 else fields}"
        raise _at(text, name, keys, what) from None
    return _checked(file, text, name)


def _wrong_axis(content: dict[str, Any]) -> list[str]:
    """The first parameter of the grid whose values are none: of the keys of a dict msgspec does not tell."""
    for key, values in content["grid"].items() if isinstance(content["grid"], dict) else ():
        try:
            msgspec.convert(values, list | Range)
        except msgspec.ValidationError:
            return [key]
    return []


def _checked(file: File, text: str, name: str) -> Configuration:
    grid = _located(text, name, ["grid"], partial(_grid, file))
    measures = _located(text, name, ["measure"], partial(as_measures, file.measure))
    seed = _located(text, name, ["seed"], partial(as_seed, file.seed))
    _check_names(file, grid, measures, text, name)
    cells = Cells(partial(make_system, **_plain(file.maps)), grid, measures, seed)
    _check_values(cells, file, text, name)
    return Configuration(file, text, cells)


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


def _check_names(file: File, grid: Grid, measures: tuple[Measure, ...], text: str, name: str) -> None:
    """Every parameter belongs to the measure or to the maps, of each family that occurs."""
    options = {option for measure in measures for option in measure.accepts} | {SEED_BLOCK}
    families = grid.column("family") if "family" in grid.names else [file.maps.get("family")]
    for family in dict.fromkeys(families):
        if not isinstance(family, str) or family not in SYSTEMS:
            raise _at(text, name, ["family"], f"{family!r} is no family: give one of {', '.join(SYSTEMS)}")
        known = names_of(family) | {"family"}
        for key in file.maps:
            if key not in known:
                raise _at(text, name, ["maps", key], f"no parameter of {family}: give one of {_listed(known)}")
        for key in grid.names:
            if key not in known | options:
                what = f"no parameter of {family} and no option of the measure: give one of {_listed(known | options)}"
                raise _at(text, name, [key], what)


def _check_values(cells: Cells, file: File, text: str, name: str) -> None:
    """The first and the last maps can be made: an error tells of the parameter that it names."""
    for cell in dict.fromkeys((0, len(cells.grid) - 1)):
        try:
            cells.maps_of(cell)
        except (IterorderError, ValueError) as error:
            known = [*file.maps, *cells.grid.names]
            named = [key for key in known if re.search(rf"\b{re.escape(key)}\b", str(error))]
            raise _at(text, name, named[:1], str(error)) from None


def _listed(names) -> str:
    return ", ".join(sorted(names))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Lists as they are; dates and tables, which no family takes, are refused by the families."""
    return dict(values)


def _located(text: str, name: str, keys: list[str], make):
    """What `make` returns; an error of it with the place of a key, of one that it names where it names one."""
    try:
        return make()
    except InvalidInputError as error:
        inner = re.search(r"\[?'(\w+)'", str(error))
        raise _at(text, name, [*keys, *([inner[1]] if inner else [])], str(error)) from None


# ------------------------------------------------------------------------------------------------------- lines of keys


def _at(text: str, name: str, keys: list[str], what: str) -> InvalidInputError:
    """An error with file, line and key."""
    line = line_of(text, keys)
    place = f"{name}:{line}" if line else name
    return InvalidInputError(f"{place}: {'.'.join(keys)}: {what}" if keys else f"{place}: {what}")


def line_of(text: str, keys: list[str]) -> int | None:
    r"""The line on which a key stands, or the nearest table around it; a single key is found in any table.

    Examples
    --------
    >>> line_of("seed = 0\n[grid]\nh = [1]\n", ["grid", "h"])
    3
    """
    lines = _lines_of_keys(text)
    for length in range(len(keys), 0, -1):
        wanted = tuple(keys[:length])
        for path, number in lines:
            if path == wanted or (length == 1 and path[-1:] == wanted):
                return number
    return None


def _lines_of_keys(text: str) -> list[tuple[tuple[str, ...], int]]:
    """Every table and key with its line; continued arrays are skipped. Only messages rest on it."""
    found: list[tuple[tuple[str, ...], int]] = []
    table: tuple[str, ...] = ()
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        bare = re.sub(r'"[^"]*"|\'[^\']*\'', '""', line).partition("#")[0]
        if depth == 0 and (header := re.match(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*$", line.partition("#")[0])):
            table = _parts(header[1])
            found.append((table, number))
            continue
        if depth == 0 and (key := re.match(r"\s*([\w\-\"'. ]+?)\s*=", line)):
            found.append((table + _parts(key[1]), number))
            inline = re.findall(r"[{,]\s*([\w\-]+)\s*=", line)
            found += [(table + _parts(key[1]) + (inner,), number) for inner in inline]
        depth = max(0, depth + bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}"))
    return found


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _keys_in(path: str) -> list[str]:
    """The keys of a path of msgspec, such as $.grid[...].count; what it does not name is left out."""
    return [part for part in re.sub(r"\[[^\]]*\]", "", path).removeprefix("$").split(".") if part]
