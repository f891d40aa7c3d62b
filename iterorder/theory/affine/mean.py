"""The mean of the stationary law of an affine system: the fixed point of the mean map (C6)."""

from __future__ import annotations

import numpy as np

from iterorder.theory.affine.items import DenseItems
from iterorder.theory.affine.law import AffineLaw
from iterorder.theory.affine.twofold import Twofold, refined, total
from iterorder.theory.undefined import Undefined

EPS = float(np.finfo(np.float64).eps)


def fixed_point_of_mean(law: AffineLaw) -> Twofold:
    """The m with m = E A m + E b, shape (d,): to twice the precision where the maps are known so.

    The offsets that move m all but cancel for small steps, and with them all that m loses.

    Raises
    ------
    Undefined
        If I − E A is singular to rounding: its smallest singular value is below that of its rounding, d·eps·‖I − E A‖.
    """
    if law.fixed_point is not None:
        return law.fixed_point()
    increment = law.mean_increment
    singular = np.linalg.svd(increment, compute_uv=False)
    if singular[-1] <= law.dim * EPS * singular[0]:
        raise Undefined("I − E A is singular: a direction exists that the maps do not change on average")
    point = Twofold(np.linalg.solve(-increment, law.items.mean_offset(law.weights)))
    maps = law.twofold
    if maps is None:
        return point
    mean, offset = total(maps.increments * law.weights[:, None, None]), total(maps.offsets * law.weights[:, None])

    def correction(x: Twofold) -> np.ndarray:
        left = (mean @ x[:, None])[:, 0] + offset
        return np.linalg.solve(-increment, left.rounded)

    return refined(point, correction)[0]


def smallest_mean_norm(law: AffineLaw) -> float:
    """The smallest E‖A_i‖ over single items, of the spectral, the row-sum and the column-sum norm."""
    means = [float(law.weights @ law.items.norms())]
    if isinstance(law.items, DenseItems):
        means += [
            float(law.weights @ np.linalg.norm(law.items.linear_parts, order, axis=(1, 2))) for order in (1, np.inf)
        ]
    return min(means)
