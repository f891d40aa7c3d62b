"""Tangent vectors that follow a chain of random maps, for many replicas at once."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from iterorder.affine.items import Items
from iterorder.affine.law import step_law
from iterorder.affine.moments import SecondMoments
from iterorder.affine.rank_one import RankOneItems
from iterorder.maps.logistic_regression import LogisticRegressionSGD
from iterorder.sampling import Sampling
from iterorder.small_step import minimizer, small_step_spread

EPS = float(np.finfo(np.float64).eps)
#: Share of equally likely directions at the start: what a direction that matters in the mean square alone hides.
ISOTROPIC_SHARE = 1.0 / 64.0


class Tangent(Protocol):
    """States of the replicas with a unit tangent vector each."""

    @property
    def n_replicas(self) -> int: ...

    def advance(self, rows) -> np.ndarray:
        """Apply the maps of a draw (R, batch_size); the factors by which the vectors grew, shape (R,)."""
        ...


class AffineTangent:
    """Tangent vectors of an affine system: the state does not matter.

    Parameters
    ----------
    items : Items
    directions : ndarray, shape (R, d)
        Not zero; of any length.
    """

    def __init__(self, items: Items, directions) -> None:
        self._items = items
        self._vectors = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        # In one dimension nothing is added up for a single item: zero is zero.
        self._floors = (items.dim if items.dim > 1 else 0) * EPS * items.sizes()

    @property
    def n_replicas(self) -> int:
        """The number of replicas."""
        return len(self._vectors)

    def advance(self, rows) -> np.ndarray:
        """Multiply by the linear parts of a draw; a vector of rounding size counts as zero, growth 0."""
        pushed = self._items.push(self._vectors, rows)
        growth = np.sqrt(np.einsum("rd,rd->r", pushed, pushed))
        growth[growth <= self._floors[rows].mean(axis=1)] = 0.0
        self._vectors = pushed / growth[:, None]
        return growth


class LogisticTangent:
    """States of logistic regression with their tangent vectors.

    The derivative of a step at x is (1 − h·ridge)I − (h/B) Σ σ'(z_i) a_i a_iᵀ, z_i = y_i a_iᵀx.

    Parameters
    ----------
    maps : LogisticRegressionSGD
    states, directions : ndarray, shape (R, d)
    """

    def __init__(self, maps: LogisticRegressionSGD, states, directions) -> None:
        self._signed = maps.labels[:, None] * maps.features
        self._rate = maps.step_size / maps.batch_size
        self._shrink = 1.0 - maps.step_size * maps.ridge
        self._states = states
        self._vectors = directions / np.linalg.norm(directions, axis=1, keepdims=True)

    @property
    def n_replicas(self) -> int:
        """The number of replicas."""
        return len(self._vectors)

    def advance(self, rows) -> np.ndarray:
        """Step and push: the slopes σ(−z) of the loss move the state, their derivatives the vector."""
        a = self._signed[rows]  # y² = 1: the sign drops out of a aᵀ
        both = np.stack([self._states, self._vectors], axis=2)
        products = a @ both  # (R, B, 2): margins, and components of the tangent vectors
        slopes = 1.0 / (1.0 + np.exp(products[:, :, 0]))
        along = slopes * (slopes - 1.0) * products[:, :, 1]
        moves = np.swapaxes(np.stack([slopes, along], axis=2), 1, 2) @ a  # (R, 2, d)
        self._states = self._shrink * self._states + self._rate * moves[:, 0]
        pushed = self._shrink * self._vectors + self._rate * moves[:, 1]
        growth = np.sqrt(np.einsum("rd,rd->r", pushed, pushed))
        self._vectors = pushed / growth[:, None]
        return growth


def affine_tangent(sampling: Sampling, items: Items, n_replicas: int, seed: int) -> AffineTangent:
    """Tangent vectors in the directions that the second moments of products of the maps prefer."""
    random = _generator(seed)
    return AffineTangent(items, _directions(SecondMoments(step_law(sampling, items)), n_replicas, random))


def logistic_tangent(maps: LogisticRegressionSGD, n_replicas: int, seed: int) -> LogisticTangent:
    """States from the normal law around the minimiser with the spread for small steps, so that little burn-in is left.

    Raises
    ------
    InvalidInputError
        If the loss has no minimiser.
    """
    random = _generator(seed)
    centre = minimizer(maps)
    values, vectors = np.linalg.eigh(small_step_spread(maps, centre))
    normals = random.standard_normal((n_replicas, maps.dim))
    states = centre + normals * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    # At the minimiser a step has the linear part of least squares with the rows √σ'(z)·a.
    slopes = 1.0 / (1.0 + np.exp(np.minimum(maps.labels * (maps.features @ centre), 700.0)))
    rows = np.sqrt(slopes * (1.0 - slopes))[:, None] * maps.features
    linearised = RankOneItems(rows, np.zeros(len(rows)), maps.step_size, maps.ridge)
    moments = SecondMoments(step_law(maps.sampling_law, linearised))
    return LogisticTangent(maps, states, _directions(moments, n_replicas, random))


def _directions(moments: SecondMoments, n_replicas: int, random: np.random.Generator) -> np.ndarray:
    """Normal vectors with the covariance that E[A C Aᵀ] multiplies, and a small isotropic part."""
    dim = moments.law.dim
    preferred = np.eye(dim)
    if moments.dense:
        preferred = moments.shape
    elif moments.law.items.symmetric:
        slowest = np.linalg.eigh(moments.law.mean_increment)[1][:, -1]
        preferred = dim * np.outer(slowest, slowest)
    values, vectors = np.linalg.eigh((1.0 - ISOTROPIC_SHARE) * preferred + ISOTROPIC_SHARE * np.eye(dim))
    return random.standard_normal((n_replicas, dim)) * np.sqrt(np.maximum(values, 0.0)) @ vectors.T


def _generator(seed: int) -> np.random.Generator:
    """The start is not part of the noise of the chain: it has a generator of its own."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
