"""Maps x → x + D x + b one after another, by their increments: in working precision, or in twice that."""

from __future__ import annotations

import numpy as np

from iterorder.theory.affine.twofold import Numbers, Twofold

#: The condition from which on a result is computed in twice the precision: so much of working precision is lost.
LOST_DIGITS = 16.0


def compose(
    outer_increment: Numbers, outer_offset: Numbers, inner_increment: Numbers, inner_offset: Numbers
) -> tuple[Numbers, Numbers]:
    """Increment and offset of outer ∘ inner, shapes (..., d, d) and (..., d).

    Examples
    --------
    >>> increment, offset = compose(*(np.array([[-0.5]]), np.ones(1)), *(np.array([[1.0]]), np.zeros(1)))
    >>> increment.tolist(), offset.tolist()  # x → 2x, then x → x/2 + 1
    ([[0.0]], [1.0])
    """
    increment = outer_increment + inner_increment + outer_increment @ inner_increment
    offset = outer_offset + inner_offset + (outer_increment @ inner_offset[..., None])[..., 0]
    return increment, offset


def joined(first: Numbers, second: Numbers) -> Numbers:
    """One after the other along the first axis."""
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second])
    return Twofold(np.concatenate([first.high, second.high]), np.concatenate([first.low, second.low]))


def composed(increments: Numbers, offsets: Numbers) -> tuple[Numbers, Numbers, float]:
    """T_N ∘ … ∘ T_1, shapes (d, d) and (d,), and the largest entry of an increment on the way.

    Neighbours in pairs: log₂ N rounds of array work.
    """
    largest = 0.0
    while True:
        high = increments if isinstance(increments, np.ndarray) else increments.high
        largest = max(largest, float(np.abs(high).max()))
        if len(offsets) == 1:
            return increments[0], offsets[0], largest
        even = len(offsets) // 2 * 2
        pairs = compose(increments[1:even:2], offsets[1:even:2], increments[:even:2], offsets[:even:2])
        increments, offsets = joined(pairs[0], increments[even:]), joined(pairs[1], offsets[even:])


def repeated(increment: Twofold, times: int) -> Twofold:
    """A^times − I from D = A − I, shape (d, d), by repeated squaring.

    Examples
    --------
    >>> float(repeated(Twofold(np.array([[-2.0 + 2.0**-30]])), 2).rounded[0, 0]) == -(2.0**-29) + 2.0**-60
    True
    """
    power, square = None, increment
    while times:
        if times % 2:
            power = square if power is None else power + square + power @ square
        times //= 2
        square = square + square + square @ square
    assert power is not None, "an epoch has a step"
    return power


def loses_digits(increment, largest: float) -> bool:
    """Whether a direction is moved far less than the maps that were composed move others."""
    return bool(LOST_DIGITS * np.linalg.svd(increment, compute_uv=False)[-1] < largest)
