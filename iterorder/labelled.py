"""Results with names on their axes, for xarray, pandas and ArviZ: labels, tables, and where numbers come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder._version import __version__
from iterorder.errors import InvalidInputError
from iterorder.maps import RandomMaps
from iterorder.maps.digest import digest_of
from iterorder.optional import imported

if TYPE_CHECKING:
    import pandas

#: The name of the states in data sets of ArviZ.
VARIABLE = "x"
#: What a data set says of the maps under a name of its own, where they have it.
SETTINGS = ("step_size", "ridge", "batch_size", "sampling")


def labels_of(maps: RandomMaps | None, dim: int, names: Sequence[str] | None = None) -> list[str] | np.ndarray:
    """Labels of the coordinates: those that are given, those that the maps have, or the numbers from 0 on."""
    if names is None:
        known = None if maps is None else maps.coordinate_names
        return np.arange(dim) if known is None else list(known)
    found = [names] if isinstance(names, str) else list(names)
    if len(found) != dim or not all(isinstance(name, str) for name in found) or len(set(found)) != dim:
        raise InvalidInputError(f"names is {names!r}: give {dim} different strings, one for each coordinate")
    return found


def attributes_of(maps: RandomMaps | None) -> dict[str, Any]:
    """What made the numbers: family, settings where there are some, a digest of the maps, and this version."""
    found: dict[str, Any] = {"version": __version__}
    if maps is not None:
        found |= {"family": type(maps).__name__, "maps": repr(maps), "digest": digest_of(maps)}
        inner = getattr(maps, "maps", maps)  # those of an optimiser
        for name in SETTINGS:
            if isinstance(value := getattr(inner, name, None), (float, int, str)):
                found[name] = value
    return found


def frame(columns: dict[str, Any], index: dict[str, np.ndarray]) -> pandas.DataFrame:
    """A table of pandas with named levels in its index; as many rows as the index has."""
    pandas = imported("pandas", extra="store", use="to_dataframe")
    if both := columns.keys() & index.keys():
        raise InvalidInputError(
            f"a coordinate has the name {min(both)!r}, as has a level of the index: give other names by names="
        )
    if len(index) == 1:
        ((name, values),) = index.items()
        return pandas.DataFrame(columns, index=pandas.Index(values, name=name))
    return pandas.DataFrame(columns, index=pandas.MultiIndex.from_product(list(index.values()), names=list(index)))


def state_columns(labels: Sequence[str] | np.ndarray, states: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of states (…, dim): under their names, or x0, x1, … where they have none."""
    rows = states.reshape(-1, states.shape[-1])
    named = [name if isinstance(name, str) else f"{VARIABLE}{name}" for name in labels]
    return {name: rows[:, k] for k, name in enumerate(named)}


def inference_data(
    states: np.ndarray, draws: np.ndarray, labels: Sequence[str] | np.ndarray, attributes: dict[str, Any]
) -> Any:
    """Chains (chain, draw, dim) as ArviZ takes them: an InferenceData before its version 1, from then on a DataTree."""
    arviz = imported("arviz", extra="analysis", use="to_arviz")
    xarray = imported("xarray", extra="analysis", use="to_arviz")
    posterior = xarray.Dataset(
        {VARIABLE: (("chain", "draw", "dim"), states)},
        {"chain": np.arange(len(states)), "draw": draws, "dim": labels},
        attributes,
    )
    if "InferenceData" in vars(arviz):  # asked by hasattr, ArviZ 1.3 answers with another class and a warning
        return arviz.InferenceData(posterior=posterior)
    return xarray.DataTree.from_dict({"posterior": posterior})
