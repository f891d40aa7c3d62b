"""What SGD on a linear model has in common, whatever the loss: steps along the rows of a data set."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.chunks import chunks
from iterorder.errors import InvalidInputError
from iterorder.forms import Rows
from iterorder.maps.base import as_step_size
from iterorder.maps.descent import SGDMaps
from iterorder.maps.loss import RESIDUAL, SIGNED, Loss
from iterorder.sampling import Sampling
from iterorder.tables import check_same_rows, names_of_columns
from iterorder.types import ArrayLike, FloatArray, IntArray
from iterorder.validation import as_float, as_floats, read_only

#: Rows whose places are starts of searches for other laws.
MOST_PLACES = 16


class RowMaps(SGDMaps):
    """Steps x → x − h·(mean over the batch of ℓ′(aᵀx, b)·a + ridge·x) along the rows (a, b) of a data set.

    A family says its loss and its targets b; everything else is here.
    """

    bounds_at_once = True

    features: FloatArray
    sampling: str
    #: The names of the columns, where the features were a table that has them; those of a copy are not kept.
    feature_names: tuple[str, ...] | None = None

    if TYPE_CHECKING:  # a field or a property

        @property
        def loss(self) -> Loss: ...

    @property
    @abstractmethod
    def outcomes(self) -> FloatArray:
        """The targets b, shape (n,)."""

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.features.shape[1]

    @property
    def coordinate_names(self) -> tuple[str, ...] | None:
        """The names of the features."""
        return self.feature_names

    def form(self) -> Rows:
        """The rows, with the targets folded into their constants or signs where the loss allows it."""
        loss, rows, constants = self.loss, self.features, self.outcomes
        if loss.kind == RESIDUAL:
            constants = -constants
        elif loss.kind == SIGNED:
            rows, constants = constants[:, None] * rows, np.zeros(len(rows))
        shrink, scale = 1.0 - self.step_size * self.ridge, self.step_size / self.batch_size
        return Rows(rows, constants, loss.form, shrink, scale, self.batch_size)

    def gradient_form(self) -> Rows:
        """That of the steps."""
        return self.form()

    def gradient(self, x: ArrayLike, draw: ArrayLike) -> FloatArray:
        """The mean of ℓ′(aᵀx, b)·a over the draw + ridge·x, shape (..., dim) as x."""
        x = self._states(x)
        rows = self._items(draw)
        a, b = self.features[rows], self.outcomes[rows]
        return self.loss.slopes(x @ a.T, b) @ a / len(rows) + self.ridge * x

    def gradients(self, x: FloatArray) -> FloatArray:
        """ℓ′(a_iᵀx, b_i)·a_i + ridge·x for every row i, shape (n, dim)."""
        return self.slopes(x)[:, None] * self.features + self.ridge * x

    def slopes(self, x: FloatArray) -> FloatArray:
        """ℓ′(a_iᵀx, b_i) of every row, shape (n,)."""
        return self.loss.slopes(self.features @ x, self.outcomes)

    def curvatures(self, x: FloatArray) -> FloatArray:
        """ℓ″(a_iᵀx, b_i) of every row, shape (n,)."""
        return self.loss.curvatures(self.features @ x, self.outcomes)

    def curvature_range(self, draw: ArrayLike | None = None) -> tuple[float, float]:
        """Ridge plus the range of ℓ″ times that of the eigenvalues of the mean of aaᵀ; over all draws from zero on.

        Where nothing is known of ℓ″ the whole line.
        """
        rows = self.features if draw is None else self.features[self._items(draw)]
        low, high = self.curvatures_between(*(range_over_rows(rows) if draw is None else range_over_batch(rows)))
        return float(low), float(high)

    def hessian(self, x: FloatArray, item: int) -> FloatArray:
        """ℓ″(aᵀx, b)·aaᵀ + ridge·I of one row, shape (dim, dim)."""
        a = self.features[item]
        weight = float(self.loss.curvatures(a @ x, self.outcomes[item]))
        return weight * np.outer(a, a) + self.ridge * np.eye(self.dim)

    def mean_hessian(self, x: FloatArray) -> FloatArray:
        """The mean of ℓ″(aᵀx, b)·aaᵀ over the rows + ridge·I, shape (dim, dim); symmetric to the last bit."""
        hessian = (self.features * self.curvatures(x)[:, None]).T @ self.features / len(self.features)
        return 0.5 * (hessian + hessian.T) + self.ridge * np.eye(self.dim)

    @property
    def holds_functions(self) -> bool:
        """Whether the loss is a user's own."""
        return self.loss.parameters is None

    @property
    def item_places(self) -> FloatArray:
        """The points nearest to the origin at which aᵀx is the target, for rows from all targets; none for labels."""
        lengths = (self.features**2).sum(axis=1)
        used = np.flatnonzero(lengths > 0.0)
        if self.loss.kind == SIGNED or len(used) == 0:
            return np.empty((0, self.dim))
        by_target = used[np.argsort(self.outcomes[used], kind="stable")]
        rows = by_target[np.unique(np.linspace(0, len(by_target) - 1, MOST_PLACES).astype(int))]
        return self.features[rows] * (self.outcomes[rows] / lengths[rows])[:, None]

    @property
    def bound_argument(self) -> str:
        """The range of the curvature of a user's own loss."""
        return "curvature_range" if self.holds_functions and self.loss.curvature_range is not None else ""

    @property
    def smaller_steps(self) -> str:
        """What to try where the maps do not contract.

        Along a direction that a batch does not see a step of any size keeps what it finds.
        """
        seen = self.curvature_range()[0] > 0.0
        return "a smaller step size or a ridge" if seen else "a ridge, or both it and smaller steps"

    @property
    def unbounded(self) -> str:
        """Why there is no Lipschitz constant; empty where there is one."""
        if self.loss.curvature_range is None:
            return f"no range of the curvature of {self.loss!r} is known: give curvature_range= to Loss"
        if not np.isfinite(self.loss.curvature_range).all():
            return f"the curvature of {self.loss!r} has no bound, and so the steps have no Lipschitz constant"
        return ""

    def lipschitz_of_each(self, draws: Sequence[Any] | IntArray) -> FloatArray:
        """`lipschitz` of many draws, an index each or as many as a batch has: upper bounds, shape (M,)."""
        rows = np.asarray(draws)
        rows = rows[:, None] if rows.ndim == 1 else rows
        if self.unbounded:
            return np.full(len(rows), np.nan)
        smallest, largest = np.empty(len(rows)), np.empty(len(rows))
        for part in chunks(len(rows), rows.shape[1] * self.dim):
            smallest[part], largest[part] = ranges_over_batches(self.features[rows[part]])
        low, high = self.curvatures_between(smallest, largest)
        return np.maximum(np.abs(1.0 - self.step_size * low), np.abs(1.0 - self.step_size * high))

    def curvatures_between(
        self, smallest: float | FloatArray, largest: float | FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """The same where the eigenvalues of the mean of aaᵀ lie between two numbers, or arrays of them."""
        low, high = self.loss.curvature_range or (-math.inf, math.inf)
        # The mean of ℓ″·aaᵀ lies between low and high times that of aaᵀ.
        below = _times(low, smallest if low >= 0.0 else largest)
        above = _times(high, largest if high >= 0.0 else smallest)
        return self.ridge + below, self.ridge + above


def _times(bound: float, eigenvalues: float | FloatArray) -> np.ndarray:
    """A bound of the curvature times eigenvalues: nothing along rows of zeros, an infinite bound included."""
    eigenvalues = np.asarray(eigenvalues)
    with np.errstate(invalid="ignore"):
        return np.where(eigenvalues == 0.0, 0.0, bound * eigenvalues)


def range_over_rows(features: FloatArray) -> tuple[float, float]:
    """Bounds of the eigenvalues of share·aaᵀ over all rows a and shares in [0, 1]; in d = 1 of share = 1."""
    squares = np.einsum("nd,nd->n", features, features)
    return float(squares.min()) if features.shape[1] == 1 else 0.0, float(squares.max())


def range_over_batch(rows: FloatArray) -> tuple[float, float]:
    """Smallest and largest eigenvalue of the mean of aaᵀ over the rows."""
    smallest, largest = _extremes(np.linalg.svd(rows[None], compute_uv=False), *rows.shape)
    return float(smallest[0]), float(largest[0])


def ranges_over_batches(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The same of many batches, rows of shape (M, batch, d): without a decomposition where each has one row."""
    _, batch, dim = rows.shape
    if batch == 1:
        squares = np.einsum("md,md->m", rows[:, 0], rows[:, 0])
        return squares if dim == 1 else np.zeros(len(rows)), squares
    return _extremes(np.linalg.svd(rows, compute_uv=False), batch, dim)


def _extremes(singular_values: np.ndarray, batch: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """The extreme eigenvalues of means over batches from the singular values of their rows, shape (M, ·)."""
    squares = singular_values**2 / batch
    return squares[:, -1] if batch >= dim else np.zeros(len(squares)), squares[:, 0]


def set_fields(maps: RowMaps, target_name: str) -> None:
    """Check the fields that all families of rows have, `target_name` among them, and close their arrays."""
    features, targets = as_data(maps.features, getattr(maps, target_name), target_name)
    if (targets < maps.loss.least_target).any():
        worst = int(np.argmin(targets))
        raise InvalidInputError(
            f"{target_name}[{worst}] is {targets[worst]:g}: the loss {maps.loss!r} is for numbers of at least "
            f"{maps.loss.least_target:g}"
        )
    law = Sampling.validated(len(features), batch_size=maps.batch_size, kind=maps.sampling)
    values = {
        "feature_names": names_of_columns(maps.features, features.shape[1]),
        "features": read_only(features),
        target_name: read_only(as_signs(target_name, targets) if maps.loss.kind == SIGNED else targets),
        "step_size": as_step_size(maps.step_size),
        "ridge": as_float("ridge", maps.ridge, low=0.0),
        "batch_size": law.batch_size,
        "sampling_law": law,
    }
    for name, value in values.items():
        object.__setattr__(maps, name, value)


def as_data(features: ArrayLike, targets: ArrayLike, target_name: str) -> tuple[FloatArray, FloatArray]:
    """Features (n, d) and one target a row (n,), finite and of matching length."""
    rows = as_floats("features", features, ndim=(2,))
    values = as_floats(target_name, targets, ndim=(1,))
    if len(rows) != len(values):
        raise InvalidInputError(
            f"features has {len(rows)} rows and {target_name} has {len(values)} values: give one for each row"
        )
    check_same_rows(features, target_name, targets)
    return rows, values


def as_signs(name: str, labels: FloatArray) -> FloatArray:
    """Labels as −1 and 1, from those or from 0 and 1."""
    found = np.unique(labels)
    if np.isin(found, (-1.0, 1.0)).all():
        return labels
    if np.isin(found, (0.0, 1.0)).all():
        return 2.0 * labels - 1.0
    strange = found[~np.isin(found, (-1.0, 0.0, 1.0))]
    shown = strange if strange.size else found
    raise InvalidInputError(f"{name} holds {shown[:5].tolist()}: give all {name} in {{-1, 1}} or all in {{0, 1}}")
