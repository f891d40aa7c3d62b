"""wasserstein_estimate: replicates against their literal twin, coverage, the noise floor, the errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.wasserstein import DistanceEstimate, replicates, wasserstein, wasserstein_1d, wasserstein_estimate
from iterorder.wasserstein.sorted_kernel import sorted_split
from tests import naive_wasserstein as naive

EPS = np.finfo(float).eps
# A right library fails a statistical test below with this probability, at most, over the choice of the seed.
TEST_LEVEL = 1e-3


def samples(n, m, seed, shift=0.0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=n), generator.normal(shift, 1.0, size=m)


@pytest.mark.parametrize("p", [1, 2, math.inf])
@pytest.mark.parametrize(("n", "m"), [(12, 12), (9, 6), (1, 4)])
def test_replicates_equal_the_literal_twin(n, m, p):
    u, v = samples(n, m, seed=0)
    halves, split = replicates.line_replicates(u, v, p, 8, seed=7)
    tolerance = 8 * (n + m + 4) * EPS
    assert halves == pytest.approx(np.array(naive.halved_distances(u, v, p, 8, seed=7)), rel=tolerance)
    assert split == pytest.approx(naive.split_distances(u, v, p, 8, seed=7), rel=tolerance)


def test_a_split_takes_every_subset_equally_often():
    # All 15 pairs out of six, in 3000 uniforms a round: chi-square with 14 degrees of freedom.
    generator = np.random.default_rng(1)
    counts: dict[tuple[float, ...], int] = {}
    first, second = np.empty(3), np.empty(5)
    for _ in range(3000):
        sorted_split(np.arange(6.0), generator.random(6), first, second)
        assert sorted([*first[:2], *second[:4]]) == list(range(6))
        counts[tuple(first[:2])] = counts.get(tuple(first[:2]), 0) + 1
    assert len(counts) == 15
    found = sum((count - 200) ** 2 / 200 for count in counts.values())
    assert found < stats.chi2(14).isf(TEST_LEVEL)
    # A wrong target: a split that starts with the lowest point twice as often must be rejected.
    wrong = {pair: 200 * (1.4 if pair[0] == 0 else 0.8) for pair in counts}
    assert sum((counts[pair] - wrong[pair]) ** 2 / wrong[pair] for pair in counts) > stats.chi2(14).isf(TEST_LEVEL)


def test_the_parts_of_an_estimate():
    u, v = samples(40, 30, seed=2, shift=1.0)
    estimate = wasserstein_estimate(u, v, 2, n_bootstrap=50, level=0.8, seed=3)
    halves, split = replicates.line_replicates(u, v, 2.0, 50, seed=3)
    assert isinstance(estimate, Estimate)
    assert estimate.value == float(estimate) == wasserstein_1d(u, v, 2)
    error = math.sqrt(np.mean((halves[:, 0] - halves[:, 1]) ** 2)) / 2
    assert estimate.standard_error == pytest.approx(error, rel=64 * EPS)
    assert estimate.noise_floor == np.mean(split)
    reach, bias = stats.t(50).ppf(0.9) * error, (halves.mean() - estimate.value) / (2 ** (1 / 4) - 1)
    assert estimate.low == pytest.approx(estimate.value - max(bias, 0.0) - reach, rel=1e3 * EPS)
    assert estimate.high == pytest.approx(estimate.value + reach, rel=1e3 * EPS)
    assert not estimate.exact


@pytest.mark.parametrize("method", ["exact", "sliced", "gaussian"])
def test_several_dimensions_resample_rows(method):
    generator = np.random.default_rng(4)
    u, v = generator.normal(size=(30, 2)), generator.normal(size=(25, 2)) + np.array([2.0, 0])
    estimate = wasserstein_estimate(u, v, 2, method=method, n_bootstrap=20, seed=5)
    assert estimate.value == wasserstein(u, v, 2, method=method, seed=5)
    assert estimate.low <= estimate.value <= estimate.high
    assert 0 < estimate.standard_error < estimate.value
    assert 0 < estimate.noise_floor < estimate.value / 2
    # Rows stay whole: points of a line that are only halved and split stay on it, and so do their distances.
    line = np.outer(np.arange(12.0), [0.6, 0.8])
    other = np.outer(np.arange(7.0) + 0.25, [0.6, 0.8])

    def along(a, b):
        return wasserstein_1d(a @ [0.6, 0.8], b @ [0.6, 0.8], 2)

    def across(a, b):
        return wasserstein(a, b, 2, method="exact")

    for flat, full in zip(*(replicates.row_replicates(line, other, f, 6, 0) for f in (along, across)), strict=True):
        assert flat == pytest.approx(full, rel=200 * EPS)


def test_one_column_is_one_dimension():
    u, v = samples(20, 25, seed=6)
    flat = wasserstein_estimate(u, v, n_bootstrap=10, seed=1)
    assert wasserstein_estimate(u[:, None], v[:, None], n_bootstrap=10, seed=1) == flat
    assert wasserstein_estimate(u, v, method="sliced", n_bootstrap=10, seed=1) == flat
    assert wasserstein_estimate(u, v, n_bootstrap=10, seed=2) != flat
    assert wasserstein_estimate(u[::-1], v, n_bootstrap=10, seed=1).noise_floor == flat.noise_floor


def test_results_depend_on_neither_threads_nor_later_replicates(monkeypatch):
    u, v = samples(400, 300, seed=8)
    results = []
    for size in (1, 1 << 40):  # all on threads, none
        monkeypatch.setattr(replicates, "THREAD_SIZE", size)
        results.append(replicates.line_replicates(u, v, 1.0, 100, seed=1))
    assert all((a == b).all() for a, b in zip(*results, strict=True))
    few = replicates.line_replicates(u, v, 1.0, 3, seed=1)
    assert all((a[:3] == b).all() for a, b in zip(results[0], few, strict=True))


def test_equal_samples_and_single_replicates():
    u = samples(30, 1, seed=9)[0]
    same = wasserstein_estimate(u, u, n_bootstrap=20)
    assert same.value == same.low == 0
    # Equal samples are no proof of equal laws: the upper end is at least a quantile of the halves' distances.
    halves, _ = replicates.line_replicates(u, u, 1.0, 20, seed=0)
    assert same.high >= np.quantile(halves, 0.975) > 0
    one = wasserstein_estimate(u, u + 1, n_bootstrap=1)
    assert one.low <= one.value <= one.high


@pytest.mark.parametrize(("u", "v"), [([0.0], [0.0]), ([0.0], [1.0, 2.0, 4.0]), ([[0.0, 1.0]], [[0.0, 1.0]])])
def test_one_point_says_nothing_of_its_law(u, v):
    found = wasserstein_estimate(u, v)
    assert math.isnan(found.standard_error)
    assert (found.low, found.high) == (0.0, math.inf)


def test_the_interval_covers_a_known_distance_at_its_level():
    # N(0,1) and N(1,1): W_1 = 1. The distance is nearly a difference of means, whose spread the bootstrap of 150 points
    # knows to 1/√600: coverage is within 0.03 of the level, of which 150 experiments then show a binomial count.
    experiments, level, bias = 150, 0.9, 0.03
    covered = wrong_covered = 0
    for seed in range(experiments):
        u, v = samples(150, 150, seed=seed, shift=1.0)
        estimate = wasserstein_estimate(u, v, n_bootstrap=79, level=level, seed=seed)
        covered += estimate.low <= 1.0 <= estimate.high
        wrong_covered += estimate.low <= 1.3 <= estimate.high
    lowest = stats.binom(experiments, level - bias).ppf(TEST_LEVEL / 2)
    highest = stats.binom(experiments, level + bias).isf(TEST_LEVEL / 2)
    assert lowest <= covered <= highest
    # A wrong distance, 2.6 standard errors away, must be rejected.
    assert wrong_covered < lowest


def test_the_noise_floor_is_the_distance_of_equal_laws():
    # 60 pairs of samples from one law: the mean ratio of distance to floor is 1 within the spread of the ratios.
    ratios, other_law = [], []
    for seed in range(60):
        u, v = samples(200, 200, seed=1000 + seed)
        estimate = wasserstein_estimate(u, v, n_bootstrap=40, seed=seed)
        ratios.append(estimate.value / estimate.noise_floor)
        other = wasserstein_estimate(u, v + 1.0, n_bootstrap=40, seed=seed)
        other_law.append(other.value / other.noise_floor)
    # The floor of 40 splits is itself off by (spread)/√40 relative, common to none of the pairs: in the spread already.
    error = stats.t(59).isf(TEST_LEVEL / 2) * np.std(ratios, ddof=1) / math.sqrt(60)
    assert abs(np.mean(ratios) - 1) < error
    # A law shifted by one standard deviation stands far above its floor.
    assert min(other_law) > 3


def test_the_standard_error_is_the_spread_of_the_distance():
    # W_1 of N(0,1) and N(3,1) is the difference of the means, with standard deviation sqrt(2/n).
    n = 300
    u, v = samples(n, n, seed=10, shift=3.0)
    estimate = wasserstein_estimate(u, v, n_bootstrap=400, seed=0)
    # The bootstrap's standard deviation has the relative error 1/√800, the samples' own variance 1/√600 each, halved
    # by the root; three and a third of their sum in quadrature is the level.
    error = stats.norm.isf(TEST_LEVEL / 2) * math.sqrt(1 / 800 + 1 / (4 * 300))
    assert abs(estimate.standard_error / math.sqrt(2 / n) - 1) < error


def test_a_distance_estimate_is_an_estimate():
    exact = DistanceEstimate.of(2)
    assert (exact.value, exact.low, exact.high, exact.exact) == (2.0, 2.0, 2.0, True)
    assert math.isnan(exact.noise_floor)
    with pytest.raises(AttributeError):
        exact.noise_floor = 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n_bootstrap": 0}, ["n_bootstrap is 0"]),
        ({"n_bootstrap": 10.5}, ["n_bootstrap is 10.5"]),
        ({"level": 0}, ["level is 0", "(0, 1)"]),
        ({"level": 1.0}, ["level is 1", "(0, 1)"]),
        ({"level": math.nan}, ["level is nan"]),
        ({"p": 0.5}, ["p is 0.5"]),
        ({"method": "gaussian"}, ["p is 1", "p=2"]),
        ({"method": "fast"}, ["method is 'fast'"]),
        ({"seed": 1.5}, ["seed is 1.5"]),
        ({"u": [0, math.inf]}, ["u[1] is inf"]),
        ({"u": [[0, 1]]}, ["u has 2 coordinates and v 1"]),
    ],
)
def test_errors_show_the_value_and_what_is_accepted(arguments, words):
    with pytest.raises(InvalidInputError) as caught:
        wasserstein_estimate(**({"u": [0, 1], "v": [2, 3]} | arguments))
    for word in words:
        assert word in str(caught.value)
