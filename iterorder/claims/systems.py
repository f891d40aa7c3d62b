"""The systems that several claims are checked on, and the bounds that go with them."""

from __future__ import annotations

import numpy as np

from iterorder import datasets
from iterorder.claims.judge import EPS
from iterorder.maps import AffineMaps, LinearRegressionSGD, LogisticRegressionSGD


def random_affine(seed: int, *, dim: int = 3, n_maps: int = 3, sampling: str = "iid") -> AffineMaps:
    """Gaussian matrices and offsets, with r_2 = (E‖A‖²)^½ = 0.65 although the first map expands.

    The norms are as 3 : 1 : … : 1, which makes the largest 3·0.65·√(n/(9+n−1)) = 1.02 for three maps: enough to expand,
    and so little that the tails stay light (κ = log 3/log 1.02 = 60), for tests of means at small levels.

    Examples
    --------
    >>> maps = random_affine(0)
    >>> norms = [maps.lipschitz(i) for i in range(3)]
    >>> round(float(np.mean(np.square(norms))), 12), round(norms[0], 3)
    (0.4225, 1.018)
    """
    generator = np.random.default_rng(seed)
    matrices = generator.standard_normal((n_maps, dim, dim))
    norms = np.where(np.arange(n_maps) == 0, 3.0, 1.0)
    norms *= 0.65 / np.sqrt(np.mean(norms**2))
    matrices *= (norms / np.linalg.norm(matrices, ord=2, axis=(1, 2)))[:, None, None]
    return AffineMaps(matrices, generator.standard_normal((n_maps, dim)), sampling=sampling)


def line_maps(slopes, offsets) -> AffineMaps:
    """The maps x → a_i x + b_i of the line, all equally likely."""
    return AffineMaps(np.reshape(slopes, (-1, 1, 1)), np.reshape(offsets, (-1, 1)))


def diabetes_regression(step_size: float, **options) -> LinearRegressionSGD:
    """Linear regression of the diabetes data; options as in `LinearRegressionSGD`."""
    return LinearRegressionSGD(*datasets.diabetes(), step_size, **options)


def breast_cancer_regression() -> LogisticRegressionSGD:
    """Ridge logistic regression of the breast cancer data: every map contracts by c = 1 − h·ridge = 0.99.

    A ridge of 1 makes the worst case n* = 2,500 steps to 10⁻¹⁰; with 0.1 it is 27,600 (theory.md, law 7). The largest
    curvature, 422/4 + 1, times h is 1.07: the contraction is that of the smallest curvature.
    """
    return LogisticRegressionSGD(*datasets.breast_cancer(), 0.01, ridge=1.0)


def tilted_logistic(step_size: float) -> LogisticRegressionSGD:
    """Ridge logistic regression of five points of the line, on a loss that is skew at its minimum."""
    return LogisticRegressionSGD([[2.0], [-1.0], [0.5], [1.5], [-0.7]], [1, 1, -1, 1, 1], step_size, ridge=0.5)


def breast_cancer_plane(step_size: float, ridge: float) -> LogisticRegressionSGD:
    """The same data on their two leading principal directions, whose curvatures are far apart (13 and 6).

    All thirty have directions that decay at nearly the same rate, so that the slope of a path tends to the Lyapunov
    exponent only long after rounding has covered it.
    """
    features, labels = datasets.breast_cancer()
    _, directions = np.linalg.eigh(features.T @ features)
    return LogisticRegressionSGD(features @ directions[:, -2:], labels, step_size, ridge=ridge)


def mean_contraction(maps: AffineMaps) -> float:
    """r_2 = (E‖A‖²)^½ of single maps (C5)."""
    norms = [maps.lipschitz(i) for i in range(maps.sampling_law.n_items)]
    return float(np.sqrt(maps.sampling_law.weights @ np.square(norms)))


def rounding_bound(scale: float, dim: int, contraction: float) -> float:
    """Bound of the rounding error of an iterate whose maps contract by c < 1: d+8 roundings a step, summed up.

    `scale` bounds every intermediate number of a step. Each of the about d+8 operations on the way to a coordinate
    rounds by eps/2, a vector has √d coordinates, and the error of a step shrinks by c from there on.
    """
    return 0.5 * EPS * (dim + 8) * dim**0.5 * scale / (1.0 - contraction)
