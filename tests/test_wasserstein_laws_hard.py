"""wasserstein_1d_to where quadrature is not enough: jumps without end, heavy tails, slow and odd laws; weights."""

from __future__ import annotations

import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import zeta

from iterorder import gallery
from iterorder.claims.laws import Cantor
from iterorder.errors import AccuracyError, InvalidInputError
from iterorder.maps.laws import CantorLaw
from iterorder.wasserstein import quantiles, wasserstein_1d, wasserstein_1d_to

ACCURACY = 1e-11
EPS = np.finfo(float).eps
CANTOR = gallery.two_point_quadratic(2 / 3).law


def deep(u, weights, p, depth=18):
    """W_p^p to the Cantor law from below and above: 2^depth equal cells of levels, whose values lie within 3^−depth."""
    u, weights = np.asarray(u, float), [Fraction(w) for w in weights]
    order = np.argsort(u)
    levels = list(itertools.accumulate(weights[k] / sum(weights) for k in order))
    lows = np.zeros(1)
    for m in range(depth):
        lows = (
            np.concatenate([lows, lows + 2 / 3 ** (m + 1)])
            if m == 0
            else (np.stack([lows, lows + 2 / 3 ** (m + 1)], axis=1).ravel())
        )
    low = high = 0.0
    start = Fraction(0)
    for k, end in zip(order, levels, strict=True):
        first, last = start * 2**depth, end * 2**depth
        cells = np.arange(math.floor(first), math.ceil(last))
        shares = np.ones(cells.size)
        shares[0] -= float(first - math.floor(first))
        shares[-1] -= float(math.ceil(last) - last)
        left, right = lows[cells] - u[k], lows[cells] + 3.0**-depth - u[k]
        far = np.maximum(np.abs(left), np.abs(right)) ** p
        near = np.where(left * right < 0, 0.0, np.minimum(np.abs(left), np.abs(right)) ** p)
        low, high = low + float(shares @ near) / 2**depth, high + float(shares @ far) / 2**depth
        start = end
    return low, high


@pytest.mark.parametrize(
    ("points", "weights", "square"),
    [
        ([1 / 2], [1], 1 / 8),
        ([1 / 6, 5 / 6], [1, 1], 1 / 72),
        ([1 / 18, 5 / 18, 5 / 6], [1, 1, 2], 5 / 648),
        ([1 / 18, 5 / 18, 13 / 18, 17 / 18], [1, 1, 1, 1], 1 / 648),
    ],
)
def test_the_best_points_of_the_cantor_law(points, weights, square):
    """Graf and Luschgy: the quantisation errors of one to four points; other points, or other masses, are worse."""
    for law in (CANTOR, Cantor()):
        assert wasserstein_1d_to(points, law, 2, u_weights=weights) ** 2 == pytest.approx(square, rel=ACCURACY)
    moved = [points[0] + 0.01, *points[1:]]
    assert wasserstein_1d_to(moved, CANTOR, 2, u_weights=weights) ** 2 > square * 1.0001
    if len(points) > 1:
        other = [2 * weights[0], *weights[1:]]
        assert wasserstein_1d_to(points, CANTOR, 2, u_weights=other) ** 2 > square * 1.0001


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.floats(-0.5, 1.5), st.integers(1, 9)), min_size=1, max_size=5),
    st.sampled_from([1, 1.5, 2, 3, 4.25]),
)
def test_cantor_law_against_a_deep_subdivision(pairs, p):
    u, weights = zip(*pairs, strict=True)
    low, high = deep(u, weights, p)
    found = wasserstein_1d_to(u, CANTOR, p, u_weights=weights) ** p
    assert low * (1 - ACCURACY) <= found <= high * (1 + ACCURACY)
    # The bounds are close enough to tell the law from one that is moved a little.
    moved = wasserstein_1d_to(np.array(u) + 1e-4, CANTOR, p, u_weights=weights) ** p
    assert high - low < 1e-6
    assert not math.isclose(found, moved, rel_tol=1e-9) or abs(found - moved) < 1e-5


