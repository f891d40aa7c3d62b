"""The step size at which SGD on convex quadratic losses loses mean-square stability, as one eigenvalue (C18).

With D = −h·H the generator of the second moments is G_h = −h·S₁ + h²·S₂, where S₁(C) = H̄C + CH̄ and S₂(C) = E[H C H]
of a batch. Both are self-adjoint on symmetric matrices. Where no loss is concave S₂ is positive semidefinite, for
⟨C, S₂C⟩ = E tr((CH)²) = E‖H^½CH^½‖², and S₁ is positive definite where H̄ is. Then G_h is negative definite iff
⟨C, S₁C⟩ > h·⟨C, S₂C⟩ for all C, that is, iff h < h* = 1/λ_max(S₁^(−½) S₂ S₁^(−½)): no other step size is stable.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TypeGuard

import numpy as np

from iterorder.maps.base import RandomMaps
from iterorder.maps.descent import SGDMaps
from iterorder.theory.affine.half_vectorisation import from_half, half_size, to_half
from iterorder.theory.affine.items import affine_items
from iterorder.theory.affine.law import AffineLaw, step_law

EPS = float(np.finfo(np.float64).eps)
#: Up to so many unknowns the operator is a full matrix, which is as quick as Lanczos' method.
FEW_UNKNOWNS = 64


def same_losses(maps: RandomMaps, other: RandomMaps) -> bool:
    """Whether two systems of SGD differ in nothing but the step size."""
    if type(maps) is not type(other) or not _descends_quadratics(maps):
        return False
    names = [item.name for item in fields(type(maps)) if item.name != "step_size"]  # type: ignore[arg-type]
    return all(np.array_equal(getattr(maps, name), getattr(other, name)) for name in names)


def _descends_quadratics(maps: RandomMaps) -> TypeGuard[SGDMaps]:
    return isinstance(maps, SGDMaps) and maps.gradient_form().is_affine


def critical_step_size(maps: RandomMaps) -> float | None:
    """The h*, infinite where all losses are constant; None for other families, and where no such number decides.

    That is: for orders by epoch, concave losses, and a direction that the mean loss does not see.

    Examples
    --------
    >>> from iterorder.maps import LinearRegressionSGD
    >>> two_points = LinearRegressionSGD([[1.0], [2.0]], [0.0, 1.0], 0.1)  # h* = 2·E a²/E a⁴
    >>> round(critical_step_size(two_points), 12) == round(2 * 2.5 / 8.5, 12)
    True
    """
    if not _descends_quadratics(maps) or maps.sampling_law.kind != "iid" or maps.curvature_range()[0] < 0.0:
        return None
    items = affine_items(maps)
    assert items is not None, "gradients of quadratic losses are affine"
    law = step_law(maps.sampling_law, items)
    curvatures, basis = np.linalg.eigh(-law.mean_increment)
    if not curvatures[0] > law.dim * EPS * curvatures[-1]:
        return None
    drift = curvatures[:, None] + curvatures
    matrix = basis @ (_slowest(law, basis, drift) / np.sqrt(drift)) @ basis.T
    # The quotient is off by the square of the error of the matrix only, and both parts are sums of squares.
    rotated = basis.T @ matrix @ basis
    largest = float(np.vdot(rotated, _spread(law, matrix, basis))) / float(np.vdot(rotated, drift * rotated))
    return maps.step_size / largest if largest > 0.0 else math.inf


def _spread(law: AffineLaw, matrix, basis) -> np.ndarray:
    """E[D C D] of a batch, in the basis."""
    mean = law.mean_increment
    alone, together = law.items.mean_square(matrix, law.weights), mean @ matrix @ mean
    return basis.T @ (law.single_share * alone + (1.0 - law.single_share) * together) @ basis


def _slowest(law: AffineLaw, basis, drift) -> np.ndarray:
    """The eigenmatrix of λ_max, in the basis and with S₁ divided out on both sides."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    size, root = half_size(law.dim), np.sqrt(drift)

    def divided(vector):
        matrix = basis @ (from_half(vector.ravel(), law.dim) / root) @ basis.T
        return to_half(_spread(law, matrix, basis) / root)

    if size <= FEW_UNKNOWNS:
        full = np.array([divided(unit) for unit in np.eye(size)])
        vector = np.linalg.eigh(0.5 * (full + full.T))[1][:, -1]
    else:
        # From the identity, which is inside the cone of positive semidefinite matrices, as an eigenmatrix is in it.
        start = to_half(np.eye(law.dim))
        operator = LinearOperator((size, size), matvec=divided, dtype=np.float64)
        vector = eigsh(operator, k=1, which="LA", v0=start, tol=EPS)[1][:, 0]
    return from_half(vector, law.dim)
