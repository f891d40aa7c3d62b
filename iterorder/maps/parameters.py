"""What custom maps are given beside their function: the noise of a step, arrays and numbers."""

from __future__ import annotations

import numbers

import numpy as np

from iterorder.arrays import as_array
from iterorder.errors import InvalidInputError
from iterorder.sampling import FreshNoise, Sampling
from iterorder.shown import a_kind
from iterorder.validation import as_int, read_only


def law_of(noise: str, noise_dim, n_maps) -> Sampling | FreshNoise:
    """How a step draws, from the arguments of `CustomMaps`."""
    if n_maps is None and noise.startswith("index"):
        raise InvalidInputError(f"n_maps is missing with noise={noise!r}: give n_maps=, the number of maps")
    if n_maps is not None and not noise.startswith("index"):
        raise InvalidInputError(
            f"n_maps is {n_maps!r} with noise={noise!r}: leave it out, or give noise='index' or 'index+normal'"
        )
    if noise == "index":
        if noise_dim != 1:
            raise InvalidInputError(f"noise_dim is {noise_dim!r} with noise='index': a draw is one integer")
        return Sampling.validated(as_int("n_maps", n_maps, low=1, high=2**31 - 1))
    return FreshNoise.validated(noise, noise_dim, n_maps)


def params_of(params) -> tuple:
    """Numbers as they are, and read-only copies of arrays, as floats or as integers."""
    if not isinstance(params, (tuple, list)):
        raise InvalidInputError(f"params is {a_kind(params)}: give a tuple of arrays and numbers")
    return tuple(_parameter(k, value) for k, value in enumerate(params))


def _parameter(k: int, value):
    if isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"params[{k}] is {value!r}: give an array or a number, not a truth value")
    if isinstance(value, numbers.Integral):
        return as_int(f"params[{k}]", value, low=-(2**63), high=2**63 - 1)
    if isinstance(value, numbers.Real):
        return float(value)
    array = as_array(f"params[{k}]", value)
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(f"params[{k}] has dtype {array.dtype}: give real numbers")
    return read_only(array.astype(np.float64 if array.dtype.kind == "f" else np.int64))
