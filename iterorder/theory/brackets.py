"""The Lie bracket of two gradient fields: what the order of two steps changes (C11)."""

from __future__ import annotations

from iterorder.errors import InvalidInputError
from iterorder.maps.descent import SGDMaps
from iterorder.request import as_maps
from iterorder.shown import a_kind
from iterorder.types import ArrayLike, FloatArray
from iterorder.validation import as_floats, as_int


def lie_bracket(maps: SGDMaps, i: int, j: int, x: ArrayLike) -> FloatArray:
    """H_i g_j − H_j g_i at x, gradients and Hessians of the losses of items i and j.

    T_i∘T_j − T_j∘T_i = h²·(H_i g_j − H_j g_i) + O(h³), without the remainder for quadratic losses.

    Parameters
    ----------
    maps : steps of SGD
        Whose losses have second derivatives; the sampling does not matter.
    i, j : int
        The two items, counted from 0.
    x : array_like, shape (d,)
        The point.

    Returns
    -------
    ndarray, shape (d,)
        Times h² how far apart two steps in the two orders end, up to O(h³) (C11).

    Raises
    ------
    InvalidInputError
        If the maps are not steps of SGD on known losses, an item does not exist or x has another shape.

    Examples
    --------
    >>> from iterorder.maps import QuadraticSGD
    >>> maps = QuadraticSGD([1.0, 3.0], [0.0, 1.0], 0.1)
    >>> once, other = maps.apply(maps.apply([2.0], 1), 0), maps.apply(maps.apply([2.0], 0), 1)
    >>> bool(abs((once - other) - 0.01 * lie_bracket(maps, 0, 1, [2.0])) < 1e-15)
    True
    """
    if not isinstance(maps, SGDMaps):
        raise InvalidInputError(f"maps is {a_kind(maps)}: give steps of SGD on quadratic or regression losses")
    as_maps(maps)
    last = maps.sampling_law.n_items - 1
    i, j = as_int("i", i, low=0, high=last), as_int("j", j, low=0, high=last)
    point = as_floats("x", x, ndim=(1,))
    if point.shape != (maps.dim,):
        raise InvalidInputError(f"x has shape {point.shape}: give ({maps.dim},)")
    slopes = maps.gradients(point)
    return maps.hessian(point, i) @ slopes[j] - maps.hessian(point, j) @ slopes[i]
