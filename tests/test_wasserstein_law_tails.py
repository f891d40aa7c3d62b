"""wasserstein_1d_to in the tails of a law: where they begin, where they end, and when they have no end."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from iterorder.errors import AccuracyError, InvalidInputError
from iterorder.wasserstein import wasserstein_1d_to

ACCURACY = 1e-11


class Quantiles:
    """A law that knows its quantile function only."""

    def __init__(self, ppf):
        self.ppf = ppf


def uniform_distance(u, p: int) -> float:
    """W_p to the uniform law on [0, 1] of sorted points, for even p, from fractions."""
    n, total = len(u), Fraction(0)
    for k, point in enumerate(map(Fraction, u)):
        low, high = Fraction(k, n) - point, Fraction(k + 1, n) - point
        total += (high ** (p + 1) - low ** (p + 1)) / (p + 1)
    # The root of a fraction below the floats: its logarithm is that of two integers.
    return math.exp((math.log(total.numerator) - math.log(total.denominator)) / p)


@pytest.mark.parametrize("p", [2, 20, 100, 1000])
@pytest.mark.parametrize("u", [[0.1, 0.3, 0.5, 0.7, 0.9], [0.5], [0.05, 0.95], [1e-3, 0.4]])
@pytest.mark.parametrize("law", [stats.uniform(), Quantiles(lambda q: q)], ids=["SciPy", "ppf"])
def test_points_inside_of_the_first_and_the_last_cell(law, u, p):
    """The integrand of a large order all but vanishes around such a point, and is large again behind it."""
    expected = uniform_distance(u, p)
    # The half of a cell that is left out where the zero is taken for the end of a tail.
    left_out = expected * (1 - 1 / (2 * len(u))) ** (1 / p)
    found = wasserstein_1d_to(u, law, p)
    assert found == pytest.approx(expected, rel=10 * ACCURACY)
    assert found != pytest.approx(left_out, rel=10 * ACCURACY)


@pytest.mark.parametrize(
    ("law", "p"),
    [
        (stats.alpha(3), 1),
        (stats.alpha(3), 2),
        (stats.alpha(3, loc=3, scale=2), 1),
        (stats.skewcauchy(0.3), 1),
        (stats.foldcauchy(2), 1),
        (stats.jf_skew_t(1, 1), 2),
        (stats.pareto(2), 2),
        (stats.t(1), 1),
    ],
    ids=lambda value: getattr(getattr(value, "dist", None), "name", None),
)
def test_laws_without_the_moment_are_infinitely_far(law, p):
    """Many laws of SciPy have ppf(1 − q) for isf, which has no digits where the moment diverges."""
    assert wasserstein_1d_to([0.2, 0.7, 1.4], law, p) == math.inf


@pytest.mark.parametrize(
    ("law", "p", "expected"),
    [
        (stats.pareto(2.2), 2, math.sqrt(2.2 / 0.2)),
        (stats.burr12(1, 2.5), 1, 1 / 1.5),
        (stats.lognorm(1), 30, math.exp(15)),
        (stats.expon(), 100, math.exp(math.lgamma(101) / 100)),
        (stats.weibull_min(0.3), 50, math.exp(math.lgamma(1 + 50 / 0.3) / 50)),
    ],
    ids=lambda value: getattr(getattr(value, "dist", None), "name", None),
)
def test_laws_with_the_moment_are_not(law, p, expected):
    assert wasserstein_1d_to([0.0], law, p) == pytest.approx(expected, rel=10 * ACCURACY)


@pytest.mark.parametrize(("law", "p"), [(stats.lognorm(1), 100), (stats.expon(), 1000), (stats.weibull_min(0.3), 1000)])
def test_moments_beyond_the_levels_of_floats_are_an_error_and_not_infinite(law, p):
    with pytest.raises(AccuracyError, match=rf"\|x\|\^{p} times the tail of distribution still grows"):
        wasserstein_1d_to([0.0], law, p)


def test_what_is_lost_of_a_long_tail_is_told():
    """The moments of the lognormal law are exp(p²/2): at p = 33 part of it lies beyond the last level."""
    with pytest.warns(RuntimeWarning, match=r"relative error of the distance .* may be ") as told:
        found = wasserstein_1d_to([0.0], stats.lognorm(1), 33)
    stated = float(str(told[0].message).partition("may be ")[2].partition(":")[0])
    actual = abs(found / math.exp(33 / 2) - 1)
    assert ACCURACY < actual < stated


def test_a_last_cell_that_is_smaller_than_the_levels_of_a_law_without_isf():
    bounded = Quantiles(lambda q: q)
    found = wasserstein_1d_to([0.5, 1000.0], bounded, 50, u_weights=[1, 1e-18])
    assert found == pytest.approx(999 * 1e-18 ** (1 / 50), rel=10 * ACCURACY)
    unbounded = Quantiles(lambda q: -np.log1p(-q))
    with pytest.raises(AccuracyError, match=r"last point of u has a part 1e-18 of the weight"):
        wasserstein_1d_to([0.5, 1000.0], unbounded, 50, u_weights=[1, 1e-18])


@pytest.mark.parametrize("law", [stats.beta(2, 5), stats.invgauss(1.0)], ids=["beta", "invgauss"])
def test_searches_of_scipy_far_out_are_not_the_users_concern(law):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wasserstein_1d_to([0.0], law) == pytest.approx(law.mean(), rel=10 * ACCURACY)


@pytest.mark.parametrize(
    ("ppf", "message"),
    [
        (lambda q: np.where(np.abs(q - 0.5) < 0.05, np.nan, q), "ppf is nan between levels where it is finite"),
        (lambda q: np.where(np.abs(q - 0.5) < 0.05, np.inf, q), "ppf is inf between levels where it is finite"),
        (lambda q: 1.0 - q, "ppf falls by .* where the levels rise"),
        (lambda q: q + 0j, "ppf fails for levels .*dtype complex128"),
        (lambda q: q.astype(str), "ppf fails for levels .*dtype <U"),
    ],
    ids=["nan", "inf", "falling", "complex", "text"],
)
def test_what_is_no_quantile_function_is_refused(ppf, message):
    with pytest.raises(InvalidInputError, match=message):
        wasserstein_1d_to([0.2, 0.5, 0.7], Quantiles(ppf))


@pytest.mark.parametrize("halves", [(1 / 3, 0, math.inf), (math.nan, 0, 1), (1 / 3, 2 / 3, 0), (1 / 3, 0), None])
def test_what_are_no_halves_is_refused(halves):
    law = Quantiles(lambda q: q)
    law.halves = lambda: halves
    with pytest.raises(InvalidInputError, match=r"distribution\.halves\(\)"):
        wasserstein_1d_to([0.2, 0.7], law)
