"""Literal twins of the Wasserstein distances: slow, readable, by another way than the library wherever there is one."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
from scipy.integrate import quad
from scipy.linalg import sqrtm
from scipy.optimize import linprog


def quantile(points, weights, level: Fraction):
    """The smallest point with at least the part `level` of the mass at or below it."""
    total = sum(weights)
    mass = Fraction(0)
    for point, weight in sorted(zip(points, weights, strict=True)):
        mass += weight
        if mass >= level * total:
            return point
    raise AssertionError("a level above one")


def distance_1d(u, v, p, u_weights=None, v_weights=None) -> float:
    """W_p by the integral of |F⁻¹ − G⁻¹|^p over the levels, in fractions up to the power."""
    u, v = [Fraction(float(x)) for x in u], [Fraction(float(x)) for x in v]
    u_weights = [Fraction(float(w)) for w in (np.ones(len(u)) if u_weights is None else u_weights)]
    v_weights = [Fraction(float(w)) for w in (np.ones(len(v)) if v_weights is None else v_weights)]
    levels = {Fraction(0)}
    for points, weights in ((u, u_weights), (v, v_weights)):
        mass = Fraction(0)
        for _, weight in sorted(zip(points, weights, strict=True)):
            mass += weight
            levels.add(mass / sum(weights))
    ends = sorted(levels)
    pieces = []  # (length, difference); both functions are constant on (start, end], so the end tells the value
    for start, end in itertools.pairwise(ends):
        difference = abs(quantile(u, u_weights, end) - quantile(v, v_weights, end))
        pieces.append((end - start, difference))
    largest = max(difference for _, difference in pieces)
    if p == math.inf or largest == 0:
        return float(largest)
    mean = math.fsum(float(length) * float(difference / largest) ** p for length, difference in pieces)
    return float(largest) * mean ** (1 / p)


def transport_program(u, v, p, u_weights=None, v_weights=None) -> float:
    """W_p of points (n, d) and (m, d) as the linear program over all plans."""
    n, m = len(u), len(v)
    a = np.ones(n) / n if u_weights is None else np.asarray(u_weights) / np.sum(u_weights)
    b = np.ones(m) / m if v_weights is None else np.asarray(v_weights) / np.sum(v_weights)
    cost = np.array([[math.dist(x, y) ** p for y in v] for x in u])
    marginals = np.zeros((n + m, n * m))
    for i in range(n):
        marginals[i, i * m : (i + 1) * m] = 1
    for j in range(m):
        marginals[n + j, j::m] = 1
    result = linprog(cost.ravel(), A_eq=marginals, b_eq=np.concatenate([a, b]), method="highs")
    assert result.success
    return max(result.fun, 0.0) ** (1 / p)


def transport_in_integers(u, v, p: int) -> float:
    """W_p of points with whole coordinates by trying every matching of the repeated points; lengths have 256 bits."""
    copies = math.lcm(len(u), len(v))
    u, v = ([[int(x) for x in point] for point in points for _ in range(copies // len(points))] for points in (u, v))
    bits = 256
    cost = [[math.isqrt(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) << (2 * bits)) ** p for y in v] for x in u]
    least = min(sum(cost[i][j] for i, j in enumerate(order)) for order in itertools.permutations(range(copies)))
    # least / copies in units of 2^(−bits·p): the leading digits as a float, and a power of two whose root is whole.
    shift = max(least.bit_length() - 64, 0) // p * p
    return math.ldexp((float(least >> shift) / copies) ** (1 / p), shift // p - bits)


def directions(n_projections: int, dim: int, seed: int) -> np.ndarray:
    """Random unit vectors (n_projections, dim)."""
    normals = np.random.Generator(np.random.Philox(key=seed)).standard_normal((n_projections, dim))
    return np.array([vector / math.sqrt(sum(x * x for x in vector)) for vector in normals])


def sliced(u, v, p, n_projections: int, seed: int) -> float:
    """(Mean of W_p^p over the projections)^(1/p), one direction after the other."""
    each = []
    for direction in directions(n_projections, u.shape[1], seed):
        x = [sum(a * b for a, b in zip(direction, point, strict=True)) for point in u]
        y = [sum(a * b for a, b in zip(direction, point, strict=True)) for point in v]
        each.append(distance_1d(x, y, p))
    if p == math.inf:
        return max(each)
    return float(np.mean([w**p for w in each])) ** (1 / p)


def gaussian(u, v) -> float:
    """W_2 of the fitted Gaussians by the formula with matrix roots; loses half the digits where the laws are close."""
    s1, s2 = np.cov(u.T, bias=True), np.cov(v.T, bias=True)
    root = np.real(sqrtm(s1))
    cross = np.real(sqrtm(root @ s2 @ root))
    shift = u.mean(axis=0) - v.mean(axis=0)
    return math.sqrt(shift @ shift + max(np.trace(s1 + s2 - 2 * cross), 0.0))


def distance_to_law(u, law, p) -> float:
    """W_p of a sample to a law with ppf and cdf, cell by cell with SciPy's adaptive quadrature."""
    u = np.sort(u)
    n = len(u)
    total = 0.0
    for i, point in enumerate(u):
        start, end = i / n, (i + 1) / n
        cuts = sorted({start, end, min(max(float(law.cdf(point)), start), end)})
        for low, high in itertools.pairwise(cuts):
            total += quad(lambda q, x=point: abs(x - law.ppf(q)) ** p, low, high, epsabs=0, epsrel=1e-10, limit=500)[0]
    return total ** (1 / p)


def halved_distances(u, v, p, count: int, seed: int) -> list[list[float]]:
    """Distances of the first and the last halves of both samples in a random order."""
    x, y = np.sort(u), np.sort(v)
    distances = []
    for b in range(count):
        generator = np.random.Generator(np.random.Philox(key=seed).jumped(2 * b))
        halves = []
        for sample in (x, y):
            mixed, size = [sample[i] for i in generator.permutation(len(sample))], max(len(sample) // 2, 1)
            halves.append((mixed[:size], mixed[-size:]))
        distances.append([distance_1d(first, second, p) for first, second in zip(*halves, strict=True)])
    return distances


def split_distances(u, v, p, count: int, seed: int) -> list[float]:
    """Distances of random splits of the pooled points by selection sampling."""
    pooled = np.sort(np.concatenate([u, v]))
    distances = []
    for b in range(count):
        uniforms = np.random.Generator(np.random.Philox(key=seed).jumped(2 * b + 1)).random(len(pooled))
        first, second = [], []
        for k, (point, uniform) in enumerate(zip(pooled, uniforms, strict=True)):
            chosen = uniform * (len(pooled) - k) < len(u) - len(first)
            (first if chosen else second).append(point)
        distances.append(distance_1d(first, second, p))
    return distances
