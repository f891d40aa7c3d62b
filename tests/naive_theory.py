"""The formulas of theory.md written out: every draw is listed, and only the literal maps of the library are used."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np


def linear_form(maps, draw) -> tuple[np.ndarray, np.ndarray]:
    """A and b of an affine map, read off its values at the origin and the unit vectors."""
    offset = maps.apply(np.zeros(maps.dim), draw)
    return (maps.apply(np.eye(maps.dim), draw) - offset).T, offset


def step_maps(maps) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """(probability, A, b) of every draw of one independent step: all batches of distinct points."""
    law = maps.sampling_law
    if law.batch_size == 1:
        return [(p, *linear_form(maps, i)) for i, p in enumerate(law.weights)]
    batches = list(itertools.combinations(range(law.n_items), law.batch_size))
    return [(1.0 / len(batches), *linear_form(maps, np.array(batch))) for batch in batches]


def epoch_maps(maps) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """(probability, A, b) of every epoch of random reshuffling: all permutations, cut into batches."""
    law = maps.sampling_law
    orders = list(itertools.permutations(range(law.n_items)))
    return [(1.0 / len(orders), *composed(maps, order)) for order in orders]


def composed(maps, order) -> tuple[np.ndarray, np.ndarray]:
    """A and b of the maps of one epoch in the given order of the items, the first batch applied first."""
    law = maps.sampling_law
    matrix, offset = np.eye(maps.dim), np.zeros(maps.dim)
    for step in range(law.batches_per_epoch):
        batch = np.array(order[step * law.batch_size : (step + 1) * law.batch_size])
        a, b = linear_form(maps, batch)
        matrix, offset = a @ matrix, a @ offset + b
    return matrix, offset


def stationary_moments(listed) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance: m = (I−ΣpA)⁻¹Σpb, vec S = (I−Σp A⊗A)⁻¹ vec R, covariance S − mmᵀ."""
    d = len(listed[0][2])
    mean_matrix = sum(p * a for p, a, _ in listed)
    mean = np.linalg.solve(np.eye(d) - mean_matrix, sum(p * b for p, _, b in listed))
    source = np.zeros((d, d))
    for p, a, b in listed:
        source += p * (np.outer(a @ mean, b) + np.outer(b, a @ mean) + np.outer(b, b))
    kronecker = sum(p * np.kron(a, a) for p, a, _ in listed)
    second = np.linalg.solve(np.eye(d * d) - kronecker, source.reshape(-1)).reshape(d, d)
    return mean, second - np.outer(mean, mean)


def mean_square_radius(listed) -> float:
    """ρ(Σp A⊗A)."""
    return float(np.abs(np.linalg.eigvals(sum(p * np.kron(a, a) for p, a, _ in listed))).max())


def lipschitz_power_mean(maps, p) -> float:
    """(E Lip^p)^(1/p) over every draw of one independent step."""
    law = maps.sampling_law
    batches = list(itertools.combinations(range(law.n_items), law.batch_size))
    weights = law.weights if law.batch_size == 1 else np.full(len(batches), 1.0 / len(batches))
    constants = [maps.lipschitz(np.array(batch)) for batch in batches]
    if math.isinf(p):
        return max(c for c, w in zip(constants, weights, strict=True) if w > 0.0)
    return float(sum(w * c**p for c, w in zip(constants, weights, strict=True)) ** (1.0 / p))


def reshuffling_variance(curvature, minimizers, step_size) -> float:
    """theory.md, random reshuffling of n items of equal curvature: the variance at epoch ends."""
    n, hl = len(minimizers), step_size * curvature
    r = 1.0 - hl
    bracket = sum(r ** (2 * k) for k in range(n)) - sum(r**k for k in range(n)) ** 2 / n
    return float(hl**2 * np.var(minimizers) * n / (n - 1) * bracket / (1.0 - r ** (2 * n)))


def logistic_log_growth(maps, n_steps, burn_in, random) -> np.ndarray:
    """log|T'(x)| along one chain of logistic regression in one dimension, single draws."""
    a, y = maps.features[:, 0], maps.labels
    x, logs = 0.0, []
    for step in range(burn_in + n_steps):
        i = random.integers(len(y))
        slope = 1.0 / (1.0 + math.exp(y[i] * a[i] * x))
        derivative = 1.0 - maps.step_size * (maps.ridge + slope * (1.0 - slope) * a[i] ** 2)
        x += maps.step_size * (slope * y[i] * a[i] - maps.ridge * x)
        if step >= burn_in:
            logs.append(math.log(abs(derivative)))
    return np.array(logs)


def linear_parts(features, h, batch_size) -> list[np.ndarray]:
    """I − (h/B)·Σ aaᵀ over every batch of distinct rows."""
    batches = itertools.combinations(np.asarray(features), batch_size)
    return [np.eye(len(rows[0])) - h / batch_size * sum(np.outer(a, a) for a in rows) for rows in batches]


