"""Minimal invariant intervals: the double well, known systems, chains on integers by brute force, bad input."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder import ergodic_intervals

EPS = float(np.finfo(np.float64).eps)
THRESHOLD = 2.0 / (3.0 * math.sqrt(3.0))
N = 8


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99, 1.01, 1.5, 2.0])
def test_double_well(share):
    """Ends are roots of x³ − x = ±s: the outer ones, and below the threshold those of each well."""
    s = share * THRESHOLD
    roots = np.roots([1.0, 0.0, -1.0, -s])
    real = np.sort(roots[np.abs(roots.imag) < 1e-9].real)
    outer = real[-1]
    inner = -real[0]  # the lowest root of x³ − x = s is minus the inner end of the right well
    expected = [[-outer, -inner], [inner, outer]] if share < 1.0 else [[-outer, outer]]
    found = ergodic_intervals(ito.gallery.double_well(0.1, s), -1.6, 1.6)
    # A simple root moves by eps over the derivative, which is above .01 at these tilts.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1000 * EPS)


def test_paths_stay_in_their_interval_and_reach_its_ends():
    s = 0.9 * THRESHOLD
    maps = ito.gallery.double_well(0.1, s)
    (_, left_end), (right_start, _) = ergodic_intervals(maps, -1.6, 1.6)
    run = ito.simulate(maps, [right_start], 2000, n_replicas=500, seed=1, save_steps=np.arange(0, 2001, 50))
    assert run.states.min() >= right_start - 64 * EPS
    far = ito.simulate(maps, [left_end], 2000, n_replicas=500, seed=1).states
    assert far.max() <= left_end + 64 * EPS


def test_known_systems():
    np.testing.assert_allclose(ergodic_intervals(ito.gallery.two_point_quadratic(0.3), -1, 2), [[0, 1]], atol=4 * EPS)
    halves = ito.AffineMaps([[[0.5]], [[0.25]]], [[0.0], [0.0]])
    np.testing.assert_allclose(ergodic_intervals(halves, -1.0, 1.0), [[0.0, 0.0]], atol=4 * EPS)
    # The mean of two of three: between the least and the largest mean of two minimisers.
    pairs = ito.QuadraticSGD([1.0, 1.0, 1.0], [0.0, 1.0, 3.0], 0.3, batch_size=2)
    np.testing.assert_allclose(ergodic_intervals(pairs, -1.0, 4.0), [[0.5, 2.0]], atol=16 * EPS)
    never = ito.AffineMaps([[[0.5]], [[0.5]]], [[0.0], [1.0]], probabilities=[1.0, 0.0])
    np.testing.assert_allclose(ergodic_intervals(never, -1.0, 3.0), [[0.0, 0.0]], atol=4 * EPS)


def pull_and_push(x, draw, params, out):
    """x/2, or cx/(1 + x), which fixes 0 with slope c."""
    out[0] = 0.5 * x[0] if draw[0] == 0 else params[0] * x[0] / (1.0 + x[0])


@pytest.mark.parametrize(("slope", "laws"), [(3.0, [[0.0, 0.0], [0.0, 2.0]]), (1.5, [[0.0, 0.0]])])
def test_a_common_fixed_point_that_repels_on_average_leaves_room_for_a_law(slope, laws):
    """E log of the slopes is ½ log(c/2): positive for 3, and paths stay away from 0; negative for 1.5, and they die."""
    maps = ito.CustomMaps(pull_and_push, dim=1, noise="index", n_maps=2, params=(slope,))
    np.testing.assert_allclose(ergodic_intervals(maps, 0.0, 3.0), laws, rtol=0, atol=64 * EPS)
    late = ito.simulate(maps, [1.0], 4000, n_replicas=2000, seed=1).states[:, 0, 0]
    # Far from zero with c = 3; below exp(4000·log(.75)/2 + 6 deviations) with c = 1.5.
    assert (np.median(late) > 0.1) == (len(laws) == 2)
    assert (np.median(late) < 1e-100) == (len(laws) == 1)


def test_a_common_fixed_point_that_neither_attracts_nor_repels_is_refused():
    maps = ito.CustomMaps(pull_and_push, dim=1, noise="index", n_maps=2, params=(2.0,))
    with pytest.raises(ito.InvalidInputError, match="not decided"):
        ergodic_intervals(maps, 0.0, 3.0)


def three_points(x, draw, params, out):
    y = (x[0] - params[1]) / params[0]
    out[0] = params[1] + params[0] * (y - 0.1 * y * (y - 1.0) * (y + 1.0))


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-9, 1e9, 1e-200, 1e200])  # signs, as products of moves vanish
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_scale_and_place_do_not_matter(scale, shift):
    centre = shift * scale
    maps = ito.CustomMaps(three_points, dim=1, noise="index", n_maps=1, params=(scale, centre))
    found = ergodic_intervals(maps, centre - 1.2 * scale, centre + 1.2 * scale)
    expected = np.array([[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose((found - centre) / scale, expected, rtol=0, atol=1e4 * EPS)


def interpolated(x, draw, params, out):
    table = params[0]
    k = min(int(x[0]), table.shape[1] - 2)
    share = x[0] - k
    out[0] = (1.0 - share) * table[draw[0], k] + share * table[draw[0], k + 1]


def crossings(row):
    """Where the interpolated map meets the diagonal between two integers."""
    moves = [image - k for k, image in enumerate(row)]
    pairs = [(k, moves[k], moves[k + 1]) for k in range(N) if moves[k] * moves[k + 1] < 0]
    return {k + Fraction(-left, right - left) for k, left, right in pairs}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.integers(0, N), min_size=N + 1, max_size=N + 1).map(sorted), min_size=2, max_size=2))
def test_agrees_with_the_closed_classes_of_a_chain_on_integers(tables):
    table = np.array(tables)
    lowest, highest = table.min(axis=0), table.max(axis=0)
    points = np.arange(N + 1)
    for envelope in (lowest, highest, *table):  # a stretch of fixed points is no finite list
        fixed = envelope == points
        assume(not (fixed[:-1] & fixed[1:]).any())
    maps = ito.CustomMaps(interpolated, dim=1, noise="index", n_maps=2, params=(table,))
    reach = np.eye(N + 1, dtype=bool)
    for _ in range(N + 1):
        reach |= reach[table[0]] | reach[table[1]]
    classes = {tuple(np.flatnonzero(reach[k])) for k in points if all(reach[j, k] for j in np.flatnonzero(reach[k]))}
    # Between integers the maps only cross the diagonal upwards: what all fix there is an unstable point, and a law.
    common = set.intersection(*(crossings(row) for row in tables))
    expected = sorted([[float(c[0]), float(c[-1])] for c in classes] + [[float(x), float(x)] for x in common])
    found = ergodic_intervals(maps, 0.0, float(N), n_points=10 * N + 1)
    assert found.shape == (len(expected), 2)
    np.testing.assert_allclose(found, expected, atol=64 * N * EPS)


@pytest.mark.parametrize(
    ("maps", "low", "high", "message"),
    [
        (ito.gallery.sierpinski(), 0.0, 1.0, "dimension 2"),
        (ito.gallery.vervaat(), 0.0, 1.0, "uniform noise"),
        (ito.QuadraticSGD([1.0, 1.0], [0.0, 1.0], 0.5, sampling="cyclic"), 0.0, 1.0, "cyclic noise"),
        (ito.gallery.double_well(0.1, 0.2), -1.0, 1.0, r"lead out of \[-1, 1\], to -1\.02 and 1\.02"),
        (ito.gallery.double_well(0.9, 0.2), -1.1, 1.1, "map 0 falls between"),
        (ito.AffineMaps([[[0.5]], [[0.5]], [[-0.5]]], [[0.0]] * 3, [0.5, 0.0, 0.5]), -1.0, 1.0, "map 2 falls"),
        (ito.AffineMaps([[[1.0]]], [[0.0]]), -1.0, 1.0, "fix every point near -1"),
        (ito.gallery.two_point_quadratic(0.3), 1.0, 1.0, "give low < high"),
        (ito.gallery.two_point_quadratic(0.3), 0.0, math.inf, "high"),
        (ito.gallery.two_point_quadratic(0.3), -1e-300, 1e-300, "in another unit"),
        ("maps", 0.0, 1.0, "maps is a str"),
    ],
)
def test_bad_input(maps, low, high, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ergodic_intervals(maps, low, high)
    with pytest.raises(ito.InvalidInputError, match="n_points"):
        ergodic_intervals(ito.gallery.two_point_quadratic(0.3), 0.0, 1.0, n_points=2)
