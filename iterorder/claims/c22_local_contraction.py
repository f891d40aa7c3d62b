"""C22: local contraction, the hypothesis of the paper [1]_.

On a bounded K with T_ξ(K) ⊂ K for all ξ and sup Lip < 1 the backward iterate from x0 ∈ K settles although the maps do
not contract elsewhere; a path that enters K at a random time m settles when anchored there.
The losses f± = (x²−1)²/4 ± s·x [2]_ are not convex; K is an interval around the right well. That it is invariant and
that the maps contract on it is proved in rational numbers. Controls: no contraction on the hull of both wells, forward
does not settle, and backward from outside K jumps between the wells for ever.

References
----------
.. [1] Dherin, Avelin, Karlsson, Mazzawi, Gonzalvo, Munn (2025), arXiv 2502.01557.
.. [2] Shirokoff, Zaleski (2024), arXiv 2409.12243.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from iterorder import noise
from iterorder.claims.judge import Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import rounding_bound
from iterorder.claims.table import ClaimRow

STEP, TILT = Fraction(1, 5), Fraction(3, 10)
LOW, HIGH = Fraction(77, 100), Fraction(114, 100)
SYSTEM = f"double well, s={float(TILT)}, h={float(STEP)}"
#: Steps of the backward iterates.
STEPS = 100


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C22."""
    count = replicas(effort, 400)
    contraction = largest_slope(LOW, HIGH)
    bounds = float(contraction) ** np.arange(STEPS) * float(HIGH - LOW)
    draws = _draws(stream(seed, "C22", "inside"), count, 0, STEPS)
    start, end = (np.full(count, float(x)) for x in (LOW, HIGH))
    inside, other = backward(start, draws), backward(end, draws)
    moving = np.diff(forward(start, draws), axis=1)
    quantity = f"largest |Zₙ₊₁ − Zₙ|/(cⁿ diam K), n < {STEPS}"
    return [
        judge.compare(SYSTEM, "margin of T(K) inside K (exact)", 0.0, invariance_margin(LOW, HIGH), 0.0, relation="≥"),
        judge.compare(SYSTEM, "c = sup Lip on K (exact)", 1.0 - 1e-9, contraction, 0.0, relation="≤"),
        judge.compare(
            SYSTEM,
            "sup Lip on the hull of both wells (exact)",
            1.0,
            largest_slope(-HIGH, HIGH),
            0.0,
            relation="≤",
            control=True,
        ),
        _ratio(judge, f"{SYSTEM}, x0 in K", quantity, np.diff(inside, axis=1), bounds),
        _ratio(
            judge,
            f"{SYSTEM}, ends of K",
            f"largest |Zₙ(x0) − Zₙ(y0)|/(cⁿ diam K), n < {STEPS}",
            (inside - other)[:, :-1],
            bounds,
        ),
        _ratio(judge, f"{SYSTEM}, forward in K", quantity.replace("Z", "X"), moving, bounds, control=True),
        *_entering(judge, stream(seed, "C22", "outside"), count, bounds),
        _outside(judge, stream(seed, "C22", "outside"), count),
    ]


# ------------------------------------------------------------------------------------------------------ exact reasoning


def _map(x, tilt):
    """T(x) = x − h(x³ − x + tilt), tilt = ±s: in rational numbers or in arrays."""
    step = STEP if isinstance(x, Fraction) else float(STEP)
    return x - step * (x * x * x - x + tilt)


