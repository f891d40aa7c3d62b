"""Contraction in L^p: r_p = (E Lip(T)^p)^(1/p) of the map of one step."""

from __future__ import annotations

import math
from functools import singledispatch

import numpy as np

from iterorder.chunks import chunks
from iterorder.estimate import Estimate
from iterorder.forms import Affine
from iterorder.maps.base import NO_BOUND, RandomMaps, form_of
from iterorder.maps.gaussian_regression import GaussianRegressionSGD
from iterorder.sampling import FreshNoise, Sampling
from iterorder.theory.affine.items import affine_items
from iterorder.theory.blocks import DRAWS, LARGEST, block_contraction
from iterorder.theory.gaussian import log_abs_moment
from iterorder.theory.step_draws import all_steps, draw_blocks
from iterorder.theory.undefined import Undefined
from iterorder.validation import as_int, as_power

#: The longest block: that many steps of 4096 drawn blocks take some seconds in one dimension.
MAX_BLOCK = 100_000


def lipschitz_constants(maps: RandomMaps, rows) -> np.ndarray:
    """`maps.lipschitz` of many draws at once.

    Parameters
    ----------
    maps : RandomMaps
        The system.
    rows : ndarray of int, shape (M, batch_size)
        The items of each draw.

    Returns
    -------
    ndarray, shape (M,)
        For losses that are not quadratic upper bounds, from the range of the curvature.

    Raises
    ------
    Undefined
        If the family knows no bound.

    Examples
    --------
    >>> from iterorder.maps import LinearRegressionSGD
    >>> maps = LinearRegressionSGD([[1.0], [2.0]], [0.0, 0.0], 0.5)
    >>> lipschitz_constants(maps, np.array([[0], [1]])).tolist()
    [0.5, 1.0]
    """
    form = form_of(maps)
    if isinstance(form, Affine):
        return _of_matrices(form, rows)
    return _known(maps, rows if rows.shape[1] > 1 else rows[:, 0].tolist())


def _known(maps: RandomMaps, draws) -> np.ndarray:
    """The Lipschitz constants of some draws, unless one is not known."""
    constants = maps.lipschitz_of_each(draws)
    if np.isnan(constants).any():
        raise Undefined(maps.unbounded or NO_BOUND)
    return constants


def _of_matrices(form: Affine, rows) -> np.ndarray:
    """The spectral norms of the mean matrices of batches."""
    constants = np.empty(len(rows))
    for part in chunks(len(rows), form.dim**2):
        mean = np.zeros((len(rows[part]), form.dim, form.dim))
        for slot in range(rows.shape[1]):
            mean += form.matrices[rows[part, slot]]
        constants[part] = np.linalg.norm(mean / rows.shape[1], 2, axis=(1, 2))
    return constants


def contraction(maps: RandomMaps, p, *, block: int = 1, seed: int = 0, effort: str = "quick") -> Estimate:
    """The mean contraction r_p = (E Lip(T)^p)^(1/p) of one step; for p = inf the largest constant, c = sup Lip.

    With independent draws W_p(law X_n, π) ≤ r_p^n W_p(δ_x0, π) (C5). For losses that are not quadratic an upper bound
    of r_p, as Lip is bounded by the range of the curvature of each draw's loss.

    Parameters
    ----------
    maps : RandomMaps
        The system.
    p : float in [1, inf]
        The power of the mean; inf for the largest constant.
    block : int ≥ 1
        The contraction of so many maps in a row, (E Lip(T_k∘…∘T_1)^p)^(1/p): from the products of their linear parts
        for finitely many affine maps. For others the upper bound r_p^k, with ``low`` zero, where draws are independent.
    seed : int in [0, 2⁶⁴)
        Of the drawn batches.
    effort : {"quick", "full"}
        4096 or 65536 drawn batches, where more than 5040 exist; those are exact.

    Returns
    -------
    Estimate
        From drawn batches and p = inf: the bound ``maps.lipschitz_max``, with the largest constant seen as ``low``.

    Raises
    ------
    InvalidInputError
        If p is below 1 or not a number.
    Undefined
        If no Lipschitz constant is known, or single drawn blocks carry the mean.

    Examples
    --------
    >>> from iterorder.maps import QuadraticSGD
    >>> maps = QuadraticSGD([1.0, 1.5], [0.0, 1.0], 1.0)
    >>> [contraction(maps, p).value for p in (1, float("inf"))]  # Lip = 0 or ½
    [0.25, 0.5]
    """
    p = as_power(p)
    length = as_int("block", block, low=1, high=MAX_BLOCK)
    if not maps.time_homogeneous:
        raise Undefined("the step size changes with the step: each has a mean contraction of its own")
    if length > 1:
        return _of_block(maps, p, length, seed, effort)
    exact = _exact(maps, p)
    if exact is not None:
        return Estimate.of(exact)
    if isinstance(maps.sampling_law, FreshNoise):
        return _power_mean_of(maps, _fresh_constants(maps, seed, DRAWS[effort]), p)
    listed = all_steps(maps.sampling_law)
    if listed is None:
        return _from_draws(maps, p, seed, DRAWS[effort])
    rows, weights = listed
    constants = lipschitz_constants(maps, rows)
    if math.isinf(p):
        return Estimate.of(constants.max())
    return Estimate.of(_power_mean(constants, weights, p))


