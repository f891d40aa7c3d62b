"""Sums of products in twice the working precision, by transformations without error.

Where a map all but keeps a direction, A C Aᵀ − C is far smaller than its terms, and their rounding is all that is left
of it: eps·‖A‖²‖C‖ against (1 − ρ)·‖C‖. A number is carried as a pair (high, low) whose sum it is.

References
----------
.. [1] Dekker (1971), A floating-point technique for extending the available precision, Numerische Mathematik 18.
.. [2] Ogita, Rump, Oishi (2005), Accurate sum and dot product, SIAM J. Sci. Comput. 26(6).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Splits 53 bits into two halves of 26 and the sign.
SPLITTER = 2.0**27 + 1.0
EPS = float(np.finfo(np.float64).eps)
#: Most corrections: each leaves the error times the error of the solver.
REFINEMENTS = 4
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


def plus(pair: Pair, x) -> Pair:
    """The number that the pair stands for, and a number of one float."""
    high, left_out = two_sum(pair[0], x)
    return two_sum(high, pair[1] + left_out)


def matrix_product(left, right: Pair) -> Pair:
    """A·(X + x) for stacks of matrices, shape (..., m, k) and (..., k, n), to about eps² of Σ|A||X|.

    Examples
    --------
    >>> a = 1.0 - 2.0**-40
    >>> high, low = matrix_product(np.array([[a, -1.0]]), (np.array([[a], [1.0 - 2.0**-39]]), np.zeros((2, 1))))
    >>> float(high[0, 0] + low[0, 0]) == 2.0**-80  # a² − 1 + 2⁻³⁹
    True
    """
    low = left @ right[1]
    high = np.zeros_like(low)
    for k in range(left.shape[-1]):
        product, left_out = two_product(left[..., :, k, None], right[0][..., None, k, :])
        high, lost = two_sum(high, product)
        low = low + (left_out + lost)
    return two_sum(high, low)


def moved(matrices, x) -> Pair:
    """A x − x for each A of a stack, shapes (n, d, d) and (d,) → (n, d)."""
    column = np.broadcast_to(x[:, None], (len(matrices), len(x), 1))
    high, low = plus(matrix_product(matrices, (column, np.zeros_like(column))), -x[:, None])
    return high[:, :, 0], low[:, :, 0]


def moved_square(matrices, matrix) -> Pair:
    """A C Aᵀ − C for each A of a stack and a symmetric C, shape (n, d, d)."""
    stack = np.broadcast_to(matrix, (len(matrices), *matrix.shape))
    once = matrix_product(matrices, (stack, np.zeros_like(stack)))
    return plus(matrix_product(matrices, (np.swapaxes(once[0], 1, 2), np.swapaxes(once[1], 1, 2))), -matrix)


def added(start, weights, stack: Pair) -> np.ndarray:
    """start + Σ w_i (high_i + low_i), rounded once: nothing is left of such a sum where an equation is solved."""
    total, rest = start, np.zeros_like(start)
    for weight, high, low in zip(weights, *stack, strict=True):
        product, left_out = two_product(weight, high)
        total, lost = two_sum(total, product)
        rest = rest + (left_out + lost + weight * low)
    return total + rest


def refined(solution, correction: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The solution with corrections, from residuals in twice the precision, until they are at its rounding."""
    for _ in range(REFINEMENTS):
        change = correction(solution)
        solution = solution + change
        if not np.linalg.norm(change) > EPS * np.linalg.norm(solution):
            break
    return solution
