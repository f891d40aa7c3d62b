"""SGD on the logistic loss of a linear classifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterorder.maps.family import family
from iterorder.maps.loss import Loss
from iterorder.maps.losses import LOGISTIC
from iterorder.maps.rows import RowMaps, set_fields
from iterorder.types import ArrayLike, FloatArray


@family
@dataclass(frozen=True, eq=False)
class LogisticRegressionSGD(RowMaps):
    """SGD on the losses log(1+exp(−y·aᵀx)) + ½·ridge·‖x‖² of the rows (a, y) of a data set.

    x → x + h·(mean over the batch of y·a·σ(−y·aᵀx) − ridge·x), σ(z) = 1/(1+e^(−z)).

    Parameters
    ----------
    features : array_like, shape (n, d)
        The rows a of the data, one for each point. A table's column names become names of the coordinates.
    labels : array_like, shape (n,)
        All in {−1, 1} or all in {0, 1}; kept as −1 and 1.
    step_size : float > 0
        h, the factor of the gradient.
    ridge : float ≥ 0
        The factor of ½‖x‖² in every loss; zero for none.
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

    features: FloatArray
    labels: FloatArray
    step_size: float
    ridge: float = field(default=0.0, kw_only=True)
    batch_size: int = field(default=1, kw_only=True)
    sampling: str = field(default="iid", kw_only=True)

    if TYPE_CHECKING:  # whatever becomes an array is accepted; the attributes are arrays, and the curvature is bounded

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

        @property
        def lipschitz_max(self) -> float: ...

    def __post_init__(self) -> None:
        set_fields(self, "labels")

    @property
    def loss(self) -> Loss:
        """The logistic loss."""
        return LOGISTIC

    @property
    def outcomes(self) -> FloatArray:
        """The labels, −1 and 1."""
        return self.labels
