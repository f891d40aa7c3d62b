"""Speed of networks on one core, in CPU time of one thread: python benchmarks/networks.py [--without-avx512].

All backward iterates of the digits MLP up to N = 2000, by `train`; a sample of the same iterates, one at a time; and a
loop over modules of PyTorch, where it is installed. Writes reports/networks.json.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numba
import numpy as np

from iterorder.files import write_json
from iterorder.log import QUIET, USUAL, speaking
from iterorder.networks import MLP, train
from iterorder.networks.data import digits
from iterorder.sampling import Sampling

N_STEPS, BATCH, STEP, SEED = 2000, 16, 0.1, 1
REPORT = Path(__file__).resolve().parents[1] / "reports" / "networks.json"
#: What is asked, on one core.
ASKED = {"sweep seconds": 25.0, "sweep": 12.0, "÷ loop of modules": 30.0}


def cpu_seconds(work: Callable[[], object]) -> float:
    """Of this process, in all of its threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def one_at_a_time(model: MLP, how: dict[str, Any]) -> float:
    """Microseconds a step of single backward iterates."""
    ends = np.linspace(200, N_STEPS, 5).astype(int).tolist()
    spent = sum(cpu_seconds(partial(train, model, save_steps=[n], **how)) for n in ends)
    return 1e6 * spent / sum(ends)


def loop_of_modules(features: np.ndarray, labels: np.ndarray) -> float | None:
    """Microseconds a step of PyTorch's own SGD on modules in a loop, all with the same batch."""
    if find_spec("torch") is None:
        return None
    import torch
    from torch import nn

    torch.set_num_threads(1)
    nets = [nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)) for _ in range(32)]
    optimizers = [torch.optim.SGD(net.parameters(), lr=STEP) for net in nets]
    x, y = torch.as_tensor(features), torch.as_tensor(labels)
    law = Sampling.validated(len(x), batch_size=BATCH)

    def steps(first: int, count: int) -> None:
        for k in range(first, first + count):
            items = torch.as_tensor(law.draw(SEED, 0, k))
            for net, optimizer in zip(nets, optimizers, strict=True):
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(x[items]), y[items]).backward()
                optimizer.step()

    steps(0, 5)
    return 1e6 * cpu_seconds(lambda: steps(5, 40)) / (40 * len(nets))


def main() -> int:
    """Measure three times, print the medians beside what is asked, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-avx512", action="store_true", help="as on a processor with AVX2 alone")
    if parser.parse_args().without_avx512:
        from run import WITHOUT, without_avx512

        if WITHOUT not in os.environ:
            without_avx512()
    numba.set_num_threads(1)
    images = digits()
    rounds: dict[str, list[float]] = {}
    for stacked in (True, False):
        model = MLP(images.features, images.labels, test=images.test, step_size=STEP, stacked=stacked)
        how: dict[str, Any] = {"batch_size": BATCH, "n_steps": N_STEPS, "order": "backward", "seed": SEED}
        train(model, save_steps=[10], **how)  # compiles the draws
        name = "sweep" if stacked else "sweep, BLAS"
        for _ in range(3):
            with speaking(QUIET if rounds else USUAL):  # each run makes the same forecast: said once
                spent = cpu_seconds(partial(train, model, save_steps="all", **how))
            rounds.setdefault(name, []).append(spent)
            if stacked:
                rounds.setdefault("one at a time", []).append(one_at_a_time(model, how))
                if (loop := loop_of_modules(images.features, images.labels)) is not None:
                    rounds.setdefault("loop of modules", []).append(loop)
    steps = N_STEPS * (N_STEPS + 1) // 2
    found = {"sweep seconds": statistics.median(rounds["sweep"])}
    for name, values in rounds.items():
        found[name] = statistics.median(values) * (1e6 / steps if name.startswith("sweep") else 1.0)
    for name in ("one at a time", "loop of modules"):
        if name in found:
            found[f"÷ {name}"] = found[name] / found["sweep"]
    for name, value in found.items():
        asked = f"   asked {'≥' if name.startswith('÷') else '≤'} {ASKED[name]:g}" if name in ASKED else ""
        unit = "s" if name.endswith("seconds") else "" if name.startswith("÷") else "µs a replica-step"
        print(f"{name:20} {value:8.2f} {unit}{asked}")
    REPORT.parent.mkdir(exist_ok=True)
    write_json(REPORT, {"n_steps": N_STEPS, "batch_size": BATCH, "found": found, "rounds": rounds})
    return 0


if __name__ == "__main__":
    sys.exit(main())
