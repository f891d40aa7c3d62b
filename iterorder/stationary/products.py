"""Products of Lipschitz constants along the maps that a run draws, and the step at which they are small enough."""

from __future__ import annotations

import math
from weakref import WeakKeyDictionary

import numpy as np

from iterorder.certificates import rounding_margin
from iterorder.errors import MapCompilationError
from iterorder.maps import AffineMaps, CustomMaps, QuadraticSGD, RandomMaps
from iterorder.progress import Report, part
from iterorder.sampling import FreshNoise
from iterorder.simulate import simulated
from iterorder.theory.contraction import lipschitz_constants

EPS, SMALLEST = float(np.finfo(np.float64).eps), float(np.finfo(np.float64).tiny)
# Samples whose products are followed together, and products kept of each: some tens of megabytes.
CHUNK, KEPT = 2**15, 64


class NotReachedError(Exception):
    """The products are still too large after the largest number of steps."""


def epoch_of(maps: RandomMaps) -> int:
    """Steps after which a backward iterate may stop: the maps of whole epochs are independent of what follows."""
    law = maps.sampling_law
    return 1 if law.kind == "iid" else law.batches_per_epoch


def product_maps(maps: RandomMaps) -> RandomMaps | float:
    """Maps x → Lip(T_ξ)·x that meet the same draws as `maps`, or the one constant of all of them.

    The constants are computed with about d roundings; those of a batch are at most the mean of its items'.
    """
    margin = rounding_margin(maps)
    law = maps.sampling_law
    if isinstance(law, FreshNoise):
        assert isinstance(maps, CustomMaps), "the bounds of other fresh maps are not known"
        bound = maps.lipschitz_bound
        return bound * margin if isinstance(bound, float) else _custom_products(maps)
    constants = margin * lipschitz_constants(maps, np.arange(law.n_items)[:, None])
    if (constants == constants[0]).all():
        return float(constants[0])
    if law.batch_size == 1:
        return AffineMaps(constants[:, None, None], np.zeros((law.n_items, 1)), law.probabilities, sampling=law.kind)
    return QuadraticSGD(1.0 - constants, np.zeros(law.n_items), 1.0, batch_size=law.batch_size, sampling=law.kind)


# The compiled products of the latest maps: a second sample of the same maps must not compile them again.
_PRODUCTS: WeakKeyDictionary[CustomMaps, CustomMaps] = WeakKeyDictionary()


def _custom_products(maps: CustomMaps) -> CustomMaps:
    if maps not in _PRODUCTS:
        _PRODUCTS[maps] = _compiled_products(maps)
    return _PRODUCTS[maps]


def _compiled_products(maps: CustomMaps) -> CustomMaps:
    from numba.extending import register_jitable

    try:
        # Callable from compiled code, and still the plain function for the trial runs.
        bound = register_jitable(getattr(maps.kept_bound, "py_func", maps.kept_bound))

        def product(x, draw, params, out):
            out[0] = x[0] * bound(draw) * params[0]

        return CustomMaps(
            product,
            dim=1,
            noise=maps.noise,
            noise_dim=maps.noise_dim,
            n_maps=maps.n_maps,
            params=(rounding_margin(maps),),
        )
    except (MapCompilationError, TypeError, AttributeError) as error:
        raise MapCompilationError(
            f"the lipschitz function of {maps!r} is evaluated along the maps of every sample, and cannot be compiled: "
            f"give a plain function of numbers ({error})"
        ) from error


def share_of_products(maps: RandomMaps) -> float:
    """Of the work of samples the share of `steps_to`: one number a step beside those of the states."""
    return 0.0 if isinstance(product_maps(maps), float) else 1.0 / (1.0 + maps.dim * maps.sampling_law.batch_size)


def steps_to(
    maps: RandomMaps,
    threshold: float,
    n_samples: int,
    *,
    seed: int,
    max_steps: int,
    backend: str = "cpu",
    report: Report | None = None,
):
    """For each sample the first step (of whole epochs) with a product of at most `threshold`, and that product.

    `report` takes the finished share: of the way to the threshold that the largest logarithm has gone.

    Returns
    -------
    n_steps : int64 array, shape (n_samples,)
        The number of steps of each sample.
    products : array, shape (n_samples,)
        The product of the Lipschitz bounds of these steps, at most `threshold`.

    Raises
    ------
    NotReachedError
        If a sample needs more than `max_steps`.
    """
    epoch = epoch_of(maps)
    if threshold >= 1.0:
        return np.zeros(n_samples, np.int64), np.ones(n_samples)
    if threshold < SMALLEST:  # products are subnormal before they reach it
        raise NotReachedError
    factors = product_maps(maps)
    if isinstance(factors, float):
        if factors >= 1.0:
            raise NotReachedError
        n = 1 if factors == 0.0 else math.ceil(math.log(threshold) / math.log(factors))
        n = -(-max(n, 1) // epoch) * epoch
        while factors > 0.0 and factors**n > threshold:  # the logarithms round
            n += epoch
        if n > max_steps:
            raise NotReachedError
        return np.full(n_samples, n), np.full(n_samples, factors**n)
    n_steps, products = np.zeros(n_samples, np.int64), np.ones(n_samples)
    for first in range(0, n_samples, CHUNK):
        chunk = slice(first, min(first + CHUNK, n_samples))
        share = part(report, first / n_samples, chunk.stop / n_samples)
        _follow(factors, threshold, epoch, n_steps[chunk], products[chunk], seed, first, max_steps, backend, share)
    return n_steps, products


def _follow(factors, threshold, epoch, n_steps, products, seed, first_replica, max_steps, backend, report) -> None:
    """Fill the steps and products of some samples, a stretch of steps at a time."""
    current, done, stride = np.ones((len(n_steps), 1)), 0, epoch
    waiting = np.ones(len(n_steps), bool)
    while waiting.any():
        saves = np.arange(1, KEPT + 1) * stride
        saves = saves[done + saves <= max_steps]
        if saves.size == 0:
            raise NotReachedError
        run = simulated(
            factors,
            current,
            int(saves[-1]),
            n_replicas=len(n_steps),
            seed=seed,
            backend=backend,
            save_steps=saves,
            first_step=done,
            first_replica=first_replica,
        ).states[:, :, 0]
        # Every product of n factors is rounded n times.
        bounds = run * (1.0 + 2.0 * EPS * (done + saves))
        small = bounds <= threshold
        found = small.any(axis=1) & waiting
        at = small.argmax(axis=1)
        n_steps[found] = done + saves[at[found]]
        products[found] = bounds[found, at[found]]
        waiting &= ~found
        if report is not None:
            report(math.log(max(float(bounds[:, -1].max()), threshold)) / math.log(threshold))
        current, done = run[:, -1:].copy(), done + int(saves[-1])
        stride = epoch * max(1, done // (4 * KEPT * epoch))
