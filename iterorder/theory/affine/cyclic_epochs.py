"""One epoch in cyclic order as one affine map."""

from __future__ import annotations

import numpy as np

from iterorder.chunks import chunks
from iterorder.sampling import Sampling
from iterorder.theory.affine.composition import compose, composed, loses_digits
from iterorder.theory.affine.items import DenseItems, Items, TwofoldMaps, batch_means, single_maps
from iterorder.theory.affine.law import AffineLaw

#: Most products for the map of an epoch in twice the precision, some twenty operations each.
MAX_TWOFOLD = 2**21


def cyclic_law(sampling: Sampling, items: Items) -> AffineLaw:
    """The map T_N ∘ … ∘ T_1 of one epoch: in twice the precision where it all but keeps a direction."""
    rows = _rows(sampling)
    increment, offset, largest = np.zeros((items.dim, items.dim)), np.zeros(items.dim), 0.0
    for part in chunks(len(rows), items.dim**2):
        outer_increment, outer_offset, size = composed(*items.batch_maps(rows[part]))
        increment, offset = compose(outer_increment, outer_offset, increment, offset)
        largest = max(largest, size)
    exact = None
    if np.isfinite(increment).all() and loses_digits(increment, largest):
        exact = exact_cycle(sampling, items)
    return AffineLaw(DenseItems(increment[None], offset[None]) if exact is None else exact.rounded(), np.ones(1))


def exact_cycle(sampling: Sampling, items: Items) -> TwofoldMaps | None:
    """That map in twice the precision; None where it takes too many products."""
    if items.n_items * items.dim**3 > MAX_TWOFOLD:
        return None
    rows, singles = _rows(sampling), single_maps(items)
    increment, offset, _ = composed(batch_means(singles.increments, rows), batch_means(singles.offsets, rows))
    return TwofoldMaps(increment[None], offset[None])


def _rows(sampling: Sampling) -> np.ndarray:
    return np.arange(sampling.batches_per_epoch * sampling.batch_size).reshape(-1, sampling.batch_size)
