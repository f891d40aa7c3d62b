"""C16: a scale-invariant loss with weight decay has an equilibrium of the norm, reached in a time of about 1/(hλ).

The gradient is orthogonal to the weights and of the size G/‖w‖, as behind a normalisation layer. Over a grid of step
sizes h and decays λ: the norm, its linear factor and the turn per step. Controls: no equilibrium without decay, and a
factor of (1−hλ)².
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim, stream
from iterorder.claims.table import ClaimRow
from iterorder.maps import CustomMaps
from iterorder.simulate import simulated

G = 1.5
GRID = [(h, decay) for h in (0.05, 0.2, 0.8) for decay in (0.02, 0.1, 0.4)]


def _step(x, draw, params, out):
    """(1 − hλ)·w − h·g with g = ±G·w^⊥/‖w‖², a random sign."""
    push = params[0] * params[2] / (x[0] * x[0] + x[1] * x[1])
    if draw[0] < 0.5:
        push = -push
    out[0] = (1.0 - params[0] * params[1]) * x[0] + push * x[1]
    out[1] = (1.0 - params[0] * params[1]) * x[1] - push * x[0]


def normalised_weights(h: float, decay: float) -> CustomMaps:
    """SGD with step size h and weight decay on a scale-invariant loss of two weights."""
    return CustomMaps(_step, dim=2, params=(float(h), float(decay), G))


def equilibrium(h: float, decay: float) -> float:
    """r* = √(hG²/(λ(2−hλ))), the stationary ‖w‖²."""
    return math.sqrt(h * G * G / (decay * (2.0 - h * decay)))


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C16: deterministic, as the norm does not depend on the signs."""
    measured = [_measured(h, decay, stream(seed, "C16", f"{h} {decay}"), judge.backend) for h, decay in GRID]
    norms, factors, cosines, times = (np.array(column) for column in zip(*measured, strict=True))
    exact = np.array([equilibrium(h, decay) for h, decay in GRID])
    shrink = np.array([1.0 - h * decay for h, decay in GRID])
    linear = 2.0 * shrink**2 - 1.0
    system = f"grid of {len(GRID)} pairs (h, λ)"
    return [
        # Rounding of some ten operations a step, which the linear factor, at most 0.996, keeps within a thousandfold.
        judge.compare(system, "largest |r/r* − 1|", 0.0, np.abs(norms / exact - 1.0).max(), 1e4 * EPS),
        judge.compare(system, "largest error of the linear factor", 0.0, np.abs(factors - linear).max(), 2e-4),
        judge.compare(system, "largest error of the cosine per step", 0.0, np.abs(cosines - shrink).max(), 1e4 * EPS),
        judge.compare(system, "largest error of the steps to equilibrium", 0.0, times.max(), 1.5),
        judge.compare(
            f"{system}, factor (1−hλ)²", "largest error", 0.0, np.abs(factors - shrink**2).max(), 2e-4, control=True
        ),
        judge.compare(
            "no weight decay",
            "r after 4000 steps over that after 2000",
            1.0,
            _without_decay(seed, judge.backend),
            1e-3,
            control=True,
        ),
    ]


def _measured(h: float, decay: float, seed: int, backend: str) -> tuple[float, float, float, float]:
    """‖w‖² in the end, the factor near the equilibrium, the cosine of a step, the error of the time to get there."""
    maps, target = normalised_weights(h, decay), equilibrium(h, decay)
    slow = abs(2.0 * (1.0 - h * decay) ** 2 - 1.0)
    n = 64 + math.ceil(40.0 / -math.log(max(slow, 0.5)))
    start = math.sqrt(1.01 * target)
    run = simulated(maps, [start, 0.0], n, seed=seed, backend=backend, save_steps="all").states[0]
    squares = (run**2).sum(axis=1)
    # One step from 1.0001·r*: the second order of the map is below 1e-4 there.
    near = simulated(maps, [math.sqrt(1.0001 * target), 0.0], 1, seed=seed, backend=backend).states[0, 0]
    factor = (float((near**2).sum()) / target - 1.0) / 1e-4
    turn = float(run[-1] @ run[-2]) / math.sqrt(squares[-1] * squares[-2])
    # Steps until a distance of 1 % has become 0.01 %: log 100/log(1/factor), as far as that is linear.
    distance = np.abs(squares / target - 1.0)
    steps = int(np.argmax(distance < 1e-4))
    predicted = math.log(100.0) / -math.log(slow) if slow < 1.0 else math.inf
    return float(squares[-1]), factor, turn, abs(steps - predicted) / max(1.0, 0.02 * predicted)


def _without_decay(seed: int, backend: str) -> float:
    run = simulated(
        normalised_weights(0.2, 0.0), [1.0, 0.0], 4000, seed=seed, backend=backend, save_steps=[2000, 4000]
    ).states[0]
    squares = (run**2).sum(axis=1)
    return float(squares[1] / squares[0])


CLAIM = Claim("C16", "scale-invariant losses with weight decay: equilibrium of the norm", 0, check)
