"""C19: maps that do not contract can still bring two starts together, but slowly: |θ − x| with θ uniform.

The gap of the chains from 0 and 1 has the law Beta(1, n), mean 1/(n+1), and the stationary density is 2(1−x).
Controls: the gap law of half the steps, and the uniform law.
"""

from __future__ import annotations

import numpy as np

from iterorder.claims.judge import Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.table import ClaimRow
from iterorder.maps import gallery
from iterorder.simulate import simulated

SAVES = [5, 20, 80]


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C19."""
    system = "x → |θ − x|"
    maps, count = gallery.reflected_walk(), replicas(effort, 20_000)
    part = stream(seed, "C19", "walk")
    low, high = (
        simulated(
            maps, [start], SAVES[-1], n_replicas=count, seed=part, backend=judge.backend, save_steps=SAVES
        ).states[:, :, 0]
        for start in (0.0, 1.0)
    )
    gaps = np.abs(high - low)
    last, n = gaps[:, -1], SAVES[-1]
    # From a start that is stationary: 1 − √(1−u) has the density 2(1−x).
    starts = 1.0 - np.sqrt(np.random.default_rng(stream(seed, "C19", "start")).uniform(size=(count, 1)))
    later = simulated(
        maps, starts, 30, n_replicas=count, seed=stream(seed, "C19", "law"), backend=judge.backend
    ).states[:, 0, 0]
    # Each step rounds numbers below one, and keeps distances: n roundings move a gap by at most n·eps.
    return [
        *(
            judge.law(system, f"gap of 0 and 1, n = {k}", gaps[:, i], _gap_law(k), rounding=1e-13)
            for i, k in enumerate(SAVES)
        ),
        judge.mean(system, f"mean gap, n = {n}", 1.0 / (n + 1), last),
        judge.law(system, "stationary law, 30 steps on", later, lambda x: 1.0 - np.clip(1.0 - x, 0.0, 1.0) ** 2),
        judge.law(f"{system}, n/2", f"gap of 0 and 1, n = {n}", last, _gap_law(n // 2), control=True),
        judge.law(f"{system}, uniform", "stationary law", later, lambda x: np.clip(x, 0.0, 1.0), control=True),
    ]


def _gap_law(n: int):
    """Beta(1, n)."""
    return lambda x: 1.0 - np.clip(1.0 - x, 0.0, 1.0) ** n


CLAIM = Claim("C19", "slow: Lipschitz constants of one, gaps of 1/(n+1)", 7, check)
