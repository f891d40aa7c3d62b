"""States of one replica a team of eight threads: thread j holds every eighth coordinate, from the j-th on.

The sums are those of the processor's rows, in the same order: chains along a row, then the eight threads together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property

import numpy as np

from iterorder.kernels.bodies import sums
from iterorder.kernels.cpu.packing import lanes_of, padded
from iterorder.kernels.device.compilers import device_function, exchanged, place_in_team
from iterorder.kernels.device.states import WRITE, Differing, ThreadStates, tuple_of, written

TEAM = 8


@device_function
def halves_first(value):
    """The sum of eight threads in each of them: halves, quarters, then neighbours added, as `cpu.sums.total`."""
    value = value + exchanged(value, 4)
    value = value + exchanged(value, 2)
    return value + exchanged(value, 1)


@device_function
def neighbours_first(value):
    """The same in the other order, as `cpu.sums.sum_each`."""
    value = value + exchanged(value, 1)
    value = value + exchanged(value, 2)
    return value + exchanged(value, 4)


class TeamStates(ThreadStates):
    """`bodies.steps.States` whose tuples hold a thread's own numbers of each state, or row.

    Parameters
    ----------
    dim : int
        Of the positions.
    dtype : dtype
        Of the states.
    together : device function
        The sum of a number of each thread, in each.
    from_memory : bool
        Chains begin with zeros, as in `cpu.sums.long_partial_sums`: of four vectors that is another order.
    parts : int
        Two, where the velocity stands behind the position.
    """

    team = TEAM

    def __init__(self, dim: int, dtype: np.dtype, together: Callable, from_memory: bool, parts: int) -> None:
        super().__init__(padded(dim, dtype) // TEAM, dtype)
        self.columns, self.together, self.parts, self.zero = dim, together, parts, dtype.type(0.0)
        self.others = "zero" if from_memory else None
        self.sides = lanes_of(dtype) // TEAM  # threads' numbers of one vector

    @cached_property
    def dot(self):
        """start + aᵀx of all threads, in each."""
        lines, found = ["begin = start if place_in_team() == 0 else zero"], []
        for side in range(self.sides):
            own = range(side, self.dim, self.sides)
            a, x = [f"a[{k}]" for k in own], [f"x[{k}]" for k in own]
            found.append(sums.chained(WRITE, a, x, "zero" if side else "begin", sums.ROW_CHAINS, self.others))
        lines.append(f"return together({' + '.join(found)})")
        names = {"madd": self.madd, "zero": self.zero, "together": self.together, "place_in_team": place_in_team}
        return written(f"team_dot_{self.dim}", "a, x, start", lines, **names)

    @cached_property
    def zeros(self):
        """``(x)``: zeros like the numbers of a state."""
        return written("zeros", "x", [f"return {tuple_of(['zero'] * self.dim)}"], zero=self.zero)

    def row(self, width: int, differing: Differing | None = None):
        """``(maps, item)``: a thread's numbers of a row of data, and behind them its constant. No row is short here."""
        value = [f"maps.table[item, np.uint64({TEAM * k}) + lane]" for k in range(self.dim)]
        lines = [
            "lane = np.uint64(place_in_team())",
            f"return {tuple_of([*value, 'maps.constants[item, np.uint64(0)]'])}",
        ]
        return written(f"team_row_{self.dim}", "maps, item", lines, place_in_team=place_in_team)

    @cached_property
    def matrix_row(self):
        """``(maps, at)``: a thread's numbers of a row of a matrix."""
        value = [f"maps.table[at, np.uint64({TEAM * k}) + lane]" for k in range(self.dim)]
        lines = ["lane = np.uint64(place_in_team())", f"return {tuple_of(value)}"]
        return written(f"team_matrix_row_{self.dim}", "maps, at", lines, place_in_team=place_in_team)

    @cached_property
    def matrix_image(self):
        """``(maps, item, x)``: a thread's coordinates of A x + b."""
        dot, matrix_row, zero, d = self.dot, self.matrix_row, self.zero, np.uint64(self.columns)
        team, last = np.uint64(TEAM), np.uint64(self.columns - 1)

        @device_function
        def coordinate(maps, item, slot, x):
            own, lane = zero, np.uint64(place_in_team())
            for i in range(TEAM):
                k = slot * team + np.uint64(i)
                at = min(k, last)
                value = dot(matrix_row(maps, item * d + at), x, maps.constants[item, at])
                if lane == np.uint64(i) and k < d:
                    own = value
            return own

        value = [f"coordinate(maps, item, np.uint64({slot}), x)" for slot in range(self.dim)]
        return written(f"image_{self.columns}", "maps, item, x", [f"return {tuple_of(value)}"], coordinate=coordinate)

    def _places(self) -> list[tuple[int, int, str]]:
        """Number, part and column of each number of a thread; the last columns may not be there."""
        return [
            (part * self.dim + k, part * self.columns, f"np.uint64({TEAM * k}) + lane")
            for part in range(self.parts)
            for k in range(self.dim)
        ]

    @cached_property
    def load(self):
        """``(states, row, lane)``: a thread's numbers from memory."""
        value = [
            f"(states[row, np.uint64({part}) + {column}] if {column} < np.uint64({self.columns}) else zero)"
            for _, part, column in self._places()
        ]
        return written(f"team_load_{self.dim}", "states, row, lane", [f"return {tuple_of(value)}"], zero=self.zero)

    def _storing(self, name: str, arguments: str, place: str):
        lines = []
        for k, part, column in self._places():
            lines.append(f"if {column} < np.uint64({self.columns}):")
            lines.append(f"    states[{place}, np.uint64({part}) + {column}] = x[{k}]")
        return written(f"{name}_{self.dim}", arguments, lines)

    @cached_property
    def keep(self):
        """``(x, states, row, lane)``: a thread's numbers back into memory."""
        return self._storing("team_keep", "x, states, row, lane", "row")

    @cached_property
    def save(self):
        """``(x, starts, states, row, saved, lane)``: a thread's numbers among the saved ones."""
        return self._storing("team_save", "x, starts, states, row, saved, lane", "row, saved")

    @cached_property
    def all_finite(self):
        """Whether every number of every thread is finite."""
        total = " + ".join(f"x[{k}] * zero" for k in range(self.parts * self.dim))
        names = {"zero": self.zero, "together": self.together}
        return written(f"team_finite_{self.dim}", "x", [f"return isfinite(together({total}))"], **names)


@cache
def team_states(
    dim: int, dtype: np.dtype, together: Callable = neighbours_first, from_memory: bool = False, parts: int = 1
) -> TeamStates:
    """The functions for states of positions of `dim` numbers."""
    return TeamStates(dim, dtype, together, from_memory, parts)
