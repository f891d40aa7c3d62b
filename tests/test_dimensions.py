"""Dimensions of laws whose dimension is known, and of some that have none.

Seeds are fixed. The intervals are evidence and have no level: that each covers its known answer, and refuses one that
is a tenth away, is what can be tested.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder.dimensions.boxes import boxes
from iterorder.dimensions.lyapunov import entropy_of
from iterorder.dimensions.scaling import scaling_slope, slope_of

HALVES = np.tile(np.eye(2) / 2, (3, 1, 1))
CORNERS = [[0.0, 0.0], [0.5, 0.0], [0.25, math.sqrt(3) / 4]]
LOG2, LOG3 = math.log(2), math.log(3)
#: Maps, correlation dimension and box dimension.
KNOWN = {
    "Sierpinski": (ito.gallery.sierpinski(), LOG3 / LOG2, LOG3 / LOG2),
    "Cantor": (ito.gallery.two_point_quadratic(2 / 3), LOG2 / LOG3, LOG2 / LOG3),
    "uniform": (ito.gallery.two_point_quadratic(0.5), 1.0, 1.0),
    "Bernoulli .3": (ito.gallery.bernoulli_convolution(0.3), LOG2 / -math.log(0.3), LOG2 / -math.log(0.3)),
    "two uniforms": (ito.gallery.bernoulli_convolution(math.sqrt(0.5)), 1.0, 1.0),
    # Σ p_i² = r^D₂ for pieces of ratio r and weights p_i that do not overlap.
    "uneven triangle": (ito.AffineMaps(HALVES, CORNERS, [0.6, 0.3, 0.1]), -math.log(0.46) / LOG2, LOG3 / LOG2),
    "uneven Cantor": (
        ito.AffineMaps([[[1 / 3]], [[1 / 3]]], [[0.0], [2 / 3]], [0.8, 0.2]),
        -math.log(0.68) / LOG3,
        LOG2 / LOG3,
    ),
    "square": (
        ito.AffineMaps(np.tile(np.eye(2) / 2, (4, 1, 1)), [[0, 0], [0.5, 0], [0, 0.5], [0.5, 0.5]]),
        2.0,
        2.0,
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_dimensions_are_in_their_intervals_and_others_are_not(name):
    maps, *known = KNOWN[name]
    sample = ito.stationary_sample(maps, 30_000, seed=3, tol=1e-10)
    for kind, expected in zip(("correlation", "box"), known, strict=True):
        found = ito.dimension(sample, kind=kind)
        assert found.low <= expected <= found.high, (kind, found)
        assert found.high - found.low < 0.4
        if kind == "correlation":
            assert not found.low <= 1.1 * expected <= found.high
            assert not found.low <= 0.9 * expected <= found.high


def test_what_is_visited_often_counts_for_the_correlation_dimension_alone():
    sample = ito.stationary_sample(KNOWN["uneven Cantor"][0], 30_000, seed=3, tol=1e-10)
    assert ito.dimension(sample).high < ito.dimension(sample, kind="box").low


def test_arrays_and_trajectories_are_samples_too():
    maps = ito.gallery.ar1(0.5, 1.0)
    run = ito.simulate(maps, [0.0], 200, n_replicas=200, save_steps=np.arange(101, 201), seed=1)
    found = ito.dimension(run)
    assert found.low <= 1.0 <= found.high
    flat = ito.dimension(run.states.ravel())
    assert (flat.value, flat.low) == (found.value, found.low)
    assert not found.exact
    assert ito.dimension(run, seed=1).value != found.value


@settings(max_examples=20)
@given(st.floats(1e-6, 1e6), st.integers(0, 2**32 - 1))
def test_no_dimension_depends_on_the_unit(unit, seed):
    """Up to roundings of the radii and of the grid, which move points across a border."""
    points = np.random.default_rng(seed).random((400, 1))
    a, b = (ito.dimension(points * size, kind="correlation").value for size in (1.0, unit))
    assert a == pytest.approx(b, abs=0.02)  # two of 400 points at a border, of ten neighbours


@pytest.mark.parametrize(
    ("sample", "kind", "message"),
    [
        (np.zeros(50), "box", "sample has 50 finite points: give 100 at least"),
        (np.zeros(500), "box", "the law is a point, of dimension zero"),
        (np.zeros(500), "correlation", "the law is a point"),
        (np.random.default_rng(0).normal(size=500), "box", "kind='correlation'"),
        (np.zeros(500), "boxes", "kind is 'boxes': give one of 'correlation', 'box'"),
    ],
)
def test_what_has_no_dimension_to_be_seen_is_told(sample, kind, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.dimension(sample, kind=kind)


def test_a_sample_that_is_not_sharp_enough_says_so():
    sample = ito.stationary_sample(ito.gallery.two_point_quadratic(2 / 3), 5_000, seed=0, tol=1e-2)
    with pytest.raises(ito.InvalidInputError, match="a sample with a smaller tol"):
        ito.dimension(sample)


def test_boxes_are_counted_one_by_one():
    """Against a set of their corners, and Chao's rule by hand."""
    points = np.random.default_rng(0).normal(size=(500, 2)) * 5
    corners = [tuple(corner) for corner in np.floor(points).astype(int)]
    counts = [corners.count(corner) for corner in set(corners)]
    found, unseen = boxes(points)
    assert found == len(counts)
    assert unseen == counts.count(1) * (counts.count(1) - 1) / (2 * (counts.count(2) + 1))
    wide = np.column_stack([points[:, 0], points[:, 1] * 2.0**40, points[:, 0] * 2.0**40])
    assert boxes(wide)[0] == len({tuple(corner) for corner in np.floor(wide).astype(int)})


