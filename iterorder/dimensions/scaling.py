"""The slope of a curve on two logarithmic axes, and how far it can be from that of a power law."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

#: A part of the curve is as long as this share of it.
PART = 0.5


class Slope(NamedTuple):
    """A slope, and the largest distance from it of the slopes of other parts of the curve."""

    value: float
    departure: float


def slope_of(x: np.ndarray, y: np.ndarray) -> float:
    """That of the line of least squares."""
    away = x - x.mean()
    return float(away @ y / (away @ away))


def finer(count: int) -> slice:
    """The part of the curve whose slope counts: its first points are those of the finest scales."""
    return slice(0, _length(count))


def scaling_slope(x: np.ndarray, y: np.ndarray) -> Slope:
    """The slope of the finer half of the curve, and how far those of all other halves are from it.

    At coarse scales the curve knows the edge of the set. One that is similar to itself in steps goes up and down about
    its line with the logarithm of the scale (its lacunarity), and what is no power law bends: all of that shows as a
    difference between parts.
    """
    slopes = [slope_of(x[part], y[part]) for part in _parts(len(x))]
    return Slope(slopes[0], max(abs(slope - slopes[0]) for slope in slopes))


def _parts(count: int) -> Iterator[slice]:
    """Every half, the finest first."""
    length = _length(count)
    yield from (slice(first, first + length) for first in range(count - length + 1))


def _length(count: int) -> int:
    return max(3, int(np.ceil(PART * count)))
