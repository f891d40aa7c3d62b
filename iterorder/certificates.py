"""Sure bounds of the distance between a backward iterate and its limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from iterorder.errors import InvalidInputError, NotContractiveError
from iterorder.lengths import euclidean_norm
from iterorder.maps import RandomMaps
from iterorder.sampling import FreshNoise
from iterorder.validation import MAX_STEPS

LESS = "lower n_steps, or take maps that expand less"


@dataclass(frozen=True)
class SureCertificate:
    """‖Z_m − Z_n‖ ≤ contraction^n·distance for all m ≥ n, for every sequence of maps.

    Attributes
    ----------
    contraction : float
        c < 1, a Lipschitz constant of every map.
    distance : float
        D/(1−c), D = sup ‖T(x0) − x0‖ over all maps and starts.
    """

    contraction: float
    distance: float

    def bound(self, n: int) -> float:
        """The distance that is certain after n steps."""
        return self.contraction**n * self.distance

    def depth(self, tol: float) -> int:
        """The smallest n whose bound is at most `tol`."""
        if self.distance <= tol:
            return 0
        if self.contraction == 0.0:
            return 1
        n = max(0, math.ceil((math.log(tol) - math.log(self.distance)) / math.log(self.contraction)))
        while n < MAX_STEPS and self.bound(n) > tol:  # the logarithms round
            n += 1
        return min(n, MAX_STEPS)


def rounding_margin(maps: RandomMaps) -> float:
    """A factor for Lipschitz bounds, which are themselves computed with about `dim` roundings."""
    return 1.0 + 8.0 * maps.dim * float(np.finfo(np.float64).eps)


def sure_certificate(maps: RandomMaps, x0: np.ndarray) -> SureCertificate:
    """The certificate of a system whose maps all contract.

    Parameters
    ----------
    maps : RandomMaps
        The system; every map of it must have a known Lipschitz constant.
    x0 : ndarray, shape (n_replicas, dim)
        The starts; the certificate holds for each.

    Raises
    ------
    NotContractiveError
        If no Lipschitz constant below one is known.
    """
    if not maps.time_homogeneous:
        raise NotContractiveError(
            "tol needs a sure certificate, which maps with a step-size schedule do not have: give tol=0 (exact)"
        )
    c = maps.lipschitz_max
    if c is not None:
        c *= rounding_margin(maps)
    if c is None or not c < 1.0:
        raise NotContractiveError(_without_bound(maps, c))
    if isinstance(maps.sampling_law, FreshNoise):
        raise NotContractiveError(
            "a sure certificate needs a bound of the first move of every map, which is not known for fresh "
            f"{maps.sampling_law.noise} noise: use tol=0 (exact), or stationary_sample, whose bounds have a probability"
        )
    centre = x0[0].astype(np.float64)
    drawn = maps.sampling_law.weights > 0
    # The move of a batch is the mean of its items' moves; from a start at distance s it differs by at most (1+c)·s.
    with np.errstate(over="ignore", invalid="ignore"):
        move = float(euclidean_norm(maps.images(centre)[drawn] - centre).max())
        spread = float(euclidean_norm(x0 - centre).max())
        distance = (move + (1.0 + c) * spread) / (1.0 - c)
    if not math.isfinite(distance):
        raise InvalidInputError(
            f"tol needs a finite bound, but the distance of x0 (up to {np.abs(x0).max():g}) from the law, with a first "
            f"move of {move:.3g}, overflows: give tol=0 (exact), a start nearer to the data, or data in another unit"
        )
    return SureCertificate(c, distance)


def _without_bound(maps: RandomMaps, c: float | None) -> str:
    if c is None:
        return f"tol needs a sure certificate, but {maps.unbounded}; give tol=0 (exact)"
    given = maps.bound_argument == "lipschitz"
    advice = "lipschitz= below one, if there is such a bound" if given else maps.smaller_steps
    return (
        f"tol needs a sure certificate, but the largest Lipschitz constant of {type(maps).__name__} is {c}: "
        f"give tol=0 (exact){advice and f', {advice}'}"
    )


def fewer_steps(maps: RandomMaps | None) -> str:
    """What to try where all replicas left the finite numbers."""
    if maps is None:
        return LESS
    advice = "lower the step size or n_steps" if maps.smaller_steps else LESS
    return advice + (maps.other_nans and f"; {maps.other_nans}")
