"""Tables of numbers as CSV text: one reader, for files of a command and for those that are dropped on a page."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError

#: Letters of a cell that an error shows.
SHOWN = 40


class NumberTable(NamedTuple):
    """Rows of finite numbers, shape (n, k), and the names of the columns; none where the first line has numbers."""

    names: tuple[str, ...]
    values: np.ndarray


def read_numbers(
    what: str, lines: Iterable[str], *, least_rows: int = 1, most_columns: int | None = None
) -> NumberTable:
    """The numbers of CSV text, at least two columns of them.

    A first line with a word that is no number has the names of the columns; blank lines are skipped.

    Parameters
    ----------
    what : str
        Which text it is, for errors.
    lines : iterable of str
        Such as an open file.
    least_rows : int
        Fewer rows of numbers are an error.
    most_columns : int, optional
        More columns are an error.

    Raises
    ------
    InvalidInputError
        If this is no such table; the message has the line, and the column, of what is wrong.

    Examples
    --------
    >>> read_numbers("the text", ["a,b", "1,2", "", "3,4.5"])
    NumberTable(names=('a', 'b'), values=array([[1. , 2. ],
           [3. , 4.5]]))
    """
    rows = _rows(what, lines)
    header = bool(rows) and any(_number(word) is None for word in rows[0][1])
    names = tuple(word.strip() for word in rows.pop(0)[1]) if header else ()
    width = len(names or (rows[0][1] if rows else ()))
    if len(rows) < least_rows:
        raise InvalidInputError(f"{what} has {_lines_of(len(rows))}: give a line for each point, at least {least_rows}")
    if width < 2 or (most_columns is not None and width > most_columns):
        count = "one column" if width < 2 else f"{width:,} columns"
        most = "" if most_columns is None else f", {most_columns} columns at most"
        raise InvalidInputError(f"{what} has {count}: give features and a target, separated by commas{most}")
    values = np.empty((len(rows), width))
    for k, (line, row) in enumerate(rows):
        if len(row) != width:
            raise InvalidInputError(f"{what}, line {line}, has {len(row)} in place of {width} columns")
        for column, word in enumerate(row):
            if (number := _number(word)) is None or not math.isfinite(number):
                name = f" ({names[column][:SHOWN]})" if names else ""
                place = f"{what}, line {line}, column {column + 1}{name}"
                raise InvalidInputError(f"{place}, is {word.strip()[:SHOWN]!r}: give a finite number")
            values[k, column] = number
    return NumberTable(names, values)


def _lines_of(count: int) -> str:
    return "no numbers" if count == 0 else f"{count} line{'s' if count > 1 else ''} of numbers"


def _rows(what: str, lines: Iterable[str]) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, with their numbers."""
    reader = csv.reader(lines)
    try:
        return [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"{what} is no CSV file ({error}): give text, numbers separated by commas") from None


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None
