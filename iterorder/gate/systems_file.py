"""Systems that a user lists in a Python file."""

from __future__ import annotations

import ast
import importlib
import runpy
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError, IterorderError
from iterorder.maps import AffineMaps, RandomMaps, gallery
from iterorder.request import as_system
from iterorder.shown import a_kind
from iterorder.validation import as_floats, check_none

HINT = "define SYSTEMS = {name: maps} or {name: (maps, start)}"


class Entry(NamedTuple):
    """A system and where it starts."""

    name: str
    maps: RandomMaps
    x0: np.ndarray

    @property
    def other_start(self) -> np.ndarray:
        """A second start: every coordinate is as far from that of the first as it is from zero, and one at least.

        Nearer to a far one it would be lost in rounding: 10²⁰ + 1 is 10²⁰ again.
        """
        with np.errstate(over="ignore"):
            return np.minimum(self.x0 + np.maximum(1.0, np.abs(self.x0)), np.finfo(np.float64).max)


def systems_of_file(path) -> list[Entry]:
    """The systems in ``SYSTEMS`` of a Python file: a dict of names to maps, or to maps and a start.

    The file is run like any program: it imports the files beside it, as under ``python FILE``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InvalidInputError
        If it is a folder, fails, or defines no such dict.
    """
    path = Path(path)
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder: give a Python file that defines SYSTEMS")
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}; give a Python file that defines SYSTEMS")
    try:
        with _neighbours_importable(path.resolve().parent):
            found = runpy.run_path(str(path)).get("SYSTEMS")
    except (Exception, SystemExit) as error:
        what = str(error) if isinstance(error, IterorderError) else traceback.format_exception_only(error)[-1].strip()
        raise InvalidInputError(f"{_place(path, _line_of_failure(path, error))} fails: {what}") from error
    if not isinstance(found, dict) or not found:
        what = "defines no SYSTEMS" if found is None else f"has SYSTEMS that is {_shown(found)}"
        raise InvalidInputError(f"{_place(path, line_of_entry(path, None))} {what}: {HINT}")
    names = [str(name) for name in found]
    if twice := [name for k, name in enumerate(names) if name in names[:k]]:
        place = _place(path, line_of_entry(path, twice[0]))
        raise InvalidInputError(f"{place} has two systems that are called {twice[0]!r}: give each a name of its own")
    return _entries(path, dict(zip(names, found.values(), strict=True)))


@contextmanager
def _neighbours_importable(folder: Path) -> Iterator[None]:
    """Search a folder first for imports; afterwards nothing of it is left, so that two folders may have equal names."""
    before, path = set(sys.modules), list(sys.path)
    importlib.invalidate_caches()  # a file may be younger than what Python remembers of its folder
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        # Of packages that were there before, such as iterorder run from its own folder, new modules are kept.
        new = {name.partition(".")[0] for name in sys.modules if name not in before} - before
        neighbours = {name for name in new if _lies_in(folder, name)}
        for name in [name for name in sys.modules if name.partition(".")[0] in neighbours]:
            del sys.modules[name]
        sys.path[:] = path  # last: where the parts of a package without __init__.py lie is looked up along it


def _lies_in(folder: Path, name: str) -> bool:
    """Whether a module is a file, or a package is a folder, right inside of `folder`: not in an environment below."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    places = [Path(place) for place in getattr(module, "__path__", [])] or ([Path(file)] if file else [])
    return any(place.resolve().parent == folder for place in places)


def _place(path: Path, line: int | None) -> str:
    return str(path) if line is None else f"{path}, line {line},"


def _shown(value) -> str:
    return f"an empty {type(value).__name__}" if value in ([], (), {}) else a_kind(value)


def _line_of_failure(path: Path, error: BaseException) -> int | None:
    """The line of the file in which an exception began: the deepest of its own lines."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None


def line_of_entry(path: Path, name: str | None) -> int | None:
    """The line on which SYSTEMS has an entry, or is assigned where the entry is not written out there."""
    line = None
    for node in ast.parse(path.read_bytes()).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not any(isinstance(target, ast.Name) and target.id == "SYSTEMS" for target in targets):
            continue
        line, value = node.lineno, getattr(node, "value", None)
        if isinstance(value, ast.Dict):
            keys = [key for key in value.keys if isinstance(key, ast.Constant) and str(key.value) == name]
            line = keys[-1].lineno if keys else line
    return line


def _entries(path: Path, values: dict[str, Any]) -> list[Entry]:
    """All systems; an error has a line for each entry that is none, so that a file is mended at once."""
    entries, faults = [], []
    for name, value in values.items():
        try:
            entries.append(_checked_entry(name, value))
        except InvalidInputError as error:
            place = _place(path, line_of_entry(path, name))
            faults.append(f"{place} has no system in SYSTEMS[{name!r}]: {error}; {HINT}")
    check_none(faults)
    return entries


def _checked_entry(name: str, value) -> Entry:
    maps, x0 = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    maps = as_system(maps)
    start = np.zeros(maps.dim) if x0 is None else as_floats(f"x0 of {name!r}", x0, ndim=(1,))
    if start.shape != (maps.dim,):
        raise InvalidInputError(f"x0 of {name!r} has shape {start.shape}: give ({maps.dim},)")
    return Entry(name, maps, start)


def own_systems() -> list[Entry]:
    """Systems of the gallery whose rates are known."""
    expanding = AffineMaps([[[1.2]], [[0.3]]], [[1.0], [0.0]])
    listed = {
        "two-point quadratic, h=0.3": gallery.two_point_quadratic(0.3),
        "Barnsley's fern": gallery.barnsley_fern(),
        "arcsine": gallery.arcsine(),
        "vervaat": gallery.vervaat(),
        "a map that expands": expanding,
    }
    return [Entry(name, maps, np.zeros(maps.dim)) for name, maps in listed.items()]
