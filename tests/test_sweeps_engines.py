"""Engines: the same bits everywhere, blocks of some length, workers that die, and what cannot be sent."""

from __future__ import annotations

import functools
import math
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import dask
import distributed  # its defaults come before the settings of a test
import numpy as np
import pytest

import iterorder as ito
from iterorder.errors import EngineError
from iterorder.sweeps.cells import Outcome, Part
from iterorder.sweeps.driver import MOST_CELLS, BlockSize
from iterorder.sweeps.engines.base import Finished, quiet_environment
from iterorder.sweeps.engines.serial import Serial
from tests.sweep_systems import GRID, SPLIT, CachedMaps, deadly, moments, tiny, two_points

ENGINES = ["serial", "processes", "dask"]
QUIET = {"progress": False}


def same(first: ito.Sweep, second: ito.Sweep) -> bool:
    """Whether two sweeps have the same bits, masks and errors."""
    tables = [found.to_xarray().drop_attrs() for found in (first, second)]
    return tables[0].identical(tables[1]) and first.failed == second.failed


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_every_engine_has_the_same_bits(tmp_path, engine):
    how = {"seed": 7, **QUIET}
    serial = ito.sweep(two_points, GRID, moments, folder=tmp_path / "serial", **how)
    other = ito.sweep(two_points, GRID, moments, folder=tmp_path / engine, engine=engine, workers=2, **how)
    assert same(serial, other)
    assert other.done.sum() == 18
    # Cells split by replicas, and functions that no worker can import.
    grid = {"h": [0.1, 0.3], "n_steps": [10, 20]}
    whole = ito.sweep(two_points, grid, SPLIT, folder=tmp_path / "whole", **how)
    parts = ito.sweep(
        lambda h: ito.gallery.two_point_quadratic(h),
        grid,
        SPLIT,
        folder=tmp_path / "parts",
        engine=engine,
        workers=2,
        split_replicas=300,
        **how,
    )
    assert same(whole, parts)
    assert parts.done.all()
    # A cell that kills its worker is an error in the end, and the others are not.
    found = ito.sweep(
        two_points, {"h": [0.1, 0.2, 0.3]}, deadly, folder=tmp_path / "deadly", engine=engine, workers=1, **how
    )
    assert found.done.tolist() == [True, False, True]
    assert found.failed[0].kind == "WorkerLostError"


class Queued:
    """A worker that has up to three blocks, and takes all of them with it where it meets a deadly cell."""

    least_seconds = 0.0

    def __init__(self, cells, deadly, blames_one=False):
        self.cells, self.deadly, self.blames_one = cells, deadly, blames_one
        self.blocks, self.alone = [], []

    def room(self):
        return 3 - len(self.blocks)

    def submit(self, block):
        self.blocks.append(block)

    def collect(self, timeout):
        blocks, self.blocks = self.blocks, []
        if len(blocks) == 1:
            self.alone += [part.cell for part in blocks[0]]
        lost = any(part.cell in self.deadly for block in blocks for part in block)
        return [Finished(block, None if lost else [self.cells.compute(part) for part in block]) for block in blocks]

    def salvage(self):
        return []

    def close(self):
        pass


@pytest.mark.parametrize("blames_one", [False, True])
def test_a_cell_that_only_waited_for_a_deadly_one_is_not_blamed(tmp_path, monkeypatch, blames_one):
    """The first cells go by themselves, a hundred more in growing blocks; three of them kill."""
    from iterorder.sweeps import entry

    deadly_cells, engines = {17, 18, 60}, []

    def started(engine, cells, workers, scheduler):
        engines.append(Queued(cells, deadly_cells, blames_one))
        return engines[0]

    monkeypatch.setattr(entry, "_started", started)
    found = ito.sweep(CachedMaps(), {"k": list(range(100))}, tiny, seed=0, folder=tmp_path, **QUIET)
    failed = {cell.cell for cell in found.failed}
    if blames_one:  # the control: an engine of which every lost block is blamed takes innocent cells with it
        assert failed > deadly_cells
        return
    assert failed == deadly_cells
    assert {cell.kind for cell in found.failed} == {"WorkerLostError"}
    assert [engines[0].alone.count(cell) >= 3 for cell in sorted(deadly_cells)] == [True] * 3


