"""Dropout as a function of (seed, sequence, step): the factors of units, 0 or 1/(1 − rate)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iterorder import noise
from iterorder.errors import InvalidInputError
from iterorder.networks.step_noise import StepNoise
from iterorder.types import DTypeLike
from iterorder.validation import as_float


def as_rate(value: Any) -> float:
    """The probability that a unit is dropped."""
    rate = as_float("dropout", value, low=0.0)
    if rate >= 1.0:
        raise InvalidInputError(f"dropout is {value!r}: give a probability in [0, 1)")
    return rate


def dropout_factors(
    step_noise: StepNoise, rates: Sequence[float], n_slots: int, shapes: Sequence[tuple[int, ...]], dtype: DTypeLike
) -> list[NDArray[Any]]:
    """What the units of each layer are multiplied by in one step.

    Parameters
    ----------
    step_noise : StepNoise
        The place of the words: seed, sequence and step.
    rates : sequence of float in [0, 1), one for each layer
        A unit is dropped where its word is below round(2³²·rate): with that probability up to 2⁻³³.
    n_slots : int
        The batch size.
    shapes : sequence of tuple of int
        Of the units of one item, for each layer.
    dtype : dtype
        Of the factors.

    Returns
    -------
    list of ndarray, shape (n_slots, *shape) or (R, n_slots, *shape)
        Entry j of the step reads word j; entries count layers, slots and units, in this order.

    Examples
    --------
    >>> dropout_factors(StepNoise(1, 0, 0), [0.5], 2, [(3,)], np.float64)[0].tolist()
    [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """
    sizes = [n_slots * math.prod(shape) for shape in shapes]
    words = step_noise.words(noise.DROPOUT, sum(sizes))
    found, used = [], 0
    for rate, size, shape in zip(rates, sizes, shapes, strict=True):
        part = words[..., used : used + size]
        factors = np.where(part < np.uint64(round(rate * 2**32)), 0.0, 1.0 / (1.0 - rate)).astype(dtype)
        found.append(factors.reshape(*words.shape[:-1], n_slots, *shape))
        used += size
    return found
