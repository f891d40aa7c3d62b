"""Time the library beside its peers in one process, in turn, and print ratios: `make benchmark`.

Absolute times mean little on a shared machine; ratios of interleaved rounds mean more. Writes reports/benchmark.json
and reports/figures/benchmark.png; scripts/update_readme.py puts the table into the README and the figure into figures/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import date
from importlib import metadata
from pathlib import Path

import backward
import distances
import figure
import forward
import llvmlite.binding
import numba
import scaling
import start
from measure import LIBRARY
from rich.console import Console
from rich.table import Table

import iterorder as ito
from iterorder.files import whole_file

#: The variable that says that this process was started by `without_avx512`.
WITHOUT = "ITERORDER_BENCHMARK_WITHOUT_AVX512"
SECTIONS = {
    "forward": forward.measure,
    "backward": backward.measure,
    "distances": distances.measure,
    "start": start.measure,
    "scaling": scaling.measure,
}


def processor() -> str:
    """The name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine() -> str:
    """Where and when."""
    cpu = numba.config.CPU_NAME or llvmlite.binding.get_host_cpu_name()
    day = date.today().isoformat()
    less = ", AVX-512 switched off" if WITHOUT in os.environ else ""
    return f"{day}, {processor()} ({cpu}{less}), {os.cpu_count()} cores, {numba.get_num_threads()} threads"


def without_avx512() -> None:
    """Start again as on a processor that has AVX2: Numba and gcc read what it can do when they are loaded."""
    features = llvmlite.binding.get_host_cpu_features()
    left = ",".join(f"{'+' if has and 'avx512' not in name else '-'}{name}" for name, has in features.items())
    environment = {
        "NUMBA_CPU_NAME": "znver3",
        "NUMBA_CPU_FEATURES": left,
        "LIMITS_TARGET": "-mno-avx512f",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        WITHOUT: "1",
    }
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **environment})


def packages() -> dict[str, str]:
    """The versions of what is compared."""
    versions = {}
    for name in ("numpy", "numba", "scipy", "jax", "POT"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def show_comparisons(console: Console, title: str, rows: list[dict]) -> None:
    """The library's speed in units of each peer's: median (least–largest), and what is asked."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row["ratios"]))
    table = Table(title=f"{title}: {LIBRARY} in units of …", title_justify="left")
    for heading in ("work", LIBRARY, *peers):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    for row in rows:
        cells = [f"{row['speeds'][LIBRARY]['median']:.3g} {row['unit']}"]
        for peer in peers:
            ratio, asked = row["ratios"].get(peer), row["asked"].get(peer)
            text = "" if ratio is None else f"{ratio['median']:.3g} ({ratio['low']:.2g}–{ratio['high']:.2g})"
            cells.append(text + (f", asked {asked:g}" if ratio is not None and asked is not None else ""))
        table.add_row(row["work"], *cells)
    console.print(table)
    for reason in dict.fromkeys(f"{name}: {why}" for row in rows for name, why in row["skipped"].items()):
        console.print(f"skipped: {reason}")


def show_start(console: Console, rows: list[dict]) -> None:
    """Seconds of whole processes."""
    table = Table(title="Start: seconds", title_justify="left")
    for heading in ("work", "median", "least–largest", "asked"):
        table.add_column(heading, justify="left" if heading == "work" else "right")
    for row in rows:
        s = row["seconds"]
        asked = "" if row["asked"] is None else f"≤ {row['asked']:g}"
        table.add_row(row["work"], f"{s['median']:.3f}", f"{s['low']:.3f}–{s['high']:.3f}", asked)
    console.print(table)


def show_scaling(console: Console, data: dict) -> None:
    """Nanoseconds a map over replicas and dimension; kinds of systems; steps, threads and memory."""
    grid = data["grid"]
    table = Table(title="Linear regression: nanoseconds a map", title_justify="left")
    table.add_column("d \\ replicas", justify="right")
    for n in grid["replicas"]:
        table.add_column(f"{n}", justify="right")
    for dim, row in zip(grid["dimensions"], grid["nanoseconds"], strict=True):
        table.add_row(f"{dim}", *(f"{value:.3g}" for value in row))
    console.print(table)
    table = Table(title="Kinds of systems: nanoseconds a map, 4096 replicas", title_justify="left")
    for heading in ("kind", "time", "beside", "ratio"):
        table.add_column(heading, justify="left" if heading == "kind" else "right")
    for row in data["kinds"]:
        cells = ("", "")
        if "ratio" in row:
            spread = row["ratio"]
            cells = (f"{row['against']:.3g}", f"{spread['median']:.2f} ({spread['low']:.2f}–{spread['high']:.2f})")
        table.add_row(row["kind"], f"{row['nanoseconds']:.3g}", *cells)
    console.print(table)
    table = Table(title="Linear regression d=10, 10 000 replicas", title_justify="left")
    for heading in ("threads", "steps", "seconds", "peak MB"):
        table.add_column(heading, justify="right")
    for row in data["lengths"]:
        table.add_row(f"{row['threads']}", f"{row['steps']}", f"{row['seconds']:.4f}", f"{row['peak_megabytes']:.1f}")
    console.print(table)


def main() -> int:
    """Measure the sections that are asked for, print them, write the report and the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds of each work (default 7)")
    parser.add_argument("--json", default="reports/benchmark.json", help="where the report goes")
    parser.add_argument("--without-avx512", action="store_true", help="as on a processor with AVX2 alone")
    arguments = parser.parse_args()
    if arguments.without_avx512 and WITHOUT not in os.environ:
        without_avx512()
    if unknown := set(arguments.sections) - set(SECTIONS):
        parser.error(f"no section {sorted(unknown)}: give some of {', '.join(SECTIONS)}")
    path = Path(arguments.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Sections that are not measured now are kept from the report that is there.
    report = json.loads(path.read_text(encoding="utf-8")) if arguments.sections and path.exists() else {}
    if report and report.get("machine") != machine():
        parser.error(f"{path} is of another machine or day: measure all sections, or give another --json")
    report |= {"version": ito.__version__, "rounds": arguments.rounds, "machine": machine(), "packages": packages()}
    console = Console(width=150)
    for name in arguments.sections or SECTIONS:
        print(f"{name} …", file=sys.stderr, flush=True)
        report[name] = SECTIONS[name](arguments.rounds)
        if name == "start":
            show_start(console, report[name])
        elif name == "scaling":
            show_scaling(console, report[name])
        else:
            show_comparisons(console, name.capitalize(), report[name])
    with whole_file(path) as file:
        file.write((json.dumps(report, indent=1) + "\n").encode())
    if set(SECTIONS) <= set(report):
        figure.draw(report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
