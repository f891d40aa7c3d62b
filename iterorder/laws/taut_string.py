"""A lower bound for the number of modes of a law, whatever the law is: that of the taut string.

The distribution function is within a band about that of the sample. A string that is pulled tight inside the band has
slopes, a density, with the fewest modes that any distribution function in the band has.
"""

from __future__ import annotations

import math

import numpy as np

#: Most points at which the band is looked at: of fewer the bound holds as well.
MOST_POINTS = 1024
#: Of two neighbouring values the band is looked at so near to each, in units of their distance.
NEAR_ENDS = 0.0625
#: The string begins and ends so many extents beyond the sample, where laws may have mass that it has not seen.
BEYOND = 2.0**30
#: Slopes that differ by no more than this share are those of one straight piece that rounding has bent.
STRAIGHT = 2.0**-30


def sure_modes(values: np.ndarray, level: float) -> int:
    """A number of modes that a law has at least, except with probability of at most `level`; 0 without values.

    By the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's constant. No bound from above exists: next to
    any law there are others with more modes that no sample tells from it [1]_.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Independent draws.
    level : float in (0, 1)
        The probability of a number that is too large is no more.

    References
    ----------
    .. [1] Donoho (1988), One-sided inference about functionals of a density, Annals of Statistics 16(4).
    .. [2] Davies, Kovac (2004), Densities, spectral densities and modality, Annals of Statistics 32(3).
    .. [3] Massart (1990), The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality, Annals of Probability 18(3).

    Examples
    --------
    >>> values = np.linspace(0.0, 1.0, 500)
    >>> sure_modes(values, 0.05), sure_modes(values + (values > 0.5), 0.05)
    (1, 2)
    """
    if len(values) == 0:
        return 0
    places, counts = np.unique(values, return_counts=True)
    if len(places) == 1:
        return 1
    radius = math.sqrt(math.log(2.0 / level) / (2.0 * len(values)))
    # Where the function of the sample is flat, so that no atom of a law lies in the way.
    near = NEAR_ENDS * np.diff(places)
    beside = np.column_stack([places - np.append(near[:1], near), places + np.append(near, near[-1:])]).ravel()
    shares = np.repeat(np.append(0.0, np.cumsum(counts) / len(values)), 2)[1:-1]
    kept = np.unique(np.linspace(0, len(beside) - 1, MOST_POINTS).astype(int))
    far = BEYOND * (places[-1] - places[0])
    points = np.concatenate([[places[0] - far], beside[kept], [places[-1] + far]])
    low = np.concatenate([[0.0], np.maximum(shares[kept] - radius, 0.0), [1.0]])
    high = np.concatenate([[0.0], np.minimum(shares[kept] + radius, 1.0), [1.0]])
    return _peaks(taut_slopes(points, low, high))


def taut_slopes(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The slopes of the shortest line from the first point to the last between two bounds, which meet at both ends."""
    slopes = []
    k, height, last = 0, float(low[0]), len(points) - 1
    while k < last:
        run = points[k + 1 :] - points[k]
        to_low, to_high = (low[k + 1 :] - height) / run, (high[k + 1 :] - height) / run
        least, most = np.maximum.accumulate(to_low), np.minimum.accumulate(to_high)
        crossed = np.flatnonzero(least > most)
        if len(crossed) == 0:
            slopes.append(float(to_low[-1]))
            break
        stop = int(crossed[0])
        # A bound beyond the corridor that those before it leave: the line bends at the one that it would cross.
        if to_low[stop] > most[stop - 1]:
            bend, bound = _last(to_high[:stop] <= most[stop - 1]), high
        else:
            bend, bound = _last(to_low[:stop] >= least[stop - 1]), low
        k += bend + 1
        slopes.append((float(bound[k]) - height) / float(run[bend]))
        height = float(bound[k])
    return np.array(slopes)


def _last(these: np.ndarray) -> int:
    return int(np.flatnonzero(these)[-1])


def _peaks(slopes: np.ndarray) -> int:
    """How many slopes, or runs of equal ones, are above their neighbours; beyond the ends there is nothing."""
    peaks, rising, before = 0, True, 0.0
    for slope in (*slopes.tolist(), 0.0):
        if abs(slope - before) <= STRAIGHT * max(abs(slope), abs(before)):
            continue
        peaks += rising and slope < before
        rising, before = slope > before, slope
    return peaks
