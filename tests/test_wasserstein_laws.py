"""wasserstein_estimate: intervals that cover the distance of the laws, the floor, the cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from iterorder.errors import InvalidInputError
from iterorder.wasserstein import estimate, replicates, wasserstein, wasserstein_estimate

EPS = np.finfo(float).eps
# A right library fails a statistical test below with this probability, at most, over the choice of the seed.
TEST_LEVEL = 1e-3
EXPERIMENTS = 40
# The fewest splits that can stand out at 95 %.
COUNT = 19
# Fewer covered of so many at 95 % happen with TEST_LEVEL.
FEWEST = stats.binom(EXPERIMENTS, 0.95).ppf(TEST_LEVEL)


def normals(n, dim, seed, shift=0.0):
    u, v = np.random.default_rng(seed).normal(size=(2, n, dim))
    v[:, 0] += shift
    return u, v


def basic_interval(u, v, p, method, seed, count=COUNT):
    """The control: the basic bootstrap of resampled rows, which knows nothing of the floor."""
    generator = np.random.default_rng(seed)
    value = wasserstein(u, v, p, method=method, seed=seed)
    resampled = [
        wasserstein(generator.choice(u, len(u)), generator.choice(v, len(v)), p, method=method, seed=seed)
        for _ in range(count)
    ]
    low, high = 2 * value - np.quantile(resampled, [0.975, 0.025])
    return min(max(low, 0.0), value), max(high, value)


@pytest.mark.parametrize(("method", "dim", "n"), [("exact", 2, 24), ("exact", 7, 24), ("sliced", 7, 40)])
def test_equal_laws_are_covered_and_below_the_floor(method, dim, n):
    covered = below = controls = 0
    for seed in range(EXPERIMENTS):
        u, v = normals(n, dim, seed)
        found = wasserstein_estimate(u, v, method=method, n_bootstrap=COUNT, seed=seed)
        covered += found.low <= 0
        below += found.below_floor
        controls += basic_interval(u, v, 1, method, seed)[0] <= 0
    assert covered >= FEWEST
    assert below >= FEWEST
    assert controls < FEWEST / 2


@pytest.mark.parametrize(("dim", "shift", "p"), [(2, 1.0, 1), (2, 3.0, 2), (7, 1.0, 2), (7, 3.0, 1)])
def test_shifted_laws_are_covered(dim, shift, p):
    # Of copies shifted by s the distance is s.
    covered = trivial = wrong = 0
    for seed in range(EXPERIMENTS):
        u, v = normals(24, dim, seed, shift)
        found = wasserstein_estimate(u, v, p, n_bootstrap=COUNT, seed=seed)
        covered += found.low <= shift <= found.high
        wrong += found.low <= 2 * shift + 2 <= found.high
        trivial += found.low == 0
    assert covered >= FEWEST
    # Controls: a distance far above is outside, and laws that are far apart are told from equal ones.
    assert wrong < FEWEST / 2
    assert trivial == 0 or shift == 1.0


@pytest.mark.parametrize("p", [1, 2, 3])
def test_shifted_laws_on_the_line_are_covered_near_the_floor(p):
    """The basic bootstrap's interval, the control, ended below a distance of 0.7 in one of eight pairs of samples."""
    experiments, covered, controls = 200, 0, 0
    for seed in range(experiments):
        u, v = normals(60, 1, seed, 0.7)
        found = wasserstein_estimate(u, v, p, n_bootstrap=60, seed=seed)
        low, high = basic_interval(u, v, p, "exact", seed, count=60)
        covered += found.low <= 0.7 <= found.high
        controls += low <= 0.7 <= high
    fewest = stats.binom(experiments, 0.95).ppf(TEST_LEVEL)
    assert controls < fewest <= covered


def test_unequal_sizes_and_the_gaussian_distance_are_covered():
    covered = below = 0
    for seed in range(EXPERIMENTS):
        u, v = np.random.default_rng(seed).normal(size=(60, 3)), np.random.default_rng(seed + 999).normal(size=(45, 3))
        v[:, 0] += 1
        found = wasserstein_estimate(u, v, 2, method="gaussian", n_bootstrap=COUNT, seed=seed)
        covered += found.low <= 1 <= found.high
        below += found.below_floor
    assert covered >= FEWEST
    assert below < EXPERIMENTS / 2


def test_the_standard_error_of_halves_is_that_of_the_mean():
    # The distance of two points of mass is |difference of means| for this twin: variance (1/n + 1/m) of the normals.
    u, v = np.random.default_rng(0).normal(size=(400, 1)), np.random.default_rng(1).normal(5.0, 1.0, size=(300, 1))
    halves, _ = replicates.row_replicates(u, v, lambda a, b: float(abs(a.mean() - b.mean())), 400, 0)
    error, low, high = estimate._half_interval(float(abs(u.mean() - v.mean())), halves, 0.95, (400, 300), 0.5)
    expected = math.sqrt(u.var() / 400 + v.var() / 300)
    # 400 squares of normals: a relative error of √(2/400)/2 of the root.
    assert abs(error / expected - 1) < stats.norm.isf(TEST_LEVEL / 2) * math.sqrt(1 / 800)
    # A mean has no bias: the interval is the t interval up to the noise of the mean of halves, here exactly zero.
    assert high - low == pytest.approx(2 * stats.t(400).ppf(0.975) * error, rel=64 * EPS * 400)


