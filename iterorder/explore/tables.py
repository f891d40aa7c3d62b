"""Tables that were dropped on the page: read as numbers, kept in memory, never written."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.number_table import read_numbers

MAX_BYTES, MAX_COLUMNS, MAX_TABLES = 8 * 2**20, 200, 8


@dataclass(frozen=True)
class Table:
    """Numbers of a CSV file: the last column is the target, the others are features."""

    name: str
    digest: str
    features: np.ndarray
    targets: np.ndarray
    header: bool


def read_table(name: str, text: str) -> Table:
    """A table from the text of a CSV file; a first line that is not all numbers is its header.

    Raises
    ------
    InvalidInputError
        If it is too large, ragged, or a cell is no finite number; the message names the line and the column.
    """
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise InvalidInputError(f"the file is larger than {MAX_BYTES // 2**20} MiB: use the library itself")
    names, values = read_numbers("the file", io.StringIO(text), least_rows=2, most_columns=MAX_COLUMNS)
    digest = hashlib.sha256(values.tobytes() + str(values.shape).encode()).hexdigest()[:16]
    return Table(name[:200], digest, values[:, :-1], values[:, -1], bool(names))


class Tables:
    """The latest tables of a server, by digest."""

    def __init__(self) -> None:
        self._kept: dict[str, Table] = {}

    def add(self, table: Table) -> None:
        """Keep one; the oldest goes where there are too many."""
        self._kept.pop(table.digest, None)
        self._kept[table.digest] = table
        while len(self._kept) > MAX_TABLES:
            del self._kept[next(iter(self._kept))]

    def __contains__(self, digest: str) -> bool:
        return digest in self._kept

    def get(self, digest: str) -> Table:
        """The table of a link.

        Raises
        ------
        InvalidInputError
            If it is not here any more.
        """
        if digest not in self._kept:
            raise InvalidInputError(f"the table {digest[:16]!r} is not on this server: drop its file on the page again")
        return self._kept[digest]
