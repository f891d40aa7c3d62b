"""Tangent vectors that follow a chain of random maps, for many replicas at once."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.maps.optimizer import Optimizer
from iterorder.maps.rows import RowMaps
from iterorder.theory.affine.items import Items
from iterorder.theory.affine.law import step_law
from iterorder.theory.affine.moments import SecondMoments
from iterorder.theory.affine.optimizer_items import OptimizerItems
from iterorder.theory.affine.rank_one import RankOneItems
from iterorder.theory.small_step import near_minimizer, small_step_spread
from iterorder.theory.undefined import Undefined

EPS = float(np.finfo(np.float64).eps)
#: Share of all directions at the start. The second moments prefer the right ones for small steps, but can miss a block
#: of a reducible system; a share this small does not disturb, and has grown to lead after 10/(gap of the exponents).
ISOTROPIC_SHARE = 2.0**-30


class Tangent(Protocol):
    """States of the replicas, each with orthonormal tangent vectors: two for one exponent (one in one dimension)."""

    @property
    def n_replicas(self) -> int: ...
    @property
    def n_vectors(self) -> int: ...
    @property
    def blur(self) -> np.ndarray | float:
        """Bounds for the relative errors of the lengths of the last step, (R, k), beyond rounding; zero where exact."""
        ...

    def advance(self, rows) -> np.ndarray:
        """Apply the maps of a draw (R, batch_size); the diagonal of R in the QR form of the vectors, shape (R, k)."""
        ...


class Frames:
    """What all ways to push vectors share."""

    blur: np.ndarray | float = 0.0
    _frames: np.ndarray

    @property
    def n_replicas(self) -> int:
        """The number of replicas."""
        return len(self._frames)

    @property
    def n_vectors(self) -> int:
        """The number of vectors of each."""
        return self._frames.shape[1]


class AffineTangent(Frames):
    """Tangent vectors of an affine system: the state does not matter.

    Parameters
    ----------
    items : Items
        The maps of single items.
    frames : ndarray, shape (R, k, d)
        Independent vectors.
    """

    def __init__(self, items: Items, frames) -> None:
        self._items = items
        self._frames = np.array(frames)
        orthonormalise(self._frames, 0.0)
        # In one dimension nothing is added up for a single item: zero is zero.
        self._floors = (items.dim if items.dim > 1 else 0) * EPS * items.sizes()
        if not np.isfinite(self._floors).all():
            raise Undefined("the squares of entries of the linear parts exceed the range of floating point")

    def advance(self, rows) -> np.ndarray:
        """Multiply by the linear parts of a draw; a vector of rounding size counts as zero, and stays so."""
        self._frames = self._items.push(self._frames, rows)
        return orthonormalise(self._frames, self._floors[rows].mean(axis=1))


class RowTangent(Frames):
    """States of SGD on a linear model with their tangent vectors.

    The derivative of a step at x is (1 − h·ridge)I − (h/B) Σ ℓ″(a_iᵀx, b_i) a_i a_iᵀ.

    Parameters
    ----------
    maps : RowMaps
        With a curvature that is known.
    states : ndarray, shape (R, d)
        Where the tangent vectors stand.
    frames : ndarray, shape (R, k, d)
        Independent vectors.
    """

    def __init__(self, maps: RowMaps, states, frames) -> None:
        self._losses = maps
        self._rate = maps.step_size / maps.batch_size
        self._shrink = 1.0 - maps.step_size * maps.ridge
        # State and vectors side by side, (R, 1 + k, d): the rows of a batch are read once for all.
        self._rows = np.concatenate([states[:, None], frames], axis=1)
        self._frames = self._rows[:, 1:]
        orthonormalise(self._frames, 0.0)

    def advance(self, rows) -> np.ndarray:
        """Step and push: the slopes of the loss move the state, their derivatives the vectors."""
        pushed = self._pushed(self._rows, rows)
        self._rows *= self._shrink
        self._rows += self._rate * pushed
        return orthonormalise(self._frames, 0.0)

    def _pushed(self, place, rows) -> np.ndarray:
        """Minus the gradients of the losses of a draw, and their derivatives along the vectors, both without ridge."""
        a, targets, loss = self._losses.features[rows], self._losses.outcomes[rows], self._losses.loss
        products = place @ np.swapaxes(a, 1, 2)  # (R, 1 + k, B): margins, and components of the vectors
        margins = products[:, 0]
        products[:, 1:] *= -loss.curvatures(margins, targets)[:, None]
        products[:, 0] = -loss.slopes(margins, targets)
        return products @ a


class OptimizerTangent(RowTangent):
    """States (x, v) of SGD on a linear model with momentum, or x alone, with their tangent vectors.

    The derivative of a step at x: v → momentum·v + Hx, x → (1 − h·decay)·x − h·v with the new v, H the Hessian there.

    Parameters
    ----------
    maps : Optimizer
        Of steps along rows, with constant step size.
    states : ndarray, shape (R, dim)
        Where the tangent vectors stand.
    frames : ndarray, shape (R, k, dim)
        Independent vectors.
    """

    def __init__(self, maps: Optimizer, states, frames) -> None:
        losses = maps.maps
        assert isinstance(losses, RowMaps)
        super().__init__(losses, states, frames)
        self._maps, self._dim, self._ridge = maps, losses.dim, losses.ridge
        self._step_size = float(maps.step_sizes[0])

    def advance(self, rows) -> np.ndarray:
        """Step and push: the gradient of the loss enters the state, its derivative the vectors."""
        place = self._rows[:, :, : self._dim]
        velocity = self._ridge * place - self._pushed(place, rows) / rows.shape[1]
        if self._maps.momentum:
            velocity += self._maps.momentum * self._rows[:, :, self._dim :]
            self._rows[:, :, self._dim :] = velocity
        place *= 1.0 - self._step_size * self._maps.weight_decay
        place -= self._step_size * velocity
        return orthonormalise(self._frames, 0.0)


def orthonormalise(frames, floors) -> np.ndarray:
    """Gram and Schmidt in place, on the vectors of each replica; the lengths that were divided out, (R, k).

    A vector no longer than its floor becomes zero, with length zero; of three or more, those behind it as well.

    Examples
    --------
    >>> frames = np.array([[[2.0, 0.0], [1.0, 3.0]]])
    >>> orthonormalise(frames, 0.0).tolist(), frames.tolist()
    ([[2.0, 3.0]], [[[1.0, 0.0], [0.0, 1.0]]])
    """
    if frames.shape[1] > 2:
        return _by_reflections(frames, floors)
    lengths = np.empty(frames.shape[:2])
    for k in range(frames.shape[1]):
        vector = frames[:, k]
        if k == 1:
            vector -= np.einsum("rd,rd->r", frames[:, 0], vector)[:, None] * frames[:, 0]
        length = np.sqrt(np.einsum("rd,rd->r", vector, vector))
        vanished = length <= floors
        vector[vanished], length[vanished] = 0.0, 0.0
        vector /= np.where(vanished, 1.0, length)[:, None]
        lengths[:, k] = length
    return lengths


def _by_reflections(frames, floors) -> np.ndarray:
    """Householder's QR decomposition: many vectors stay orthogonal, whatever the matrix does to them."""
    q, r = np.linalg.qr(np.swapaxes(frames, 1, 2))
    diagonal = np.einsum("rkk->rk", r)
    lengths = np.abs(diagonal)
    # Vectors in general position: where one depends on those before it, so do all that follow.
    vanished = np.logical_or.accumulate(lengths <= np.reshape(floors, (-1, 1)), axis=1)
    lengths[vanished] = 0.0
    frames[...] = np.where(vanished[:, :, None], 0.0, np.swapaxes(q, 1, 2) * np.sign(diagonal)[:, :, None])
    return lengths


