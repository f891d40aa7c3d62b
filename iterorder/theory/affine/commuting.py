"""Random reshuffling of maps that commute: the exact moments of an epoch, from integrals over times of arrival.

The linear part a = ∏ a_i of an epoch does not depend on the order; the offset is b = Σ_j r_j ∏_{k after j} a_k. A
random order is that of independent uniform times, given which every factor stands by itself. With y the time that is
left after the later and z the time between two arrivals,

    E b        = Σ_j r_j ∫ ∏_{i≠j} [1 − y(1 − a_i)] dy
    E b_p b_q  = Σ_j r_jp r_jq ∫ ∏_{i≠j} [1 − y(1 − a_ip a_iq)] dy + R_pq + R_qp
    R_pq       = Σ_{j≠k} r_jp a_kp r_kq ∫∫ ∏_{i≠j,k} [1 − z(1 − a_ip) − y(1 − a_ip a_iq)] dz dy

over 0 ≤ y ≤ 1 and 0 ≤ z ≤ 1 − y. The integrands are polynomials of degree below n in each variable.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from iterorder.theory.affine.items import Items, TwofoldMaps, single_maps
from iterorder.theory.affine.slow_epochs import SLOW, enough_nodes, varying_covariance, varying_mean
from iterorder.theory.affine.subsets import mean_offset
from iterorder.theory.affine.triangular import common_eigenbasis
from iterorder.theory.affine.twofold import Twofold, total
from iterorder.theory.undefined import Undefined

#: Up to so many maps Gauss's quadrature is exact with n/2 + 1 nodes.
FEW = 128
#: And so many where some maps expand, for which there is no other rule: its nodes take n³ operations.
MANY = 1024
#: Most factors that are multiplied for all moments together, some ten nanoseconds each.
MAX_FACTORS = 2**29
#: The condition of a coordinate's fixed point from which on its mean offset is computed in twice the precision.
LOST_DIGITS = 16.0
#: What is left of a variance whose terms cancel to this share has lost too many digits.
CANCELLED = 2.0**-20
#: What the maps leave beside the diagonals, relative to the least that an epoch moves: more shows in the moments.
LEFT_OUT = 2.0**-26
#: Most products for the coordinates of all maps in twice the precision.
MAX_TWOFOLD = 2**20
#: Nodes of a panel, and those of a first pass that has to agree to so many digits: the second has about twice as many.
NODES, FIRST_NODES, AGREEMENT = 12, 8, 1e-6
#: Where all maps contract the integrands are below e^(−y·Σ(1−|a|)): beyond this exponent nothing is left.
NEGLIGIBLE = 48.0
EPS = float(np.finfo(np.float64).eps)

Rule = tuple[np.ndarray, np.ndarray]


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
    beside : float
        The largest entry that a map has beside the diagonal, from rounding.
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
            increments, offsets = items.batch_maps(np.arange(items.n_items)[:, None])
            return cls(basis, Twofold(np.einsum("ki,nkl,li->ni", basis, increments, basis)), Twofold(offsets @ basis))
        maps, rows = single_maps(items), _inverse(basis)
        turned = rows @ (maps.increments @ basis)
        steps = turned.rearranged(lambda array: np.einsum("nkk->nk", array))
        beside = np.abs(turned.rounded * (1.0 - np.eye(items.dim))).max()
        epoch = cls(basis, steps, (rows @ maps.offsets[:, :, None])[:, :, 0], float(beside))
        return epoch if epoch.left_out <= LEFT_OUT else None

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
                found[k] = _second_moment(*pair, p == q, MAX_FACTORS * 2 // (dim * (dim + 1)))
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
        """What is beside the diagonals, relative to the distance of an epoch from ±1; not where that is rounding."""
        moved = self._increment.rounded
        away = np.minimum(np.abs(moved), np.abs(2.0 + moved))
        away = away[away > 8.0 * EPS * self.steps.shape[0] * self.steps.shape[1]]
        return self.beside / float(away.min()) if len(away) and self.beside else 0.0

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
        return np.array([_single(steps, column, MAX_FACTORS)[0] for steps, column in columns])

    @cached_property
    def _point(self) -> Twofold:
        """The fixed point in the basis; zero in a coordinate that an epoch does not move."""
        moves = self._increment.rounded != 0.0
        increment = np.where(moves, self._increment.rounded, 1.0)
        found = Twofold(np.where(moves, -self._mean / increment, 0.0))
        exact = self._cancelled & ~self._slow & moves
        if exact.any():
            if len(self.steps) > MANY:
                raise Undefined(
                    f"an epoch of {len(self.steps)} maps moves a direction that they turn over by so little that "
                    "rounding leaves too few digits of the mean"
                )
            columns = np.flatnonzero(exact)
            offset = mean_offset(self.steps[:, columns], self.offsets[:, columns])
            found = _replaced(found, columns, -(offset / self._increment[columns]))
        columns = np.flatnonzero(self._slow & moves)
        if not len(columns):
            return found
        steps, offsets, slow = self.steps[:, columns], self.offsets[:, columns], found[columns]
        rule = self._rule_of(self._sizes[columns].max())
        assert rule is not None, "slow steps need few nodes"
        residuals = steps * slow + offsets
        left = total(residuals) + varying_mean(steps.rounded, residuals.rounded, *rule)
        slow = slow - left.rounded / increment[columns]
        return _replaced(found, columns, slow)

    def _rule_of(self, size: float) -> Rule | None:
        """Gauss's rule on [0, 1] for products whose steps add up to `size`; None where it takes too many nodes."""
        nodes = enough_nodes(max(size, 1e-300), len(self.steps))
        return _on(np.array([0.0, 1.0]), nodes) if nodes <= FEW // 2 + 1 else None

    def _varying(self, steps, residuals, first, second) -> np.ndarray:
        """Covariances of pairs with a slow coordinate; NaN where they are none that lose digits, and take too long."""
        sizes = self._sizes[first] + self._sizes[second] + np.abs(steps[:, first] * steps[:, second]).sum(axis=0)
        rule = self._rule_of(sizes.max())
        if rule is not None:
            return varying_covariance(steps, residuals, first, second, rule)
        if min(self._sizes[first].min(), self._sizes[second].min()) < CANCELLED:
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
        pairs = inner + outer + inner * outer
        steps = Twofold(np.concatenate([pairs.high, left.high]), np.concatenate([pairs.low, left.low]))
    return steps[0]