def test_the_departure_is_that_of_the_worst_half():
    x = np.arange(10.0)
    assert scaling_slope(x, 3.0 * x) == pytest.approx((3.0, 0.0), abs=1e-12)
    bent = np.where(x < 5, x, 5 + 2 * (x - 5))
    slope = scaling_slope(x, bent)
    assert slope.value == pytest.approx(1.0)
    assert slope.departure == pytest.approx(slope_of(x[5:], bent[5:]) - 1.0)


# ------------------------------------------------------------------------------------------- exponents and entropy


@pytest.mark.parametrize("name", ["Sierpinski", "Cantor", "Bernoulli .3", "uniform", "square"])
def test_without_overlaps_and_with_even_weights_the_bound_is_attained(name):
    maps, _, box = KNOWN[name]
    found = ito.lyapunov_dimension(maps)
    assert found.exact
    assert float(found) == pytest.approx(box, rel=1e-12)


def test_uneven_weights_have_the_information_dimension_between_the_others():
    """h/|χ| with h = −Σ p log p, by hand; D₂ ≤ D₁ ≤ D₀."""
    maps, correlation, box = KNOWN["uneven Cantor"]
    found = float(ito.lyapunov_dimension(maps))
    assert found == pytest.approx(-(0.8 * math.log(0.8) + 0.2 * math.log(0.2)) / LOG3)
    assert correlation < found < box


def test_self_affine_laws_fill_the_strong_direction_last():
    """Exponents log ½, log ⅓ and four maps: h = log 4 > log 2, so that D = 1 + (log 4 − log 2)/log 3."""
    matrix = np.diag([1 / 2, 1 / 3])
    offsets = [[0.0, 0.0], [0.5, 0.0], [0.0, 2 / 3], [0.5, 2 / 3]]
    maps = ito.AffineMaps(np.tile(matrix, (4, 1, 1)), offsets)
    assert float(ito.lyapunov_dimension(maps)) == pytest.approx(1 + LOG2 / LOG3)
    # The law is the product of a uniform and a Cantor law, whose dimensions add.
    found = ito.dimension(ito.stationary_sample(maps, 30_000, seed=1, tol=1e-10))
    assert found.low <= 1 + LOG2 / LOG3 <= found.high


def test_the_bound_bounds_where_pieces_overlap():
    """λ = 0.6 > ½: the entropy allows more than the line has."""
    assert float(ito.lyapunov_dimension(ito.gallery.bernoulli_convolution(0.6))) == 1.0


def test_estimated_exponents_give_an_interval():
    features = np.random.default_rng(0).normal(size=(6, 2))
    maps = ito.LogisticRegressionSGD(features, np.sign(features[:, 0]), 2.0, ridge=0.4)
    found = ito.lyapunov_dimension(maps)
    assert not found.exact
    assert found.low <= found.value <= found.high
    assert found.low < found.high


def test_batches_have_the_entropy_of_their_number():
    maps = ito.LinearRegressionSGD(np.eye(5), np.ones(5), 0.1, batch_size=2)
    assert entropy_of(maps) == pytest.approx(math.log(10))


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (ito.gallery.ar1(0.5, 1.0), "whose entropy is not finite"),
        (
            ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], 0.1, sampling="reshuffle"),
            "sampling='reshuffle': give sampling='iid'",
        ),
        (ito.AffineMaps([[[2.0]], [[3.0]]], [[0.0], [1.0]]), "do not contract on average"),
    ],
)
def test_what_has_no_such_bound_is_told(maps, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.lyapunov_dimension(maps)
