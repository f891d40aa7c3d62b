"""Files that the examples of the command read, small enough to be quick."""

from __future__ import annotations

from pathlib import Path

import numpy as np

SYSTEMS = """
import numpy as np
import iterorder as ito

rotate = 0.9 * np.array([[0.0, -1.0], [1.0, 0.0]])
SYSTEMS = {
    "spiral": ito.AffineMaps([rotate, 0.5 * np.eye(2)], [[1.0, 0.0], [0.0, 1.0]]),
    "line": (ito.gallery.two_point_quadratic(0.5), [0.25]),
}
"""
SWEEP = """
seed = 1
measure = ["stability"]
folder = "phase"

[maps]
family = "gallery.two_point_quadratic"

[grid]
h = [0.5, 1.0]
"""
NETWORK = """
[data]
set = "digits"

[model]
hidden = [4]
step_size = 0.1

[run]
batch_size = 8
n_steps = 60
stride = 4
seed = 1

[sequences]
count = 12
stride = 10

[baselines]
stride = 20

[control]
hidden = []
step_size = 0.1
weight_decay = 0.1
stride = 15
"""


def points(n: int = 40, dim: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Features and targets."""
    noise = np.random.default_rng(0)
    features = noise.normal(size=(n, dim))
    return features, features.sum(axis=1) + 0.1 * noise.normal(size=n)


def write_files(folder: Path) -> None:
    """All of them."""
    features, targets = points()
    table = np.column_stack([features, targets])
    np.savetxt(folder / "points.csv", table, delimiter=",", header="a,b,c,y", comments="", fmt="%.17g")
    np.savez(folder / "points.npz", features=features, targets=targets)
    for name, text in (("my_systems.py", SYSTEMS), ("phase.toml", SWEEP), ("my_network.toml", NETWORK)):
        (folder / name).write_text(text)
