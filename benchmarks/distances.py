"""Wasserstein distances beside SciPy and POT."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from limits import peers
from measure import LIBRARY, compared

import iterorder as ito
from iterorder.wasserstein import sinkhorn as sinkhorn_solver
from iterorder.wasserstein import sinkhorn_newton, transport

#: Clouds in two groups or none, and strengths of the entropy in parts of the mean cost: 0.05 is the default. Where
#: points hardly exchange mass, as at smaller strengths, POT does not get there in 20,000 steps.
SINKHORN = {
    "Sinkhorn, n=1000 d=2, 0.05": (False, 0.05),
    "Sinkhorn, two groups, 0.05": (True, 0.05),
    "Sinkhorn, two groups, 0.01": (True, 0.01),
}
ASKED: dict[str, dict[str, float]] = {
    "W1, two samples of 10^6": {"SciPy": 30, "POT": 10},
    "sliced W2, n=10^5 d=10 L=200": {"POT": 40},
}


def sinkhorn(
    groups: bool, strength: float, *, with_pot: bool
) -> tuple[Callable[[], float], dict[str, Callable[[], float]]]:
    """The library's distance, and POT's at equal accuracy: rows that lack as little mass as the library's do.

    The last of Newton's steps may leave the rows exact to rounding; of POT no more than `AIM` is asked. The library
    takes the costs within the time, falls to the strength by levels and proves its answer; POT gets the costs and the
    number of steps.
    """
    x, y = peers.sinkhorn_clouds(groups)
    cost, scale = transport.cost_matrix(x, y, 2)
    lacking = max(sinkhorn_solver.AIM, rows_lack(cost, strength * float(cost.mean())))
    variants = {}
    if with_pot:
        variants["POT"] = peers.pot_sinkhorn(cost, strength * float(cost.mean()), lacking)
        ours, theirs = ito.wasserstein(x, y, method="sinkhorn", regularisation=strength), variants["POT"]()
        # A plan's cost moves by at most the mass that is missing on either side, times the largest cost.
        if abs(ours**2 / scale**2 - theirs) > 2 * lacking + sinkhorn_solver.ACCURACY * theirs:
            raise ValueError(f"POT's cost is {theirs}, the library's {ours**2 / scale**2}")
    return lambda: ito.wasserstein(x, y, method="sinkhorn", regularisation=strength), variants


def rows_lack(cost: np.ndarray, strength: float) -> float:
    """The mass that the rows of the library's plan lack, all together, before it is rounded."""
    f = sinkhorn_solver._annealed(cost, strength)
    total, gap = sinkhorn_solver._proven(cost, f, strength)
    if not gap <= sinkhorn_solver.AIM * total:
        f = sinkhorn_newton.climbed(cost, f, strength, sinkhorn_solver.AIM * total / 4, float("inf"))
    return float(abs(sinkhorn_newton.place(cost, f, strength).gradient).sum())


def measure(rounds: int) -> list[dict]:
    """W_1 on the line, and sliced W_2."""
    (u, v), (x, y, _) = peers.samples_1d(), peers.samples_and_directions()
    library = {
        "W1, two samples of 10^6": lambda: ito.wasserstein_1d(u, v),
        "sliced W2, n=10^5 d=10 L=200": lambda: ito.wasserstein(x, y, p=2, method="sliced", n_projections=200),
    }
    others: dict[str, dict] = {
        "W1, two samples of 10^6": {"SciPy": peers.scipy_wasserstein_1d(u, v)},
        "sliced W2, n=10^5 d=10 L=200": {},
    }
    skipped = {}
    try:
        for name, variants in peers.distance_peers().items():
            others[name] |= variants
    except ImportError as error:
        skipped["POT"] = f"{error}: pip install POT"
    for name, (groups, strength) in SINKHORN.items():
        library[name], others[name] = sinkhorn(groups, strength, with_pot="POT" not in skipped)
    rows = []
    for name, variants in others.items():
        both = {LIBRARY: library[name], **variants}
        amounts = dict.fromkeys(both, 1.0)
        rows.append(
            compared(name, both, amounts, unit="distances/s", rounds=rounds, skipped=skipped, asked=ASKED.get(name))
        )
    return rows
