"""The engine of worker processes on this machine, which are started anew where they die."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread

from iterorder import resources
from iterorder.errors import EngineError
from iterorder.sweeps.cells import Cells, Outcome
from iterorder.sweeps.engines.base import Block, Finished, carried, quiet_environment, search_path
from iterorder.sweeps.engines.frames import receive, send

#: Workers that die in a row before they have answered at all: then something else is wrong.
STILLBORN = 20


class _Worker:
    """A process, the thread that listens to it, and the block that it has."""

    def __init__(self, payload: bytes, threads: int, events: SimpleQueue) -> None:
        self.block: Block | None = None
        self.answered = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "iterorder.sweeps.engines.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=quiet_environment(threads),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        Thread(target=self._listen, args=(events,), daemon=True).start()
        self.send((search_path(), payload))

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def send(self, message) -> None:
        """A message; of one that has died the listener tells."""
        with suppress(OSError):
            send(self._to, message)

    def stop(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._to.close()

    def _listen(self, events: SimpleQueue) -> None:
        try:
            while True:
                events.put((self, receive(self._from), False))
        except (EOFError, OSError, ValueError):
            events.put((self, None, True))


class Processes:
    """Worker processes, each with one block at a time."""

    def __init__(self, cells: Cells, workers: int | None) -> None:
        self._payload = carried(cells)
        count = resources.threads() if workers is None else workers
        self._threads = max(1, resources.threads() // count)
        self._events: SimpleQueue = SimpleQueue()
        self._stillborn = 0
        self._workers: list[_Worker] = []
        for _ in range(count):
            self._workers.append(self._new())

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes."""
        return [worker.pid for worker in self._workers]

    def _new(self) -> _Worker:
        return _Worker(self._payload, self._threads, self._events)

    @property
    def least_seconds(self) -> float:
        """Any: a task costs next to nothing."""
        return 0.0

    @property
    def blames_one(self) -> bool:
        """A worker has one block."""
        return True

    def room(self) -> int:
        """One block for each worker that is ready: no cell is to blame for one that dies while it starts."""
        return len(self._ready())

    def _ready(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.answered and worker.block is None]

    def submit(self, block: Block) -> None:
        """Give a block to a worker without one."""
        worker = self._ready()[0]
        worker.block = block
        worker.send(block)

    def collect(self, timeout: float) -> list[Finished]:
        """What workers have answered, and the blocks of those that died."""
        found: list[Finished] = []
        try:
            event = self._events.get(timeout=timeout)
            while True:
                found += self._heard(*event)
                event = self._events.get_nowait()
        except Empty:
            return found

    def _heard(self, worker: _Worker, answer, dead: bool) -> list[Finished]:
        block = worker.block
        if dead:
            self._replace(worker)
            return [] if block is None else [Finished(block, None)]
        if isinstance(answer, str):
            raise EngineError(
                f"workers cannot read make_maps or measure ({answer}): define them in a module that can be imported "
                "from the folder of the script, or give engine='serial'"
            )
        worker.answered, self._stillborn = True, 0
        if answer is None or block is None:
            return []
        worker.block = None
        return [Finished(block, answer)]

    def _replace(self, worker: _Worker) -> None:
        worker.stop()
        self._stillborn += not worker.answered
        if self._stillborn >= STILLBORN:
            raise EngineError(
                f"{STILLBORN} workers died one after the other before they had begun: look at what they wrote to "
                "standard error, or give engine='serial'"
            )
        self._workers[self._workers.index(worker)] = self._new()

    def salvage(self) -> list[Outcome]:
        """What has been answered already."""
        waiting = self.collect(0.0)
        return [
            outcome
            for block, outcomes in waiting
            if outcomes is not None
            for part, outcome in zip(block, outcomes, strict=True)
            if not part.replicas
        ]

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.stop()
        self._workers = []
