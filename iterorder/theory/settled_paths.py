"""Paths from several starts that have settled, and whether they grow alike: one law has one Lyapunov exponent."""

from __future__ import annotations

import numpy as np

from iterorder.errors import DivergenceError
from iterorder.maps import RandomMaps
from iterorder.maps.rows import RowMaps
from iterorder.simulate import simulated
from iterorder.theory.growth import WORK, Growth
from iterorder.theory.undefined import NoLawReachedError, Undefined

#: Starts near the origin and at distance one of it, and the steps in which they reach an attractor.
START_SIZES, SETTLING = (2.0**-8, 1.0), {"brief": 2**14, "quick": 2**16, "full": 2**20}
#: Of the work of a run, the share that those steps may take: fewer of maps that take long.
SHARE_OF_SETTLING, FEWEST_SETTLING = 0.25, 1024
#: Paths that must be left, for a standard error known to a tenth.
FEWEST_PATHS = 32
#: Variances of the means of paths, and within a path, agree where all paths have one law: with 32 paths their ratio
#: exceeds four with probability 10⁻⁴, with 100 or more with 10⁻¹¹.
SPREAD = 4.0
#: Rates that agree to so many digits are one number: of paths that draw nothing the last ones are of the start.
ALIKE = 1e-6


class SeveralGrowthsError(Undefined):
    """Paths grow at rates that differ by more than along them."""


def may_have_several_laws(maps: RowMaps, step_size: float) -> bool:
    """Whether some step may expand: only of maps that do not it is known that there is no other attractor.

    A convex mean loss is not enough: a long step leaps over its minimum, and may go round it for ever.
    """
    low, high = maps.curvature_range()
    return not (low >= 0.0 and step_size * high <= 2.0)


def steps_to_settle(n_replicas: int, cost: float, effort: str) -> int:
    """How many, where a step of one replica takes `cost` nanoseconds."""
    return int(np.clip(SHARE_OF_SETTLING * WORK[effort] / (n_replicas * cost), FEWEST_SETTLING, SETTLING[effort]))


def settled(
    maps: RandomMaps, n_replicas: int, seed: int, n_steps: int, random: np.random.Generator, backend: str
) -> tuple[np.ndarray, np.ndarray]:
    """The states after some steps that are finite, and which they are.

    Paths start near the origin, at distance one of it, and a third of them where items of the data would be met, if the
    maps know: there may be other laws. Those that leave the finite numbers say nothing of a law, and are left out.

    Raises
    ------
    NoLawReachedError
        If too few stay finite.
    """
    sizes = np.resize(START_SIZES, n_replicas)[:, None]
    starts = sizes * random.standard_normal((n_replicas, maps.dim))
    if len(places := maps.item_places):
        starts[::3] += np.resize(places, starts[::3].shape)
    try:
        states = simulated(maps, starts, n_steps, n_replicas=n_replicas, seed=seed, backend=backend).states[:, 0]
    except DivergenceError as error:
        if error.trajectory is None:
            raise
        states = error.trajectory.states[:, 0]
    kept = np.atleast_1d(np.isfinite(states).all(axis=1))
    if kept.sum() < FEWEST_PATHS:
        raise NoLawReachedError(
            f"no stationary law is reached: {len(states) - kept.sum()} of {len(states)} paths from starts about the "
            f"origin leave the finite numbers within {n_steps} steps"
        )
    return states[kept], kept


def refuse_several_growths(growth: Growth, k: int) -> None:
    """Refuse rates of the first k vectors that differ between paths by more than along them.

    Raises
    ------
    SeveralGrowthsError
        If there is no one number.
    """
    for vector in range(k):
        mean, blur = growth.mean(vector), growth.blur[:, vector].mean()
        if not np.isfinite(mean).all():
            continue
        between, within = mean.std(ddof=1), 0.5 * growth.drift(vector).std(ddof=1)
        rounding = ALIKE * np.abs(mean).max() + blur / growth.lengths.sum()
        if between**2 > SPREAD * (within**2 + rounding**2):
            raise SeveralGrowthsError(
                "paths from different starts grow at different rates, from "
                f"{mean.min():.6g} to {mean.max():.6g} a step: there are several stationary laws, or one that is "
                "reached too slowly to see"
            )
