"""SGD on the squared error of a linear model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterorder.maps.family import family
from iterorder.maps.loss import Loss
from iterorder.maps.losses import SQUARED
from iterorder.maps.rows import RowMaps, set_fields
from iterorder.types import ArrayLike, FloatArray


@family
@dataclass(frozen=True, eq=False)
class LinearRegressionSGD(RowMaps):
    """SGD on the losses ½(aᵀx−b)² + ½·ridge·‖x‖² of the rows (a, b) of a data set.

    x → x − h·(mean over the batch of a(aᵀx−b) + ridge·x).

    Parameters
    ----------
    features : array_like, shape (n, d)
        The rows a of the data, one for each point. A table's column names become names of the coordinates.
    targets : array_like, shape (n,)
        The numbers b, one for each row.
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
        If shapes disagree, a value is not finite, or the batch exceeds the data.

    Examples
    --------
    >>> maps = LinearRegressionSGD([[1.0, 0.0], [1.0, 1.0]], [1.0, 2.0], 0.5)
    >>> maps.apply([0.0, 0.0], 1)
    array([1., 1.])
    """

    features: FloatArray
    targets: FloatArray
    step_size: float
    ridge: float = field(default=0.0, kw_only=True)
    batch_size: int = field(default=1, kw_only=True)
    sampling: str = field(default="iid", kw_only=True)

    if TYPE_CHECKING:  # whatever becomes an array is accepted; the attributes are arrays, and the curvature is bounded

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

        @property
        def lipschitz_max(self) -> float: ...

    def __post_init__(self) -> None:
        set_fields(self, "targets")

    @property
    def loss(self) -> Loss:
        """The squared error."""
        return SQUARED

    @property
    def outcomes(self) -> FloatArray:
        """The targets."""
        return self.targets
