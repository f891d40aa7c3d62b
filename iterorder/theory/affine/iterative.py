"""Iterative solvers for second moments in many dimensions, where their operator is applied and never written out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from iterorder.theory.affine.half_vectorisation import from_half, to_half
from iterorder.theory.undefined import Undefined

if TYPE_CHECKING:
    from iterorder.theory.affine.moments import SecondMoments

EPS = float(np.finfo(np.float64).eps)


def _linear_operator(moments: SecondMoments):
    """−G on half vectors, applied only."""
    from scipy.sparse.linalg import LinearOperator

    def minus_generator(vector):
        return -to_half(moments.apply(from_half(vector.ravel(), moments.law.dim)))

    return LinearOperator((moments.size, moments.size), matvec=minus_generator, dtype=np.float64)


def _preconditioner(moments: SecondMoments):
    """The inverse of the part of −G with E D alone, for symmetric maps.

    In the eigenvectors of E D it is diagonal, −(δ_k + δ_l + δ_k δ_l), and positive if E A contracts.
    """
    from scipy.sparse.linalg import LinearOperator

    values, vectors = np.linalg.eigh(moments.law.mean_increment)
    divisor = np.abs(values[:, None] + values + values[:, None] * values)
    divisor = np.maximum(divisor, EPS * moments.scale)

    def divide(vector):
        rotated = vectors.T @ from_half(vector.ravel(), moments.law.dim) @ vectors
        return to_half(vectors @ (rotated / divisor) @ vectors.T)

    return LinearOperator((moments.size, moments.size), matvec=divide, dtype=np.float64)


def rightmost(moments: SecondMoments) -> tuple[float, np.ndarray]:
    """The rightmost eigenvalue and a unit eigenvector, from the identity, which is inside the cone."""
    from scipy.sparse.linalg import ArpackNoConvergence, eigs

    start = to_half(np.eye(moments.law.dim))
    if moments.law.items.symmetric:
        return _rightmost_of_symmetric(moments, start)
    restarts = max(1, moments.applications // 20)  # each about as long as the Krylov basis
    try:
        values, vectors = eigs(_linear_operator(moments), k=1, which="SR", v0=start, maxiter=restarts)
    except ArpackNoConvergence:
        raise Undefined("the iteration for the spectral radius of C → E[A C Aᵀ] did not converge") from None
    return -float(values[0].real), vectors[:, 0].real


def _rightmost_of_symmetric(moments: SecondMoments, start) -> tuple[float, np.ndarray]:
    """Preconditioned conjugate gradients on the Rayleigh quotient, whose error is residual²/gap."""
    from scipy.sparse.linalg import lobpcg

    operator = _linear_operator(moments)
    # One inverse iteration, where G is known to be negative, starts near the slowest direction.
    near = to_half(moments.solve(np.eye(moments.law.dim))) if moments.certified_stable else start
    near = near / np.linalg.norm(near)
    tolerance = EPS**0.5 * abs(float(near @ (operator @ near)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the residual is looked at below
        _, vectors = lobpcg(
            operator,
            near[:, None],
            M=_preconditioner(moments),
            largest=False,
            tol=tolerance,
            maxiter=moments.applications,
        )
    vector = vectors[:, 0] / np.linalg.norm(vectors[:, 0])
    image = operator @ vector
    value = float(vector @ image)
    if np.linalg.norm(image - value * vector) > 10.0 * tolerance:
        raise Undefined("the iteration for the spectral radius of C → E[A C Aᵀ] did not converge")
    return -value, vector


def solve(moments: SecondMoments, source) -> np.ndarray:
    """Conjugate gradients (GMRES for maps that are not symmetric), with one step of refinement."""
    from scipy.sparse.linalg import cg, gmres

    operator, target = _linear_operator(moments), to_half(source)
    tolerance = EPS * moments.size**0.5
    if moments.law.items.symmetric:
        settings = {"rtol": tolerance, "M": _preconditioner(moments), "maxiter": moments.applications}
        solver = cg
    else:
        settings = {"rtol": 100 * tolerance, "restart": 60, "maxiter": max(1, moments.applications // 60)}
        solver = gmres
    solution, failed = solver(operator, target, **settings)
    if not failed:
        correction, failed = solver(operator, target - operator @ solution, **{**settings, "rtol": 1e-3})
        solution = solution + correction
    if failed:
        raise Undefined("the iterative solver of the second-moment equation did not converge: the system is too stiff")
    return from_half(solution, moments.law.dim)
