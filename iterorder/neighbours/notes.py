"""What a measure of this folder is: a function, and a note for each number that it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import Body
from iterorder.maps.base import RandomMaps
from iterorder.maps.descent import SGDMaps
from iterorder.shown import a_kind


class Entry(NamedTuple):
    """A measure, and for each number of it a name in words, units and dimensions."""

    function: Callable[..., dict[str, Any]]
    notes: dict[str, dict[str, Any]]


def note(text: str, units: str = "1", dims: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a number is."""
    return {"long_name": text, "units": units, "dims": dims}


def as_sgd(maps: RandomMaps, measure: str) -> SGDMaps:
    """Maps that are steps of SGD, with gradients and Hessians by item."""
    if not isinstance(maps, SGDMaps):
        raise InvalidInputError(f"{measure} needs steps of SGD on quadratic or regression losses, got {a_kind(maps)}")
    return maps


def parameters_of(maps: RandomMaps, step: Callable, measure: str, system: str) -> tuple:
    """The parameters of maps with that step, which a measure is of."""
    form = maps.form()
    if not isinstance(form, Body) or form.step.__code__ is not step.__code__:  # maps keep a copy of the function
        raise InvalidInputError(f"{measure} is of another system, got {a_kind(maps)}: give neighbours.{system}")
    return form.params


def item_maps(maps: SGDMaps) -> np.ndarray:
    """The gradients of quadratic losses as matrices: g_i(x) = G_i (x, 1), shape (n, d, d+1).

    Raises
    ------
    InvalidInputError
        If a gradient is not affine.
    """
    dim, zero = maps.dim, np.zeros(maps.dim)
    offset = maps.gradients(zero)
    slopes = np.stack([maps.gradients(axis) - offset for axis in np.eye(dim)], axis=2)
    probe = 1.0 + np.arange(dim, dtype=np.float64)
    there, expected = maps.gradients(probe), slopes @ probe + offset
    # Each product and sum of d+1 terms rounds at most so often, relative to the sum of their sizes.
    sizes = (np.abs(slopes) @ probe + np.abs(offset)).max() + np.abs(there).max()
    if np.abs(there - expected).max() > 64 * (dim + 4) * np.finfo(float).eps * sizes:
        raise InvalidInputError("the losses are not quadratic: give QuadraticSGD or LinearRegressionSGD")
    return np.concatenate([slopes, offset[:, :, None]], axis=2)
