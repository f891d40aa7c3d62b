"""Tangent vectors of maps whose derivative nobody wrote down: differences of images under the same draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from iterorder.lengths import euclidean_norm
from iterorder.theory.tangent import Frames, orthonormalise

EPS = float(np.finfo(np.float64).eps)
#: The smallest positive float.
LEAST = float(np.finfo(np.float64).smallest_subnormal)
#: States and words of one step → images, as `kernels.images.images_of` returns it.
Images = Callable[[np.ndarray, np.ndarray], np.ndarray]
#: A step rounds like dim + 9 operations on numbers of the size of the state, as certificates assume.
OPERATIONS = 9
#: Distance of the points at which the linear part of an affine map is seen: so far that offsets leave it its digits,
#: and far enough from the end of floating point. A linear part below 10⁻⁷⁰ of its offset counts as zero. Where an
#: offset is beyond the second number, the points are farther away.
FAR, LARGE_OFFSET, FARTHEST = 2.0**200, 2.0**100, 2.0**1000
#: Central differences of a smooth map are best at a shift of ∛eps: truncation and rounding are both about eps^(2/3).
SHIFT = EPS ** (1.0 / 3.0)
#: That is where a map bends over the size of its states. These multiples are tried for others, smallest first: a law
#: may be narrow and far from the origin, or a map may bend many times over the size of a state.
MULTIPLES = tuple(2.0**k for k in range(-28, 9, 4))
#: The least size of states: the smallest share of it is no subnormal number.
SMALLEST = 1e-280
#: Derivatives over two shifts contradict each other where they differ by more than so many times their errors, which
#: may be small by chance, in more than this share of what is compared.
SLACK, MAY_CONTRADICT = 8.0, 2.0**-4
#: A difference whose error may be this share of it does not show the derivative.
UNRESOLVED = 0.125
#: A map that does not change over a shift is flat if it does not over this share of the size of the state either.
PLATEAU = 2.0**-6


class AffineDifferences(Frames):
    """Tangent vectors of maps that are affine in the state: a difference from the image of the origin is exact.

    Parameters
    ----------
    images : Images
        The maps on many states at once.
    frames : ndarray, shape (R, k, d)
        Independent vectors.
    """

    def __init__(self, images: Images, frames) -> None:
        self._images, self._frames = images, np.array(frames)
        orthonormalise(self._frames, 0.0)
        self.blur = (self._frames.shape[2] + OPERATIONS) * EPS

    def advance(self, words) -> np.ndarray:
        """Multiply by the linear parts of a draw; a vector of rounding size counts as zero, and stays so."""
        dim = self._frames.shape[2]
        pushed, offsets = linear_images(self._images, self._frames, words)
        floors = euclidean_norm(offsets) / _distance(offsets)
        if dim > 1:  # in one dimension nothing is added up: zero is zero
            floors += euclidean_norm(pushed).max(axis=1)
        self._frames = pushed
        return orthonormalise(self._frames, (dim + OPERATIONS) * EPS * floors)


def linear_images(images: Images, vectors, words) -> tuple[np.ndarray, np.ndarray]:
    """A v and b of affine maps x → A x + b, for vectors (R, k, d): shapes (R, k, d) and (R, d)."""
    offsets = images(np.zeros_like(vectors[:, :1]), words)[:, 0]
    far = _distance(offsets)[:, None, None]
    return (images(far * vectors, words) - offsets[:, None]) / far, offsets


def _distance(offsets) -> np.ndarray:
    """How far from the origin maps with these offsets show their linear parts, shape (R,)."""
    return np.where(np.abs(offsets).max(axis=1) <= LARGE_OFFSET, FAR, FARTHEST)


class CurvedDifferences(Frames):
    """States with tangent vectors that differences of the images of close states push.

    Each difference is taken twice, the second time over twice the distance: what changes bounds the error of the first
    where the map is smooth over that distance, and rounding is added. Of the central, the forward and the backward
    difference the one that changes least counts, so that a kink or a jump between the points, or at the state, costs
    nothing.

    Parameters
    ----------
    images : Images
        The maps on many states at once.
    states : ndarray, shape (R, d)
        Where the tangent vectors stand.
    frames : ndarray, shape (R, k, d)
        Independent vectors.

    Attributes
    ----------
    states : ndarray, shape (R, d)
        Where the tangent vectors stand.
    blur : ndarray, shape (R, k)
        Bounds for the relative errors of the last lengths.
    unresolved : ndarray, shape (k,)
        How often the error bound of a length was of its size, over all replicas and steps.
    vanished, flat : ndarray, shape (k,)
        How often a difference was zero, and of these, how often the map was flat there.
    """

    def __init__(self, images: Images, states, frames) -> None:
        self._images, self.states, self._frames = images, np.array(states), np.array(frames)
        orthonormalise(self._frames, 0.0)
        self.blur = np.zeros(self._frames.shape[:2])
        self.unresolved, self.vanished, self.flat = np.zeros((3, self.n_vectors), np.int64)
        self._shift = SHIFT

    def calibrate(self, early) -> None:
        """Choose the shift of the least errors in the steps of (steps, slots, R) words, all from the first states.

        Over a shift in which the map bends many times, differences are steady, and wrong. So shifts grow from the
        smallest, and end before the first that contradicts a smaller one.
        """
        credible: list[tuple[np.ndarray, np.ndarray]] = []
        least = np.inf
        for multiple in MULTIPLES:
            steps = [
                pushed_by_differences(self._images, self.states, self._frames, words, multiple * SHIFT)[1:]
                for words in early
            ]
            found = np.array([pushed for pushed, _ in steps]), np.array([errors for _, errors in steps])
            if any(_contradict(found, other) for other in credible):
                break
            credible.append(found)
            blurs = [_blur(errors, orthonormalise(pushed.copy(), 0.0)) for pushed, errors in steps]
            loss = float(np.log1p(blurs).mean())
            if loss < least:
                least, self._shift = loss, multiple * SHIFT

    def advance(self, words) -> np.ndarray:
        """Step and push."""
        states, vectors = self.states, self._frames
        self.states, self._frames, errors = pushed_by_differences(self._images, states, vectors, words, self._shift)
        zero = vectors.any(axis=2) & ~self._frames.any(axis=2)
        if zero.any():
            steps = PLATEAU * _sizes(states)[:, None, None] * vectors
            there = self._images(states[:, None] + steps, words)
            self.vanished += zero.sum(axis=0)
            self.flat += (zero & (there == self.states[:, None]).all(axis=2)).sum(axis=0)
        lengths = orthonormalise(self._frames, 0.0)
        self.blur = _blur(errors, lengths)
        self.unresolved += (self.blur >= UNRESOLVED).sum(axis=0)
        return lengths


def _contradict(found, other) -> bool:
    """Whether derivatives, (…, k, d), differ by more than their errors, (…, k)."""
    with np.errstate(invalid="ignore"):
        apart = euclidean_norm(found[0] - other[0]) > SLACK * (found[1] + other[1])
    return bool(apart.mean() > MAY_CONTRADICT)


def _blur(errors, lengths) -> np.ndarray:
    """Relative errors of lengths: a vector carries the errors of those before it, which are taken out of it.

    None for a vector that has vanished: whether it did is asked of the map.
    """
    total = np.sqrt(np.cumsum(errors**2, axis=1))
    return np.divide(total, lengths, out=np.zeros_like(total), where=lengths > 0.0)


def pushed_by_differences(
    images: Images, states, vectors, words, shift: float = SHIFT
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (R, d) of the states, derivatives (R, k, d) along unit vectors, and bounds of their errors (R, k).

    Examples
    --------
    >>> sines = lambda points, words: np.sin(points)
    >>> image, slope, error = pushed_by_differences(sines, np.ones((1, 1)), np.ones((1, 1, 1)), None)
    >>> bool(abs(slope[0, 0, 0] - np.cos(1.0)) <= error[0, 0] < 1e-9)
    True
    """
    step = shift * _sizes(states)[:, None, None]
    base, ahead = states[:, None], step * vectors
    points = np.concatenate([base, base + ahead, base - ahead, base + 2.0 * ahead, base - 2.0 * ahead], axis=1)
    found = images(points, words)
    here, (up, down, far_up, far_down) = found[:, :1], np.split(found[:, 1:], 4, axis=1)
    twice = 2.0 * step
    near = np.stack([(up - down) / twice, (up - here) / step, (here - down) / step])
    far = np.stack([(far_up - far_down) / (2.0 * twice), (far_up - here) / twice, (here - far_down) / twice])
    changes = euclidean_norm(near - far)  # (candidate, R, k)
    changes = np.where(np.isfinite(changes), changes, np.inf)
    best = changes.argmin(axis=0)
    chosen = np.take_along_axis(near, best[None, :, :, None], axis=0)[0]
    errors = np.take_along_axis(changes, best[None], axis=0)[0]
    # Of what is rounded, (R, k): a state near the origin is nearer to it than the points around.
    sizes = euclidean_norm(here) + euclidean_norm(chosen) * (euclidean_norm(base) + twice[:, :, 0])
    rounded = EPS * sizes + LEAST  # which is what a product below all normal numbers loses
    return found[:, 0], chosen, errors + (states.shape[1] + OPERATIONS) * rounded / step[:, :, 0]


