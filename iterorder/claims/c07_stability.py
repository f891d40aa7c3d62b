"""C7: mean-square and almost-sure stability end at different step sizes, and between them backward still converges.

Least squares on fresh Gaussian data in one dimension, and two quadratics whose almost-sure stability comes back in a
window of larger step sizes. Controls: beyond the second boundary backward does not settle, and one boundary does not
pass for the other.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.table import ClaimRow
from iterorder.maps import GaussianRegressionSGD, QuadraticSGD
from iterorder.orders import BACKWARD
from iterorder.simulate import simulated
from iterorder.theory import stability_boundary, theory
from iterorder.theory.gaussian import abs_moment

# Between the boundaries 2/3 and 2.42125; E log|1 − hg²| = −0.27 there.
BETWEEN, BEYOND, N = 1.5, 3.0, 1000
# A power below the tail index 0.4774 at that step size.
POWER = 0.2


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C7."""
    count = replicas(effort, 200)
    gaussian, pair = "least squares, Gaussian, d=1", "curvatures 1 and 30"

    def make(h: float) -> GaussianRegressionSGD:
        return GaussianRegressionSGD([1.0], 1.0, h)

    mean_square = stability_boundary(make, 0.1, 4.0, backend=judge.backend)
    almost_sure = stability_boundary(make, 0.1, 4.0, kind="almost-sure", backend=judge.backend)
    between, beyond = make(BETWEEN), make(BEYOND)
    radius = theory(between, backend=judge.backend, only="mean_square_radius").mean_square_radius
    assert radius is not None
    return [
        judge.compare(gaussian, "mean-square boundary", 2.0 / 3.0, mean_square.value, 16 * EPS),
        judge.compare(gaussian, "almost-sure boundary", 2.42125, almost_sure.value, 5e-6),
        judge.compare(gaussian, "mean-square radius at h=1.5", 1.0 - 3.0 + 6.75, radius.value, 64 * EPS),
        _settles(judge, f"{gaussian}, h={BETWEEN}", between, count, stream(seed, "C7", "between")),
        _root(judge, pair),
        _window(judge, pair),
        _settles(judge, f"{gaussian}, h={BEYOND}", beyond, count, stream(seed, "C7", "beyond"), control=True),
        judge.compare(gaussian, "boundaries are one", almost_sure.value, mean_square.value, 5e-6, control=True),
    ]


def _settles(judge: Judge, system, maps, count, seed, *, control=False) -> ClaimRow:
    """The largest |Z_2n − Z_n|, with Markov's inequality for a power s below the tail index.

    Z_2n − Z_n = P_n·(x0' − x0) with an independent forward iterate x0': E|Z_2n − Z_n|^s ≤ ρ^n E|b|^s/(1−ρ), ρ = E|a|^s.
    """
    run = simulated(
        maps, [0.0], 2 * N, order=BACKWARD, n_replicas=count, seed=seed, backend=judge.backend, save_steps=[N, 2 * N]
    )
    moved = float(np.abs(run.states[:, 1, 0] - run.states[:, 0, 0]).max())
    rho = abs_moment(BETWEEN, POWER)
    gauss = 2.0 ** (POWER / 2) * math.gamma(0.5 * (POWER + 1.0)) / math.sqrt(math.pi)
    offsets = BETWEEN**POWER * gauss * gauss
    allowed = (count / judge.level * rho**N * offsets / (1.0 - rho)) ** (1.0 / POWER)
    return judge.test(system, f"largest |Z₂ₙ − Zₙ|, n = {N}", 0.0, moved, allowed, control=control)


def _root(judge: Judge, system) -> ClaimRow:
    """(1−h)(30h−1) = 1 at the first boundary: 30h² − 31h + 2 = 0."""
    found = stability_boundary(_pair, 0.01, 1.2, kind="almost-sure", backend=judge.backend)
    return judge.compare(system, "almost-sure boundary", (31.0 - math.sqrt(721.0)) / 60.0, found.value, 64 * EPS)


def _window(judge: Judge, system) -> ClaimRow:
    """Stable again at h = 0.98, where log|1−h| outweighs log|1−30h|."""
    exponent = theory(_pair(0.98), backend=judge.backend, only="lyapunov_exponent").lyapunov_exponent
    assert exponent is not None
    predicted = 0.5 * (math.log(0.02) + math.log(28.4))
    return judge.compare(system, "exponent at h=0.98", predicted, exponent.value, 64 * EPS * 4)


def _pair(h: float) -> QuadraticSGD:
    return QuadraticSGD([1.0, 30.0], [0.0, 1.0], h)


CLAIM = Claim("C7", "mean-square and almost-sure stability have different boundaries", 2, check)
