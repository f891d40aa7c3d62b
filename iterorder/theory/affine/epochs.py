"""One epoch as one affine map: random reshuffling at epoch ends, and the cyclic order.

The maps of successive epochs are independent and equally distributed (the cyclic order: equal), so that the formulas
of independent sampling hold for them, with an epoch as the unit of time.
"""

from __future__ import annotations

import numpy as np

from iterorder.sampling import Sampling
from iterorder.theory.affine.chunks import CHUNK_ENTRIES, chunks
from iterorder.theory.affine.commuting import CommutingEpoch
from iterorder.theory.affine.items import DenseItems, Items
from iterorder.theory.affine.law import AffineLaw
from iterorder.theory.step_draws import MAX_LISTED, all_epochs, count_arrangements
from iterorder.theory.undefined import Undefined


def epoch_law(sampling: Sampling, items: Items) -> AffineLaw:
    """The law of the map of one epoch, for the sampling that goes by epochs.

    Parameters
    ----------
    sampling : Sampling
        Of kind "reshuffle" or "cyclic".
    items : Items

    Returns
    -------
    AffineLaw

    Raises
    ------
    Undefined
        For random reshuffling of items with different linear parts, where the orders are too many to list.
    """
    if sampling.kind == "cyclic":
        increment, offset = cyclic_map(sampling, items)
        return AffineLaw(DenseItems(increment[None], offset[None]), np.ones(1))
    if items.equal:
        return _equal_linear_parts(sampling, items)
    commuting = CommutingEpoch.of(items) if sampling.batch_size == 1 else None
    if commuting is not None:
        one_map = DenseItems(commuting.increment()[None], commuting.mean_offset()[None])
        return AffineLaw(one_map, np.ones(1), 1.0, commuting.offset_covariance)
    count = count_arrangements(sampling.n_items, sampling.batch_size, sampling.batches_per_epoch)
    if count > MAX_LISTED or count * max(items.dim**2, sampling.n_items) > CHUNK_ENTRIES:
        orders = f"{count:.0f}" if count < 1e6 else f"{count:.1e}" if np.isfinite(count) else "more than 1e20"
        raise Undefined(
            "random reshuffling has a formula where all linear parts are equal, or commute with batches of one, and up "
            f"to {MAX_LISTED} orders of an epoch are listed: here are {orders} orders of different "
            f"{items.dim}×{items.dim} maps"
        )
    epochs = all_epochs(sampling)
    increments, offsets = np.zeros((len(epochs), items.dim, items.dim)), np.zeros((len(epochs), items.dim))
    for step in range(epochs.shape[1]):
        increments, offsets = compose(*items.batch_maps(epochs[:, step]), increments, offsets)
    return AffineLaw(DenseItems(increments, offsets), np.full(len(epochs), 1.0 / len(epochs)))


def compose(outer_increment, outer_offset, inner_increment, inner_offset) -> tuple[np.ndarray, np.ndarray]:
    """Increment and offset of outer ∘ inner, shapes (..., d, d) and (..., d).

    Examples
    --------
    >>> increment, offset = compose(*(np.array([[-0.5]]), np.ones(1)), *(np.array([[1.0]]), np.zeros(1)))
    >>> increment.tolist(), offset.tolist()  # x → 2x, then x → x/2 + 1
    ([[0.0]], [1.0])
    """
    increment = outer_increment + inner_increment + outer_increment @ inner_increment
    offset = outer_offset + inner_offset + (outer_increment @ inner_offset[..., None])[..., 0]
    return increment, offset


def cyclic_map(sampling: Sampling, items: Items) -> tuple[np.ndarray, np.ndarray]:
    """Increment (d, d) and offset (d,) of T_N ∘ … ∘ T_1, the maps of one epoch in their fixed order."""
    rows = np.arange(sampling.batches_per_epoch * sampling.batch_size).reshape(-1, sampling.batch_size)
    increment, offset = np.zeros((items.dim, items.dim)), np.zeros(items.dim)
    for part in chunks(len(rows), items.dim**2):
        increments, offsets = items.batch_maps(rows[part])
        while len(offsets) > 1:  # neighbours in pairs: log₂ N rounds of array work
            even = len(offsets) // 2 * 2
            pairs = compose(increments[1:even:2], offsets[1:even:2], increments[:even:2], offsets[:even:2])
            increments, offsets = (
                np.concatenate([a, b[even:]]) for a, b in zip(pairs, (increments, offsets), strict=True)
            )
        increment, offset = compose(increments[0], offsets[0], increment, offset)
    return increment, offset


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
    return float(logarithm + np.log(radius)) if radius > floor else -np.inf


def _rescaled(matrices, logs):
    """Matrices of largest entry one and the logs of what was divided out: products of thousands would underflow."""
    largest = np.abs(matrices).max(axis=(1, 2))
    largest = np.where(largest > 0.0, largest, 1.0)
    return matrices / largest[:, None, None], logs + np.log(largest)


def _equal_linear_parts(sampling: Sampling, items: Items) -> AffineLaw:
    """Epoch ends where every item has the linear part A: theory.md C12, for matrices and batches.

    The linear part A^K of K steps is not random. Batch means of a random partition are exchangeable, with the
    covariance S(n−B)/(B(n−1)) each and −S/(n−1) between two, S that of one offset. Summed over the steps,

        Q = n/(n−1) · [Σ_j A^j S A^jᵀ / B − G S Gᵀ / n],   G = Σ_{j<K} A^j,

    computed with the deviations of A^j from their mean, as the two terms nearly cancel for small step sizes.
    """
    n, size, steps = sampling.n_items, sampling.batch_size, sampling.batches_per_epoch
    weights = np.full(n, 1.0 / n)
    mean_offset = items.mean_offset(weights)
    (increment,), _ = items.batch_maps(np.zeros((1, 1), int))
    deviations = items.residuals(np.zeros(items.dim)) - mean_offset
    covariance = deviations.T @ deviations / n
    power, mean_power = np.zeros_like(increment), np.zeros_like(increment)  # A^j − I, and their mean so far
    squares = np.zeros_like(increment)
    for j in range(steps):
        before = power - mean_power
        mean_power = mean_power + before / (j + 1)
        squares += before @ covariance @ (power - mean_power).T
        power = power + increment + increment @ power
    total = steps * (np.eye(items.dim) + mean_power)
    left_out = n - size * steps
    epoch_covariance = squares / size + left_out / (n * size * steps) * (total @ covariance @ total.T)
    epoch_covariance *= n / (n - 1) if n > 1 else 1.0
    one_map = DenseItems(power[None], (total @ mean_offset)[None])
    return AffineLaw(one_map, np.ones(1), 1.0, 0.5 * (epoch_covariance + epoch_covariance.T))
