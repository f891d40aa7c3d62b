"""The least number of modes that a sample does not reject: Silverman's test by critical bandwidths.

Gaussian kernel estimates have the fewer modes the wider the kernel is. The critical bandwidth of k modes is the least
with at most k; it is large where a law has more. How large it is by chance, samples of the estimate at that bandwidth
tell, which has k modes itself.
"""

from __future__ import annotations

import math

import numpy as np

EPS = float(np.finfo(np.float64).eps)
#: Cells in a bandwidth. A point is shared between the two ends of its cell: its kernel is then off by less than
#: (1/WIDTH)²/8 of its height, the error of linear interpolation, as far as that of a bandwidth 1/512 larger.
WIDTH = 8
#: Cells of the finest grid: bandwidths below WIDTH/MOST_CELLS of the extent of a sample are not looked at.
MOST_CELLS = 4096
#: Kernels are cut, and grids are padded, by so many bandwidths: e^(−40) of the height is left.
REACH = 9.0
#: Beyond the sample, the estimate is drawn from so far: the rest has probability 2·10⁻⁹.
TAIL = 6.0
#: Two ends of a critical bandwidth are one when they differ by this share.
NEAR = 2.0**-8
#: From here on modes are not counted: "so many or more".
MOST_MODES = 9
#: Samples of an estimate, unless the level asks for more, and how many are drawn at first and at once.
SAMPLES, FIRST, MOST_AT_ONCE = 199, 8, 128


def count_modes(values: np.ndarray, width: float) -> int:
    """The number of modes of the Gaussian kernel estimate of a sample, for a bandwidth of at least its `finest`.

    Examples
    --------
    >>> two = np.array([-1.0, 1.0])
    >>> count_modes(two, 0.99), count_modes(two, 1.01)  # two normal densities are one hump up to 2σ apart
    (2, 1)
    """
    return int(_modes(_shares(values, width, 0.0), WIDTH)[0])


def finest(values: np.ndarray) -> float:
    """The least bandwidth that is looked at."""
    return float(np.ptp(values)) * WIDTH / MOST_CELLS


def critical_bandwidth(values: np.ndarray, k: int) -> float:
    """The least bandwidth with at most k modes, from above and to `NEAR`; no less than `finest`."""
    # Where all points are within two bandwidths the estimate is log-concave: (log f)″ = (Var/h² − 1)/h² ≤ 0.
    low, high = finest(values), 0.5 * float(np.ptp(values))
    while high > low * (1.0 + NEAR):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if count_modes(values, middle) <= k else (middle, high)
    return high


def least_modes(values: np.ndarray, level: float, rng: np.random.Generator, known: int = 1) -> int:
    """The least k such that "at most k modes" is not rejected; `MOST_MODES` is "so many or more", 0 without values.

    As the hypotheses are tested in a fixed order and up to the first that stays, more modes than a law has are found
    with probability of at most `level`, as far as a single test keeps it.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The sample.
    level : float in (0, 1)
        Of all tests together.
    rng : Generator
        Of the bootstrap.
    known : int
        What another test has found: fewer modes are not tried, which takes the most time where they are rejected.

    References
    ----------
    .. [1] Silverman (1981), Using kernel density estimates to investigate multimodality, J. R. Stat. Soc. B 43.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> normals = rng.normal(size=500)
    >>> least_modes(normals, 0.05, rng), least_modes(normals + 5.0 * (normals > 0.0), 0.05, rng)
    (1, 2)
    """
    if len(values) == 0:
        return 0
    if not np.ptp(values) > 0.0:
        return 1
    most = max(known, min(count_modes(values, finest(values)), MOST_MODES))
    tried = (k for k in range(known, most) if not _rejects(values, k, level, rng))
    return next(tried, most)


def _rejects(values: np.ndarray, k: int, level: float, rng: np.random.Generator) -> bool:
    """Whether samples of the estimate with k modes need a bandwidth as large rarely enough."""
    width = critical_bandwidth(values, k)
    # Samples of the estimate are more spread than the values, by the variance of the kernel: a bandwidth that is wider
    # by as much does what dividing them to the variance of the sample would.
    wider = math.sqrt(1.0 + width * width / float(values.var()))
    density = np.maximum(_smoothed(_shares(values, width, TAIL * width), WIDTH)[0], 0.0)
    density /= density.sum()
    total = max(SAMPLES, math.ceil(1.0 / level))  # one more than are needed, which rounding may ask for
    allowed = math.floor(level * (1 + total)) - 1  # so that (1 + reached)/(1 + total) ≤ level
    reached = drawn = 0
    at_once = FIRST
    while drawn < total:
        at_once = min(at_once, total - drawn)
        samples = rng.multinomial(len(values), density, at_once).astype(np.float64)
        reached += int((_modes(samples, WIDTH * wider) > k).sum())
        if reached > allowed:
            return False
        drawn, at_once = drawn + at_once, min(2 * at_once, MOST_AT_ONCE)
    return True


def _shares(values: np.ndarray, width: float, room: float) -> np.ndarray:
    """The sample on a grid that ends `room` beyond it, shape (1, cells): a point is shared by the ends of its cell."""
    place = (values - (values.min() - room)) * (WIDTH / width)
    cell = place.astype(np.intp)
    rest = place - cell
    cells = math.ceil((float(np.ptp(values)) + 2.0 * room) * (WIDTH / width)) + 2
    return (np.bincount(cell, 1.0 - rest, cells) + np.bincount(cell + 1, rest, cells))[None]


def _smoothed(counts: np.ndarray, width: float) -> np.ndarray:
    """Rows of counts under a Gaussian kernel of `width` cells, by Fourier transforms of rows that do not wrap."""
    cells = counts.shape[1]
    size = 2 ** math.ceil(math.log2(cells + REACH * width))
    waves = np.exp(-0.5 * (2.0 * np.pi * width * np.fft.rfftfreq(size)) ** 2)
    return np.fft.irfft(np.fft.rfft(counts, size) * waves, size)[:, :cells]


def _modes(counts: np.ndarray, width: float) -> np.ndarray:
    """The number of modes of each row under that kernel: rises that are followed by falls."""
    rise = np.diff(_smoothed(counts, width))
    # Two transforms of n numbers are each off by about log₂(n) roundings of their length, in all numbers together.
    noise = 4.0 * EPS * math.log2(2 * counts.shape[1] + 2) * np.linalg.norm(counts, axis=1, keepdims=True)
    sign = np.zeros((len(rise), rise.shape[1] + 2), np.int8)
    sign[:, 1:-1] = (rise > noise).astype(np.int8) - (rise < -noise)
    sign[:, 0], sign[:, -1] = 1, -1  # beyond its points a density rises to them and falls from them
    last = np.maximum.accumulate(np.where(sign != 0, np.arange(sign.shape[1]), 0), axis=1)
    sign = np.take_along_axis(sign, last, axis=1)  # what is flat goes on as before
    return ((sign[:, :-1] > 0) & (sign[:, 1:] < 0)).sum(axis=1)
