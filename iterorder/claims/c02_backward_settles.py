"""C2: with a negative Lyapunov exponent γ the backward iterate converges almost surely.

The limit does not depend on the start, and the increments decay like exp(γn).
The slope of log‖Z_(n+1)−Z_n‖ between two steps, averaged over independent paths, is held against γ: exact on the line
and by QR iterations (`theory`) otherwise. Some systems contract on average only. Controls: forward under the same
maps, whose increments do not decay, and a system that expands on average.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import (
    breast_cancer_plane,
    breast_cancer_regression,
    diabetes_regression,
    line_maps,
    mean_contraction,
    rounding_bound,
)
from iterorder.claims.table import ClaimRow
from iterorder.estimate import Estimate
from iterorder.maps import AffineMaps, gallery
from iterorder.maps.base import RandomMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.simulate import simulated
from iterorder.theory import theory

#: A start far from the stationary law keeps the increments above rounding: of the fern's after 80 steps, e^(−25) times
#: the first in the median, those of a path in a million reach it from 10⁶, and none, at ten deviations, from 10¹².
FAR = 1e12
LIMIT = "largest |Z_2n(x0) − Z_n(y0)|"
TWO_POINT_STEP = 0.3


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C2."""
    slopes = Slopes(judge, seed, effort)
    two_point, exact = gallery.two_point_quadratic(TWO_POINT_STEP), Estimate.of(math.log1p(-TWO_POINT_STEP))
    on_average, its_exponent = line_maps([0.5, 1.2], [0.0, 1.0]), Estimate.of(0.5 * math.log(0.5 * 1.2))
    fern = gallery.barnsley_fern()

    def cancer_rows() -> list[ClaimRow]:
        plane = breast_cancer_plane(0.02, 0.1)
        return [
            slopes.row("breast cancer, two directions", plane, np.zeros(2), (1_000, 2_000), 2_000),
            _sure_limit(judge, stream(seed, "C2", "sure limit")),
        ]

    def diabetes_rows() -> list[ClaimRow]:
        maps = diabetes_regression(0.05)
        return [slopes.row("diabetes, h=0.05, batch 1, no ridge", maps, np.zeros(10), (2_000, 20_000), 4_000)]

    return [
        slopes.row("two-point quadratic, h=0.3", two_point, [0.25], (10, 60), 2_000, exact),
        _share_of_zero_increments(judge, stream(seed, "C2", "zero"), replicas(effort, 4_000)),
        slopes.row("x/2 or 1.2x+1: one map expands", on_average, [FAR], (10, 60), 4_000, its_exponent),
        slopes.row("Barnsley's fern", fern, [FAR, FAR], (40, 80), 8_000),
        *judge.where_available("diabetes", diabetes_rows),
        *judge.where_available("breast cancer", cancer_rows),
        _mean_limit(judge, "x/2 or 1.2x+1: one map expands", on_average, stream(seed, "C2", "limit on the line"), 400),
        _mean_limit(judge, "Barnsley's fern", fern, stream(seed, "C2", "limit of the fern"), 200),
        slopes.row("two-point quadratic, h=0.3", two_point, [0.25], (10, 60), 2_000, exact, control=True),
        _expanding(judge, stream(seed, "C2", "expanding")),
    ]


@dataclass(frozen=True)
class Slopes:
    """Rows that compare the slope of the log increments of many paths with the Lyapunov exponent."""

    judge: Judge
    seed: int
    effort: str

    def row(self, system, maps: RandomMaps, x0, between, count, exponent=None, *, control=False) -> ClaimRow:
        """Mean slope between two steps over `count` backward paths, sixteen times as many with "full".

        The control takes forward paths.
        """
        if exponent is None:
            own_seed = stream(self.seed, "C2", f"theory of {system}")
            how: dict = {"seed": own_seed, "effort": self.effort, "backend": self.judge.backend}
            exponent = theory(maps, only="lyapunov_exponent", **how).lyapunov_exponent
            assert exponent is not None, system
        first, last = between
        run = simulated(
            maps,
            x0,
            last + 1,
            order=FORWARD if control else BACKWARD,
            n_replicas=replicas(self.effort, count),
            seed=stream(self.seed, "C2", system),
            backend=self.judge.backend,
            save_steps=[first, first + 1, last, last + 1],
        )
        early, late = (np.linalg.norm(run.states[:, k + 1] - run.states[:, k], axis=1) for k in (0, 2))
        slope = np.log(late / early) / (last - first)
        # The two states of an increment are off by at most n·d·eps times their size where errors do not grow.
        size = np.median(np.abs(run.states[:, 2:]).max(axis=(1, 2)))
        bias = (EPS * maps.dim * last * size * (1.0 / early + 1.0 / late)).mean() / (last - first)
        name = "forward: slope of log|X(n+1) − X(n)|" if control else "slope of log|Z(n+1) − Z(n)|"
        error = exponent.standard_error
        return self.judge.mean(system, name, exponent.value, slope, error=error, bias=bias, control=control)


