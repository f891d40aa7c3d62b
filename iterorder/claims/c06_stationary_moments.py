"""C6: mean and covariance of the stationary law of linear systems, from a linear solve.

Ensembles of independent paths against the formulas; `theory`, which solves them in another way, against the formulas to
rounding. On the diabetes data with batches of distinct rows and a ridge. Controls: the covariance for batches drawn
with replacement, and for a batch of one.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from iterorder.claims.formulas import AffineSystem
from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import diabetes_regression, random_affine
from iterorder.claims.table import ClaimRow
from iterorder.maps import QuadraticSGD, gallery
from iterorder.maps.base import RandomMaps
from iterorder.simulate import simulated
from iterorder.theory import theory

CURVATURES, MINIMIZERS = np.array([0.5, 1.0, 1.5, 2.0, 3.0]), np.array([2.0, -1.0, 0.0, 1.0, 4.0])


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C6."""
    count = replicas(effort, 20_000)
    fern, affine = gallery.barnsley_fern(), random_affine(stream(seed, "C6", "matrices"))
    single = QuadraticSGD(CURVATURES, MINIMIZERS, 0.3)
    batch = QuadraticSGD(CURVATURES, MINIMIZERS, 0.3, batch_size=3)
    formulas = AffineSystem.of(batch)

    def rows(system: str, maps: RandomMaps, n: int, count: int) -> list[ClaimRow]:
        sample = _sample(maps, n, count, stream(seed, "C6", system), judge.backend)
        return _rows(judge, system, AffineSystem.of(maps), sample)

    batch_sample = _sample(batch, 60, count, stream(seed, "C6", "batch"), judge.backend)
    return [
        *rows("Barnsley's fern", fern, 200, count),
        _theory_row(judge, "Barnsley's fern", fern, seed),
        *rows("random affine maps, d=3", affine, 100, 2 * count),  # its tails are longer
        _variance(judge, stream(seed, "C6", "scalar"), single, count),
        *_rows(judge, "five quadratics, batches of 3 without replacement", formulas, batch_sample),
        *judge.where_available("diabetes", lambda: _diabetes(judge, seed, effort)),
        _rows(
            judge,
            "five quadratics, batches of 3 with replacement",
            dataclasses.replace(formulas, share=1.0 / 3.0),
            batch_sample,
            control=True,
        )[1],
    ]


def _sample(maps: RandomMaps, n: int, count: int, seed: int, backend: str) -> np.ndarray:
    """Independent forward iterates from the stationary mean, so that only the covariance has a transient."""
    return simulated(maps, AffineSystem.of(maps).mean, n, n_replicas=count, seed=seed, backend=backend).states[:, 0]


def _rows(judge: Judge, system, formulas: AffineSystem, sample, *, bias=0.0, control=False) -> list[ClaimRow]:
    """Mean, and all entries of the covariance around the exact mean."""
    mean, covariance = formulas.mean, formulas.covariance
    deviations = sample - mean
    row, column = np.triu_indices(len(mean))
    products = deviations[:, row] * deviations[:, column]
    errors = "largest deviation in standard errors"
    return [
        judge.means(system, f"mean: {errors}", 0.0, deviations, control=control),
        judge.means(system, f"covariance: {errors}", covariance[row, column], products, bias=bias, control=control),
    ]


def _theory_row(judge: Judge, system: str, maps: RandomMaps, seed: int) -> ClaimRow:
    """`theory` against the Kronecker solve: both are backward stable, so they differ by the condition times rounding.

    The matrices are sums over n items in d² entries; the factor 4 is for two solutions and for reading the maps off.
    """
    own_seed = stream(seed, "C6", f"theory {system}")
    formulas, known = AffineSystem.of(maps), theory(maps, seed=own_seed, backend=judge.backend, only="covariance")
    assert known.covariance is not None, system
    covariance = formulas.covariance
    error = np.abs(known.covariance - covariance).max() / np.abs(covariance).max()
    d = maps.dim
    condition = np.linalg.cond(np.eye(d * d) - formulas.second_moment_operator)
    bound = 4.0 * d * d * EPS * len(formulas.weights) * condition
    return judge.compare(system, "covariance by theory(): relative error", 0.0, error, bound)


def _variance(judge: Judge, seed: int, maps: QuadraticSGD, count: int) -> ClaimRow:
    """The scalar finite sum: v = h E[λ²(c−m)²]/(2Eλ − hEλ²), m = E[λc]/Eλ."""
    h, curvature = maps.step_size, CURVATURES.mean()
    mean = (CURVATURES * MINIMIZERS).mean() / curvature
    noise = (CURVATURES**2 * (MINIMIZERS - mean) ** 2).mean()
    variance = h * noise / (2.0 * curvature - h * (CURVATURES**2).mean())
    states = simulated(maps, [mean], 100, n_replicas=count, seed=seed, backend=judge.backend).states[:, 0, 0]
    return judge.mean("five quadratics, batch 1, h=0.3", "variance", variance, (states - mean) ** 2)


def _diabetes(judge: Judge, seed: int, effort: str) -> list[ClaimRow]:
    """h = 0.1 and a ridge of 0.05: 2000 steps from the mean leave (1−0.0115)^2000 of the covariance to come."""
    maps = diabetes_regression(0.1, ridge=0.05, batch_size=8)
    system, n, count = "diabetes, batch 8, ridge 0.05, h=0.1", 2_000, replicas(effort, 6_000)
    formulas = AffineSystem.of(maps)
    sample = _sample(maps, n, count, stream(seed, "C6", "diabetes"), judge.backend)
    # Symmetric maps: ‖Mⁿ(C)‖_F ≤ ρⁿ‖C‖_F for what is missing of the covariance.
    bias = formulas.radius**n * float(np.linalg.norm(formulas.covariance))
    return [
        *_rows(judge, system, formulas, sample, bias=bias),
        _theory_row(judge, system, maps, seed),
        _rows(judge, "diabetes, covariance of batch 1", dataclasses.replace(formulas, share=1.0), sample, control=True)[
            1
        ],
    ]


CLAIM = Claim("C6", "mean and covariance of linear systems solve linear equations", 11, check)