def _replaced(values: Twofold, places, others: Twofold) -> Twofold:
    high, low = values.high.copy(), values.low.copy()
    high[places], low[places] = others.high, others.low
    return Twofold(high, low)


def _single(steps, residuals, most: int) -> tuple[float, float]:
    """Σ_j r_j ∫ ∏_{i≠j} (1 + y·d_i) dy, and the size of its terms."""

    def integral(rule: Rule) -> tuple[float, float]:
        y, weights = rule
        factors = 1.0 + y[:, None] * steps
        terms, products = residuals / factors, factors.prod(axis=1)
        return weights @ (products * terms.sum(axis=1)), weights @ np.abs(products[:, None] * terms).sum(axis=1)

    return _trusted(lambda nodes: (_rule(steps, nodes),), integral, len(steps), most)


def _second_moment(steps, residuals, equal: bool, most: int) -> float:
    """E b_p b_q of two coordinates: each item with itself, and pairs in both orders."""
    both = steps.sum(axis=1) + steps.prod(axis=1)  # a_p a_q − 1
    alone, size = _single(both, residuals.prod(axis=1), most)
    there, size_there = _pairs(steps, residuals, both, most)
    if not equal:
        return alone + there + _pairs(steps[:, ::-1], residuals[:, ::-1], both, most)[0]
    value = alone + 2.0 * there
    if not value >= CANCELLED * (size + 2.0 * size_there):
        raise Undefined("rounding leaves too few digits of the noise of an epoch: its terms cancel")
    return value


