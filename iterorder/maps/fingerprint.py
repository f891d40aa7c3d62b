"""What a function of a user computes, as a digest: the same in every process for the same code and the same numbers.

Compiled kernels that enclose such a function are kept on disk under this name.
"""

from __future__ import annotations

import hashlib
import types

import numpy as np

from iterorder.forms import FINGERPRINT, is_compiled
from iterorder.maps.outside import CONSTANTS, Outside, body_of, is_settled, read_outside


class _Unknown(Exception):
    """Something that is read from outside of which nobody can tell whether it will be the same."""


def fingerprint(function: types.FunctionType, outside: Outside) -> str:
    """SHA-256 of the code of a function and of all that it reads from outside; "" where not all of that can be told.

    The place of the function does not count, nor does the file that it stands in.
    """
    try:
        described = _function(function, outside, ())
    except _Unknown:
        return ""
    return hashlib.sha256(repr(described).encode()).hexdigest()


def _function(function: types.FunctionType, outside: Outside, through: tuple) -> tuple:
    through = (*through, function)
    named = tuple((name, _value(value)) for name, value in sorted((function.__kwdefaults__ or {}).items()))
    return _code(function.__code__), _value(function.__defaults__), named, _read(outside, through)


def _code(code: types.CodeType) -> tuple:
    constants = tuple(_code(item) if isinstance(item, types.CodeType) else _value(item) for item in code.co_consts)
    names = code.co_names, code.co_varnames, code.co_freevars
    shape = code.co_argcount, code.co_kwonlyargcount, code.co_flags
    return code.co_code.hex(), code.co_exceptiontable.hex(), names, shape, constants


def _read(outside: Outside, through: tuple) -> tuple:
    found = sorted(outside.values.items())
    return tuple((name, _outer(value, outside.inner.get(name), through)) for name, value in found)


def _outer(value, inner: Outside | None, through: tuple) -> tuple:
    if isinstance(value, types.ModuleType) and inner is not None:
        return ("module", _read(inner, through))
    body = body_of(value)
    if body is None:
        return _value(value)
    if body in through:
        return "itself", through.index(body)
    if not is_compiled(value):  # of vectorize, cfunc and overload, the code of the function is not all
        raise _Unknown
    options = sorted(value.targetoptions.items())
    kinds = None if getattr(value, "_can_compile", True) else value.nopython_signatures
    return "function", repr(options), repr(kinds), _function(body, inner or read_outside(body), through)


def _value(value) -> tuple:
    if isinstance(value, tuple):
        return type(value).__qualname__, getattr(value, "_fields", ()), *map(_value, value)
    if isinstance(value, frozenset):
        return ("frozenset", *sorted(map(_value, value)))
    if isinstance(value, CONSTANTS) or value is ...:
        return type(value).__name__, repr(value)
    if isinstance(value, np.ufunc):
        return "ufunc", value.__name__
    if found := getattr(value, FINGERPRINT, ""):
        return "function", found
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if is_settled(value) and isinstance(name, str):
        return "settled", getattr(value, "__module__", ""), name
    raise _Unknown
