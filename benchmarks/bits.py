"""Fingerprints of what the kernels compute: one line for each system, order, float and noise.

Two versions of the library on one machine are the same to the bit if their lines are equal:

    python benchmarks/bits.py > before.txt
    …
    python benchmarks/bits.py > after.txt && diff before.txt after.txt

The systems are those of the tests, which meet every step, every way to draw and every border of a layout. On another
machine the lines may differ, as the data of the systems come from matrix products.
"""

from __future__ import annotations

import hashlib
import sys
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import iterorder as ito
from tests.systems import EVERY

SEED, REPLICAS = 0x9E3779B97F4A7C15, 19
#: Few steps saved, all of them, and one; the last is beyond a chunk of draws.
SAVES = {"few": [0, 3, 40, 131], "all": "all", "last": None}
STEPS = {"few": 131, "all": 37, "last": 140}
ORDERS: dict[str, str | ito.Window] = {
    "forward": "forward",
    "backward": "backward",
    "sliding": ito.Window(width=12),
    "anchored": ito.Window(start=9),
}


def fingerprint(maps, order, saves: str, dtype: str, noise: str) -> str:
    """Of the states of a run and of the steps at which replicas diverged."""
    run = {"order": order, "save_steps": SAVES[saves], "dtype": dtype, "noise": noise, "seed": SEED}
    start = np.linspace(-1.0, 1.0, REPLICAS * maps.dim).reshape(REPLICAS, maps.dim)
    try:
        found: ito.Trajectory | None = ito.simulate(maps, start, STEPS[saves], n_replicas=REPLICAS, first_step=5, **run)
    except ito.DivergenceError as error:
        found = error.trajectory
    assert found is not None
    digest = hashlib.sha256(np.ascontiguousarray(found.states).tobytes())
    digest.update(np.ascontiguousarray(found.diverged_at).tobytes())
    return digest.hexdigest()[:16]


def main() -> None:
    """All lines, in the order of the tests' systems."""
    for name, maps in EVERY.items():
        for order, saves, dtype, noise in product(ORDERS, SAVES, ("float64", "float32"), ("independent", "shared")):
            print(name, order, saves, dtype, noise, fingerprint(maps, ORDERS[order], saves, dtype, noise), sep=" | ")


if __name__ == "__main__":
    main()
