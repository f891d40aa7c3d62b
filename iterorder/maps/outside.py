"""What a function reads from outside of itself, as it is at one moment."""

from __future__ import annotations

import copy
import dis
import re
import sys
import types
from array import array
from collections.abc import Iterator

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import FINGERPRINT, is_compiled

MUTABLE = (np.ndarray, np.void, list, dict, set, bytearray, memoryview, array)
CONSTANTS = (bool, int, float, complex, str, bytes, np.generic, types.NoneType)
#: What these packages hold does not change.
SETTLED = sys.stdlib_module_names | {"numpy", "numba", "scipy", "iterorder"}
#: Where plain functions that others wrote stand: what they call in their turn is no matter of the user's.
INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")

#: In place of the attributes of a module that is used otherwise than by an attribute.
ANYTHING = "*"


class Outside:
    """The values of the names that a function reads, or of the attributes that it reads of a module.

    Attributes
    ----------
    values : dict
        Everything that was found, by name.
    inner : dict of Outside
        Of those that are compiled functions, and functions or modules which read, or hold, something that can change.
    """

    def __init__(self, values: dict[str, object], inner: dict[str, Outside]) -> None:
        self.values, self.inner = values, inner
        # Numbers are the same where they look the same, all else where it is the same object.
        self.key: tuple = tuple(
            (name, inner[name].key if name in inner else None, _key(value)) for name, value in values.items()
        )

    def __eq__(self, other) -> bool:
        return isinstance(other, Outside) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self):
        """For pickle: numbers and what holds them; functions and modules are looked up where it is loaded."""
        return Outside, ({name: value for name, value in self.values.items() if _is_data(value)}, self.inner)

    def held(self, kinds, path: str = "") -> Iterator[tuple[str, object]]:
        """The values of these types, in tuples too, with the names by which they are reached."""
        for name, value in self.values.items():
            if any(isinstance(item, kinds) for item in _items(value)):
                yield path + name, value
            if name in self.inner:
                yield from self.inner[name].held(kinds, f"{path}{name}.")


def read_outside(function: types.FunctionType, kept: Outside | None = None, *, through: tuple = ()) -> Outside:
    """What a function reads from outside now; numbers that were `kept` before come from there.

    `through` holds the functions that are being read already.
    """
    names = _names(function.__code__)
    values = {name: found for name in sorted(names) if (found := _value(function, name)) is not _MISSING}
    return _read(values, names, kept, (*through, function))


def _read(values: dict, names: dict[str, set], kept: Outside | None, through: tuple) -> Outside:
    inner: dict[str, Outside] = {}
    for name, value in values.items():
        before = None if kept is None else kept.inner.get(name)
        if kept is not None and name in kept.values:
            values[name] = kept.values[name]
        elif isinstance(value, MUTABLE):
            values[name] = copy.deepcopy(value)
        elif isinstance(value, types.ModuleType):
            if (value.__name__ or "").partition(".")[0] not in SETTLED:
                inner[name] = _read_module(value, names[name], before, through)
        elif (body := body_of(value)) is not None and body is not through[-1]:
            if body in through:
                raise InvalidInputError(
                    f"the functions {body.__name__!r} and {through[-1].__name__!r} call each other, and what they read "
                    "from outside cannot be kept: make one of them"
                )
            found = read_outside(body, before, through=through)
            settled = all(isinstance(item, types.ModuleType) and is_settled(item) for item in found.values.values())
            if is_compiled(value) or not settled:
                inner[name] = found
    return Outside(values, inner)


def _read_module(module: types.ModuleType, chains: set[tuple[str, ...]], kept: Outside | None, through) -> Outside:
    names: dict[str, set] = {}
    for chain in sorted(chains):
        if chain and hasattr(module, chain[0]):
            names.setdefault(chain[0], set()).add(chain[1:])
    found = _read({name: getattr(module, name) for name in names}, names, kept, through)
    # Under another name anything of the module may be read: never the same as what was read at another time.
    return found if () not in chains else Outside(found.values | {ANYTHING: object()}, found.inner)


def body_of(value) -> types.FunctionType | None:
    """The plain function of a function, compiled or not, of a user; None of all else, and where nothing can change."""
    if isinstance(value, types.FunctionType) and INSTALLED.search(value.__code__.co_filename):
        return None
    for holder in (value, getattr(value, "_dispatcher", None)):
        for name in ("py_func", "_pyfunc"):
            value = getattr(holder, name, value)
    if not isinstance(value, types.FunctionType) or hasattr(value, FINGERPRINT):
        return None
    return None if (value.__module__ or "").partition(".")[0] in SETTLED else value


def can_be_kept(value) -> bool:
    """Whether a module or function can be made anew with what it read: a plain function, or one of numba.njit."""
    return isinstance(value, (types.FunctionType, types.ModuleType)) or is_compiled(value)


_MISSING = object()


def _value(function: types.FunctionType, name: str):
    """What a name refers to outside of a function; `_MISSING` for builtins and for what is not there yet."""
    if name in function.__code__.co_freevars:
        return content((function.__closure__ or ())[function.__code__.co_freevars.index(name)])
    return function.__globals__.get(name, _MISSING)


def content(cell: types.CellType):
    try:
        return cell.cell_contents
    except ValueError:  # what the enclosing function is still to make
        return _MISSING


def _names(code: types.CodeType) -> dict[str, set[tuple[str, ...]]]:
    """The names that code reads from outside, functions inside of it included, with the attributes read of each."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for part in _codes(code):
        instructions = [item for item in dis.get_instructions(part) if item.opname not in ("CACHE", "EXTENDED_ARG")]
        for k, item in enumerate(instructions):
            outer = item.opname in ("LOAD_DEREF", "LOAD_CLASSDEREF") and item.argval in code.co_freevars
            if outer or item.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                found.setdefault(item.argval, set()).add(_attributes(instructions[k + 1 :]))
    return found


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _attributes(instructions: list) -> tuple[str, ...]:
    """The attributes that are read one after the other of what was just loaded."""
    chain = []
    for item in instructions:
        if item.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            break
        chain.append(item.argval)
    return tuple(chain)


def _items(value) -> Iterator:
    yield value
    if isinstance(value, tuple):
        for item in value:
            yield from _items(item)


def _is_data(value) -> bool:
    return all(isinstance(item, (*CONSTANTS, *MUTABLE, tuple)) for item in _items(value))


def is_settled(value) -> bool:
    """Whether this is a module or a function of a package that does not change."""
    if _is_data(value) or not (isinstance(value, types.ModuleType) or callable(value)):
        return False
    name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return isinstance(name, str) and name.partition(".")[0] in SETTLED


def _key(value):
    if isinstance(value, tuple):
        return type(value), tuple(_key(item) for item in value)
    return (type(value), repr(value)) if isinstance(value, CONSTANTS) else id(value)
