"""Random reshuffling of maps that commute: the mean and covariance of an epoch, coordinate by coordinate.

The maps are diagonal in one basis. Coordinates that an epoch moves by a step of order one have their moments by
integrals over times of arrival; slow ones, and the fixed points of those that single maps turn over, by what keeps
their digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from iterorder.theory.affine.arrival_integrals import (
    FEW,
    MANY,
    MAX_FACTORS,
    Rule,
    on_unit_interval,
    second_moment,
    single,
)
from iterorder.theory.affine.composition import LOST_DIGITS, joined
from iterorder.theory.affine.items import Items, TwofoldMaps, single_maps
from iterorder.theory.affine.slow_epochs import SLOW, enough_nodes, varying_covariance, varying_mean
from iterorder.theory.affine.subsets import mean_offset
from iterorder.theory.affine.triangular import common_eigenbasis
from iterorder.theory.affine.twofold import Twofold, total
from iterorder.theory.undefined import Undefined

#: Coordinates that an epoch moves by less than this share of what it does others: noise that they share is rounding.
HIDDEN = 2.0**-20
#: What the maps leave beside the diagonals, relative to the least that an epoch moves: more shows in the moments.
LEFT_OUT = 2.0**-26
#: Most products for the coordinates of all maps in twice the precision.
MAX_TWOFOLD = 2**20
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class CommutingEpoch:
    """The map of an epoch in random order, batches of one, in a basis in which all maps are diagonal.

    Attributes
    ----------
    basis : ndarray, shape (d, d)
        Its columns.
    steps : Twofold, shape (n, d)
        a_i − 1.
    offsets : Twofold, shape (n, d)
        The b_i in the basis.
    beside : float
        The largest entry that a map has beside the diagonal, or rounding leaves there.
    """

    basis: np.ndarray
    steps: Twofold
    offsets: Twofold
    beside: float = 0.0

    @classmethod
    def of(cls, items: Items) -> CommutingEpoch | None:
        """None where the maps do not commute, or so little of a map is left that its rounding shows."""
        basis = common_eigenbasis(items) if items.n_items > 1 else None
        if basis is None:
            return None
        if items.dim > 1 and items.n_items * items.dim**3 > MAX_TWOFOLD:
            increments, rounded = items.batch_maps(np.arange(items.n_items)[:, None])
            turned = Twofold(np.einsum("ki,nkl,li->ni", basis, increments, basis))
            rounding = items.dim * EPS * float(np.abs(increments).max())
            return cls(basis, turned, Twofold(rounded @ basis), rounding)._unless_hidden()
        maps, rows = single_maps(items), _inverse(basis)
        matrices = rows @ (maps.increments @ basis)
        steps = matrices.rearranged(lambda array: np.einsum("nkk->nk", array))
        offsets = (rows @ maps.offsets[:, :, None])[:, :, 0]
        beside = float(np.abs(matrices.rounded * (1.0 - np.eye(items.dim))).max())
        return cls(basis, steps, offsets, beside)._unless_hidden()

    def _unless_hidden(self) -> CommutingEpoch | None:
        return self if self.left_out <= LEFT_OUT else None

    def map_of_mean(self) -> TwofoldMaps:
        """The mean map of an epoch: ∏(1 + d_i) − 1 of the coordinates, without the loss of digits in 1 + d, and E b.

        Raises
        ------
        Undefined
            If the integral takes too long, or is not finite.
        """
        increment = (Twofold(self.basis) * self._increment) @ _inverse(self.basis)
        return TwofoldMaps(increment[None], Twofold(self.basis @ self._mean)[None])

    def fixed_point(self) -> Twofold:
        """The fixed point of that map, shape (d,); raises Undefined as `map_of_mean` does."""
        return (Twofold(self.basis) @ self._point[:, None])[:, 0]

    def offset_covariance(self) -> Twofold:
        """The covariance of b, shape (d, d); raises Undefined as `map_of_mean` does, or where no digit is left."""
        # Around the fixed point of the mean map b has the mean zero, but for the square of a rounding.
        steps, residuals = self.steps.rounded, (self.steps * self._point + self.offsets).rounded
        dim = steps.shape[1]
        first, second = np.tril_indices(dim)
        found = np.full(len(first), np.nan)
        both_slow = self._slow[first] & self._slow[second]
        if both_slow.any():
            found[both_slow] = self._varying(steps, residuals, first[both_slow], second[both_slow])
        for k in np.flatnonzero(~both_slow):
            p, q = first[k], second[k]
            if self._slow[p] or self._slow[q]:
                found[k] = self._varying(steps, residuals, np.array([p]), np.array([q]))[0]
            if np.isnan(found[k]):
                pair = steps[:, [p, q]], residuals[:, [p, q]]
                found[k] = second_moment(*pair, p == q, MAX_FACTORS * 2 // (dim * (dim + 1)))
        moments = np.empty((dim, dim))
        moments[first, second] = moments[second, first] = found
        columns = Twofold(self.basis)
        return columns @ moments @ columns.rearranged(np.transpose)

    @property
    def delicate(self) -> bool:
        """Whether digits are lost here that a list of all orders keeps.

        An epoch moves a coordinate far less than single maps do, by steps of both signs; or the maps commute to
        rounding only, and it moves one by little more than that.
        """
        dim = len(self.basis)
        return bool((self._cancelled & ~self._slow).any() or self.left_out > LOST_DIGITS * dim * EPS)

    @cached_property
    def left_out(self) -> float:
        """What is beside the diagonals, relative to the distance of an epoch from ±1."""
        n, dim = self.steps.shape
        # But not in a direction that no map moves, where the steps are rounding.
        moving = self._sizes > 8.0 * n * dim * EPS * np.abs(self.steps.rounded).max()
        moved = self._increment.rounded[moving]
        away = np.minimum(np.abs(moved), np.abs(2.0 + moved))
        if self.beside == 0.0 or not len(away):
            return 0.0
        return self.beside / float(away.min()) if away.min() > 0.0 else np.inf

    @cached_property
    def _sizes(self) -> np.ndarray:
        """Σ|d_i| of the coordinates."""
        return np.abs(self.steps.rounded).sum(axis=0)

    @cached_property
    def _slow(self) -> np.ndarray:
        return self._sizes < SLOW

    @cached_property
    def _cancelled(self) -> np.ndarray:
        return LOST_DIGITS * np.abs(self._increment.rounded) < np.abs(self.steps.rounded).max(axis=0)

    @cached_property
    def _increment(self) -> Twofold:
        return product_less_one(self.steps)

    @cached_property
    def _mean(self) -> np.ndarray:
        columns = zip(self.steps.rounded.T, self.offsets.rounded.T, strict=True)
        return np.array([single(steps, column, MAX_FACTORS)[0] for steps, column in columns])

    @cached_property
    def _point(self) -> Twofold:
        """The fixed point in the basis; zero in a coordinate that an epoch does not move."""
        moves = self._increment.rounded != 0.0
        increment = np.where(moves, self._increment.rounded, 1.0)
        found = Twofold(np.where(moves, -self._mean / increment, 0.0))
        turned_over = np.flatnonzero(self._cancelled & ~self._slow & moves)
        if len(turned_over):
            found = _replaced(found, turned_over, self._point_of_turned_over(turned_over))
        slow = np.flatnonzero(self._slow & moves)
        if len(slow):
            found = _replaced(found, slow, self._corrected(slow, found[slow]))
        return found

    def _point_of_turned_over(self, columns) -> Twofold:
        if len(self.steps) > MANY:
            raise Undefined(
                f"an epoch of {len(self.steps)} maps moves a direction that they turn over by so little that rounding "
                "leaves too few digits of the mean"
            )
        return -(mean_offset(self.steps[:, columns], self.offsets[:, columns]) / self._increment[columns])

    def _corrected(self, columns, point: Twofold) -> Twofold:
        """With what an epoch moves it by in the mean, of which the sum that all orders share has all its digits."""
        rule = self._rule_of(self._sizes[columns].max())
        assert rule is not None, "slow steps need few nodes"
        steps = self.steps[:, columns]
        residuals = steps * point + self.offsets[:, columns]
        left = total(residuals) + varying_mean(steps.rounded, residuals.rounded, *rule)
        return point - left.rounded / self._increment.rounded[columns]

    def _rule_of(self, size: float) -> Rule | None:
        """Gauss's rule on [0, 1] for products whose steps add up to `size`; None where it takes too many nodes."""
        nodes = enough_nodes(max(size, np.finfo(np.float64).tiny), len(self.steps))
        return on_unit_interval(nodes) if nodes <= FEW // 2 + 1 else None

    def _varying(self, steps, residuals, first, second) -> np.ndarray:
        """Covariances of pairs with a slow coordinate; NaN where they are none that lose digits, and take too long."""
        sizes = self._sizes[first] + self._sizes[second] + np.abs(steps[:, first] * steps[:, second]).sum(axis=0)
        rule = self._rule_of(sizes.max())
        if rule is not None:
            return varying_covariance(steps, residuals, first, second, rule)
        if min(self._sizes[first].min(), self._sizes[second].min()) < HIDDEN:
            raise Undefined("an epoch moves some directions so much less than others that rounding hides their noise")
        return np.full(len(first), np.nan)


def _inverse(basis) -> Twofold:
    """B⁻¹ of a B with orthonormal columns to rounding: Bᵀ(2I − BBᵀ), off by the square of that rounding."""
    rows = Twofold(basis.T)
    return rows @ (2.0 * np.eye(len(basis)) - basis @ rows)


def product_less_one(steps: Twofold) -> Twofold:
    """∏(1 + d_i) − 1 over the first axis, in pairs of neighbours.

    Examples
    --------
    >>> product_less_one(Twofold(np.array([[-2.0 + 2.0**-40], [-2.0]]))).rounded.tolist() == [-(2.0**-40)]
    True
    """
    while len(steps) > 1:
        even = len(steps) // 2 * 2
        inner, outer, left = steps[:even:2], steps[1:even:2], steps[even:]
        steps = joined(inner + outer + inner * outer, left)
    return steps[0]


def _replaced(values: Twofold, places, others: Twofold) -> Twofold:
    high, low = values.high.copy(), values.low.copy()
    high[places], low[places] = others.high, others.low
    return Twofold(high, low)
