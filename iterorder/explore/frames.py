"""Frames: where all replicas are after n steps, in both orders, as counts in one binary message.

Little-endian: six uint32 (n, bins along the first and the second coordinate, 0 for none, replicas drawn outside in the
first and the second order, replicas), then eight float64 (mean and standard deviation of the first coordinate, then of
the second, forward and then in the other order), then the counts of forward and of the other order, uint32.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from iterorder.explore.view import View
from iterorder.maps import RandomMaps
from iterorder.simulate import simulate

#: Bins of a histogram on the line, and of a density along each coordinate.
LINE, PLANE = 128, 256
#: Where one range is more times longer than the other, equal axes would leave a thread: each has a scale of its own.
MOST_ELONGATED = 20.0
#: Replicas that the axes are chosen from, and the share of them that may lie outside on either side.
LOOKED_AT, TAIL = 20_000, 0.001


@dataclass(frozen=True)
class Scene:
    """A view whose maps are made: what is drawn, and on which axes."""

    view: View
    maps: RandomMaps
    start: np.ndarray
    coordinates: tuple[int, ...]
    ranges: tuple[tuple[float, float], ...]
    equal_axes: bool = False  # whether a unit has one length along both
    peak: float = 0.0  # largest share of a bin, forward at the end


def scene(view: View, maps: RandomMaps) -> Scene:
    """The axes of a view, from its start and forward states half way and at the end.

    Raises
    ------
    InvalidInputError
        If the start or a coordinate of the view is not one of the maps.
    """
    start, coordinates = view.starts(maps.dim), view.coordinates(maps.dim)
    saves = sorted({view.steps // 2, view.steps})
    replicas = min(view.replicas, LOOKED_AT)
    run = simulate(maps, start, view.steps, n_replicas=replicas, seed=view.seed, save_steps=saves, backend="cpu")
    ranges = tuple(_range(run.states[..., k], start[k]) for k in coordinates)
    seen = Scene(view, maps, start, coordinates, ranges, _comparable(ranges))
    return replace(seen, peak=float(counted(seen, run.states[:, -1]).max()) / replicas)


def _range(values: np.ndarray, start: float) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, [TAIL, 1.0 - TAIL])
    low, high = min(float(low), start), max(float(high), start)
    margin = 0.04 * (high - low) or max(1.0, abs(low)) / 2
    return low - margin, high + margin


def _comparable(ranges: tuple[tuple[float, float], ...]) -> bool:
    spans = [high - low for low, high in ranges]
    return len(spans) == 2 and max(spans) <= MOST_ELONGATED * min(spans)


def packed(seen: Scene, n: int, both: tuple[np.ndarray, np.ndarray]) -> bytes:
    """The binary message of the states after n steps, forward and in the other order."""
    bins = (LINE, 0) if len(seen.coordinates) == 1 else (PLANE, PLANE)
    counts = [counted(seen, found) for found in both]
    outside = [len(found) - int(count.sum()) for found, count in zip(both, counts, strict=True)]
    numbers = np.array([moments(seen, found) for found in both], dtype="<f8")
    head = np.array([n, *bins, *outside, seen.view.replicas], dtype="<u4")
    return b"".join([head.tobytes(), numbers.tobytes(), *(count.astype("<u4").tobytes() for count in counts)])


def moments(seen: Scene, found: np.ndarray) -> list[float]:
    """Mean and standard deviation of the drawn coordinates, over the replicas that are finite."""
    numbers: list[float] = []
    for k in (seen.coordinates * 2)[:2]:
        column = found[:, k]
        total = float(column.sum())  # one pass where all is well
        if not np.isfinite(total):
            column = column[np.isfinite(column)]
        numbers += [float(column.mean()), float(column.std())] if len(column) else [np.nan, np.nan]
    return numbers


def counted(seen: Scene, found: np.ndarray) -> np.ndarray:
    """Counts of equal bins over the ranges, along the first coordinate and then the second; what is outside is left."""
    bins = LINE if len(seen.coordinates) == 1 else PLANE
    place = np.zeros(len(found), dtype=np.int64)
    inside = np.ones(len(found), dtype=bool)
    for k, (low, high) in zip(seen.coordinates, seen.ranges, strict=True):
        scaled = (found[:, k] - low) * (bins / (high - low))
        inside &= (scaled >= 0.0) & (scaled < bins)  # false for NaN
        place = place * bins + np.where(inside, scaled, 0.0).astype(np.int64)
    return np.bincount(place[inside], minlength=bins ** len(seen.coordinates))