@singledispatch
def _exact(maps: RandomMaps, p: float) -> float | None:
    """r_p of maps of the line with independent slopes, where their moments are a formula; else None."""
    return None


@_exact.register
def _(maps: GaussianRegressionSGD, p: float) -> float | None:
    if maps.dim > 1 or math.isinf(p):
        return None
    return math.exp(log_abs_moment(maps.step_size * float(maps.eigenvalues[0]), p) / p)


def _of_block(maps: RandomMaps, p: float, length: int, seed: int, effort: str) -> Estimate:
    items = affine_items(maps)
    if items is not None:
        return block_contraction(maps, items, p, length, seed=seed, effort=effort)
    single = contraction(maps, p, seed=seed, effort=effort)
    if maps.sampling_law.kind != "iid" and not math.isinf(p):
        raise Undefined("the maps of a block are not independent: only p = inf bounds their product")
    if length * math.log(max(single.high, 1.0)) > LARGEST:
        raise Undefined(f"the bound {single.high:.6g}^{length} is beyond the range of floating point: give fewer maps")
    if _exact(maps, p) is not None:
        return Estimate.of(single.value**length)  # numbers: the product of independent constants
    return Estimate(single.value**length, math.nan, 0.0, single.high**length, False)


def _power_mean(constants, weights, p) -> float:
    largest = constants.max()  # divided out: large powers neither overflow nor vanish
    return float(largest * (weights @ (constants / largest) ** p) ** (1.0 / p)) if largest > 0.0 else 0.0


def _from_draws(maps, p, seed, count) -> Estimate:
    law = maps.sampling_law
    # One step of an epoch holds a uniformly drawn batch too: independent batches serve both orders.
    independent = Sampling(law.n_items, law.batch_size)
    rows = np.concatenate([block[0] for block in draw_blocks(independent, seed, count, 1)])
    return _power_mean_of(maps, lipschitz_constants(maps, rows), p)


def _fresh_constants(maps, seed, count) -> np.ndarray:
    return _known(maps, maps.sampling_law.draws(seed, np.arange(count), 0))


def _power_mean_of(maps, constants, p) -> Estimate:
    """The power mean of the constants of independent draws."""
    count, largest = len(constants), float(constants.max())
    if constants.min() == largest and maps.lipschitz_max == largest:
        return Estimate.of(largest)  # one number for all maps
    if math.isinf(p):
        bound = maps.lipschitz_max
        if bound is None:
            raise Undefined("no bound for the largest Lipschitz constant is known: give one")
        return Estimate(bound, math.nan, min(largest, bound), bound, False)
    if largest == 0.0:
        return Estimate.from_mean(0.0, 0.0)
    powers = (constants / largest) ** p
    mean, spread = float(powers.mean()), float(powers.std(ddof=1)) / math.sqrt(count)
    value = largest * mean ** (1.0 / p)
    return Estimate.from_mean(value, value * spread / (p * mean))  # the derivative of m^(1/p)
