"""Small systems of every family and sampling, for the tests that hold of all of them."""

from __future__ import annotations

import math

import numpy as np

import iterorder as ito

RNG = np.random.default_rng(20251122)


def regression(dim, n=20, **options):
    features = RNG.normal(size=(n, dim))
    targets = features @ RNG.normal(size=dim) + 0.1 * RNG.normal(size=n)
    return ito.LinearRegressionSGD(features, targets, 0.3 / dim, **options)


def logistic(dim, n=20, **options):
    features = RNG.normal(size=(n, dim))
    labels = np.sign(features @ RNG.normal(size=dim) + 0.5 * RNG.normal(size=n))
    return ito.LogisticRegressionSGD(features, labels, 0.5 / dim, ridge=0.2, **options)


def affine(dim, m=5, **options):
    return ito.AffineMaps(0.5 / np.sqrt(dim) * RNG.normal(size=(m, dim, dim)), RNG.normal(size=(m, dim)), **options)


def quadratic(dim, m=6, **options):
    roots = RNG.normal(size=(m, dim, dim))
    return ito.QuadraticSGD(np.einsum("mij,mkj->mik", roots, roots) / dim, RNG.normal(size=(m, dim)), 0.2, **options)


# Names say what is special: the layouts change at d = 12 (affine) and 16 (regression), the vectors are eight long, a
# batch is drawn in registers up to 16 points, by search up to 32 and by marks above, a permutation by Fisher and Yates
# up to 4096 items, and rows above d = 104 do not fit into registers.
SYSTEMS = {
    "two-point": ito.gallery.two_point_quadratic(0.3),
    "bernoulli": ito.gallery.bernoulli_convolution(0.6),
    "pair with two slopes": ito.AffineMaps([[[0.5]], [[-0.7]]], [[1.0], [0.25]]),
    "two rotations": ito.AffineMaps([[[0.5, -0.6], [0.6, 0.5]], [[0.3, 0.2], [-0.2, 0.9]]], [[1.0, 0.0], [0.0, 1.0]]),
    "linear of two points": regression(2, n=2),
    "sierpinski": ito.gallery.sierpinski(),
    "fern": ito.gallery.barnsley_fern(),
    "table": affine(1, m=100),
    "affine d=3 weighted": affine(3, probabilities=[0.1, 0.0, 0.3, 0.25, 0.35]),
    "affine d=8 cyclic": affine(8, sampling="cyclic"),
    "affine d=9": affine(9),
    "affine d=13": affine(13),
    "affine d=105": affine(105, m=3),
    "affine d=2 reshuffle": affine(2, sampling="reshuffle"),
    "affine feistel": affine(1, m=5000, sampling="reshuffle"),
    "quadratic d=2 batch": quadratic(2, batch_size=3),
    "quadratic d=1 reshuffle": ito.QuadraticSGD([1.0, 2.0, 0.5], [0.0, 1.0, -1.0], 0.3, sampling="reshuffle"),
    "quadratic d=10 batch": quadratic(10, batch_size=2),
    "quadratic d=20 batch": quadratic(20, batch_size=2),
    "linear d=1": regression(1),
    "linear d=3 batch 2": regression(3, batch_size=2),
    "linear d=10 ridge": regression(10, ridge=0.1),
    "linear d=16 batch 5 reshuffle": regression(16, ridge=0.1, batch_size=5, sampling="reshuffle"),
    "linear d=17": regression(17),
    "linear d=30 batch 3": regression(30, batch_size=3, ridge=0.05),
    "linear d=64": regression(64),
    "linear d=100 ridge": regression(100, ridge=0.1),
    "linear d=105": regression(105),
    "linear d=110 batch 2 ridge": regression(110, batch_size=2, ridge=0.1),
    "linear d=2 full batch": regression(2, n=50, batch_size=50),
    "linear d=2 large batch": regression(2, n=60, batch_size=40),
    "linear d=4 cyclic batch": regression(4, sampling="cyclic", batch_size=3),
    "logistic d=1": logistic(1),
    "logistic d=5": logistic(5),
    "logistic d=16 batch 4": logistic(16, batch_size=4),
    "logistic d=20": logistic(20),
    "logistic d=20 batch 2 cyclic": logistic(20, batch_size=2, sampling="cyclic"),
    "logistic d=120": logistic(120),
    "logistic d=3 reshuffle": logistic(3, sampling="reshuffle"),
}


def rotate(x, draw, params, out):
    """A rotation by a random angle and a contraction; normals shift the result."""
    c, s = math.cos(params[0] * draw[0]), math.sin(params[0] * draw[0])
    out[0] = 0.7 * (c * x[0] - s * x[1]) + draw[1]
    out[1] = 0.7 * (s * x[0] + c * x[1]) + draw[2]


def relax(x, draw, params, out):
    """One row of a table, at an integer index, in many dimensions."""
    row, weight = params[0][draw[0]], 0.3 if draw[0] % 2 else 0.6
    for k in range(x.size):
        out[k] = weight * x[k] + row[k]


def choose(x, draw, params, out):
    """An index and normals: which coordinate moves, and by how much."""
    for k in range(len(x)):
        out[k] = 0.8 * x[k] + params[1] * draw[1 + k % 2]
    out[draw[0]] += params[0][draw[0]]