def _sizes(states) -> np.ndarray:
    """The sizes that shifts are relative to: the norm of each state, or the median of all where that is larger."""
    sizes = euclidean_norm(states)
    return np.maximum(sizes, max(float(np.median(sizes)) or 1.0, SMALLEST))


def is_affine(images: Images, words, states, random: np.random.Generator) -> bool:
    """Whether T(x + y) + T(0) = T(x) + T(y) to rounding, at points of growing size and at the states of a path.

    Evidence, no proof: a map that bends only where nobody looked, or for a draw that was not met, passes.

    Parameters
    ----------
    images : Images
        The maps on many states at once.
    words : ndarray, shape (steps, slots, R)
        The draws of each step.
    states : ndarray, shape (steps, R, d)
        A path under these draws.
    random : Generator
        Of the points that are tried.
    """
    dim = states.shape[2]
    # Outwards: a map that bends near the origin is not asked for its value far from it.
    scales = (2.0**-8, 1.0, 2.0**4, 2.0**8, 2.0**16, 2.0**40, FAR)
    for k, scale in enumerate(scales):
        for step in range(k, len(words), len(scales)):
            x, y = scale * random.standard_normal((2, *states.shape[1:]))
            if not _adds_up(images, x, y, words[step], dim):
                return False
    for step, x in enumerate(states):
        place = np.where((np.abs(x) < FARTHEST).all(axis=1, keepdims=True), x, 0.0)  # neither NaN nor inf
        size = _sizes(place)[:, None]
        if not _adds_up(images, place, size * random.standard_normal(x.shape), words[step], dim):
            return False
    return True


def _adds_up(images: Images, x, y, words, dim: int) -> bool:
    found = images(np.stack([np.zeros_like(x), x, y, x + y], axis=1), words)
    size = np.abs(found).max(axis=(1, 2)) + np.abs(x).max(axis=1) + np.abs(y).max(axis=1)
    size = size + np.median(size)  # numbers that cancelled on the way are of the size that other draws have
    left = np.abs(found[:, 3] + found[:, 0] - found[:, 1] - found[:, 2]).max(axis=1)
    return bool((left <= 4.0 * (dim + OPERATIONS) * EPS * size).all())