def test_cantor_law_of_its_own_points_and_of_other_ratios():
    """A quarter of the uniform law's ratio: λ = ¼ on [0, 1]; mean, variance; and λ = 0, two atoms."""
    law = CantorLaw(0.25, 0.0, 0.75)
    assert wasserstein_1d_to([0], law) == pytest.approx(law.mean(), rel=ACCURACY)
    assert wasserstein_1d_to([law.mean()], law, 2) == pytest.approx(math.sqrt(law.var()), rel=ACCURACY)
    assert wasserstein_1d_to([0], law, 5) == pytest.approx(law.moment(5) ** 0.2, rel=ACCURACY)
    atoms = CantorLaw(0.0, 0.0, 1.0)
    assert wasserstein_1d_to([0, 1], atoms, 2) == 0.0
    assert wasserstein_1d_to([0, 0, 1], atoms) == pytest.approx(1 / 6, rel=ACCURACY)
    # The mirror image of a law on [−2, 2].
    law = CantorLaw(0.4, -1.0, 1.0)
    u = np.array([-1.0, 0.2, 1.9])
    for p in (1, 1.5, 2, 7):
        assert wasserstein_1d_to(u, law, p) == pytest.approx(wasserstein_1d_to(-u, law, p), rel=ACCURACY)


def test_jumps_without_end_are_refused_where_the_law_does_not_tell():
    class QuantileOnly:
        def ppf(self, levels):
            return CANTOR.ppf(levels)

    u = np.random.default_rng(1).random(30)
    with pytest.raises(AccuracyError, match=r"relative error of up to .*halves\(\)"):
        wasserstein_1d_to(u, QuantileOnly(), 1)


@pytest.mark.parametrize(("a", "p"), [(2.5, 1), (3.5, 2), (2.05, 1), (4.2, 3), (6.5, 4)])
def test_heavy_discrete_tails_have_their_moments(a, p):
    """The law of Zipf: E X^p = ζ(a − p)/ζ(a); one point at the origin. The listed atoms alone are the control."""
    exact = (zeta(a - p) / zeta(a)) ** (1 / p)
    assert wasserstein_1d_to([0], stats.zipf(a), p) == pytest.approx(exact, rel=ACCURACY)
    k = np.arange(1.0, 2**20)
    listed = float(k ** (p - a) @ np.ones(k.size) / zeta(a)) ** (1 / p)
    if a - p < 2:
        assert abs(listed / exact - 1) > 10 * ACCURACY


def test_heavy_discrete_tails_beyond_every_moment():
    assert wasserstein_1d_to([1, 2, 7], stats.zipf(2.5), 2) == math.inf
    assert wasserstein_1d_to([1, 2, 7], stats.zipf(2.5), 1.6) == math.inf
    assert wasserstein_1d_to([1], stats.zipf(1.9)) == math.inf
    with pytest.raises(AccuracyError, match=r"tail of distribution is too heavy for W_p of order 1\.2"):
        wasserstein_1d_to([1, 2, 7], stats.zipf(2.5), 1.2)


@pytest.mark.parametrize(
    ("law", "p", "expected"),
    [
        (stats.skellam(5, 5), 2, math.sqrt(10)),
        (stats.geom(1e-6), 1, 1e6),
        (stats.nbinom(3, 0.001), 1, 2997.0),
        (stats.poisson(3, loc=0.25), 1, 3.25),
        (stats.poisson(1e6), 1, 1e6),
        (stats.randint(0, 10), 1, 4.5),
        (stats.poisson(0, loc=2), 1, 2.0),
        (stats.rv_discrete(values=([3, -1.5, 2], [0.2, 0.5, 0.3])), 1, 1.95),
    ],
    ids=lambda value: getattr(getattr(value, "dist", None), "name", None),
)
def test_discrete_laws_far_from_a_few_atoms(law, p, expected):
    # SciPy's masses lose digits with the size of their logarithms, some 10⁶ here: 10⁶·eps.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert wasserstein_1d_to([0], law, p) == pytest.approx(expected, rel=ACCURACY + 1e6 * 2 * EPS)


