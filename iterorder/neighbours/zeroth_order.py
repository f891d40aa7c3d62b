"""Zeroth-order SGD: the slope along a random direction, from two values of the loss.

On f(x) = ½ xᵀΛx with u ~ N(0, I) the two-point estimate ((f(x + μu) − f(x − μu))/2μ) u is (uᵀΛx) u for every μ > 0. A
step of size h is x → (I − h u uᵀΛ) x. In y = Λ^½ x it is y → (I − h a aᵀ) y with a = Λ^½ u ~ N(0, Λ): SGD on Gaussian
least squares with covariance Λ. Noise of variance σ² on each value adds σ/(√2 μ) times a standard normal to the slope,
which is least squares with that noise on its targets. So all that is known of that system holds here. Mean-square
stable are

    hλ_max < 1 and S = ½ Σ_i hλ_i/(1 − hλ_i) < 1;        with all λ_i = λ in d dimensions: h < 2/((d + 2)λ),

where gradient descent may have h < 2/λ_max: the price of not knowing the direction is a factor d/2 + 1. With the mean
over B directions E[(mean uuᵀ)²] = ((d + 1 + B)/B) I, and in the isotropic case h < 2B/((d + 1 + B)λ).

The conjugation is derived here; S is the criterion of theory.md's least squares with Gaussian features.
"""

from __future__ import annotations

import numpy as np

from iterorder.maps import GaussianRegressionSGD
from iterorder.validation import as_float, as_int


def eigenvalues(dim: int, condition: float = 1.0) -> np.ndarray:
    """Curvatures from 1 down to 1/condition, evenly on a logarithmic scale, shape (dim,)."""
    dim = as_int("dim", dim, low=1, high=10**4)
    return np.geomspace(1.0, 1.0 / as_float("condition", condition, low=1.0), dim)


def isotropic_boundary(dim: int, curvature: float = 1.0, directions: int = 1) -> float:
    """The step size at which the mean square stops to shrink: 2B/((d + 1 + B)λ).

    Examples
    --------
    >>> isotropic_boundary(8)
    0.2
    """
    return 2.0 * directions / ((dim + 1 + directions) * curvature)


def boundary(curvatures: np.ndarray) -> float:
    """The step size with S(h) = 1, by bisection: S grows from 0 to infinity below 1/λ_max."""
    low, high = 0.0, 1.0 / float(np.max(curvatures))
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return low
        share = 0.5 * float(np.sum(middle * curvatures / (1.0 - middle * curvatures)))
        low, high = (middle, high) if share < 1.0 else (low, middle)


def slope_estimate(loss, x: np.ndarray, direction: np.ndarray, width: float) -> np.ndarray:
    """The literal estimate of the gradient from two values of a loss, shape (d,)."""
    return (loss(x + width * direction) - loss(x - width * direction)) / (2.0 * width) * direction


def zeroth_order(
    *, step_size: float = 0.1, dim: int = 2, condition: float = 1.0, noise_std: float = 0.0
) -> GaussianRegressionSGD:
    """Zeroth-order SGD on ½ xᵀΛx, in the coordinates y = Λ^½ x.

    Parameters
    ----------
    step_size : float > 0
        h, the factor of the estimated gradient.
    dim : int ≥ 1
        The number of coordinates.
    condition : float ≥ 1
        The largest curvature, 1, over the least.
    noise_std : float ≥ 0
        Of the slope: σ/(√2 μ) for noise σ on each value.

    Examples
    --------
    >>> zeroth_order(dim=5).dim
    5
    """
    return GaussianRegressionSGD(eigenvalues(dim, condition), noise_std, step_size)
