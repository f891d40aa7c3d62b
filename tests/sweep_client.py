"""Clients of a sweep as processes of their own, for the tests that kill them: `python -m tests.sweep_client`."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

import iterorder as ito
from iterorder.sweeps import ledger
from tests.sweep_systems import counted, napping, two_points

STEP_SIZES = np.linspace(0.01, 0.5, 12).tolist()


def large(maps, seed):
    """A cell of 40 kB."""
    return {"array": np.arange(5000.0) * maps.step_size}


def shared(folder: str, calls: str) -> None:
    """One of two clients on a folder, whose cells write a line each."""
    grid = {"h": STEP_SIZES, "file": [calls]}
    ito.sweep(two_points, grid, counted, seed=0, folder=folder, progress=False, block_seconds=1e-9)


def limited(folder: str) -> None:
    """A client on a disk that is full after a few cells: here by a limit on the size of files."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        ito.sweep(two_points, {"h": STEP_SIZES}, large, seed=0, folder=folder, progress=False, block_seconds=1e-9)
    except ito.LedgerError as error:
        print(error)
        sys.exit(7)


def read_only(folder: str) -> None:
    """Look at a sweep that nobody may write to, and try to work on it."""
    print(ito.open_sweep(folder).done.sum())
    with suppress(ito.LedgerError):
        ito.sweep(two_points, {"h": [0.1, 0.2]}, napping, seed=0, folder=folder, progress=False)
        print("written")


class Mortal(sqlite3.Connection):
    """A connection whose process is killed in front of its k-th statement, counted over all connections."""

    left = 0

    def execute(self, *arguments):
        """Run a statement, unless it is the one."""
        Mortal.left -= 1
        if Mortal.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(*arguments)


def every_write_point(folder: str) -> None:
    """Kill a client at each of its statements, and let another one go on; prints what was found.

    Forks: a Python of its own for each statement would take minutes.
    """
    how = {"seed": 3, "progress": False, "block_seconds": 1e-9}
    grid = {"h": STEP_SIZES[:5]}
    connect = sqlite3.connect

    def measure(maps, seed):
        if maps.step_size == STEP_SIZES[2]:
            raise ValueError("always")
        return {"x": maps.step_size * 7.0, "y": np.full(3, float(seed))}

    whole = ito.sweep(two_points, grid, measure, folder=f"{folder}/whole", **how).to_xarray().drop_attrs()
    killed = same = 0
    for k in range(10_000):
        place, pid = f"{folder}/{k}", os.fork()
        if pid == 0:
            Mortal.left = k
            ledger.sqlite3.connect = lambda *a, **b: connect(*a, factory=Mortal, **b)
            ito.sweep(two_points, grid, measure, folder=place, **how)
            os._exit(0)
        died = os.waitpid(pid, 0)[1] != 0
        killed += died
        again = ito.sweep(two_points, grid, measure, folder=place, **how)
        same += again.to_xarray().drop_attrs().identical(whole) and len(again.failed) == 1
        if not died:
            print(json.dumps({"points": k + 1, "killed": killed, "same": int(same)}))
            return


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    known = {f.__name__: f for f in (shared, limited, read_only, every_write_point)}
    known[what](*[str(Path(argument)) for argument in arguments])
