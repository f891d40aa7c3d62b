"""The law of one affine map drawn at random: what its first two moments need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iterorder.sampling import Sampling
from iterorder.theory.affine.items import DenseItems, Items


@dataclass(frozen=True, eq=False)
class AffineLaw:
    """The law of one map x → x + D x + b: the mean of distinct items, each alone with probability `weights`.

    For a batch of B of n equally likely items, without replacement, any bilinear expectation is
    E[M⊗M'] = f·E_i[M_i⊗M'_i] + (1−f)·M̄⊗M̄', f = (n−B)/(B(n−1)).

    Attributes
    ----------
    items : Items
        All of positive weight.
    weights : ndarray, shape (n,)
    single_share : float in [0, 1]
        The f above: 1 for batches of one item, 0 when a batch holds all items.
    offset_covariance : ndarray, shape (d, d), or function, optional
        Covariance of the offset where it is not that of the items (random reshuffling); a function where it takes long.
    """

    items: Items
    weights: np.ndarray
    single_share: float = 1.0
    offset_covariance: np.ndarray | Callable[[], np.ndarray] | None = None

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.items.dim

    @cached_property
    def mean_increment(self) -> np.ndarray:
        """E D = E A − I, shape (d, d)."""
        return self.items.mean_increment(self.weights)

    def noise_covariance(self, mean) -> np.ndarray:
        """E rrᵀ of r = D m + b at the stationary mean m, where E r = 0, shape (d, d)."""
        given = self.offset_covariance
        if given is not None:
            return given() if callable(given) else given
        residuals = self.items.residuals(mean)
        # E r = 0 up to the rounding of m: without its square the covariance does not see that rounding.
        residuals = residuals - self.weights @ residuals
        return self.single_share * ((self.weights[:, None] * residuals).T @ residuals)


def given_linear_parts(law: AffineLaw) -> np.ndarray | None:
    """The A_i, shape (n, d, d), where they are what a user gave and one of them is the linear part of a map."""
    items = law.items
    return items.given_linear_parts if isinstance(items, DenseItems) and law.single_share == 1.0 else None


def step_law(sampling: Sampling, items: Items) -> AffineLaw:
    """The law of one step of independent sampling (of one step among others for the orders by epoch).

    Examples
    --------
    >>> from iterorder.theory.affine.items import affine_items
    >>> from iterorder.maps import LinearRegressionSGD
    >>> maps = LinearRegressionSGD([[1.0], [2.0], [3.0]], [1.0, 0.0, 2.0], 0.1, batch_size=2)
    >>> step_law(maps.sampling_law, affine_items(maps)).single_share
    0.25
    """
    used = sampling.weights > 0.0
    kept = items if used.all() else items.select(used)
    n, size = kept.n_items, sampling.batch_size
    share = 1.0 if n == 1 else (n - size) / (size * (n - 1))
    return AffineLaw(kept, sampling.weights[used], share)
