"""What maps are, as a short text: the same for maps with the same numbers and functions of the same source."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from iterorder.maps.base import RandomMaps


def digest_of(maps: RandomMaps) -> str:
    """SHA-256 of the fields of maps: arrays, numbers, words, and the sources of functions."""
    found = hashlib.sha256()

    def add(value) -> None:
        if isinstance(value, np.ndarray):
            found.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        elif isinstance(value, RandomMaps):
            found.update(f"{type(value).__name__}{value.code}".encode())
            for item in dataclasses.fields(value):  # type: ignore[arg-type]
                add(getattr(value, item.name))
        elif isinstance(value, (list, tuple)):
            found.update(f"{len(value)}".encode())
            for item in value:
                add(item)
        elif isinstance(value, (bool, int, float, str)) or value is None:
            found.update(f"{value!r};".encode())
        elif hasattr(value, "params"):  # a loss, whose functions are in the code of its maps
            found.update(f"{value!r}".encode())
            add(value.params)

    add(maps)
    return found.hexdigest()
