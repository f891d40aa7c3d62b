"""C5: W_p(law X_n, π) ≤ r_p^n W_p(δ_x0, π), r_p = (E Lip^p)^(1/p), with equality only in special cases.

The synchronous coupling of two starts bounds W_p from above and sees far below the sampling floor of an empirical
distance. Controls: the rate of the typical path, E log a, in place of that of the mean; and a Monte Carlo mean of
products of slopes beyond the steps that its replicas can carry.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.formulas import AffineSystem
from iterorder.claims.judge import Judge, mean_quantile
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import (
    breast_cancer_regression,
    line_maps,
    mean_contraction,
    random_affine,
    rounding_bound,
)
from iterorder.claims.table import ClaimRow
from iterorder.convergence import coupling_distance
from iterorder.convergence.rates import fit_rate
from iterorder.convergence.resampling import RESAMPLES
from iterorder.maps import AffineMaps, gallery
from iterorder.orders import BACKWARD, FORWARD
from iterorder.simulate import simulated
from iterorder.wasserstein import wasserstein_1d
from iterorder.wasserstein.to_law import wasserstein_1d_to

#: Slopes of x → 0.4x, x → 0.8x+1: E a = 0.6, and E a²/(E a)² = 1.11 lets a Monte Carlo mean of products last.
MILD = line_maps([0.4, 0.8], [0.0, 1.0])
#: E a = 0.7 and E a²/(E a)² = 1.73: 10⁴ replicas carry the mean for log(10⁴ε²)/log 1.73 = 8 steps at ε = 0.1.
#: Both fix 0, so that the distance of a path from 0 is the product of its slopes, with no rounding of a sum above it.
WILD = line_maps([0.1, 1.3], [0.0, 0.0])


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C5."""
    count = replicas(effort, 20_000)

    def part(name: str) -> int:
        return stream(seed, "C5", name)

    return [
        _equal_slopes(judge, FORWARD, part("equal forward")),
        _equal_slopes(judge, BACKWARD, part("equal backward")),
        _to_uniform(judge, part("uniform"), replicas(effort, 100_000)),
        _between_ensembles(judge, part("ensembles"), replicas(effort, 100_000)),
        _mean_product(judge, part("mean"), count, 8, 0.6**8),
        _rate(judge, part("rate"), count),
        _mean_square(judge, "Barnsley's fern", gallery.barnsley_fern(), part("fern"), count, 8),
        _mean_square(judge, "random affine maps, d=3", random_affine(part("matrices")), part("random"), count, 3),
        *judge.where_available("breast cancer", lambda: [_sure(judge, part("logistic"))]),
        _mean_product(judge, part("mean"), count, 8, math.sqrt(0.4 * 0.8) ** 8, control=True),
        _beyond_the_horizon(judge, part("horizon")),
    ]


def _equal_slopes(judge: Judge, order: str, seed: int) -> ClaimRow:
    """One slope for all maps: |X_n − Y_n| = (1−h)ⁿ|x−y| on every path, so W_p is the same for every p."""
    h, n = 0.3, 80
    maps = gallery.two_point_quadratic(h)
    coupling = coupling_distance(maps, [0.0], [1.0], n, order=order, n_replicas=64, seed=seed, backend=judge.backend)
    error = np.abs(coupling.per_replica - (1.0 - h) ** coupling.steps).max()
    name = "X" if order == FORWARD else "Z"
    quantity = f"largest ||{name}ₙ(0) − {name}ₙ(1)| − (1−h)ⁿ|, n ≤ {n}"
    return judge.compare("two-point quadratic, h=0.3", quantity, 0.0, error, 2.0 * rounding_bound(1.0, 1, 1.0 - h))


def _to_uniform(judge: Judge, seed: int, count: int) -> ClaimRow:
    """From 0, one side of the support: W_1(law X_n, π) = E_π x − E X_n = ½(1−h)ⁿ."""
    from scipy.stats import uniform

    n = 3
    states = simulated(
        gallery.two_point_quadratic(0.5), [0.0], n, n_replicas=count, seed=seed, backend=judge.backend
    ).states[:, 0, 0]
    distance = wasserstein_1d_to(states, uniform())
    allowed = judge.transport_allowance(count, 1.0)
    return judge.test("two-point quadratic, h=1/2, from 0", f"W₁(law Xₙ, π), n = {n}", 0.5**n / 2.0, distance, allowed)


def _between_ensembles(judge: Judge, seed: int, count: int) -> ClaimRow:
    """Independent ensembles from 0 and 4: nonnegative slopes on the line make the synchronous coupling optimal."""
    n = 3
    how: dict = {"n_replicas": count, "seed": seed, "backend": judge.backend}
    first, second = (
        simulated(MILD, [x0], n, first_replica=start, **how).states[:, 0, 0] for x0, start in ((0.0, 0), (4.0, count))
    )
    # The interval [0, 5] between the fixed points holds both ensembles.
    allowed = judge.transport_allowance(count, 5.0, samples=2)
    quantity = f"W₁(law Xₙ(0), law Xₙ(4)), n = {n}"
    return judge.test("0.4x or 0.8x+1", quantity, 4.0 * 0.6**n, wasserstein_1d(first, second), allowed)