def slowest_directions(linear_part, first, n_vectors: int, random: np.random.Generator) -> np.ndarray:
    """Vectors to start from, (R, n_vectors, d): those given come first, (R, 1, d) or none, (R, 0, d).

    Behind them the eigenvectors of the mean linear part, of the largest moduli first, and a small isotropic part. For
    small steps no direction aligns within a run; then the exponents are those of the mean to first order, and these
    are their directions.
    """
    n_replicas, given, dim = first.shape
    values, vectors = np.linalg.eig(linear_part)
    order = np.argsort(-np.abs(values), kind="stable")
    # A pair of conjugates spans the plane of its real and imaginary parts.
    real = np.where((values.imag < 0.0)[order, None], vectors.T[order].imag, vectors.T[order].real)
    rest = np.broadcast_to(real[given:n_vectors], (n_replicas, n_vectors - given, dim))
    return np.concatenate([first, rest + ISOTROPIC_SHARE * random.standard_normal(rest.shape)], axis=1)


def affine_tangent(
    items: Items, moments: SecondMoments, n_replicas: int, seed: int, n_vectors: int = 2
) -> AffineTangent:
    """Tangent vectors in the directions that the second moments of products of the maps prefer."""
    return AffineTangent(items, _frames(moments, n_replicas, generator(seed), n_vectors))


