"""Faults: whatever is killed, full, read-only or flipped, a sweep ends with the results of an undisturbed one.

`make test-faults` runs all rounds; without FAULTS=full a part of them.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import iterorder as ito
from iterorder.errors import EngineError
from iterorder.sweeps.engines import dask as dask_engine
from iterorder.sweeps.ledger import FILE, Ledger
from tests.sweep_client import STEP_SIZES, large
from tests.sweep_systems import CachedMaps, counted, napping, tiny, two_points

ROOT = Path(__file__).resolve().parents[1]
FULL = os.environ.get("FAULTS") == "full"
QUIET = {"progress": False}


def client(*arguments, before=(), **options) -> subprocess.Popen:
    """A client as a process of its own."""
    command = [*before, sys.executable, "-m", "tests.sweep_client", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


def same(first: ito.Sweep, second: ito.Sweep) -> bool:
    """Whether the bits, masks and errors are the same."""
    tables = [found.to_xarray().drop_attrs() for found in (first, second)]
    return tables[0].identical(tables[1]) and first.failed == second.failed


class Killer(threading.Thread):
    """Kills a random process of some command line again and again, so often at most, among those below this one."""

    def __init__(self, words: str, seed: int, pause: float, most: float) -> None:
        super().__init__(daemon=True)
        self.words, self.random, self.pause, self.most = words, random.Random(seed), pause, most
        self.begun, self.ended, self.kills = threading.Event(), threading.Event(), 0

    def run(self) -> None:
        """From the first result until the block ends."""
        while not self.begun.wait(0.05) and not self.ended.is_set():
            continue
        while self.kills < self.most and not self.ended.wait(self.pause * self.random.uniform(0.5, 1.5)):
            victims = []
            for process in psutil.Process().children(recursive=True):
                try:
                    if self.words in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                        victims.append(process)
                except psutil.Error:
                    continue
            if victims:
                self.random.choice(victims).kill()
                self.kills += 1

    def __enter__(self) -> Killer:
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        self.join()


@pytest.mark.parametrize(
    ("engine", "words", "rounds", "pause", "most"),
    [
        ("processes", "iterorder.sweeps.engines.worker", 20 if FULL else 2, 1.0, math.inf),
        # A worker that dies while Dask starts it is the end of its cluster, whose start is tried STARTS times: on a
        # slow machine, where a start takes longer than a pause, only a limit keeps them from being killed one and all.
        ("dask", "multiprocessing.spawn", 4 if FULL else 1, 4.0 if FULL else 2.0, dask_engine.STARTS - 1),
    ],
)
def test_workers_killed_at_random(tmp_path, engine, words, rounds, pause, most):
    grid = {"h": np.linspace(0.01, 0.6, 500 if FULL or engine == "dask" else 150).tolist()}
    whole = ito.sweep(two_points, grid, tiny_nap, seed=1, folder=tmp_path / "whole", **QUIET)
    kills = 0
    for k in range(rounds):
        with Killer(words, k, pause, most) as killer:
            found = ito.sweep(
                two_points,
                grid,
                tiny_nap,
                seed=1,
                folder=tmp_path / str(k),
                engine=engine,
                workers=2,
                block_seconds=0.2,
                progress=lambda share, begun=killer.begun: begun.set() if share > 0 else None,
            )
        kills += killer.kills
        assert same(found, whole)
        assert found.done.all()
        assert found.irreproducible == []
    print(f"\n{engine}: {kills} workers killed in {rounds} rounds of {len(grid['h'])} cells, all results identical")
    assert kills > 0


def tiny_nap(maps, seed):
    return napping(maps, seed, seconds=0.02)


def test_client_killed_at_every_write_point(tmp_path):
    process = client("every_write_point", tmp_path)
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    found = json.loads(told)
    print(f"\nclient killed in front of each of {found['killed']} statements, {found['same']} results identical")
    assert found["killed"] == found["points"] - 1 > 20
    assert found["same"] == found["points"]


def test_two_clients_share_the_work_and_one_may_die(tmp_path):
    calls, folder = tmp_path / "calls", tmp_path / "sweep"
    both = [client("shared", folder, calls) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    lines = list(map(float, calls.read_text().split()))
    # The first cell, which says what a result is, may be tried by both; no other is.
    assert sorted(set(lines)) == STEP_SIZES
    assert len(lines) <= len(STEP_SIZES) + 1
    calls.unlink()
    shutil.rmtree(folder)
    both = [client("shared", folder, calls) for _ in range(2)]
    while not calls.exists() or len(calls.read_text().split()) < 3:
        time.sleep(0.01)
    both[0].kill()
    assert both[1].wait(timeout=120) == 0
    found = ito.open_sweep(folder)
    assert found.done.all()
    assert found.irreproducible == []
    both[0].wait()


def test_scheduler_killed(tmp_path):
    grid, address = {"h": np.linspace(0.01, 0.6, 200).tolist()}, tmp_path / "scheduler.json"
    whole = ito.sweep(two_points, grid, tiny_nap, seed=1, folder=tmp_path / "whole", **QUIET)
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    scheduler = subprocess.Popen(
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", address],
        **quiet,
    )
    worker = subprocess.Popen(
        [*dask, "worker", "--scheduler-file", address, "--nthreads", "2", "--no-dashboard", "--death-timeout", "30"],
        **quiet,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        deadline = time.monotonic() + 60
        while not address.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        where = {"engine": "dask", "scheduler": json.loads(address.read_text())["address"], "block_seconds": 0.1}

        def kill_half_way(share):
            if share > 0.3:
                scheduler.kill()

        how = {"seed": 1, "folder": tmp_path / "sweep"}
        with pytest.raises(EngineError, match=r"gone|dropped"):
            ito.sweep(two_points, grid, tiny_nap, progress=kill_half_way, **how, **where)
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()
    some = ito.open_sweep(tmp_path / "sweep")
    assert 0.2 < some.done.mean() < 1.0
    with Ledger.read(tmp_path / "sweep") as ledger:
        assert ledger.counts().leased == 0  # given back: nobody has to wait
    assert same(ito.sweep(two_points, grid, tiny_nap, progress=False, **how), whole)


def test_disk_full(tmp_path):
    process = client("limited", tmp_path / "sweep")
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 7, told
    assert "make room on the disk" in told
    some = int(ito.open_sweep(tmp_path / "sweep").done.sum())
    assert 0 < some < len(STEP_SIZES)
    how = {"seed": 0, **QUIET}
    again = ito.sweep(two_points, {"h": STEP_SIZES}, large, folder=tmp_path / "sweep", block_seconds=1e-9, **how)
    assert same(again, ito.sweep(two_points, {"h": STEP_SIZES}, large, folder=tmp_path / "whole", **how))
    assert again.done.all()


def test_read_only_folder():
    """Results can be looked at, and an attempt to add some says why not."""
    folder = Path(tempfile.mkdtemp(prefix="iterorder-test-"))
    sweep = folder / "sweep"
    ito.sweep(two_points, {"h": [0.1, 0.2]}, napping, seed=0, folder=sweep, **QUIET)
    drop = []
    if os.geteuid() == 0:  # who may write everywhere, unless that right is taken away
        drop = ["setpriv", "--inh-caps=-dac_override", "--bounding-set=-dac_override"]
        if shutil.which("setpriv") is None:
            pytest.skip("this user may write everywhere")
    for place, mode in ((sweep / FILE, 0o444), (sweep, 0o555), (folder, 0o755)):
        place.chmod(mode)
    try:
        process = client("read_only", sweep, before=drop, stderr=subprocess.PIPE)
        told, error = process.communicate(timeout=120)
        assert told.split() == ["2"], error
    finally:
        sweep.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize("where", ["result", "page"])
def test_flipped_bits_in_the_file(tmp_path, where):
    calls, folder = tmp_path / "calls", tmp_path / "sweep"
    grid, how = {"h": STEP_SIZES, "file": [str(calls)]}, {"seed": 0, "folder": folder, **QUIET}
    ito.sweep(two_points, grid, counted, **how)
    with Ledger.read(folder) as ledger:
        ledger._all("pragma wal_checkpoint(truncate)")
    path = folder / FILE
    content = bytearray(path.read_bytes())
    if where == "page":  # the head of the file
        content[3] ^= 255
        path.write_bytes(content)
        with pytest.raises(ito.LedgerError, match="damaged"):
            ito.sweep(two_points, grid, counted, **how)
        return
    needle = np.float64(STEP_SIZES[4]).tobytes()
    assert content.count(needle) == 1
    content[content.index(needle) + 2] ^= 4
    path.write_bytes(content)
    before = len(calls.read_text().split())
    assert not ito.open_sweep(folder).done.ravel()[4]  # not shown before it is mended
    found = ito.sweep(two_points, grid, counted, **how)
    assert found.done.all()
    assert np.array_equal(found.to_xarray().value.values.ravel(), STEP_SIZES)
    assert len(calls.read_text().split()) == before + 1


def test_many_tiny_cells_in_flat_memory(tmp_path):
    """Time is printed, not tested; memory may grow by what the masks and the names of blocks take."""
    count = 100_000 if FULL else 20_000
    marks: list[tuple[float, float, int]] = []
    process, start = psutil.Process(), time.perf_counter()

    def look(share):
        marks.append((share, time.perf_counter() - start, process.memory_info().rss))

    grid = {"k": list(range(count))}
    found = ito.sweep(CachedMaps(), grid, tiny, seed=0, folder=tmp_path, engine="processes", workers=1, progress=look)
    assert found.done.all()
    half = min((mark for mark in marks if mark[0] >= 0.3), default=marks[-1])
    spent = (marks[-1][1] - half[1]) / (count * max(1e-9, 1.0 - half[0]))
    print(f"\n{count} cells: {half[1] / (count * half[0]) * 1e6:.0f} µs a cell at first, {spent * 1e6:.0f} µs later")
    # The grid of 10⁵ values is there before; a cell takes no more than its number and a bit.
    assert marks[-1][2] - half[2] < 64 * 2**20


def test_an_interrupt_leaves_what_is_finished(tmp_path):
    """Ctrl-C to a client as a process."""
    calls, folder = tmp_path / "calls", tmp_path / "sweep"
    process = client("shared", folder, calls, stderr=subprocess.PIPE)
    while not calls.exists() or len(calls.read_text().split()) < 4:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    some = int(ito.open_sweep(folder).done.sum())
    assert 3 <= some <= len(STEP_SIZES)
    with Ledger.read(folder) as ledger:
        assert ledger.counts().leased == 0