# Fresh noise and maps that a user wrote: compiled bodies, in registers up to d = 16 and in memory above.
FRESH = {
    "ar1": ito.gallery.ar1(0.5, 1.0),
    "arcsine": ito.gallery.arcsine(),
    "vervaat": ito.gallery.vervaat(),
    "double well": ito.gallery.double_well(0.1, 0.2),
    "custom d=2 normals": ito.CustomMaps(rotate, dim=2, noise="normal", noise_dim=3, params=(0.5,), lipschitz=0.7),
    "custom d=20 index": ito.CustomMaps(
        relax, dim=20, noise="index", n_maps=6, params=(RNG.normal(size=(6, 20)),), lipschitz=0.6
    ),
    "custom d=3 index and normals": ito.CustomMaps(
        choose, dim=3, noise="index+normal", noise_dim=2, n_maps=3, params=([1, 2, 3], 0.25), lipschitz=0.8
    ),
    "custom d=2 pair and normal": ito.CustomMaps(
        choose, dim=2, noise="index+normal", noise_dim=3, n_maps=2, params=([1.0, -1.0], 0.25), lipschitz=0.8
    ),
    "gaussian d=3": ito.GaussianRegressionSGD([1.0, 0.5, 0.2], 0.3, 0.2),
    "gaussian d=20": ito.GaussianRegressionSGD(np.linspace(0.1, 1.0, 20), 0.3, 0.05),
}


# The velocity doubles the dimension of the state; schedules make the step number part of the draw.
OPTIMIZED = {
    "optimizer of two quadratics": ito.Optimizer(ito.QuadraticSGD([1.0, 0.5], [0.0, 1.0], 0.2), momentum=0.5),
    "optimizer quadratic d=3 batch linear": ito.Optimizer(
        quadratic(3, batch_size=2), momentum=0.3, weight_decay=0.1, schedule="linear", horizon=90
    ),
    "optimizer quadratic d=20 batch": ito.Optimizer(quadratic(20, batch_size=2), momentum=0.4),
    "optimizer linear d=3 batch": ito.Optimizer(regression(3, batch_size=2), momentum=0.5, weight_decay=0.2),
    "optimizer linear d=16 reshuffle cosine": ito.Optimizer(
        regression(16, ridge=0.1, sampling="reshuffle"), momentum=0.4, schedule="cosine", horizon=60
    ),
    "optimizer linear d=17": ito.Optimizer(regression(17), momentum=0.5),
    "optimizer linear d=30 factors": ito.Optimizer(
        regression(30, batch_size=3, ridge=0.05), weight_decay=0.3, schedule=[1.0, 0.5, 0.0, 2.0, 0.75]
    ),
    "optimizer logistic d=5 decay": ito.Optimizer(logistic(5), weight_decay=0.3),
    "optimizer logistic d=7 cosine": ito.Optimizer(logistic(7), momentum=0.5, schedule="cosine", horizon=40),
    "optimizer logistic d=110 cyclic batch": ito.Optimizer(
        logistic(110, batch_size=2, sampling="cyclic"), momentum=0.3, weight_decay=0.1, schedule="linear", horizon=200
    ),
}


def bent(z, target, params):
    """A slope with a branch, a parameter and a function of the mathematics library: Huber's, rounded at one side."""
    u = z - target
    if u > params[0]:
        return params[0] + math.atan(u - params[0])
    return max(u, -params[0])


BENT = ito.Loss(bent, curvature_range=(0.0, 1.0), params=(0.5,))


def model(dim, loss, n=20, **options):
    features = RNG.normal(size=(n, dim)) / np.sqrt(dim)
    targets = features @ RNG.normal(size=dim) + RNG.normal(size=n)
    if loss in ("logistic", "squared-hinge"):
        targets = np.sign(targets)
    return ito.LinearModelSGD(features, targets, 0.3, loss=loss, ridge=0.1, **options)


# Of numbers of their own, as those above are drawn one system after the other.
ROWS = np.random.default_rng(11).normal(size=(30, 71))

# Losses whose targets are folded into the rows, by float32's own operations or in float64, and slopes that users give.
MODELS = {
    "huber d=5 batch": model(5, "huber", batch_size=3),
    "huber d=20 reshuffle": model(20, ito.Loss.named("huber", delta=0.25), sampling="reshuffle"),
    "squared hinge d=110": model(110, "squared-hinge"),
    "quantile d=17 cyclic batch": model(17, "smoothed-quantile", sampling="cyclic", batch_size=2),
    "bent d=3": model(3, BENT),
    "bent d=20 batch": model(20, BENT, batch_size=2),
    "bent d=105": model(105, BENT),
    "optimizer huber d=4": ito.Optimizer(model(4, "huber"), momentum=0.5),
    "linear d=70 batch of nine": ito.LinearRegressionSGD(ROWS[:, :70], ROWS[:, 70], 0.01, ridge=0.1, batch_size=9),
    "optimizer bent d=18 batch": ito.Optimizer(model(18, BENT, batch_size=2), momentum=0.4, weight_decay=0.1),
}
EVERY = {**SYSTEMS, **FRESH, **OPTIMIZED, **MODELS}

# One for each compiled path: enough where the check is about orders and cuts, not about the family.
FEW = [
    "two-point",
    "table",
    "fern",
    "affine d=13",
    "linear d=10 ridge",
    "linear d=17",
    "linear d=64",
    "linear d=105",
    "logistic d=5",
    "logistic d=20",
    "custom d=20 index",
    "custom d=3 index and normals",
    "gaussian d=3",
    "optimizer quadratic d=3 batch linear",
    "optimizer linear d=17",
]
# After all others, whose data come from the same stream of numbers.
EVERY["linear d=6 batch 20"] = regression(6, n=40, batch_size=20)
