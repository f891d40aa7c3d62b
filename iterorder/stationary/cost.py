"""What `stationary_sample` will take, from a timed piece of it."""

from __future__ import annotations

import time

from iterorder.cost import Cost
from iterorder.maps import RandomMaps
from iterorder.stationary.sample import checked_bytes, stationary_sample

#: Samples of the first piece and of the second, at least, and seconds after which a piece is long enough.
FEWEST, SAMPLE_SECONDS = 16, 0.2


def estimate_sample_cost(maps: RandomMaps, n_samples: int, **options) -> Cost:
    """Time and memory of `stationary_sample` with the same arguments, before it is run.

    Part of the work, such as the search for moments, does not depend on the number of samples: two pieces are timed,
    and a line drawn through them.

    Raises
    ------
    NotContractiveError, InvalidInputError
        Of the pieces, as of the whole.

    Examples
    --------
    >>> from iterorder import gallery
    >>> estimate_sample_cost(gallery.two_point_quadratic(0.5), 1000, seed=0).bytes
    32000
    """
    size = checked_bytes(maps, n_samples)
    few = min(FEWEST, n_samples)
    _timed(maps, few, options)  # compiles
    base = _timed(maps, few, options)
    count, spent = few, base
    while spent < SAMPLE_SECONDS and count < n_samples:
        count = min(n_samples, 8 * count)
        spent = _timed(maps, count, options)
    if count == few:
        return Cost(base, size)
    each = max(0.0, spent - base) / (count - few)
    return Cost(spent + each * (n_samples - count), size)


def _timed(maps: RandomMaps, count: int, options: dict) -> float:
    start = time.perf_counter()
    stationary_sample(maps, count, **options)
    return time.perf_counter() - start
