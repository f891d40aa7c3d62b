"""Curvature along a path of training: ends and trace of a Hessian, and how much a step can expand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from iterorder import noise
from iterorder.errors import AccuracyError, InvalidInputError
from iterorder.estimate import Estimate
from iterorder.networks.model import StepModel
from iterorder.shown import a_kind
from iterorder.types import ArrayLike, FloatArray, Seed
from iterorder.validation import as_float, as_int, as_seed

#: Up to so many parameters the whole Hessian is made: 64 products.
DENSE = 64
#: Products of one call: of a small network they cost little more than one.
TOGETHER = 32


def hessian_ends(
    model: StepModel, position: ArrayLike, items: ArrayLike | None = None, *, tol: float = 1e-6
) -> tuple[float, float]:
    """The smallest and the largest eigenvalue of the Hessian of the mean loss, without weight decay.

    Parameters
    ----------
    model : MLP or TorchModel
        Or any model with ``hessian_products(position, directions, items)``.
    position : array_like, shape (P,)
        The parameters, as ``model.position`` gives them of one replica.
    items : array_like of int, optional
        The batch; default: all items of the training set.
    tol : float > 0
        Relative accuracy.

    Returns
    -------
    low, high : float
        The two eigenvalues; a negative `low` shows a direction in which the loss curves down.

    Raises
    ------
    AccuracyError
        If Lanczos' method does not reach the accuracy.

    Examples
    --------
    >>> from iterorder.networks import MLP
    >>> rng = np.random.default_rng(0)
    >>> softmax = MLP(rng.normal(size=(50, 4)), rng.integers(0, 3, 50), hidden=(), step_size=0.5)
    >>> low, high = hessian_ends(softmax, np.zeros(15))
    >>> bool(low > -1e-12 and high < 2)
    True
    """
    products, n = _products(model, position, items)
    tol = as_float("tol", tol, low=0.0, strict=True)
    if n <= DENSE:
        whole = products(np.eye(n))
        values = np.linalg.eigvalsh((whole + whole.T) / 2)
        return float(values[0]), float(values[-1])
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    operator = LinearOperator((n, n), matvec=lambda v: products(v.ravel()), dtype=float)
    # The start decides nothing but the number of products; a fixed one makes the result a function of the arguments.
    start = np.random.default_rng(0).normal(size=n)
    ends = []
    for which in ("SA", "LA"):
        try:
            found = eigsh(operator, 1, which=which, tol=tol, v0=start, return_eigenvectors=False)
        except ArpackNoConvergence as error:
            raise AccuracyError(
                f"the {'least' if which == 'SA' else 'largest'} eigenvalue is not found to {tol:g}: give a larger one"
            ) from error
        ends.append(float(found[0]))
    return ends[0], ends[1]


def hessian_trace(
    model: StepModel, position: ArrayLike, items: ArrayLike | None = None, *, n_probes: int = 64, seed: Seed
) -> Estimate:
    """The trace of the Hessian of the mean loss, without weight decay.

    Parameters
    ----------
    model, position, items
        As for `hessian_ends`.
    n_probes : int ≥ 2
        Random signs v, of which vᵀHv has the trace as its mean (Hutchinson). With as many as parameters the trace is
        computed exactly instead.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the signs; not used where the trace is exact. A generator is advanced by one draw.

    Returns
    -------
    Estimate
        With the normal interval at 95 %.
    """
    products, n = _products(model, position, items)
    n_probes, seed = as_int("n_probes", n_probes, low=2, high=2**20), as_seed(seed)
    if n_probes >= n:
        return Estimate.of(sum(float(np.trace(products(block)[:, first:])) for first, block in _unit_rows(n)))
    signs = 2.0 * noise.fair_bits(seed, np.arange(n_probes)[:, None], np.arange(n)[None, :]) - 1.0
    values = []
    for first in range(0, n_probes, TOGETHER):
        rows = signs[first : first + TOGETHER]
        values.append(np.einsum("kp,kp->k", rows, products(rows)))
    found = np.concatenate(values)
    return Estimate.from_mean(found.mean(), found.std(ddof=1) / math.sqrt(n_probes))


def step_lipschitz(model: StepModel, position: ArrayLike, items: ArrayLike, *, k: int = 0, tol: float = 1e-6) -> float:
    """How much the map of one batch can expand distances near a position: the norm of its derivative there.

    Parameters
    ----------
    model : MLP or TorchModel
        Trained by SGD, with momentum or without.
    position : array_like, shape (P,)
        The parameters, as ``model.position`` gives them of one replica.
    items : array_like of int, shape (B,)
        The batch of the map: indices of the training set.
    k : int
        The number of the step, for schedules.
    tol : float > 0
        As for `hessian_ends`.

    Returns
    -------
    float
        Above 1 the map expands some direction: no contraction there. Of one map: a product of such norms bounds that of
        a path and is far from sharp, `coupled_starts` and Lyapunov exponents are what a path does.

    Notes
    -----
    For θ → (1 − h·decay)θ − h·g the largest |1 − h·decay − hλ| over the eigenvalues λ of the Hessian. With momentum μ
    the map acts on (v, θ); its derivative falls apart into blocks of two, one for each λ, whose norm is convex in λ:
    the largest is at one of the ends.
    """
    if not all(hasattr(model, name) for name in ("step_sizes", "weight_decay", "momentum")):
        raise InvalidInputError(f"model is {a_kind(model)}: the derivative of its step is not known, give one of SGD")
    if getattr(model, "draws_noise", False):
        raise InvalidInputError(
            "model draws dropout or augmentation: the derivative of its step depends on them, give a model without"
        )
    descent: Any = model  # beyond what every model has
    h = float(descent.step_sizes[min(as_int("k", k, low=0, high=2**62), len(descent.step_sizes) - 1)])
    keep, mu = 1.0 - h * descent.weight_decay, descent.momentum
    ends = hessian_ends(model, position, items, tol=tol)
    if getattr(model, "coupled_decay", False):  # decay is a part of the Hessian, and not of the parameters alone
        keep, ends = 1.0, (ends[0] + descent.weight_decay, ends[1] + descent.weight_decay)
    if not mu:
        return max(abs(keep - h * value) for value in ends)
    # v' = μv + λθ, θ' = keep·θ − h·v'.
    blocks = [np.array([[mu, value], [-h * mu, keep - h * value]]) for value in ends]
    return max(float(np.linalg.norm(block, 2)) for block in blocks)


def _products(
    model: StepModel, position: ArrayLike, items: ArrayLike | None
) -> tuple[Callable[[FloatArray], FloatArray], int]:
    """v → H·v, and the number of parameters."""
    method = getattr(model, "hessian_products", None)
    if method is None:
        raise InvalidInputError(f"model is {a_kind(model)} without hessian_products: give an MLP or a TorchModel")
    position = np.asarray(position)
    return (lambda v: method(position, v, items)), position.shape[-1]


def _unit_rows(n: int) -> Iterator[tuple[int, FloatArray]]:
    """Rows of the identity, some at a time, and the number of the first."""
    for first in range(0, n, TOGETHER):
        yield first, np.eye(min(TOGETHER, n - first), n, first)
