"""C17: last-bit differences stay small in a contracting system and reach the size of the states in an expanding one.

h·g written as (h·k)·(g/k) differs by roundings alone. The heat equation shows the border: explicit Euler is stable
below dt = ½ (¼ in two dimensions), marginal there, and beyond it a saturating nonlinearity restrains what grows.
Controls: the contracting bound in the expanding map, and growth without end.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim, stream
from iterorder.claims.table import ClaimRow
from iterorder.maps import AffineMaps, CustomMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.simulate import simulated

FACTORS = (3.0, 5.0, 7.0, 9.0, 11.0)
H, N_CONTRACTING = 0.1, 400
N_EXPANDING, EARLY, LATE, STARTS = 100, 8, 36, 400
POINTS, SIDE, HEAT_STEPS = 16, 6, 60


def _quadratic(x, draw, params, out):
    gradient = x[0] - params[2][draw[0]]
    out[0] = x[0] - (params[0] * params[1]) * (gradient / params[1])


def _chaotic(x, draw, params, out):
    gradient = 4.0 * x[0] * x[0] - 3.0 * x[0]  # x − g = 4x(1 − x)
    out[0] = x[0] - params[0] * (gradient / params[0])


def _saturated(x, draw, params, out):
    n = len(x)
    for k in range(n):
        out[k] = math.tanh(x[k] + params[0] * (x[(k + 1) % n] - 2.0 * x[k] + x[(k - 1 + n) % n]))


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C17: deterministic but for the starts and the maps drawn."""
    contracting, chaotic = f"two quadratics, h={H}", "x → 4x(1 − x)"
    # |g| and |x| are at most one on [0, 1], c = 1 − h: theory.md's bound, and the gradient's own rounding.
    bound = ((4.0 * H + 2.0) * 0.5 * EPS + 2.0 * H * EPS) / H
    apart = _paths_apart(seed, judge.backend)
    largest = float(apart.max())
    return [
        *(
            judge.compare(
                contracting, f"largest difference, {order}", 0.0, _contracting(seed, order, judge.backend), bound
            )
            for order in (FORWARD, BACKWARD)
        ),
        judge.compare(chaotic, "largest difference in 100 steps", 0.5, largest, 0.0, relation="≥"),
        _growth(judge, chaotic, apart, seed),
        *(_heat(judge, dt) for dt in (0.45, 0.5, 0.55)),
        *(_heat(judge, dt, plane=True) for dt in (0.22, 0.25, 0.28)),
        _restrained(judge, 0.6),
        judge.compare(chaotic, "difference below the contracting bound", 0.0, largest, bound, control=True),
        judge.compare(
            "heat equation, dt=0.6, no saturation",
            "largest |u| ≤ 1",
            1.0,
            _plain(0.6, judge.backend),
            0.0,
            relation="≤",
            control=True,
        ),
    ]


def _contracting(seed: int, order, backend: str) -> float:
    """The largest difference between the ways to write the step, over steps and replicas."""

    def states(k: float) -> np.ndarray:
        maps = CustomMaps(_quadratic, dim=1, noise="index", n_maps=2, params=(H, k, [0.0, 1.0]), lipschitz=1.0 - H)
        part = stream(seed, "C17", "contracting")
        run = {"order": order, "n_replicas": 20, "seed": part, "save_steps": "all", "backend": backend}
        return simulated(maps, [0.5], N_CONTRACTING, **run).states

    reference = states(1.0)
    return max(float(np.abs(states(k) - reference).max()) for k in FACTORS)


def _starts(seed: int) -> np.ndarray:
    return np.random.default_rng(stream(seed, "C17", "starts")).uniform(0.1, 0.9, (STARTS, 1))


def _chaotic_paths(seed: int, k: float, backend: str) -> np.ndarray:
    maps = CustomMaps(_chaotic, dim=1, params=(k,))
    return simulated(
        maps, _starts(seed), N_EXPANDING, n_replicas=STARTS, seed=0, backend=backend, save_steps="all"
    ).states[:, :, 0]


