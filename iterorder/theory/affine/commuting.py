"""Random reshuffling of maps that commute: the exact moments of an epoch, from integrals over times of arrival.

The linear part a = ∏ a_i of an epoch does not depend on the order; the offset is b = Σ_j r_j ∏_{k after j} a_k. A
random order is that of independent uniform times, given which every factor stands by itself:

    E b        = Σ_j r_j ∫ ∏_{i≠j} [t + (1−t) a_i] dt
    E b_p b_q  = Σ_j r_jp r_jq ∫ ∏_{i≠j} [t + (1−t) a_ip a_iq] dt + R_pq + R_qp
    R_pq       = Σ_{j≠k} ∫∫_{t<s} r_jp a_kp r_kq ∏_{i≠j,k} [t + (s−t) a_ip + (1−s) a_ip a_iq] dt ds

with j at time t before k at time s. The integrands are polynomials of degree below n in each time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from iterorder.theory.affine.items import Items
from iterorder.theory.affine.triangular import common_eigenbasis

EPS = float(np.finfo(np.float64).eps)
#: Most factors that are multiplied, some ten nanoseconds each.
MAX_FACTORS = 2**28
#: Nodes of the first quadrature; they are doubled until two agree, or it is exact.
FIRST_NODES = 16

Integral = Callable[[np.ndarray, np.ndarray], np.ndarray]


def commuting_epoch(items: Items) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """An epoch in random order, batches of one: increment (d, d), mean (d,) and covariance (d, d) of the offset.

    The covariance is right to about 64·eps·(Σ_j |r_j|)², r_j the moves from the fixed point of the mean map.
    None where the maps do not commute, are too many, or their products leave the range of floating point.
    """
    n, dim = items.n_items, items.dim
    basis = common_eigenbasis(items) if n > 1 else None
    if basis is None:
        return None
    increments, offsets = items.batch_maps(np.arange(n)[:, None])
    steps, offsets = np.einsum("ki,nkl,li->ni", basis, increments, basis), offsets @ basis
    increment = np.zeros(dim)
    for step in steps:  # ∏(1 + d_i) − 1 without the loss of digits in 1 + d
        increment = increment + step + increment * step
    mean = _mean(steps, offsets)
    if mean is None:
        return None
    # Around the fixed point of the mean map the sum of the moves nearly vanishes, and the least is lost.
    moving = np.where(increment != 0.0, increment, 1.0)
    residuals = steps * np.where(increment != 0.0, -mean / moving, 0.0) + offsets
    left, moments = _mean(steps, residuals), _second_moments(steps, residuals)
    if left is None or moments is None:
        return None
    covariance = basis @ (moments - np.outer(left, left)) @ basis.T
    return basis @ np.diag(increment) @ basis.T, basis @ mean, 0.5 * (covariance + covariance.T)


def _converged(integral: Integral, n: int, tolerance, work: Callable[[int], int]) -> np.ndarray | None:
    """An integral of polynomials of degree below n by Gauss's quadrature; None where it is too large, or not finite."""
    exact, nodes, before = n // 2 + 1, FIRST_NODES, None
    while work(min(nodes, exact)) <= MAX_FACTORS:
        points, weights = np.polynomial.legendre.leggauss(min(nodes, exact))
        with np.errstate(all="ignore"):
            value = integral(0.5 * (points + 1.0), 0.5 * weights)
        if not np.isfinite(value).all():
            return None
        if nodes >= exact or (before is not None and (np.abs(value - before) <= tolerance).all()):
            return value
        nodes, before = 2 * nodes, value
    return None


def _mean(steps, residuals) -> np.ndarray | None:
    """E b of each coordinate: factors 1 + (1−t) d_i, steps d_i = a_i − 1."""

    def integral(nodes, weights):
        factors = 1.0 + (1.0 - nodes)[:, None, None] * steps
        return weights @ (factors.prod(axis=1) * (residuals / factors).sum(axis=1))

    return _converged(integral, len(steps), 16.0 * EPS * np.abs(residuals).sum(axis=0), lambda m: m * steps.size)


def _second_moments(steps, residuals) -> np.ndarray | None:
    """E b bᵀ."""
    moments = np.empty((steps.shape[1], steps.shape[1]))
    for p in range(len(moments)):
        for q in range(p + 1):
            moment = _second_moment(steps[:, [p, q]], residuals[:, [p, q]], p == q)
            if moment is None:
                return None
            moments[p, q] = moments[q, p] = moment
    return moments


def _second_moment(steps, residuals, equal: bool) -> np.ndarray | None:
    """E b_p b_q of two coordinates: each item with itself, and pairs in both orders."""
    both = steps.sum(axis=1) + steps.prod(axis=1)  # a_p a_q − 1
    squares, sizes = residuals.prod(axis=1), np.abs(residuals).sum(axis=0)

    def integral(nodes, weights):
        factors = 1.0 + (1.0 - nodes)[:, None] * both
        alone = weights @ (factors.prod(axis=1) * (squares / factors).sum(axis=1))
        pairs = _pairs(steps, residuals, both, nodes, weights)
        return alone + pairs + (pairs if equal else _pairs(steps[:, ::-1], residuals[:, ::-1], both, nodes, weights))

    return _converged(integral, len(steps), 16.0 * EPS * sizes.prod(), lambda m: m * m * len(steps))


def _pairs(steps, residuals, both, nodes, weights) -> float:
    """R_pq with t = s·w, so that a factor is 1 + s(1−w) d_p + (1−s)(a_p a_q − 1)."""
    early, late = residuals[:, 0], (1.0 + steps[:, 0]) * residuals[:, 1]
    total = 0.0
    for s, weight in zip(nodes, weights, strict=True):
        factors = 1.0 + (1.0 - s) * both + (s * (1.0 - nodes))[:, None] * steps[:, 0]
        inverse = 1.0 / factors
        pairs = (inverse @ early) * (inverse @ late) - inverse**2 @ (early * late)
        total += weight * s * (weights @ (factors.prod(axis=1) * pairs))
    return float(total)