@pytest.mark.parametrize("far", [1e200, 1.7e308])
def test_samples_whose_squares_are_no_floats(far):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for u in ([far], [far, -far], [1.0, far]):
            expected = far * math.sqrt(np.count_nonzero(np.abs(u) == far) / len(u))
            assert wasserstein_1d_to(u, stats.poisson(3), 2) == pytest.approx(expected, rel=ACCURACY)


def test_moments_that_do_not_exist_are_no_warnings():
    """SciPy divides by zero for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wasserstein_1d_to([0], stats.yulesimon(1.0)) == math.inf
        assert wasserstein_1d_to([0], stats.yulesimon(2.0)) == pytest.approx(2.0, rel=ACCURACY)


def test_the_advice_is_another_order_where_that_helps():
    with pytest.raises(AccuracyError, match="the law too wide, and its moments do not give it: use wasserstein_1d"):
        wasserstein_1d_to([0], stats.geom(1e-7))
    with pytest.raises(AccuracyError, match="use p = 1 or 2, or wasserstein_1d"):
        wasserstein_1d_to([0], stats.zipf(2.5), 1.2)


def test_masses_that_do_not_sum_to_one_are_told():
    with pytest.warns(RuntimeWarning, match="masses of distribution sum to one but for"):
        wasserstein_1d_to([1e9], stats.poisson(1e9), 2)


def test_a_tail_that_the_law_does_not_know_is_refused():
    class Bracketed(stats.rv_continuous):
        """A normal law whose quantiles are searched for in [−4, 4], as SciPy's levy_stable ends at a bracket."""

        _cdf, _sf = staticmethod(stats.norm.cdf), staticmethod(stats.norm.sf)

        def _ppf(self, q):
            return np.clip(stats.norm.ppf(q), -4, 4)

        def _isf(self, q):
            return np.clip(stats.norm.isf(q), -4, 4)

    with pytest.raises(AccuracyError, match=r"distribution.ppf\(.*\) is -4, where distribution.cdf is 3.17e-05"):
        wasserstein_1d_to([0.0, 1.0], Bracketed()())


def test_slow_quantiles_come_to_an_end(monkeypatch):
    class Slow:
        """A clock that goes on by a second with every level."""

        now, calls = 0.0, 0

        def ppf(self, levels):
            Slow.now += levels.size
            Slow.calls += 1
            return levels

    monkeypatch.setattr(quantiles.time, "thread_time", lambda: Slow.now)
    with pytest.raises(AccuracyError, match=r"takes 1 s a level, and \d+ levels or more.*limit of 60 s"):
        wasserstein_1d_to([0.3], Slow())
    assert Slow.calls < 5


class Renamed:
    """A law of SciPy under the newer names."""

    def __init__(self, law):
        self.icdf, self.iccdf, self.support = law.ppf, law.isf, law.support


@pytest.mark.parametrize("p", [1, 2.5, math.inf])
def test_newer_names_give_the_same(p):
    u = np.random.default_rng(3).normal(size=9)
    for law in (stats.norm(1, 2), stats.uniform(-1, 2)):
        assert wasserstein_1d_to(u, Renamed(law), p) == pytest.approx(wasserstein_1d_to(u, law, p), rel=ACCURACY)


@pytest.mark.skipif(not hasattr(stats, "Mixture"), reason="a SciPy without the newer laws")
def test_scipys_newer_laws():
    mixture = stats.Mixture([stats.Normal(mu=0), stats.Normal(mu=4, sigma=0.5)], weights=[0.3, 0.7])
    # Its quantiles are found numerically, to some 10⁻¹⁵ of the levels.
    assert wasserstein_1d_to([0], mixture, 2) == pytest.approx(math.sqrt(0.3 + 0.7 * 16.25), rel=1e-9)
    assert wasserstein_1d_to([0], stats.Normal(), 2) == pytest.approx(1.0, rel=ACCURACY)
    gamma = stats.make_distribution(stats.gamma)(a=3.0)
    assert wasserstein_1d_to([0], gamma) == pytest.approx(3.0, rel=ACCURACY)


