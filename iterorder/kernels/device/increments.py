"""All backward iterates of affine maps in one pass: Z_n = P_n x0 + Q_n, a row of P and its entry of Q for each row.

What is carried, and in which order it rounds, `kernels.cpu.incremental` says. Here a thread, or in many dimensions a
team, carries row i of (P | Q) of one replica from map to map, and its saved number is coordinate i of an iterate. A
tiny P is not set to zero, as on the processor, where numbers below the normal ones are slow.
"""

from __future__ import annotations

from functools import cached_property, lru_cache, singledispatch

import numpy as np

from iterorder.forms import Affine, Form, Rows
from iterorder.kernels.bodies import sums
from iterorder.kernels.bodies.steps import regression_extended
from iterorder.kernels.device.compilers import device_function, from_thread, place_in_team
from iterorder.kernels.device.images import Image
from iterorder.kernels.device.packing import in_threads
from iterorder.kernels.device.states import WRITE, ThreadStates, of, thread_states, tuple_of, written
from iterorder.kernels.device.team_states import TEAM, TeamStates, team_states

#: Registers, of 255, that the mean of a batch of matrices may take beside all else; a larger one is made in halves.
MEAN_REGISTERS = 160


def _registers(numbers: int, dtype: np.dtype) -> int:
    """Of four bytes each."""
    return numbers * dtype.itemsize // 4


@singledispatch
def increment_of(form: Form, dtype: np.dtype) -> Image:
    """What becomes of a row of (P | Q) by a map of an affine form, as the `Image` of a state."""
    raise TypeError(f"no increments of {type(form).__name__}")


@increment_of.register
def _(form: Affine, dtype: np.dtype) -> Image:
    if in_threads(form):
        if form.batch_size > 1 and _registers(form.dim * (form.dim + 1), dtype) > MEAN_REGISTERS:
            return _affine_in_halves(form.dim, dtype)
        return _affine_in_threads(form.dim, form.batch_size == 1, dtype)
    return _affine_in_teams(form.dim, dtype)


@increment_of.register
def _(form: Rows, dtype: np.dtype) -> Image:
    if not form.is_affine:
        raise TypeError("no increments of a loss that is not quadratic")
    if in_threads(form):
        return _regression_in_threads(form.dim, bool(dtype.type(form.shrink) != 1.0), dtype)
    return _regression_in_teams(form.dim, dtype)


# -------------------------------------------------------------------------------------------------- a thread for a row


class ThreadRows(ThreadStates):
    """Rows (p, q) of (P | Q) in registers, `dim` numbers of P."""

    def __init__(self, dim: int, dtype: np.dtype) -> None:
        super().__init__(dim + 1, dtype)
        self.parts = thread_states(dim, dtype)

    @cached_property
    def save(self):
        """``(x, starts, states, row, saved, lane)``: the row's coordinate of P x0 + Q among the saved ones."""
        dim, dot = np.uint64(self.parts.dim), self.parts.dot
        start = written("start", "starts, replica", [f"return {tuple_of(_entries('starts[replica', dim))}"])

        @device_function
        def save(x, starts, states, row, saved, lane):
            replica = row // dim
            states[replica, saved, row % dim] = dot(x, start(starts, replica), x[dim])

        return save

    @cached_property
    def all_finite(self):
        """Told by the saved iterates."""
        return _whatever


@device_function
def _whatever(x):
    return True


def _entries(place: str, count) -> list[str]:
    return [f"{place}, np.uint64({k})]" for k in range(int(count))]


@lru_cache(maxsize=256)
def _affine_in_threads(dim: int, single: bool, dtype: np.dtype) -> Image:
    return _columns_in_threads(ThreadRows(dim, dtype), dim, range(dim + 1), single, dtype)


