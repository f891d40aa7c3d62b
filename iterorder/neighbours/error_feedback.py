"""Error feedback: what a compressor leaves of a gradient is kept and sent later.

Item i is sent through a linear compressor C_i, and what was not sent is kept:

    p = h H_i(x − m_i) + e,        x ← x − C_i p,        e ← p − C_i p.

The virtual iterate x − e moves by −h H_i(x − m_i), the gradient as if nothing had been compressed. So where the mean is
stable, the mean of e stands still only if the mean gradient is zero: the stationary mean of x is the minimiser θ,
whatever the compressors are, also where they go with the items. Without memory, x ← x − h C_i H_i(x − m_i), the mean
ends where Σ C_i H_i(x − m_i) = 0, in general elsewhere.

The virtual iterate is the usual argument on error feedback; these lines derive what is used here.
"""

from __future__ import annotations

import numpy as np

from iterorder.maps import AffineMaps
from iterorder.neighbours.federated import clients
from iterorder.validation import as_choice, as_float

MEMORIES = ("none", "error-feedback")


def compressors() -> np.ndarray:
    """One coordinate of two, always the same for a client: shape (4, 2, 2)."""
    return np.array([np.diag([1.0, 0.0]) if k % 2 == 0 else np.diag([0.0, 1.0]) for k in range(4)])


def end_without_memory(curvatures: np.ndarray, minimizers: np.ndarray, sent: np.ndarray) -> np.ndarray:
    """Where the mean ends without memory: Σ C_i H_i(x − m_i) = 0, shape (d,)."""
    kept = sent @ curvatures
    return np.linalg.solve(kept.sum(axis=0), np.einsum("cij,cj->i", kept, minimizers))


def compressed(*, step_size: float = 0.1, memory: str = "error-feedback", spread: float = 1.0) -> AffineMaps:
    """The clients of `federated`, each sending one coordinate of its gradient, with or without memory.

    Parameters
    ----------
    step_size : float > 0
        The factor of what is sent.
    memory : {"none", "error-feedback"}
        The state is (x, e), shape (4,); without memory what is not sent is lost, and e is zero.
    spread : float ≥ 0
        How much the clients' curvatures differ.

    Examples
    --------
    >>> compressed(memory="none").dim, compressed().dim
    (4, 4)
    """
    step_size = as_float("step_size", step_size, low=0.0, strict=True)
    memory = as_choice("memory", memory, MEMORIES)
    curvatures, minimizers = clients(spread)
    sent, slopes = compressors(), step_size * curvatures
    pull = np.einsum("cij,cj->ci", slopes, minimizers)
    if memory == "none":
        left, spent = np.zeros_like(sent), np.zeros_like(sent)
    else:
        left, spent = np.eye(2) - sent, sent
    matrices = np.block([[np.eye(2) - sent @ slopes, -spent], [left @ slopes, left]])
    offsets = np.concatenate([np.einsum("cij,cj->ci", sent, pull), -np.einsum("cij,cj->ci", left, pull)], axis=1)
    return AffineMaps(matrices, offsets)
