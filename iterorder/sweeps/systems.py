"""Systems by names and numbers: what a configuration file can ask for. Nothing is looked up but in these tables."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from iterorder.datasets import breast_cancer, diabetes
from iterorder.errors import InvalidInputError
from iterorder.maps import (
    AffineMaps,
    GaussianRegressionSGD,
    LinearModelSGD,
    LinearRegressionSGD,
    LogisticRegressionSGD,
    Optimizer,
    QuadraticSGD,
    RandomMaps,
    gallery,
)
from iterorder.maps.descent import SGDMaps
from iterorder.neighbours import SYSTEMS as OF_NEIGHBOURS
from iterorder.sweeps.training import network
from iterorder.validation import as_float, as_int, did_you_mean

FAMILIES: Mapping[str, Callable[..., RandomMaps]] = MappingProxyType(
    {
        "AffineMaps": AffineMaps,
        "GaussianRegressionSGD": GaussianRegressionSGD,
        "LinearModelSGD": LinearModelSGD,
        "LinearRegressionSGD": LinearRegressionSGD,
        "LogisticRegressionSGD": LogisticRegressionSGD,
        "QuadraticSGD": QuadraticSGD,
        **{
            f"gallery.{name}": getattr(gallery, name)
            for name in (
                "two_point_quadratic",
                "bernoulli_convolution",
                "sierpinski",
                "barnsley_fern",
                "ar1",
                "arcsine",
                "vervaat",
                "reflected_walk",
                "cyclic_walk",
                "double_well",
            )
        },
        **{f"neighbours.{name}": made for name, made in OF_NEIGHBOURS.items()},
    }
)
#: What a sweep can be of: random maps, and networks, which are trained by the measure `training` alone.
SYSTEMS: Mapping[str, Callable[..., Any]] = MappingProxyType({**FAMILIES, "network": network})
#: Families whose items are rows of a data set.
OF_ROWS = ("LinearModelSGD", "LinearRegressionSGD", "LogisticRegressionSGD")
DATA_ARGUMENTS = ("features", "targets", "labels")
OPTIMIZER = ("momentum", "weight_decay", "schedule", "horizon")
#: Of the data set "normal": points, dimension, noise of the targets, spread of the features' variances, and seed.
OF_NORMAL = ("n_points", "dim", "noise_std", "condition", "data_seed")
DATA = ("breast_cancer", "diabetes", "normal")


def make_system(family: str, **parameters) -> Any:
    """The maps of a family by its name.

    Parameters
    ----------
    family : str
        A key of `SYSTEMS`: a family of the library, a gallery system such as "gallery.ar1", or "network".
    **parameters
        Arguments of the family; ``data`` instead of features and targets, with the options of the data set; and those
        of `Optimizer`, around SGD.

    Raises
    ------
    InvalidInputError
        If a name is not known, or a value not accepted.

    Examples
    --------
    >>> make_system("LinearRegressionSGD", data="normal", n_points=20, dim=3, step_size=0.1, momentum=0.9).dim
    6
    """
    given = dict(parameters)
    _check(family, given.keys())
    rows = data_set(given.pop("data", ""), _popped(given, OF_NORMAL)) if family in OF_ROWS else None
    return made(family, rows, given)


def made(family: str, rows: tuple[np.ndarray, np.ndarray] | None, parameters: Mapping[str, Any]) -> Any:
    """The maps of a family from checked names; those `OF_ROWS` take features (n, d) and targets (n,)."""
    given = dict(parameters)
    outer = {name: given.pop(name) for name in OPTIMIZER if name in given}
    if rows is not None:
        given["features"], given["targets"] = rows
        if family == "LogisticRegressionSGD":
            given["labels"] = np.where(given.pop("targets") > 0, 1.0, -1.0)
    try:
        maps = SYSTEMS[family](**given)
    except TypeError as error:
        raise InvalidInputError(f"{family} cannot be made: {error}") from None
    if outer:
        if not isinstance(maps, SGDMaps):
            raise InvalidInputError(f"{next(iter(outer))} is an option of an optimiser, and {family} is no SGD")
        return Optimizer(maps, **outer)
    return maps


def needed_by(family: str) -> tuple[str, ...]:
    """The parameters without a default, but for data."""
    parameters = inspect.signature(FAMILIES[family]).parameters.values()
    without = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    return tuple(name for name in without if family not in OF_ROWS or name not in DATA_ARGUMENTS)


def names_of(family: str) -> frozenset[str]:
    """The parameters that a family takes in a configuration."""
    names = set(inspect.signature(SYSTEMS[family]).parameters)
    if family in OF_ROWS:
        names -= set(DATA_ARGUMENTS)
        names |= {"data", *OF_NORMAL}
    if isinstance(SYSTEMS[family], type) and issubclass(SYSTEMS[family], SGDMaps):  # type: ignore[arg-type]
        names |= set(OPTIMIZER)
    return frozenset(names)


def _check(family, names) -> None:
    if family not in SYSTEMS:
        meant = did_you_mean(family, SYSTEMS)
        raise InvalidInputError(f"family is {family!r}: give one of {', '.join(SYSTEMS)}{meant}")
    known = names_of(family)
    for name in names:
        if name not in known:
            what = f"{name} is no parameter of {family}: give one of {', '.join(sorted(known))}"
            raise InvalidInputError(f"{what}{did_you_mean(name, known)}")


def _popped(given: dict[str, Any], names: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, given.pop(name)) for name in names if name in given)


@cache
def data_set(name: str, options: tuple[tuple[str, Any], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) and targets (n,) of a data set by its name."""
    if name not in DATA:
        raise InvalidInputError(f"data is {name!r}: give one of {', '.join(DATA)}{did_you_mean(name, DATA)}")
    if name != "normal":
        if options:
            raise InvalidInputError(f"{options[0][0]} is an option of data = 'normal', and data is {name!r}")
        return diabetes() if name == "diabetes" else breast_cancer()
    return _normal(**dict(options))


def _normal(n_points=100, dim=2, noise_std=1.0, condition=1.0, data_seed=0) -> tuple[np.ndarray, np.ndarray]:
    """Normal features with variances from 1 down to 1/condition, targets their sum and normal noise."""
    n_points = as_int("n_points", n_points, low=1, high=10**7)
    dim = as_int("dim", dim, low=1, high=10**5)
    condition = as_float("condition", condition, low=1.0)
    noise_std = as_float("noise_std", noise_std, low=0.0)
    noise = np.random.default_rng(as_int("data_seed", data_seed, low=0, high=2**63))
    scales = np.sqrt(np.geomspace(1.0, 1.0 / condition, dim))
    features = noise.normal(size=(n_points, dim)) * scales
    return features, features.sum(axis=1) + noise_std * noise.normal(size=n_points)
