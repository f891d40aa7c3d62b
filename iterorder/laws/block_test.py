"""Blocks of one path in other orders: whether its beginning has the law of the rest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError

#: Blocks that a path is cut into: a single one that stands out at the beginning has p-value 1/BLOCKS.
BLOCKS = 64
#: Fewest correlation times of a block: neighbouring blocks then correlate by at most about 1/(2·LEAST_TIMES).
LEAST_TIMES = 10.0
#: Orders of the blocks that are compared with the one that happened.
ORDERS = 1999
#: Points at which distribution functions of more numbers are compared.
MOST_POINTS = 512


def correlation_time(values: np.ndarray) -> float:
    """1 + 2Σ of the autocorrelations, to the first lag at five times the sum (Sokal); at least one.

    Examples
    --------
    >>> correlation_time(np.tile([1.0, -1.0], 100))
    1.0
    """
    centred = values - values.mean()
    n = len(centred)
    size = 2 ** (2 * n - 1).bit_length()
    covariances = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2, size)[:n]
    if not covariances[0] > 0.0:
        return 1.0
    times = 2.0 * np.cumsum(covariances / covariances[0]) - 1.0
    enough = np.arange(n) >= 5.0 * times
    return max(1.0, float(times[np.argmax(enough)] if enough.any() else n))


def check_length(n: int, time: float) -> int:
    """The length of a block, or an error where blocks would be too dependent."""
    length = n // BLOCKS
    if length < LEAST_TIMES * time:
        raise InvalidInputError(
            f"path has {n} states with a correlation time of {time:.3g} steps: {BLOCKS} blocks of {LEAST_TIMES:g} "
            f"such times need {int(np.ceil(BLOCKS * LEAST_TIMES * time))}; give a longer path, unless it has no "
            "stationary law: the time of a random walk grows with it"
        )
    return length


class Tested(NamedTuple):
    """A statistic, its p-value, the value above which it is rejected, and the numbers by part that it came from."""

    statistic: float
    p_value: float
    critical: float
    parts: np.ndarray


def block_order_test(path: np.ndarray, length: int, seed: int, level: float) -> Tested:
    """The largest √(n·share·(1−share))·W₁ between a first part of a path and the rest, and its p-value.

    First parts are of 1 … BLOCKS/2 blocks; of the path its beginning counts, and fewer than BLOCKS states are left over
    at its end. The p-value is the share of random orders of the blocks, the actual one
    included, with a statistic at least as large: exact for blocks that are exchangeable.

    Parameters
    ----------
    path : ndarray, shape (n, d)
        In more than one dimension the sum of the distances of the coordinates, each in its standard deviations.
    """
    functions, widths = _distribution_functions(path[: BLOCKS * length], length)
    rng = np.random.default_rng(seed)
    parts = _of_first_parts(functions, widths, np.arange(BLOCKS), length)
    actual = float(parts.max())
    others = np.array(
        [_of_first_parts(functions, widths, rng.permutation(BLOCKS), length).max() for _ in range(ORDERS)]
    )
    # Orders that are the same but for rounding count as ties.
    reached = int((others >= actual * (1.0 - 1e-12)).sum())
    allowed = int(level * (1 + ORDERS)) - 1  # orders with a larger statistic under which the p-value is rejected
    critical = float(np.sort(others)[-1 - allowed]) if allowed >= 0 else np.inf
    return Tested(actual, (1 + reached) / (1 + ORDERS), critical, parts)


def _distribution_functions(path: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Of every block the shares of its numbers up to each point, shape (BLOCKS, k), and the distance to the next."""
    functions, widths = [], []
    for values in path.T:
        unit = float(values.std()) if path.shape[1] > 1 else 1.0
        points = np.unique(values)
        if len(points) > MOST_POINTS:
            points = np.quantile(values, np.linspace(0.0, 1.0, MOST_POINTS))
        blocks = np.sort(values.reshape(BLOCKS, length), axis=1)
        counts = np.array([np.searchsorted(block, points[:-1], side="right") for block in blocks])
        functions.append(counts / length)
        widths.append(np.diff(points) / (unit or 1.0))
    return np.concatenate(functions, axis=1), np.concatenate(widths)


def _of_first_parts(functions: np.ndarray, widths: np.ndarray, order: np.ndarray, length: int) -> np.ndarray:
    """√(n·share·(1−share))·W₁ between the first k blocks and the rest, shape (BLOCKS/2,)."""
    sums = np.cumsum(functions[order[: BLOCKS // 2]], axis=0)
    first = np.arange(1, BLOCKS // 2 + 1)
    share = first / BLOCKS
    # Of the first k blocks and the rest: F₁ − F₂ = (F₁ − F)/(1 − k/BLOCKS).
    gap = np.abs(sums / first[:, None] - functions.mean(axis=0)) @ widths / (1.0 - share)
    return np.sqrt(BLOCKS * length * share * (1.0 - share)) * gap
