"""Affine maps drawn at random."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.forms import Affine
from iterorder.maps.base import RandomMaps
from iterorder.maps.family import family
from iterorder.sampling import Sampling
from iterorder.types import ArrayLike, FloatArray
from iterorder.validation import as_floats, read_only

#: What the axes of the two are, for errors.
MATRICES = "(m, d, d), a d×d matrix for each of the m maps, such as [[[0.5]], [[0.25]]] for two on the line"
OFFSETS = "(m, d), d numbers for each of the m maps, such as [[0.0], [1.0]] for two on the line"


@family
@dataclass(frozen=True, eq=False)
class AffineMaps(RandomMaps):
    """The maps x → A_i x + b_i, map i drawn with probability p_i.

    Parameters
    ----------
    matrices : array_like, shape (m, d, d)
        The linear parts A_i.
    offsets : array_like, shape (m, d)
        The b_i.
    probabilities : array_like, shape (m,), optional
        Default: equal. Only with ``sampling="iid"``.
    sampling : {"iid", "reshuffle", "cyclic"}
        Independent draws, a fresh permutation of the maps every epoch, or map t mod m at step t.

    Raises
    ------
    InvalidInputError
        If shapes disagree, a value is not finite, or the probabilities are negative or do not sum to one.

    Examples
    --------
    >>> maps = AffineMaps([[[0.5]], [[0.5]]], [[0.0], [0.5]])
    >>> maps.apply([0.5], 1)
    array([0.75])
    >>> maps.lipschitz_max
    0.5
    """

    matrices: FloatArray
    offsets: FloatArray
    probabilities: FloatArray | None = None
    sampling: str = field(default="iid", kw_only=True)

    if TYPE_CHECKING:  # whatever becomes an array is accepted; the attributes are arrays

        def __init__(
            self,
            matrices: ArrayLike,
            offsets: ArrayLike,
            probabilities: ArrayLike | None = None,
            *,
            sampling: str = "iid",
        ) -> None: ...

    def __post_init__(self) -> None:
        matrices = as_floats("matrices", self.matrices, ndim=(3,), shape=MATRICES)
        offsets = as_floats("offsets", self.offsets, ndim=(2,), shape=OFFSETS)
        m, d = offsets.shape
        if matrices.shape != (m, d, d):
            raise InvalidInputError(
                f"matrices has shape {matrices.shape} and offsets {offsets.shape}: give (m, d, d) and (m, d), "
                "for m maps of a state of d numbers"
            )
        law = Sampling.validated(m, kind=self.sampling, probabilities=self.probabilities)
        object.__setattr__(self, "matrices", read_only(matrices))
        object.__setattr__(self, "offsets", read_only(offsets))
        object.__setattr__(self, "probabilities", law.probabilities)
        object.__setattr__(self, "sampling_law", law)

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.offsets.shape[1]

    def form(self) -> Affine:
        """The matrices and offsets."""
        return Affine(self.matrices, self.offsets)

    def apply(self, x: ArrayLike, draw: ArrayLike) -> FloatArray:
        """A_draw x + b_draw, shape (..., dim) as x."""
        x = self._states(x)
        i = self._item(draw)
        return x @ self.matrices[i].T + self.offsets[i]

    def images(self, x: FloatArray) -> FloatArray:
        """A_i x + b_i for every i, shape (m, dim)."""
        return self.matrices @ x + self.offsets

    @cached_property
    def _norms(self) -> np.ndarray:
        return np.linalg.norm(self.matrices, ord=2, axis=(1, 2))

    def _item(self, draw: ArrayLike) -> int:
        items = self._items(draw)
        if len(items) != 1:
            raise InvalidInputError(f"draw is {draw!r}: affine maps are drawn one at a time, give one index")
        return int(items[0])

    def lipschitz(self, draw: ArrayLike) -> float:
        """The spectral norm of A_draw: the best Lipschitz constant."""
        i = self._item(draw)
        return float(self._norms[i])

    @property
    def lipschitz_max(self) -> float:
        """The largest spectral norm among the maps of positive probability."""
        return float(self._norms[self.sampling_law.weights > 0].max())
