"""The backend of this processor: packs a problem, chooses its kernels, and runs them on all cores."""

from __future__ import annotations

from functools import partial

import numpy as np

from iterorder import resources
from iterorder.forms import Affine
from iterorder.kernels.algorithm import work
from iterorder.kernels.cpu import compiled, lane_blocks
from iterorder.kernels.cpu.algorithm import algorithm
from iterorder.kernels.cpu.backward import backward_each, backward_to, mark_diverged, sliding_window
from iterorder.kernels.cpu.few_lanes import few_code, few_of
from iterorder.kernels.cpu.forward import forward
from iterorder.kernels.cpu.incremental import incremental, new_carry
from iterorder.kernels.cpu.lanes import LANES
from iterorder.kernels.cpu.packing import pack
from iterorder.kernels.cpu.sweep import backward_sweep, new_sweep
from iterorder.kernels.cpu.threads import in_threads
from iterorder.kernels.draw_tables import draws_of
from iterorder.kernels.problem import Out, Problem
from iterorder.progress import Report

# Saved steps that are worth a sweep of their own.
MIN_SAVES_OF_A_SWEEP = 64


class Cpu:
    """Numba's kernels; `kernels.backends.Backend` says what each method does."""

    def forward(self, problem: Problem, report: Report | None = None) -> Out:
        """Exact divergence steps included; every array is split along the replicas."""
        run, kernel = _RunInBlocks(problem), _kernel(forward, problem)
        out = run.out()

        def task(memory, first, last, control):
            part = slice(first, last)
            x0, states, diverged = problem.x0[part], out.states[part], out.diverged[part]
            kernel(*memory, *run.place(first), x0, problem.saves, states, diverged, control)

        in_threads(run.arguments, task, run.n_replicas, run.lanes, int(problem.saves[-1]), run.numbers, report)
        return out

    def backward(self, problem: Problem, report: Report | None = None, chosen: str | None = None) -> Out:
        """By "each", "sweep" or "incremental": the cheapest, or the one that is `chosen`."""
        chosen = chosen or algorithm(problem.form, problem.saves, len(problem.x0))
        return {"each": _each, "sweep": _sweep, "incremental": _incremental}[chosen](problem, report)

    def backward_work(self, problem: Problem) -> int:
        """That of the algorithm that `backward` chooses."""
        chosen = algorithm(problem.form, problem.saves, len(problem.x0))
        return work(chosen, problem.form, problem.saves)

    def window(self, problem: Problem, width: int, report: Report | None = None) -> Out:
        """The width is that of every replica; each goes forward once."""
        run, saves = _RunInBlocks(problem), problem.saves
        kernel, mark, out = _kernel(sliding_window, problem), _kernel(mark_diverged, problem), run.out()

        def task(memory, first, last, control):
            part = out.states[first:last]
            kernel(*memory, *run.place(first), problem.x0[first:last], width, saves, part, control)
            mark(part, saves, out.diverged[first:last])

        steps = int(saves[-1]) + sum(min(n, width) for n in saves.tolist())
        in_threads(run.arguments, task, run.n_replicas, run.lanes, steps, run.numbers, report)
        return out

    def backward_to(self, problem: Problem, lengths: np.ndarray, report: Report | None = None) -> np.ndarray:
        """Bit for bit what `backward` saves after so many steps."""
        run, kernel = _RunInBlocks(problem), _kernel(backward_to, problem)
        states = np.empty((run.n_replicas, 1, problem.x0.shape[1]), problem.x0.dtype)
        steps = np.ascontiguousarray(lengths, np.int64)

        def task(memory, first, last, control):
            part = slice(first, last)
            kernel(*memory, *run.place(first), problem.x0[part], steps[part], states[part], control)

        in_threads(run.arguments, task, run.n_replicas, run.lanes, int(steps.max()), run.numbers, report)
        return states[:, 0]

    def joined(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """In memory of its own."""
        return np.concatenate([first, second], axis=1)


class _Run:
    """A problem as the kernels read it."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.n_replicas = problem, len(problem.x0)
        self.maps = pack(problem.form, problem.x0.dtype)
        self.draws = draws_of(problem.form, problem.law, problem.seed)

    def out(self) -> Out:
        """Arrays for the kernels to fill."""
        dim, dtype = self.problem.x0.shape[1], self.problem.x0.dtype
        states = np.empty((self.n_replicas, len(self.problem.saves), dim), dtype)
        return Out(states, np.full(self.n_replicas, -1, np.int64))

    def place(self, first: int) -> tuple[np.uint64, np.uint64, np.uint64]:
        """Where replica `first` of the run reads its noise."""
        start, stride, first_step = self.problem.place
        return np.uint64(start + first * stride), np.uint64(stride), np.uint64(first_step)

    @property
    def numbers(self) -> int:
        """How many numbers of the table one step of one replica reads."""
        matrix = isinstance(self.problem.form, Affine) and not self.maps.lane_layout
        return self.maps.table.shape[1] * self.maps.batch_size * (self.maps.dim if matrix else 1)


class _RunInBlocks(_Run):
    """The same with code and memory for blocks of replicas."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        threads = resources.threads() if self.n_replicas > LANES else 1  # eight lanes are not split
        self.lanes = lane_blocks.lanes_for(self.maps, self.n_replicas, threads)
        self.shared = problem.place.stride == 0
        few = few_of(self.n_replicas)
        if few and (few == 1 or not self.shared):
            self.shared = False  # of one replica, nothing is shared
            self.code, self.noise_lanes = few_code(problem.form, self.maps, self.draws, few)
        else:
            self.noise_lanes = 0
            self.code = compiled.code_for(problem.form, self.maps, self.draws, self.lanes, self.shared)

    def arguments(self) -> tuple:
        """The first arguments of a kernel, with memory for one thread."""
        scratch = lane_blocks.new_scratch(self.maps, self.draws, self.lanes, self.shared, self.noise_lanes)
        return self.code, self.maps, self.draws, scratch


def _kernel(function, problem: Problem):
    return compiled.kernel(function, problem.x0.dtype)


def _each(problem: Problem, report: Report | None) -> Out:
    """Every saved iterate from its own start: Σn maps."""
    run, saves = _RunInBlocks(problem), problem.saves
    kernel, mark, out = _kernel(backward_each, problem), _kernel(mark_diverged, problem), run.out()

    def task(memory, first, last, control):
        part = out.states[first:last]
        kernel(*memory, *run.place(first), problem.x0[first:last], saves, part, control)
        mark(part, saves, out.diverged[first:last])

    in_threads(run.arguments, task, run.n_replicas, run.lanes, sum(saves.tolist()), run.numbers, report)
    return out


def _sweep(problem: Problem, report: Report | None) -> Out:
    """All saved iterates of a replica at once."""
    run = _Run(problem)
    out = run.out()
    _sweep_some(run, np.arange(run.n_replicas), out, report)
    return out


def _sweep_some(run: _Run, replicas: np.ndarray, out: Out, report: Report | None) -> None:
    """One sweep for each of some replicas; where they are few, one for each of some shares of the saved steps."""
    problem, saves = run.problem, run.problem.saves
    shares = min(-(-resources.threads() // len(replicas)), -(-len(saves) // MIN_SAVES_OF_A_SWEEP))
    code = compiled.sweep_code(problem.form, run.maps, run.draws)
    kernel, mark = _kernel(backward_sweep, problem), _kernel(mark_diverged, problem)
    parts = [np.ascontiguousarray(saves[share::shares]) for share in range(shares)]
    dim, dtype = problem.x0.shape[1], problem.x0.dtype

    def task(memory, first, last, control):
        for piece in range(first, last):
            some, share = parts[piece % shares], piece % shares
            r = int(replicas[piece // shares])
            one = slice(r, r + 1)
            part = out.states[one] if shares == 1 else np.empty((1, len(some), dim), dtype)
            kernel(code, run.maps, run.draws, memory, *run.place(r), problem.x0[one], some, part, control)
            if shares > 1:
                out.states[r, share::shares] = part[0]
            else:
                mark(part, saves, out.diverged[one])

    new_memory = partial(new_sweep, run.maps, run.draws, len(parts[0]))
    in_threads(new_memory, task, len(replicas) * shares, 1, sum(saves.tolist()) // shares, run.numbers, report)
    if shares > 1:
        for r in replicas:
            mark(out.states[r : r + 1], saves, out.diverged[r : r + 1])


def _incremental(problem: Problem, report: Report | None) -> Out:
    """The linear part and the offset of affine maps, carried along."""
    run = _Run(problem)
    code, kernel = compiled.incremental_code(problem.form, run.maps, run.draws), _kernel(incremental, problem)
    out, finite = run.out(), np.zeros(run.n_replicas, bool)

    def new_memory():
        return lane_blocks.new_scratch(run.maps, run.draws, LANES, shared=False), new_carry(run.maps)

    def task(memory, first, last, control):
        some, rows = slice(first, last), out.states[first:last].reshape(last - first, -1)
        x0, saves = problem.x0[some], problem.saves
        kernel(code, run.maps, run.draws, *memory, *run.place(first), x0, saves, rows, finite[some], control)

    steps, numbers = int(problem.saves[-1]), run.numbers * run.maps.dim
    in_threads(new_memory, task, run.n_replicas, LANES, steps, numbers, report)
    # Where the linear part overflowed the iterates themselves may be finite: the sweep finds out.
    if not finite.all():
        _sweep_some(run, np.flatnonzero(~finite), out, report)
    return out
