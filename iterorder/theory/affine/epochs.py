"""One epoch as one affine map: random reshuffling at epoch ends, and the cyclic order.

The maps of successive epochs are independent and equally distributed (the cyclic order: equal), so that the formulas
of independent sampling hold for them, with an epoch as the unit of time.
"""

from __future__ import annotations

import numpy as np

from iterorder.chunks import CHUNK_ENTRIES, chunks
from iterorder.sampling import Sampling
from iterorder.theory.affine.commuting import CommutingEpoch
from iterorder.theory.affine.cyclic_epochs import cyclic_law, exact_cycle
from iterorder.theory.affine.equal_epochs import equal_law
from iterorder.theory.affine.items import Items
from iterorder.theory.affine.law import AffineLaw
from iterorder.theory.affine.listed_epochs import listed_law
from iterorder.theory.affine.radius import MAX_DIM, NEAR_THE_CIRCLE, log_moduli
from iterorder.theory.affine.twofold import Twofold
from iterorder.theory.step_draws import MAX_LISTED, count_arrangements
from iterorder.theory.undefined import Undefined


def epoch_law(sampling: Sampling, items: Items) -> AffineLaw:
    """The law of the map of one epoch, for the sampling that goes by epochs.

    Parameters
    ----------
    sampling : Sampling
        Of kind "reshuffle" or "cyclic".
    items : Items
        The maps of single items.

    Returns
    -------
    AffineLaw
        That of the map from one epoch end to the next.

    Raises
    ------
    Undefined
        For random reshuffling of items with different linear parts, where the orders are too many to list.
    """
    if sampling.kind == "cyclic":
        return cyclic_law(sampling, items)
    if items.equal:
        return equal_law(sampling, items)
    commuting = CommutingEpoch.of(items) if sampling.batch_size == 1 else None
    count = count_arrangements(sampling.n_items, sampling.batch_size, sampling.batches_per_epoch)
    listed = count <= MAX_LISTED and count * max(items.dim**2, sampling.n_items) <= CHUNK_ENTRIES
    if commuting is not None and not (commuting.delicate and listed):
        one_map = commuting.map_of_mean().rounded()
        return AffineLaw(one_map, np.ones(1), 1.0, commuting.offset_covariance, commuting.fixed_point)
    if listed:
        return listed_law(sampling, items)
    orders = f"{count:.0f}" if count < 1e6 else f"{count:.1e}" if np.isfinite(count) else "more than 1e20"
    raise Undefined(
        "random reshuffling has a formula where all linear parts are equal, or commute with batches of one, and up to "
        f"{MAX_LISTED} orders of an epoch are listed: here are {orders} orders of different "
        f"{items.dim}×{items.dim} maps"
    )


def log_radius_of_cycle(sampling: Sampling, items: Items) -> float:
    """The log of the spectral radius of A_N ⋯ A_1, −inf where the product is nilpotent to rounding."""
    rows = np.arange(sampling.batches_per_epoch * sampling.batch_size).reshape(-1, sampling.batch_size)
    product, logarithm = np.eye(items.dim), 0.0
    for part in chunks(len(rows), items.dim**2):
        matrices, logs = _rescaled(items.batch_linear_parts(rows[part]), 0.0)
        while len(matrices) > 1:
            even = len(matrices) // 2 * 2
            halved, halved_logs = _rescaled(matrices[1:even:2] @ matrices[:even:2], logs[1:even:2] + logs[:even:2])
            matrices, logs = np.concatenate([halved, matrices[even:]]), np.concatenate([halved_logs, logs[even:]])
        (product,), (logarithm,) = _rescaled((matrices[0] @ product)[None], logs[:1] + logarithm)
    radius = float(np.abs(np.linalg.eigvals(product)).max())
    # In one dimension a product is zero only if a factor is; above, rounding hides a zero eigenvalue.
    floor = 0.0 if items.dim == 1 else items.dim * np.finfo(np.float64).eps
    found = float(logarithm + np.log(radius)) if radius > floor else -np.inf
    if not abs(found) < NEAR_THE_CIRCLE or items.dim > MAX_DIM:
        return found
    exact = exact_cycle(sampling, items)
    increment = exact.increments[0] if exact is not None else Twofold(cyclic_law(sampling, items).mean_increment)
    return log_moduli(increment)[0]


def _rescaled(matrices, logs):
    """Matrices of largest entry one and the logs of what was divided out: products of thousands would underflow."""
    largest = np.abs(matrices).max(axis=(1, 2))
    largest = np.where(largest > 0.0, largest, 1.0)
    return matrices / largest[:, None, None], logs + np.log(largest)