def slope_range(low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """Smallest and largest T'(x) = 1 − h(3x² − 1) on an interval: at its ends, or at the critical point 0 of T'."""
    points = [low, high] + ([Fraction(0)] if low < 0 < high else [])
    slopes = [1 - STEP * (3 * x * x - 1) for x in points]
    return min(slopes), max(slopes)


def largest_slope(low: Fraction, high: Fraction) -> Fraction:
    """sup |T'| on an interval: the best Lipschitz constant of both maps there."""
    smallest, largest = slope_range(low, high)
    return max(abs(smallest), abs(largest))


def invariance_margin(low: Fraction, high: Fraction) -> Fraction:
    """The smallest distance of T±([low, high]) from the ends, negative where it is not inside.

    The maps increase where T' > 0, so that an interval's image lies between the images of its ends.

    Raises
    ------
    ValueError
        If T' has a zero on the interval.
    """
    if slope_range(low, high)[0] <= 0:
        raise ValueError(f"the maps do not increase on [{low}, {high}]: ends alone do not bound the image")
    images = [(_map(low, tilt), _map(high, tilt)) for tilt in (TILT, -TILT)]
    return min(min(first - low, high - last) for first, last in images)


def steps_to_enter(low: Fraction) -> int:
    """Steps of the map that pushes to the right from 0 until K = [low, …]: as the maps increase, enough from all x > 0.

    By symmetry as many steps of the other map lead from every x < 0 to −K, and none leaves [−high, high].
    """
    x, count = 0.0, 0
    while x < float(low):
        x, count = _map(x, -float(TILT)), count + 1
    return count


# ----------------------------------------------------------------------------------------------------------- simulation


def _draws(seed: int, count: int, first, n: int) -> np.ndarray:
    """The tilts ±s of steps first … first+n−1 of every replica, the same integers as two affine maps would meet."""
    steps = np.asarray(first).reshape(-1, 1) + np.arange(n)
    return float(TILT) * (1.0 - 2.0 * noise.indices(seed, np.arange(count)[:, None], steps, 2))


def forward(start: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """X_0 … X_N of every replica, shape (R, N+1)."""
    states = np.empty((len(start), draws.shape[1] + 1))
    states[:, 0] = start
    for k in range(draws.shape[1]):
        states[:, k + 1] = _map(states[:, k], draws[:, k])
    return states


def backward(start: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Z_0 … Z_N of every replica, shape (R, N+1): from the last map to the first, applied to all that contain it."""
    states = np.repeat(start[:, None], draws.shape[1] + 1, axis=1)
    for k in range(draws.shape[1] - 1, -1, -1):
        states[:, k + 1 :] = _map(states[:, k + 1 :], draws[:, k, None])
    return states


# ----------------------------------------------------------------------------------------------------------------- rows


def _ratio(judge: Judge, system, quantity, moves, bounds, *, control=False) -> ClaimRow:
    """The largest ratio of moves (R, N) to their bounds (N,): surely at most one, up to rounding."""
    c = float(largest_slope(LOW, HIGH))
    rounding = 2.0 * rounding_bound(2.0, 1, c) / bounds[-1]
    ratio = (np.abs(moves) / bounds).max()
    # That a claim holds is sure, that a control fails is not.
    judged = judge.test if control else judge.compare
    return judged(system, quantity, 1.0, ratio, rounding, relation="≤", control=control)


def _entering(judge: Judge, seed: int, count: int, bounds: np.ndarray) -> list[ClaimRow]:
    """From the top of the barrier: every path enters K or −K, and settles when anchored at that time."""
    run = steps_to_enter(LOW)
    # In each block of `run` steps all maps push outwards with probability 2^(−run) at least.
    blocks = math.ceil(math.log(count / judge.level) / -math.log1p(-(2.0**-run)))
    entry, state = _entry_times(seed, count, run * blocks)
    system = f"{SYSTEM}, from x0 = 0"
    anchored = backward(state, _draws(seed, count, entry, STEPS))
    quantity = f"anchored at entry m: largest |A₊₁ − A|/(cⁿ⁻ᵐ diam K), n − m < {STEPS}"
    return [
        judge.test(
            system,
            f"largest entry time into K or −K (median {np.median(entry):.0f})",
            run * blocks,
            entry.max(),
            0.0,
            relation="≤",
        ),
        _ratio(judge, system, quantity, np.diff(anchored, axis=1), bounds),
    ]


def _entry_times(seed: int, count: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """The first step at which each path from 0 is in K or −K, and its state; horizon + 1 for those that never are."""
    x, entry, state = np.zeros(count), np.full(count, horizon + 1), np.zeros(count)
    block = 128  # the steps of one noise block
    for first in range(0, horizon, block):
        draws = _draws(seed, count, first, block)
        for k in range(block):
            x = _map(x, draws[:, k])
            newly = (entry > horizon) & (np.abs(x) >= float(LOW)) & (np.abs(x) <= float(HIGH))
            entry[newly], state[newly] = first + k + 1, x[newly]
        if (entry <= horizon).all():
            break
    return entry, state


def _outside(judge: Judge, seed: int, count: int) -> ClaimRow:
    """Backward from 0: the innermost, newest maps choose the well, so that Z_n jumps for ever."""
    states = backward(np.zeros(count), _draws(seed, count, 0, 2 * STEPS))
    late = np.abs(np.diff(states[:, STEPS:], axis=1)).max(axis=1)
    allowed = float(largest_slope(LOW, HIGH)) ** STEPS * float(HIGH - LOW)
    quantity = f"median over paths of the largest |Zₙ₊₁ − Zₙ|, {STEPS} ≤ n < {2 * STEPS}"
    return judge.test(f"{SYSTEM}, backward from x0 = 0", quantity, 0.0, np.median(late), allowed, control=True)


CLAIM = Claim("C22", "local contraction: backward settles in an invariant interval, anchored on entry", 3, check)
