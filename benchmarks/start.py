"""From the start of the process to the first result: the import, with kernels from the cache, and compiling them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import spread

#: The least that any program with Numba takes: a function of one line from the cache.
SMALLEST = """
import sys; sys.path.insert(0, sys.argv[1])
import smallest; smallest.twice(1.0)
"""
SOURCE = """
from numba import njit
@njit(cache=True)
def twice(x):
    return x + x
"""
FIRST = "import iterorder as ito; ito.simulate(ito.gallery.two_point_quadratic(0.3), [0.0], 100, seed=0)"
CALLS = {
    "first result": FIRST,
    "backward trajectory d=10": "import numpy as np, iterorder as ito; r = np.random.default_rng(0); "
    "maps = ito.LogisticRegressionSGD(r.normal(size=(50, 10)), np.sign(r.normal(size=50)), 0.1, ridge=0.1); "
    "ito.simulate(maps, np.zeros(10), 100, order='backward', save_steps='all', seed=0)",
}


def measure(rounds: int) -> list[dict]:
    """Seconds of whole processes, least, median and largest."""
    rows: list[dict] = [
        {"work": "python -c 'pass'", "asked": None, "seconds": spread(_seconds("pass", rounds))},
        {"work": "import iterorder, in the process", "asked": 0.3, "seconds": spread(_import_seconds(rounds))},
    ]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "smallest.py").write_text(SOURCE)
        _seconds(SMALLEST, 1, folder)
        least: dict = {"work": "for comparison: a one-line Numba function, cache warm", "asked": None}
        rows.append({**least, "seconds": spread(_seconds(SMALLEST, rounds, folder))})
    for name, code in CALLS.items():
        _seconds(code, 1)
        asked = 0.6 if code == FIRST else None
        rows.append({"work": f"{name}, cache warm", "asked": asked, "seconds": spread(_seconds(code, rounds))})
        with tempfile.TemporaryDirectory() as cache:
            seconds = _seconds(code, 1, NUMBA_CACHE_DIR=cache)
        rows.append({"work": f"{name}, cache empty", "asked": 20, "seconds": spread(seconds)})
    return rows


def _seconds(code: str, rounds: int, *arguments: str, **environment: str) -> list[float]:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        command = [sys.executable, "-c", code, *arguments]
        subprocess.run(command, check=True, env={**os.environ, **environment}, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return seconds


def _import_seconds(rounds: int) -> list[float]:
    code = "import time; t = time.perf_counter(); import iterorder; print(time.perf_counter() - t)"
    return [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(rounds)]
