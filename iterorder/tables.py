"""Labels of rows and columns of tables of pandas, polars and the like: they are no numbers, and they count."""

from __future__ import annotations

from typing import Any

from iterorder.errors import InvalidInputError

#: Names that a message shows at most.
SHOWN = 6


def names_of_columns(table: Any, number: int) -> tuple[str, ...] | None:
    """The names of the columns of a table of pandas, polars or the like; None of what has none, or two of one name."""
    columns = getattr(table, "columns", None)
    try:
        names = () if columns is None else tuple(str(name) for name in columns)
    except TypeError:  # an attribute of this name that is no list
        return None
    return names if len(set(names)) == number == len(names) else None


def check_same_rows(features: Any, name: str, values: Any, of: str = "features") -> None:
    """Refuse values whose index is not that of the features: row by row they would be those of other points.

    `of` is what the features are called in the message.
    """
    first, second = index_of(features), index_of(values)
    if first is None or second is None or first.equals(second):
        return
    same = len(first.difference(second)) == 0 and first.is_unique and second.is_unique
    in_order = f"give {name}.loc[{of}.index], or " if same else "give "
    raise InvalidInputError(
        f"the index of {name} is not that of {of}: {in_order}{name}.to_numpy() where their rows belong together as "
        "they stand"
    )


def check_coordinates(name: str, value: Any, names: tuple[str, ...] | None) -> None:
    """Refuse a state whose labels are words, and not the names of the coordinates in their order."""
    labels = index_of(value) if getattr(value, "ndim", None) == 1 else getattr(value, "columns", None)
    if names is None or labels is None or callable(labels):
        return
    found = tuple(labels)
    if found == names or not all(isinstance(label, str) for label in found):
        return
    of_columns = f"{name}[{list(names[:SHOWN])}]" if len(names) <= SHOWN else f"{name}[list(maps.coordinate_names)]"
    advice = f"give {of_columns}" if set(found) == set(names) else f"give those names, or {name}.to_numpy()"
    raise InvalidInputError(
        f"{name} has the names {_listed(found)}, and the coordinates are {_listed(names)}: {advice}"
    )


def index_of(table: Any) -> Any:
    """The labels of the rows, as pandas has them; None of what has none: the index of a list is a method."""
    index = getattr(table, "index", None)
    return index if hasattr(index, "equals") and hasattr(index, "is_unique") else None


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
