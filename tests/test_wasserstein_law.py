"""wasserstein_1d_to: closed forms, SciPy's quadrature, tails, jumps, laws that offer little, the errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import gammaln

from iterorder.errors import InvalidInputError
from iterorder.wasserstein import wasserstein_1d, wasserstein_1d_to
from iterorder.wasserstein.law_quadrature import KRONROD, LOBATTO, NODES
from tests import naive_wasserstein as naive

# What the docstring promises.
ACCURACY = 1e-11


class QuantileOnly:
    """A law with nothing but its quantile function on (0, 1)."""

    def __init__(self, law):
        self.law = law

    def ppf(self, levels):
        return self.law.ppf(levels)


def student_moment(p: float, freedom: float) -> float:
    """(E|T|^p)^(1/p) for Student's t."""
    log = 0.5 * p * math.log(freedom) + gammaln((p + 1) / 2) + gammaln((freedom - p) / 2)
    return math.exp((log - 0.5 * math.log(math.pi) - gammaln(freedom / 2)) / p)


def normal_moment(p: float) -> float:
    return math.exp((0.5 * p * math.log(2) + gammaln((p + 1) / 2) - 0.5 * math.log(math.pi)) / p)


@pytest.mark.parametrize(
    ("law", "p", "expected"),
    [
        (stats.norm(), 1, math.sqrt(2 / math.pi)),
        (stats.norm(), 2, 1.0),
        (stats.norm(), 1.5, normal_moment(1.5)),
        (stats.norm(), 40, normal_moment(40)),
        (stats.norm(), 400, normal_moment(400)),
        (stats.uniform(), 1, 0.5),
        (stats.uniform(), 3, 0.25 ** (1 / 3)),
        (stats.uniform(), math.inf, 1.0),
        (stats.uniform(-3, 2), math.inf, 3.0),
        (stats.beta(0.5, 0.5), 1, 0.5),
        (stats.beta(0.5, 0.5), 2, math.sqrt(3 / 8)),
        (stats.expon(), 1, 1.0),
        (stats.expon(), 5, 120**0.2),
        (stats.expon(), math.inf, math.inf),
        (stats.t(3), 1, student_moment(1, 3)),
        (stats.t(3), 2, student_moment(2, 3)),
        (stats.t(3), 2.9, student_moment(2.9, 3)),
        (stats.t(3), 3, math.inf),
        (stats.t(3), 7, math.inf),
        (stats.cauchy(), 1, math.inf),
        (stats.pareto(1.1), 1, 11.0),
        (stats.lognorm(2), 2, math.exp(4)),
        (stats.poisson(3), 1, 3.0),
        (stats.poisson(3), 2, math.sqrt(12)),
        (stats.binom(4, 0.5), math.inf, 4.0),
    ],
    ids=lambda value: getattr(getattr(value, "dist", None), "name", None),
)
def test_one_point_at_the_origin_gives_the_absolute_moment(law, p, expected):
    assert wasserstein_1d_to([0], law, p) == pytest.approx(expected, rel=ACCURACY)


@pytest.mark.parametrize("n", [2, 3, 17, 1000])
def test_square_distance_to_the_normal_law_in_closed_form(n):
    u = np.sort(np.random.default_rng(n).normal(0.3, 1.4, size=n))
    ends = stats.norm.pdf(stats.norm.ppf(np.arange(n + 1) / n))
    means = -np.diff(ends)  # ∫ F⁻¹ over each cell
    square = np.mean(u**2) - 2 * u @ means + 1
    # The closed form subtracts terms of size E u²: its own error is n·eps of those.
    error = ACCURACY + n * np.finfo(float).eps * np.mean(u**2) / square
    assert wasserstein_1d_to(u, stats.norm(), 2) == pytest.approx(math.sqrt(square), rel=error)


@pytest.mark.parametrize("law", [stats.norm(1, 2), stats.beta(0.5, 0.5), stats.expon(), stats.logistic(0, 2)])
@pytest.mark.parametrize("p", [1, 1.7, 3])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_agrees_with_quadrature_cell_by_cell(law, p, n):
    u = np.random.default_rng(n).normal(size=n)
    # The twin asks for 1e-10 of each integral.
    assert wasserstein_1d_to(u, law, p) == pytest.approx(naive.distance_to_law(u, law, p), rel=1e-9)


@settings(max_examples=12)
@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=6),
    st.sampled_from([1, 2, 3.5]),
    st.floats(-5, 5),
    st.floats(0.1, 10),
)
def test_translation_scaling_and_the_triangle_inequality(u, p, shift, factor):
    u = np.array(u)
    distance = wasserstein_1d_to(u, stats.norm(), p)
    moved = wasserstein_1d_to(factor * u + shift, stats.norm(shift, factor), p)
    assert moved == pytest.approx(factor * distance, rel=100 * ACCURACY)
    other = np.array([0.0, 1.0])
    assert wasserstein_1d_to(other, stats.norm(), p) <= (wasserstein_1d(other, u, p) + distance) * (1 + ACCURACY)
    assert wasserstein_1d_to(u, stats.norm(), 2 * p) >= distance * (1 - ACCURACY)