def second_moment_operator(matrices) -> np.ndarray:
    """The mean of A ⊗ A."""
    return np.mean([np.kron(a, a) for a in matrices], axis=0)


def first_unstable(operator, low=1e-3, high=20.0) -> float:
    """Where the spectral radius of a second-moment operator of the step size passes one, by bisection."""
    for _ in range(60):
        middle = 0.5 * (low + high)
        stable = np.abs(np.linalg.eigvals(operator(middle))).max() < 1.0
        low, high = (middle, high) if stable else (low, middle)
    return low


def exact_moments(listed) -> tuple[np.ndarray, np.ndarray]:
    """`stationary_moments` of (probability, A, b) as they are stored, in rational arithmetic, and then rounded."""
    law = [(Fraction(p), exact_array(a), exact_array(b)) for p, a, b in listed]
    d = len(law[0][2])
    eye, pairs = exact_array(np.eye(d)), exact_array(np.eye(d * d))
    mean = _solved(eye - sum(p * a for p, a, _ in law), sum(p * b for p, _, b in law))
    moves = [(p, a, a @ mean + b - mean) for p, a, b in law]
    source = sum(p * np.outer(r, r) for p, _, r in moves).ravel()
    covariance = _solved(pairs - sum(p * np.kron(a, a) for p, a, _ in moves), source)
    return mean.astype(float), covariance.astype(float).reshape(d, d)


def exact_moments_of_many(matrices, offsets) -> tuple[np.ndarray, np.ndarray]:
    """The same of epochs in random order, batches of one: by recursion over the sets that an epoch begins with.

    With T = ((A, b), (0, 1)) the mean of T⊗T over the orders of a set is that of (T_l⊗T_l)·(mean of the rest), l last.
    """
    a, b = exact_array(matrices), exact_array(offsets)
    n, d = b.shape
    maps = [
        np.block([[a[i], b[i][:, None]], [exact_array(np.zeros((1, d))), exact_array(np.ones((1, 1)))]])
        for i in range(n)
    ]
    squares = [np.kron(t, t) for t in maps]
    means = {frozenset(): exact_array(np.eye((d + 1) ** 2))}
    for size in range(1, n + 1):
        for chosen in map(frozenset, itertools.combinations(range(n), size)):
            means[chosen] = sum(squares[i] @ means[chosen - {i}] for i in chosen) / size
    pair = means[frozenset(range(n))].reshape(4 * (d + 1,))  # E T_ij T_kl at [i, k, j, l]
    mean = _solved(exact_array(np.eye(d)) - pair[:d, d, :d, d], pair[:d, d, d, d])
    here = np.append(mean, Fraction(1))
    # T(m, 1) = (m + r, 1)
    moved = np.einsum("ikjl,j,l->ik", pair, here, here, optimize=False)[:d, :d] - np.outer(mean, mean)
    linear = pair[:d, :d, :d, :d].reshape(d * d, d * d)
    covariance = _solved(exact_array(np.eye(d * d)) - linear, moved.ravel())
    return mean.astype(float), covariance.astype(float).reshape(d, d)


def exact_array(array) -> np.ndarray:
    """The numbers of an array, floats or fractions, as fractions."""
    return np.array([Fraction(x) for x in np.ravel(array)], dtype=object).reshape(np.shape(array))


def exact_epochs(matrices, offsets, batch_size=1) -> list[tuple[Fraction, np.ndarray, np.ndarray]]:
    """`epoch_maps` of x → A_i x + b_i as they are stored, in rational arithmetic."""
    a, b = exact_array(matrices), exact_array(offsets)
    orders = list(itertools.permutations(range(len(b))))
    return [(Fraction(1, len(orders)), *exact_epoch(a, b, order, batch_size)) for order in orders]


def exact_epoch(a, b, order, batch_size=1) -> tuple[np.ndarray, np.ndarray]:
    """A and b of the maps of one epoch in the given order; an incomplete last batch is dropped."""
    matrix, offset = exact_array(np.eye(b.shape[1])), exact_array(np.zeros(b.shape[1]))
    for start in range(0, len(order) - batch_size + 1, batch_size):
        batch = list(order[start : start + batch_size])
        step, shift = a[batch].sum(axis=0) / batch_size, b[batch].sum(axis=0) / batch_size
        matrix, offset = step @ matrix, step @ offset + shift
    return matrix, offset


def _solved(matrix, target) -> np.ndarray:
    """Gauss's elimination without rounding."""
    rows = np.column_stack([matrix, target])
    for k in range(len(rows)):
        pivot = next(i for i in range(k, len(rows)) if rows[i, k] != 0)
        rows[[k, pivot]] = rows[[pivot, k]]
        rows[k] = rows[k] / rows[k, k]
        for i in range(len(rows)):
            if i != k:
                rows[i] = rows[i] - rows[i, k] * rows[k]
    return rows[:, -1]
