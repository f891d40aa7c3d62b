"""What maps that contract in the mean square leave of the rounding of each step."""

from __future__ import annotations

import math

import numpy as np

from iterorder.rounding import EPS, geometric_growth
from iterorder.theory.affine.half_vectorisation import from_half, to_half
from iterorder.theory.affine.law import AffineLaw
from iterorder.theory.affine.moments import SecondMoments

#: The weights in the series of `mean_square_growth` fall at least by this factor: their sum is a few units.
STEEPEST = 0.5


def step_terms(law: AffineLaw, states: np.ndarray) -> np.ndarray:
    """Root mean squares of the terms |x_i| + Σ_j |D_ij x_j| + |b_i| that a step x → x + D x + b adds up, shape (d,).

    From those of the coordinates of the states, which a map is independent of: its rounding is relative to these terms,
    each in the unit of its coordinate.
    """
    spread = law.items.mean_square(law.dim * np.diag(states**2), law.weights)  # (Σ|D_ij x_j|)² ≤ d Σ(D_ij x_j)²
    offsets = law.weights @ law.items.residuals(np.zeros(law.dim)) ** 2
    return states + np.sqrt(np.diag(spread)) + np.sqrt(offsets)


def mean_square_growth(moments: SecondMoments, terms: np.ndarray) -> float:
    """A bound of Σ_k √(E‖A_k⋯A_1 e‖²), e with independent coordinates of these root mean squares.

    With c² the spectral radius of L(C) = E[A C Aᵀ], ‖terms‖/(1−c) would be too small for maps that are not symmetric,
    whose products grow before they shrink. The squares are a_k = tr Lᵏ(S), S = diag(terms²). For any ρ in (c², 1) and
    X = Σ_k ρ⁻ᵏ Lᵏ(S), which solves X = S + L(X)/ρ, the Cauchy–Schwarz inequality gives

        Σ √a_k = Σ ρ^(k/2)·√(ρ⁻ᵏ a_k) ≤ √(tr X/(1−ρ));

    with ρ = c that is ‖terms‖/(1−c) where all maps are c·I. For symmetric maps L is symmetric, so that its powers
    stretch no matrix by more than c²ᵏ: a_k ≤ √d·c²ᵏ·‖S‖. Where L is too large for a matrix, L(X) ≤ (1 − 1/λ)X with
    ρ = 1 and λ the largest eigenvalue of S^(−½) X S^(−½), so that Σ √a_k ≤ 2λ·√(tr X).

    Raises
    ------
    Undefined
        If an equation is singular to rounding.
    """
    dim, source = moments.law.dim, np.diag(terms**2)
    contraction = math.sqrt(1.0 + moments.excess)
    if moments.law.items.symmetric:
        return math.sqrt(math.sqrt(dim) * float(np.linalg.norm(source))) * geometric_growth(contraction)
    if not moments.dense:
        terms = np.maximum(terms, EPS * terms.max())
        solution = moments.solve(np.diag(terms**2))
        slowest = float(np.linalg.eigvalsh(solution / np.outer(terms, terms))[-1])
        return 2.0 * slowest * math.sqrt(float(np.trace(solution)))
    ratio = max(contraction, STEEPEST)
    equation = (ratio - 1.0) * np.eye(moments.size) - moments.matrix
    solution = from_half(np.linalg.solve(equation, ratio * to_half(source)), dim)
    return math.sqrt(float(np.trace(solution)) / (1.0 - ratio))
