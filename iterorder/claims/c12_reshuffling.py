"""C12: with equal curvatures, random reshuffling has a far smaller variance at epoch ends than independent draws.

The closed form against simulation and `theory`, and against its leading term (hλ)³σ²n(n+1)/24. Control: the variance
of independent draws.
"""

from __future__ import annotations

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.laws import reshuffled_variance
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.table import ClaimRow
from iterorder.maps import QuadraticSGD
from iterorder.simulate import simulated
from iterorder.theory import theory

MINIMIZERS = np.array([-2.0, -1.0, 0.0, 0.5, 2.5])
H = 0.2


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C12."""
    n = len(MINIMIZERS)
    spread = float(MINIMIZERS.var())
    maps = QuadraticSGD(np.ones(n), MINIMIZERS, H, sampling="reshuffle")
    system, exact = f"{n} quadratics of curvature 1, h={H}", reshuffled_variance(H, n, spread)
    covariance = theory(maps, backend=judge.backend, only="covariance").covariance
    assert covariance is not None
    # (1−h)^(2·60·5) of the start is left after 60 epochs: below rounding.
    count = replicas(effort, 20_000)
    run = simulated(
        maps, [MINIMIZERS.mean()], 60 * n, n_replicas=count, seed=stream(seed, "C12", "epochs"), backend=judge.backend
    )
    squares = (run.states[:, 0, 0] - MINIMIZERS.mean()) ** 2
    h = 1e-3
    leading = h**3 * spread * n * (n + 1) / 24.0
    small = reshuffled_variance(h, n, spread)
    return [
        judge.compare(system, "variance at epoch ends by theory()", exact, float(covariance[0, 0]), 1e3 * n * EPS),
        judge.mean(system, "variance at epoch ends", exact, squares),
        # The next order is h times a factor of about n; the cancellation of the sums costs eps/h².
        judge.compare(
            f"{n} quadratics of curvature 1, h={h}", "share of (hλ)³σ²n(n+1)/24", 1.0, small / leading, 2 * n * h
        ),
        judge.mean(
            f"{system}, independent draws", "variance at epoch ends", H * spread / (2.0 - H), squares, control=True
        ),
    ]


CLAIM = Claim("C12", "reshuffling: a variance of the order h³ at epoch ends", 2, check)
