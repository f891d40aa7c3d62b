"""Mean contraction of blocks of maps, where single maps do not contract (batch-1 regression: Lip ≥ 1 for every map)."""

from __future__ import annotations

import itertools
import math

import numpy as np

from iterorder.estimate import Estimate
from iterorder.maps.base import RandomMaps
from iterorder.sampling import Sampling
from iterorder.theory.affine.chunks import CHUNK_ENTRIES
from iterorder.theory.affine.items import Items
from iterorder.theory.step_draws import MAX_LISTED, all_epochs, all_steps, count_arrangements, draw_blocks
from iterorder.theory.undefined import Undefined

#: Blocks drawn where they are too many to list; fewer where their products take more multiplications than this.
DRAWS = {"quick": 4096, "full": 65536}
WORK = {"quick": 2.0e9, "full": 3.2e10}
MIN_DRAWS = 256
#: A single block that makes up this share of the sum of p-th powers carries the mean: the sample does not know it.
HEAVY = 0.05


def block_contraction(maps: RandomMaps, items: Items, p: float, length: int, *, seed: int, effort: str) -> Estimate:
    """(E‖A_ξk ⋯ A_ξ1‖^p)^(1/p), the norms of the linear parts of k = `length` steps in a row of an affine system.

    Blocks begin with an epoch where the sampling goes by epochs. Exact where at most 5040 blocks exist.

    Parameters
    ----------
    maps : RandomMaps
    items : Items
        Of `affine_items`.
    p : float in [1, inf]
    length : int ≥ 1
    seed : int in [0, 2⁶⁴)
    effort : {"quick", "full"}
        4096 or 65536 drawn blocks, in large dimensions fewer.

    Raises
    ------
    Undefined
        If the blocks cannot be listed and p is infinite, or single blocks carry the mean.

    Examples
    --------
    Two projections: each has norm one, two of them in a row have it half of the times.

    >>> from iterorder.maps import AffineMaps
    >>> from iterorder.theory.affine.items import affine_items
    >>> maps = AffineMaps([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])], np.zeros((2, 2)))
    >>> block_contraction(maps, affine_items(maps), 1.0, 2, seed=0, effort="quick").value
    0.5
    """
    listed = _listed(maps.sampling_law, length, items.dim)
    if listed is not None:
        norms = np.linalg.norm(_products(items, listed[0]), 2, axis=(1, 2))
        return Estimate.of(_power_mean(norms, listed[1], p))
    if math.isinf(p):
        raise Undefined(f"the products of {length} maps are too many to list for the largest of their norms")
    norms = _drawn_norms(maps.sampling_law, items, length, seed, effort)
    powers = (norms / norms.max()) ** p
    count, total = len(norms), float(powers.sum())
    if HEAVY * total < 1.0:
        raise Undefined(
            f"one of {count} drawn products of {length} maps makes up {1.0 / total:.0%} of the mean of their norms to "
            f"the power {p:g}: Monte Carlo does not know this mean; give fewer maps or a smaller p"
        )
    mean, error = total / count, float(powers.std(ddof=1)) / math.sqrt(count)
    value = float(norms.max()) * mean ** (1.0 / p)
    return Estimate.from_mean(value, value * error / (p * mean))


def _power_mean(norms, weights, p: float) -> float:
    largest = float(norms[weights > 0.0].max())
    if math.isinf(p) or largest == 0.0:
        return largest
    return largest * float(weights @ (norms / largest) ** p) ** (1.0 / p)


def _listed(law: Sampling, length: int, dim: int) -> tuple[np.ndarray, np.ndarray] | None:
    """All blocks, rows (M, length, batch_size), and their weights (M,); None where they are too many."""
    if law.kind == "cyclic":
        steps = np.arange(length) % law.batches_per_epoch * law.batch_size
        return (steps[:, None] + np.arange(law.batch_size))[None], np.ones(1)
    if law.kind == "reshuffle":
        epochs = count_arrangements(law.n_items, law.batch_size, law.batches_per_epoch)
        if length > law.batches_per_epoch or not _fits(epochs, length, dim, law.batch_size):
            return None
        rows = all_epochs(law)[:, :length]
        return rows, np.full(len(rows), 1.0 / len(rows))
    single = all_steps(law)
    if single is None or length * math.log(len(single[0])) > math.log(MAX_LISTED + 1.0):
        return None
    if not _fits(len(single[0]) ** length, length, dim, law.batch_size):
        return None
    chosen = np.array(list(itertools.product(range(len(single[0])), repeat=length)))
    return single[0][chosen], single[1][chosen].prod(axis=1)


def _fits(count: float, length: int, dim: int, size: int) -> bool:
    return count <= MAX_LISTED and count * max(dim**2, length * size) <= CHUNK_ENTRIES


def _products(items: Items, rows: np.ndarray) -> np.ndarray:
    """A_k ⋯ A_1 of blocks of draws (M, k, B)."""
    products = np.broadcast_to(np.eye(items.dim), (len(rows), items.dim, items.dim))
    for step in range(rows.shape[1]):
        products = items.batch_linear_parts(rows[:, step]) @ products
    return products


def _drawn_norms(law: Sampling, items: Items, length: int, seed: int, effort: str) -> np.ndarray:
    count = min(DRAWS[effort], max(MIN_DRAWS, int(WORK[effort] / (items.dim**3 * length))))
    products = np.broadcast_to(np.eye(items.dim), (count, items.dim, items.dim)).copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for drawn in draw_blocks(law, seed, count, length):
            for rows in drawn:
                _multiply(items, rows, products)
    if not np.isfinite(products).all():
        raise Undefined(f"products of {length} linear parts exceed the range of floating point")
    return np.linalg.norm(products, 2, axis=(1, 2))


def _multiply(items: Items, rows: np.ndarray, products: np.ndarray) -> None:
    part = max(1, CHUNK_ENTRIES // items.dim**2)
    for first in range(0, len(rows), part):
        some = slice(first, first + part)
        products[some] = items.batch_linear_parts(rows[some]) @ products[some]