def test_halves_have_no_row_in_common_and_splits_are_all_of_both():
    u, v = np.arange(9.0)[:, None], np.arange(9.0, 20)[:, None]
    seen = []

    def distance(a, b):
        seen.append((a[:, 0].tolist(), b[:, 0].tolist()))
        return 0.0

    replicates.row_replicates(u, v, distance, 5, 0)
    for first, second, split in zip(seen[::3], seen[1::3], seen[2::3], strict=True):
        for own, other, all_of_them in ((first[0], second[0], u), (first[1], second[1], v)):
            assert len(own) == len(other) == len(all_of_them) // 2
            assert not set(own) & set(other)
            assert set(own) | set(other) <= set(all_of_them[:, 0])
        assert (len(split[0]), len(split[1])) == (9, 11)
        assert sorted(split[0] + split[1]) == list(range(20))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (2, 3)])
def test_a_few_points_prove_nothing(n, m):
    generator = np.random.default_rng(0)
    u, v = generator.normal(size=(n, 2)), generator.normal(3.0, 1.0, size=(m, 2))
    found = wasserstein_estimate(u, v, method="sliced", n_bootstrap=30)
    assert found.below_floor
    assert found.low == 0
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("exponent", [-900, 900])
@pytest.mark.parametrize(("dim", "method"), [(1, "exact"), (2, "exact"), (2, "sliced"), (2, "gaussian")])
def test_the_interval_has_the_scale_of_the_samples(dim, method, exponent):
    """By a power of two, so exactly but for rounding; squares of such distances are no floats."""
    u, v = normals(20, dim, 5, shift=1.0)
    one = wasserstein_estimate(u, v, 2, method=method, n_bootstrap=COUNT)
    other = wasserstein_estimate(np.ldexp(u, exponent), np.ldexp(v, exponent), 2, method=method, n_bootstrap=COUNT)
    for name in ("value", "standard_error", "low", "high", "noise_floor"):
        assert math.ldexp(getattr(other, name), -exponent) == pytest.approx(getattr(one, name), rel=1000 * EPS), name
    # The control: a standard error whose squares underflowed is zero, one whose squares overflowed infinite.
    assert 0.0 < one.standard_error < math.inf
    assert other.below_floor == one.below_floor


def test_the_largest_difference_has_no_known_rate():
    u, v = normals(30, 2, 0, shift=8.0)
    found = wasserstein_estimate(u, v, math.inf, method="sliced", n_bootstrap=24)
    assert not found.below_floor
    assert found.low == 0 < found.value <= found.high < math.inf


def test_the_floor_is_a_rank_where_there_are_enough_splits():
    splits = np.arange(19.0)
    assert not estimate._is_below_floor(19.0, splits, 0.95)  # first of twenty
    assert estimate._is_below_floor(17.5, splits, 0.95)
    assert not estimate._is_below_floor(17.5, splits, 0.9)
    # Too few for a rank: Student's quantile of the next value.
    few = splits[:5]
    reach = stats.t(4).ppf(0.95) * few.std(ddof=1) * math.sqrt(6 / 5)
    assert estimate._is_below_floor(few.mean() + reach * (1 - 4 * EPS), few, 0.95)
    assert not estimate._is_below_floor(few.mean() + reach * (1 + 4 * EPS), few, 0.95)
    assert estimate._is_below_floor(1e9, splits[:1], 0.95)


def test_the_number_of_replicates_is_smaller_for_programs_and_grows_with_the_level(monkeypatch):
    counts = []
    for name in ("row_replicates", "line_replicates"):
        whole = getattr(replicates, name)

        def counted(*arguments, whole=whole):
            counts.append(arguments[3])
            return whole(*arguments)

        monkeypatch.setattr(estimate, name, counted)
    u, v = normals(8, 2, 0)
    for method in ("exact", "sinkhorn", "sliced"):
        wasserstein_estimate(u, v, method=method)
    wasserstein_estimate(u[:, 0], v[:, 0])
    wasserstein_estimate(u, v, level=0.99)
    wasserstein_estimate(u, v, n_bootstrap=3)
    assert counts == [24, 24, 200, 200, 99, 3]


def test_hours_are_an_error_before_they_begin_unless_asked_for(monkeypatch):
    u, v = normals(40, 2, 0)
    monkeypatch.setattr(estimate, "PILOT_SIZE", 20)
    monkeypatch.setattr(estimate, "PATIENCE", 0.0)
    sizes = []
    monkeypatch.setattr(estimate, "wasserstein", lambda a, b, *_, **__: sizes.append(len(a)) or 1.0)
    with pytest.raises(InvalidInputError, match=r"40 and 40 points.*24 replicates.*hours.*sliced.*n_bootstrap"):
        wasserstein_estimate(u, v)
    assert set(sizes) == {20}
    assert wasserstein_estimate(u, v, n_bootstrap=2).value == 1.0
    monkeypatch.setattr(estimate, "PATIENCE", 1e9)
    assert wasserstein_estimate(u, v).value == 1.0


@pytest.mark.parametrize("dim", [1, 2])
def test_progress_is_told_and_changes_nothing(dim):
    u, v = normals(20, dim, 0)
    shares = []
    watched = wasserstein_estimate(u, v, method="sliced", n_bootstrap=110, progress=shares.append)
    assert watched == wasserstein_estimate(u, v, method="sliced", n_bootstrap=110)
    assert len(shares) > 10
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    with pytest.raises(InvalidInputError, match="progress is 'yes'"):
        wasserstein_estimate(u, v, progress="yes")


def test_a_value_above_the_floor_that_chance_explains_is_shown_as_such():
    """The floor is a mean, and the word about it a test: a value above the one may pass the other."""
    generator = np.random.default_rng(0)
    found = [wasserstein_estimate(*generator.normal(size=(2, 60)), seed=seed) for seed in range(20)]
    between = [one for one in found if one.below_floor and one.value > one.noise_floor]
    assert between
    assert all(str(one).endswith(" (not significantly above it)") for one in between)
    # The control: laws that differ.
    assert str(wasserstein_estimate(generator.normal(size=60), 5.0 + generator.normal(size=60)))[-1].isdigit()