def test_a_control_that_differs_is_seen(tmp_path):
    """The comparison above tells a sweep of another seed."""
    some = [ito.sweep(two_points, GRID, moments, seed=seed, folder=tmp_path / str(seed), **QUIET) for seed in (1, 2)]
    assert not same(*some)


def test_scripts_need_no_guard_for_processes(tmp_path):
    """The user's script is not run again by the workers, and what its functions print disturbs nothing."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import sys
        import iterorder as ito

        def make(h):
            print("made")
            return ito.gallery.two_point_quadratic(h)

        def measure(maps, seed):
            return {"double": 2 * maps.step_size}

        found = ito.sweep(make, {"h": [0.1, 0.2]}, measure, seed=0, folder=sys.argv[1], engine="processes", workers=1,
                          progress=False)
        sys.stdout.write(f"{found.to_xarray().double.values.tolist()}\\n")
    """)
    )
    result = subprocess.run(
        [sys.executable, script, tmp_path / "sweep"], capture_output=True, text=True, check=False, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[0.2, 0.4]\n"


class Unreadable:
    """Can be written by pickle, and not be read."""

    def __reduce__(self):
        return (_refuse, ())

    def __call__(self, h):
        return two_points(h)


def _refuse():
    raise ImportError("not on this machine")


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_functions_that_workers_cannot_read_end_the_sweep_with_the_reason(tmp_path, engine):
    with pytest.raises(EngineError, match="not on this machine"):
        ito.sweep(Unreadable(), {"h": [0.1]}, tiny, seed=0, folder=tmp_path, engine=engine, workers=1, **QUIET)
    assert not ito.open_sweep(tmp_path).failed  # no cell is to blame


def locked(lock, h):
    return two_points(h)


def test_functions_that_cannot_be_sent(tmp_path):
    made = functools.partial(locked, threading.Lock())
    with pytest.raises(ito.InvalidInputError, match="engine='serial'"):
        ito.sweep(made, {"h": [0.1]}, tiny, seed=0, folder=tmp_path, engine="processes", workers=1, **QUIET)


def test_no_scheduler_at_an_address(tmp_path):
    nobody = {"engine": "dask", "scheduler": "tcp://127.0.0.1:1"}
    short = dask.config.set({"distributed.comm.timeouts.connect": "1s"})
    with short, pytest.raises(EngineError, match="no scheduler answers"):
        ito.sweep(two_points, {"h": [0.1]}, tiny, seed=0, folder=tmp_path, **nobody, **QUIET)


def urlopen_status(port: int, page: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_local_cluster_is_on_loopback_without_a_dashboard(tmp_path):
    from iterorder.sweeps.cells import Cells
    from iterorder.sweeps.engines.dask import Dask
    from iterorder.sweeps.grid import Grid
    from iterorder.sweeps.measures import as_measures

    engine = Dask(Cells(two_points, Grid.of({"h": [0.1]}), as_measures(tiny), 0), 1, None)
    try:
        cluster = engine._cluster
        assert cluster.scheduler_address.startswith("tcp://127.0.0.1:")
        assert cluster.scheduler.http_server.address == "127.0.0.1"
        assert urlopen_status(cluster.scheduler.http_server.port, "status") == 404
        assert all(address.startswith("tcp://127.0.0.1:") for address in cluster.scheduler.workers)
        threads = engine._client.run(lambda: __import__("os").environ.get("OMP_NUM_THREADS"))
        assert set(threads.values()) == {"1"}
        assert engine.room() == 2
    finally:
        engine.close()


def test_a_local_cluster_that_lost_its_workers_is_started_anew(monkeypatch):
    from iterorder.sweeps.cells import Cells
    from iterorder.sweeps.engines import dask as module
    from iterorder.sweeps.grid import Grid
    from iterorder.sweeps.measures import as_measures

    monkeypatch.setattr(module, "FORSAKEN", 1.5)
    engine = module.Dask(Cells(two_points, Grid.of({"h": [0.1]}), as_measures(tiny), 0), 1, None)
    try:
        engine._cluster.scale(0)
        deadline, lost = time.monotonic() + 60, []
        while engine._client.nthreads() and time.monotonic() < deadline:
            time.sleep(0.1)
        engine.submit((Part(0),))
        while not lost and time.monotonic() < deadline:
            lost = engine.collect(0.2)
        assert [(found.block, found.outcomes) for found in lost] == [((Part(0),), None)]
        engine.submit((Part(0),))
        found = []
        while not found and time.monotonic() < deadline:
            found = engine.collect(0.2)
        assert found[0].outcomes[0].error == ""
    finally:
        engine.close()


@pytest.mark.parametrize("error", [distributed.comm.CommClosedError("reset by peer"), TimeoutError("no answer")])
def test_a_scheduler_that_goes_while_it_is_asked_is_told(error):
    """Between the look whether it is there and its answer; leaving it then is no error."""
    from iterorder.sweeps.engines import dask as module

    def asked(*_, **__):
        raise error

    engine = object.__new__(module.Dask)
    client = SimpleNamespace(status="running", nthreads=asked, submit=asked, cancel=asked, close=lambda timeout: None)
    parts = {"_client": client, "_cluster": None, "_address": "tcp://HOST:8786", "_name": "cells", "_futures": {}}
    vars(engine).update(parts, _looked=-math.inf, _threads=0, _alive=0.0)
    with pytest.raises(EngineError, match="tcp://HOST:8786 has gone: what was finished is kept"):
        engine.room()
    with pytest.raises(EngineError, match="has gone"):
        engine.submit((Part(0),))
    error_of = SimpleNamespace(status="error", exception=asked)
    with pytest.raises(EngineError, match="has gone"):
        engine._result(error_of, (Part(0),))
    engine.close()
    with pytest.raises(EngineError, match="has gone"):
        engine.submit((Part(0),))


def test_workers_share_the_cores(monkeypatch):
    environment = quiet_environment(3)
    assert environment["NUMBA_NUM_THREADS"] == "3"
    assert {environment[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL")} == {"1"}


def outcomes(seconds, count):
    return [Outcome(0, seconds, "", b"", "", "")] * count


def test_blocks_grow_to_their_time_and_not_at_once():
    size = BlockSize(0.5)
    assert size.cells(10**6) == 1
    size.saw(outcomes(3.0, 1))  # the first cell compiles
    assert size.cells(10**6) == 1
    size.saw(outcomes(0.01, 1))
    size.saw(outcomes(0.01, 1))
    assert size.cells(10**6) == 4
    for _ in range(10):
        size.saw(outcomes(0.01, size.cells(10**6)))
    assert size.cells(10**6) == 50
    assert size.cells(7) == 7
    tiny_cells = BlockSize(0.5)
    for _ in range(20):
        tiny_cells.saw(outcomes(1e-7, tiny_cells.cells(10**6)))
    assert tiny_cells.cells(10**6) == MOST_CELLS


def test_an_interrupted_block_leaves_the_cells_that_were_computed():
    class Interrupted:
        calls = 0

        def compute(self, part):
            self.calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return Outcome(part.cell, 0.0, "", b"x", "", "")

    engine = Serial(Interrupted())
    engine.submit(tuple(Part(k) for k in range(5)))
    with pytest.raises(KeyboardInterrupt):
        engine.collect(0.0)
    assert [outcome.cell for outcome in engine.salvage()] == [0, 1]


def test_tiny_cells_cost_what_they_are_documented_to(tmp_path):
    """Blocks, not cells, are what an engine sees: 2000 cells are a few tasks."""
    found = ito.sweep(
        CachedMaps(), {"k": list(range(2000))}, tiny, seed=0, folder=tmp_path, engine="processes", workers=1, **QUIET
    )
    assert found.done.all()
    assert np.array_equal(found.to_xarray().value, np.full(2000, 1.0))
