"""Systems that a user lists in a Python file."""

from __future__ import annotations

import runpy
import traceback
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError, IterorderError
from iterorder.maps import AffineMaps, RandomMaps, gallery
from iterorder.request import as_system
from iterorder.validation import as_floats

HINT = "define SYSTEMS = {name: maps} or {name: (maps, x0)}"


class Entry(NamedTuple):
    """A system and where it starts."""

    name: str
    maps: RandomMaps
    x0: np.ndarray


def systems_of_file(path) -> list[Entry]:
    """The systems in ``SYSTEMS`` of a Python file: a dict of names to maps, or to maps and a start.

    The file is run, like any program.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InvalidInputError
        If it fails, or defines no such dict.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        found = runpy.run_path(str(path)).get("SYSTEMS")
    except IterorderError:
        raise
    except Exception as error:
        last = traceback.format_exception_only(error)[-1].strip()
        raise InvalidInputError(f"{path} fails: {last}") from error
    if not isinstance(found, dict) or not found:
        raise InvalidInputError(f"{path} defines no systems: {HINT}")
    return [_entry(path, str(name), value) for name, value in found.items()]


def _entry(path: Path, name: str, value) -> Entry:
    maps, x0 = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    try:
        maps = as_system(maps)
    except InvalidInputError as error:
        raise InvalidInputError(f"SYSTEMS[{name!r}] of {path}: {error}; {HINT}") from None
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
