"""Runs kernels on all cores: splits the replicas, keeps the interpreter responsive, and reports progress."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

import numba
import numpy as np

from iterorder.kernels import blocks, compiled, systems
from iterorder.kernels.backward import backward_each, backward_to, mark_diverged, sliding_window
from iterorder.kernels.forward import forward
from iterorder.kernels.incremental import incremental, new_carry
from iterorder.kernels.lanes import LANES
from iterorder.kernels.sweep import backward_sweep, new_sweep

# Chunks of replicas for each thread: enough that a slow one does not leave the other cores idle.
CHUNKS_PER_THREAD = 4
# Numbers read below which a thread is not worth starting: about a millisecond.
SMALL_WORK = 1_000_000
POLL_SECONDS = 0.1
# Saved steps that are worth a sweep of their own.
MIN_SHARE = 64


class Noise(NamedTuple):
    """Where a run reads its noise: replica r of the run meets replica first + r·stride, from step `first_step` on."""

    first_replica: int
    stride: int
    first_step: int


class _Blocks:
    """The compiled code of a run and the memory of its blocks."""

    def __init__(self, system, draws, noise, n_replicas):
        self.system, self.draws = system, draws
        self.lanes = blocks.lanes_for(system, n_replicas, numba.get_num_threads())
        self.shared = noise.stride == 0
        self.code = compiled.code_for(system, draws, self.lanes, self.shared)

    def arguments(self):
        """The first arguments of a kernel, with memory for one thread."""
        return self.code, self.system, self.draws, blocks.new_scratch(self.system, self.draws, self.lanes, self.shared)


def run_forward(system, draws, noise, x0, saves, states, diverged, report):
    """Forward iterates, exact divergence step included; every array argument is split along the replicas."""
    run, kernel = _Blocks(system, draws, noise, len(x0)), compiled.kernel(forward, x0.dtype)

    def task(memory, first, last, control):
        part = slice(first, last)
        kernel(*memory, *_place(noise, first), x0[part], saves, states[part], diverged[part], control)

    _run(run.arguments, task, len(x0), run.lanes, int(saves[-1]), _numbers_a_step(system), report)


def run_backward(algorithm, system, draws, noise, x0, saves, states, diverged, report):
    """Backward iterates by "each", "sweep" or "incremental"."""
    run = {"each": _run_each, "sweep": _run_sweep, "incremental": _run_incremental}[algorithm]
    run(system, draws, noise, x0, saves, states, diverged, report)


def _run_each(system, draws, noise, x0, saves, states, diverged, report):
    run = _Blocks(system, draws, noise, len(x0))
    kernel, mark = (compiled.kernel(function, x0.dtype) for function in (backward_each, mark_diverged))

    def task(memory, first, last, control):
        part = states[first:last]
        kernel(*memory, *_place(noise, first), x0[first:last], saves, part, control)
        mark(part, saves, diverged[first:last])

    _run(run.arguments, task, len(x0), run.lanes, sum(saves.tolist()), _numbers_a_step(system), report)


def run_backward_to(system, draws, noise, x0, lengths, states, report):
    """Backward iterates of a length for each replica; states have shape (replicas, 1, dim)."""
    run, kernel = _Blocks(system, draws, noise, len(x0)), compiled.kernel(backward_to, x0.dtype)

    def task(memory, first, last, control):
        part = slice(first, last)
        kernel(*memory, *_place(noise, first), x0[part], lengths[part], states[part], control)

    _run(run.arguments, task, len(x0), run.lanes, int(lengths.max()), _numbers_a_step(system), report)


def _run_sweep(system, draws, noise, x0, saves, states, diverged, report, replicas=None):
    """One sweep for each replica (of `replicas`); where they are few, one for each of some shares of the saves."""
    replicas = np.arange(len(x0)) if replicas is None else replicas
    shares = min(-(-numba.get_num_threads() // len(replicas)), -(-len(saves) // MIN_SHARE))
    code = compiled.sweep_code(system, draws)
    kernel, mark = (compiled.kernel(function, x0.dtype) for function in (backward_sweep, mark_diverged))
    parts = [np.ascontiguousarray(saves[share::shares]) for share in range(shares)]

    def task(memory, first, last, control):
        for piece in range(first, last):
            some, share = parts[piece % shares], piece % shares
            r = int(replicas[piece // shares])
            one = slice(r, r + 1)
            part = states[one] if shares == 1 else np.empty((1, len(some), x0.shape[1]), x0.dtype)
            kernel(code, system, draws, memory, *_place(noise, r), x0[one], some, part, control)
            if shares > 1:
                states[r, share::shares] = part[0]
            else:
                mark(part, saves, diverged[one])

    new_memory = partial(new_sweep, system, draws, len(parts[0]))
    steps = sum(saves.tolist()) // shares
    _run(new_memory, task, len(replicas) * shares, 1, steps, _numbers_a_step(system), report)
    if shares > 1:
        for r in replicas:
            mark(states[r : r + 1], saves, diverged[r : r + 1])


def _run_incremental(system, draws, noise, x0, saves, states, diverged, report):
    code = compiled.incremental_code(system, draws)
    kernel = compiled.kernel(incremental, x0.dtype)
    finite = np.zeros(len(x0), bool)

    def new_memory():
        return blocks.new_scratch(system, draws, LANES, shared=False), new_carry(system)

    def task(memory, first, last, control):
        some, rows = slice(first, last), states[first:last].reshape(last - first, -1)
        place = _place(noise, first)
        kernel(code, system, draws, *memory, *place, x0[some], saves, rows, finite[some], control)

    _run(new_memory, task, len(x0), LANES, int(saves[-1]), _numbers_a_step(system) * system.dim, report)
    # Where the linear part overflowed the iterates themselves may be finite: the sweep finds out.
    if not finite.all():
        _run_sweep(system, draws, noise, x0, saves, states, diverged, report, np.flatnonzero(~finite))


def run_sliding(width, system, draws, noise, x0, saves, states, diverged, report):
    """Sliding windows of `width` maps."""
    run, kernel = _Blocks(system, draws, noise, len(x0)), compiled.kernel(sliding_window, x0.dtype)
    mark = compiled.kernel(mark_diverged, x0.dtype)

    def task(memory, first, last, control):
        part = states[first:last]
        kernel(*memory, *_place(noise, first), x0[first:last], width, saves, part, control)
        mark(part, saves, diverged[first:last])

    work = int(saves[-1]) + sum(min(n, width) for n in saves.tolist())
    _run(run.arguments, task, len(x0), run.lanes, work, _numbers_a_step(system), report)


def _place(noise: Noise, first: int):
    replica = noise.first_replica + first * noise.stride
    return np.uint64(replica), np.uint64(noise.stride), np.uint64(noise.first_step)


def _numbers_a_step(system: systems.System) -> int:
    """How many numbers of the table one step of one replica reads."""
    matrix = system.family == systems.AFFINE and not system.lane_layout
    return system.table.shape[1] * system.batch_size * (system.dim if matrix else 1)


def _run(
    new_memory: Callable, task: Callable, n_replicas: int, grain: int, steps: int, numbers: int, report: Callable | None
) -> None:
    """Call `task(memory, first, last, control)` for chunks of replicas that are multiples of `grain`, on several cores.

    Every thread has memory of its own, and takes the next chunk when it has finished one. Kernels hold no interpreter
    lock. The main thread waits in short naps, so that Ctrl-C is heard: it asks the kernels to stop, waits until they
    have, and goes on as an exception.
    """
    threads = numba.get_num_threads()
    grains = -(-n_replicas // grain)
    pieces = threads * CHUNKS_PER_THREAD if threads > 1 else 1
    size = max(1, -(-grains // pieces)) * grain
    chunks = deque((first, min(first + size, n_replicas)) for first in range(0, n_replicas, size))
    threads = min(threads, len(chunks))
    stop, done = np.zeros(1, np.int64), np.zeros(threads, np.int64)
    work = max(1, steps) * grains * grain
    if report is None and work * numbers < SMALL_WORK:
        task(new_memory(), 0, n_replicas, blocks.Control(stop, done, 0))
        return

    ended: SimpleQueue = SimpleQueue()

    def work_off(slot):
        try:
            memory, control = new_memory(), blocks.Control(stop, done, slot)
            while chunks and stop[0] == 0:
                try:
                    first, last = chunks.popleft()
                except IndexError:
                    break  # another thread took it
                task(memory, first, last, control)
        except BaseException as error:  # for the main thread to raise
            ended.put(error)
        else:
            ended.put(None)

    given = 0
    try:  # from the first piece of work on: an interrupt may come between two of them
        for slot in range(threads):
            _workers(threads).put(partial(work_off, slot))
            given += 1
        while given:
            try:
                error = ended.get(timeout=POLL_SECONDS)
            except Empty:
                error = None
            else:
                given -= 1
            if report is not None:
                report(float(done.sum()) / work)
            if error is not None:
                raise error
    except BaseException:
        stop[0] = 1
        raise
    finally:
        for _ in range(given):
            ended.get()


@cache
def _workers(threads: int) -> SimpleQueue:
    """Threads that wait for work in this queue: starting them would take longer than a small simulation.

    They are daemons, which the end of the process does not wait for. The threads of concurrent.futures can be orphaned
    by an interrupt while they start, and then keep the process from ending.
    """
    queue: SimpleQueue = SimpleQueue()

    def serve():
        while True:
            queue.get()()

    for k in range(threads):
        Thread(target=serve, name=f"iterorder-{k}", daemon=True).start()
    return queue


os.register_at_fork(after_in_child=_workers.cache_clear)  # a forked process has no threads but its first
