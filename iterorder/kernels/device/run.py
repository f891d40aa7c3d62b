"""Some replicas of a problem on a device: launched, and written among the results."""

from __future__ import annotations

import numpy as np

from iterorder.forms import Affine, Stateful
from iterorder.kernels import draw_tables
from iterorder.kernels.device import arrays, launches
from iterorder.kernels.device.arrays import argument, xp
from iterorder.kernels.device.images import Image, image_of
from iterorder.kernels.device.increments import increment_of
from iterorder.kernels.device.kernels import Rows, backward_kernel, forward_kernel, locating_kernel
from iterorder.kernels.device.packing import pack
from iterorder.kernels.device.walks import Draws, walk_of
from iterorder.kernels.device.workspace import kept_items
from iterorder.kernels.problem import Out, Problem
from iterorder.progress import Report, part


class Packed:
    """A problem as kernels read it: what all of its runs share."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.dtype = problem, np.dtype(problem.x0.dtype)
        self.draws = draw_tables.draws_of(problem.form, problem.law, problem.seed)
        self.image = image_of(problem.form, self.dtype)
        self.maps = argument(pack(problem.form, self.dtype))
        # What a step of one row reads: a row of data, or a matrix, for each item of a batch.
        dim, form = problem.form.dim, problem.form
        matrix = isinstance(form.gradient if isinstance(form, Stateful) else form, Affine)
        self.numbers = self.draws.batch_size * (dim * (dim + 1) if matrix else dim + 1)


class Run:
    """Replicas `part` of a problem, whose results are that part of `out`."""

    def __init__(self, packed: Packed, part: slice, out: Out) -> None:
        problem = packed.problem
        self.packed, self.part, self.image, self.draws = packed, part, packed.image, packed.draws
        self.starts = arrays.to_device(problem.x0[part])
        self.n, self.dim, self.saves = len(self.starts), problem.x0.shape[1], problem.saves
        self.states, self.diverged = out.states[part], out.diverged[part]
        start, stride, first_step = problem.place
        self.place = np.uint64(start + part.start * stride), np.uint64(stride), np.uint64(first_step)

    # ------------------------------------------------------------------------------------------------------- forward

    def forward(self, report: Report | None = None) -> None:
        """The forward iterates and the step at which each replica left the finite numbers."""
        self._forward_through(self.saves, self.states, self.diverged, report)

    def _forward_through(self, saves: np.ndarray, states, diverged, report: Report | None) -> None:
        """Fill the states after these steps, and the steps at which replicas left."""
        diverged[:] = -1
        current, draws = self._room(self.starts), self._draws_for(self.n)
        pace = launches.Pace(self.n, self.packed.numbers)
        for piece in launches.pieces(saves, pace):
            with pace.launching(piece.end - piece.begin):
                before = self._room(current)
                left = self._through(piece, self.image, current, draws, states)
                newly = left & (diverged < 0)
                if bool(newly.any()):
                    self._locate(before, newly, piece.begin, piece.end, diverged)
                launches.tell(report, piece.end / max(1, int(saves[-1])))
        _forget(states, diverged, saves)

    def _through(self, piece: launches.Piece, image: Image, current, draws: Draws, states, share: int = 1):
        """Take rows, `share` for each replica, through a piece; which of them left the finite numbers."""
        kernel, left = forward_kernel(image, self._walk(image, descending=False)), xp.zeros(len(current), bool)
        targets = argument(np.array(piece.targets or [piece.end], np.int64))
        steps = (np.uint64(piece.begin), targets, np.int64(len(piece.targets)), np.int64(piece.saved))
        given, into = (argument(self.starts), argument(current)), (argument(states), argument(left))
        self._launch(kernel, image, len(current), self._rows(share), draws, *given, *steps, *into)
        return left

    def _locate(self, before, newly, begin: int, end: int, diverged) -> None:
        """Note the first step at which each of these replicas is not finite."""
        which = xp.flatnonzero(newly)
        found, current = xp.full(len(which), -1, np.int64), self._room(before[which])
        kernel = locating_kernel(self.image, self._walk(self.image, descending=False))
        parts = (argument(which), argument(current), np.uint64(begin), np.uint64(end), argument(found))
        self._launch(kernel, self.image, len(which), self._rows(), self._draws_for(len(which)), *parts)
        diverged[which] = found

    # ------------------------------------------------------------------------------------------------------- backward

    def backward(self, report: Report | None = None) -> None:
        """All saved backward iterates, a row for each."""
        self.states[:] = self.starts[:, None, :]
        lengths = xp.tile(xp.asarray(self.saves), self.n)
        rows, draws = self.states.reshape(-1, self.dim), self._draws_for(len(lengths))
        current = self._room(rows) if self.image.states.spare else rows
        self._compose(current, lengths, draws, len(self.saves), 0, int(self.saves[-1]), report)
        rows[:] = current[:, : self.dim]
        self._mark()

    def incremental(self, report: Report | None = None) -> None:
        """All saved backward iterates of affine maps, a row of P for each coordinate: each is Z = P x0 + Q."""
        image, rows = increment_of(self.packed.problem.form, self.packed.dtype), self.n * self.dim
        current, draws = xp.zeros((rows, self.dim + 1), self.packed.dtype), self._draws_for(rows)
        each = xp.arange(rows)
        current[each, each % self.dim] = 1
        pace = launches.Pace(rows, self.packed.numbers)
        for piece in launches.pieces(self.saves, pace):
            with pace.launching(piece.end - piece.begin):
                self._through(piece, image, current, draws, self.states, self.dim)
                launches.tell(report, piece.end / max(1, int(self.saves[-1])))
        self._mark()

    def backward_to(self, lengths: np.ndarray, report: Report | None = None) -> None:
        """The backward iterate of each replica after its own number of steps."""
        current = self._room(self.starts)
        self._compose(
            current, xp.asarray(lengths, np.int64), self._draws_for(self.n), 1, 0, int(np.max(lengths)), report
        )
        found = self.states[:, 0]
        found[:] = current[:, : self.dim]
        found[~xp.isfinite(found).all(axis=1)] = np.nan

    def window(self, width: int, report: Report | None = None) -> None:
        """Forward to `width` steps before each saved one, then those backward."""
        middles = np.maximum(self.saves - width, 0)
        kept, source = np.unique(middles, return_inverse=True)
        forward = xp.empty((self.n, len(kept), self.dim), self.packed.dtype)
        self._forward_through(kept, forward, self.diverged, part(report, 0.0, 0.5))
        draws = self._draws_for(self.n)
        for s, (target, at) in enumerate(zip(self.saves.tolist(), source.tolist(), strict=True)):
            current, lengths = self._room(forward[:, at]), xp.full(self.n, target, np.int64)
            self._compose(current, lengths, draws, 1, int(middles[s]), target, None)
            self.states[:, s] = current[:, : self.dim]
            launches.tell(report, 0.5 + 0.5 * (s + 1) / len(self.saves))
        self._mark()

    def _compose(self, current, lengths, draws: Draws, share: int, begin: int, end: int, report: Report | None) -> None:
        """Maps end − 1, …, begin, each row from its own length on, `share` rows for each replica."""
        kernel, rows = backward_kernel(self.image, self._walk(self.image, descending=True)), len(current)
        lengths, total, pace = argument(lengths), end - begin, launches.Pace(rows, self.packed.numbers)
        while end > begin:
            low = max(begin, end - pace.steps)
            with pace.launching(end - low):
                parts = (argument(current), lengths, np.uint64(low), np.uint64(end))
                self._launch(kernel, self.image, rows, self._rows(share), draws, *parts)
                launches.tell(report, 1 - (low - begin) / total)
            end = low

    # --------------------------------------------------------------------------------------------------------- shared

    def _rows(self, share: int = 1) -> Rows:
        """Where rows read their noise, `share` of them for each replica."""
        first, stride, step = self.place
        return Rows(first, stride, np.uint64(share), step)

    def _walk(self, image: Image, descending: bool):
        return walk_of(self.draws.kind, self.draws.batch_size, image, descending)

    def _draws_for(self, n_rows: int) -> Draws:
        """The draws, with memory for so many rows."""
        d, size = self.draws, self.draws.batch_size
        kept, kind = kept_items(d)
        memory = xp.empty((max(kept, 1), n_rows if kept else 1), kind)
        epochs = xp.zeros(n_rows if kept else 1, np.uint64)
        per_epoch = np.uint64(max(1, int(d.n_items) // size))
        numbers = (d.n_items, np.uint64(size), per_epoch, d.thresholds, d.guide, d.rows, d.columns)
        return argument(Draws(*numbers, d.key_low, d.key_high, memory, epochs))

    def _room(self, states):
        """A copy of states as kernels work on them, with spare numbers behind each where they stay in memory."""
        of = self.image.states
        room = xp.zeros((len(states), self.dim + of.spare), self.packed.dtype, order="F" if of.columns_first else "C")
        room[:, : self.dim] = states[:, : self.dim]
        return room

    def _mark(self) -> None:
        """Note the first saved step at which a replica is not finite: its states are NaN from there."""
        bad = ~xp.isfinite(self.states).all(axis=2)
        saves = xp.asarray(self.saves)
        self.diverged[:] = xp.where(bad.any(axis=1), saves[bad.argmax(axis=1)], -1)
        _forget(self.states, self.diverged, self.saves)

    def _launch(self, kernel, image: Image, n_rows: int, rows: Rows, draws: Draws, *parts) -> None:
        team = image.states.team
        launches.launch(kernel, n_rows * team, team, rows, draws, self.packed.maps, *parts)


def _forget(states, diverged, saves: np.ndarray) -> None:
    """What was saved after a divergence becomes NaN."""
    if not bool((diverged >= 0).any()):
        return
    gone = (diverged[:, None] >= 0) & (xp.asarray(saves)[None, :] >= diverged[:, None])
    states[gone] = np.nan
