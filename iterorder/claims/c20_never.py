"""C20: a unique stationary law is not enough: the cyclic walk has one, and its backward iterates never settle.

The law on the residues, the share of steps at which Z_n changes, and the diagnosis, which must not say "point".
Controls: a contracting system, whose diagnosis is "point" and whose iterates stop changing.
"""

from __future__ import annotations

import numpy as np

from iterorder.claims.judge import Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.table import ClaimRow
from iterorder.convergence import diagnose
from iterorder.maps import gallery
from iterorder.orders import BACKWARD
from iterorder.simulate import simulated

RESIDUES, N = 5, 400


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C20."""
    system, count = f"cyclic walk of {RESIDUES}", replicas(effort, 4_000)
    walk, contracting = gallery.cyclic_walk(RESIDUES), gallery.two_point_quadratic(0.5)
    part = stream(seed, "C20", "walk")
    states = _last_two(walk, count, part, judge.backend)
    residues = (states[:, :1] == np.arange(RESIDUES)).astype(float)
    # cos(π/5)^400 of the start is left: below 1e−36.
    verdicts = [
        diagnose(maps, [0.0], 2000, order=BACKWARD, n_replicas=50, seed=part, backend=judge.backend).verdict
        for maps in (walk, contracting)
    ]
    settled = _moved(_last_two(contracting, count, part, judge.backend))
    return [
        judge.means(system, "frequencies of the residues: largest deviation", 1.0 / RESIDUES, residues),
        judge.mean(system, "share of Z_(n+1) ≠ Z_n", 0.5, _moved(states)),
        judge.compare(system, 'diagnosis is "point"', 0.0, float(verdicts[0] == "point"), 0.0),
        judge.compare(
            "two-point quadratic, h=0.5", 'diagnosis is "point"', 0.0, float(verdicts[1] == "point"), 0.0, control=True
        ),
        judge.mean("two-point quadratic, h=0.5", "share of Z_(n+1) ≠ Z_n", 0.5, settled, control=True),
    ]


def _last_two(maps, count: int, seed: int, backend: str) -> np.ndarray:
    """Z_n and Z_(n+1), shape (count, 2)."""
    run = simulated(
        maps, [0.0], N + 1, order=BACKWARD, n_replicas=count, seed=seed, backend=backend, save_steps=[N, N + 1]
    )
    return run.states[:, :, 0]


def _moved(states) -> np.ndarray:
    return (states[:, 1] != states[:, 0]).astype(float)


CLAIM = Claim("C20", "a unique stationary law, and backward iterates that never settle", 3, check)
