"""C4: the law of the backward limit is the stationary law π; for random reshuffling the law at epoch ends.

Backward iterates deep enough that truncation is below rounding, against exact laws and moments; on real data, where π
has no formula, against themselves after fresh steps. Controls: other laws, and a start that is not π.
"""

from __future__ import annotations

import numpy as np

from iterorder.claims.formulas import AffineSystem
from iterorder.claims.judge import EPS, Judge
from iterorder.claims.laws import Cantor, bernoulli_moments, reshuffled_variance, trapezoid_cdf
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import breast_cancer_regression
from iterorder.claims.table import ClaimRow
from iterorder.maps import QuadraticSGD, gallery
from iterorder.maps.base import RandomMaps
from iterorder.maps.gallery import SIERPINSKI_CORNERS
from iterorder.orders import BACKWARD
from iterorder.simulate import simulated
from iterorder.wasserstein.to_law import wasserstein_1d_to

GAP = "sup|F_Z − F_π|"
MOMENTS = "mean, covariance of Z: largest deviation in standard errors"


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C4."""
    from scipy.stats import uniform

    count = replicas(effort, 20_000)

    def limits(part: str, maps: RandomMaps, n: int) -> np.ndarray:
        return simulated(
            maps,
            np.zeros(maps.dim),
            n,
            order=BACKWARD,
            n_replicas=count,
            seed=stream(seed, "C4", part),
            backend=judge.backend,
        ).states[:, 0]

    half, third, other = (
        limits(f"two-point {h:.3f}", gallery.two_point_quadratic(h), n)[:, 0]
        for h, n in ((0.5, 64), (2.0 / 3.0, 64), (0.3, 120))
    )
    root = 2.0**-0.5
    return [
        judge.law("two-point, h=1/2 against the uniform law", GAP, half, uniform.cdf, rounding=4 * EPS),
        _transport(judge, "two-point, h=1/2 against the uniform law", half, uniform()),
        judge.law("two-point, h=2/3 against the Cantor law", GAP, third, Cantor().cdf, rounding=4 * EPS),
        _transport(judge, "two-point, h=2/3 against the Cantor law", third, Cantor()),
        _moments(judge, "two-point, h=0.3", other[:, None], [0.5], [[0.3 / (4.0 * 1.7)]]),
        judge.law(
            "Bernoulli convolution, λ=2^(−1/2)",
            GAP,
            limits("root", gallery.bernoulli_convolution(root), 120)[:, 0],
            lambda x: trapezoid_cdf(x, 2.0, 2.0 * root),
            rounding=16 * EPS,
        ),
        _bernoulli(judge, limits("golden", gallery.bernoulli_convolution((5**0.5 - 1) / 2), 90)[:, 0]),
        _sierpinski(judge, limits("sierpinski", gallery.sierpinski(), 64)),
        _fern(judge, limits("fern", gallery.barnsley_fern(), 200)),
        *_reshuffled(judge, stream(seed, "C4", "reshuffle"), count),
        *judge.where_available("breast cancer", lambda: _fresh_steps(judge, stream(seed, "C4", "fresh"), effort)),
        judge.law("two-point, h=0.3 against the uniform law", GAP, other, uniform.cdf, rounding=4 * EPS, control=True),
    ]


def _transport(judge: Judge, system: str, sample: np.ndarray, law) -> ClaimRow:
    allowed = judge.transport_allowance(len(sample), 1.0)
    distance = wasserstein_1d_to(sample, law)
    note = f"noise floor: a sample of this size is {0.5 / len(sample) ** 0.5:.2g} from its own law on average, or less"
    return judge.test(system, "W₁ of the sample to π", 0.0, distance, allowed, note=note)


def _moments(judge: Judge, system: str, sample: np.ndarray, mean, covariance, *, control=False) -> ClaimRow:
    """Mean and covariance entries at once, around the predicted mean."""
    deviations = sample - np.asarray(mean)
    row, column = np.triu_indices(sample.shape[1])
    products = deviations[:, row] * deviations[:, column]
    predicted = np.concatenate([np.zeros(sample.shape[1]), np.asarray(covariance)[row, column]])
    # n·eps of accumulated rounding is far below the sampling error; the bound is for exactness.
    bias = 100.0 * EPS * float(np.abs(sample).max()) ** 2
    return judge.means(system, MOMENTS, predicted, np.column_stack([deviations, products]), bias=bias, control=control)


def _bernoulli(judge: Judge, sample: np.ndarray) -> ClaimRow:
    orders = np.array([1, 2, 3, 4, 6])
    predicted = np.array(bernoulli_moments((5**0.5 - 1) / 2, 6))[orders]
    powers = sample[:, None] ** orders
    quantity = "moments 1, 2, 3, 4, 6 of Z: largest deviation in standard errors"
    return judge.means("Bernoulli convolution, golden mean", quantity, predicted, powers)


def _sierpinski(judge: Judge, sample: np.ndarray) -> ClaimRow:
    covariance = np.cov(SIERPINSKI_CORNERS.T, bias=True) / 3.0
    return _moments(judge, "Sierpinski triangle", sample, SIERPINSKI_CORNERS.mean(axis=0), covariance)


def _fern(judge: Judge, sample: np.ndarray) -> ClaimRow:
    formulas = AffineSystem.of(gallery.barnsley_fern())
    return _moments(judge, "Barnsley's fern", sample, formulas.mean, formulas.covariance)


def _reshuffled(judge: Judge, seed: int, count: int) -> list[ClaimRow]:
    """The variance at epoch ends is of order h³, that of independent sampling of order h: hσ²/(2−h)."""
    h, minimizers = 0.3, np.array([0.0, 1.0, 2.0, 5.0])
    maps = QuadraticSGD(np.ones(4), minimizers, h, sampling="reshuffle")
    run = simulated(maps, [0.0], 120, order=BACKWARD, n_replicas=count, seed=seed, backend=judge.backend)
    sample = run.states[:, 0]
    mean, spread = minimizers.mean(), float(minimizers.var())
    at_ends, independent = reshuffled_variance(h, 4, spread), h * spread / (2.0 - h)
    system = "random reshuffling, N=4"
    return [
        _moments(judge, f"{system}: epoch ends", sample, [mean], [[at_ends]]),
        _moments(judge, f"{system}: law of i.i.d. draws", sample, [mean], [[independent]], control=True),
    ]


def _fresh_steps(judge: Judge, seed: int, effort: str) -> list[ClaimRow]:
    """π is what fresh steps leave unchanged: the limits of some replicas, moved on by steps of others."""
    maps, count, n, fresh = breast_cancer_regression(), replicas(effort, 2_000), 2_500, 100
    # Replicas 0 … R−1 stay, R … 2R−1 move on with the noise of 2R … 3R−1.
    both = simulated(
        maps, np.zeros(maps.dim), n, order=BACKWARD, n_replicas=2 * count, seed=seed, backend=judge.backend
    ).states[:, 0]
    moved, from_origin = (
        simulated(
            maps, start, fresh, n_replicas=count, seed=seed, backend=judge.backend, first_replica=2 * count
        ).states[:, 0]
        for start in (both[count:], np.zeros(maps.dim))
    )
    # Both laws are within cⁿ·sup‖T(0)‖/(1−c) of π: points closer than that count as equal.
    c, move = maps.lipschitz_max, maps.step_size * float(np.linalg.norm(maps.features, axis=1).max())
    rounding = 4.0 * c**n * move / (1.0 - c)
    quantity = f"sup|F_Z − F| after {fresh} fresh steps, 30 coordinates"
    return [
        judge.same_law("breast cancer, from backward limits", quantity, both[:count], moved, rounding=rounding),
        judge.same_law(
            "breast cancer, from the origin", quantity, both[:count], from_origin, rounding=rounding, control=True
        ),
    ]


CLAIM = Claim("C4", "the law of the backward limit is the stationary law (reshuffling: the epoch-end law)", 14, check)
