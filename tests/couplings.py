"""Couplings whose rate is known, for the tests of rates."""

from __future__ import annotations

import numpy as np

import iterorder as ito
from iterorder.convergence import CouplingDistance, coupling_distance
from iterorder.convergence.norms import power_mean
from iterorder.convergence.rates import Rate

SEED = 20251122


def ar1(slope):
    return ito.AffineMaps([[[slope]], [[slope]]], [[-1.0], [1.0]])


def couple(maps, x0, y0, n_steps, *, order="forward", n_replicas=20, seed=SEED, **options):
    return coupling_distance(maps, x0, y0, n_steps, order=order, n_replicas=n_replicas, seed=seed, **options)


def coupling_of(per_replica, p=2.0, scale=1.0):
    """A coupling with given distances."""
    n = per_replica.shape[1]
    distance = power_mean(per_replica, p)
    return CouplingDistance(np.arange(n), distance, np.full(n, np.nan), per_replica, np.full(n, scale), p)


def contains(rate: Rate, truth: float) -> bool:
    return rate.low <= truth <= rate.high


def vervaat(m=1000):
    """x → U(1+x), U on m equally likely midpoints: E U^p = 1/(1+p) up to O(1/m²)."""
    slopes = (np.arange(m) + 0.5) / m
    return ito.AffineMaps(slopes[:, None, None], slopes[:, None])


def products(generator, n_replicas, n_steps, slopes=(0.3, 0.9)):
    factors = generator.choice(slopes, size=(n_replicas, n_steps))
    return np.concatenate([np.ones((n_replicas, 1)), np.cumprod(factors, axis=1)], axis=1)
