"""States of so many numbers that a team keeps them in memory: thread j works on every eighth coordinate from the j-th.

A vector is a tuple of memory and of where in it the vector begins. The memory of a state holds it, behind it the total
of a step, and behind that the image under a matrix: whatever functions here compute is written to the total, but for
what says otherwise. A thread reads and writes coordinates of its own only; what it needs of others are sums.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property

import numpy as np

from iterorder.kernels.bodies import sums
from iterorder.kernels.bodies.steps import position_moved
from iterorder.kernels.cpu.packing import lanes_of, padded
from iterorder.kernels.device import compilers
from iterorder.kernels.device.compilers import device_function, isfinite, place_in_team
from iterorder.kernels.device.states import WRITE, Differing, thread_states, written
from iterorder.kernels.device.team_states import TEAM, neighbours_first

#: Numbers of a thread from which they stand in memory: the text of as many would not be compiled.
MOST_IN_REGISTERS = 30
ZERO, STRIDE = np.uint64(0), np.uint64(TEAM)


def is_long(dim: int, dtype: np.dtype) -> bool:
    """Whether a state is kept in memory."""
    return padded(dim, dtype) // TEAM > MOST_IN_REGISTERS


class LongStates:
    """As `team_states.TeamStates`, whose order of sums this is; `dim` is the place of the constant in a row of data."""

    team, columns_first, dim = TEAM, False, 2

    def __init__(self, columns: int, dtype: np.dtype, together: Callable, parts: int) -> None:
        self.columns, self.parts, self.together = columns, parts, together
        self.spare, self.inline = 2 * columns, device_function
        self.madd = compilers.madd if dtype == np.float64 else compilers.madd_single
        self.zero, self.sides = dtype.type(0.0), lanes_of(dtype) // TEAM
        self.number = thread_states(1, dtype)

    # ------------------------------------------------------------------------------------------- one number at a time

    def _over_columns(self, into: int, arguments: str, value: str, of: str = "x", **names):
        """Write `value` for each column k of a thread to the vector at `into` in the memory of an argument."""
        lines = [
            "k = np.uint64(place_in_team())",
            f"memory, at = {of}[0], np.uint64({into})",
            "while k < columns:",
            f"    memory[at + k] = {value}",
            "    k += stride",
            "return (memory, at)",
        ]
        known: dict = {"place_in_team": place_in_team, "stride": STRIDE, "columns": np.uint64(self.columns)}
        return written(f"over_{self.columns}_columns", arguments, lines, **known, **names)

    @property
    def _total(self) -> int:
        return self.parts * self.columns

    @cached_property
    def plus_multiple(self):
        """``(x, factor, a)``: x + factor·a."""
        value = "one((x[0][x[1] + k],), factor, (a[0][a[1] + k],))[0]"
        return self._over_columns(self._total, "x, factor, a", value, one=self.number.plus_multiple)

    @cached_property
    def plus(self):
        """``(x, y)``: x + y."""
        value = "one((x[0][x[1] + k],), (y[0][y[1] + k],))[0]"
        return self._over_columns(self._total, "x, y", value, one=self.number.plus)

    @cached_property
    def multiple(self):
        """``(factor, x)``: factor·x."""
        value = "one(factor, (x[0][x[1] + k],))[0]"
        return self._over_columns(self._total, "factor, x", value, one=self.number.multiple)

    @cached_property
    def zeros(self):
        """``(x)``: zeros."""
        return self._over_columns(self._total, "x", "zero", zero=self.zero)

    @cached_property
    def begun(self):
        """``(x)``: the total is x."""
        return self._over_columns(self._total, "x", "x[0][x[1] + k]")

    @cached_property
    def settled(self):
        """``(x)``: the state is x."""
        return self._over_columns(0, "x", "x[0][x[1] + k]")

    @cached_property
    def moved(self):
        """``(x, v, h, decay, one)``: the position of the state after a move by −h·v."""
        value = "single((x[0][x[1] + k],), (v[0][v[1] + k],), h, decay, one)[0]"
        return self._over_columns(0, "x, v, h, decay, one", value, single=position_moved(self.number))

    @cached_property
    def joined(self):
        """``(x, v)``: the state whose position stands there already, and whose velocity is v."""
        keep = self._over_columns(self.columns, "v", "v[0][v[1] + k]", of="v")

        @device_function
        def joined(x, v):
            keep(v)
            return x

        return joined

    @cached_property
    def halves(self):
        """``(z)``: the position and the velocity of a state."""
        columns = np.uint64(self.columns)

        @device_function
        def halves(z):
            return (z[0], ZERO), (z[0], columns)

        return halves

    # ------------------------------------------------------------------------------------------------------------ sums

    @cached_property
    def dot(self):
        """``(a, x, start)``: start + aᵀx of all threads, in each; five chains for each number of a vector's share."""
        step, chains = TEAM * self.sides, sums.ROW_CHAINS
        lines, found = ["lane = np.uint64(place_in_team())"], []
        for side in range(self.sides):
            names = [f"s{side}{c}" for c in range(chains)]
            begin = "zero" if side else "(start if lane == np.uint64(0) else zero)"
            lines.append(f"{', '.join(names)} = {begin}, {', '.join(['zero'] * (chains - 1))}")
            lines.append(f"k = lane + np.uint64({TEAM * side})")
            lines.append(f"while k + np.uint64({step * (chains - 1)}) < columns:")
            lines += [f"    {name} = {self._term(name, step * c)}" for c, name in enumerate(names)]
            lines.append(f"    k += np.uint64({step * chains})")
            for name in names[:-1]:
                lines += ["if k < columns:", f"    {name} = {self._term(name, 0)}", f"k += np.uint64({step})"]
            found.append(sums.added_inwards(WRITE, names))
        lines.append(f"return together({' + '.join(found)})")
        known: dict = {"place_in_team": place_in_team, "together": self.together, "zero": self.zero}
        return written("long_dot", "a, x, start", lines, madd=self.madd, columns=np.uint64(self.columns), **known)

    def _term(self, chain: str, further: int) -> str:
        k = f"k + np.uint64({further})"
        return WRITE.product_added(f"a[0][a[1] + {k}]", f"x[0][x[1] + {k}]", chain)

    @cached_property
    def matrix_image(self):
        """``(maps, item, x)``: A x + b, behind the total."""
        dot, d, place = self.dot, np.uint64(self.columns), np.uint64(self._total + self.columns)
        one = np.uint64(1)

        @device_function
        def image(maps, item, x):
            i, lane, memory = ZERO, np.uint64(place_in_team()), x[0]
            while i < d:
                value = dot((maps.table[item * d + i], ZERO), x, maps.constants[item, i])
                if i % STRIDE == lane:
                    memory[place + i] = value
                i += one
            return (memory, place)

        return image

    # ---------------------------------------------------------------------------------------------------------- memory

    def row(self, width: int, differing: Differing | None = None):
        """``(maps, item)``: a row of data, and behind it its constant. No row is short here."""

        @device_function
        def row(maps, item):
            return (maps.table[item], ZERO, maps.constants[item, ZERO])

        return row

    @cached_property
    def load(self):
        """``(states, row, lane)``: the state that stands there."""

        @device_function
        def load(states, row, lane):
            return (states[row], ZERO)

        return load

    @cached_property
    def keep(self):
        """``(x, states, row, lane)``: nothing, it is there."""

        @device_function
        def keep(x, states, row, lane):
            """Nothing."""

        return keep

    @cached_property
    def save(self):
        """``(x, starts, states, row, saved, lane)``: a thread's numbers among the saved ones."""
        parts, columns = self.parts, np.uint64(self.columns)

        @device_function
        def save(x, starts, states, row, saved, lane):
            for part in range(parts):  # its own of each: it does not wait for what others write
                first, k = np.uint64(part) * columns, lane
                while k < columns:
                    states[row, saved, first + k] = x[0][first + k]
                    k += STRIDE

        return save

    @cached_property
    def all_finite(self):
        """``(x)``: whether every number of every thread is finite."""
        parts, columns, zero, together = self.parts, np.uint64(self.columns), self.zero, self.together

        @device_function
        def all_finite(x):
            lane, total = np.uint64(place_in_team()), zero
            for part in range(parts):
                first, k = np.uint64(part) * columns, lane
                while k < columns:
                    total += x[0][first + k] * zero
                    k += STRIDE
            return isfinite(together(total))

        return all_finite


@cache
def long_states(dim: int, dtype: np.dtype, together: Callable = neighbours_first, parts: int = 1) -> LongStates:
    """The functions for states of positions of `dim` numbers."""
    return LongStates(dim, dtype, together, parts)
