"""Wasserstein distances of samples in several dimensions: sliced, between fitted Gaussians, and what all methods share.

`exact` and `sinkhorn` have files of their own. Every distance takes finite float arrays u (n, d) and v (m, d) with
coordinates of at most 2 (see `rescaled`), so that nothing overflows, and returns the distance, not its p-th power.
"""

from __future__ import annotations

import math
import os
import sys

import numpy as np

from iterorder import resources
from iterorder.device_arrays import to_numpy
from iterorder.errors import InvalidInputError
from iterorder.wasserstein.sorted_samples import THREAD_SIZE, distance_between_sorted, thread_map

# Per pair of points: the cost, and what the network simplex keeps of an arc (cost, flow, state, plan), in bytes.
BYTES_PER_PAIR = 40

# Coordinates of at most 2, divided by 2 to this power, have squares inside the floats.
LEAST_EXPONENT = -500

# Projected values of one sample per thread at a time, 8 MB: more directions share one reading of the coordinates.
SLICE_VALUES = 1 << 20

POT_SWITCHES = tuple(f"POT_BACKEND_DISABLE_{name}" for name in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"))
INSTALL_HINT = "pip install iterorder[transport]"


def rescaled(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Both samples divided by one power of two (exactly), their coordinates then at most 2, and that power."""
    exponent = int(np.frexp(max(float(np.abs(u).max()), float(np.abs(v).max())))[1])
    # 2^1024 is no float: at the very top the last halving is left out.
    exponent = min(exponent, sys.float_info.max_exp - 1)
    return np.ldexp(u, -exponent), np.ldexp(v, -exponent), math.ldexp(1.0, exponent)


def import_pot():
    """POT, or None where it is not installed.

    Its array backends are switched off while it is imported: each would import its whole framework. A program that
    gives other arrays than NumPy's to POT itself imports POT before it calls us.
    """
    if "ot" in sys.modules:
        return sys.modules["ot"]
    before = {name: os.environ.get(name) for name in POT_SWITCHES}
    os.environ.update(dict.fromkeys(POT_SWITCHES, "1"))
    try:
        import ot
    except ImportError:
        return None
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return ot


def cost_matrix(u: np.ndarray, v: np.ndarray, p: float, reach: float = math.inf) -> tuple[np.ndarray, float]:
    """The costs (min(|u_i − v_j|, reach) / scale)^p, shape (n, m), and the scale: the largest of these lengths, or 1.

    Without a reach nothing is cut off.
    """
    needed = len(u) * len(v) * BYTES_PER_PAIR
    if needed > resources.memory():
        raise InvalidInputError(
            f"u and v have {len(u)} and {len(v)} points: a matrix of {len(u) * len(v):.3g} costs needs about "
            f"{needed / 2**30:.3g} GiB here, this computer has {resources.memory() / 2**30:.3g}; "
            "give method='sliced', or subsample"
        )
    from scipy.spatial.distance import cdist

    # Differences of coordinates, not |u|² + |v|² − 2u·v: that form loses small distances far from the origin. The
    # squares of lengths far below the largest would underflow: they are taken in units of the reach.
    exponent = max(math.frexp(reach)[1], LEAST_EXPONENT) if 0 < reach < math.inf else 0
    cost = cdist(np.ldexp(u, -exponent), np.ldexp(v, -exponent))
    if reach < math.inf:
        np.minimum(cost, math.ldexp(reach, -exponent), out=cost)
    largest = float(cost.max()) or 1.0
    cost /= largest
    if p == 2:
        np.square(cost, out=cost)
    elif p != 1:
        np.power(cost, p, out=cost)
    return cost, math.ldexp(largest, exponent)


def sliced_distance(u: np.ndarray, v: np.ndarray, p: float, n_projections: int, seed: int) -> float:
    """Sliced distance [1]_: (mean over random directions of W_p^p of the projections)^(1/p), for p = inf the largest.

    References
    ----------
    .. [1] Bonneel, Rabin, Peyré, Pfister (2015), Sliced and Radon Wasserstein barycenters of measures.
    """
    from iterorder.wasserstein.sorted_kernel import project

    u_coordinates, v_coordinates = np.ascontiguousarray(u.T), np.ascontiguousarray(v.T)
    directions = directions_of(seed, n_projections, u.shape[1])
    workers = resources.threads() if (len(u) + len(v)) * n_projections >= THREAD_SIZE else 1
    width = max(1, min(SLICE_VALUES // max(len(u), len(v)), math.ceil(n_projections / workers)))
    starts = range(0, n_projections, width)
    each = np.empty(n_projections)

    def fill(worker: int) -> None:
        # One pair of buffers for all chunks of a worker: fresh pages for every chunk cost as much as the projection.
        x_buffer, y_buffer = np.empty((width, len(u))), np.empty((width, len(v)))
        for start in starts[worker::workers]:
            chunk = directions[start : start + width]
            x, y = x_buffer[: len(chunk)], y_buffer[: len(chunk)]
            for coordinates, rows in ((u_coordinates, x), (v_coordinates, y)):
                project(coordinates, chunk, rows)
                rows.sort(axis=1)
            each[start : start + width] = [distance_between_sorted(*rows, p) for rows in zip(x, y, strict=True)]

    thread_map(fill, range(workers))
    return over_directions(each, p)


def directions_of(seed: int, count: int, dim: int) -> np.ndarray:
    """Random directions, shape (count, dim)."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    directions = generator.standard_normal((count, dim))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def over_directions(each: np.ndarray, p: float) -> float:
    """The power mean of the distances along directions; the largest for p = inf."""
    largest = float(each.max())
    if p == math.inf or largest == 0:
        return largest
    return largest * float(np.mean((each / largest) ** p)) ** (1.0 / p)


def gaussian_distance(u: np.ndarray, v: np.ndarray) -> float:
    """W_2 of the Gaussians with the means and covariances (divisor n) of the samples.

    W_2² = |m₁ − m₂|² + tr(S₁ + S₂ − 2(S₁^½ S₂ S₁^½)^½) [1]_. With S₁ = AᵀA and S₂ = BᵀB the trace is the
    least ‖A − QB‖² over orthogonal Q, a sum of squares: nothing cancels when the samples are close or a covariance is
    singular.

    References
    ----------
    .. [1] Bhatia, Jain, Lim (2019), On the Bures-Wasserstein distance between positive definite matrices, Theorem 1.
    """
    a, b = _covariance_factor(u), _covariance_factor(v)
    left, _, right = np.linalg.svd(a @ b.T)
    shape = np.linalg.norm(a - left @ right @ b)
    shift = np.linalg.norm(to_numpy(u.mean(axis=0)) - to_numpy(v.mean(axis=0)))
    return math.hypot(shift, shape)


def _covariance_factor(samples: np.ndarray) -> np.ndarray:
    """A square A (d, d) with AᵀA the covariance; from the sample itself, so that no digit is lost to squares."""
    n, dim = samples.shape
    triangle = to_numpy(np.linalg.qr((samples - samples.mean(axis=0)) / math.sqrt(n), mode="r"))
    factor = np.zeros((dim, dim))
    factor[: len(triangle)] = triangle
    return factor
