"""Kernels on all cores: splits the replicas, keeps the interpreter responsive, and reports progress."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from functools import cache, partial
from queue import Empty, SimpleQueue
from threading import Thread

import numpy as np

from iterorder import resources
from iterorder.kernels.cpu.lane_blocks import Control

# Chunks of replicas for each thread: enough that a slow one does not leave the other cores idle.
CHUNKS_PER_THREAD = 4
# Numbers read below which a thread is not worth starting: about a millisecond.
SMALL_WORK = 1_000_000
POLL_SECONDS = 0.1


def in_threads(
    new_memory: Callable, task: Callable, n_replicas: int, grain: int, steps: int, numbers: int, report: Callable | None
) -> None:
    """Call `task(memory, first, last, control)` for chunks of replicas that are multiples of `grain`, on several cores.

    Every thread has memory of its own, and takes the next chunk when it has finished one. Kernels hold no interpreter
    lock. The main thread waits in short naps, so that Ctrl-C is heard: it asks the kernels to stop, waits until they
    have, and goes on as an exception.
    """
    grains = -(-n_replicas // grain)
    work = max(1, steps) * grains * grain
    if report is None and work * numbers < SMALL_WORK:  # before the threads are counted, which takes as long
        task(new_memory(), 0, n_replicas, Control(np.zeros(1, np.int64), np.zeros(1, np.int64), 0))
        return
    threads = resources.threads()
    pieces = threads * CHUNKS_PER_THREAD if threads > 1 else 1
    size = max(1, -(-grains // pieces)) * grain
    chunks = deque((first, min(first + size, n_replicas)) for first in range(0, n_replicas, size))
    threads = min(threads, len(chunks))
    stop, done = np.zeros(1, np.int64), np.zeros(threads, np.int64)

    ended: SimpleQueue = SimpleQueue()

    def work_off(slot):
        try:
            memory, control = new_memory(), Control(stop, done, slot)
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
