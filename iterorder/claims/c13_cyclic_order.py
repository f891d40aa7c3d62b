"""C13: in cyclic order forward tends to a cycle of N points and backward to one point.

That is the fixed point of T_1∘…∘T_N, which for N ≥ 3 is in general not on the forward cycle.
Both by linear solves. Controls: the backward point on the forward cycle for N ≥ 3 (it is there for N = 2), and the
forward iterate at rest.
"""

from __future__ import annotations

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim, stream
from iterorder.claims.systems import diabetes_regression, random_affine
from iterorder.claims.table import ClaimRow
from iterorder.maps.base import RandomMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.simulate import simulated
from iterorder.theory import theory


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C13: all deterministic, the seed only draws the matrices."""
    del effort  # nothing is sampled
    two, five = (random_affine(stream(seed, "C13", f"{n} maps"), n_maps=n, sampling="cyclic") for n in (2, 5))
    return [
        *_rows(judge, "random affine maps, N=2, d=3", two, 200),
        *_rows(judge, "random affine maps, N=5, d=3", five, 200),
        *judge.where_available("diabetes", lambda: _diabetes(judge)),
    ]


def _diabetes(judge: Judge) -> list[ClaimRow]:
    """A cycle of 34 batches of 13 rows, 2000 times: the ridge contracts by 0.99 a step, 10⁻²⁹⁰ in all."""
    maps = diabetes_regression(0.02, ridge=0.5, batch_size=13, sampling="cyclic")
    return _rows(judge, "diabetes, 34 batches of 13, ridge 0.5, h=0.02", maps, 2_000)


def _rows(judge: Judge, system: str, maps: RandomMaps, epochs: int) -> list[ClaimRow]:
    cycle_length = maps.sampling_law.batches_per_epoch
    end = epochs * cycle_length
    steps = end + np.arange(1, cycle_length + 1)
    forward, backward = (
        simulated(
            maps, np.zeros(maps.dim), steps[-1], order=order, seed=0, backend=judge.backend, save_steps=steps
        ).states[0]
        for order in (FORWARD, BACKWARD)
    )
    cycle = _fixed_points(maps)
    point = _fixed_point(maps, range(cycle_length - 1, -1, -1))
    bound = _rounding(maps, np.abs(cycle).max())
    to_cycle = np.linalg.norm(backward[-1] - cycle, axis=1).min()
    moves = np.linalg.norm(np.diff(forward, axis=0), axis=1)
    known = theory(maps, backend=judge.backend, only="cycle").cycle
    assert known is not None, system
    rows = [
        judge.compare(system, "distance of Xₙ from the cycle", 0.0, _largest(forward - cycle), bound),
        judge.compare(system, "cycle by theory(): largest error", 0.0, _largest(known - cycle), bound),
        judge.compare(
            system, "distance of Zₙ from the fixed point of T₁∘…∘T_N", 0.0, _largest(backward - point), bound
        ),
        judge.compare(system, "distance of Zₙ from the forward cycle", 0.0, to_cycle, bound, control=cycle_length > 2),
    ]
    if cycle_length > 2:
        rows.append(judge.compare(system, "smallest |Xₙ₊₁ − Xₙ|", 0.0, moves.min(), bound, control=True))
    return rows


def _largest(differences: np.ndarray) -> float:
    return float(np.linalg.norm(differences, axis=1).max())


def _fixed_points(maps: RandomMaps) -> np.ndarray:
    """The forward cycle, shape (N, d): the state after map k of an epoch is fixed by T_k∘…∘T_0∘T_(N−1)∘…∘T_(k+1)."""
    n = maps.sampling_law.batches_per_epoch
    return np.array([_fixed_point(maps, [(k + 1 + j) % n for j in range(n)]) for k in range(n)])


def _fixed_point(maps: RandomMaps, batches) -> np.ndarray:
    """The fixed point of the composition that applies the batches in this order."""
    matrix, offset = _composition(maps, batches)
    return np.linalg.solve(np.eye(maps.dim) - matrix, offset)


def _composition(maps: RandomMaps, batches) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset of the composed affine map, from the images of 0 and of the unit vectors."""
    images = np.vstack([np.zeros(maps.dim), np.eye(maps.dim)])
    for batch in batches:
        images = maps.apply(images, _rows_of(maps, batch))
    return (images[1:] - images[0]).T, images[0]


def _rows_of(maps: RandomMaps, batch: int) -> np.ndarray:
    size = maps.sampling_law.batch_size
    return np.arange(batch * size, (batch + 1) * size)


def _rounding(maps: RandomMaps, scale: float) -> float:
    """Of an iterate and of a linear solve: the maps of an epoch round, and ‖(I − A_N⋯A_1)⁻¹‖ sums over the epochs.

    Inside an epoch an error grows by at most the product of the norms above one.
    """
    law = maps.sampling_law
    norms = [maps.lipschitz(_rows_of(maps, k)) or 1.0 for k in range(law.batches_per_epoch)]
    growth = float(np.prod(np.maximum(norms, 1.0)))
    matrix, _ = _composition(maps, range(law.batches_per_epoch))
    inverse = float(np.linalg.norm(np.linalg.inv(np.eye(maps.dim) - matrix), ord=2))
    operations = (maps.dim + 8) * law.batches_per_epoch * law.batch_size
    return 4.0 * EPS * operations * growth * inverse * max(scale, 1.0)


CLAIM = Claim("C13", "cyclic order: forward tends to a cycle, backward to one point, off the cycle for N ≥ 3", 0, check)
