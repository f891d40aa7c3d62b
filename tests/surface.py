"""The public surface, found by inspection: what `__all__` and the reference name, with methods and properties."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
#: The rooms whose `__all__` users import from.
ROOMS = (
    "iterorder",
    "iterorder.maps.gallery",
    "iterorder.maps.losses",
    "iterorder.networks",
    "iterorder.plot",
    "iterorder.report",
    "iterorder.sweeps",
    "iterorder.types",
    "iterorder.wasserstein",
)


def listed() -> set[str]:
    """The dotted names that pages of the documentation draw from docstrings."""
    return {
        target
        for page in PAGES
        for target in re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    }


def public_objects() -> dict[str, object]:
    """Public functions and classes by their dotted names."""
    found: dict[str, object] = {}
    for place in {*ROOMS, *listed()}:
        try:
            value = _object(place)
        except ModuleNotFoundError as error:
            if error.name != "torch":  # which is optional: mypy reads those files
                raise
            continue
        members = [getattr(value, name) for name in _names(value)] if isinstance(value, ModuleType) else [value]
        for member in members:
            if callable(member) and getattr(member, "__module__", "").startswith("iterorder"):
                found[f"{member.__module__}.{member.__qualname__}"] = member
    return found


def _object(place: str) -> object:
    """The module or the member of a module of this dotted name."""
    try:
        return import_module(place)
    except ModuleNotFoundError as error:
        if error.name != place:
            raise
        module, _, name = place.rpartition(".")
        return getattr(import_module(module), name)


def _names(module: ModuleType) -> list[str]:
    """What a module offers: its `__all__`, else what it defines under a public name."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    return getattr(module, "__all__", [name for name in own if not name.startswith("_")])


def callables(name: str, value: object) -> Iterator[tuple[str, Callable]]:
    """A function, or what a class defines under public names, its way to be made and what operators call included."""
    if not inspect.isclass(value):
        yield name, value
        return
    for cls in value.__mro__:
        if not cls.__module__.startswith("iterorder"):
            continue
        for key, member in vars(cls).items():
            function = _function(member)
            if function is None or not Path(function.__code__.co_filename).is_relative_to(ROOT):
                continue  # written by dataclasses, or by typing
            if not key.startswith("_") or key.startswith("__"):
                yield f"{cls.__module__}.{cls.__qualname__}.{key}", function


def not_annotated(function: Callable) -> list[str]:
    """The parameters without a type, and "return" where what comes back has none."""
    signature = inspect.signature(function)
    bare = [p.name for p in signature.parameters.values() if p.annotation is p.empty and p.name not in ("self", "cls")]
    return bare + ["return"] * (signature.return_annotation is signature.empty)


def _function(member: object) -> Callable | None:
    """The function behind a member of a class; None of what is none."""
    if isinstance(member, property):
        return member.fget
    if isinstance(member, cached_property):
        return member.func
    member = inspect.unwrap(getattr(member, "__func__", member))
    return member if inspect.isfunction(member) else None
