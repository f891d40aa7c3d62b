"""The units of a run: pieces that do not depend on each other's progress, so that a run can be cut anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from iterorder.orders import FORWARD, Order, Window

#: Iterates that are carried side by side, and bytes that their states may take: measured on small networks, where the
#: time of a step stops falling at about 64 and rises when the states leave the cache of a core.
MOST_ROWS, BLOCK_BYTES = 64, 2**23
#: The same of a model whose steps are as fast for thousands, as those of small networks on a GPU: there a step is as
#: long as its launches, 1.8 ms for 64 replicas and for 4096 on an H200.
MANY_ROWS, MANY_BYTES = 4096, 2**30
#: Iterates that are carried side by side where even so many exceed the bytes: a stretch of all n of a large network
#: pays for one more iterate at its end, the neighbour of the next one.
LEAST_ROWS = 8


@dataclass(frozen=True)
class Unit:
    """The iterates of some saved steps of one run, or of several runs that go forward side by side.

    Attributes
    ----------
    number : int
        Its place in the plan.
    kind : {"forward", "backward", "sliding"}
        How its iterates are computed.
    runs : tuple of int
        Numbers start·n_sequences + sequence.
    first, last : int
        It owns save_steps[first:last].
    extra : bool
        One more iterate, of the saved step after its last one, which follows that one: for the move between them.
    """

    number: int
    kind: str
    runs: tuple[int, ...]
    first: int
    last: int
    extra: bool

    @property
    def rows(self) -> slice:
        """The saved steps whose iterates it computes."""
        return slice(self.first, self.last + self.extra)


def anchor_of(order: Order) -> int:
    """The step from whose forward iterate maps are composed backward: 0 in the backward order."""
    return order.start if isinstance(order, Window) and order.start is not None else 0


def width_of(order: Order) -> int:
    """The width of a sliding window; 0 in other orders."""
    return order.width if isinstance(order, Window) and order.width is not None else 0


def _limits(many_side_by_side: bool) -> tuple[int, int]:
    """Iterates that are carried side by side at most, and bytes that their states may take."""
    return (MANY_ROWS, MANY_BYTES) if many_side_by_side else (MOST_ROWS, BLOCK_BYTES)


def rows_for(bytes_per_replica: int, many_side_by_side: bool = False) -> int:
    """Iterates that are carried side by side: a function of the model alone, as bits may depend on it."""
    most, room = _limits(many_side_by_side)
    return max(LEAST_ROWS, min(most, room // max(1, bytes_per_replica)))


def is_large(bytes_per_replica: int, many_side_by_side: bool = False) -> bool:
    """Whether saved steps that are not neighbours are better taken one at a time, from coarse to fine."""
    return LEAST_ROWS * bytes_per_replica > _limits(many_side_by_side)[1]


def planned(
    order: Order, saves: np.ndarray, n_runs: int, bytes_per_replica: int, many_side_by_side: bool = False
) -> list[Unit]:
    """All units of a run, in the order of their numbers."""
    units: list[Unit] = []
    size = rows_for(bytes_per_replica, many_side_by_side)
    if order == FORWARD:
        for first in range(0, n_runs, size):
            runs = tuple(range(first, min(first + size, n_runs)))
            units.append(Unit(len(units), "forward", runs, 0, len(saves), False))
        return units
    kind = "sliding" if width_of(order) else "backward"
    split = int(np.searchsorted(saves, anchor_of(order), side="right")) if anchor_of(order) else 0
    for run in range(n_runs):
        if split:
            units.append(Unit(len(units), "forward", (run,), 0, split, _is_followed(saves, split)))
        for first, last in _blocks(saves, split, size, is_large(bytes_per_replica, many_side_by_side)):
            units.append(Unit(len(units), kind, (run,), first, last, _is_followed(saves, last)))
    return units


def _is_followed(saves: np.ndarray, last: int) -> bool:
    return last < len(saves) and bool(saves[last] == saves[last - 1] + 1)


def _blocks(saves: np.ndarray, first: int, size: int, apart: bool) -> list[tuple[int, int]]:
    """Stretches of at most `size` saved steps; `apart` keeps those that are no neighbours in different ones."""
    edges = [first]
    if apart:
        edges += (first + 1 + np.flatnonzero(np.diff(saves[first:]) != 1)).tolist()
    edges.append(len(saves))
    blocks = []
    for low, high in pairwise(edges):
        blocks += [(start, min(start + size, high)) for start in range(low, high, size)]
    return blocks


def coarse_to_fine(units: list[Unit]) -> list[Unit]:
    """The last and the first first, then ever finer: an interrupted run is a coarse one that is complete."""
    bits = max(1, (len(units) - 1).bit_length())

    def place(number: int) -> tuple[bool, int]:
        return number not in (0, len(units) - 1), int(f"{number:0{bits}b}"[::-1], 2)

    return sorted(units, key=lambda unit: place(unit.number))


def _walked(rows: np.ndarray, width: int) -> int:
    """Steps forward between the first window of some saved steps and the last one."""
    return int(max(rows[-1] - width, 0) - max(rows[0] - width, 0))


def steps_of(unit: Unit, order: Order, saves: np.ndarray) -> int:
    """Gradient steps of a unit, over all its iterates."""
    rows = saves[unit.rows]
    if unit.kind == "forward":
        return int(rows[-1]) * len(unit.runs)
    if unit.kind == "sliding":
        width = width_of(order)
        return _walked(rows, width) + int(np.minimum(rows, width).sum())
    return int((rows - anchor_of(order)).sum())


def calls_of(unit: Unit, order: Order, saves: np.ndarray) -> int:
    """Steps of a unit that are taken one after the other, each with all iterates that it has then."""
    rows = saves[unit.rows]
    if unit.kind == "forward":
        return int(rows[-1])
    if unit.kind == "sliding":
        width = width_of(order)
        return _walked(rows, width) + int(np.minimum(rows, width).max())
    return int(rows[-1] - anchor_of(order))


def gradients_of(order: Order, saves: np.ndarray) -> np.ndarray:
    """Gradient steps that one run needs for its saved steps up to each of them, shape (n_saved,)."""
    if order == FORWARD:
        return saves.copy()
    if width := width_of(order):
        return np.maximum(saves - width, 0) + np.cumsum(np.minimum(saves, width))
    anchor = anchor_of(order)
    return np.minimum(saves, anchor) + np.cumsum(np.maximum(saves - anchor, 0))
