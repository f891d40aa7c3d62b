"""States of one replica a thread: tuples of numbers, each of which is a register.

The functions are written out as text for a dimension, in the order of `bodies.sums`: nothing is looped over or looked
up when they run, and one text serves the compiler and the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np

from iterorder.kernels.bodies import sums
from iterorder.kernels.bodies.steps import position_moved
from iterorder.kernels.device import compilers
from iterorder.kernels.device.compilers import VECTOR_BYTES, device_function, vector_at

#: Of a table of two rows: whether they differ, for each column.
Differing = tuple[bool, ...]


class Text(NamedTuple):
    """`bodies.sums.Arithmetic` as text."""

    def product(self, a, b) -> str:
        """a·b."""
        return f"({a} * {b})"

    def product_added(self, a, b, c) -> str:
        """a·b + c, one rounding."""
        return f"madd({a}, {b}, {c})"

    def sum_of(self, a, b) -> str:
        """a + b."""
        return f"({a} + {b})"


WRITE = Text()


def of(name: str, count: int) -> list[str]:
    """The entries of a tuple of that name."""
    return [f"{name}[{k}]" for k in range(count)]


def tuple_of(items: Sequence[str]) -> str:
    """The text of a tuple."""
    return f"({', '.join(items)},)"


def written(name: str, arguments: str, lines: Sequence[str], **names) -> Callable:
    """A device function of a text, which reads `names`."""
    text = f"def {name}({arguments}):\n" + "".join(f"    {line}\n" for line in lines)
    space = {"np": np, "isfinite": compilers.isfinite, **names}
    exec(compile(text, f"<{name}, written out>", "exec"), space)
    return device_function(space[name])


@device_function
def _itself(x):
    return x


class ThreadStates:
    """`bodies.steps.States` of `dim` numbers, with what moves them between registers and memory.

    Memory is addressed by unsigned integers: signed ones are tested for negative values each time.
    """

    #: Threads that work on a state, numbers of memory that it needs beside its own, and whether neighbours share a
    #: column of that memory.
    team, spare, columns_first = 1, 0, False

    def __init__(self, dim: int, dtype: np.dtype) -> None:
        self.dim, self.inline, self.dtype = dim, device_function, dtype
        self.madd = compilers.madd if dtype == np.float64 else compilers.madd_single

    def _function(self, name: str, arguments: str, result: str | Sequence[str]) -> Callable:
        value = result if isinstance(result, str) else tuple_of(result)
        return written(f"{name}_{self.dim}", arguments, [f"return {value}"], madd=self.madd)

    @cached_property
    def dot(self):
        """start + aᵀx."""
        value = sums.chained(WRITE, of("a", self.dim), of("x", self.dim), "start", sums.LANE_CHAINS)
        return self._function("dot", "a, x, start", value)

    @cached_property
    def plus_multiple(self):
        """x + factor·a."""
        value = sums.plus_multiple(WRITE, of("x", self.dim), "factor", of("a", self.dim))
        return self._function("plus_multiple", "x, factor, a", value)

    @cached_property
    def multiple(self):
        """factor·x."""
        return self._function("multiple", "factor, x", sums.multiple(WRITE, "factor", of("x", self.dim)))

    @cached_property
    def plus(self):
        """x + y."""
        return self._function("plus", "x, y", sums.plus(WRITE, of("x", self.dim), of("y", self.dim)))

    @cached_property
    def affine_image(self):
        """A x + b of the rows of (A | b)."""
        value = sums.affine_image(WRITE, of("a", self.dim * (self.dim + 1)), of("x", self.dim))
        return self._function("affine_image", "a, x", value)

    def row(self, width: int, differing: Differing | None = None):
        """``(maps, item)``: the first numbers of a row of the table, a vector at once.

        Of two rows that are arguments of the kernel, `differing` tells in which columns one of them is to be taken.
        """
        if differing is not None:
            both = [(f"maps.pair[{k}]", f"maps.pair[{width + k}]") for k in range(width)]
            value = [f"({b} if second else {a})" if c else a for (a, b), c in zip(both, differing, strict=True)]
            lines = ["second = item != zero", f"return {tuple_of(value)}"]
            return written(f"row_{width}_of_two", "maps, item", lines, zero=np.uint64(0))
        vector = VECTOR_BYTES // self.dtype.itemsize
        vectors = range(-(-width // vector))
        lines = [f"v{k} = vector_at(maps.table, item, np.uint64({vector * k}))" for k in vectors]
        lines.append(f"return {tuple_of([f'v{k // vector}[{k % vector}]' for k in range(width)])}")
        return written(f"row_{width}", "maps, item", lines, vector_at=vector_at)

    @cached_property
    def load(self):
        """``(states, row, lane)``: a state from memory."""
        value = [f"states[row, np.uint64({k})]" for k in range(self.dim)]
        return self._function("load", "states, row, lane", value)

    @cached_property
    def keep(self):
        """``(x, states, row, lane)``: a state back into memory."""
        lines = [f"states[row, np.uint64({k})] = x[{k}]" for k in range(self.dim)]
        return written(f"keep_{self.dim}", "x, states, row, lane", lines)

    @cached_property
    def save(self):
        """``(x, starts, states, row, saved, lane)``: a state among the saved ones."""
        lines = [f"states[row, saved, np.uint64({k})] = x[{k}]" for k in range(self.dim)]
        return written(f"save_{self.dim}", "x, starts, states, row, saved, lane", lines)

    @cached_property
    def all_finite(self):
        """Whether every number is finite."""
        return self._function("all_finite", "x", " and ".join(f"isfinite({x})" for x in of("x", self.dim)))

    @cached_property
    def moved(self):
        """``(x, v, h, decay, one)``: the position after a move by −h·v."""
        return position_moved(self)

    @property
    def begun(self):
        """``(x)``: a total that begins with x; states in registers are in nobody's way."""
        return _itself

    @property
    def settled(self):
        """``(x)``: the state that a total has become."""
        return _itself

    @cached_property
    def halves(self):
        """The two halves of a state of position and velocity, each of `dim` numbers."""
        x = of("z", 2 * self.dim)
        return self._function("halves", "z", f"({tuple_of(x[: self.dim])}, {tuple_of(x[self.dim :])})")

    @cached_property
    def joined(self):
        """The state of a position and a velocity."""
        return self._function("joined", "x, v", [*of("x", self.dim), *of("v", self.dim)])

    def image_by(self, function, dtype: np.dtype):
        """``(x, draw, maps)``: what a function writes that takes arrays, which registers stand for."""
        lines = [f"state, out = memory.local.array({self.dim}, number), memory.local.array({self.dim}, number)"]
        lines += [f"state[{k}], out[{k}] = x[{k}], nan" for k in range(self.dim)]
        lines.append("done = function(state, draw, maps.given, out)")
        lines.append(f"return {tuple_of([f'(out[{k}] if done else nan)' for k in range(self.dim)])}")
        known: dict = {"memory": compilers.memory, "number": dtype.type, "nan": dtype.type(np.nan)}
        return written(f"image_{self.dim}", "x, draw, maps", lines, function=function, **known)


@cache
def thread_states(dim: int, dtype: np.dtype) -> ThreadStates:
    """The functions for states of `dim` numbers."""
    return ThreadStates(dim, dtype)
