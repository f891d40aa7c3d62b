"""The engine on Dask: a local cluster, or any scheduler by its address. A task is a block, never a single cell."""

from __future__ import annotations

import logging
import pickle
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

import dask
import distributed

from iterorder import resources
from iterorder.errors import EngineError
from iterorder.sweeps.cells import Cells, Outcome
from iterorder.sweeps.engines.base import Block, Finished, carried, computed, limit_threads

#: Blocks in flight for each thread of a worker: one that it computes, and one that waits.
IN_FLIGHT = 2
#: Seconds between two looks at how many workers there are.
LOOK = 1.0
#: Loopback: no other machine may reach a local cluster.
HOST = "127.0.0.1"
#: Seconds without any worker after which a local cluster is started anew.
FORSAKEN = 20.0
#: Seconds that the scheduler and the client spend on a task, and as much again: 4 to 12 ms were measured.
TASK_SECONDS = 0.02
#: How often a local cluster is started that fails.
STARTS = 4
#: How often the workers are offered the cells.
ATTEMPTS = 10


class CellsPlugin(distributed.WorkerPlugin):
    """Gives the cells to every worker, also to those that come later."""

    def __init__(self, name: str, payload: bytes, threads: int) -> None:
        self.name, self.payload, self.threads = name, payload, threads
        self.cells: Cells | None = None

    def setup(self, worker) -> None:
        """Nothing is read before the first block, whose error reaches the client."""

    def compute(self, block: Block) -> list[Outcome]:
        """The outcomes of a block."""
        if self.cells is None:
            self.cells = pickle.loads(self.payload)  # Dask's transport is trusted, as its own tasks are pickles
        limit_threads(self.threads)
        return computed(self.cells, block)


def compute_block(name: str, block: Block) -> list[Outcome]:
    """A task."""
    plugin: Any = distributed.get_worker().plugins[name]
    return plugin.compute(block)


def _local_cluster(workers: int):
    """Processes of one thread each on loopback, with no pages for a browser."""
    settings: dict[str, Any] = {f"distributed.{part}.http.routes": [] for part in ("scheduler", "worker")}
    settings["distributed.scheduler.allowed-failures"] = 0  # the driver asks again, and knows who is to blame
    with dask.config.set(settings):
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host=HOST,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": f"{HOST}:0"},  # any free port
            silence_logs=logging.CRITICAL,
        )


def _started_cluster(workers: int):
    """A local cluster; one whose worker dies while it starts is none, and another one is tried."""
    for _ in range(STARTS - 1):
        with suppress(RuntimeError):
            return _local_cluster(workers)
        time.sleep(LOOK)
    try:
        return _local_cluster(workers)
    except RuntimeError as error:
        raise EngineError(
            f"Dask's local cluster does not start ({error}): look at what its workers wrote to standard error, guard "
            "the script by `if __name__ == '__main__':`, or give engine='processes'"
        ) from error


