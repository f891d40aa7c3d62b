"""How far the moduli of the eigenvalues of a matrix are from one, where eigenvalues themselves leave their rounding.

With A = I + D, an eigenvalue 1 + δ has |1 + δ|² − 1 = 2 Re δ + |δ|². A right eigenvector v and a left one u that are
known to rounding give δ = uᴴDv/uᴴv with an error of the square of that, if the products are formed in twice the
precision.
"""

from __future__ import annotations

import numpy as np

from iterorder.theory.affine.items import turned_increment
from iterorder.theory.affine.twofold import Twofold, total

#: With left and right eigenvectors nearer to orthogonal than this an eigenvalue is all but a multiple one.
DEFECTIVE = 2.0**-26
#: Logs of moduli that are nearer to zero lose digits in the modulus, and dimensions in which that is worth its time.
NEAR_THE_CIRCLE, MAX_DIM = 0.0625, 128


def log_moduli(increment: Twofold) -> np.ndarray:
    """log|λ| of all eigenvalues of A, with the digits that |λ| rounds away near one; as `moduli_less_one`."""
    with np.errstate(divide="ignore"):
        return 0.5 * np.log1p(np.maximum(moduli_less_one(increment), -1.0))


def moduli_less_one(increment: Twofold) -> np.ndarray:
    """|λ|² − 1 of all eigenvalues of A from D = A − I, largest first, shape (d, d) → (d,).

    Those of multiple eigenvalues are what working precision gives.

    Examples
    --------
    >>> turned_over = Twofold(np.array([[-2.0 + 2.0**-30]]))
    >>> moduli_less_one(turned_over).tolist() == [-(2.0**-29) + 2.0**-60]
    True
    """
    if np.trace(increment.rounded) < -increment.shape[0]:
        increment = turned_increment(increment)  # −A has the same moduli, and its eigenvectors more digits
    if increment.shape == (1, 1):
        return (increment * (increment + 2.0)).rounded[0]
    from scipy.linalg import eig

    values, left, right = eig(increment.rounded, left=True, right=True)
    u, v = ((Twofold(vectors.real), Twofold(vectors.imag)) for vectors in (left, right))
    moved = increment @ v[0], increment @ v[1]
    numerator, divisor = _products(u, moved), _products(u, v)
    size = divisor[0] * divisor[0] + divisor[1] * divisor[1]
    plain = 2.0 * values.real + np.abs(values) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        real = (numerator[0] * divisor[0] + numerator[1] * divisor[1]) / size
        imaginary = (numerator[1] * divisor[0] - numerator[0] * divisor[1]) / size
        refined = (real * (real + 2.0) + imaginary * imaginary).rounded
    return np.sort(np.where(size.rounded > DEFECTIVE**2, refined, plain))[::-1]


def _products(left: tuple[Twofold, Twofold], right: tuple[Twofold, Twofold]) -> tuple[Twofold, Twofold]:
    """uᴴw of each column, real and imaginary part."""
    (a, b), (c, d) = left, right
    return total(a * c + b * d), total(a * d - b * c)