@lru_cache(maxsize=256)
def _affine_in_halves(dim: int, dtype: np.dtype) -> Image:
    """The same of a batch, with half of the columns of the mean at a time."""
    half, states = (dim + 1) // 2, ThreadRows(dim, dtype)
    halves = range(half), range(half, dim + 1)
    left, right = (_columns_in_threads(states, dim, columns, False, dtype) for columns in halves)
    whole = [*of("made", half), *of("rest_made", dim + 1 - half)]
    return left._replace(rest=right, joined=written("joined", "made, rest_made", [f"return {tuple_of(whole)}"]))


def _columns_in_threads(states: ThreadRows, dim: int, columns: range, single: bool, dtype: np.dtype) -> Image:
    """Some numbers of a row of (P | Q): those of P in some columns and, where column `dim` is among them, that of Q."""
    numbers, dot = thread_states(dim * len(columns), dtype), states.parts.dot
    plus, multiple = numbers.plus, numbers.multiple
    read = [f"maps.table[item, np.uint64({m * (dim + 1) + k})]" for k in columns for m in range(dim)]
    row = written("columns_of_item", "maps, item", [f"return {tuple_of(read)}"])
    a = of("a", dim * len(columns))
    taken = [a[at * dim : (at + 1) * dim] for at in range(len(columns))]
    made = sums.by_columns(WRITE, of("x", dim), taken[: len(columns) - (dim in columns)])
    if dim in columns:
        made.append(f"dot(x, {tuple_of(taken[-1])}, x[{dim}])")
    names: dict = {"madd": states.madd, "dot": dot}
    extended = written("columns_extended", "x, a", [f"return {tuple_of(made)}"], **names)

    @device_function
    def first(x, item, maps):
        return row(maps, item)

    @device_function
    def more(total, x, item, maps):
        return plus(total, row(maps, item))

    @device_function
    def finish(total, x, step, maps):
        return extended(x, total if single else multiple(maps.scale, total))

    return Image(states, first, more, finish)


@lru_cache(maxsize=256)
def _regression_in_threads(dim: int, ridge: bool, dtype: np.dtype) -> Image:
    states = ThreadRows(dim, dtype)
    parts, row = states.parts, states.row(dim + 1)
    multiple, extended = parts.multiple, regression_extended(parts)
    linear = written("linear", "x", [f"return {tuple_of(of('x', dim))}"])
    joined = written("joined", "p, q", [f"return {tuple_of([*of('p', dim), 'q'])}"])

    @device_function
    def more(total, x, item, maps):
        a = row(maps, item)
        new, q = extended(x, total[dim], linear(total), a, a[dim], maps.factor, maps.zero)
        return joined(new, q)

    @device_function
    def first(x, item, maps):
        return more(joined(multiple(maps.shrink, linear(x)), x[dim]) if ridge else x, x, item, maps)

    @device_function
    def finish(total, x, step, maps):
        return total

    return Image(states, first, more, finish)


# ---------------------------------------------------------------------------------------------------- a team for a row


class TeamRows(TeamStates):
    """Rows (p, q) of (P | Q): each thread has every eighth number of p, and q."""

    def __init__(self, dim: int, dtype: np.dtype) -> None:
        parts = team_states(dim, dtype, from_memory=True)
        super().__init__(dim, dtype, parts.together, from_memory=True, parts=1)
        self.own = parts

    @cached_property
    def load(self):
        """``(states, row, lane)``: a thread's numbers from memory."""
        load, last = self.own.load, np.uint64(self.columns)
        joined = self.joined_with_q

        @device_function
        def load_row(states, row, lane):
            return joined(load(states, row, lane), states[row, last])

        return load_row

    @cached_property
    def keep(self):
        """``(x, states, row, lane)``: a thread's numbers back into memory; q is the first one's to write."""
        keep, last, q = self.own.keep, np.uint64(self.columns), self.dim

        @device_function
        def keep_row(x, states, row, lane):
            keep(x, states, row, lane)
            if lane == np.uint64(0):
                states[row, last] = x[q]

        return keep_row

    @cached_property
    def save(self):
        """``(x, starts, states, row, saved, lane)``: the row's coordinate of P x0 + Q among the saved ones."""
        dim, dot, load, q, zero = np.uint64(self.columns), self.dot, self.own.load, self.dim, self.zero

        @device_function
        def save(x, starts, states, row, saved, lane):
            replica = row // dim
            found = x[q] + dot(load(starts, replica, lane), x, zero)
            if lane == np.uint64(0):
                states[replica, saved, row % dim] = found

        return save

    @cached_property
    def all_finite(self):
        """Told by the saved iterates."""
        return _whatever

    @cached_property
    def joined_with_q(self):
        """``(p, q)``: the state of them."""
        return written("joined_with_q", "p, q", [f"return {tuple_of([*of('p', self.dim), 'q'])}"])


