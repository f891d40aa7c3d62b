"""wasserstein_1d: the axioms, the literal twin, SciPy, weights, columns, the range of the floats, the errors."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from iterorder.errors import InvalidInputError
from iterorder.wasserstein import sorted_samples, wasserstein_1d
from tests import naive_wasserstein as naive

EPS = np.finfo(float).eps

# Whole numbers of sixteenths: sums and differences of a few are exact, so that ties and cancellations happen.
coordinates = st.integers(-1000, 1000).map(lambda k: k / 16)
samples = st.lists(coordinates, min_size=1, max_size=8).map(np.array)
exponents = st.sampled_from([1, 1.5, 2, 3, 7.25, math.inf])


def relative(terms: int) -> float:
    """A bound of the relative error: a sum of nonnegative terms, each a power, then a root (a few roundings each)."""
    return 8 * (terms + 4) * EPS


@settings(max_examples=60)
@given(samples, samples, exponents)
def test_equals_the_integral_in_fractions(u, v, p):
    assert wasserstein_1d(u, v, p) == pytest.approx(naive.distance_1d(u, v, p), rel=relative(u.size + v.size), abs=0)


@settings(max_examples=60)
@given(st.data(), samples, samples, exponents)
def test_integer_weights_equal_repetition_and_the_fractions(data, u, v, p):
    def weights(size):
        drawn = st.lists(st.integers(0, 4), min_size=size, max_size=size).filter(any)
        return np.array(data.draw(drawn))

    u_weights, v_weights = weights(u.size), weights(v.size)
    weighted = wasserstein_1d(u, v, p, u_weights=u_weights, v_weights=v_weights)
    tolerance = relative(int(u_weights.sum() + v_weights.sum()))
    repeated = wasserstein_1d(np.repeat(u, u_weights), np.repeat(v, v_weights), p)
    assert weighted == pytest.approx(repeated, rel=tolerance, abs=0)
    assert weighted == pytest.approx(naive.distance_1d(u, v, p, u_weights, v_weights), rel=tolerance, abs=0)


@settings(max_examples=60)
@given(st.data(), samples, samples, st.sampled_from([1, 2, 3]))
def test_real_weights_equal_the_fractions(data, u, v, p):
    def weights(size):
        return np.array(data.draw(st.lists(st.floats(0.01, 1.0), min_size=size, max_size=size)))

    u_weights, v_weights = weights(u.size), weights(v.size)
    weighted = wasserstein_1d(u, v, p, u_weights=u_weights, v_weights=v_weights)
    # Rounded levels move a mass of at most (n+m)·eps over at most the range: p-th powers differ by that much.
    reference = naive.distance_1d(u, v, p, u_weights, v_weights)
    scale = np.ptp(np.concatenate([u, v])) ** p
    assert abs(weighted**p - reference**p) <= 8 * (u.size + v.size + 4) * EPS * scale


def test_one_weighted_sample_against_an_unweighted_one():
    assert wasserstein_1d([0, 1], [0, 0, 0, 1], 1, u_weights=[3, 1]) == 0
    assert wasserstein_1d([0, 1], [0, 0, 0, 1], 1, u_weights=[0.75, 0.25]) == 0
    assert wasserstein_1d([0, 1], [0, 1, 5], math.inf, v_weights=[0.1, 0.1, 0]) == 0


@pytest.mark.parametrize("size", [1e308, 1e-308, 5e-324])
def test_only_the_proportions_of_weights_matter(size):
    for p in (1, 2, math.inf):
        found = wasserstein_1d([0, 1, 2], [0, 3], p, u_weights=[size, size, 0], v_weights=[size, size])
        assert found == pytest.approx({1: 1.0, 2: math.sqrt(2), math.inf: 2.0}[p], rel=relative(5))


def test_rounded_levels_do_not_show_in_the_largest_difference():
    # 0.1 + 0.1 + 0.1 and 0.3 are different floats and the same level.
    u_weights, v_weights = np.full(10, 0.1), [0.3, 0.7]
    u = np.repeat([0.0, 100.0], [3, 7])
    assert wasserstein_1d(u, [0, 100], math.inf, u_weights=u_weights, v_weights=v_weights) == 0
    # Integer weights are not rounded: the least of masses counts.
    assert wasserstein_1d([0, 1], [1], math.inf, u_weights=[1, 2**52]) == 1


@given(samples, samples, samples, exponents)
def test_is_a_metric(u, v, w, p):
    distance = wasserstein_1d(u, v, p)
    assert distance >= 0
    assert wasserstein_1d(v, u, p) == pytest.approx(distance, rel=relative(u.size + v.size), abs=0)
    assert wasserstein_1d(u, u[::-1], p) == 0
    assert (distance == 0) == (naive.distance_1d(u, v, p) == 0)
    detour = wasserstein_1d(u, w, p) + wasserstein_1d(w, v, p)
    assert distance <= detour * (1 + relative(u.size + v.size + 2 * w.size))


@given(samples, samples, exponents, st.integers(-40, 40), st.integers(-64, 64).filter(bool))
def test_translation_and_scaling(u, v, p, shift, factor):
    tolerance = relative(u.size + v.size)
    assert wasserstein_1d(u, u + shift, p) == pytest.approx(abs(shift), rel=tolerance, abs=0)
    distance = wasserstein_1d(u, v, p)
    assert wasserstein_1d(u + shift, v + shift, p) == pytest.approx(distance, rel=tolerance, abs=0)
    assert wasserstein_1d(factor * u, factor * v, p) == pytest.approx(abs(factor) * distance, rel=tolerance, abs=0)


@given(samples, samples)
def test_grows_with_the_order(u, v):
    distances = [wasserstein_1d(u, v, p) for p in (1, 1.5, 2, 3, 10, 100, 1e4, 1e300, math.inf)]
    for lower, higher in itertools.pairwise(distances):
        assert lower <= higher * (1 + relative(u.size + v.size))
    # W_p is at least (1/lcm)^(1/p) of the largest difference.
    assert distances[-2] == pytest.approx(distances[-1], rel=relative(2), abs=0)


@given(samples, samples, exponents, st.randoms())
def test_the_order_of_the_points_does_not_matter(u, v, p, random):
    shuffled = list(u)
    random.shuffle(shuffled)
    assert wasserstein_1d(shuffled, v, p) == wasserstein_1d(u, v, p)


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), exponents, st.integers(0, 99))
def test_columns_equal_single_calls(n_columns, n, m, p, seed):
    generator = np.random.default_rng(seed)
    u, v = generator.normal(size=(n, n_columns)), generator.normal(size=(m, n_columns))
    weights = generator.random(n)
    for chosen in (None, weights):
        together = wasserstein_1d(u, v, p, u_weights=chosen)
        assert together.shape == (n_columns,)
        assert together.dtype == np.float64
        singles = [wasserstein_1d(u[:, k], v[:, k], p, u_weights=chosen) for k in range(n_columns)]
        assert together.tolist() == singles


@pytest.mark.parametrize(("n", "m"), [(20_000, 20_000), (20_000, 17_321), (1, 20_000)])
def test_large_samples_on_threads_equal_scipy(n, m):
    generator = np.random.default_rng(1)
    u, v = generator.normal(size=n), generator.normal(0.1, 1.1, size=m)
    # Both add n+m terms of a running level: an error of (n+m)·eps in a level acts over the whole range.
    tolerance = 2 * (n + m) * EPS * np.ptp(np.concatenate([u, v]))
    assert wasserstein_1d(u, v) == pytest.approx(wasserstein_distance(u, v), rel=0, abs=tolerance)
    a, b = generator.random(n), generator.random(m)
    weighted = wasserstein_1d(u, v, u_weights=a, v_weights=b)
    assert weighted == pytest.approx(wasserstein_distance(u, v, a, b), rel=0, abs=tolerance)


def test_columns_on_threads_do_not_depend_on_their_number(monkeypatch):
    generator = np.random.default_rng(2)
    u, v = generator.normal(size=(4000, 13)), generator.normal(size=(3000, 13))
    results = []
    for workers in (1, 2, 5):
        monkeypatch.setattr(sorted_samples.resources, "threads", lambda workers=workers: workers)
        results.append(wasserstein_1d(u, v, 2).tolist())
    assert results[0] == results[1] == results[2]


def test_concurrent_calls_do_not_disturb_each_other():
    generator = np.random.default_rng(3)
    pairs = [(generator.normal(size=20_000), generator.normal(size=15_000)) for _ in range(4)]
    alone = [wasserstein_1d(u, v, 2) for u, v in pairs]
    found = [0.0] * len(pairs)

    def work(k):
        found[k] = wasserstein_1d(*pairs[k], 2)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(len(pairs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


def test_the_arguments_are_not_changed():
    u, v = np.array([3.0, 1.0, 2.0]), np.array([[2.0], [1.0]])
    weights = np.array([1.0, 0.0, 2.0])
    for array in (u, v, weights):
        array.setflags(write=False)
    wasserstein_1d(u, u)
    wasserstein_1d(u, v[:, 0], u_weights=weights)
    wasserstein_1d(v, v)
    assert u.tolist() == [3.0, 1.0, 2.0]


@pytest.mark.parametrize("p", [1, 2, 5, 700.0, math.inf])
@pytest.mark.parametrize("scale", [2.0**1023, 2.0**-1060, 2.0**-500])
def test_neither_overflow_nor_underflow(p, scale):
    u, v = np.array([0.0, 1.0, 1.5]), np.array([0.25, 0.5, 1.75])
    reference = naive.distance_1d(u, v, p)
    # Below 2^-1022 the result has few digits: half of the smallest float, and as much for the root's argument.
    tolerance = {"rel": relative(6) * max(1.0, math.log2(p) if p < math.inf else 1.0), "abs": 4 * 5e-324}
    assert wasserstein_1d(scale * u, scale * v, p) == pytest.approx(scale * reference, **tolerance)
    assert wasserstein_1d(scale * u, scale * np.tile(v, 2), p) == pytest.approx(scale * reference, **tolerance)


@pytest.mark.parametrize("m", [4, 8, 6])
def test_differences_above_the_largest_float(m):
    large = 1.5e308
    u, v = [-large, large, large, large], np.full(m, large)
    assert wasserstein_1d(u, v, 1) == pytest.approx(large / 2, rel=relative(m))
    assert wasserstein_1d(u, v, 2) == pytest.approx(large, rel=relative(m))
    assert wasserstein_1d(u, v, math.inf) == math.inf  # the distance itself is twice the largest float


@pytest.mark.parametrize("m", [100, 300, 77])
def test_sums_above_the_largest_float(m):
    for p in (1, 2, 3):
        assert wasserstein_1d(np.full(100, 1e308), np.zeros(m), p) == pytest.approx(1e308, rel=relative(m))


def test_integers_and_booleans_are_numbers():
    assert wasserstein_1d([True, False], np.array([3, 3], dtype=np.int8)) == 2.5
    assert isinstance(wasserstein_1d([1], [2]), float)
    assert wasserstein_1d(np.float32([1, 2]), [2, 3]) == 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"p": 0.5}, ["p is 0.5", "at least 1"]),
        ({"p": math.nan}, ["p is nan"]),
        ({"p": "2"}, ["p is '2'"]),
        ({"p": True}, ["p is True"]),
        ({"u": [1, math.nan]}, ["u[1] is nan"]),
        ({"v": [[0.0, 1], [-math.inf, 1]], "u": [[0, 1]]}, ["v[1, 0] is -inf"]),
        ({"u": np.array([1, math.nan, -math.inf])}, ["u[1] is nan", "2 are not"]),
        ({"v": np.array([0.0, -math.inf])}, ["v[1] is -inf"]),
        ({"v": np.array([math.inf, 0.0])}, ["v[0] is inf"]),
        ({"u": np.zeros((2, 2)), "v": np.array([[0.0, 1], [0, math.inf]])}, ["v"]),
        ({"u": []}, ["u is empty"]),
        ({"u": 5.0}, ["u has shape ()", "1 or 2 axes"]),
        ({"u": ["a"]}, ["u has dtype"]),
        ({"u": [1j]}, ["u has dtype complex128"]),
        ({"u": [[1, 2]]}, ["u has shape (1, 2)", "(2,)", "columns"]),
        ({"u": [[1, 2]], "v": [[1, 2, 3]]}, ["(1, 2)", "(1, 3)"]),
        ({"u_weights": [1, -1, 0]}, ["u_weights[1] is -1.0", "at least zero"]),
        ({"u_weights": [0, 0, 0]}, ["u_weights sums to zero"]),
        ({"v_weights": [1]}, ["v_weights has shape (1,)", "2 points of v"]),
        ({"v_weights": [1, math.inf]}, ["v_weights[1] is inf"]),
        ({"v_weights": [[1, 1]]}, ["v_weights has shape (1, 2)"]),
        ({"u": [1, math.nan, 2], "u_weights": [1, 0, 1]}, ["u[1] is nan"]),
    ],
)
def test_errors_show_the_value_and_what_is_accepted(arguments, words):
    with pytest.raises(InvalidInputError) as caught:
        wasserstein_1d(**({"u": [0, 1, 2], "v": [0, 1]} | arguments))
    for word in words:
        assert word in str(caught.value)


def test_the_import_brings_neither_scipy_nor_numba_nor_pot():
    # The package's own __init__ is left out: what it imports beside is its own matter.
    program = (
        "import importlib.util, sys, types\n"
        "package = types.ModuleType('iterorder')\n"
        "package.__path__ = importlib.util.find_spec('iterorder').submodule_search_locations\n"
        "before = set(sys.modules)\n"
        "sys.modules['iterorder'] = package\n"
        "import iterorder.wasserstein\n"
        "print(sorted({'numba', 'scipy', 'ot', 'matplotlib'} & (set(sys.modules) - before)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
