"""Newton's steps on the dual of entropic transport, with the small entries of the plan left out where that pays.

The dual objective D(f) = mean(f) + mean(g(f)), g the softmin of f, is concave. Its gradient is 1/n − (row sums r),
minus its Hessian (diag(r) − m P Pᵀ)/η: a Laplacian, whose only null vector where all points exchange mass is the
constant. At small strengths most entries of the plan P are next to nothing, and conjugate gradients on a sparse P need
less time than the product P Pᵀ [1]_. Which entries go is our own rule, and so is the search along a step.

References
----------
.. [1] Tang, Shavlovsky, Rahmanian, Tardini, Thekumparampil, Xiao, Ying (2024), Accelerating Sinkhorn algorithm with
   sparse Newton iterations, arXiv 2401.12253 (its abstract: early stopping of the scaling, then Newton's steps with a
   sparsified Hessian).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from iterorder.wasserstein.sinkhorn_plan import balanced

# Steps, the least part of one, and what steadies the matrix in proportion to the gradient.
STEPS = 128
LEAST_PART = 2.0**-40
LEVENBERG = 2.0**-10
# A step is cut to this many strengths at first: beyond, entries of the plan change by more than a float can follow.
REACH = 32.0
# A step is done where the slope along it is between these parts of the first: near the top, on either side.
LEAST_SLOPE, MOST_SLOPE = -0.5, 0.3
# Speed of a product of full matrices over that of a sparse matrix and a vector, as measured on one core; and how many
# sparse products must fit into the time of a full one for them to be tried.
SPARSE_PRICE = 16
LEAST_PRODUCTS = 100


class Place(NamedTuple):
    """Potentials of the rows, the plan whose columns are met, its row sums, the objective, and its rounding."""

    f: np.ndarray
    plan: np.ndarray
    sums: np.ndarray
    value: float
    rounding: float

    @property
    def gradient(self) -> np.ndarray:
        """Of the objective: the mass that each row lacks."""
        return 1.0 / len(self.sums) - self.sums

    def is_met(self, tolerance: float, relative: float) -> bool:
        """Whether the rows lack at most `tolerance` of all mass together, and each at most `relative` of its own."""
        lacking = np.abs(self.gradient)
        return bool(lacking.sum() <= tolerance and lacking.max() * len(lacking) <= relative)


def place(cost: np.ndarray, f: np.ndarray, strength: float) -> Place:
    """The place of potentials."""
    g, plan = balanced(cost, f, strength)
    rounding = np.finfo(float).eps * float(np.abs(f).max() + np.abs(g).max())
    return Place(f, plan, plan.sum(axis=1), float(f.mean() + g.mean()), rounding)


def climbed(
    cost: np.ndarray, f: np.ndarray, strength: float, tolerance: float, relative: float, *, sparse: bool = True
) -> np.ndarray:
    """Potentials after Newton's steps, until the rows are met as asked or nothing is left to gain.

    Without `sparse` every step solves the full system: the same answer, the control of the tests.
    """
    here = place(cost, f, strength)
    for _ in range(STEPS):
        if here.is_met(tolerance, relative):
            break
        step = sparse_step(here) if sparse else None
        if step is None:  # from here on it would not pay either
            sparse = False
            step = full_step(here)
        there = searched(cost, here, strength * step, strength)
        if there is None:
            break
        here = there
    return here.f


def searched(cost: np.ndarray, here: Place, step: np.ndarray, strength: float) -> Place | None:
    """The place to which a step leads, shortened or prolonged by powers of two; None where there is nothing to gain.

    Along a step the objective is concave. What an exponential makes of it is no parabola: a part of the plan that is
    too small is overshot by any length, and one that is too large falls by e only with each step of Newton's.
    """
    slope = float(here.gradient @ step)
    longest = REACH * strength / float(np.abs(step).max()) if step.any() else 0.0
    if not slope > 0:  # rounding is all that is left
        return None
    part, best = min(1.0, longest), None
    while part >= LEAST_PART * min(1.0, longest):
        there = place(cost, here.f + part * step, strength)
        left = float(there.gradient @ step) / slope
        if left >= LEAST_SLOPE and there.value >= here.value - here.rounding:
            best = there
            if left <= MOST_SLOPE or (part >= 1 and 2 * part > longest):
                return best
            part *= 2
        elif best is not None:
            return best
        else:
            part /= 2
    return best


def steadied(here: Place) -> np.ndarray:
    """The diagonal of the system: row sums, and more of them the further the rows are from being met (Levenberg)."""
    error = float(np.abs(here.gradient).sum())
    # Row sums round to about eps.
    return here.sums * (1 + LEVENBERG * error) + np.finfo(float).eps


def full_step(here: Place) -> np.ndarray:
    """Newton's step in units of the strength, by a factorisation of the full matrix."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    n, m = here.plan.shape
    matrix = 1.0 / n**2 - m * (here.plan @ here.plan.T)
    matrix[np.diag_indices(n)] += steadied(here)
    try:
        return cho_solve(cho_factor(matrix, check_finite=False), here.gradient, check_finite=False)
    except LinAlgError:  # positive but for rounding
        return np.linalg.solve(matrix, here.gradient)


