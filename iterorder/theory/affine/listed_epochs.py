"""Random reshuffling of few items: the maps of all orders of an epoch."""

from __future__ import annotations

import numpy as np

from iterorder.lengths import euclidean_norm
from iterorder.sampling import Sampling
from iterorder.theory.affine.composition import LOST_DIGITS, compose, loses_digits
from iterorder.theory.affine.items import DenseItems, Items, TwofoldMaps, batch_means, single_maps
from iterorder.theory.affine.law import AffineLaw
from iterorder.theory.affine.twofold import Numbers
from iterorder.theory.step_draws import all_epochs, count_arrangements

EPS = float(np.finfo(np.float64).eps)
#: Up to so many products all orders are composed in twice the precision at once, some 0.1 s; and where digits are lost.
CHEAP_TWOFOLD, MOST_TWOFOLD = 2**21, 2**25


def listed_law(sampling: Sampling, items: Items) -> AffineLaw:
    """Every order of an epoch, all equally likely.

    Small steps move a point by what all orders share and differ in the square of it; near −1 the map of an epoch may
    be close to the identity while its steps are not. Both lose digits of working precision.
    """
    prefixes = _prefixes(sampling)
    cost = sum(len(rows) for rows in prefixes) * items.dim**3
    if cost > CHEAP_TWOFOLD:
        law = _law(DenseItems(*_all_orders(*items.batch_maps(np.arange(items.n_items)[:, None]), prefixes)))
        if cost > MOST_TWOFOLD or not _loses_digits(law, items):
            return law
    maps = TwofoldMaps(*_all_orders(*single_maps(items), prefixes))
    return _law(maps.rounded())


def _law(epochs: DenseItems) -> AffineLaw:
    return AffineLaw(epochs, np.full(epochs.n_items, 1.0 / epochs.n_items))


def _prefixes(sampling: Sampling) -> list[np.ndarray]:
    """The batches that step k adds to each order of k batches, rows of shape (M_k, batch_size)."""
    epochs, prefixes = all_epochs(sampling), []
    for step in range(epochs.shape[1]):
        # Orders that begin alike stand together.
        every = len(epochs) / count_arrangements(sampling.n_items, sampling.batch_size, step + 1)
        prefixes.append(epochs[:: round(every), step])
    return prefixes


def _all_orders(increments: Numbers, offsets: Numbers, prefixes: list[np.ndarray]) -> tuple[Numbers, Numbers]:
    """The maps of all epochs from those of the items: what begins alike is composed once."""
    inner, moved = batch_means(increments, prefixes[0]), batch_means(offsets, prefixes[0])
    for rows in prefixes[1:]:
        alike = np.repeat(np.arange(len(moved)), len(rows) // len(moved))
        inner, moved = compose(batch_means(increments, rows), batch_means(offsets, rows), inner[alike], moved[alike])
    return inner, moved


def _loses_digits(law: AffineLaw, items: Items) -> bool:
    """Whether rounding of the maps shows in the mean, or in what they move it by."""
    increments, offsets = items.batch_maps(np.arange(items.n_items)[:, None])
    steps = np.linalg.norm(increments, axis=(1, 2))
    if loses_digits(law.mean_increment, float(steps.max())):
        return True
    mean = np.linalg.solve(-law.mean_increment, law.items.mean_offset(law.weights))
    moves = euclidean_norm(law.items.residuals(mean).ravel())
    terms = np.sqrt(law.items.n_items) * (steps * euclidean_norm(mean) + euclidean_norm(offsets)).max()
    # Moves that are nothing but rounding are those of a common fixed point.
    return bool(LOST_DIGITS * EPS * terms < moves < terms / LOST_DIGITS)
