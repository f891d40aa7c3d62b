"""`stationarity_test`: its level on stationary paths, its power against far starts, its statistic against a twin."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

import iterorder as ito
from iterorder.laws.block_test import BLOCKS, _distribution_functions, _of_first_parts, correlation_time
from iterorder.laws.drift_test import mean_square_drift

SEED = 20261128
STEPS, RUNS, LEVEL = 64 * 60, 200, 0.05
#: More rejections than this among so many independent tests at the level have probability below 10⁻³.
MOST = int(stats.binom.isf(1e-3, RUNS, LEVEL))
AR1 = ito.gallery.ar1(0.5, 1.0)
KINDS = ["wasserstein", "fluctuation-dissipation"]


def paths(start, n: int, seed: int = SEED) -> np.ndarray:
    """Forward paths of AR(1), shape (n, STEPS): from the law where start is None."""
    x0 = AR1.law.rvs(n, random_state=np.random.default_rng(seed))[:, None] if start is None else np.full((n, 1), start)
    return ito.simulate(AR1, x0, STEPS - 1, n_replicas=n, seed=seed, save_steps="all").states[:, :, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_level_on_stationary_paths(kind, monkeypatch):
    monkeypatch.setattr("iterorder.laws.block_test.ORDERS", 199)
    tests = [
        ito.stationarity_test(path, kind=kind, maps=AR1, level=LEVEL, seed=k)
        for k, path in enumerate(paths(None, RUNS))
    ]
    assert sum(test.rejected for test in tests) <= MOST
    # The p-values are no constant either: half of them lie below a half, to 3.9 standard errors (10⁻⁴).
    assert abs(np.mean([test.p_value <= 0.5 for test in tests]) - 0.5) < 3.9 * 0.5 / np.sqrt(RUNS)


@pytest.mark.parametrize("kind", KINDS)
def test_power_against_a_start_far_away(kind, monkeypatch):
    """From 300, 260 standard deviations: the transient takes about 13 of 3840 steps."""
    monkeypatch.setattr("iterorder.laws.block_test.ORDERS", 199)
    tests = [ito.stationarity_test(path, kind=kind, maps=AR1, seed=k) for k, path in enumerate(paths(300.0, 20))]
    assert sum(test.rejected for test in tests) >= 18


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left_over", [1, 31, 63])
def test_the_beginning_counts_whatever_is_left_over(kind, left_over):
    """A transient of thirteen steps, and some states that fill no block: those of the end are left out."""
    path = paths(300.0, 1)[0][: 3840 - 64 + left_over]
    test = ito.stationarity_test(path, kind=kind, maps=AR1)
    assert test.rejected
    # Of independent blocks the test sees all states but those that are over.
    np.testing.assert_array_equal(test.parts, ito.stationarity_test(path[:-left_over], kind=kind, maps=AR1).parts)


def test_power_of_the_relation_against_another_step_size():
    """A path of one noise under the maps of another: E‖x‖² is not what the maps keep."""
    other = ito.gallery.ar1(0.5, 1.2)
    tests = [
        ito.stationarity_test(path, kind="fluctuation-dissipation", maps=other, seed=k)
        for k, path in enumerate(paths(None, 20))
    ]
    assert sum(test.rejected for test in tests) >= 18


def test_a_drifting_path_is_rejected():
    noise = paths(None, 1)[0]
    assert not ito.stationarity_test(noise).rejected
    assert ito.stationarity_test(noise + np.linspace(0.0, 0.6, len(noise))).rejected


def test_drift_is_the_relation_of_yaida():
    """−2h x·g + h²|g|² with the gradient g of each draw; its mean over the exact law is zero, and not over another."""
    h = 0.3
    maps = ito.QuadraticSGD([1.0, 2.0], [0.0, 1.0], h)
    points = ito.stationary_sample(maps, 100_000, seed=SEED).points
    found = mean_square_drift(points, maps, np.zeros(1), SEED + 1)
    items = np.array([maps.draw(SEED + 1, r, 0) for r in range(50)]).ravel()
    gradient = np.array([1.0, 2.0])[items] * (points[:50, 0] - np.array([0.0, 1.0])[items])
    expected = -2.0 * h * points[:50, 0] * gradient + h * h * gradient**2
    np.testing.assert_allclose(found[:50], expected, rtol=0.0, atol=64 * np.finfo(float).eps)

    def z(values):
        return abs(values.mean()) / (values.std() / np.sqrt(len(values)))

    assert z(found) < 3.9  # 10⁻⁴
    assert z(mean_square_drift(points + 0.05, maps, np.zeros(1), SEED + 1)) > 3.9


def test_statistic_against_the_distance_of_samples():
    """Whatever the order: √(nks)·W₁ of the first k blocks and the rest, by `wasserstein_1d`."""
    length = 5
    path = np.random.default_rng(SEED).normal(size=(BLOCKS * length, 1))
    functions, widths = _distribution_functions(path, length)
    order = np.random.default_rng(SEED).permutation(BLOCKS)
    blocks = path[:, 0].reshape(BLOCKS, length)[order]
    naive = 0.0
    for k in range(1, BLOCKS // 2 + 1):
        share = k / BLOCKS
        distance = ito.wasserstein_1d(blocks[:k].ravel(), blocks[k:].ravel())
        naive = max(naive, np.sqrt(BLOCKS * length * share * (1.0 - share)) * distance)
    assert _of_first_parts(functions, widths, order, length).max() == pytest.approx(naive, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0.02, 0.2, 0.6])
def test_the_critical_value_parts_what_is_rejected_from_what_is_not(kind, level):
    for k, path in enumerate(paths(None, 4)):
        test = ito.stationarity_test(path, kind=kind, maps=AR1, level=level, seed=k)
        assert test.rejected == (abs(test.statistic) > test.critical)
    assert len(test.parts) == (BLOCKS // 2 if kind == "wasserstein" else BLOCKS)
    if kind == "wasserstein":
        assert test.statistic == test.parts.max()
        assert ito.stationarity_test(path, level=1e-4).critical == np.inf


@pytest.mark.parametrize("a", [0.0, 0.5, 0.9])
def test_correlation_time_of_ar1(a):
    """(1+a)/(1−a); the error of a window of five times is about √(2·5·2τ/n)·τ, taken four times."""
    n = 200_000
    path = lfilter([1.0], [1.0, -a], np.random.default_rng(SEED).normal(size=n))
    tau = (1.0 + a) / (1.0 - a)
    assert abs(correlation_time(path) - tau) < 4.0 * tau * np.sqrt(20.0 * tau / n) + tau * np.exp(-5.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"path": np.cumsum(np.ones(1000))}, "give a longer path"),
        ({"path": np.random.default_rng(0).normal(size=2000), "kind": "w1"}, "kind is 'w1'"),
        ({"path": np.random.default_rng(0).normal(size=2000), "level": 1.0}, "level is 1.0"),
        ({"path": np.random.default_rng(0).normal(size=2000), "kind": KINDS[1]}, "needs the maps"),
        (
            {
                "path": np.random.default_rng(0).normal(size=2000),
                "kind": KINDS[1],
                "maps": ito.QuadraticSGD([1.0, 1.0], [0.0, 1.0], 0.5, sampling="cyclic"),
            },
            "independently",
        ),
        ({"path": ito.simulate(AR1, [0.0], 10, n_replicas=2, seed=0, save_steps="all")}, "2 replicas"),
        ({"path": ito.simulate(AR1, [0.0], 10, order="backward", seed=0, save_steps="all")}, "backward"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ito.InvalidInputError, match=words):
        ito.stationarity_test(**arguments)
