"""What a sweep computes, as text: two sweeps with the same text have the same results, cell by cell."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import sys
import types

import numpy as np

from iterorder.maps.base import RandomMaps
from iterorder.orders import Window

#: How deep functions and containers are followed.
DEPTH = 40
#: What classes hold that no result depends on.
UNTOLD = frozenset(
    f"__{name}__" for name in ("dict", "weakref", "doc", "module", "firstlineno", "static_attributes", "annotations")
)
#: What has a name of its own, where other values have that of their class.
NAMED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, np.ufunc)
#: How long a value is shown where two configurations differ.
SHOWN = 120


def digest(text: str) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(content) -> str:
    """JSON with sorted keys and no spaces: equal contents have equal texts."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def described_function(function) -> dict[str, str]:
    """The name of a function and a digest of what it computes.

    The digest covers the code, its defaults, what it encloses, and the functions, classes, arrays, tables and other
    objects of its own module that it reads, in turn; of other packages the names alone. Of an object counts what pickle
    would keep of it, and its name alone where that is nothing, as of an open file. Where the source is does not count.
    """
    seen: list[object] = []
    return {"name": _name(function), "digest": digest(repr(_told(function, seen, 0)))}


def _name(function) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__qualname__", type(function).__name__)  # the same in a script and in a module


def _told(value, seen: list, depth: int):
    """A value as nested tuples of texts and numbers, which are the same in every process."""
    if value is None or value is ... or isinstance(value, (bool, int, float, complex, str, bytes, Window)):
        return type(value).__name__, repr(value)
    if any(value is other for other in seen) or depth > DEPTH:
        return "again", next((k for k, other in enumerate(seen) if value is other), -1)
    if isinstance(value, np.generic):
        return "number", value.dtype.str, value.tobytes().hex()
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return "array", value.shape, _told(value.ravel().tolist(), seen, depth + 1)
        return "array", value.dtype.str, value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    seen.append(value)
    deeper = functools.partial(_told, seen=seen, depth=depth + 1)
    if isinstance(value, types.FunctionType):
        return _function(value, deeper)
    if isinstance(value, types.MethodType):
        return "method", deeper(value.__self__), deeper(value.__func__)
    if isinstance(value, types.CodeType):
        return _code(value, deeper)
    if isinstance(value, functools.partial):
        return "partial", deeper(value.func), deeper(value.args), deeper(value.keywords)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, tuple(map(deeper, value))
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, tuple(sorted(repr(deeper(item)) for item in value))
    if isinstance(value, dict):
        return "dict", tuple((repr(key), deeper(item)) for key, item in sorted(value.items(), key=lambda i: repr(i[0])))
    if isinstance(value, RandomMaps) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        held = {key: item for key, item in sorted(vars(value).items()) if key != "sampling_law"}
        return type(value).__qualname__, deeper(held)
    if hasattr(value, "py_func"):  # compiled by Numba
        return "compiled", deeper(value.py_func)
    if isinstance(value, type):
        return _class(value, deeper) if _is_of_user(value.__module__) else _by_name(value)
    return _object(value, deeper)


def _class(kind: type, deeper):
    """The functions and values of a class, and those of the classes of the user that it comes from."""
    held = {
        name: getattr(value, "__func__", value)  # of a static or class method
        for name, value in vars(kind).items()
        if name not in UNTOLD
    }
    told = tuple((name, _property(value, deeper)) for name, value in sorted(held.items()))
    return "class", kind.__qualname__, told, tuple(map(deeper, kind.__bases__))


def _property(value, deeper):
    if isinstance(value, functools.cached_property):
        return deeper(value.func)
    return tuple(map(deeper, (value.fget, value.fset))) if isinstance(value, property) else deeper(value)


def _object(value, deeper):
    """What pickle would keep of an object: how it is made, and its state."""
    try:
        kept = value.__reduce_ex__(2)
    except Exception:  # objects answer with any error that they have no content to keep
        return _by_name(value)
    if isinstance(kept, str):
        return "global", kept
    made, arguments, state, items, pairs = (*kept, *[None] * 3)[:5]
    content = list(items or ()), list(pairs or ())
    # The function that makes it is one of pickle, or of its package: the name is enough.
    return "object", _by_name(made), deeper(type(value)), deeper(list(arguments)), deeper(state), deeper(content)


def _is_of_user(module: str) -> bool:
    """Whether a module is neither Python's nor that of an installed package, whose version speaks for it."""
    if module == "__main__":
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    installed = file is None or "site-packages" in file or "dist-packages" in file
    return not installed and module.partition(".")[0] not in {*sys.stdlib_module_names, "iterorder"}


def _by_name(value):
    """What has no content of its own here: modules, classes and functions of C, and objects that nobody can read."""
    owner = value if isinstance(value, NAMED) else type(value)
    return "named", getattr(owner, "__module__", ""), getattr(owner, "__qualname__", getattr(owner, "__name__", ""))


def _function(function: types.FunctionType, deeper):
    own = (function.__module__ or "").partition(".")[0]
    if own in ("iterorder", "numpy", "scipy", "numba", "sklearn", "functools", "math"):
        return _by_name(function)  # their version is part of the configuration, or beyond it
    read = _names_of(function.__code__)
    outside = tuple((name, deeper(function.__globals__[name])) for name in sorted(read & function.__globals__.keys()))
    cells = tuple(_cell(cell, deeper) for cell in function.__closure__ or ())
    defaults = deeper(function.__defaults__), deeper(function.__kwdefaults__)
    return "function", _code(function.__code__, deeper), defaults, cells, outside


def _cell(cell, deeper):
    try:
        return deeper(cell.cell_contents)
    except ValueError:  # not yet filled
        return ("empty",)


def _names_of(code: types.CodeType) -> set[str]:
    """The names that a function and those inside of it read from outside."""
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names_of, inner))


def _code(code: types.CodeType, deeper):
    constants = tuple(_code(c, deeper) if isinstance(c, types.CodeType) else deeper(c) for c in code.co_consts)
    return code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars, code.co_argcount, constants


def differences(before, now, name: str = "") -> list[str]:
    """Where two configurations differ, each as ``name: before, now``.

    Examples
    --------
    >>> differences({"seed": 1, "grid": [0.1]}, {"seed": 2, "grid": [0.1]})
    ['seed: 1 in the folder, 2 now']
    """
    if isinstance(before, dict) and isinstance(now, dict):
        if before.keys() == now.keys() == {"name", "digest"}:  # of `described_function`
            return _changed_function(before, now, name)
        found: list[str] = []
        for key in sorted(before.keys() | now.keys(), key=str):
            found += differences(before.get(key), now.get(key), f"{name}.{key}" if name else str(key))
        return found
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        changed = [
            part for k, pair in enumerate(zip(before, now, strict=True)) for part in differences(*pair, f"{name}[{k}]")
        ]
        return changed if len(changed) <= 3 else [*changed[:3], f"and {len(changed) - 3} more in {name}"]
    return [] if before == now else [f"{name}: {_short(before)} in the folder, {_short(now)} now"]


def _changed_function(before: dict[str, str], now: dict[str, str], place: str) -> list[str]:
    """In words: a digest tells nobody anything."""
    if before["name"] != now["name"]:
        return [f"{place}: `{before['name']}` in the folder, `{now['name']}` now"]
    same = before["digest"] == now["digest"]
    return [] if same else [f"the code of `{now['name']}`, or what it reads, has changed"]


def _short(value) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
