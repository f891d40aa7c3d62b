"""The mean offset of an epoch of commuting maps in random order, in twice the precision, from means over subsets."""

from __future__ import annotations

import numpy as np

from iterorder.theory.affine.twofold import Twofold, total


def mean_offset(steps: Twofold, offsets: Twofold) -> Twofold:
    """E Σ_j r_j ∏_{k after j} a_k over all orders, shapes (n, d) → (d,): O(n²) products.

    A set of k other items follows item j with probability 1/(n·C(n−1, k)). With E_k the mean of ∏ a over the sets of k
    of the first m items, and G_k that of Σ_j r_j ∏ a over the sets without j, one more item makes of them

        ((m+1−k) E_k + k a E_{k−1})/(m+1)   and   ((m−k) G_k + k a G_{k−1})/m + r E_k.

    Where all a are near −1 the products of k = 0, 1, … change their sign, and their sum loses what the mean is made of.

    Examples
    --------
    >>> half, one = np.array([[-0.5], [-0.5]]), np.array([[1.0], [0.0]])
    >>> mean_offset(Twofold(half), Twofold(one)).rounded.tolist()  # b = 1, or ½ if the other follows
    [0.75]
    """
    zero = Twofold(np.zeros((1, steps.shape[1])))
    subsets, marked = zero + 1.0, zero[:0]
    for m in range(len(steps)):
        factor, count = 1.0 + steps[m], np.arange(m + 2.0)[:, None]
        # Index −1 and those of sets that do not exist come with the factor zero.
        if m:
            kept, added = _extended(marked, zero, 1), _extended(marked, zero, -1)
            grown = (kept * (m - count[:-1]) + added * factor * count[:-1]) / float(m)
            marked = grown + subsets * offsets[m]
        else:
            marked = subsets * offsets[m]
        kept, added = _extended(subsets, zero, 1), _extended(subsets, zero, -1)
        subsets = (kept * (m + 1.0 - count) + added * factor * count) / (m + 1.0)
    return total(marked) / float(len(steps))


def _extended(values: Twofold, zero: Twofold, place: int) -> Twofold:
    """With a zero after the last, or before the first for −1."""
    parts = [values, zero][::place]
    return Twofold(np.concatenate([x.high for x in parts]), np.concatenate([x.low for x in parts]))
