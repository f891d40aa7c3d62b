"""SGD for least squares on fresh Gaussian data: every step sees a new point."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import Body
from iterorder.maps.base import RandomMaps, as_step_size
from iterorder.maps.family import family
from iterorder.sampling import FreshNoise
from iterorder.types import ArrayLike, FloatArray
from iterorder.validation import as_float, as_floats, read_only


def gaussian_step(x, draw, params, out):
    """x − h·a(aᵀx − b) with a_k = √λ_k·g_k, b = s·g_d: the body that is compiled."""
    residual = -params[1] * draw[len(x)]
    for k in range(len(x)):
        residual += params[0][k] * draw[k] * x[k]
    move = params[2] * residual
    for k in range(len(x)):
        out[k] = x[k] - move * (params[0][k] * draw[k])


@family
@dataclass(frozen=True, eq=False)
class GaussianRegressionSGD(RandomMaps):
    """SGD on the losses ½(aᵀx − b)² with fresh a ~ N(0, diag(λ)) and b ~ N(0, s²) in every step; the minimiser is 0.

    Mean-square stable iff hλ_max < 1 and S = ½Σ hλ_i/(1 − hλ_i) < 1; then the stationary covariance is diagonal with
    σ_i² = hs²/(2(1 − hλ_i)(1 − S)).

    Parameters
    ----------
    eigenvalues : array_like, shape (d,)
        λ ≥ 0, of the covariance of the features.
    noise_std : float ≥ 0
        s, of the targets.
    step_size : float > 0
        h, the factor of the gradient.

    Raises
    ------
    InvalidInputError
        If an eigenvalue is negative or a value not finite.

    Examples
    --------
    >>> maps = GaussianRegressionSGD([1.0, 0.5], 0.1, 0.2)
    >>> maps.apply([1.0, 1.0], [1.0, 0.0, 0.0])
    array([0.8, 1. ])
    """

    eigenvalues: FloatArray
    noise_std: float
    step_size: float

    if TYPE_CHECKING:  # whatever becomes an array is accepted; the attributes are arrays

        def __init__(self, eigenvalues: ArrayLike, noise_std: float, step_size: float) -> None: ...

    def __post_init__(self) -> None:
        eigenvalues = as_floats("eigenvalues", self.eigenvalues, ndim=(1,))
        if (eigenvalues < 0.0).any():
            worst = int(eigenvalues.argmin())
            raise InvalidInputError(f"eigenvalues[{worst}] is {eigenvalues[worst]}: give variances of at least 0")
        object.__setattr__(self, "eigenvalues", read_only(eigenvalues))
        object.__setattr__(self, "noise_std", as_float("noise_std", self.noise_std, low=0.0))
        object.__setattr__(self, "step_size", as_step_size(self.step_size))
        object.__setattr__(self, "sampling_law", FreshNoise.validated("normal", len(eigenvalues) + 1, None))

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return len(self.eigenvalues)

    @cached_property
    def params(self) -> tuple[Any, ...]:
        """What `gaussian_step` is given."""
        return read_only(np.sqrt(self.eigenvalues)), self.noise_std, self.step_size

    @property
    def smaller_steps(self) -> str:
        """What to try where the maps do not contract."""
        return "a smaller step size"

    @property
    def unbounded(self) -> str:
        """Why there is no Lipschitz constant."""
        return "Gaussian features are unbounded, and so are the Lipschitz constants"

    def form(self) -> Body:
        """`gaussian_step` on fresh normals."""
        return Body(gaussian_step, self.dim, "normal", self.dim + 1, self.params)

    def point(self, draw: ArrayLike) -> tuple[FloatArray, float]:
        """The features and the target of a draw."""
        normals = as_floats("draw", draw)
        if normals.shape != (self.dim + 1,):
            raise InvalidInputError(f"draw is {draw!r}: give {self.dim + 1} numbers")
        return self.params[0] * normals[:-1], self.noise_std * float(normals[-1])

    def apply(self, x: ArrayLike, draw: ArrayLike) -> FloatArray:
        """x − h·a(aᵀx − b), shape (..., dim) as x."""
        x = self._states(x)
        a, b = self.point(draw)
        return x - self.step_size * (x @ a - b)[..., None] * a

    def lipschitz(self, draw: ArrayLike) -> float:
        """The spectral norm of I − h·aaᵀ."""
        a, _ = self.point(draw)
        along = abs(1.0 - self.step_size * float(a @ a))
        return along if self.dim == 1 else max(1.0, along)

    @property
    def lipschitz_max(self) -> None:
        """None: the features are not bounded."""
        return
