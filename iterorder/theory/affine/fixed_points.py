"""Points that every map of an affine system leaves where they are, and the cycle of a fixed order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from iterorder.chunks import chunks
from iterorder.lengths import euclidean_norm
from iterorder.maps.base import RandomMaps
from iterorder.sampling import Sampling
from iterorder.theory.affine.composition import LOST_DIGITS
from iterorder.theory.affine.cyclic_epochs import cyclic_law
from iterorder.theory.affine.items import DenseItems, Items, TwofoldMaps, batch_means
from iterorder.theory.affine.mean import fixed_point_of_mean
from iterorder.theory.affine.twofold import Twofold, refined
from iterorder.theory.undefined import Undefined

EPS = float(np.finfo(np.float64).eps)
#: Corrections of the end of a cycle after its linear solve: each leaves the error times the rounding of I − A_N⋯A_1.
REFINEMENTS = 2
#: Most products for a residual.
MAX_TWOFOLD = 2**20


def common_fixed_point(sampling: Sampling, items: Items) -> np.ndarray:
    """The point that all maps of one step fix (C14), of least norm where there are several, shape (d,).

    The least-squares solution of D_i x = −b_i over all maps, each divided by ‖D_i‖, accepted if every residual is at
    the rounding level of its map: N maps in d dimensions have ‖D_i x + b_i‖ ≤ 4(d+1)√N·eps·(‖D_i‖‖x‖ + ‖b_i‖), the
    backward error of a QR solution of the stacked equations.

    Raises
    ------
    Undefined
        If the maps have no common fixed point.

    Examples
    --------
    >>> from iterorder.theory.affine.items import affine_items
    >>> from iterorder.maps import LinearRegressionSGD
    >>> maps = LinearRegressionSGD([[1.0, 0.0], [1.0, 1.0]], [1.0, 3.0], 0.5)
    >>> common_fixed_point(maps.sampling_law, affine_items(maps)).round(12).tolist()
    [1.0, 2.0]
    """
    _refuse_early(sampling, items)
    x, count, condition = _least_squares(sampling, items, np.zeros(items.dim))
    if LOST_DIGITS < condition < 1.0 / EPS and count * items.dim**2 <= MAX_TWOFOLD:
        x, _ = refined(x, lambda x: _least_squares(sampling, items, x)[0])
    tolerance = 4.0 * (items.dim + 1) * np.sqrt(count) * EPS
    for rows in _step_rows(sampling, items):
        increments, offsets = items.batch_maps(rows)
        residual = euclidean_norm(increments @ x + offsets)
        scale = np.linalg.norm(increments, axis=(1, 2)) * euclidean_norm(x) + euclidean_norm(offsets)
        excess = residual - tolerance * scale
        if not (excess <= 0.0).all():
            move = residual[np.argmax(excess)]
            raise Undefined(f"the maps have no common fixed point: one of them moves the best candidate by {move:.3g}")
    return x


def _least_squares(sampling: Sampling, items: Items, x) -> tuple[np.ndarray, int, float]:
    """The y of least norm with D_i (x + y) ≈ −b_i, each divided by ‖D_i‖; the number of maps, and the condition."""
    triangle: np.ndarray = np.zeros((0, items.dim + 1))
    count = 0
    for rows in _step_rows(sampling, items):
        increments, offsets = items.batch_maps(rows)
        norms = np.linalg.norm(increments, axis=(1, 2))
        if ((norms == 0.0) & offsets.any(axis=1)).any():
            raise Undefined("the maps have no common fixed point: one of them is a translation")
        moves = _moves(items, rows, x) if x.any() else offsets
        scaled = np.concatenate([increments, moves[:, :, None]], axis=2) / np.where(norms, norms, 1.0)[:, None, None]
        count += len(norms)
        triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, scaled.reshape(-1, items.dim + 1)]), mode="r"))
    y, _, _, singular = np.linalg.lstsq(triangle[:, :-1], -triangle[:, -1], rcond=None)
    return y, count, float(singular[0] / singular[-1]) if singular[-1] > 0.0 else np.inf


def _moves(items: Items, rows, x) -> np.ndarray:
    """T(x) − x of the means over batches, with products in twice the precision."""
    if isinstance(items, DenseItems) and items.twofold is not None:
        maps = TwofoldMaps(*(batch_means(numbers, rows) for numbers in items.twofold))
    else:
        maps = TwofoldMaps(*(Twofold(numbers) for numbers in items.batch_maps(rows)))
    return ((maps.increments @ x[:, None])[:, :, 0] + maps.offsets).rounded


def _refuse_early(sampling: Sampling, items: Items) -> None:
    """A common fixed point is one of the mean map: where that is unique and moved by some item, the rest is spared."""
    if sampling.kind == "cyclic" or sampling.batch_size == sampling.n_items:
        return
    offset = items.residuals(np.zeros(items.dim))
    if items.equal and items.n_items > 1 and isinstance(items, DenseItems) and items.given_linear_parts is not None:
        used = offset[sampling.weights > 0.0]
        apart = euclidean_norm(used - used[0]).max()
        if apart > 0.0:
            raise Undefined(f"the maps have no common fixed point: they differ by translations of up to {apart:.3g}")
    increment = items.mean_increment(sampling.weights)
    condition = np.linalg.cond(increment)
    if not condition * items.dim * EPS < 1.0:
        return
    x = np.linalg.solve(-increment, items.mean_offset(sampling.weights))
    residual = euclidean_norm(items.residuals(x))
    offset = euclidean_norm(offset)
    # x is off by condition·d·eps·‖x‖ at most, and ‖D_i‖ ≤ ‖A_i‖ + 1.
    scale = (1.0 + items.norms()) * euclidean_norm(x) + offset
    excess = np.where(sampling.weights > 0.0, residual - 4.0 * items.dim * EPS * condition * scale, 0.0)
    if (excess > 0.0).any():
        move = residual[np.argmax(excess)]
        raise Undefined(f"the maps have no common fixed point: one of them moves that of the mean by {move:.3g}")


def _step_rows(sampling: Sampling, items: Items) -> Iterator[np.ndarray]:
    """Batches, in chunks, whose maps share a fixed point iff the maps of one step do.

    Batches of fewer than all items do iff the items do: exchange one item of a batch for another.
    """
    size = sampling.batch_size
    if sampling.kind == "cyclic" or size == sampling.n_items:
        rows = np.arange(sampling.batches_per_epoch * size).reshape(-1, size)
    else:
        rows = np.flatnonzero(sampling.weights > 0.0)[:, None]
    for part in chunks(len(rows), items.dim**2):
        yield rows[part]


def cycle_points(maps: RandomMaps, items: Items) -> np.ndarray:
    """The cycle of the forward iterates in cyclic order (C13): point k is the state after map k.

    Parameters
    ----------
    maps : RandomMaps
        Affine, with ``sampling="cyclic"``.
    items : Items
        The maps of single items.

    Returns
    -------
    ndarray, shape (N, d)
        N maps (batches) of an epoch; ``cycle[0] = T_0(cycle[N-1])`` and ``cycle[k] = T_k(cycle[k-1])``, so that the
        last point is the state at epoch ends, the fixed point of T_{N−1} ∘ … ∘ T_0.

    Raises
    ------
    Undefined
        If the linear part of an epoch has the eigenvalue one.
    """
    law = cyclic_law(maps.sampling_law, items)
    increment = law.mean_increment
    singular = np.linalg.svd(increment, compute_uv=False)
    if singular[-1] <= items.dim * EPS * singular[0]:
        raise Undefined("the map of one epoch has the eigenvalue one: it has no single fixed point")
    end = fixed_point_of_mean(law).rounded
    # States are rounded relative to their size: where an epoch hardly moves them, that is more than what is left.
    if law.twofold is None and singular[0] >= 0.5:
        for _ in range(REFINEMENTS):
            end = end - np.linalg.solve(increment, follow_epoch(maps, end)[-1] - end)
    return follow_epoch(maps, end)


def follow_epoch(maps: RandomMaps, start) -> np.ndarray:
    """The states after each map of one cyclic epoch, by the literal maps, shape (N, d)."""
    law = maps.sampling_law
    states = np.empty((law.batches_per_epoch, maps.dim))
    x = start
    for step in range(law.batches_per_epoch):
        x = states[step] = maps.apply(x, np.arange(step * law.batch_size, (step + 1) * law.batch_size))
    return states
