"""The general claims C1 to C5 on systems of which nothing but the maps is known."""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import TOTAL_LEVEL, replicas, stream
from iterorder.claims.table import ClaimRow, ClaimTable
from iterorder.convergence import coupling_distance
from iterorder.gate.systems_file import Entry
from iterorder.orders import BACKWARD, FORWARD
from iterorder.simulate import simulate
from iterorder.theory import theory

#: Statistical tests of one system.
TESTS = 5
SHORT, LONG = 7, 400


def check_systems(systems: list[Entry], *, seed: int = 0, effort: str = "quick") -> ClaimTable:
    """Rows for every system.

    The orders have one law (C1), backward settles (C2) and forward does not (C3), the limit has the law that forward
    keeps (C4), starts approach no slower than the mean contraction says (C5). A system that does not contract fails C2,
    as it should: the table tells whether the theory applies to it.
    """
    level = TOTAL_LEVEL / (TESTS * len(systems))
    rows = [row for entry in systems for row in _rows(entry, level, seed, replicas(effort, 2000))]
    return ClaimTable(tuple(rows), seed, effort)


def _rows(entry: Entry, level: float, seed: int, count: int) -> list[ClaimRow]:
    maps, x0, name = entry.maps, entry.x0, entry.name
    law = maps.sampling_law
    epoch = 1 if law.kind == "iid" else law.batches_per_epoch
    # Epoch ends: with reshuffling the laws agree there only.
    short, long = -(-SHORT // epoch) * epoch, -(-LONG // epoch) * epoch
    parts = [stream(seed, f"C{k}", name) for k in (1, 2, 3, 4, 5)]

    def states(order, n, part, saves=None) -> np.ndarray:
        return simulate(maps, x0, n, order=order, n_replicas=count, seed=part, save_steps=saves).states

    judge = {k: Judge(f"C{k}", level) for k in range(1, 6)}
    forward, backward = states(FORWARD, short, parts[0])[:, 0], states(BACKWARD, short, parts[1])[:, 0]
    limits = states(BACKWARD, 2 * long, parts[2], [long, 2 * long])
    paths = states(FORWARD, 2 * long + 1, parts[3], [2 * long, 2 * long + 1])
    moved = np.linalg.norm(limits[:, 1] - limits[:, 0], axis=1)
    kept = np.linalg.norm(paths[:, 1] - paths[:, 0], axis=1)
    size = float(np.abs(limits).max())
    share = float(np.median(moved)) / max(float(np.median(kept)), np.finfo(float).tiny)
    known = theory(maps, seed=seed).common_fixed_point is not None
    rounding = 64.0 * EPS * (1.0 + size)
    rows = [
        judge[1].same_law(name, f"sup|F_X − F_Z|, n = {short}", forward, backward, rounding=rounding),
        judge[2].compare(name, f"median |Z₂ₙ − Zₙ| over that of forward moves, n = {long}", 0.0, share, 1e-3),
        judge[4].same_law(name, f"sup|F_Z − F_X|, n = {2 * long}", limits[:, 1], paths[:, 0], rounding=rounding),
    ]
    if not known:
        later = states(FORWARD, 2 * long + 1, parts[4], [long, long + 1])
        before = np.linalg.norm(later[:, 1] - later[:, 0], axis=1)[:, None]
        rows.insert(
            2,
            judge[3].same_law(name, "sup|F − F'| of forward moves, n and 2n", kept[:, None], before, rounding=rounding),
        )
    return rows + _coupled(judge[5], entry, short, count, parts[4])


def _coupled(judge: Judge, entry: Entry, n: int, count: int, seed: int) -> list[ClaimRow]:
    """E‖X_n − Y_n‖ ≤ r_1^n‖x − y‖, where Lipschitz constants are known and steps independent."""
    maps = entry.maps
    contraction = theory(maps, seed=seed).contraction(1) if maps.sampling_law.kind == "iid" else None
    if contraction is None:
        return []
    coupling = coupling_distance(
        maps, entry.x0, entry.x0 + 1.0, n, order=FORWARD, n_replicas=count, seed=seed, p=1, save_steps=[n]
    )
    bound = contraction.high**n * math.sqrt(maps.dim)
    samples = coupling.per_replica[:, -1]
    rounding = 64.0 * n * EPS * (1.0 + float(np.abs(entry.x0).max()) + coupling.scale.max())
    return [judge.mean(entry.name, f"E‖X − Y‖ ≤ r₁ⁿ‖x − y‖, n = {n}", bound, samples, bias=rounding, relation="≤")]
