"""What a user would compile to get all backward iterates: one loop a saved n, each from scratch.

Each piece of the parallel loop makes two iterates, a short one and a long one: pieces cost the same on every thread.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from iterorder import noise


def items(n_maps: int, n_steps: int, n_replicas: int) -> np.ndarray:
    """The maps that `simulate` would draw with seed 0, shape (n_replicas, n_steps)."""
    return noise.indices(0, np.arange(n_replicas)[:, None], np.arange(n_steps)[None, :], n_maps)


@njit(parallel=True, fastmath=True, error_model="numpy", cache=True)
def affine_line(slopes, offsets, drawn, x0, out):
    """Affine maps on the line."""
    n_saved = drawn.shape[1]
    half = (n_saved + 1) // 2
    for piece in prange(drawn.shape[0] * half):
        r, short = piece // half, piece % half
        for n in (short + 1, n_saved - short):
            x = x0
            for k in range(n - 1, -1, -1):
                x = slopes[drawn[r, k]] * x + offsets[drawn[r, k]]
            out[r, n - 1] = x


@njit(parallel=True, fastmath=True, error_model="numpy", cache=True)
def regression(logistic, rows, targets, shrink, step_size, drawn, x0, out):
    """Linear regression, or logistic regression with the labels multiplied into the rows."""
    dim, n_saved = rows.shape[1], drawn.shape[1]
    half = (n_saved + 1) // 2
    for piece in prange(drawn.shape[0] * half):
        r, short = piece // half, piece % half
        for n in (short + 1, n_saved - short):
            x = x0.copy()
            for k in range(n - 1, -1, -1):
                i = drawn[r, k]
                z = 0.0
                for j in range(dim):
                    z += rows[i, j] * x[j]
                move = step_size / (1.0 + np.exp(z)) if logistic else -step_size * (z - targets[i])
                for j in range(dim):
                    x[j] = shrink * x[j] + move * rows[i, j]
            for j in range(dim):
                out[r, n - 1, j] = x[j]
