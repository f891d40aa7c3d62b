"""All Lyapunov exponents of affine maps where they are exact: one triangular basis, or a fixed order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from iterorder.sampling import Sampling
from iterorder.theory.affine.epochs import log_radius_of_cycle
from iterorder.theory.affine.items import Items, single_maps
from iterorder.theory.affine.radius import MAX_DIM, NEAR_THE_CIRCLE, log_moduli
from iterorder.theory.affine.triangular import common_diagonals
from iterorder.theory.step_draws import all_steps

EPS = float(np.finfo(np.float64).eps)
#: Epochs that tangent vectors go round a cycle, at least and at most, and about so many maps in all: directions whose
#: moduli differ by a factor of e^(36/256) have converged to rounding by then.
FEWEST_EPOCHS, MOST_EPOCHS, MOST_MAPS = 8, 256, 20_000
#: Directions have converged where an epoch turns them by so many roundings.
CONVERGED = 1024.0


def exact_affine_spectrum(sampling: Sampling, items: Items) -> np.ndarray | None:
    """All exponents per step, largest first, of maps that one basis makes triangular, or in cyclic order; else None.

    Examples
    --------
    >>> from iterorder.theory.affine.items import affine_items
    >>> from iterorder.maps import AffineMaps
    >>> turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> maps = AffineMaps([turn, np.diag([0.5, 0.125])], np.zeros((2, 2)), sampling="cyclic")
    >>> (exact_affine_spectrum(maps.sampling_law, affine_items(maps)) / np.log(0.25)).round(12)  # |λ|² = det = 1/16
    array([0.5, 0.5])
    """
    if sampling.kind == "cyclic":
        return cycle_spectrum(sampling, items) / sampling.batches_per_epoch
    return triangular_spectrum(sampling, items)


def triangular_spectrum(sampling: Sampling, items: Items) -> np.ndarray | None:
    """E log|t_k| of the diagonal entries t_k of batch means in a common triangular basis, largest first; else None."""
    if items.equal:
        rows, weights = np.zeros((1, 1), int), np.ones(1)
        items = items.select(slice(0, 1))
    else:
        listed = all_steps(sampling)
        if listed is None:
            return None
        rows, weights = listed
    diagonals = common_diagonals(items)
    if diagonals is None:
        return None
    found = np.sort(weights @ diagonals.batch_means(rows).log_moduli())[::-1]
    near = np.abs(found) < NEAR_THE_CIRCLE
    if items.n_items > 1 or items.dim > MAX_DIM or not near.any():
        return found
    # A single map: of its eigenvalues more is known than of diagonal entries in a rounded basis.
    return np.where(near, log_moduli(single_maps(items).increments[0]), found)


def cycle_spectrum(sampling: Sampling, items: Items) -> np.ndarray:
    """The logs of the moduli of all eigenvalues of A_N ⋯ A_1, largest first; −inf where rounding hides one.

    The eigenvalues of the product itself lose all below eps of the largest. Vectors that go round the cycle instead,
    orthonormal, converge to directions that an epoch returns to themselves, with the factors that were divided out as
    moduli. Those that have not converged have moduli close to each other's: they are the eigenvalues of a block.
    """
    rows = np.arange(sampling.batches_per_epoch * sampling.batch_size).reshape(-1, sampling.batch_size)
    frame = np.linalg.qr(np.random.default_rng(0).standard_normal((items.dim, items.dim)))[0]
    floors = (items.dim if items.dim > 1 else 0) * EPS * items.sizes()[rows].mean(axis=1)
    before, kept = frame, items.dim
    for _ in range(int(np.clip(MOST_MAPS // len(rows), FEWEST_EPOCHS, MOST_EPOCHS))):
        before, kept = frame, items.dim
        for row, floor in zip(rows, floors, strict=True):
            frame, factor = _pushed(items, row, frame)
            # Columns in general position: from the first that vanishes on all are noise, and not used.
            vanished = np.flatnonzero(np.abs(np.diag(factor)) <= floor)
            kept = min([kept, *vanished[:1].tolist()])
    turned = before.T @ frame
    ends = [
        last
        for last in range(1, kept + 1)
        if last == kept or np.abs(turned[last:kept, :last]).max() <= CONVERGED * items.dim * EPS
    ]
    found = np.full(items.dim, -np.inf)
    found[:kept] = np.concatenate([np.empty(0), *_moduli_of_blocks(items, rows, frame, ends)])
    found = np.sort(found)[::-1]
    found[0] = log_radius_of_cycle(sampling, items)
    return found


def _pushed(items: Items, row, frame) -> tuple[np.ndarray, np.ndarray]:
    """Q' and R of A Q = Q'R, for the mean map A of a batch."""
    q, r = np.linalg.qr(items.push(frame.T[None], row[None])[0].T)
    return q, r


def _moduli_of_blocks(items: Items, rows, frame, ends: list[int]) -> list[np.ndarray]:
    """The logs of the moduli of the eigenvalues of each diagonal block, first … last − 1, of one epoch."""
    blocks = [slice(first, last) for first, last in pairwise([0, *ends])]
    products, logs = [np.eye(block.stop - block.start) for block in blocks], np.zeros(len(blocks))
    after = frame
    for row in rows:
        after, factor = _pushed(items, row, after)
        for k, block in enumerate(blocks):
            product = factor[block, block] @ products[k]
            largest = np.abs(product).max()
            products[k], logs[k] = product / largest, logs[k] + np.log(largest)
    turned = frame.T @ after
    with np.errstate(divide="ignore"):
        return [
            log + np.log(np.abs(np.linalg.eigvals(turned[block, block] @ product)))
            for block, product, log in zip(blocks, products, logs, strict=True)
        ]