def _mean_product(judge: Judge, seed: int, count: int, n: int, predicted: float, *, control=False) -> ClaimRow:
    """E|X_n(0) − X_n(1)| = (E a)ⁿ = W_1; (exp E log a)ⁿ is too small."""
    coupling = coupling_distance(
        MILD, [0.0], [1.0], n, order=FORWARD, n_replicas=count, seed=seed, backend=judge.backend, p=1, save_steps=[n]
    )
    system = "0.4x or 0.8x+1" + (", rate of the typical path" if control else "")
    quantity = f"E|Xₙ(0) − Xₙ(1)| = W₁, n = {n}"
    return judge.mean(system, quantity, predicted, coupling.per_replica[:, 0], control=control)


def _rate(judge: Judge, seed: int, count: int) -> ClaimRow:
    coupling = coupling_distance(
        MILD, [0.0], [1.0], 60, order=FORWARD, n_replicas=count, seed=seed, backend=judge.backend, p=1
    )
    rate = fit_rate(coupling)
    # The standard error comes from a bootstrap: as well known as that of so many independent values.
    allowed = mean_quantile(judge.level, 0.0, RESAMPLES) * rate.standard_error
    quantity = f"fitted rate of W₁, n = {rate.first} … {rate.last}"
    return judge.test("0.4x or 0.8x+1", quantity, math.log(0.6), rate.rate, allowed)


def _mean_square(judge: Judge, system: str, maps: AffineMaps, seed: int, count: int, n: int) -> ClaimRow:
    """The coupling of x0 with a stationary start: E‖X_n−Y_n‖² ≤ r_2^(2n) E‖x0−Y_0‖², and W_2² is at most its left."""
    depth, formulas, x0 = 200, AffineSystem.of(maps), np.zeros(maps.dim)
    stationary = simulated(
        maps, x0, depth, order=BACKWARD, n_replicas=count, seed=seed, backend=judge.backend, first_replica=count
    ).states[:, 0]
    coupling = coupling_distance(
        maps, x0, stationary, n, order=FORWARD, n_replicas=count, seed=seed, backend=judge.backend, p=2, save_steps=[n]
    )
    start = float(np.trace(formulas.covariance) + (formulas.mean**2).sum())
    bound = mean_contraction(maps) ** (2 * n) * start
    quantity = f"E|Xₙ − Yₙ|² ≤ r₂²ⁿ E|x0 − Y0|², n = {n}"
    return judge.mean(system, quantity, bound, coupling.per_replica[:, 0] ** 2, relation="≤")


def _sure(judge: Judge, seed: int) -> ClaimRow:
    """Every map contracts by c: the distance of two starts is at most cⁿ times the first, on every path."""
    maps, n = breast_cancer_regression(), 1_500
    coupling = coupling_distance(
        maps,
        np.zeros(30),
        np.ones(30),
        n,
        order=FORWARD,
        n_replicas=64,
        seed=seed,
        backend=judge.backend,
        save_steps=np.arange(0, n + 1, 100),
    )
    c = maps.lipschitz_max
    bound = c**coupling.steps * math.sqrt(30.0)
    rounding = 2.0 * rounding_bound(5.0 * float(coupling.scale.max()), 30, c) / bound[-1]
    quantity = f"largest |Xₙ − Yₙ|/(cⁿ|x0 − y0|), n ≤ {n}"
    ratio = (coupling.per_replica / bound).max()
    return judge.compare("breast cancer, ridge logistic", quantity, 1.0, ratio, rounding, relation="≤")


def _beyond_the_horizon(judge: Judge, seed: int) -> ClaimRow:
    """The mean of 10⁴ products of 200 slopes misses (E a)^200: the paths that carry it are not there.

    A single one would be enough for half of it with 155 slopes of 1.3 or more; among 10⁴ paths, one time in 10¹⁰.
    """
    n = 200
    coupling = coupling_distance(
        WILD, [0.0], [1.0], n, order=FORWARD, n_replicas=10_000, seed=seed, backend=judge.backend, p=1, save_steps=[n]
    )
    quantity = f"log of (Monte Carlo mean)/(E a)ⁿ, n = {n}"
    measured = math.log(coupling.distance[0]) - n * math.log(0.7)
    return judge.test("0.1x or 1.3x: beyond 8 steps", quantity, 0.0, measured, math.log(2.0), control=True)


CLAIM = Claim("C5", "the distance to the stationary law is at most r_p^n times that of the start", 8, check)