def _share_of_zero_increments(judge: Judge, seed: int, count: int) -> ClaimRow:
    """From 0 the two-point map moves with probability ½: zero increments belong to the claim, which bounds a limsup."""
    maps = gallery.two_point_quadratic(TWO_POINT_STEP)
    run = simulated(
        maps, [0.0], 11, order=BACKWARD, n_replicas=count, seed=seed, backend=judge.backend, save_steps=[10, 11]
    )
    zero = run.states[:, 1, 0] == run.states[:, 0, 0]
    return judge.mean("two-point quadratic from 0", "share of zero increments", 0.5, zero)


def _two_starts(maps: RandomMaps, seed: int, count: int, n: int, backend: str) -> tuple[np.ndarray, float]:
    """‖Z_2n(x0) − Z_n(y0)‖ of every replica, x0 = 0 and y0 = (1, …, 1), and the size of the states."""
    longer, shorter = (
        simulated(maps, start, steps, order=BACKWARD, n_replicas=count, seed=seed, backend=backend).states[:, 0]
        for start, steps in ((np.zeros(maps.dim), 2 * n), (np.ones(maps.dim), n))
    )
    return np.linalg.norm(longer - shorter, axis=1), float(max(1.0, np.abs(longer).max(), np.abs(shorter).max()))


def _sure_limit(judge: Judge, seed: int) -> ClaimRow:
    """Every map contracts: c^n(‖x0−y0‖ + sup‖T(x0)−x0‖/(1−c)) for every path."""
    maps, n = breast_cancer_regression(), 3_500
    c = maps.lipschitz_max
    distances, scale = _two_starts(maps, seed, 32, n, judge.backend)
    moves = [float(np.linalg.norm(maps.apply(np.zeros(maps.dim), i))) for i in range(len(maps.labels))]
    bound = c**n * (math.sqrt(maps.dim) + max(moves) / (1.0 - c))
    # The largest intermediate number of a step is h‖a‖² = 4.2 times the state.
    bound += 2.0 * rounding_bound(5.0 * scale, maps.dim, c)
    return judge.compare("breast cancer, all 30 directions", f"{LIMIT}, n = {n}", 0.0, distances.max(), bound)


def _mean_limit(judge: Judge, system: str, maps: AffineMaps, seed: int, n: int) -> ClaimRow:
    """Contraction in mean square: the L² norm is below r^n(‖x0−y0‖ + ‖T(x0)−x0‖_2/(1−r)), then Markov's inequality."""
    count, r = 1_000, mean_contraction(maps)
    distances, scale = _two_starts(maps, seed, count, n, judge.backend)
    moves = [float(np.linalg.norm(offset)) for offset in maps.offsets]
    in_mean_square = r**n * (math.sqrt(maps.dim) + max(moves) / (1.0 - r)) + 2.0 * rounding_bound(scale, maps.dim, r)
    allowed = in_mean_square * math.sqrt(count / judge.level)
    return judge.test(system, f"{LIMIT}, n = {n}", 0.0, distances.max(), allowed)


def _expanding(judge: Judge, seed: int) -> ClaimRow:
    """E log a = 0.12 > 0: the median distance is not even below that of the starts, 1."""
    distances, _ = _two_starts(line_maps([0.8, 1.6], [0.0, 1.0]), seed, 1_000, 100, judge.backend)
    quantity = "median |Z_2n(x0) − Z_n(y0)|, n = 100"
    return judge.test("0.8x or 1.6x+1: expands on average", quantity, 0.0, np.median(distances), 1.0, control=True)


CLAIM = Claim("C2", "backward converges at the rate of the Lyapunov exponent, to a limit free of the start", 10, check)