@lru_cache(maxsize=256)
def _regression_in_teams(dim: int, dtype: np.dtype) -> Image:
    states = TeamRows(dim, dtype)
    row, dot, multiple, plus_multiple = states.row(dim + 1), states.dot, states.multiple, states.plus_multiple
    madd, joined, q, c = states.madd, states.joined_with_q, states.dim, states.dim

    @device_function
    def more(total, x, item, maps):
        a = row(maps, item)
        u = dot(a, x, maps.zero) * maps.factor
        return joined(plus_multiple(total, u, a), madd(u, a[c], total[q]))

    @device_function
    def first(x, item, maps):
        return more(joined(multiple(maps.shrink, x), x[q]), x, item, maps)

    @device_function
    def finish(total, x, step, maps):
        return total

    return Image(states, first, more, finish)


@lru_cache(maxsize=256)
def _affine_in_teams(dim: int, dtype: np.dtype) -> Image:
    """The total holds the new row of P and, behind it, the mean of b."""
    states = TeamRows(dim, dtype)
    n, dot, matrix_row, plus_multiple = states.dim, states.dot, states.matrix_row, states.plus_multiple
    zero, d, joined = states.zero, np.uint64(dim), states.joined_with_q
    lines = ["p, at = total, item * d"]
    for slot in range(n):
        lines.append(f"for j in range({min(TEAM, dim - TEAM * slot)}):")
        lines.append(f"    k = at + np.uint64({TEAM * slot}) + np.uint64(j)")
        lines.append(f"    p = plus_multiple(p, maps.scale * from_thread(x[{slot}], j), matrix_row(maps, k))")
    lines.append("return p")
    names: dict = {"d": d, "plus_multiple": plus_multiple, "matrix_row": matrix_row, "from_thread": from_thread}
    times_matrix = written("times_matrix", "total, x, item, maps", lines, **names)
    own = [f"maps.constants[item, min(np.uint64({TEAM * k}) + lane, last)]" for k in range(n)]
    lines = ["lane = np.uint64(place_in_team())", f"return {tuple_of(own)}"]
    constants = written("constants", "maps, item", lines, place_in_team=place_in_team, last=np.uint64(dim - 1))
    both = written("both", "p, b", [f"return {tuple_of([*of('p', n), *of('b', n)])}"])
    front = written("front", "z", [f"return {tuple_of(of('z', n))}"])
    back = written("back", "z", [f"return {tuple_of(of('z', 2 * n)[n:])}"])
    zeros = written("zeros_of_both", "x", [f"return {tuple_of(['zero'] * 2 * n)}"], zero=zero)

    @device_function
    def more(total, x, item, maps):
        b = plus_multiple(back(total), maps.scale, constants(maps, item))
        return both(times_matrix(front(total), x, item, maps), b)

    @device_function
    def first(x, item, maps):
        return more(zeros(x), x, item, maps)

    @device_function
    def finish(total, x, step, maps):
        return joined(front(total), x[n] + dot(x, back(total), zero))

    return Image(states, first, more, finish)