def row_tangent(maps: RowMaps, n_replicas: int, seed: int, n_vectors: int = 2) -> RowTangent:
    """States from the normal law around the minimiser with the spread for small steps, so that little burn-in is left.

    Raises
    ------
    InvalidInputError
        If the loss has no minimiser, or no known curvature.
    """
    random = generator(seed)
    centre = near_minimizer(maps)
    values, vectors = np.linalg.eigh(small_step_spread(maps, centre))
    normals = random.standard_normal((n_replicas, maps.dim))
    states = centre + normals * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    moments = SecondMoments(step_law(maps.sampling_law, _linearised(maps, centre)))
    return RowTangent(maps, states, _frames(moments, n_replicas, random, n_vectors))


def _linearised(maps: RowMaps, centre) -> RankOneItems:
    """Least squares with the rows √ℓ″·a: its steps have the linear parts of steps from that point, where ℓ″ ≥ 0."""
    rows = np.sqrt(np.maximum(maps.curvatures(centre), 0.0))[:, None] * maps.features
    return RankOneItems(rows, np.zeros(len(rows)), maps.step_size, maps.ridge)


def optimizer_tangent(maps: Optimizer, n_replicas: int, seed: int, n_vectors: int = 2) -> OptimizerTangent:
    """States at the minimiser of the mean loss, or at the origin where there is none, at rest."""
    losses = maps.maps
    assert isinstance(losses, RowMaps)
    try:
        centre = near_minimizer(losses)
    except InvalidInputError:
        if not maps.weight_decay:
            raise
        centre = np.zeros(losses.dim)
    states = np.broadcast_to(maps.start(centre), (n_replicas, maps.dim))
    steps, h = _linearised(losses, centre), float(maps.step_sizes[0])
    items = OptimizerItems(steps, losses.step_size, h, maps.momentum, maps.weight_decay)
    mean = np.eye(maps.dim) + step_law(losses.sampling_law, items).mean_increment
    none = np.empty((n_replicas, 0, maps.dim))
    return OptimizerTangent(maps, states, slowest_directions(mean, none, min(n_vectors, maps.dim), generator(seed)))


def _frames(moments: SecondMoments, n_replicas: int, random: np.random.Generator, n_vectors: int) -> np.ndarray:
    """Normal vectors with the covariance that C → E[A C Aᵀ] multiplies, and a small isotropic part, (R, k, d).

    Two, that is; behind the first of more, and for maps in many dimensions that are not symmetric, those of
    `slowest_directions`.
    """
    dim = moments.law.dim
    mean = np.eye(dim) + moments.law.mean_increment
    preferred = np.eye(dim)
    if moments.dense:
        preferred = moments.shape
        if not np.isfinite(preferred).all():  # nilpotent maps: no direction is preferred
            preferred = np.eye(dim)
    elif moments.law.items.symmetric:
        slowest = np.linalg.eigh(moments.law.mean_increment)[1][:, -1]
        preferred = dim * np.outer(slowest, slowest)
    else:
        return slowest_directions(mean, np.empty((n_replicas, 0, dim)), n_vectors, random)
    values, vectors = np.linalg.eigh((1.0 - ISOTROPIC_SHARE) * preferred + ISOTROPIC_SHARE * np.eye(dim))
    normals = random.standard_normal((n_replicas, min(dim, 2), dim))
    frames = normals * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    return frames if n_vectors <= 2 else slowest_directions(mean, frames[:, :1], n_vectors, random)


def generator(seed: int) -> np.random.Generator:
    """The start is not part of the noise of the chain: it has a generator of its own."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
