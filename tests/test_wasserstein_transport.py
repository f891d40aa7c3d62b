"""wasserstein in several dimensions: every method against its literal twin, bounds between the methods, the errors."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.wasserstein import transport, wasserstein, wasserstein_1d
from tests import naive_wasserstein as naive

EPS = np.finfo(float).eps
# HiGHS keeps constraints and reduced costs to 1e-7 of costs of size one to a hundred.
PROGRAM = 1e-6

has_pot = transport.import_pot() is not None
needs_pot = pytest.mark.skipif(not has_pot, reason="POT is not installed")


@pytest.fixture
def without_pot(monkeypatch):
    monkeypatch.setattr(transport, "import_pot", lambda: None)


def points(n, dim, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1.0, size=(n, dim))


@needs_pot
@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(2, 4), st.sampled_from([1, 1.5, 2, 3]), st.integers(0, 10**6))
def test_exact_equals_the_linear_program(n, m, dim, p, seed):
    u, v = points(n, dim, seed), points(m, dim, seed + 1, 0.5)
    assert wasserstein(u, v, p) == pytest.approx(naive.transport_program(u, v, p), rel=PROGRAM)


@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_assignment_equals_the_linear_program(without_pot, p):
    u, v = points(7, 3, 0), points(7, 3, 1, 0.5)
    assert wasserstein(u, v, p) == pytest.approx(naive.transport_program(u, v, p), rel=PROGRAM)


@needs_pot
@pytest.mark.parametrize("p", [1, 2])
def test_assignment_equals_pot_and_its_own_cost(monkeypatch, p):
    import ot

    u, v = points(60, 3, 0), points(60, 3, 1, 0.5)
    found = wasserstein(u, v, p)
    cost = np.linalg.norm(u[:, None] - v[None], axis=2) ** p
    # Sums of 60 nonnegative terms, in other orders; POT's weights 1/60 are rounded.
    assert found == pytest.approx(float(ot.emd2([], [], cost)) ** (1 / p), rel=16 * 60 * EPS)
    monkeypatch.setattr(transport, "import_pot", lambda: None)
    assert wasserstein(u, v, p) == pytest.approx(found, rel=16 * 60 * EPS)


@needs_pot
@pytest.mark.parametrize("p", [1, 2, 5])
def test_equal_measures_are_at_distance_zero_exactly(p):
    # Flows of rounded weights 1/n would leave (1e-17)^(1/p) of the size.
    u = points(50, 2, 0)
    shuffled = np.random.default_rng(1).permutation(u)
    assert wasserstein(u, shuffled, p) == 0
    assert wasserstein(np.repeat(u, 2, axis=0), np.repeat(shuffled, 3, axis=0), p) == 0


@settings(max_examples=15)
@given(st.sampled_from(["exact", "sliced", "gaussian"]), st.integers(1, 4), st.integers(2, 9), st.integers(0, 10**6))
def test_axioms_translation_and_scaling(method, dim, n, seed):
    u, v, w = points(n, dim, seed), points(n, dim, seed + 1, 0.3), points(n, dim, seed + 2, -0.3)

    def distance(a, b):
        return wasserstein(a, b, 2, method=method)

    size = max(np.abs(a).max() for a in (u, v, w))
    # Coordinates round by eps·size on the way (projection, factorisation of n rows); so do the distances.
    error = 16 * (n + dim) * EPS * size
    assert distance(u, u[::-1]) <= (0 if method == "exact" else error)
    assert distance(u, v) == pytest.approx(distance(v, u), rel=0, abs=error)
    assert distance(u, v) <= distance(u, w) + distance(w, v) + error
    assert distance(3 * u, 3 * v) == pytest.approx(3 * distance(u, v), rel=0, abs=3 * error)
    step = np.arange(1.0, dim + 1)
    assert distance(u + step, v + step) == pytest.approx(distance(u, v), rel=0, abs=10 * error)
    if method != "sliced":  # slices see the shift through random directions
        assert distance(u, u + step) == pytest.approx(np.linalg.norm(step), rel=0, abs=10 * error)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize(("n", "m"), [(9, 9), (9, 5), (1, 4)])
def test_sliced_equals_the_loop(n, m, p):
    u, v = points(n, 6, 0), points(m, 6, 1, 0.5)
    found = wasserstein(u, v, p, method="sliced", n_projections=7, seed=5)
    # Projections round by d·eps·size, and the distances with them.
    error = 16 * (6 + n + m) * EPS * max(np.abs(u).max(), np.abs(v).max())
    assert found == pytest.approx(naive.sliced(u, v, p, 7, seed=5), rel=0, abs=error)
    largest = wasserstein(u, v, math.inf, method="sliced", n_projections=7, seed=5)
    assert largest == pytest.approx(naive.sliced(u, v, math.inf, 7, seed=5), rel=0, abs=error)


def test_sliced_reads_every_coordinate_and_every_block():
    # More points than a block and a number of coordinates that is no multiple of four.
    u, v = points(2500, 7, 0), points(2500, 7, 1)
    v[-1, 6] += 1000.0
    directions = naive.directions(3, 7, seed=0)
    expected = np.mean([wasserstein_1d(u @ w, v @ w, 2) ** 2 for w in directions]) ** 0.5
    found = wasserstein(u, v, 2, method="sliced", n_projections=3, seed=0)
    assert found == pytest.approx(expected, rel=16 * 7 * 1000 * EPS)


def test_sliced_does_not_depend_on_threads_or_chunks(monkeypatch):
    u, v = points(3000, 5, 0), points(2000, 5, 1)
    results = []
    for workers, values in ((1, 1 << 20), (2, 1 << 20), (3, 1 << 13), (2, 1)):
        monkeypatch.setattr(transport.resources, "threads", lambda workers=workers: workers)
        monkeypatch.setattr(transport, "SLICE_VALUES", values)
        results.append(wasserstein(u, v, 2, method="sliced", n_projections=11, seed=3))
    assert len(set(results)) == 1


@needs_pot
def test_sliced_equals_pot_on_the_same_directions():
    import ot

    u, v = points(300, 4, 0), points(200, 4, 1, 0.5)
    directions = naive.directions(50, 4, seed=9)
    expected = ot.sliced_wasserstein_distance(u, v, projections=directions.T.copy(), p=2)
    found = wasserstein(u, v, 2, method="sliced", n_projections=50, seed=9)
    # POT's levels are cumulated weights: an error of 500·eps in a level, over distances of the size of the range.
    assert found == pytest.approx(float(expected), rel=500 * 16 * EPS)


def test_seeds_choose_the_directions():
    u, v = points(20, 3, 0), points(20, 3, 1)
    first = wasserstein(u, v, method="sliced", n_projections=5, seed=1)
    assert wasserstein(u, v, method="sliced", n_projections=5, seed=1) == first
    assert wasserstein(u, v, method="sliced", n_projections=5, seed=2) != first
    key = np.random.SeedSequence(4)
    assert wasserstein(u, v, method="sliced", seed=key) == wasserstein(
        u, v, method="sliced", seed=int(key.generate_state(1, np.uint64)[0])
    )


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_gaussian_equals_the_formula(dim):
    u, v = points(50, dim, 0), points(40, dim, 1, 0.5) @ np.diag(np.arange(1.0, dim + 1))
    one_dimensional = math.hypot(u.mean() - v.mean(), u.std() - v.std())
    expected = one_dimensional if dim == 1 else naive.gaussian(u, v)
    # The twin takes roots of matrices: errors of eps times the condition of the covariances, below 1e3 here.
    assert wasserstein(u, v, method="gaussian") == pytest.approx(expected, rel=1e3 * dim * EPS)


def test_gaussian_with_singular_covariances():
    line = np.linspace(-1, 1, 9)
    flat, tall = np.outer(line, [1.0, 0, 0]), np.outer(line, [0, 2.0, 0])
    # On orthogonal lines no mass can be turned: the square distance is the sum of the variances.
    expected = math.sqrt(line.var() * (1 + 4))
    assert wasserstein(flat, tall, method="gaussian") == pytest.approx(expected, rel=100 * EPS)
    assert wasserstein(flat, 3 * flat, method="gaussian") == pytest.approx(2 * line.std(), rel=100 * EPS)
    one, other = np.array([[1.0, 2, 3]]), np.array([[1.0, 2, 8]])  # fewer points than coordinates
    assert wasserstein(one, other, method="gaussian") == 5.0
    # Close laws: a difference of 1e-9 in the spread is there to seven digits.
    assert wasserstein(flat, flat * (1 + 1e-9), method="gaussian") == pytest.approx(1e-9 * line.std(), rel=1e-6)


@needs_pot
@pytest.mark.parametrize(("n", "m"), [(30, 30), (30, 20)])
def test_methods_bound_each_other(n, m):
    u, v = points(n, 3, 0), points(m, 3, 1, 0.5) * [1, 2, 0.5]
    exact = wasserstein(u, v, 2)
    assert wasserstein(u, v, 2, method="gaussian") <= exact * (1 + 100 * EPS)  # Gelbrich's bound
    assert wasserstein(u, v, 2, method="sliced") <= exact * (1 + 100 * EPS)  # projections do not expand
    costs = [wasserstein(u, v, 2, method="sinkhorn", regularisation=r) for r in (1.0, 0.1, 0.02)]
    assert exact * (1 - 100 * EPS) <= costs[2] <= costs[1] <= costs[0]
    # The plan minimises cost − strength·entropy, and the entropy of n·m pairs is between 0 and log(n·m).
    mean = np.mean(np.linalg.norm(u[:, None] - v[None], axis=2) ** 2)
    assert costs[2] ** 2 <= exact**2 + 0.02 * mean * math.log(n * m)


@pytest.mark.parametrize("far", [10**3, 10**6, 10**9])
def test_a_far_point_costs_the_digits_that_are_documented(far):
    generator = np.random.default_rng(0)
    x, y = generator.integers(-9, 10, (2, 40))
    x[0], y[0] = far, far + 1
    direction = np.array([3, 4, 0])
    u, v = np.outer(x, direction), np.outer(y, direction)
    error = (3 + 40 + 40) * 2.0**-48 * (5 * far)
    # On a line every projection is the same distance, times the cosine; one direction is as good as all.
    cosines = naive.directions(1, 3, seed=0) @ direction
    found = wasserstein(u, v, 1, method="sliced", n_projections=1)
    assert found == pytest.approx(abs(cosines[0]) * naive.distance_1d(x, y, 1), rel=0, abs=error)
    # The variances as fractions, their roots by whole numbers of 2^-200.
    means = [Fraction(int(z.sum()), 40) for z in (x, y)]
    variances = [Fraction(int((z.astype(object) ** 2).sum()), 40) - m**2 for z, m in zip((x, y), means, strict=True)]
    spreads = [Fraction(math.isqrt(int(w * 40**2) << 400), 40 << 200) for w in variances]
    expected = 5 * math.hypot(float(means[0] - means[1]), float(spreads[0] - spreads[1]))
    assert wasserstein(u, v, method="gaussian") == pytest.approx(expected, rel=0, abs=error)
    # The control: the formula with squares loses the square.
    if far == 10**9:
        squares = u.var() + v.var() - 2 * math.sqrt(u.var() * v.var())
        assert abs(math.sqrt(max(squares, 0.0)) - expected) > error


def test_one_dimension_is_sorted():
    u, v = points(40, 1, 0), points(30, 1, 1)
    for method in ("exact", "sliced"):
        for p in (1, 2, math.inf):
            assert wasserstein(u, v, p, method=method) == wasserstein_1d(u[:, 0], v[:, 0], p)
    assert wasserstein(u[:, 0], v[:, 0], 1) == wasserstein_1d(u[:, 0], v[:, 0])


@pytest.mark.parametrize("method", ["exact", "sliced", "gaussian"])
@pytest.mark.parametrize("scale", [2.0**1022, 2.0**-1000])
def test_neither_overflow_nor_underflow(method, scale):
    u, v = points(8, 3, 0) / 8, points(8, 3, 1) / 8
    found = wasserstein(scale * u, scale * v, method=method)
    # 2^-1000 times a coordinate may be subnormal in its last digits only.
    assert found == pytest.approx(scale * wasserstein(u, v, method=method), rel=2.0**-20)


def test_common_points():
    u = np.full((4, 2), 3.25)
    for method in ("exact", "sliced", "gaussian", "sinkhorn"):
        assert wasserstein(u, u, method=method) == 0
        assert wasserstein(0 * u, 0 * u, method=method) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "best"}, ["method is 'best'", "'sliced'"]),
        ({"p": 0}, ["p is 0", "at least 1"]),
        ({"p": math.inf}, ["p is inf", "sliced"]),
        ({"p": math.inf, "method": "sinkhorn"}, ["p is inf", "sliced"]),
        ({"p": 1, "method": "gaussian"}, ["p is 1", "p=2"]),
        ({"n_projections": 0}, ["n_projections is 0"]),
        ({"n_projections": 2.5}, ["n_projections is 2.5"]),
        ({"seed": -1}, ["seed is -1"]),
        ({"regularisation": 0.1}, ["regularisation is 0.1", "sinkhorn"]),
        ({"regularisation": 0, "method": "sinkhorn"}, ["regularisation is 0.0", "above 0"]),
        ({"u": [[1, 2, 3]]}, ["u has 3 coordinates and v 2"]),
        ({"u": np.zeros((2, 2, 2))}, ["u has shape (2, 2, 2)"]),
        ({"v": [[0, math.nan]]}, ["v[0, 1] is nan"]),
        ({"u": np.zeros((10**6, 2)), "v": np.zeros((10**6, 2))}, ["1000000", "GiB", "sliced", "subsample"]),
    ],
)
def test_errors_show_the_value_and_what_is_accepted(arguments, words):
    with pytest.raises(InvalidInputError) as caught:
        wasserstein(**({"u": [[0, 1], [2, 3]], "v": [[0, 1]]} | arguments))
    for word in words:
        assert word in str(caught.value)


def test_without_pot_the_error_says_what_to_install(without_pot):
    with pytest.raises(BackendUnavailableError, match=r"POT.*pip install iterorder\[transport\]"):
        wasserstein(points(4, 2, 0), points(3, 2, 1))


@needs_pot
def test_pot_is_imported_without_its_backends_and_the_environment_is_restored():
    program = (
        "import os, sys\n"
        "from iterorder.wasserstein.transport import POT_SWITCHES, import_pot\n"
        "os.environ.pop(POT_SWITCHES[0], None); os.environ[POT_SWITCHES[1]] = 'mine'\n"
        "before = dict(os.environ)\n"
        "import_pot()\n"
        "assert dict(os.environ) == before\n"
        "print('ot' in sys.modules, sorted({'torch', 'jax', 'cupy', 'tensorflow'} & set(sys.modules)))"
    )
    environment = {name: value for name, value in os.environ.items() if name not in transport.POT_SWITCHES}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert result.stdout.strip() == "True []"
