"""How sweeps scale: measured on one and two processes, and a model for a thousand workers.

    python benchmarks/sweep_scaling.py [--json FILE]

The model is a closed queue: W workers compute blocks of b seconds, and each block passes once through one server, the
scheduler and the client, which takes c seconds. Workers wait where W·c > b: then the server is the bottleneck.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import iterorder as ito
from iterorder.files import write_json

#: Repetitions of a measurement, and cells of one.
ROUNDS, CELLS = 3, 240


def efficiency(workers: int, block: float, cost: float, *, blocks_each: int = 50) -> float:
    """The share of their time that workers compute, in a simulation of the queue.

    Parameters
    ----------
    workers : int
    block, cost : float
        Seconds of a block on a worker, and of its messages and rows at the server.
    blocks_each : int
        Blocks of a worker in the simulation.

    Examples
    --------
    >>> efficiency(10, 1.0, 0.0)
    1.0
    """
    # One block waits beside each worker, as in the engine: it begins the next one while the last is being booked.
    free_at = [0.0] * workers  # when each worker ends its block
    heapq.heapify(free_at)
    server = 0.0
    ready: list[float] = [0.0] * workers  # blocks that lie ready at workers: two for each are in flight
    done = 0
    while done < workers * blocks_each:
        worker = heapq.heappop(free_at)
        begin = max(worker, heapq.heappop(ready))
        end = begin + block
        heapq.heappush(free_at, end)
        server = max(server, begin) + cost  # the next one is sent when this one has begun
        heapq.heappush(ready, server)
        done += 1
    return workers * blocks_each * block / (workers * max(free_at))


def compute(maps, seed):
    """A cell of some ten milliseconds of one core."""
    run = ito.simulate(maps, [0.0], 3_000_000, n_replicas=8, seed=seed)
    return {"mean": run.states.mean()}


def nap(maps, seed):
    """A cell that takes ten milliseconds and no processor: what remains is the engine's own time."""
    time.sleep(0.01)
    return {"h": maps.step_size}


def seconds(measure, engine: str, workers: int, **options) -> float:
    """Wall time of a sweep of `CELLS`, with workers that have started and compiled."""
    grid = {"h": np.linspace(0.01, 0.5, CELLS).tolist()}
    begun: list[float] = []

    def report(share):
        if 0.0 < share < 0.9 and not begun:
            begun.extend((share, time.perf_counter()))

    with tempfile.TemporaryDirectory() as folder:
        ito.sweep(
            ito.gallery.two_point_quadratic,
            grid,
            measure,
            seed=0,
            folder=folder,
            engine=engine,
            workers=workers,
            progress=report,
            **options,
        )
        if not begun:
            raise SystemExit(f"{engine} was done before it had told anything: give more cells")
        return (time.perf_counter() - begun[1]) / (1.0 - begun[0])


def measured() -> dict:
    """Seconds on one and two processes, and the cost of a block on Dask."""
    found: dict = {"cores": os.cpu_count(), "load_before": os.getloadavg()}
    for name, measure in (("compute", compute), ("nap", nap)):
        times: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(ROUNDS):
            for workers, list_of in times.items():
                list_of.append(seconds(measure, "processes", workers, block_seconds=0.1))
        medians = {str(workers): statistics.median(values) for workers, values in times.items()}
        found[name] = {**medians, "speedup": medians["1"] / medians["2"], "all": list(times.values())}
    # As many tasks as cells, of ten milliseconds: two workers could take one up every five milliseconds. What is slower
    # than that is the time of the scheduler and the client; else this is a bound of it.
    each = [seconds(nap, "dask", 2, block_seconds=1e-9) / CELLS for _ in range(ROUNDS)]
    found["dask_block_seconds"] = statistics.median(each)
    found["load_after"] = os.getloadavg()
    return found


def main() -> None:
    """Measure, simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measured()
    cost = found["dask_block_seconds"]
    found["model"] = [
        {"workers": w, "block_seconds": b, "efficiency": round(efficiency(w, b, cost), 3)}
        for w in (10, 100, 1000)
        for b in (0.5, 2.0, 10.0, 30.0)
    ]
    print(json.dumps(found, indent=1))
    if options.json:
        write_json(options.json, found)


if __name__ == "__main__":
    main()
