"""On a machine with a GPU: bits beside the processor's, then speed beside JAX and the processor. One command.

    make test-gpu              every system of the tests, in every order, bit by bit: benchmarks/gpu_equality.json
    make benchmark-gpu         some of them, then speed: benchmarks/gpu.json

Nothing is built, installed or fetched, and each takes less than ten minutes on a machine with a few cores, as compiling
the kernels is most of it: what does not fit into the time is said to be left out. The file is written anew after each
row, so that a run that is cut off leaves what it had. The exit status is 0 where all went well, 1 where bits differ or
were not compared or a row failed, and 3, after one line, where there is no GPU to be used. With NUMBA_ENABLE_CUDASIM=1
everything runs at toy sizes in the simulator, whose times say nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: Where the toolkit is by custom: numba-cuda looks for its library there if pip has not brought it.
TOOLKIT = Path("/usr/local/cuda")
if TOOLKIT.is_dir():
    os.environ.setdefault("CUDA_HOME", str(TOOLKIT))
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the memory is for both
sys.path.insert(0, str(ROOT))

from iterorder.kernels.device import availability  # noqa: E402

OK, FAILED, NO_GPU = 0, 1, 3
#: Seconds after which nothing new is begun, of the ten minutes of one command.
LIMIT = 500.0
#: At most so many compare bits at once: each has a context on the GPU, and its memory.
PROCESSES = 8


class Report:
    """What is found, written to the file after each row."""

    def __init__(self, file: Path, seconds: float) -> None:
        from machine_of_gpu import machine

        self.file, self.end = file, time.monotonic() + seconds
        self.content: dict[str, Any] = {"machine": machine(), "equality": [], "speed": [], "failed": [], "left out": []}

    def row(self, section: str, name: str, make: Callable[[], dict]) -> None:
        """One row, if there is time."""
        self.take(section, name, outcome(make, self.end))

    def take(self, section: str, name: str, found: dict | str | None) -> None:
        """What `outcome` found; where that went wrong it is written down, and the next may still work."""
        if found is None:
            self.content["left out"].append(name)
            return
        if isinstance(found, str):
            self.content["failed"].append({"work": name, "error": found[:2000]})
            print(f"{name}: {found}", flush=True)
        else:
            self.content[section].append({"work": name, **found})
            print(f"{name}: {shown(found)}", flush=True)
        self.write()

    def write(self) -> None:
        """To a temporary name, then in the place of the file."""
        from iterorder.files import write_json

        write_json(self.file, self.content)

    @property
    def is_well(self) -> bool:
        """Whether bits were compared, of all systems, none differs where none may, and no row failed."""
        compared, missing = self.content["equality"], self.content["failed"] or self.content["left out"]
        return bool(compared) and not missing and all(row["as expected"] for row in compared)


def shown(row: dict) -> str:
    """A row in a line."""
    if "identical" in row:
        return "identical" if row["identical"] else f"differs by {row['largest difference']}"
    speeds = (f"{name} {value['median']:.4g}" for name, value in row["speeds"].items())
    return f"{', '.join(speeds)} {row['unit']}"


def outcome(make: Callable[[], dict], end: float) -> dict | str | None:
    """A row, or what went wrong; None where there is no time left."""
    if time.monotonic() > end:
        return None
    start = time.perf_counter()
    try:
        return {**make(), "took": round(time.perf_counter() - start, 3)}
    except Exception as error:  # whatever a driver, a compiler or JAX raises
        return f"{type(error).__name__}: {error}"


def use_threads(count: int) -> None:
    """So many in this process."""
    import numba

    numba.set_num_threads(count)


def outcomes(makes: list[Callable[[], dict]], end: float) -> list[dict | str | None]:
    """Those of the works of one system."""
    return [outcome(make, end) for make in makes]


def compare_in_processes(report: Report, works: dict[str, Callable[[], dict]], processes: int, threads: int) -> None:
    """Rows of equality, those of a system and a type of float in one process, as their kernels have most in common."""
    groups: dict[tuple[str, str], list[str]] = {}
    for work in works:
        groups.setdefault((work.split(", ")[0], work.split(", ")[-1]), []).append(work)
    with ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=use_threads, initargs=(max(1, threads // processes),)
    ) as pool:
        asked = [(group, pool.submit(outcomes, [works[w] for w in group], report.end)) for group in groups.values()]
        for group, done in asked:
            try:
                found = done.result()
            except BrokenProcessPool as error:  # one that died takes all that wait with it
                found = [f"{type(error).__name__}: {error}"] * len(group)
            for work, row in zip(group, found, strict=True):
                report.take("equality", work, row)


def main(argv=None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Bits and speed of the kernels for GPUs, on a GPU.")
    parser.add_argument("--equality", action="store_true", help="bits alone, of every system")
    parser.add_argument("--out", type=Path, default=None, metavar="FILE")
    parser.add_argument("--seconds", type=float, default=LIMIT, help="after which nothing new is begun")
    parser.add_argument("--only", default="", metavar="TEXT", help="works whose names hold it")
    arguments = parser.parse_args(argv)
    if (found := availability.obstacle()) is not None:
        print(f"no GPU to be used, {found.reason}: {found.message}: {found.remedy}", file=sys.stderr)
        return NO_GPU
    simulated = availability.is_simulated()
    os.environ.setdefault("JAX_PLATFORMS", "cpu" if simulated else "cuda")
    import gpu_equality
    import gpu_networks
    import gpu_speed

    from iterorder import resources

    name = "gpu_equality.json" if arguments.equality else "gpu.json"
    default = ROOT / ("reports" if simulated else "benchmarks") / name  # only a run on a GPU is a result to keep
    file = arguments.out or default
    file.parent.mkdir(exist_ok=True)
    report = Report(file, arguments.seconds)
    report.write()
    chosen = lambda rows: {work: make for work, make in rows if arguments.only in work}  # noqa: E731
    equality, speed = chosen(gpu_equality.rows(arguments.equality, simulated)), {}
    if not simulated:
        equality |= chosen(gpu_networks.equality_rows())  # the simulator has no CuPy
    if not arguments.equality:
        speed = chosen(gpu_speed.rows(simulated)) | ({} if simulated else chosen(gpu_networks.speed_rows()))
    threads = resources.threads()
    compare_in_processes(report, equality, 1 if simulated else max(1, min(PROCESSES, threads // 2)), threads)
    for work, make in speed.items():
        report.row("speed", work, make)
    if report.content["left out"]:
        print(f"left out for want of time: {', '.join(report.content['left out'])}")
    print(f"{'all is well' if report.is_well else 'NOT WELL'}: {file}")
    return OK if report.is_well else FAILED


if __name__ == "__main__":
    sys.exit(main())
