"""Families of maps as names, numbers and arrays, for files: no code, and no class or function but the known ones."""

from __future__ import annotations

import dataclasses

import numpy as np

from iterorder.maps import gallery
from iterorder.maps.base import RandomMaps
from iterorder.maps.custom import CustomMaps
from iterorder.maps.family import FAMILIES, family_of
from iterorder.maps.loss import Loss
from iterorder.maps.losses import LOSSES


def is_described(maps: RandomMaps) -> bool:
    """Whether a file can hold all of these maps: they have no code of a user, or that of the gallery."""
    inner = getattr(maps, "maps", maps)  # those of an optimiser
    return not maps.holds_functions or inner.origin is not None


def described(maps: RandomMaps, prefix: str) -> tuple[dict, dict[str, np.ndarray]]:
    """What rebuilds maps: family and parameters, arrays by names that begin with the prefix, and who made them.

    Maps of the gallery are told by the name of their function and its arguments, and those without code in both ways:
    they are read by older versions, too.
    """
    made = {} if maps.origin is None else {"gallery": {"name": maps.origin[0], "arguments": maps.origin[1]}}
    if made and maps.holds_functions:
        return {"family": None, "parameters": {}, **made}, {}
    family = family_of("maps", maps)
    parameters: dict[str, object] = {}
    arrays: dict[str, np.ndarray] = {}
    for item in dataclasses.fields(family):  # type: ignore[arg-type]
        value = getattr(maps, item.name)
        if isinstance(value, np.ndarray):
            arrays[prefix + item.name] = value
        elif isinstance(value, RandomMaps):
            parameters[item.name], inner = described(value, f"{prefix}{item.name}.")
            arrays |= inner
        elif isinstance(value, Loss):
            parameters[item.name] = {"loss": value.name, "parameters": dict(value.parameters or {})}
        else:
            parameters[item.name] = value
    return {"family": family.__name__, "parameters": parameters, **made}, arrays


def rebuilt(description: dict, arrays: dict[str, np.ndarray], prefix: str) -> RandomMaps:
    """The maps of `described`."""
    if (made := description.get("gallery")) is not None:
        return gallery.made(made["name"], made["arguments"])
    family = FAMILIES.get(description["family"])  # no other class is looked up by a name in a file
    if family is None or family is CustomMaps:
        raise ValueError(f"unknown family {description['family']!r}")
    given: dict[str, object] = {}
    for name, array in arrays.items():
        if name.startswith(prefix) and "." not in name[len(prefix) :]:
            given[name[len(prefix) :]] = array
    for name, value in description["parameters"].items():
        if isinstance(value, dict) and "loss" in value:
            given[name] = LOSSES[value["loss"]](**value["parameters"])
        else:
            given[name] = rebuilt(value, arrays, f"{prefix}{name}.") if isinstance(value, dict) else value
    return family(**given)
