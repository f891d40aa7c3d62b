"""SGD on the squared error of a linear model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iterorder.forms import SQUARED, Rows
from iterorder.maps.base import as_step_size
from iterorder.maps.descent import SGDMaps, as_data
from iterorder.maps.family import family
from iterorder.sampling import Sampling
from iterorder.validation import as_float, read_only

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@family
@dataclass(frozen=True, eq=False)
class LinearRegressionSGD(SGDMaps):
    """SGD on the losses ½(aᵀx−b)² + ½·ridge·‖x‖² of the rows (a, b) of a data set.

    x → x − h·(mean over the batch of a(aᵀx−b) + ridge·x).

    Parameters
    ----------
    features : array_like, shape (n, d)
    targets : array_like, shape (n,)
    step_size : float > 0
    ridge : float ≥ 0
    batch_size : int
        Distinct rows averaged in one step.
    sampling : {"iid", "reshuffle", "cyclic"}
        Reshuffled and cyclic epochs drop an incomplete last batch.

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is not finite, or the batch exceeds the data.

    Examples
    --------
    >>> maps = LinearRegressionSGD([[1.0, 0.0], [1.0, 1.0]], [1.0, 2.0], 0.5)
    >>> maps.apply([0.0, 0.0], 1)
    array([1., 1.])
    """

    features: np.ndarray
    targets: np.ndarray
    step_size: float
    ridge: float = field(default=0.0, kw_only=True)
    batch_size: int = field(default=1, kw_only=True)
    sampling: str = field(default="iid", kw_only=True)

    if TYPE_CHECKING:  # whatever becomes an array is accepted; the attributes are arrays

        def __init__(
            self,
            features: ArrayLike,
            targets: ArrayLike,
            step_size: float,
            *,
            ridge: float = 0.0,
            batch_size: int = 1,
            sampling: str = "iid",
        ) -> None: ...

    def __post_init__(self) -> None:
        features, targets = as_data(self.features, self.targets, "targets")
        law = Sampling.validated(len(features), batch_size=self.batch_size, kind=self.sampling)
        object.__setattr__(self, "features", read_only(features))
        object.__setattr__(self, "targets", read_only(targets))
        object.__setattr__(self, "step_size", as_step_size(self.step_size))
        object.__setattr__(self, "ridge", as_float("ridge", self.ridge, low=0.0))
        object.__setattr__(self, "batch_size", law.batch_size)
        object.__setattr__(self, "sampling_law", law)

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.features.shape[1]

    def form(self) -> Rows:
        """The rows, with minus the target as the constant."""
        shrink, scale = 1.0 - self.step_size * self.ridge, self.step_size / self.batch_size
        return Rows(self.features, -self.targets, SQUARED, shrink, scale, self.batch_size)

    def gradient_form(self) -> Rows:
        """That of the steps."""
        return self.form()

    def gradient(self, x, draw) -> np.ndarray:
        """The mean of a(aᵀx−b) over the draw + ridge·x, shape (..., dim) as x."""
        x = self._states(x)
        rows = self._items(draw)
        a, b = self.features[rows], self.targets[rows]
        return (x @ a.T - b) @ a / len(rows) + self.ridge * x

    def gradients(self, x) -> np.ndarray:
        """a_i(a_iᵀx−b_i) + ridge·x for every row i, shape (n, dim)."""
        return (self.features @ x - self.targets)[:, None] * self.features + self.ridge * x

    def curvature_range(self, draw=None) -> tuple[float, float]:
        """The extreme eigenvalues of the mean of aaᵀ + ridge·I; over all draws from the ridge to ridge + max ‖a‖²."""
        if draw is None:
            return range_over_rows(self.features, self.ridge)
        return range_over_batch(self.features[self._items(draw)], self.ridge)


def range_over_rows(features: np.ndarray, ridge: float) -> tuple[float, float]:
    """Bounds of the eigenvalues of share·aaᵀ + ridge·I over all rows a and shares in [0, 1]; in d = 1 of share = 1."""
    squares = np.einsum("nd,nd->n", features, features)
    smallest = float(squares.min()) if features.shape[1] == 1 else 0.0
    return ridge + smallest, ridge + float(squares.max())


def range_over_batch(rows: np.ndarray, ridge: float) -> tuple[float, float]:
    """Smallest and largest eigenvalue of the mean of aaᵀ over the rows + ridge·I."""
    batch, dim = rows.shape
    squares = np.linalg.svd(rows, compute_uv=False) ** 2 / batch
    smallest = float(squares[-1]) if batch >= dim else 0.0
    return ridge + smallest, ridge + float(squares[0])
