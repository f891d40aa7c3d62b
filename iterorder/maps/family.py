"""Which family a system of maps belongs to, and that it is no other system under the name of that family."""

from __future__ import annotations

import dataclasses
from functools import cache, cached_property
from types import FunctionType
from typing import TypeVar

from iterorder.errors import InvalidInputError
from iterorder.maps.base import RandomMaps
from iterorder.shown import a_kind

#: A subclass may say these anew: an exact law that it knows, and what every abstract class has.
FREE = {"law", "_abc_impl"}
#: Of the methods that Python calls, those through which everything that is looked up may become something else.
LOOK_UP = {"__getattribute__", "__getattr__"}


#: The classes that say what they are as numbers, by their names.
FAMILIES: dict[str, type[RandomMaps]] = {}
Class = TypeVar("Class", bound=type[RandomMaps])


def family(cls: Class) -> Class:
    """Make a class known as a family: simulated and analysed by its form, and written to files by its fields."""
    FAMILIES[cls.__name__] = cls
    return cls


def family_of(name: str, maps, kind: type = RandomMaps) -> type[RandomMaps]:
    """The family of a system, one of those of a kind; an error for others, and for a subclass that is another system.

    Kernels and theory read the arrays and numbers of a family. A subclass that adds something, or is made in another
    way, is the same system for them. One that changes a method would be run, and analysed, as what it is no longer.
    """
    known = [cls for cls in FAMILIES.values() if issubclass(cls, kind)]
    found = next((cls for cls in type(maps).__mro__ if cls in known), None)
    if found is None:
        names = ", ".join(cls.__name__ for cls in known)
        raise InvalidInputError(f"{name} is {a_kind(maps)}: give one of {names}")
    changed = _changed(maps, found)
    if changed is not None:
        raise InvalidInputError(
            f"{name} is {a_kind(maps)}, which changes {changed!r} of {found.__name__}, and compiled kernels "
            "and theory would not see that: write the map as a CustomMaps, or leave what the family has as it is"
        )
    return found


@cache
def _offered(family: type[RandomMaps]) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the fields of a family, and of all that it has."""
    fields = frozenset(field.name for field in dataclasses.fields(family))  # type: ignore[arg-type]
    return fields, fields | {name for cls in family.__mro__ if cls is not object for name in vars(cls)}


def _changed(maps: RandomMaps, family: type[RandomMaps]) -> str | None:
    """The first thing of a family that a subclass, or a system itself, has in another way."""
    fields, offered = _offered(family)
    above = type(maps).__mro__[: type(maps).__mro__.index(family)]
    for cls in above:
        for name, value in vars(cls).items():
            special = name.startswith("__") and name.endswith("__")
            if name in LOOK_UP:
                return name
            if special or name in FREE or name not in offered:
                continue
            if name not in fields or isinstance(value, (property, cached_property, FunctionType)):
                return name  # another default of a field is a number that everybody reads
    for name in vars(maps):
        method = getattr(family, name, None)
        if isinstance(method, (FunctionType, property)) and name not in fields:
            return name
    return None
