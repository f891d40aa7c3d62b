"""What the cells of a sweep hold: numbers, words or arrays under a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What stands in cells without a result, by the kind of a type: beside it the mask `done` is what counts.
MISSING: dict[str, Any] = {"f": np.nan, "i": np.iinfo(np.int64).min, "b": False}
#: The words of truth values, false first.
TRUTH = ("no", "yes")


@dataclass(frozen=True)
class Variable:
    """One number or array of each cell."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    attributes: dict[str, Any]

    @property
    def words(self) -> tuple[str, ...]:
        """What the values 0, 1, … stand for where they are codes or truth values; nothing where they are numbers."""
        if self.dtype.kind == "b":
            return TRUTH
        return tuple(str(self.attributes.get("flag_meanings", "")).split())

    def empty(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array for cells of a shape, of which none has a result."""
        return np.full(shape + self.shape, MISSING[self.dtype.kind], self.dtype)

    @classmethod
    def described(cls, entry: list[Any], notes: dict[str, dict[str, Any]]) -> Variable:
        """That of an entry of the file's layout, with what its measure notes of it."""
        name, kind, shape = entry
        note = dict(notes.get(name, {}))
        dims = tuple(note.pop("dims", ()))
        if len(dims) != len(shape):
            dims = tuple(f"{name}_{k}" for k in range(len(shape)))
        return cls(name, np.dtype(kind), tuple(shape), dims, note)
