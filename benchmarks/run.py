"""Time the library beside plain NumPy in one process, interleaved, and print ratios: `make benchmark`.

Absolute times mean little on a shared machine; ratios of interleaved medians mean more. Writes reports/benchmark.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from datetime import date
from pathlib import Path

import numba
import numpy as np
from rich.console import Console
from rich.table import Table
from works import Work, standard_works

import iterorder as ito


def interleaved_seconds(work: Work, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each round, library and NumPy in turn after one warm-up of the library (compilation)."""
    work.library()
    library: list[float] = []
    plain: list[float] = []
    for _ in range(rounds):
        for function, seconds in ((work.library, library), (work.numpy, plain)):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return library, plain


def measure(work: Work, rounds: int) -> dict:
    """Median speeds in 10⁶ maps (or saved backward iterates) a second, and their ratio round by round."""
    library, plain = interleaved_seconds(work, rounds)
    scale = work.maps_library / work.maps_numpy
    ratios = [scale * p / q for q, p in zip(library, plain, strict=True)]
    return {
        "work": work.name,
        "library_per_second": work.maps_library / statistics.median(library),
        "numpy_per_second": work.maps_numpy / statistics.median(plain),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
    }


def show(rows: list[dict]) -> None:
    """Print the table."""
    table = Table(title="10⁶ maps or backward iterates per second", title_justify="left")
    for heading in ("work", "iterorder", "NumPy", "ratio (min–max)"):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    for row in rows:
        speeds = (f"{row['library_per_second'] / 1e6:,.2f}", f"{row['numpy_per_second'] / 1e6:,.3f}")
        table.add_row(row["work"], *speeds, f"{row['ratio']:.0f} ({row['ratio_low']:.0f}–{row['ratio_high']:.0f})")
    Console(width=110).print(table)


def main() -> int:
    """Measure every work, print the table, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of each work (default 5)")
    parser.add_argument("--json", default="reports/benchmark.json", help="where the report goes")
    arguments = parser.parse_args()
    rows = []
    for work in standard_works():
        print(f"{work.name} …", file=sys.stderr, flush=True)
        rows.append(measure(work, arguments.rounds))
    show(rows)
    report = {
        "version": ito.__version__,
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {numba.get_num_threads()} threads",
        "numpy": np.__version__,
        "numba": numba.__version__,
        "rows": rows,
    }
    path = Path(arguments.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(report, indent=1) + "\n")
    os.replace(part, path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