def _register(client, plugin: CellsPlugin) -> None:
    """Give a plugin to all workers; one that dies meanwhile fails the call, not what others and later ones have got."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            client.register_plugin(plugin, name=plugin.name)
            return
        except OSError:
            if attempt == ATTEMPTS or client.status != "running":
                raise
            time.sleep(LOOK)


class Dask:
    """Blocks as tasks of a Dask scheduler, in a bounded window."""

    def __init__(self, cells: Cells, workers: int | None, scheduler: str | None) -> None:
        self._cells, self._workers, self._scheduler = cells, workers, scheduler
        self._address = scheduler or "the local cluster"
        self._connect()

    def _connect(self) -> None:
        """Start a local cluster or find a scheduler, and give the cells to its workers."""
        self._cluster: Any = None
        self._client: Any = None
        self._events: SimpleQueue = SimpleQueue()
        self._futures: dict[str, tuple[distributed.Future, Block]] = {}
        self._name, threads = f"iterorder-{uuid.uuid4().hex[:12]}", 1
        try:
            if self._scheduler is None:
                count = resources.threads() if self._workers is None else self._workers
                threads = max(1, resources.threads() // count)
                self._cluster = _started_cluster(count)
            address = self._scheduler if self._cluster is None else self._cluster
            client = self._client = distributed.Client(address, set_as_default=False)
            _register(client, CellsPlugin(self._name, carried(self._cells), threads))
        except (OSError, TimeoutError) as error:
            self.close()
            raise EngineError(
                f"no scheduler answers at {self._address} ({error}): give the address that `dask scheduler` prints, "
                "such as tcp://HOST:8786"
            ) from error
        except BaseException:
            self.close()
            raise
        self._looked, self._threads, self._alive = float("-inf"), 0, time.monotonic()

    @property
    def least_seconds(self) -> float:
        """As one scheduler and one client serve all workers."""
        return TASK_SECONDS * self._threads

    @property
    def blames_one(self) -> bool:
        """A scheduler suspects every task that had been sent to a worker."""
        return False

    def room(self) -> int:
        """A few blocks for each thread of the workers that there are now; one while there are none."""
        self._look()
        return max(1, IN_FLIGHT * self._threads) - len(self._futures)

    def _look(self) -> None:
        """How many workers there are, from time to time."""
        now = time.monotonic()
        if now - self._looked <= LOOK:
            return
        self._looked = now
        with self._answering():
            self._threads = sum(self._client.nthreads().values())
        if self._threads:
            self._alive = now

    def _lost_cluster(self) -> list[Finished]:
        """The blocks in flight, if a local cluster has lost all workers for good: then there is a new one.

        Dask starts workers anew that die, but not where one dies while it starts; tasks would wait for ever.
        """
        self._look()
        if self._cluster is None or time.monotonic() - self._alive < FORSAKEN:
            return []
        blocks = [block for _, block in self._futures.values()]
        self.close()
        self._connect()
        return [Finished(block, None) for block in blocks]

    def submit(self, block: Block) -> None:
        """Send a block; Dask gives it to another worker where one dies."""
        key = f"{self._name}-{uuid.uuid4().hex}"
        with self._answering():
            future = self._client.submit(compute_block, self._name, block, key=key, pure=False)
        self._futures[key] = future, block
        future.add_done_callback(lambda done: self._events.put(done.key))

    def collect(self, timeout: float) -> list[Finished]:
        """The blocks of tasks that have ended."""
        found: list[Finished] = []
        try:
            key = self._events.get(timeout=timeout)
            while True:
                if (entry := self._futures.pop(key, None)) is not None:
                    found.append(self._result(*entry))
                key = self._events.get_nowait()
        except Empty:
            return found or self._lost_cluster()

    def _result(self, future, block: Block) -> Finished:
        if future.status == "finished":
            try:
                return Finished(block, future.result(timeout=60))
            except (TimeoutError, OSError, distributed.client.FutureCancelledError, distributed.scheduler.KilledWorker):
                self._check_alive()
                return Finished(block, None)  # its worker died with the result
        self._check_alive()
        if future.status != "error":
            raise EngineError(f"{self._address} has dropped a block ({future.status}): start the sweep again")
        with self._answering():
            error = future.exception()
        if isinstance(error, distributed.scheduler.KilledWorker):
            return Finished(block, None)
        raise EngineError(
            f"a worker of {self._address} cannot compute ({type(error).__name__}: {error}): iterorder, and the module "
            "of make_maps and measure, must be installed where the workers are"
        ) from error

    def _check_alive(self) -> None:
        if self._client is None or self._client.status != "running":
            raise self._gone()

    def _gone(self) -> EngineError:
        return EngineError(f"{self._address} has gone: what was finished is kept; start the sweep again to go on")

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """What is asked of the scheduler meanwhile; it may die before the question, or between it and the answer."""
        self._check_alive()
        try:
            yield
        except (OSError, TimeoutError, distributed.client.FutureCancelledError) as error:  # a closed connection is one
            raise self._gone() from error

    def salvage(self) -> list[Outcome]:
        """What has ended already; nothing where the scheduler has gone."""
        try:
            waiting = self.collect(0.0)
        except EngineError:
            return []
        return [
            outcome
            for block, outcomes in waiting
            if outcomes is not None
            for part, outcome in zip(block, outcomes, strict=True)
            if not part.replicas
        ]

    def close(self) -> None:
        """Drop the tasks and leave the scheduler; a local cluster ends."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, TimeoutError):  # it may go meanwhile
                if client.status == "running":
                    client.cancel([future for future, _ in self._futures.values()], force=True)
                    if self._cluster is None:
                        client.unregister_worker_plugin(self._name)
            client.close(timeout=5)
        if self._cluster is not None:
            self._cluster.close(timeout=10)
