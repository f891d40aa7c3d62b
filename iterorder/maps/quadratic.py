"""SGD on a finite sum of quadratic losses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import Affine
from iterorder.maps.base import as_step_size
from iterorder.maps.descent import SGDMaps
from iterorder.maps.family import family
from iterorder.sampling import Sampling
from iterorder.types import ArrayLike, FloatArray
from iterorder.validation import as_floats, read_only


@family
@dataclass(frozen=True, eq=False)
class QuadraticSGD(SGDMaps):
    """SGD on the losses ½(x−c_i)ᵀH_i(x−c_i): x → x − h·mean over the batch of H_i(x−c_i).

    Parameters
    ----------
    curvatures : array_like, shape (m,) or (m, d, d)
        Symmetric matrices H_i; scalars λ_i stand for λ_i·I, in the dimension of the minimisers. Any sign.
    minimizers : array_like, shape (m,) or (m, d)
        The points c_i.
    step_size : float > 0
        h, the factor of the gradient.
    batch_size : int
        Distinct losses averaged in one step.
    sampling : {"iid", "reshuffle", "cyclic"}
        Reshuffled and cyclic epochs drop an incomplete last batch.

    Raises
    ------
    InvalidInputError
        If shapes disagree, a curvature is not symmetric, a value is not finite, or the batch exceeds the data.

    Examples
    --------
    >>> maps = QuadraticSGD([1.0, 1.0], [0.0, 1.0], 0.25)
    >>> maps.apply([0.5], 1)
    array([0.625])
    """

    curvatures: FloatArray
    minimizers: FloatArray
    step_size: float
    batch_size: int = field(default=1, kw_only=True)
    sampling: str = field(default="iid", kw_only=True)

    if TYPE_CHECKING:  # whatever becomes an array is accepted; the attributes are arrays, and the curvature is bounded

        def __init__(
            self,
            curvatures: ArrayLike,
            minimizers: ArrayLike,
            step_size: float,
            *,
            batch_size: int = 1,
            sampling: str = "iid",
        ) -> None: ...

        @property
        def lipschitz_max(self) -> float: ...

    def __post_init__(self) -> None:
        curvatures = as_floats("curvatures", self.curvatures, ndim=(1, 3))
        minimizers = as_floats("minimizers", self.minimizers, ndim=(1, 2))
        if minimizers.ndim == 1:
            minimizers = minimizers[:, None]
        m, d = minimizers.shape
        if curvatures.shape not in ((m,), (m, d, d)):
            raise InvalidInputError(
                f"curvatures has shape {curvatures.shape} and minimizers {np.shape(self.minimizers)}: "
                f"give one curvature for each minimizer, shape ({m},) or ({m}, {d}, {d})"
            )
        if curvatures.ndim == 1:
            curvatures = curvatures[:, None, None] * np.eye(d)
        elif not np.array_equal(curvatures, np.swapaxes(curvatures, 1, 2)):
            worst = int(np.abs(curvatures - np.swapaxes(curvatures, 1, 2)).max(axis=(1, 2)).argmax())
            raise InvalidInputError(f"curvatures[{worst}] is not symmetric: give (H + H.T) / 2")
        law = Sampling.validated(m, batch_size=self.batch_size, kind=self.sampling)
        object.__setattr__(self, "curvatures", read_only(curvatures))
        object.__setattr__(self, "minimizers", read_only(minimizers))
        object.__setattr__(self, "step_size", as_step_size(self.step_size))
        object.__setattr__(self, "batch_size", law.batch_size)
        object.__setattr__(self, "sampling_law", law)

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.minimizers.shape[1]

    def form(self) -> Affine:
        """I − hH and h·Hc of each loss: the mean of their gradient steps is the step of the mean gradient."""
        moves = self.step_size * self.curvatures
        offsets = np.einsum("mij,mj->mi", moves, self.minimizers)
        return Affine(np.eye(self.dim) - moves, offsets, self.batch_size)

    def gradient_form(self) -> Affine:
        """H and −Hc of each loss."""
        return Affine(self.curvatures, self.gradients(np.zeros(self.dim)), self.batch_size)

    def gradient(self, x: ArrayLike, draw: ArrayLike) -> FloatArray:
        """The mean of H_i(x−c_i) over the draw, shape (..., dim) as x."""
        x = self._states(x)
        return np.mean([(x - self.minimizers[i]) @ self.curvatures[i] for i in self._items(draw)], axis=0)

    def gradients(self, x: FloatArray) -> FloatArray:
        """H_i(x−c_i) for every i, shape (m, dim)."""
        return np.einsum("mij,mj->mi", self.curvatures, x - self.minimizers)

    def hessian(self, x: FloatArray, item: int) -> FloatArray:
        """H_i, wherever x is."""
        return self.curvatures[item]

    def mean_hessian(self, x: FloatArray) -> FloatArray:
        """The mean of the H_i, wherever x is."""
        return self.curvatures.mean(axis=0)

    def curvature_range(self, draw: ArrayLike | None = None) -> tuple[float, float]:
        """The extreme eigenvalues of the mean curvature of the draw; those of every single H_i for all draws."""
        matrices = self.curvatures if draw is None else self.curvatures[self._items(draw)].mean(axis=0)
        values = np.linalg.eigvalsh(matrices)
        return float(values.min()), float(values.max())
