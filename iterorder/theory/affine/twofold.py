"""Sums and products in twice the working precision, by transformations without error.

Where a map all but keeps a direction, A C Aᵀ − C is far smaller than its terms, and their rounding is all that is left
of it: eps·‖A‖²‖C‖ against (1 − ρ)·‖C‖. A number is carried as the sum of two.

References
----------
.. [1] Dekker (1971), A floating-point technique for extending the available precision, Numerische Mathematik 18.
.. [2] Ogita, Rump, Oishi (2005), Accurate sum and dot product, SIAM J. Sci. Comput. 26(6).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from iterorder.lengths import euclidean_norm

#: Splits 53 bits into two halves of 26 and the sign.
SPLITTER = 2.0**27 + 1.0
EPS = float(np.finfo(np.float64).eps)
#: Most corrections: each leaves the error times the error of the solver.
REFINEMENTS = 8

Pair = tuple[np.ndarray, np.ndarray]


def two_sum(a, b) -> Pair:
    """a + b, and what its rounding left out (Knuth)."""
    total = a + b
    shift = total - a
    return total, (a - (total - shift)) + (b - shift)


def two_product(a, b) -> Pair:
    """a·b, and what its rounding left out (Dekker), for factors below 2⁹⁹⁶ whose product does not underflow."""
    product = a * b
    a_high, b_high = (SPLITTER * x - (SPLITTER * x - x) for x in (a, b))
    a_low, b_low = a - a_high, b - b_high
    return product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


class Twofold:
    """An array of numbers high + low, |low| ≤ eps·|high|/2; sums and products are right to some eps² of their terms.

    Formulas of sums and products read the same for arrays and for these.

    Parameters
    ----------
    high, low : ndarray
        Any two arrays whose sum is meant.

    Examples
    --------
    >>> a = Twofold(np.array([1.0 - 2.0**-40]))
    >>> (a * a - 1.0 + 2.0**-39).rounded.tolist() == [2.0**-80]
    True
    """

    #: Sums and products with an array are those of this class.
    __array_ufunc__ = None

    def __init__(self, high, low=0.0) -> None:
        self.high, self.low = two_sum(high, low)

    @property
    def rounded(self) -> np.ndarray:
        """The nearest numbers of working precision."""
        return self.high

    def rearranged(self, change: Callable[[np.ndarray], np.ndarray]) -> Twofold:
        """With the entries moved or repeated by a function of arrays."""
        return Twofold(change(self.high), change(self.low))

    def __getitem__(self, chosen) -> Twofold:
        return self.rearranged(lambda array: array[chosen])

    @property
    def shape(self) -> tuple[int, ...]:
        """Of each of the two arrays."""
        return self.high.shape

    def __len__(self) -> int:
        return len(self.high)

    def __neg__(self) -> Twofold:
        return Twofold(-self.high, -self.low)

    def __add__(self, other) -> Twofold:
        high, low = _parts(other)
        total, left_out = two_sum(self.high, high)
        return Twofold(total, left_out + (self.low + low))

    __radd__ = __add__

    def __sub__(self, other) -> Twofold:
        return self + -other

    def __rsub__(self, other) -> Twofold:
        return -self + other

    def __mul__(self, other) -> Twofold:
        high, low = _parts(other)
        product, left_out = two_product(self.high, high)
        return Twofold(product, left_out + (self.high * low + self.low * high))

    __rmul__ = __mul__

    def __truediv__(self, divisor) -> Twofold:
        high, low = _parts(divisor)
        quotient = self.high / high
        product, left_out = two_product(quotient, high)
        return Twofold(quotient, (((self.high - product) - left_out) + (self.low - quotient * low)) / high)

    def __matmul__(self, other) -> Twofold:
        """For stacks of matrices, shape (..., m, k) and (..., k, n)."""
        high, low = _parts(other)
        rest = self.high @ low + self.low @ high
        total = np.zeros_like(rest)
        for k in range(self.high.shape[-1]):
            product, left_out = two_product(self.high[..., :, k, None], high[..., None, k, :])
            total, lost = two_sum(total, product)
            rest = rest + (left_out + lost)
        return Twofold(total, rest)

    def __rmatmul__(self, other) -> Twofold:
        return Twofold(other) @ self


#: What a formula is computed in.
Numbers = TypeVar("Numbers", np.ndarray, Twofold)


def _parts(number) -> Pair:
    if isinstance(number, Twofold):
        return number.high, number.low
    return number, np.zeros_like(number)


def rearranged(array: Numbers, change: Callable[[np.ndarray], np.ndarray]) -> Numbers:
    """The array of either precision with its entries moved or repeated by a function of arrays."""
    return change(array) if isinstance(array, np.ndarray) else array.rearranged(change)


def transposed(matrices: Numbers) -> Numbers:
    """Each matrix of a stack transposed."""
    return rearranged(matrices, lambda array: np.swapaxes(array, -1, -2))


def total(stack: Twofold) -> Twofold:
    """The sum over the first axis, in pairs of halves."""
    while len(stack) > 1:
        half = (len(stack) + 1) // 2
        paired = len(stack) - half
        sums, left = stack[:paired] + stack[half:], stack[paired:half]
        stack = Twofold(np.concatenate([sums.high, left.high]), np.concatenate([sums.low, left.low]))
    return stack[0]


def refined(solution, correction: Callable) -> tuple:
    """The solution with corrections from its residual, and the size of the last one relative to it.

    A correction has the sign of what is added to the solution; the solution is an array, or `Twofold`, which is
    corrected until nothing more is gained.
    """
    last = np.inf
    for _ in range(REFINEMENTS):
        change = correction(solution)
        size = _length(change) / max(_length(_parts(solution)[0]), np.finfo(float).tiny)
        if not size < last:
            break
        solution, last = solution + change, size
        if size <= (EPS**2 if isinstance(solution, Twofold) else EPS):
            break
    return solution, last


def _length(array) -> float:
    """Of all entries, in any unit."""
    return float(euclidean_norm(np.ravel(np.asarray(array, np.float64))))
