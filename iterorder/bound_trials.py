"""Lipschitz bounds that a user gave, tried where the iterates are: a proof must not rest on a wrong one."""

from __future__ import annotations

import numpy as np

from iterorder.device_arrays import to_numpy
from iterorder.errors import InvalidInputError
from iterorder.kernels.backends import backend_named
from iterorder.kernels.problem import Place, Problem
from iterorder.lengths import euclidean_norm
from iterorder.maps import RandomMaps
from iterorder.noise import uniforms

EPS = float(np.finfo(np.float64).eps)
# The paths that show where iterates are: replicas, steps, and steps between two saved ones.
PATHS, PATH_STEPS, PATH_STRIDE = 64, 256, 8
# Pairs under a bound of all maps, and under a function of the draw, which is called in plain Python for each.
PAIRS, PAIRS_OF_FUNCTION = 16_384, 2_048
# Distances of pairs in units of the region: from where rounding leaves eight digits of a stretch to all of it.
NEAREST = 1e-4
# Turns of a pair into the direction that its images show, which leads to the direction that is stretched most.
TURNS = 3
# The last replica of the counter: no sample sees its noise.
STREAM = 2**32 - 1


def check_bounds(maps: RandomMaps, x0: np.ndarray, seed: int, backend: str = "cpu") -> None:
    """Try the Lipschitz bounds that a user gave, on pairs of states near each other and far apart.

    Half of the pairs begin on paths from x0, shape (d,) or (starts, d), half anywhere in the box that the paths and a
    neighbourhood of x0 span; of the former, half are as far apart as the paths reach, or nearer, however small that is.
    Each pair meets a map of its own, and is turned a few times towards the direction that this map stretches most.

    Raises
    ------
    InvalidInputError
        If a pair is stretched by more than the bound of its draw.
    """
    if not maps.bound_given:
        return
    at_once = maps.bounds_at_once or isinstance(maps.lipschitz_bound, float)
    count = PAIRS if at_once else PAIRS_OF_FUNCTION
    x, gaps, lengths = _pairs(maps, np.atleast_2d(x0).astype(np.float64), seed, count, backend)
    bounds = _bounds(maps, seed, count)
    u = _images(maps, x, seed, backend)
    for _ in range(1 + TURNS):
        y = x + gaps * (lengths / euclidean_norm(gaps))[:, None]
        v = _images(maps, y, seed, backend)
        with np.errstate(over="ignore", invalid="ignore"):
            before, after = euclidean_norm(y - x), euclidean_norm(v - u)
            sizes = sum(np.abs(states).max(axis=1) for states in (x, y, u, v))
            # Differences of images are rounded like the images, and the bound itself to half of the digits.
            beyond = after - bounds * before * (1.0 + np.sqrt(EPS)) - 16.0 * maps.dim * EPS * sizes
        worst = int(np.argmax(np.where(np.isfinite(beyond), beyond / before, -np.inf)))
        if beyond[worst] > 0.0:
            _refuse(maps, seed, worst, bounds[worst], x[worst], y[worst], float(after[worst] / before[worst]))
        moved = np.isfinite(after) & (after > 0.0)
        gaps = np.where(moved[:, None], v - u, gaps)


def _pairs(
    maps: RandomMaps, x0: np.ndarray, seed: int, count: int, backend: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, directions and distances of pairs, shapes (count, d), (count, d) and (count,)."""
    d, saves = maps.dim, np.arange(0, PATH_STEPS + 1, PATH_STRIDE)
    # Of many starts, some that are spread over all.
    starts = x0[np.linspace(0, len(x0) - 1, min(len(x0), PATHS)).astype(int)]
    paths = _states(maps, np.resize(starts, (PATHS, d)), saves, seed, backend).reshape(-1, d)
    paths = np.concatenate([paths[np.isfinite(paths).all(axis=1)], starts])
    around = 2.0 * (1.0 + float(np.abs(x0).max()))
    low = np.minimum(paths.min(axis=0), x0.min(axis=0) - around)
    high = np.maximum(paths.max(axis=0), x0.max(axis=0) + around)
    drawn = uniforms(seed, STREAM, np.arange(count), 2 * d + 2)
    x = low + (high - low) * drawn[:, :d]
    on_path = np.arange(count) % 2 == 0
    x[on_path] = paths[(drawn[on_path, 2 * d] * len(paths)).astype(int)]
    sides = np.where((np.arange(count) % 4 == 0)[:, None], np.ptp(paths, axis=0), high - low)
    sides[~sides.any(axis=1)] = high - low  # paths that never move
    gaps = (drawn[:, d : 2 * d] - 0.5) * sides
    return x, gaps, euclidean_norm(gaps) * NEAREST ** drawn[:, 2 * d + 1]


def _images(maps: RandomMaps, states: np.ndarray, seed: int, backend: str) -> np.ndarray:
    """The image of state r under the first map of replica r; NaN where it is not finite."""
    return _states(maps, states, np.ones(1, np.int64), seed, backend)[:, 0]


def _states(maps: RandomMaps, starts: np.ndarray, saves: np.ndarray, seed: int, backend: str) -> np.ndarray:
    """The forward iterates of replica r from start r, NaN from where they are not finite: `simulate` rests on this."""
    problem = Problem(maps.form(), maps.sampling_law, seed, Place(), np.ascontiguousarray(starts), saves)
    return to_numpy(backend_named(backend).forward(problem).states)


def _bounds(maps: RandomMaps, seed: int, count: int) -> np.ndarray:
    """The bound of the first map of each replica."""
    bound = maps.lipschitz_bound
    if isinstance(bound, float):
        return np.full(count, bound)
    return maps.lipschitz_of_each([maps.draw(seed, replica, 0) for replica in range(count)])


def _refuse(maps: RandomMaps, seed: int, replica: int, bound: float, x, y, stretch: float) -> None:
    draw = np.asarray(maps.draw(seed, replica, 0)).tolist()
    what = "lipschitz gives" if maps.bound_argument == "lipschitz" else "curvature_range gives the Lipschitz constant"
    raise InvalidInputError(
        f"{what} {bound:.6g} for the draw {draw}, but the distance of {x.tolist()} and {y.tolist()} grows by "
        f"{stretch:.6g}: give an upper bound, or None"
    )
