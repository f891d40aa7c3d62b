"""Families of maps as names, numbers and arrays, for files: no code, and no class but the known ones."""

from __future__ import annotations

import dataclasses

import numpy as np

from iterorder.maps.base import RandomMaps
from iterorder.maps.custom import CustomMaps
from iterorder.maps.family import FAMILIES, family_of
from iterorder.maps.loss import Loss
from iterorder.maps.losses import LOSSES


def described(maps: RandomMaps, prefix: str) -> tuple[dict, dict[str, np.ndarray]]:
    """What rebuilds a family of maps: its name and parameters, and its arrays by names that begin with the prefix."""
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
    return {"family": family.__name__, "parameters": parameters}, arrays


def rebuilt(description: dict, arrays: dict[str, np.ndarray], prefix: str) -> RandomMaps:
    """The maps of `described`."""
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
