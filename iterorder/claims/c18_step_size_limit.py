"""C18: least squares with a common solution is mean-square stable up to h* = 2·min_Q tr(HQ²)/E(aᵀQa)².

The generalised eigenproblem against the boundary that `stability_boundary` finds, for batches from one to all points;
the bounds h* ≤ 2E‖a‖²/E‖a‖⁴ ≤ 2/tr H on random laws. Controls: the bound of gradient descent, 2/λ_max, for a batch of
one, and h* of a batch of one for larger batches.
"""

from __future__ import annotations

import numpy as np

from iterorder.claims.judge import Judge
from iterorder.claims.registry import Claim, stream
from iterorder.claims.table import ClaimRow
from iterorder.maps import LinearRegressionSGD
from iterorder.theory import stability_boundary

LAWS, DIM, POINTS = 300, 3, 6


def step_size_limit(features: np.ndarray, batch_size: int = 1) -> float:
    """h*: one over the largest eigenvalue of B relative to A, quadratic forms on symmetric matrices Q.

    A(Q) = 2·tr(HQ²) and B(Q) = E tr(QH_BQH_B) for the mean H_B of the batch's aaᵀ: a share f of single points and 1 − f
    of H itself, f = (n − b)/(b(n − 1)).

    Examples
    --------
    >>> round(step_size_limit(np.array([[2.0]])), 12)  # h·a² < 2
    0.5
    """
    from scipy.linalg import eigh

    n, d = features.shape
    h = features.T @ features / n
    row, column = np.triu_indices(d)
    basis = np.zeros((len(row), d, d))
    basis[np.arange(len(row)), row, column] = 1.0
    basis[np.arange(len(row)), column, row] = 1.0
    left = np.einsum("ij,kjl->kil", h, basis)
    first = np.einsum("kij,lij->kl", basis, left + left.transpose(0, 2, 1))
    values = np.einsum("ni,kij,nj->nk", features, basis, features)
    share = (n - batch_size) / (batch_size * (n - 1)) if n > 1 else 1.0
    single, joint = values.T @ values / n, np.einsum("kij,lji->kl", left, left)
    return 1.0 / float(eigh(share * single + (1.0 - share) * joint, first, eigvals_only=True)[-1])


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C18: deterministic but for the laws, which `seed` chooses."""
    generator = np.random.default_rng(stream(seed, "C18", "laws"))
    features = generator.standard_normal((POINTS, DIM))
    solution = features @ np.ones(DIM)
    gradient_descent = 2.0 / float(np.linalg.eigvalsh(features.T @ features / POINTS)[-1])
    sizes, highest = (1, 2, 3, POINTS), gradient_descent
    found = {size: _boundary(features, solution, size, highest, judge.backend) for size in sizes}
    system, tolerance = f"{POINTS} points, d={DIM}", 1e-9 * gradient_descent
    fourth, trace = _bounds(generator)
    one = step_size_limit(features)
    return [
        *(
            judge.compare(f"{system}, batch {size}", "boundary", step_size_limit(features, size), value, tolerance)
            for size, value in found.items()
        ),
        judge.compare(f"{system}, batch {POINTS}", "2/λ_max", gradient_descent, found[POINTS], tolerance),
        judge.compare(f"{LAWS} random laws", "largest h*·E‖a‖⁴/(2E‖a‖²)", 1.0, fourth, 1e-9, relation="≤"),
        judge.compare(f"{LAWS} random laws", "largest E‖a‖²·tr H/E‖a‖⁴", 1.0, trace, 1e-9, relation="≤"),
        judge.compare(f"{system}, batch 1", "2/λ_max", gradient_descent, found[1], tolerance, control=True),
        judge.compare(f"{system}, batch 3", "boundary of batch 1", one, found[3], tolerance, control=True),
    ]


def _boundary(features, targets, batch_size, highest, backend: str) -> float:
    def make(h: float) -> LinearRegressionSGD:
        return LinearRegressionSGD(features, targets, h, batch_size=batch_size)

    return stability_boundary(make, 0.01 * highest, 1.5 * highest, backend=backend).value


def _bounds(generator) -> tuple[float, float]:
    """The largest ratios of h* to the first bound and of the first bound to the second, over random laws."""
    fourth, trace = 0.0, 0.0
    for _ in range(LAWS):
        n, d = generator.integers(2, 8), generator.integers(1, 4)
        features = generator.standard_normal((n, d)) * generator.exponential(size=(n, 1))
        squares = (features**2).sum(axis=1)
        if np.linalg.matrix_rank(features) < d:
            continue
        bound = 2.0 * squares.mean() / (squares**2).mean()
        fourth = max(fourth, step_size_limit(features) / bound)
        trace = max(trace, bound * squares.mean() / 2.0)
    return fourth, trace


CLAIM = Claim("C18", "the largest stable step of interpolating least squares", 0, check)
