"""Exact moments of an epoch of commuting maps in random order, as integrals over times of arrival.

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
from functools import lru_cache

import numpy as np

from iterorder.theory.undefined import Undefined

#: Up to so many maps Gauss's quadrature is exact with n/2 + 1 nodes.
FEW = 128
#: And so many where some maps expand, for which there is no other rule: its nodes take n³ operations.
MANY = 1024
#: Most factors that are multiplied for all moments together, some ten nanoseconds each.
MAX_FACTORS = 2**29
#: What is left of a variance whose terms cancel to this share has lost too many digits.
CANCELLED = 2.0**-20
#: Nodes of a panel, and those of a first pass that has to agree to so many digits: the second has about twice as many.
NODES, FIRST_NODES, AGREEMENT = 12, 8, 1e-6
#: Where all maps contract the integrands are below e^(−y·Σ(1−|a|)): beyond this exponent nothing is left.
NEGLIGIBLE = 48.0

Rule = tuple[np.ndarray, np.ndarray]


def single(steps, residuals, most: int) -> tuple[float, float]:
    """Σ_j r_j ∫ ∏_{i≠j} (1 + y·d_i) dy, and the size of its terms."""

    def integral(rule: Rule) -> tuple[float, float]:
        y, weights = rule
        factors = 1.0 + y[:, None] * steps
        terms, products = residuals / factors, factors.prod(axis=1)
        return weights @ (products * terms.sum(axis=1)), weights @ np.abs(products[:, None] * terms).sum(axis=1)

    return _trusted(lambda nodes: (_rule(steps, nodes),), integral, len(steps), most)


def second_moment(steps, residuals, equal: bool, most: int) -> float:
    """E b_p b_q of two coordinates: each item with itself, and pairs in both orders."""
    both = steps.sum(axis=1) + steps.prod(axis=1)  # a_p a_q − 1
    alone, size = single(both, residuals.prod(axis=1), most)
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


def on_unit_interval(nodes: int) -> Rule:
    """Gauss's rule on [0, 1]."""
    return _on(np.array([0.0, 1.0]), nodes)
