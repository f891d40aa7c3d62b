"""W_p from a sorted sample to a discrete law of SciPy, whose atoms are the points of a weighted sample.

An end of a lattice law is reached by doubling the window of atoms. What is beyond is left out where the windows' shares
of E|X − x|^p fall away like a geometric sequence whose rest is negligible. Where that takes too many atoms the upper
tail has its share from the moments of the law: those of the atoms within are taken from them.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from iterorder.errors import AccuracyError, InvalidInputError
from iterorder.wasserstein.quantiles import REFUSED, TOLD, Law
from iterorder.wasserstein.weighted_samples import distance_of_sorted

#: Atoms that are listed at most on one side of the median, and the first of them.
MOST_ATOMS, FIRST_ATOMS = 1 << 20, 64
#: The part of E|X − x|^p that may be left out: a distance that is 10⁻⁴ of it still has the documented accuracy.
NEGLIGIBLE = 2.0**-60
#: What is allowed for want of digits in the levels, beside a documented accuracy of 10⁻¹¹.
ENOUGH = 1e-12
#: The mass within the listed atoms from which on what follows them is a tail.
BODY = 0.99
#: Orders whose moments are taken for what is beyond the atoms.
MOMENT_ORDERS = (1.0, 2.0, 3.0, 4.0)
#: A tail index within 1 % of p counts as no moment.
NO_MOMENT = 0.01


@dataclass(frozen=True)
class Atoms:
    """Sorted atoms, their positive masses, and E[X^j; X > the last], j = 0 … p, where that is not negligible."""

    points: np.ndarray
    masses: np.ndarray
    beyond: tuple[float, ...] = ()


def is_discrete(law: Law) -> bool:
    """Whether the law is one of SciPy's on the whole numbers (moved, perhaps), or on a list of values."""
    return law.is_a("rv_discrete") or law.is_a("DiscreteDistribution")


def atoms_of(law: Law, samples: np.ndarray, p: float) -> Atoms | None:
    """The atoms that matter to W_p from samples like these; None where the p-th moment is infinite."""
    if law.is_a("rv_sample"):
        listed = getattr(law.distribution, "dist", law.distribution)
        shift = law.support()[0] - float(listed.xk[0])
        points, masses = np.asarray(listed.xk, float) + shift, np.asarray(listed.pk, float)
        return Atoms(points[masses > 0], masses[masses > 0])
    law.expect(3)
    lowest, highest = law.support()
    median = float(law.ppf(np.array([0.5]))[0])
    if not math.isfinite(median):
        raise InvalidInputError(f"distribution.ppf is {median} at one half: give a law with valid parameters")
    above, above_ratio = _side(law, median, highest, 1.0, float(samples.min()), p)
    below, below_ratio = _side(law, median - 1.0, lowest, -1.0, float(samples.max()), p)
    points = np.concatenate([below[0][::-1], above[0]])
    masses = np.concatenate([below[1][::-1], above[1]])
    beyond: tuple[float, ...] = ()
    ratio = max(above_ratio, below_ratio)
    if ratio > 0.0:
        moments = _moments(law, p) if below_ratio == 0.0 else ()
        diverges = math.log2(ratio) > -NO_MOMENT * p and masses.sum() > BODY
        if math.inf in moments or (not moments and diverges):
            return None
        if not moments:
            raise _too_heavy(law, p)
        beyond = tuple(m - math.fsum(masses * points**j) for j, m in enumerate(moments))
    if not beyond:
        _check_masses(points, masses)
    return Atoms(points[masses > 0], masses[masses > 0], beyond)


