"""Results as plain dicts, for JSON and for tables of one's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from iterorder.device_arrays import is_on_device, to_numpy
from iterorder.files import plain


class Recorded:
    """A dataclass of numbers, words, arrays, and other such results."""

    def to_dict(self) -> dict[str, Any]:
        """The attributes for JSON: arrays are lists, what is no finite number is None, and maps are their repr."""
        return {item.name: _record(getattr(self, item.name)) for item in dataclasses.fields(self)}  # type: ignore[arg-type]


def _record(value) -> Any:
    if isinstance(value, Recorded):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _record(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_record(item) for item in value]
    if is_on_device(value):
        return plain(to_numpy(value))
    if value is None or isinstance(value, (str, bool, int, float, np.ndarray, np.generic)):
        return plain(value)
    return repr(value)
