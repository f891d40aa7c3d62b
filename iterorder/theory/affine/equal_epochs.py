"""Random reshuffling of items that have one linear part, and any number of batches."""

from __future__ import annotations

import numpy as np

from iterorder.sampling import Sampling
from iterorder.theory.affine.composition import LOST_DIGITS, repeated
from iterorder.theory.affine.items import DenseItems, Items, TwofoldMaps, single_maps
from iterorder.theory.affine.law import AffineLaw
from iterorder.theory.affine.mean import fixed_point_of_mean
from iterorder.theory.affine.twofold import Numbers, Twofold, total, transposed
from iterorder.theory.undefined import Undefined

#: Most steps of an epoch, some 0.2 ms each, and products whose offsets are added up in twice the precision.
MAX_STEPS, MAX_TWOFOLD = 2**10, 2**20


def equal_law(sampling: Sampling, items: Items) -> AffineLaw:
    """Epoch ends where every item has the linear part A: theory.md C12, for matrices and batches.

    The linear part A^K of K steps is not random, and the mean is that of single steps: Σ_j A^j = (I − A^K)(I − A)⁻¹.
    """
    n = sampling.n_items
    offsets = items.residuals(np.zeros(items.dim))
    increment = single_maps(items.select(slice(0, 1))).increments
    one_step = TwofoldMaps(increment, (total(Twofold(offsets)) / float(n))[None]).rounded()
    deviations = offsets - one_step.offsets
    deviations = deviations - deviations.mean(axis=0)
    power, sums, covariance = _end_of_epoch(increment.rounded[0], deviations.T @ deviations / n, sampling)
    # Of E b the fixed point is all that is used; where the maps keep a direction there is none, but still a radius.
    mean = _fixed_point(one_step)
    offset = sums @ one_step.offsets[0] if mean is None else -(power @ mean.rounded)
    maps = DenseItems(power[None], offset[None])
    if _near_the_circle(increment.rounded[0]):
        steps = sampling.batches_per_epoch
        exact = repeated(increment[0], steps)
        exact_offset = Twofold(offset) if mean is None else -(exact @ mean[:, None])[:, 0]
        maps = TwofoldMaps(exact[None], exact_offset[None]).rounded()
        if items.dim > 1 and steps <= MAX_STEPS and steps * items.dim**3 <= MAX_TWOFOLD:
            # In a direction that is almost kept the noise may be a rounding of that in others.
            apart = Twofold(offsets) - total(Twofold(offsets)) / float(n)
            spread = (apart.rearranged(np.transpose) @ apart) / float(n)
            covariance = _end_of_epoch(increment[0], spread, sampling)[2]
    return AffineLaw(maps, np.ones(1), 1.0, covariance, None if mean is None else lambda: mean)


def _fixed_point(one_step: DenseItems) -> Twofold | None:
    """That of the mean map; None where the maps keep a direction."""
    try:
        return fixed_point_of_mean(AffineLaw(one_step, np.ones(1)))
    except Undefined:
        return None


def _near_the_circle(increment) -> bool:
    """Whether an eigenvalue of A is so near the unit circle that its distance loses digits: |1 + δ|² − 1."""
    values = np.linalg.eigvals(increment)
    away = np.abs(2.0 * values.real + np.abs(values) ** 2).min()
    return bool(LOST_DIGITS * away < np.abs(increment).max())


def _end_of_epoch(increment: Numbers, covariance: Numbers, sampling: Sampling) -> tuple[Numbers, Numbers, Numbers]:
    """A^K − I, G and the covariance of the offset of an epoch, from A − I and the covariance S of one offset.

    Batch means of a random partition are exchangeable, with the covariance S(n−B)/(B(n−1)) each and −S/(n−1) between
    two. Summed over the steps,

        Q = n/(n−1) · [Σ_j A^j S A^jᵀ / B − G S Gᵀ / n],   G = Σ_{j<K} A^j,

    computed with the deviations of A^j from their mean, as the two terms nearly cancel for small step sizes.
    """
    n, size, steps = sampling.n_items, sampling.batch_size, sampling.batches_per_epoch
    power = mean_power = squares = increment * 0.0  # A^j − I, and their mean so far
    for j in range(steps):
        before = power - mean_power
        mean_power = mean_power + before / (j + 1.0)
        squares = squares + before @ covariance @ transposed(power - mean_power)
        power = power + increment + increment @ power
    sums = (mean_power + np.eye(increment.shape[-1])) * float(steps)
    left_out = n - size * steps
    found = squares / float(size)
    if left_out:
        found = found + (sums @ covariance @ transposed(sums)) * float(left_out) / float(n * size * steps)
    found = found * float(n) / float(max(1, n - 1))
    return power, sums, (found + transposed(found)) * 0.5
