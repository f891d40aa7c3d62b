"""SGD on the logistic loss of a linear classifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import LOGISTIC, Rows
from iterorder.maps.base import as_step_size
from iterorder.maps.descent import SGDMaps, as_data
from iterorder.maps.family import family
from iterorder.maps.linear_regression import range_over_batch
from iterorder.sampling import Sampling
from iterorder.validation import as_float, read_only

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# The logistic loss log(1+e^(−z)) has second derivative σ(z)σ(−z), between 0 (not reached) and 1/4 (at z = 0).
LOGISTIC_CURVATURE = (0.0, 0.25)


@family
@dataclass(frozen=True, eq=False)
class LogisticRegressionSGD(SGDMaps):
    """SGD on the losses log(1+exp(−y·aᵀx)) + ½·ridge·‖x‖² of the rows (a, y) of a data set.

    x → x + h·(mean over the batch of y·a·σ(−y·aᵀx) − ridge·x), σ(z) = 1/(1+e^(−z)).

    Parameters
    ----------
    features : array_like, shape (n, d)
    labels : array_like, shape (n,)
        All in {−1, 1} or all in {0, 1}; kept as −1 and 1.
    step_size : float > 0
    ridge : float ≥ 0
    batch_size : int
        Distinct rows averaged in one step.
    sampling : {"iid", "reshuffle", "cyclic"}
        Reshuffled and cyclic epochs drop an incomplete last batch.

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is not finite, a label is another number, or the batch exceeds the data.

    Examples
    --------
    >>> maps = LogisticRegressionSGD([[2.0], [-1.0]], [1, 0], 0.5, ridge=0.1)
    >>> maps.apply([0.0], 0)
    array([0.5])
    """

    features: np.ndarray
    labels: np.ndarray
    step_size: float
    ridge: float = field(default=0.0, kw_only=True)
    batch_size: int = field(default=1, kw_only=True)
    sampling: str = field(default="iid", kw_only=True)

    if TYPE_CHECKING:  # whatever becomes an array is accepted; the attributes are arrays

        def __init__(
            self,
            features: ArrayLike,
            labels: ArrayLike,
            step_size: float,
            *,
            ridge: float = 0.0,
            batch_size: int = 1,
            sampling: str = "iid",
        ) -> None: ...

    def __post_init__(self) -> None:
        features, labels = as_data(self.features, self.labels, "labels")
        law = Sampling.validated(len(features), batch_size=self.batch_size, kind=self.sampling)
        object.__setattr__(self, "features", read_only(features))
        object.__setattr__(self, "labels", read_only(_as_signs(labels)))
        object.__setattr__(self, "step_size", as_step_size(self.step_size))
        object.__setattr__(self, "ridge", as_float("ridge", self.ridge, low=0.0))
        object.__setattr__(self, "batch_size", law.batch_size)
        object.__setattr__(self, "sampling_law", law)

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.features.shape[1]

    def form(self) -> Rows:
        """The rows with the sign of their label."""
        shrink, scale = 1.0 - self.step_size * self.ridge, self.step_size / self.batch_size
        return Rows(
            self.labels[:, None] * self.features, np.zeros(len(self.labels)), LOGISTIC, shrink, scale, self.batch_size
        )

    def gradient_form(self) -> Rows:
        """That of the steps."""
        return self.form()

    def gradient(self, x, draw) -> np.ndarray:
        """ridge·x − the mean of y·a·σ(−y·aᵀx) over the draw, shape (..., dim) as x."""
        x = self._states(x)
        rows = self._items(draw)
        signed = self.labels[rows, None] * self.features[rows]
        return self.ridge * x - slopes_at(x @ signed.T) @ signed / len(rows)

    def gradients(self, x) -> np.ndarray:
        """ridge·x − y_i·a_i·σ(−y_i·a_iᵀx) for every row i, shape (n, dim)."""
        slopes = self.labels * slopes_at(self.labels * (self.features @ x))
        return self.ridge * x - slopes[:, None] * self.features

    def curvature_range(self, draw=None) -> tuple[float, float]:
        """From the ridge to ridge + λ/4, λ the largest eigenvalue of the mean of aaᵀ; over all draws λ = max ‖a‖²."""
        low, high = LOGISTIC_CURVATURE
        if draw is None:
            largest = float(np.einsum("nd,nd->n", self.features, self.features).max())
        else:
            largest = range_over_batch(self.features[self._items(draw)], 0.0)[1]
        return self.ridge + low, self.ridge + high * largest


def slopes_at(margins) -> np.ndarray:
    """The slopes of the loss, σ(−z) as exp(−log(1+e^z)): no overflow for any margin."""
    return np.exp(-np.logaddexp(0.0, margins))


def _as_signs(labels):
    found = np.unique(labels)
    if np.isin(found, (-1.0, 1.0)).all():
        return labels
    if np.isin(found, (0.0, 1.0)).all():
        return 2.0 * labels - 1.0
    strange = found[~np.isin(found, (-1.0, 0.0, 1.0))]
    shown = strange if strange.size else found
    raise InvalidInputError(f"labels holds {shown[:5].tolist()}: give all labels in {{-1, 1}} or all in {{0, 1}}")
