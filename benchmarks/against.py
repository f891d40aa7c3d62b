"""Time the library beside another checkout of it, on the same machine and in turn: what a redesign costs.

    git worktree add ../before COMMIT
    python benchmarks/against.py ../before [--without-avx512] [--only TEXT]

Each checkout runs in a process of its own, which waits while the other computes; a ratio above 1 says that this one is
faster. Both compile, or read from disk, before anything is timed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parents[1]


def works() -> dict[str, tuple[Callable[[], object], float]]:
    """What is timed, by the public interface alone, and how many maps one call applies."""
    import iterorder as ito

    rng = np.random.default_rng(0)
    rows: dict[str, tuple[Callable[[], object], float]] = {}

    def add(name: str, maps, replicas: int, steps: int, order="forward", repeats: int = 1, **options) -> None:
        start, maps_applied = np.zeros(maps.dim), float(replicas * steps * repeats)
        options |= {"n_replicas": replicas, "seed": 0, "order": order}

        def run() -> None:
            for _ in range(repeats):
                ito.simulate(maps, start, steps, **options)

        rows[name] = run, maps_applied

    def data(dim: int, n: int = 1000):
        features = rng.standard_normal((n, dim)) / np.sqrt(dim)
        return features, features @ rng.standard_normal(dim) + 0.1 * rng.standard_normal(n)

    def affine(n: int, dim: int):
        matrices = rng.uniform(-0.8 / dim, 0.8 / dim, (n, dim, dim))
        return ito.AffineMaps(matrices, rng.standard_normal((n, dim)))

    two_point = ito.gallery.two_point_quadratic(0.4)
    add("two-point", two_point, 20_000, 100_000)
    add("table of 1000 maps", affine(1000, 1), 20_000, 10_000)
    add("affine d=4", affine(9, 4), 8_000, 10_000)
    add("affine d=20", affine(9, 20), 2_000, 2_000)
    for dim in (10, 100):
        features, targets = data(dim)
        labels = np.where(targets > 0, 1.0, -1.0)
        linear = ito.LinearRegressionSGD(features, targets, 0.3)
        batches = ito.LinearRegressionSGD(features, targets, 0.3, batch_size=8)
        epochs = ito.LinearRegressionSGD(features, targets, 0.3, sampling="reshuffle")
        logistic = ito.LogisticRegressionSGD(features, labels, 0.5, ridge=0.01)
        momentum = ito.Optimizer(ito.LinearRegressionSGD(features, targets, 0.05), momentum=0.5)
        share = 500 // dim  # long enough for threads to find a core each
        add(f"linear d={dim}", linear, 4_000, 200 * share)
        add(f"linear d={dim}, float32", linear, 4_000, 200 * share, dtype="float32")
        add(f"linear d={dim}, batch 8", batches, 4_000, 40 * share)
        add(f"logistic d={dim}", logistic, 4_000, 100 * share)
        add(f"logistic d={dim}, float32", logistic, 4_000, 100 * share, dtype="float32")
        add(f"momentum d={dim}", momentum, 4_000, 100 * share)
        add(f"linear d={dim}, reshuffled", epochs, 4_000, 100 * share)
        replicas, steps = (4_000, 1_000) if dim == 10 else (64, 400)
        add(f"linear d={dim}, backward, all saved", linear, replicas, steps, "backward", save_steps="all")
        add(f"logistic d={dim}, backward, all saved", logistic, 128, 300, "backward", save_steps="all")
        add(f"linear d={dim}, sliding", linear, 2_000, 400, ito.Window(width=50), save_steps=np.arange(0, 400, 10))
        add(f"linear d={dim}, one replica", linear, 1, 200_000)
    features, targets = data(1)
    linear = ito.LinearRegressionSGD(features, targets, 0.3)
    add("linear d=1, one replica", linear, 1, 400_000)
    add("two-point, a call of one step", two_point, 1, 1, repeats=500)
    add("linear d=1, a call of one step", linear, 1, 1, repeats=500)
    return rows


def work_on_command() -> None:
    """One checkout: run what standard input names, and answer with the seconds."""
    import iterorder as ito

    if Path(ito.__file__).parents[1] != Path.cwd():
        raise RuntimeError(f"iterorder comes from {ito.__file__}, and not from {Path.cwd()}")
    rows = works()
    print(*rows, sep="\t", flush=True)
    for line in sys.stdin:
        run, applied = rows[line.rstrip("\n")]
        begin = time.perf_counter()
        run()
        print((time.perf_counter() - begin) / applied * 1e9, flush=True)


class Checkout:
    """A process that imports iterorder from a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, str(Path(__file__).resolve()), "--worker"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd=folder)
        self.names = self.answer().split("\t")

    def answer(self) -> str:
        """The next line that the process prints."""
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            return line.rstrip("\n")
        raise RuntimeError(f"the process of {self.folder} ended with {self.process.wait()}")

    def nanoseconds(self, name: str) -> float:
        """A map's share of one run of a work."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        return float(self.answer())


def main() -> int:
    """Print a line for each work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", nargs="?", help="the folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="works whose name has this text")
    parser.add_argument("--without-avx512", action="store_true", help="as on a processor with AVX2 alone")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work_on_command()
        return 0
    if arguments.other is None:
        parser.error("give the folder of the other checkout")
    if arguments.without_avx512:
        from run import WITHOUT, without_avx512

        if WITHOUT not in os.environ:
            without_avx512()
    here, other = Checkout(HERE), Checkout(Path(arguments.other).resolve())
    print(f"{'work':40s} {'this':>8s} {'other':>8s}  ns a map; speed of this in units of the other's")
    for name in here.names:
        if arguments.only not in name:
            continue
        for _ in range(2):
            here.nanoseconds(name), other.nanoseconds(name)
        pairs = []
        for k in range(arguments.rounds):
            first, second = (here, other) if k % 2 else (other, here)
            times = {first: first.nanoseconds(name), second: second.nanoseconds(name)}
            pairs.append((times[here], times[other]))
        mine, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratios = sorted(b / a for a, b in pairs)
        line = f"{name:40s} {mine:8.3g} {theirs:8.3g}"
        print(f"{line}  {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