def _paths_apart(seed: int, backend: str) -> np.ndarray:
    """|difference| of the paths with k = 1 and k = 3, shape (starts, steps + 1)."""
    return np.abs(_chaotic_paths(seed, 3.0, backend) - _chaotic_paths(seed, 1.0, backend))


def _growth(judge: Judge, system, apart, seed) -> ClaimRow:
    """Growth of the difference from step 8 to 36, against the derivatives along the paths, Σ log|4 − 8x|."""
    both = (apart[:, EARLY] > 0.0) & (apart[:, LATE] > 0.0)
    path = _chaotic_paths(seed, 1.0, judge.backend)[both]
    exponents = np.log(np.abs(4.0 - 8.0 * path[:, EARLY:LATE])).mean(axis=1)
    rates = np.log(apart[both, LATE] / apart[both, EARLY]) / (LATE - EARLY)
    # Roundings made on the way add terms of the size of the first ones: a factor of e² in all, but for the few paths
    # that pass the point ½, where the derivative vanishes; hence the median.
    deviation = float(np.median(rates - exponents))
    return judge.compare(system, "median growth per step less the exponent", 0.0, deviation, 2.0 / (LATE - EARLY))


def _laplacian(plane: bool) -> np.ndarray:
    side = SIDE if plane else POINTS
    line = np.roll(np.eye(side), 1, axis=0) + np.roll(np.eye(side), -1, axis=0) - 2.0 * np.eye(side)
    return np.kron(line, np.eye(side)) + np.kron(np.eye(side), line) if plane else line


def _heat(judge: Judge, dt: float, *, plane=False) -> ClaimRow:
    """The fastest mode, of alternating signs, is multiplied by 1 − 4·dt (1 − 8·dt in the plane) in a step."""
    laplacian = _laplacian(plane)
    maps = AffineMaps((np.eye(len(laplacian)) + dt * laplacian)[None], np.zeros((1, len(laplacian))))
    signs = np.cos(np.pi * np.arange(SIDE if plane else POINTS)).round()
    start = np.outer(signs, signs).ravel() if plane else signs
    end = simulated(maps, start, HEAT_STEPS, seed=0, backend=judge.backend).states[0, 0]
    factor = abs(1.0 - (8.0 if plane else 4.0) * dt)
    name = f"heat equation in {'the plane' if plane else 'one dimension'}, dt={dt}"
    # The roundings of a step, of five or nine terms, are multiplied by at most the same factor from there on.
    allowed = 40.0 * EPS * HEAT_STEPS * max(1.0, factor**HEAT_STEPS)
    return judge.compare(name, f"largest |u| after {HEAT_STEPS} steps", factor**HEAT_STEPS, np.abs(end).max(), allowed)


def _restrained(judge: Judge, dt: float) -> ClaimRow:
    """u → tanh of the same step: the amplitude grows to the root of tanh((4·dt − 1)u) = u, and stays."""
    maps = CustomMaps(_saturated, dim=POINTS, params=(dt,))
    signs = np.cos(np.pi * np.arange(POINTS)).round()
    end = simulated(maps, 1e-8 * signs, 600, seed=0, backend=judge.backend).states[0, 0]
    factor, root = 4.0 * dt - 1.0, 1.0
    for _ in range(200):
        root = math.tanh(factor * root)
    # The other modes begin at rounding and, those that grow, are restrained by the same function.
    return judge.compare(f"saturated heat equation, dt={dt}", "amplitude in the end", root, np.abs(end).max(), 1e-9)


def _plain(dt: float, backend: str) -> float:
    maps = AffineMaps((np.eye(POINTS) + dt * _laplacian(False))[None], np.zeros((1, POINTS)))
    signs = np.cos(np.pi * np.arange(POINTS)).round()
    return float(np.abs(simulated(maps, 1e-8 * signs, 600, seed=0, backend=backend).states).max())


CLAIM = Claim("C17", "restrained instability: when the last bits matter", 0, check)
