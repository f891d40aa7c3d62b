"""C1: exchangeable draws give the forward and the backward iterate the same law at every fixed step.

Independent ensembles (disjoint replicas), two-sample tests at several steps. Controls, where the draws are not
exchangeable: the middle of an epoch of random reshuffling, and the cyclic order.
"""

from __future__ import annotations

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import breast_cancer_regression, diabetes_regression, random_affine
from iterorder.claims.table import ClaimRow
from iterorder.maps import QuadraticSGD, gallery
from iterorder.maps.base import RandomMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.simulate import simulated


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C1."""
    many, some = replicas(effort, 20_000), replicas(effort, 4_000)
    h = 0.3

    def row(system, maps, steps, count, **options) -> ClaimRow:
        return _row(judge, system, maps, steps, count, stream(seed, "C1", system), **options)

    def reshuffled(n_items) -> RandomMaps:
        return QuadraticSGD(np.ones(n_items), np.arange(n_items), h, sampling="reshuffle")

    def diabetes_rows() -> list[ClaimRow]:
        maps, epoch = diabetes_regression(0.05), diabetes_regression(0.05, sampling="reshuffle")
        return [
            row("diabetes, batch 1", maps, [1, 30, 1000], some),
            row("diabetes, reshuffled: inside the first epoch and its end", epoch, [100, 442], some),
        ]

    def cancer_rows() -> list[ClaimRow]:
        return [row("breast cancer, ridge logistic", breast_cancer_regression(), [1, 30, 1000], some)]

    return [
        row("two-point quadratic, h=0.3", gallery.two_point_quadratic(h), [1, 2, 5, 30], many),
        row("Sierpinski triangle", gallery.sierpinski(), [1, 3, 20], many),
        row("Barnsley's fern", gallery.barnsley_fern(), [2, 10, 50], many),
        row("random affine maps, d=3", random_affine(stream(seed, "C1", "matrices")), [1, 4, 30], many),
        row("reshuffling, N=5: inside the first epoch", reshuffled(5), [2, 3, 4], many),
        row("reshuffling, N=2: epoch ends", reshuffled(2), [2, 4, 20], many),
        *judge.where_available("diabetes", diabetes_rows),
        *judge.where_available("breast cancer", cancer_rows),
        row("reshuffling, N=2: inside the second epoch", reshuffled(2), [3], many, control=True),
        row("cyclic order, N=3", _cyclic(h), [3], many, control=True),
    ]


def _cyclic(h: float) -> RandomMaps:
    return QuadraticSGD(np.ones(3), np.array([0.0, 1.0, 3.0]), h, sampling="cyclic")


def _row(judge: Judge, system, maps: RandomMaps, steps, count, seed, *, control=False) -> ClaimRow:
    x0 = np.zeros(maps.dim)
    run = {
        order: simulated(
            maps,
            x0,
            steps[-1],
            order=order,
            n_replicas=count,
            seed=seed,
            backend=judge.backend,
            save_steps=steps,
            first_replica=first,
        ).states.reshape(count, -1)
        for order, first in ((FORWARD, 0), (BACKWARD, count))
    }
    # The two orders round one atom differently; both are sums of at most n contracting terms of this size.
    scale = float(max(np.abs(states).max() for states in run.values()))
    rounding = 4.0 * EPS * scale * min(steps[-1], 100) * maps.dim
    at = ", ".join(map(str, steps))
    quantity = f"sup|F_X − F_Z| at n = {at}"
    return judge.same_law(system, quantity, run[FORWARD], run[BACKWARD], rounding=rounding, control=control)


CLAIM = Claim("C1", "the forward and the backward iterate have the same law at every fixed step", 11, check)
