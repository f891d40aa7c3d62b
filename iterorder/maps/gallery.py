"""Systems whose stationary law is known."""

from __future__ import annotations

import numpy as np

from iterorder.maps.affine import AffineMaps
from iterorder.maps.quadratic import QuadraticSGD
from iterorder.validation import as_float


def two_point_quadratic(h) -> QuadraticSGD:
    """SGD on the losses ½x² and ½(x−1)²: x → (1−h)x + hB, B = 0 or 1 with probability one half.

    Stationary law: uniform on [0, 1] for h = ½, the Cantor law for h = ⅔; mean ½, variance h/(4(2−h)) for 0 < h < 2.

    Examples
    --------
    >>> two_point_quadratic(0.5).lipschitz_max
    0.5
    """
    return QuadraticSGD(np.array([1.0, 1.0]), np.array([0.0, 1.0]), h)


def bernoulli_convolution(lam) -> AffineMaps:
    """x → λx ± 1, probability one half each: the law of Σ_{k≥0} λ^k ξ_k, ξ = ±1.

    Moments by recursion; for λ = 2^(−1/k) the law of a sum of k independent uniforms; for λ < ½ a Cantor measure of
    dimension log 2/log(1/λ).

    Examples
    --------
    >>> bernoulli_convolution(0.25).apply([1.0], 0)
    array([-0.75])
    """
    lam = as_float("lam", lam)
    return AffineMaps(np.full((2, 1, 1), lam), np.array([[-1.0], [1.0]]))


#: The corners of the equilateral triangle of side one, shape (3, 2).
SIERPINSKI_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
SIERPINSKI_CORNERS.setflags(write=False)


def sierpinski() -> AffineMaps:
    """Half way to one of the corners of an equilateral triangle of side one: the uniform law on Sierpinski's triangle.

    Covariance: a third of the covariance of the corners; dimension log 3/log 2.

    Examples
    --------
    >>> sierpinski().dim
    2
    """
    return AffineMaps(np.broadcast_to(0.5 * np.eye(2), (3, 2, 2)), 0.5 * SIERPINSKI_CORNERS)


def barnsley_fern() -> AffineMaps:
    """Barnsley's fern, with the standard coefficients and probabilities .01, .85, .07, .07.

    Mean (0.796833, 6.167579), covariance [[1.436309, 1.297832], [1.297832, 6.249628]].

    References
    ----------
    .. [1] Barnsley (1988), Fractals Everywhere, Academic Press.

    Examples
    --------
    >>> barnsley_fern().probabilities
    array([0.01, 0.85, 0.07, 0.07])
    """
    matrices = [
        [[0.0, 0.0], [0.0, 0.16]],
        [[0.85, 0.04], [-0.04, 0.85]],
        [[0.2, -0.26], [0.23, 0.22]],
        [[-0.15, 0.28], [0.26, 0.24]],
    ]
    offsets = [[0.0, 0.0], [0.0, 1.6], [0.0, 1.6], [0.0, 0.44]]
    return AffineMaps(np.array(matrices), np.array(offsets), np.array([0.01, 0.85, 0.07, 0.07]))
