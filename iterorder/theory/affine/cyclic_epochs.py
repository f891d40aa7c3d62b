"""One epoch in cyclic order as one affine map."""

from __future__ import annotations

import numpy as np

from iterorder.sampling import Sampling
from iterorder.theory.affine.chunks import chunks
from iterorder.theory.affine.composition import compose, composed, loses_digits
from iterorder.theory.affine.items import DenseItems, Items, TwofoldMaps, batch_means, single_maps
from iterorder.theory.affine.law import AffineLaw

#: Most products for the map of an epoch in twice the precision, some twenty operations each.
MAX_TWOFOLD = 2**21


def cyclic_law(sampling: Sampling, items: Items) -> AffineLaw:
    """The map T_N ∘ … ∘ T_1 of one epoch: in twice the precision where it all but keeps a direction."""
    rows = np.arange(sampling.batches_per_epoch * sampling.batch_size).reshape(-1, sampling.batch_size)
    increment, offset, largest = np.zeros((items.dim, items.dim)), np.zeros(items.dim), 0.0
    for part in chunks(len(rows), items.dim**2):
        outer_increment, outer_offset, size = composed(*items.batch_maps(rows[part]))
        increment, offset = compose(outer_increment, outer_offset, increment, offset)
        largest = max(largest, size)
    maps = DenseItems(increment[None], offset[None])
    if (
        np.isfinite(increment).all()
        and items.n_items * items.dim**3 <= MAX_TWOFOLD
        and loses_digits(increment, largest)
    ):
        singles = single_maps(items)
        exact = composed(batch_means(singles.increments, rows), batch_means(singles.offsets, rows))
        maps = TwofoldMaps(exact[0][None], exact[1][None]).rounded()
    return AffineLaw(maps, np.ones(1))
