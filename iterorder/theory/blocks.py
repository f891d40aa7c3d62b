"""Mean contraction of blocks of maps, where single maps do not contract (batch-1 regression: Lip ≥ 1 for every map)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np

from iterorder.chunks import CHUNK_ENTRIES
from iterorder.estimate import Estimate
from iterorder.maps.base import RandomMaps
from iterorder.sampling import Sampling
from iterorder.theory.affine.items import Items
from iterorder.theory.step_draws import MAX_LISTED, all_epochs, all_steps, count_arrangements, draw_blocks
from iterorder.theory.undefined import Undefined

#: Draws of single maps, or of blocks, where they are too many to list; of blocks fewer where their products take more
#: multiplications than `WORK`.
DRAWS = {"quick": 4096, "full": 65536}
WORK = {"quick": 2.0e9, "full": 3.2e10}
MIN_DRAWS = 256
#: A single block that makes up this share of the sum of p-th powers carries the mean: the sample does not know it.
HEAVY = 0.05
#: Factors after which products are brought back to size one, and the log of the largest number.
RESCALED, LARGEST = 16, math.log(np.finfo(np.float64).max)


def block_contraction(maps: RandomMaps, items: Items, p: float, length: int, *, seed: int, effort: str) -> Estimate:
    """(E‖A_ξk ⋯ A_ξ1‖^p)^(1/p), the norms of the linear parts of k = `length` steps in a row of an affine system.

    Blocks begin with an epoch where the sampling goes by epochs. Exact where at most 5040 blocks exist.

    Parameters
    ----------
    maps : RandomMaps
        The system, affine.
    items : Items
        Of `affine_items`.
    p : float in [1, inf]
        The power of the mean; inf for the largest norm.
    length : int ≥ 1
        How many steps a block has.
    seed : int in [0, 2⁶⁴)
        Of the drawn blocks.
    effort : {"quick", "full"}
        4096 or 65536 drawn blocks, in large dimensions fewer.

    Raises
    ------
    Undefined
        If the blocks cannot be listed and p is infinite, single blocks carry the mean, or it is too large a number.

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
        rows, weights = listed
        logs = _log_norms(items, np.swapaxes(rows, 0, 1), len(rows))
        return Estimate.of(_power_mean(logs[weights > 0.0], weights[weights > 0.0], p)[0])
    if math.isinf(p):
        raise Undefined(f"the products of {length} maps are too many to list for the largest of their norms")
    count = min(DRAWS[effort], max(MIN_DRAWS, int(WORK[effort] / (items.dim**3 * length))))
    steps = (rows for drawn in draw_blocks(maps.sampling_law, seed, count, length) for rows in drawn)
    logs = _log_norms(items, steps, count)
    value, powers = _power_mean(logs, np.full(count, 1.0 / count), p)
    total = float(powers.sum())
    if value > 0.0 and not HEAVY * total >= 1.0:
        raise Undefined(
            f"one of {count} drawn products of {length} maps makes up {1.0 / total:.0%} of the mean of their norms to "
            f"the power {p:g}: Monte Carlo does not know this mean; give fewer maps or a smaller p"
        )
    mean, error = total / count, float(powers.std(ddof=1)) / math.sqrt(count)
    return Estimate.from_mean(value, value * error / (p * mean) if value > 0.0 else 0.0)


def _power_mean(logs: np.ndarray, weights: np.ndarray, p: float) -> tuple[float, np.ndarray]:
    """(Σ w·norm^p)^(1/p) from the logs of the norms, and the p-th powers of the norms over the largest."""
    largest = float(logs.max())
    if largest == -math.inf:
        return 0.0, np.zeros(len(logs))
    powers = np.exp(p * (logs - largest)) if math.isfinite(p) else (logs == largest).astype(float)
    log_mean = largest + (math.log(float(weights @ powers)) / p if math.isfinite(p) else 0.0)
    if log_mean > LARGEST:
        raise Undefined(f"the mean is exp({log_mean:.6g}), beyond the range of floating point: give fewer maps")
    return math.exp(log_mean), powers


def _listed(law: Sampling, length: int, dim: int) -> tuple[np.ndarray, np.ndarray] | None:
    """All blocks, rows (M, length, batch_size), and their weights (M,); None where they are too many."""
    if law.kind == "cyclic":
        steps = np.arange(length) % law.batches_per_epoch * law.batch_size
        return (steps[:, None] + np.arange(law.batch_size))[None], np.ones(1)
    if law.kind == "reshuffle":
        orders = count_arrangements(law.n_items, law.batch_size, min(length, law.batches_per_epoch))
        if length > law.batches_per_epoch or not _fits(orders, length, dim, law.batch_size):
            return None
        rows = all_epochs(law, length)
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


def _log_norms(items: Items, steps: Iterable[np.ndarray], count: int) -> np.ndarray:
    """log‖A_k ⋯ A_1‖ of `count` blocks, from their draws of each step in turn, rows (count, B); −inf for zero.

    What the products have grown or shrunk by is divided out now and then: thousands of factors leave floating point.
    """
    products, logs = np.broadcast_to(np.eye(items.dim), (count, items.dim, items.dim)).copy(), np.zeros(count)
    part = max(1, CHUNK_ENTRIES // items.dim**2)
    for k, rows in enumerate(steps):
        for first in range(0, count, part):
            some = slice(first, first + part)
            with np.errstate(over="ignore", invalid="ignore"):  # found when they are divided out
                products[some] = items.batch_linear_parts(rows[some]) @ products[some]
        if k % RESCALED == RESCALED - 1:
            logs += _divide_out(products)
    logs += _divide_out(products)
    with np.errstate(divide="ignore"):
        return logs + np.log(np.linalg.norm(products, 2, axis=(1, 2)))


def _divide_out(products: np.ndarray) -> np.ndarray:
    """Divide by the largest entry, and return the log of it."""
    largest = np.abs(products).max(axis=(1, 2))
    if not np.isfinite(largest).all():
        raise Undefined(f"the products of {RESCALED} linear parts exceed the range of floating point")
    largest = np.where(largest > 0.0, largest, 1.0)
    products /= largest[:, None, None]
    return np.log(largest)