def atoms_distance(points: np.ndarray, weights: np.ndarray | None, law: Law, atoms: Atoms, p: float) -> float:
    """W_p for finite p, of sorted points (n,) with positive weights or none."""
    masses = np.ones(points.size) if weights is None else weights
    if not atoms.beyond:
        return distance_of_sorted(points, atoms.points, masses, atoms.masses, p, ENOUGH)
    # What is beyond goes to the last point, which has so much less for the listed atoms.
    masses, mass, last = masses / masses.sum(), max(atoms.beyond[0], 0.0), float(points[-1])
    if last > atoms.points[-1] or mass >= masses[-1]:
        raise _too_heavy(law, p)
    masses[-1] -= mass
    power = (1.0 - mass) * distance_of_sorted(points, atoms.points, masses, atoms.masses, p, ENOUGH) ** p
    power += math.fsum(math.comb(int(p), j) * (-last) ** (int(p) - j) * m for j, m in enumerate(atoms.beyond))
    return max(power, 0.0) ** (1.0 / p)


def _side(law: Law, start: float, end: float, sign: float, far: float, p: float):
    """The atoms and masses from `start` towards `end`, and the ratio of the last windows' shares of E|X − far|^p.

    The ratio is 0 where nothing is left out that matters.
    """
    points, masses, shares = [np.empty(0)], [np.empty(0)], [0.0]
    count, width, ratio = 0, FIRST_ATOMS, 0.0
    # Shares are compared with each other only: in units of the distance, no power of a far sample overflows.
    unit = max(1.0, abs(start - far))
    while sign * (end - start) >= 0.0:
        left = sign * (end - start) + 1.0
        window = start + sign * np.arange(min(width, left))
        mass = np.asarray(law.distribution.pmf(window), float)
        points.append(window)
        masses.append(mass)
        shares.append(float(mass @ np.abs((window - far) / unit) ** p))
        start += sign * width
        count += width
        width = count
        if sign * (end - start) < 0.0:
            ratio = 0.0
            break
        ratio = shares[-1] / shares[-2] if shares[-2] > 0.0 else math.inf
        if ratio < 0.5 and shares[-1] * ratio <= NEGLIGIBLE * sum(shares) * (1.0 - ratio):
            ratio = 0.0
            break
        if shares[-1] == 0.0 and _nothing_beyond(law, start, sign):
            ratio = 0.0
            break
        if count >= MOST_ATOMS:
            break
    return (np.concatenate(points), np.concatenate(masses)), ratio


def _nothing_beyond(law: Law, start: float, sign: float) -> bool:
    """Whether there is no mass from `start` on, in a law that does not say so by its support, such as poisson(0)."""
    return float(law.distribution.sf(start - 1.0) if sign > 0 else law.distribution.cdf(start)) == 0.0


def _check_masses(points: np.ndarray, masses: np.ndarray) -> None:
    """Masses that do not sum to one are inaccurate, as SciPy's are far from the origin, or there are other atoms."""
    missing = abs(math.fsum(masses) - 1.0)
    found = f"the masses of distribution sum to one but for {missing:.2g}, over {points.size} whole numbers"
    if not missing <= REFUSED:
        raise AccuracyError(f"{found}: give a law without long gaps between its atoms, with valid parameters")
    if missing > TOLD:
        warnings.warn(f"{found}: the distance is no more accurate than that", RuntimeWarning, stacklevel=5)


def _moments(law: Law, p: float) -> tuple[float, ...]:
    """E X^j, j = 0 … p, for the few orders that are taken from the law."""
    if p not in MOMENT_ORDERS:
        return ()
    with np.errstate(all="ignore"):  # moments that do not exist are divisions by zero in SciPy
        found = [1.0, *(float(law.distribution.moment(j)) for j in range(1, int(p) + 1))]
    return () if any(math.isnan(m) for m in found) else tuple(found)


def _too_heavy(law: Law, p: float) -> AccuracyError:
    return AccuracyError(
        f"the tail of distribution is too heavy for W_p of order {p:g} within {MOST_ATOMS} atoms, or the law too wide, "
        f"and its moments do not give it: use {'' if p in (1, 2) else 'p = 1 or 2, or '}wasserstein_1d with a large "
        "sample of the law"
    )
