"""SGD on any loss of a linear model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iterorder.maps.family import family
from iterorder.maps.loss import Loss
from iterorder.maps.losses import as_loss
from iterorder.maps.rows import RowMaps, set_fields
from iterorder.types import ArrayLike, FloatArray


@family
@dataclass(frozen=True, eq=False)
class LinearModelSGD(RowMaps):
    """SGD on the losses ℓ(aᵀx, b) + ½·ridge·‖x‖² of the rows (a, b) of a data set.

    x → x − h·(mean over the batch of ℓ′(aᵀx, b)·a + ridge·x).

    Parameters
    ----------
    features : array_like, shape (n, d)
        The rows a of the data, one for each point. A table's column names become names of the coordinates.
    targets : array_like, shape (n,)
        Of a loss of labels, such as "logistic", all in {−1, 1} or all in {0, 1}; kept as −1 and 1.
    step_size : float > 0
        h, the factor of the gradient.
    loss : str or Loss
        Kept as a `Loss`. A name is a key of `iterorder.losses.LOSSES`, such as "huber"; `Loss.named`, or the functions
        of `iterorder.losses`, give them with other parameters, and `Loss` makes any other.
    ridge : float ≥ 0
        The factor of ½‖x‖² in every loss; zero for none.
    batch_size : int
        Distinct rows averaged in one step.
    sampling : {"iid", "reshuffle", "cyclic"}
        Reshuffled and cyclic epochs drop an incomplete last batch.

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is not finite, a label is another number, a target is smaller than the least of the
        loss, no loss has the name, or the batch exceeds the data.

    Notes
    -----
    Sure certificates rest on the range of the curvature: "poisson" has none, and says so. `LinearRegressionSGD` and
    `LogisticRegressionSGD` are the same as "squared" and "logistic", bit for bit.

    Examples
    --------
    >>> maps = LinearModelSGD([[1.0], [1.0]], [0.0, 5.0], 0.5, loss="huber")
    >>> maps.apply([0.0], 1)
    array([0.5])
    """

    features: FloatArray
    targets: FloatArray
    step_size: float
    loss: Loss = field(kw_only=True)
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
            loss: str | Loss,
            ridge: float = 0.0,
            batch_size: int = 1,
            sampling: str = "iid",
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", as_loss(self.loss))
        set_fields(self, "targets")

    @property
    def outcomes(self) -> FloatArray:
        """The targets."""
        return self.targets