@pytest.mark.parametrize(
    ("law", "word"),
    [
        (stats.norm([0, 1], 1), r"shape \(2,\) for levels of shape \(1,\)"),
        (stats.poisson([1, 2]), r"shape \(2,\)"),
        (stats.poisson, "missing 1 required positional argument"),
        (stats.poisson(-3), "nan at one half"),
    ],
    ids=["two normal laws", "two Poisson laws", "no parameter", "a wrong parameter"],
)
def test_laws_of_several_variables_are_refused(law, word):
    with pytest.raises(InvalidInputError, match=word):
        wasserstein_1d_to([0, 1], law)


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.integers(-30, 30).map(lambda k: k / 8), st.integers(1, 4)), min_size=1, max_size=5),
    st.sampled_from([1, 2, 3.5, math.inf]),
    st.sampled_from(
        [stats.norm(), stats.uniform(-1, 2), stats.poisson(3), stats.rv_discrete(values=([0, 2], [0.5, 0.5]))]
    ),
)
def test_integer_weights_equal_repetition(pairs, p, law):
    u, weights = (np.array(side) for side in zip(*pairs, strict=True))
    weighted = wasserstein_1d_to(u, law, p, u_weights=weights)
    assert weighted == pytest.approx(wasserstein_1d_to(np.repeat(u, weights), law, p), rel=10 * ACCURACY, abs=1e-12)


@pytest.mark.parametrize("small", [1e-12, 1e-18, 1e-100])
def test_small_weights_count_on_both_sides(small):
    """One more point at 1000 with a small weight: the p-th power of the distance gains small·(E|1000 − tail|)^p."""
    law, p = stats.uniform(), 50
    right = wasserstein_1d_to([0.5, 1000], law, p, u_weights=[1, small])
    left = wasserstein_1d_to([0.5, -999], law, p, u_weights=[1, small])
    assert right == pytest.approx(999 * small ** (1 / p), rel=1e-10)
    assert left == pytest.approx(right, rel=1e-10)
    for cantor in (CANTOR,):
        assert wasserstein_1d_to([0.5, 1000], cantor, p, u_weights=[1, small]) == pytest.approx(
            999 * small ** (1 / p), rel=1e-10
        )


def test_weights_are_checked():
    for weights, word in (([1, 2, 3], "shape"), ([1, -1], "at least zero"), ([0, 0], "sums to zero")):
        with pytest.raises(InvalidInputError, match=f"u_weights.*{word}"):
            wasserstein_1d_to([0, 1], stats.norm(), u_weights=weights)


def test_the_mean_distance_of_uniform_samples():
    """√n·E W_1 tends to the mean area under the Brownian bridge's absolute value, √(π/32) = E ∫|B|.

    The mean of 400 samples of 400 points is within 5 standard errors (a level of 6·10⁻⁷) and the bias, below half of
    1/√n of it; a quarter more is outside.
    """
    n, repeats = 400, 400
    samples = np.random.default_rng(6).random((n, repeats))
    scaled = math.sqrt(n) * wasserstein_1d_to(samples, stats.uniform())
    expected, allowed = math.sqrt(math.pi / 32), 5 * scaled.std(ddof=1) / math.sqrt(repeats)
    assert abs(scaled.mean() - expected) < allowed + expected / math.sqrt(n) / 2
    assert abs(scaled.mean() - 1.25 * expected) > allowed + expected / math.sqrt(n) / 2


def test_a_large_sample_of_a_discrete_law_as_the_other_sample():
    law, n = stats.poisson(3), 2000
    u = law.rvs(n, random_state=2)
    k = np.arange(60)
    for p in (1, 2):
        assert wasserstein_1d_to(u, law, p) == pytest.approx(
            wasserstein_1d(u, k, p, v_weights=law.pmf(k)), rel=ACCURACY
        )
