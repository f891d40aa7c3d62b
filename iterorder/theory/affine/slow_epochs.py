"""Moments of an epoch of commuting maps that hardly moves: from what differs between the orders.

The offset of an epoch is b = Σ_j r_j + Σ_j r_j X_j with X_j = ∏_{k after j} a_k − 1, and its first sum is the same for
every order. Where all steps add up to little the covariance of b is that of the second, smaller by the square of an
X_j, and nothing is left of it in moments of b itself.

As in `arrival_integrals`, given the times of arrival every factor stands by itself. Two products that grow by
the factors 1 + p and 1 + q, with E p = α, E q = β and E pq = γ, have the moments P = E X, Q = E Y and J = E XY with

    J' = J(1 + α + β + γ) + P(β + γ) + Q(α + γ) + γ,   P' = P(1 + α) + α,   Q' = Q(1 + β) + β,

in which small numbers are only added. The same holds for sums over the items that stand for j and k.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import numpy as np

#: Steps |a − 1| that add up to less are slow: moments of b itself would lose the square of that.
SLOW = 1.0
#: Most numbers of an array, items times pairs of coordinates times nodes, to stay in the cache.
TOGETHER = 2**16
EPS = float(np.finfo(np.float64).eps)


class _Moments(NamedTuple):
    """J, P, Q and the number one of some items, each summed over choices of marked ones with the weights of these.

    Shapes (items or groups of them, pairs, nodes).
    """

    both: np.ndarray
    early: np.ndarray
    late: np.ndarray
    weight: np.ndarray

    def times(self, other: _Moments) -> _Moments:
        """Of the items of both, which stand by themselves."""
        late, early = other.late + other.both, other.early + other.both
        return _Moments(
            self.both * (other.weight + other.early + late)
            + self.early * late
            + self.late * early
            + self.weight * other.both,
            self.early * (other.weight + other.early) + self.weight * other.early,
            self.late * (other.weight + other.late) + self.weight * other.late,
            self.weight * other.weight,
        )

    def plus(self, other: _Moments) -> _Moments:
        """Of the choices of both."""
        return _Moments(*(a + b for a, b in zip(self, other, strict=True)))

    def part(self, chosen: slice) -> _Moments:
        """Of some of the items."""
        return _Moments(*(array[chosen] for array in self))


#: For each set of marks, as bits, the moments where its items are among those at hand.
_Marked = list[_Moments]


def _merged(first: _Marked, second: _Marked) -> _Marked:
    return [
        reduce(_Moments.plus, (first[a].times(second[marks ^ a]) for a in range(marks + 1) if not a & ~marks))
        for marks in range(len(first))
    ]


def _of_all(items: _Marked, size: int) -> _Marked:
    """Of all items together, neighbours in pairs."""
    while size > 1:
        even = size // 2 * 2
        pairs = _merged([m.part(slice(0, even, 2)) for m in items], [m.part(slice(1, even, 2)) for m in items])
        if even < size:
            left = (m.part(slice(even, None)) for m in items)
            pairs = [
                _Moments(*(np.concatenate([a, b]) for a, b in zip(m, last, strict=True)))
                for m, last in zip(pairs, left, strict=True)
            ]
        items, size = pairs, (size + 1) // 2
    return items


def _moments(both, early, late, weight) -> _Moments:
    """With the first three of the same shape (items, pairs, nodes), and weights for all nodes, (items, pairs, 1)."""
    shape = np.broadcast_shapes(*(np.shape(part) for part in (both, early, late, weight)))
    both, early, late = (np.broadcast_to(part, shape) for part in (both, early, late))
    return _Moments(both, early, late, np.broadcast_to(weight, (*shape[:2], 1)))


def enough_nodes(size: float, n: int) -> int:
    """Nodes of Gauss's rule for products of n factors whose steps add up to `size`: exact for all, or to rounding.

    Terms of degree m are of the relative size size^(m−2)/m!, and as many nodes as this are exact to degree 2·nodes − 1
    of them times 1 − y.

    Examples
    --------
    >>> enough_nodes(1e-17, 1000), enough_nodes(0.25, 1000), enough_nodes(0.25, 8)
    (2, 7, 5)
    """
    nodes = 2
    while nodes < n // 2 + 1 and (2 * nodes - 3) * math.log(size) - math.lgamma(2 * nodes) > math.log(EPS):
        nodes += 1
    return nodes


def varying_mean(steps, residuals, y, weights) -> np.ndarray:
    """E Σ_j r_j X_j of each coordinate, by a rule for 0 ≤ y ≤ 1: shapes (n, d) → (d,)."""

    def leaves(part: slice) -> _Marked:
        alpha, weight = steps[part, :, None] * y, residuals[part, :, None]
        return [_moments(0.0, alpha, 0.0, 1.0), _moments(0.0, 0.0 * alpha, 0.0, weight)]

    return _gathered(leaves, len(steps), steps.shape[1], len(y))[1].early[0] @ weights


def _gathered(leaves: Callable[[slice], _Marked], n: int, pairs: int, nodes: int) -> _Marked:
    """Of n items whose own moments come in slices."""
    block = max(2, TOGETHER // (pairs * nodes))
    groups = [_of_all(leaves(slice(k, k + block)), min(block, n - k)) for k in range(0, n, block)]
    return reduce(_merged, groups)


def varying_covariance(steps, residuals, first, second, rule) -> np.ndarray:
    """Cov(Σ_j r_jp X_jp, Σ_k r_kq X_kq) for pairs p = first[l], q = second[l] of coordinates, shape (l,).

    Parameters
    ----------
    steps, residuals : ndarray, shape (n, d)
        What makes the X of each item, and its r, coordinate by coordinate.
    first, second : ndarray of int
        The coordinates of each pair.
    rule : pair of ndarray
        Nodes and weights on [0, 1].
    """
    means = varying_mean(steps, residuals, *rule)
    found = np.empty(len(first))
    size = max(1, TOGETHER // (2 * len(rule[0]) ** 2))
    for start in range(0, len(first), size):
        p, q = first[start : start + size], second[start : start + size]
        there = _different(steps, residuals, p, q, rule)
        back = there if np.array_equal(p, q) else _different(steps, residuals, q, p, rule)
        found[start : start + size] = _same(steps, residuals, p, q, rule) + there + back - means[p] * means[q]
    return found


def _same(steps, residuals, p, q, rule) -> np.ndarray:
    """Σ_j r_jp r_jq E[X_jp X_jq]."""
    y, weights = rule

    def leaves(part: slice) -> _Marked:
        a, b = steps[part, p, None], steps[part, q, None]
        weight = residuals[part, p, None] * residuals[part, q, None]
        return [_moments(a * b * y, a * y, b * y, 1.0), _moments(0.0 * y, 0.0, 0.0, weight)]

    return _gathered(leaves, len(steps), len(p), len(y))[1].both[0] @ weights


def _different(steps, residuals, p, q, rule) -> np.ndarray:
    """Σ_{j before k} r_jp r_kq E[X_jp X_kq]: y is left after k, and z = (1 − y)·v passes between the two."""
    nodes, weights = rule
    y = np.repeat(nodes, len(nodes))
    z = (1.0 - y) * np.tile(nodes, len(nodes))
    volume = np.repeat(weights, len(nodes)) * (1.0 - y) * np.tile(weights, len(nodes))

    def leaves(part: slice) -> _Marked:
        a, b = steps[part, p, None], steps[part, q, None]
        early, late = residuals[part, p, None], residuals[part, q, None]
        return [
            _moments(a * b * y, a * (y + z), b * y, 1.0),
            _moments(0.0 * y, 0.0, 0.0, early),
            # The later of the two is after the earlier, and its factor is in X_j for sure.
            _moments(0.0 * y, late * a, 0.0, late),
            _moments(0.0 * y, 0.0, 0.0, 0.0 * late),
        ]

    return _gathered(leaves, len(steps), len(p), len(y))[3].both[0] @ volume