@pytest.mark.parametrize("p", [1, 2, 3, math.inf])
def test_discrete_law_equals_the_weighted_sample(p):
    law = stats.rv_discrete(values=([-1, 2, 7], [0.25, 0.35, 0.4]))
    for n in (1, 4, 9):
        u = np.random.default_rng(n).normal(2, 3, size=n)
        expected = wasserstein_1d(u, [-1, 2, 7], p, v_weights=[5, 7, 8])
        # A jump is located to 2^-53 and integrated to the tolerance of the p-th power.
        assert wasserstein_1d_to(u, law, p) == pytest.approx(expected, rel=10 * ACCURACY)


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_own_atoms_are_at_distance_zero(p):
    # Levels i/n fall on the jumps: rounding of a level may put 2^-53 of the mass on the wrong side.
    law = stats.rv_discrete(values=([0, 1, 2, 3], [0.25] * 4))
    allowed = 0 if p == math.inf else 3 * (8 * 2.0**-53) ** (1 / p)
    assert wasserstein_1d_to([3, 1, 2, 0], law, p) <= allowed


def test_interpolated_quantiles_without_isf():
    class Knots:
        """Piecewise linear quantile function with a gap."""

        def ppf(self, levels):
            return np.interp(levels, [0, 0.3, 0.3, 1], [0, 1, 2, 3])

    mean = 0.3 * 0.5 + 0.7 * 2.5
    assert wasserstein_1d_to([0], Knots()) == pytest.approx(mean, rel=ACCURACY)
    assert wasserstein_1d_to([0], Knots(), math.inf) == 3.0
    # |1.5 − F⁻¹|: below the gap 1.5 − q/0.3, above it 0.5 + (q − 0.3)/0.7, whose means are 1 and 1.
    assert wasserstein_1d_to([1.5, 1.5, 1.5], Knots()) == pytest.approx(1.0, rel=ACCURACY)


@pytest.mark.parametrize("law", [stats.norm(), stats.expon(), stats.beta(0.5, 0.5)])
@pytest.mark.parametrize("n", [1, 3, 500])
def test_light_tails_need_nothing_but_the_quantile_function(law, n):
    u = np.random.default_rng(n).normal(size=n)
    for p in (1, 2):
        full = wasserstein_1d_to(u, law, p)
        assert wasserstein_1d_to(u, QuantileOnly(law), p) == pytest.approx(full, rel=10 * ACCURACY)


def test_law_far_from_the_origin():
    # Rounding of the quantiles, eps·1e6, in distances of size one.
    distance = wasserstein_1d_to([1e6], stats.norm(1e6, 1))
    assert distance == pytest.approx(math.sqrt(2 / math.pi), rel=ACCURACY + 10 * 1e6 * np.finfo(float).eps)


def test_columns_equal_single_calls_and_order_does_not_matter():
    u = np.random.default_rng(0).normal(size=(7, 3))
    for p in (1, 2, math.inf):
        together = wasserstein_1d_to(u, stats.uniform(-1, 2), p)
        assert together.shape == (3,)
        assert together.tolist() == [wasserstein_1d_to(u[::-1, k], stats.uniform(-1, 2), p) for k in range(3)]


def test_many_points_approach_the_law_at_the_known_rate():
    # Midpoint quantiles of the uniform law: W_1 = 1/(4n), W_2 = 1/(n√12), W_∞ = 1/(2n).
    n = 50_000
    u = (np.arange(n) + 0.5) / n
    for p, expected in ((1, 1 / (4 * n)), (2, 1 / (n * math.sqrt(12))), (math.inf, 1 / (2 * n))):
        # The differences are 1/n and the quantiles one: n·eps of relative rounding.
        found = wasserstein_1d_to(u, stats.uniform(), p)
        assert found == pytest.approx(expected, rel=ACCURACY + 8 * n * np.finfo(float).eps)


def test_the_rule_integrates_polynomials():
    # Kronrod's rule to degree 9, Lobatto's to degree 5.
    for weights, degree in ((KRONROD, 9), (LOBATTO, 5)):
        for k in range(degree + 1):
            exact = 2 / (k + 1) if k % 2 == 0 else 0.0
            assert weights @ NODES**k == pytest.approx(exact, abs=8 * np.finfo(float).eps)
        assert abs(weights @ NODES ** (degree + 1) - 2 / (degree + 2)) > 1e-4


class BadShape:
    def ppf(self, levels):
        return 0.0


class NotANumber:
    def ppf(self, levels):
        return np.full(np.shape(levels), math.nan)


@pytest.mark.parametrize(
    ("u", "law", "p", "words"),
    [
        ([0], 3.0, 1, ["distribution is 3.0", "ppf"]),
        ([0], BadShape(), 1, ["shape ()", "arrays"]),
        ([0], NotANumber(), 1, ["distribution.ppf is nan", "finite quantiles"]),
        ([0], stats.norm(0, -1), 1, ["distribution.ppf is nan"]),
        ([0, math.nan], stats.norm(), 1, ["u[1] is nan"]),
        ([], stats.norm(), 1, ["u is empty"]),
        ([0], stats.norm(), 0.99, ["p is 0.99"]),
    ],
)
def test_errors_show_the_value_and_what_is_accepted(u, law, p, words):
    with pytest.raises(InvalidInputError) as caught:
        wasserstein_1d_to(u, law, p)
    for word in words:
        assert word in str(caught.value)
