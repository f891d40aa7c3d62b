"""Runs kernels on all cores: splits the replicas, keeps the interpreter responsive, and reports progress."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import NamedTuple

import numba
import numpy as np

from iterorder.kernels import blocks, systems
from iterorder.kernels.backward import backward_each, backward_sweep, mark_diverged, sliding_window
from iterorder.kernels.forward import forward
from iterorder.kernels.incremental import incremental

# Chunks of replicas for each thread: enough that a slow one does not leave the other cores idle.
CHUNKS_PER_THREAD = 4
# Numbers read below which a thread is not worth starting: about a millisecond.
SMALL_WORK = 1_000_000
POLL_SECONDS = 0.1


class Noise(NamedTuple):
    """Where a run reads its noise: replica r of the run meets replica first + r·stride, from step `first_step` on."""

    seed: int
    first_replica: int
    stride: int
    first_step: int


def run_forward(system, draws, noise, x0, saves, states, diverged, report):
    """Forward iterates, exact divergence step included; every array argument is split along the replicas."""
    lanes = blocks.lanes_for(len(x0))

    def task(first, last, control):
        scratch = blocks.new_scratch(system, draws, lanes)
        place = _place(noise, first)
        forward(
            system, draws, scratch, *place, x0[first:last], saves, states[first:last], diverged[first:last], control
        )

    _run(task, len(x0), lanes, int(saves[-1]), _numbers_a_step(system, draws), report)


def run_backward(algorithm, system, draws, noise, x0, saves, states, diverged, report):
    """Backward iterates by "each", "sweep" or "incremental"."""
    kernel = {"each": backward_each, "sweep": backward_sweep, "incremental": incremental}[algorithm]
    # A linear part of d² numbers for each lane is carried along: few lanes keep it in the cache.
    lanes = {
        "each": blocks.lanes_for(len(x0)),
        "sweep": blocks.lanes_for(len(saves)),
        "incremental": blocks.MIN_LANES,
    }[algorithm]
    work = int(saves[-1]) if algorithm == "incremental" else sum(saves.tolist())

    def task(first, last, control):
        scratch = blocks.new_scratch(system, draws, lanes)
        part = states[first:last]
        kernel(system, draws, scratch, *_place(noise, first), x0[first:last], saves, part, control)
        if algorithm == "incremental":
            _recompute_overflown(system, draws, noise, first, x0[first:last], saves, part, control)
        mark_diverged(part, saves, diverged[first:last])

    numbers = _numbers_a_step(system, draws) * (system.dim if algorithm == "incremental" else 1)
    _run(task, len(x0), 1 if algorithm == "sweep" else lanes, work, numbers, report)


def _recompute_overflown(system, draws, noise, first, x0, saves, states, control):
    """Iterates of replicas whose linear part overflowed, by the sweep: the iterates themselves may be finite."""
    for r in np.flatnonzero(~np.isfinite(states).all(axis=(1, 2))):
        scratch = blocks.new_scratch(system, draws, blocks.lanes_for(len(saves)))
        place = _place(noise, first + int(r))
        backward_sweep(system, draws, scratch, *place, x0[r : r + 1], saves, states[r : r + 1], control)


def run_sliding(width, system, draws, noise, x0, saves, states, diverged, report):
    """Sliding windows of `width` maps."""
    lanes = blocks.lanes_for(len(x0))

    def task(first, last, control):
        scratch = blocks.new_scratch(system, draws, lanes)
        part = states[first:last]
        sliding_window(system, draws, scratch, *_place(noise, first), x0[first:last], width, saves, part, control)
        mark_diverged(part, saves, diverged[first:last])

    work = int(saves[-1]) + sum(min(n, width) for n in saves.tolist())
    _run(task, len(x0), lanes, work, _numbers_a_step(system, draws), report)


def _place(noise: Noise, first: int):
    replica = noise.first_replica + first * noise.stride
    return np.uint64(replica), np.uint64(noise.stride), np.uint64(noise.first_step)


def _numbers_a_step(system: systems.System, draws: systems.Draws) -> int:
    """How many numbers of the table one step of one replica reads."""
    return system.table.shape[1] * draws.batch_size


def _run(
    task: Callable, n_replicas: int, grain: int, steps: int, numbers: int, report: Callable[[float], None] | None
) -> None:
    """Call `task(first, last, control)` for chunks of replicas that are multiples of `grain`, on all cores.

    Kernels hold no interpreter lock. The main thread waits in short naps, so that Ctrl-C is heard: it asks the kernels
    to stop, waits until they have, and goes on as an exception.
    """
    threads = numba.get_num_threads()
    grains = -(-n_replicas // grain)
    size = max(1, -(-grains // (threads * CHUNKS_PER_THREAD))) * grain
    chunks = [(first, min(first + size, n_replicas)) for first in range(0, n_replicas, size)]
    stop, done = np.zeros(1, np.int64), np.zeros(len(chunks), np.int64)
    work = max(1, steps) * grains * grain
    if report is None and work * numbers < SMALL_WORK:
        for slot, (first, last) in enumerate(chunks):
            task(first, last, blocks.Control(stop, done, slot))
        return
    pool = ThreadPoolExecutor(max_workers=min(threads, len(chunks)))
    try:
        waiting = {
            pool.submit(task, first, last, blocks.Control(stop, done, slot))
            for slot, (first, last) in enumerate(chunks)
        }
        while waiting:
            finished, waiting = wait(waiting, timeout=POLL_SECONDS, return_when=FIRST_EXCEPTION)
            if report is not None:
                report(float(done.sum()) / work)
            for future in finished:
                future.result()
    except BaseException:
        stop[0] = 1
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
