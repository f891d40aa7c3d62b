"""An estimate of Lipschitz constants from differences: what can be seen of them, no bound."""

from __future__ import annotations

import math

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.lengths import euclidean_norm
from iterorder.maps.base import RandomMaps
from iterorder.noise import uniforms
from iterorder.request import as_system
from iterorder.types import ArrayLike, FloatArray, Seed
from iterorder.validation import as_floats, as_seed

EPS = float(np.finfo(np.float64).eps)
DRAWS, PAIRS = 128, 64
#: Pairs are this share of the box apart, and the next smaller ones: far for bounds that hold on the whole box, near for
#: derivatives.
SCALES = (1.0, 1e-2, 1e-5)


def estimate_lipschitz(maps: RandomMaps, box: ArrayLike, *, seed: Seed) -> Estimate:
    """The largest stretch ‖T(x) − T(y)‖/‖x − y‖ seen in a box, over drawn maps and pairs of points.

    The rounding of both images, some 16·d of their size, is taken off first: what is left was stretched.

    Parameters
    ----------
    maps : RandomMaps
        The system.
    box : array_like, shape (d, 2) or (2,)
        Lower and upper end of each coordinate, or of all of them.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the maps and of the points; a generator is advanced by one draw.

    Returns
    -------
    Estimate
        ``value`` and ``low`` are what was seen: the Lipschitz constant is at least that. ``high`` is infinite, and
        ``exact`` false: no certificate may rest on it.

    Raises
    ------
    InvalidInputError
        If the box is not as described, or no pair of images is finite.

    Examples
    --------
    >>> from iterorder.maps import gallery
    >>> found = estimate_lipschitz(gallery.two_point_quadratic(0.3), [-1.0, 1.0], seed=0)
    >>> round(found.value, 6), found.high, found.exact
    (0.7, inf, False)
    """
    maps, seed = as_system(maps), as_seed(seed)
    sides = as_floats("box", box, ndim=(1, 2))
    if sides.shape == (2,):
        sides = np.tile(sides, (maps.dim, 1))
    if sides.shape != (maps.dim, 2):
        raise InvalidInputError(f"box has shape {sides.shape}: give ({maps.dim}, 2), or (2,) for all coordinates")
    with np.errstate(over="ignore"):
        low, width = sides[:, 0], sides[:, 1] - sides[:, 0]
    if not np.isfinite(width).all():
        raise InvalidInputError("box is wider than the largest floating-point number: give a smaller box")
    if not (width > 0.0).all():
        worst = int(width.argmin())
        raise InvalidInputError(f"box[{worst}] is {sides[worst].tolist()}: give a lower end below the upper one")
    places = uniforms(seed, np.arange(DRAWS)[:, None], np.arange(PAIRS), 2 * maps.dim)
    seen, largest = False, 0.0
    for k in range(DRAWS):
        draw, x = maps.draw(seed, k, k), low + width * places[k, :, : maps.dim]
        for scale in SCALES:
            # Towards another point of the box, so that both ends lie inside.
            y = x + scale * (low + width * places[k, :, maps.dim :] - x)
            with np.errstate(all="ignore"):
                stretches = _stretches(x, y, maps.apply(x, draw), maps.apply(y, draw))
            finite = stretches[np.isfinite(stretches)]
            seen = seen or finite.size > 0
            largest = max(largest, float(finite.max(initial=0.0)))
    if not seen:
        raise InvalidInputError("no image of a point of the box is finite: give a smaller box")
    return Estimate(largest, math.nan, largest, math.inf, False)


def _stretches(x: FloatArray, y: FloatArray, image_of_x: FloatArray, image_of_y: FloatArray) -> np.ndarray:
    """How far each pair was stretched at least, shape (n,): the rounding of images and of places is taken off."""
    sizes = sum(np.abs(states).max(axis=1) for states in (x, y, image_of_x, image_of_y))
    after = euclidean_norm(image_of_x - image_of_y) - 16.0 * x.shape[1] * EPS * sizes
    return after / euclidean_norm(x - y)
