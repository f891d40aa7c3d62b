"""Functions of users whose names mean what a target offers: its own `math.exp`, helpers compiled for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, CellType, FunctionType, ModuleType

import numpy as np


def rebound(function: FunctionType, replaced: Callable) -> FunctionType:
    """The same code, in which ``replaced(value, names)`` stands for each value that it reads from outside.

    `names` are those that the code looks up in namespaces: of a module, no others matter.
    """
    names = function.__code__.co_names
    cells = function.__closure__ or ()
    closure = tuple(CellType(replaced(cell.cell_contents, names)) if _is_filled(cell) else cell for cell in cells)
    found = {name: replaced(value, names) for name, value in function.__globals__.items() if name in names}
    made = FunctionType(
        function.__code__, {**function.__globals__, **found}, function.__name__, function.__defaults__, closure
    )
    made.__kwdefaults__, made.__module__ = function.__kwdefaults__, function.__module__
    vars(made).update(vars(function))  # what it computes, by which kernels are kept
    return made


def _is_filled(cell) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def of_library(value, names: tuple[str, ...], own: Mapping[str, Callable]):
    """What stands for `math`, NumPy or one of their functions; a module only where one of `own` is read of it."""
    if value is math or value is np:
        if not any(name in names for name in own):
            return value
        return with_names(value, own)
    if isinstance(value, (np.ufunc, BuiltinFunctionType)):
        return next(
            (own[name] for name in own if value is getattr(math, name, own) or value is getattr(np, name, own)), value
        )
    return value


def with_names(module: ModuleType, names: Mapping[str, object]) -> ModuleType:
    """A module with these names besides its own."""
    made = ModuleType(module.__name__)
    made.__dict__.update({**vars(module), **names})
    return made
