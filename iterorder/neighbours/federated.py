"""Federated quadratics: clients that step K times before they are averaged, and gradients that come late.

Client c has the loss ½(x − m_c)ᵀH_c(x − m_c). K local steps of size h from x end at m_c + (I − hH_c)^K (x − m_c): an
affine map. A client drawn at random in each round, or the mean over all of them, has the fixed point (or stationary
mean)

    x_K = (Σ_c D_c)⁻¹ Σ_c D_c m_c,    D_c = I − (I − hH_c)^K,

while the minimiser of the mean loss is θ = (Σ H_c)⁻¹ Σ H_c m_c. Where the clients' curvatures differ, they agree for
K = 1 alone; for h → 0 the bias is −½ h (K − 1) H̄⁻¹ mean_c[H_c²(m_c − θ)] + O(h²) with H̄ = mean H_c (expand D_c to
second order). For K → ∞ every client arrives, and x_K is the mean of the m_c.

With a delay τ, x_{k+1} = x_k − h H_c (x_{k−τ} − m_c): the state is (x_k, …, x_{k−τ}). Its mean has no bias, but less
room: the mean is stable iff hλ < 2 sin(π/(4τ + 2)) for all eigenvalues λ of H̄. (On the boundary z^{τ+1} − z^τ + hλ = 0
has a root z = e^{iφ} with hλ = |1 − z| = 2 sin(φ/2) and τφ = (π − φ)/2, thus φ = π/(2τ + 1).)

All of it is derived here.
"""

from __future__ import annotations

import math

import numpy as np

from iterorder.maps import AffineMaps
from iterorder.validation import as_float, as_int

#: Four clients in the plane: curvatures along both axes, and minimisers.
CURVATURES = np.array([[1.0, 0.4], [0.2, 1.0], [0.6, 0.1], [0.3, 0.7]])
MINIMIZERS = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0], [0.5, 2.0]])


def clients(spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Curvatures (4, 2, 2) and minimisers (4, 2); with `spread` 0 all have the mean curvature.

    Off the axes: the second and fourth client's curvatures are rotated by 30 degrees.
    """
    spread = as_float("spread", spread, low=0.0)
    angle = math.pi / 6.0
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrices = np.array([np.diag(c) if k % 2 == 0 else turn @ np.diag(c) @ turn.T for k, c in enumerate(CURVATURES)])
    mean = matrices.mean(axis=0)
    return mean + spread * (matrices - mean), MINIMIZERS.copy()


def optimum(curvatures: np.ndarray, minimizers: np.ndarray) -> np.ndarray:
    """θ, the minimiser of the mean loss, shape (d,)."""
    return np.linalg.solve(curvatures.sum(axis=0), np.einsum("cij,cj->i", curvatures, minimizers))


def fixed_point(curvatures: np.ndarray, minimizers: np.ndarray, step_size: float, local_steps: int) -> np.ndarray:
    """x_K, the point at which rounds of K local steps settle in the mean, shape (d,)."""
    eye = np.eye(curvatures.shape[1])
    moved = eye - np.linalg.matrix_power(eye - step_size * curvatures, local_steps)
    return np.linalg.solve(moved.sum(axis=0), np.einsum("cij,cj->i", moved, minimizers))


def first_order_bias(curvatures: np.ndarray, minimizers: np.ndarray, step_size: float, local_steps: int) -> np.ndarray:
    """The bias x_K − θ to first order in the step size, shape (d,)."""
    theta = optimum(curvatures, minimizers)
    squares = np.einsum("cij,cjk,ck->i", curvatures, curvatures, minimizers - theta) / len(minimizers)
    return -0.5 * step_size * (local_steps - 1) * np.linalg.solve(curvatures.mean(axis=0), squares)


def delay_limit(delay: int) -> float:
    """The product of step size and curvature below which gradients may come `delay` steps late: 2 sin(π/(4τ + 2)).

    Examples
    --------
    >>> delay_limit(0)
    2.0
    """
    return 2.0 * math.sin(math.pi / (4.0 * delay + 2.0))


def local_steps(*, step_size: float = 0.1, steps: int = 1, spread: float = 1.0) -> AffineMaps:
    """A client drawn at random takes K steps of its own.

    Parameters
    ----------
    step_size : float > 0
        Of each of the K steps.
    steps : int ≥ 1
        K.
    spread : float ≥ 0
        How much the clients' curvatures differ.

    Examples
    --------
    >>> float(local_steps(step_size=0.5, steps=2).matrices[0, 0, 0])
    0.25
    """
    step_size = as_float("step_size", step_size, low=0.0, strict=True)
    steps = as_int("steps", steps, low=1, high=10**6)
    curvatures, minimizers = clients(spread)
    matrices = np.linalg.matrix_power(np.eye(2) - step_size * curvatures, steps)
    return AffineMaps(matrices, minimizers - np.einsum("cij,cj->ci", matrices, minimizers))


def stale_gradients(*, step_size: float = 0.1, delay: int = 1, spread: float = 1.0) -> AffineMaps:
    """A client drawn at random answers with its gradient at a state that is `delay` steps old.

    The state is (x_k, …, x_{k−τ}), newest first, shape (2(τ + 1),).

    Examples
    --------
    >>> stale_gradients(delay=3).dim
    8
    """
    step_size = as_float("step_size", step_size, low=0.0, strict=True)
    delay = as_int("delay", delay, low=0, high=100)
    curvatures, minimizers = clients(spread)
    matrices = np.zeros((len(curvatures), 2 * (delay + 1), 2 * (delay + 1)))
    matrices[:, 2:, :-2] = np.eye(2 * delay)
    matrices[:, :2, :2] = np.eye(2)
    matrices[:, :2, -2:] -= step_size * curvatures
    offsets = np.zeros((len(curvatures), 2 * (delay + 1)))
    offsets[:, :2] = step_size * np.einsum("cij,cj->ci", curvatures, minimizers)
    return AffineMaps(matrices, offsets)
