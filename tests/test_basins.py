"""`basins` where the laws and the probabilities to end in them are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import iterorder as ito
from iterorder.laws.basin_search import _linked, _same_law, binomial_interval

SEED = 20261128
TOP = 6


def _ruin(x, draw, params, out):
    out[0] = x[0]
    if 0.5 < x[0] < params[1] - 0.5:
        out[0] = x[0] + 1.0 if draw[0] < params[0] else x[0] - 1.0


def ruin(p: float) -> ito.CustomMaps:
    return ito.CustomMaps(_ruin, dim=1, noise="uniform", params=(p, float(TOP)))


def test_gamblers_ruin():
    """P(win | start i) = (1 − rⁱ)/(1 − r^N), r = q/p; that of a fair game is outside."""
    p, starts = 0.6, np.arange(1.0, TOP)
    found = ito.basins(ruin(p), starts, n_steps=400, n_replicas=1000, seed=SEED)
    assert found.n_laws == 2
    assert found.settled
    won = [float(points[0, 0]) for points in found.points].index(float(TOP))
    ratio = (1.0 - p) / p
    exact = (1.0 - ratio**starts) / (1.0 - ratio**TOP)
    assert (found.low[:, won] <= exact).all()
    assert (exact <= found.high[:, won]).all()
    fair = starts / TOP
    assert ((found.low[:, won] > fair) | (fair > found.high[:, won])).any()
    np.testing.assert_allclose(found.probability.sum(axis=1), 1.0, rtol=0.0, atol=4 * np.finfo(float).eps)


def test_two_wells_are_one_law_above_the_fold():
    """Two laws below the tilt 2/(3√3), one above (Shirokoff and Zaleski): as `ergodic_intervals` proves."""
    starts = np.linspace(-1.2, 1.2, 9)
    for tilt in (0.2, 1.0):
        maps = ito.gallery.double_well(0.1, tilt)
        found = ito.basins(maps, starts, n_steps=2000, seed=SEED)
        intervals = ito.ergodic_intervals(maps, -1.6, 1.6)
        assert found.n_laws == len(intervals)
        assert found.settled
        for points in found.points:
            inside = (intervals[:, 0] - 1e-9 <= points.min()) & (points.max() <= intervals[:, 1] + 1e-9)
            assert inside.sum() == 1


def test_walkers_on_their_way_are_not_settled():
    """Starts far from a law that is reached slowly: the window sees them move."""
    maps = ito.QuadraticSGD([1.0, 1.0], [0.0, 1.0], 0.01)
    assert not ito.basins(maps, [3.0, 4.0], n_steps=5, seed=SEED).settled
    assert ito.basins(maps, [3.0, 4.0], n_steps=1500, seed=SEED).settled


@pytest.mark.parametrize("slopes", [(0.5, 0.5), (0.5, 0.25), (0.0, 0.0)])
def test_a_law_without_variance_is_settled_when_it_is_reached(slopes):
    """All maps contract to zero: states shrink for ever, and by the end of the window they are still not zero."""
    maps = ito.AffineMaps([[[slopes[0]]], [[slopes[1]]]], [[0.0], [0.0]])
    found = ito.basins(maps, [-1.0, 1.0], n_steps=200, seed=SEED)
    assert (found.n_laws, found.settled) == (1, True)
    if slopes[0]:  # the control: after ten steps they are a thousandth of the starts, and move
        assert not ito.basins(maps, [-1.0, 1.0], n_steps=10, seed=SEED).settled


def test_paths_that_stop_by_rounding_on_either_side_of_a_point_are_one_law():
    """At 1 from below and above, some eps/h apart; two points that are further apart by far are two laws."""
    near = ito.QuadraticSGD([1.0], [1.0], 0.01)
    found = ito.basins(near, [0.0, 3.0], n_steps=4000, n_replicas=20, seed=SEED)
    assert np.ptp(np.concatenate(found.points)) > 0.0
    assert (found.n_laws, found.settled) == (1, True)
    still = ito.AffineMaps([[[1.0]]], [[0.0]])
    assert ito.basins(still, [1.0, 1.001], n_steps=10, n_replicas=20, seed=SEED).n_laws == 2


def test_what_few_replicas_can_tell_is_said():
    few, more = (ito.basins(ruin(0.5), [3.0], n_steps=400, n_replicas=n, seed=SEED) for n in (4, 400))
    assert few.resolution == (few.high - few.low).max() / 2.0 > 0.3 > 0.1 > more.resolution
    assert f"probability=±{few.resolution:.2g} at most" in repr(few)
    assert "n_replicas=4" in repr(few)
    assert "with too few replicas to tell" in repr(few)
    assert "too few" not in repr(more)
    assert ito.basins(ruin(0.5), [3.0], n_steps=9, cell=0.5, seed=SEED).cell.tolist() == [0.5]


def test_settled_holds_its_level():
    """200 pairs of clouds of one law; more rejections than the binomial's 10⁻³ quantile are too many."""
    rng = np.random.default_rng(SEED)
    p = np.array([_same_law(*rng.normal(size=(2, 40, 2)), rng) for _ in range(200)])
    assert (p <= 0.05).sum() <= stats.binom.isf(1e-3, 200, 0.05)
    moved = [_same_law(rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + 1.5, rng) for _ in range(20)]
    assert max(moved) <= 0.05


def test_divergence_is_a_share():
    """x → 2x or x/4 + … leaves from far away: a map that squares has the infinite as its second basin."""
    maps = ito.CustomMaps(_square, dim=1, noise="uniform")
    found = ito.basins(maps, [0.5, 2.0], n_steps=50, n_replicas=20, seed=SEED)
    assert found.n_laws == 1
    assert found.diverged.tolist() == [0.0, 1.0]
    assert found.probability[:, 0].tolist() == [1.0, 0.0]


def _square(x, draw, params, out):
    out[0] = x[0] * x[0]


def test_links_against_a_literal_search():
    """Components by repeated joining of sets."""
    paths = np.random.default_rng(SEED).integers(0, 12, (9, 2, 1)).astype(float)
    groups: list[tuple[set, set]] = []
    for replica, path in enumerate(paths[:, :, 0]):
        joined = ({replica}, set(path))
        apart = []
        for group in groups:
            if group[1] & joined[1]:
                joined = (joined[0] | group[0], joined[1] | group[1])
            else:
                apart.append(group)
        groups = [*apart, joined]
    found = _linked(paths, 1.0)
    assert {frozenset(np.flatnonzero(found == k)) for k in set(found)} == {frozenset(group[0]) for group in groups}
    sizes = np.bincount(found)
    assert (np.diff(sizes) <= 0).all()


@pytest.mark.parametrize("n", [1, 10, 200])
def test_intervals_against_scipy(n):
    counts = np.arange(n + 1)
    low, high = binomial_interval(counts, n, 0.01)
    for k in counts:
        expected = stats.binomtest(int(k), n).proportion_ci(0.99, method="exact")
        assert (low[k], high[k]) == pytest.approx(tuple(expected), abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"starts": [[0.0, 1.0]]}, "starts has shape"),
        ({"level": 0.0}, "level is 0.0"),
        ({"cell": 0.0}, "cell is 0.0"),
        ({"window": 0}, "window is 0"),
        ({"n_replicas": 1}, "n_replicas is 1"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ito.InvalidInputError, match=words):
        ito.basins(ruin(0.5), **{"starts": [1.0], "n_steps": 5, "seed": 0, **arguments})
