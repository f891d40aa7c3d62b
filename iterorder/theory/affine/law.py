"""The law of one affine map drawn at random: what its first two moments need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iterorder.sampling import Sampling
from iterorder.theory.affine.items import DenseItems, Items, TwofoldMaps
from iterorder.theory.affine.twofold import Twofold, total

#: Most products of numbers in twice the precision, some twenty operations each, for one sum over all maps.
MAX_TWOFOLD = 2**23


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
        The probability of each item; they add up to one.
    single_share : float in [0, 1]
        The f above: 1 for batches of one item, 0 when a batch holds all items.
    offset_covariance : ndarray or Twofold, shape (d, d), or function, optional
        Covariance of the offset where it is not that of the items (random reshuffling); a function where it takes long.
    fixed_point : function, optional
        The fixed point of the mean map, shape (d,), where it is known to more digits than E D and E b leave of it.
    """

    items: Items
    weights: np.ndarray
    single_share: float = 1.0
    offset_covariance: np.ndarray | Twofold | Callable[[], np.ndarray | Twofold] | None = None
    fixed_point: Callable[[], Twofold] | None = None

    @property
    def dim(self) -> int:
        """The dimension of the state."""
        return self.items.dim

    @property
    def twofold(self) -> TwofoldMaps | None:
        """The maps of one step in twice the precision, where they are known so and few enough."""
        items = self.items
        if not isinstance(items, DenseItems) or self.single_share < 1.0:
            return None
        return items.twofold if items.n_items * items.dim**3 <= MAX_TWOFOLD else None

    @cached_property
    def mean_increment(self) -> np.ndarray:
        """E D = E A − I, shape (d, d)."""
        maps = self.twofold
        if maps is None:
            return self.items.mean_increment(self.weights)
        return total(maps.increments * self.weights[:, None, None]).rounded

    def noise_covariance(self, mean: Twofold) -> np.ndarray | Twofold:
        """E rrᵀ of r = D m + b at the stationary mean m, where E r = 0, shape (d, d)."""
        given = self.offset_covariance
        if given is not None:
            return given() if callable(given) else given
        maps = self.twofold
        # E r = 0 up to the rounding of m: without its square the covariance does not see that rounding.
        if maps is None:
            residuals = self.items.residuals(mean.rounded)
            residuals = residuals - self.weights @ residuals
            return self.single_share * ((self.weights[:, None] * residuals).T @ residuals)
        moves = (maps.increments @ mean[:, None])[:, :, 0] + maps.offsets
        moves = moves - total(moves * self.weights[:, None])
        return total(moves[:, :, None] * moves[:, None, :] * self.weights[:, None, None])


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