def _pairs(steps, residuals, both, most: int) -> tuple[float, float]:
    """R_pq, with z = (1 − y)·v over 0 ≤ v ≤ 1."""
    between = steps[:, 0]
    early, late = residuals[:, 0], (1.0 + between) * residuals[:, 1]

    def rules(nodes: int) -> tuple[Rule, Rule]:
        left = _rule(both, nodes)
        # Up to y = ½ the layer in v is at most twice that in z.
        return left, _rule(between, nodes, 2.0 if left[0].max() <= 0.5 else math.inf)

    def integral(left: Rule, rule: Rule) -> tuple[float, float]:
        total = size = 0.0
        for y, weight in zip(*left, strict=True):
            factors = 1.0 + y * both + ((1.0 - y) * rule[0])[:, None] * between
            inverse, weights = 1.0 / factors, weight * (1.0 - y) * rule[1] * factors.prod(axis=1)
            squares = inverse**2
            total += weights @ ((inverse @ early) * (inverse @ late) - squares @ (early * late))
            size += np.abs(weights) @ np.sqrt((squares @ early**2) * (squares @ late**2))
        return float(total), float(size)

    return _trusted(rules, integral, len(steps), most)


def _trusted(
    rules: Callable[[int], tuple[Rule, ...]], integral: Callable[..., tuple[float, float]], n: int, most: int
) -> tuple[float, float]:
    """An integral, which comes with the size of its terms, by its rules: for many maps only where fewer nodes agree."""
    last = rules(NODES)
    if n * math.prod(len(rule[0]) for rule in last) > most:
        raise Undefined(f"the moments of random reshuffling are integrals that take too long for {n} maps: give fewer")
    with np.errstate(all="ignore"):
        value, size = integral(*last)
        first = value if n <= FEW else integral(*rules(FIRST_NODES))[0]
    if not (math.isfinite(value) and abs(value - first) <= AGREEMENT * max(abs(value), size)):
        raise Undefined(f"the integrals for the moments of random reshuffling of {n} maps are not resolved")
    return float(value), float(size)


def _rule(steps, nodes: int, widened: float = 1.0) -> Rule:
    """Nodes and weights for ∏(1 + y·d_i) over 0 ≤ y ≤ 1.

    For many maps the weight sits in layers of width 1/Σ|d_i| at the ends, which panels of doubling width resolve; where
    all maps contract only at y = 0, and nothing is left beyond a multiple (`widened`) of that width.
    """
    n = len(steps)
    if n <= FEW:
        exact = n // 2 + 1
        return _on(np.array([0.0, 1.0]), exact + exact % 2)  # an odd number has a node at ½, where 1 + y·d may vanish
    slopes = np.abs(1.0 + steps)
    if (slopes > 1.0).any():
        # A product of factors that grow and fall has its largest value anywhere inside: only the exact rule is safe.
        if n > MANY:
            raise Undefined(f"the moments of random reshuffling of {n} maps, some of which expand, take too long")
        return _on(np.array([0.0, 1.0]), n // 2 + 2 - n // 2 % 2)
    kept = float((1.0 - slopes).sum())
    end = min(1.0, widened * NEGLIGIBLE / kept) if kept > 0.0 else 1.0
    width = min(end, 2.0 / max(1e-300, float(np.abs(steps).sum())))
    edges = [0.0, width]
    while edges[-1] < end:
        edges.append(min(end, 2.0 * edges[-1]))
    cuts = np.array(edges)
    if end == 1.0 and len(edges) > 2:
        half = cuts[cuts < 0.5]
        cuts = np.concatenate([half, [0.5], (1.0 - half)[::-1]])
    return _on(cuts, nodes)


@lru_cache(maxsize=16)
def _gauss(nodes: int) -> Rule:
    """On [−1, 1]; many nodes take seconds, and every pair of coordinates has the same."""
    return np.polynomial.legendre.leggauss(nodes)


def _on(cuts: np.ndarray, nodes: int) -> Rule:
    """Gauss's rule on each of the panels between the cuts."""
    points, weights = _gauss(nodes)
    widths = np.diff(cuts)
    places = cuts[:-1, None] + widths[:, None] * 0.5 * (points + 1.0)
    return places.ravel(), (0.5 * widths[:, None] * weights).ravel()
