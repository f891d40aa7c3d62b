"""C8: the stationary law of maps that sometimes expand has the power tail of Kesten's equation E|a|^κ = 1.

Hill's estimate from the largest values of independent samples. Control: the tail of finite variance, κ = 2.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import line_maps
from iterorder.claims.table import ClaimRow
from iterorder.maps import GaussianRegressionSGD
from iterorder.simulate import simulated
from iterorder.theory import theory

# The share of the samples that count as tail, and what the law may differ from a power there, as a share of κ.
TAIL_SHARE, CURVED = 0.005, 0.04
N = 300


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C8."""
    count = replicas(effort, 400_000)
    gaussian = GaussianRegressionSGD([1.0], 1.0, 1.0)
    slopes = np.array([1.7, 0.3, 0.6])
    lines = line_maps(slopes, [1.0, -0.5, 0.3])
    first, second = "least squares, Gaussian, d=1, h=1", "three maps of the line"
    known, exact = (theory(maps, backend=judge.backend, only="tail_index").tail_index for maps in (lines, gaussian))
    assert known is not None
    assert exact is not None
    sample = _sample(gaussian, count, stream(seed, "C8", "gaussian"), judge.backend)
    other = _sample(lines, count, stream(seed, "C8", "lines"), judge.backend)
    return [
        judge.compare(first, "κ by theory()", 1.0908, exact.value, 5e-5),
        judge.compare(second, "E|a|^κ", 1.0, float((slopes**known.value).mean()), 64 * EPS),
        _row(judge, first, exact.value, sample),
        _row(judge, second, known.value, other),
        _row(judge, f"{first}, finite variance", 2.0, sample, control=True),
    ]


def _sample(maps, count: int, seed: int, backend: str) -> np.ndarray:
    return np.abs(simulated(maps, [0.0], N, n_replicas=count, seed=seed, backend=backend).states[:, 0, 0])


def _row(judge: Judge, system, kappa, sample, *, control=False) -> ClaimRow:
    """1/κ as the mean log excess over the tail's threshold: exponential variables for an exact power."""
    tail = max(100, int(TAIL_SHARE * len(sample)))
    largest = np.sort(sample)[-tail - 1 :]
    estimate = 1.0 / float(np.log(largest[1:] / largest[0]).mean())
    from scipy.special import ndtri

    spread = -float(ndtri(0.5 * judge.level)) / math.sqrt(tail)
    return judge.test(system, "tail index", kappa, estimate, kappa * (spread + CURVED), control=control)


CLAIM = Claim("C8", "power tails with Kesten's index, where maps sometimes expand", 3, check)
