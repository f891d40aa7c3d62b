"""The backend of a GPU: packs a problem, cuts it into pieces that fit, and launches its kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from iterorder.kernels import draw_tables
from iterorder.kernels.device import arrays, launches
from iterorder.kernels.device.arrays import argument, xp
from iterorder.kernels.device.images import image_of
from iterorder.kernels.device.kernels import Rows, backward_kernel, forward_kernel, locating_kernel
from iterorder.kernels.device.packing import pack
from iterorder.kernels.device.walks import FEW_POINTS, Draws, walk_of
from iterorder.kernels.problem import Out, Problem
from iterorder.progress import Report, part


class Cuda:
    """numba-cuda's kernels on CuPy's arrays; `kernels.backends.Backend` says what each method does."""

    def forward(self, problem: Problem, report: Report | None = None) -> Out:
        """A piece of steps at a time; one in which a row leaves the finite numbers is looked through once more."""
        return _in_chunks(_Run.forward, problem, report)

    def backward(self, problem: Problem, report: Report | None = None) -> Out:
        """A row for each saved iterate of a replica, of which neighbours meet a map together."""
        return _in_chunks(_Run.backward, problem, report)

    def backward_work(self, problem: Problem) -> int:
        """Every saved iterate is composed by itself."""
        return sum(problem.saves.tolist())

    def window(self, problem: Problem, width: int, report: Report | None = None) -> Out:
        """Each replica goes forward once."""
        return _in_chunks(lambda run, report: run.window(width, report), problem, report)

    def backward_to(self, problem: Problem, lengths: np.ndarray, report: Report | None = None) -> Any:
        """Bit for bit what `backward` saves after so many steps."""
        return _in_chunks(lambda run, report: run.backward_to(lengths[run.part], report), problem, report)


def _in_chunks(method, problem: Problem, report: Report | None):
    """A method for as many replicas at a time as fit into memory, and its results together."""
    total, size = len(problem.x0), launches.replicas_at_once(problem)
    found = []
    for first in range(0, total, size):
        last = min(first + size, total)
        found.append(method(_Run(problem, first, last), part(report, first / total, last / total)))
    if len(found) == 1:
        return found[0]
    if isinstance(found[0], Out):
        return Out(*(xp.concatenate(parts) for parts in zip(*found, strict=True)))
    return xp.concatenate(found)


class _Run:
    """Some replicas of a problem, with what kernels need of it on the device."""

    def __init__(self, problem: Problem, first: int, last: int) -> None:
        self.part = slice(first, last)
        self.starts = arrays.to_device(problem.x0[first:last])
        self.n, self.dim, self.saves = last - first, problem.x0.shape[1], problem.saves
        dtype = np.dtype(problem.x0.dtype)
        self.draws = draw_tables.draws_of(problem.form, problem.law, problem.seed)
        self.image = image_of(problem.form, dtype)
        self.maps = argument(pack(problem.form, dtype))
        start, stride, first_step = problem.place
        self.place = np.uint64(start + first * stride), np.uint64(stride), np.uint64(first_step)

    def rows(self, share: int = 1) -> Rows:
        """Where rows read their noise, `share` of them for each replica."""
        first, stride, step = self.place
        return Rows(first, stride, np.uint64(share), step)

    def walk(self, descending: bool):
        return walk_of(self.draws.kind, self.draws.batch_size, self.image, descending)

    def draws_for(self, n_rows: int) -> Draws:
        """The draws, with memory for so many rows."""
        d, kind, size = self.draws, self.draws.kind, self.draws.batch_size
        kept, number = 0, "uint32"
        if kind == draw_tables.FISHER_YATES:
            kept, number = int(d.n_items), "uint16"
        elif kind == draw_tables.BATCH and size > FEW_POINTS:
            kept = size
        memory = xp.empty((max(kept, 1), n_rows if kept else 1), number)
        epochs = xp.zeros(n_rows if kind == draw_tables.FISHER_YATES else 1, np.uint64)
        per_epoch = np.uint64(max(1, int(d.n_items) // size))
        numbers = (d.n_items, np.uint64(size), per_epoch, d.thresholds, d.guide, d.rows, d.columns)
        return argument(Draws(*numbers, d.key_low, d.key_high, memory, epochs))

    # ------------------------------------------------------------------------------------------------------- forward

    def forward(self, report: Report | None = None) -> Out:
        """The forward iterates and the step at which each replica left the finite numbers."""
        return self.forward_through(self.saves, report)

    def forward_through(self, saves: np.ndarray, report: Report | None) -> Out:
        """The same after other steps."""
        states, diverged = self.new_states(len(saves)), xp.full(self.n, -1, np.int64)
        current, draws = self.room(self.starts), self.draws_for(self.n)
        kernel = forward_kernel(self.image, self.walk(descending=False))
        for piece in launches.pieces(saves, self.n * self.dim):
            before, left = self.room(current), xp.zeros(self.n, bool)
            targets = argument(np.array(piece.targets or [piece.end], np.int64))
            steps = (np.uint64(piece.begin), targets, np.int64(len(piece.targets)), np.int64(piece.saved))
            given, into = (argument(self.starts), argument(current)), (argument(states), argument(left))
            self.launch(kernel, self.n, self.rows(), draws, self.maps, *given, *steps, *into)
            newly = left & (diverged < 0)
            if bool(newly.any()):
                self._locate(before, newly, piece.begin, piece.end, diverged)
            launches.tell(report, piece.end / max(1, int(saves[-1])))
        _forget(states, diverged, saves)
        return Out(states, diverged)

    def _locate(self, before, newly, begin: int, end: int, diverged) -> None:
        """Note the first step at which each of these replicas is not finite."""
        which = xp.flatnonzero(newly)
        found, current = xp.full(len(which), -1, np.int64), self.room(before[which])
        kernel = locating_kernel(self.image, self.walk(descending=False))
        parts = (argument(which), argument(current), np.uint64(begin), np.uint64(end), argument(found))
        self.launch(kernel, len(which), self.rows(), self.draws_for(len(which)), self.maps, *parts)
        diverged[which] = found

    # ------------------------------------------------------------------------------------------------------- backward

    def backward(self, report: Report | None = None) -> Out:
        """All saved backward iterates."""
        states = self.new_states(len(self.saves))
        states[:] = self.starts[:, None, :]
        lengths = xp.tile(xp.asarray(self.saves), self.n)
        rows, draws = states.reshape(-1, self.dim), self.draws_for(len(lengths))
        current = self.room(rows) if self.image.states.spare else rows
        self.compose(current, lengths, draws, len(self.saves), 0, int(self.saves[-1]), report)
        rows[:] = current[:, : self.dim]
        return self.marked(states)

    def backward_to(self, lengths, report: Report | None = None):
        """The backward iterate of each replica after its own number of steps."""
        current = self.room(self.starts)
        lengths, last = xp.asarray(lengths, np.int64), int(np.max(lengths))
        self.compose(current, lengths, self.draws_for(self.n), 1, 0, last, report)
        found = xp.ascontiguousarray(current[:, : self.dim])
        found[~xp.isfinite(found).all(axis=1)] = np.nan
        return found

    def compose(self, current, lengths, draws: Draws, share: int, begin: int, end: int, report: Report | None) -> None:
        """Maps end − 1, …, begin, each row from its own length on, `share` rows for each replica."""
        kernel, rows = backward_kernel(self.image, self.walk(descending=True)), len(current)
        lengths, place, total = argument(lengths), self.rows(share), end - begin
        while end > begin:
            low = max(begin, end - launches.steps_at_once(rows * self.dim))
            self.launch(
                kernel, rows, place, draws, self.maps, argument(current), lengths, np.uint64(low), np.uint64(end)
            )
            end = low
            launches.tell(report, 1 - (end - begin) / total)

    def window(self, width: int, report: Report | None = None) -> Out:
        """Forward to `width` steps before each saved one, then those backward."""
        states, middles = self.new_states(len(self.saves)), np.maximum(self.saves - width, 0)
        kept, source = np.unique(middles, return_inverse=True)
        forward, draws = self.forward_through(kept, part(report, 0.0, 0.5)), self.draws_for(self.n)
        for s, (target, at) in enumerate(zip(self.saves.tolist(), source.tolist(), strict=True)):
            current, lengths = self.room(forward.states[:, at]), xp.full(self.n, target, np.int64)
            self.compose(current, lengths, draws, 1, int(middles[s]), target, None)
            states[:, s] = current[:, : self.dim]
            launches.tell(report, 0.5 + 0.5 * (s + 1) / len(self.saves))
        return self.marked(states)

    # --------------------------------------------------------------------------------------------------------- shared

    def room(self, states):
        """A copy of states as kernels work on them; in columns, where they have spare numbers: neighbours share one."""
        spare = self.image.states.spare
        room = xp.zeros((len(states), self.dim + spare), self.starts.dtype, order="F" if spare else "C")
        room[:, : self.dim] = states[:, : self.dim]
        return room

    def new_states(self, n_saved: int):
        """Memory for what is saved."""
        return xp.empty((self.n, n_saved, self.dim), self.starts.dtype)

    def marked(self, states) -> Out:
        """The states with the first saved step at which a replica is not finite, and NaN from there."""
        bad = ~xp.isfinite(states).all(axis=2)
        saves = xp.asarray(self.saves)
        diverged = xp.where(bad.any(axis=1), saves[bad.argmax(axis=1)], -1)
        _forget(states, diverged, self.saves)
        return Out(states, diverged)

    def launch(self, kernel, n_rows: int, *arguments) -> None:
        launches.launch(kernel, n_rows * self.image.states.team, self.image.states.team, *arguments)


def _forget(states, diverged, saves: np.ndarray) -> None:
    """What was saved after a divergence becomes NaN."""
    gone = (diverged[:, None] >= 0) & (xp.asarray(saves)[None, :] >= diverged[:, None])
    states[gone] = np.nan