def sparse_step(here: Place) -> np.ndarray | None:
    """Newton's step without the small entries of the plan; None where that does not pay.

    Left out are entries below τ r_i/m and τ/nm, with τ = `LEVENBERG` · (mass that the rows lack), while the sums r on
    the diagonal stay. Rows then lose at most τ of their mass, columns of theirs. In the Hessian of both potentials,
    with the quadratic form Σ P_ij (x_i + y_j)², an entry D_ij left out becomes D_ij (x_i² + y_j²): a change of at most
    2 D_ij |x_i y_j| ≤ D_ij (x_i² + y_j²), in sum at most τ (Σ r_i x_i² + Σ y_j²/m). So it stays below what steadies the
    matrix (and adds on the columns, too), and vanishes with the gradient: Newton's steps stay quadratic.
    """
    from scipy.sparse import csr_array

    n, m = here.plan.shape
    gradient = here.gradient
    error = float(np.abs(gradient).sum())
    bound = LEVENBERG * error / m * np.minimum(here.sums, 1.0 / n)
    rows, columns = np.nonzero(here.plan > bound[:, None])
    products = int((n * n * m + n**3 / 3) / (SPARSE_PRICE * 4 * max(1, len(rows))))
    if products < LEAST_PRODUCTS:
        return None
    values = here.plan[rows, columns]
    plan = csr_array((values, (rows, columns)), shape=(n, m))
    transposed = plan.T.tocsr()
    diagonal = steadied(here)
    inverse = 1.0 / (diagonal - m * np.bincount(rows, values * values, n))
    # Inexact steps that stay superlinear: the residual falls below a part that falls with the gradient.
    accuracy = min(0.1, math.sqrt(error))
    return solved(lambda x: diagonal * x - m * (plan @ (transposed @ x)), gradient, inverse, accuracy, products)


def solved(matrix, right: np.ndarray, inverse: np.ndarray, accuracy: float, steps: int) -> np.ndarray | None:
    """Conjugate gradients for matrix(x) = right, preconditioned by a diagonal; None where `steps` are too few.

    Our own dozen lines: SciPy's takes an operator object and calls back through several layers at each step.
    """
    x, residual = np.zeros_like(right), right.copy()
    preconditioned = inverse * residual
    direction, product = preconditioned.copy(), float(residual @ preconditioned)
    target = accuracy * float(np.linalg.norm(right))
    for _ in range(steps):
        image = matrix(direction)
        length = product / float(direction @ image)
        x += length * direction
        residual -= length * image
        if float(np.linalg.norm(residual)) <= target:
            return x
        preconditioned = inverse * residual
        before, product = product, float(residual @ preconditioned)
        direction = preconditioned + product / before * direction
    return None
