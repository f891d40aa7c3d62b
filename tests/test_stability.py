"""Gaussian regression in closed form, boundaries of stability, Lie brackets."""

from __future__ import annotations

import importlib
import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

import iterorder as ito
from iterorder.theory.gaussian import GaussianAnalysis, abs_moment, log_abs_moment, log_moment
from iterorder.theory.undefined import NoLawReachedError
from tests.systems import logistic, quadratic, regression

lyapunov, stability = (importlib.import_module(f"iterorder.theory.{name}") for name in ("lyapunov", "stability"))
EPS = np.finfo(np.float64).eps


def scalar(h):
    return ito.GaussianRegressionSGD([1.0], 1.0, h)


# ------------------------------------------------------------------------------------------------- Gaussian regression


@pytest.mark.parametrize(("h", "kappa"), [(2 / 3, 2.0), (1.0, 1.0908), (1.5, 0.4774)])
def test_tail_indices_are_those_of_the_theory(h, kappa):
    assert ito.theory(scalar(h)).tail_index.value == pytest.approx(kappa, abs=5e-5)


def test_moments_of_one_map_are_those_of_quadrature_by_hand():
    """E(1 − cg²)² = 1 − 2c + 3c² and E log|1 − cg²| by a plain midpoint rule."""
    for c in (0.2, 0.7, 1.9):
        assert abs_moment(c, 2.0) == pytest.approx(1 - 2 * c + 3 * c * c, rel=1e-12)
        g = (np.arange(4_000_000) + 0.5) * 1e-5
        density = math.sqrt(2 / math.pi) * np.exp(-0.5 * g * g) * 1e-5
        # The midpoint rule is off by about a cell of the logarithm at its singularity: cell·log(cell).
        assert log_moment(c) == pytest.approx(float(density @ np.log(np.abs(1 - c * g * g))), abs=2e-4)


def test_tail_indices_of_small_steps():
    """h·κ tends to the root of q·log(2q) = q + ½, where the outer peak is one: h = 0.004 overflowed, and 10⁻³ hung."""
    q = 1.7955607377
    assert q * math.log(2.0 * q) == pytest.approx(q + 0.5, abs=1e-9)
    found = [h * ito.theory(scalar(h)).tail_index.value for h in (0.01, 0.004, 1e-3, 1e-5, 1e-9)]
    np.testing.assert_allclose(found, [q - 0.667 * h for h in (0.01, 0.004, 1e-3, 1e-5, 1e-9)], rtol=1e-5)
    assert not np.isclose(found, math.e / 2.0, rtol=0.1).any()  # the control: the root without the ½


@pytest.mark.parametrize("power", [3.0, 10.0, 40.0])
def test_even_moments_are_polynomials(power):
    """E(1 − cg²)^p of even p, in whole numbers; beyond p = 10³ the moments have no exponent, and their roots do."""
    c, p = Fraction(1, 10), 2 * int(power)
    terms = [math.comb(p, k) * (-c) ** k * math.prod(range(1, 2 * k, 2)) for k in range(p + 1)]
    assert log_abs_moment(float(c), float(p)) == pytest.approx(math.log(sum(terms)), rel=1e-11, abs=1e-11)
    assert abs(log_abs_moment(float(c), p + 0.1) - math.log(sum(terms))) > 1e-3  # the control
    r = [ito.theory(scalar(0.1)).contraction(p).value / p for p in (1e4, 1e8, 1e12, 1e300)]
    np.testing.assert_allclose(r[2:], 2.0 * 0.1 / math.e, rtol=1e-10)
    assert r[0] != pytest.approx(r[2], rel=1e-6)


def test_second_moments_against_the_definition():
    """The operator C → E[A C Aᵀ], by simulated maps; and its radius by powers of the exact recursion."""
    maps = ito.GaussianRegressionSGD([1.0, 0.5, 0.25], 0.3, 0.2)
    known = ito.theory(maps)
    h, lam = maps.step_size, maps.eigenvalues
    c = np.eye(3)
    for _ in range(400):
        drift = h * lam[:, None] * c
        after = c - drift - drift.T + h * h * (2 * lam[:, None] * c * lam + (lam @ np.diag(c)) * np.diag(lam))
        ratio, c = np.trace(after) / np.trace(c), after / np.trace(after)
    assert known.mean_square_radius.value == pytest.approx(ratio, rel=1e-9)
    assert known.mean_square_stable
    assert known.mean.tolist() == [0.0, 0.0, 0.0]
    states = ito.simulate(maps, np.zeros(3), 400, n_replicas=20_000, seed=1).states[:, 0]
    # Five standard errors of a variance; a twentieth more is rejected.
    error = 5 * np.sqrt(((states**2).var(axis=0)) / len(states))
    exact = np.diag(known.covariance)
    assert (np.abs((states**2).mean(axis=0) - exact) < error).all()
    assert (np.abs((states**2).mean(axis=0) - 1.15 * exact) > error).any()


def test_what_does_not_exist_has_a_reason():
    wild = ito.theory(scalar(1.5))
    assert wild.covariance is None
    assert "infinite" in wild.reasons["covariance"]
    assert wild.common_fixed_point is None
    noiseless = ito.theory(ito.GaussianRegressionSGD([1.0, 1.0], 0.0, 0.1))
    assert noiseless.common_fixed_point.tolist() == [0.0, 0.0]
    assert "one dimension" in noiseless.reasons["tail_index"]
    flat = ito.theory(ito.GaussianRegressionSGD([1.0, 0.0], 1.0, 0.1))
    assert flat.lyapunov_exponent.value == 0.0
    assert not flat.mean_square_stable


def test_the_exponent_of_many_dimensions_tends_to_that_of_one():
    """A direction with far larger data decides nothing; here both are equal and the exact scalar value is a bound."""
    found = ito.theory(ito.GaussianRegressionSGD([1.0, 1.0], 1.0, 0.1)).lyapunov_exponent
    # ‖(I − haaᵀ)e‖² for a fixed unit vector e, a in the plane: rotation invariance makes it the exponent.
    rng = np.random.default_rng(0)
    a = rng.normal(size=(400_000, 2))
    along = 1 - 0.1 * a[:, 0] ** 2
    growth = 0.5 * np.log(along**2 + (0.1 * a[:, 0] * a[:, 1]) ** 2)
    error = math.hypot(found.standard_error, growth.std() / math.sqrt(len(growth)))
    assert abs(found.value - growth.mean()) < 5 * error
    assert abs(found.value - log_moment(0.1)) > 5 * error  # the control: one dimension alone


# ----------------------------------------------------------------------------------------------------------- boundaries


def test_boundaries_of_gaussian_regression():
    assert ito.stability_boundary(scalar, 0.1, 4.0).value == pytest.approx(2 / 3, rel=4 * EPS)
    almost_sure = ito.stability_boundary(scalar, 0.1, 4.0, kind="almost-sure")
    assert almost_sure.exact
    assert almost_sure.value == pytest.approx(2.42125, abs=5e-6)
    for d in (2, 5):
        found = ito.stability_boundary(lambda h, d=d: ito.GaussianRegressionSGD(np.ones(d), 1.0, h), 0.01, 2.0)
        assert found.value == pytest.approx(2 / (d + 2), rel=1e-12)


def test_the_first_boundary_is_found_where_the_stable_set_has_two_parts():
    def pair(h):
        return ito.QuadraticSGD([1.0, 30.0], [0.0, 1.0], h)

    found = ito.stability_boundary(pair, 0.01, 1.2, kind="almost-sure").value
    assert found == pytest.approx((31 - math.sqrt(721)) / 60, rel=1e-13)
    assert ito.stability_boundary(pair, 0.01, 1.2).value == pytest.approx(2 * 15.5 / 450.5, rel=1e-12)


def test_a_boundary_from_estimates_has_an_error():
    def make(h):
        return ito.GaussianRegressionSGD([1.0, 1.0], 1.0, h)

    found = ito.stability_boundary(make, 0.2, 3.0, kind="almost-sure")
    assert not found.exact
    assert 0.0 < found.standard_error < 0.05 * found.value
    assert ito.stability_boundary(make, 0.2, 3.0).value < found.low


def counted(monkeypatch, estimates):
    """Count the exponents that are computed, and replace them by known ones with an error."""
    calls = []

    def exponent(self):
        calls.append(self.maps.step_size)
        return estimates(self.maps.step_size)

    monkeypatch.setattr(GaussianAnalysis, "lyapunov_exponent", exponent)
    return calls


@pytest.mark.parametrize("root", [0.7, 1.3, 2.9])
def test_a_boundary_takes_few_estimates_and_finds_the_root(monkeypatch, root):
    """A curved exponent with a known root; its error is that of the exponent over the slope."""
    calls = counted(monkeypatch, lambda h: ito.Estimate.from_mean(math.expm1(h - root), 1e-3))
    found = ito.stability_boundary(
        lambda h: ito.GaussianRegressionSGD([1.0, 1.0], 1.0, h), 0.2, 3.0, kind="almost-sure"
    )
    # A quarter of the standard error over the slope one, and 1.03 of it with the curvature over 5 % of h.
    assert abs(found.value - root) <= 0.25e-3 * 1.01
    assert found.standard_error == pytest.approx(1e-3, rel=0.12)
    # None on the grid below h = 2/(d + 2), where mean squares contract, but at the start and beside the boundary.
    on_grid = [0.2 + 2.8 * k / 16 for k in range(1, 17)]
    needed = sum(0.5 <= h <= root + 2.8 / 16 for h in on_grid)
    assert len(calls) == len(set(calls)) <= needed + 8


def test_a_step_size_without_a_law_is_unstable(monkeypatch):
    """From h = 2/ridge = 4 on a logistic regression multiplies by more than one far out."""
    monkeypatch.setitem(lyapunov.WORK, "quick", 3e7)  # a short run: only the jump is looked for
    features, labels = np.array([[1.0, 0.2], [-0.3, 1.0], [0.5, -0.5]]), np.array([1.0, -1.0, 1.0])
    found = ito.stability_boundary(
        lambda h: ito.LogisticRegressionSGD(features, labels, h, ridge=0.5), 0.01, 9.0, kind="almost-sure"
    )
    # The last of 16 step sizes with a law is 3.94, and ten halvings of 9/16 follow.
    assert 3.9 < found.low <= found.value <= 4.0 + 9.0 / 16 / 2**10

    def jump(h):
        if h >= 1.7:
            raise NoLawReachedError("states leave every bound")
        return ito.Estimate.from_mean(-1.0 - 1e-3 * h, 1e-3)

    counted(monkeypatch, jump)
    found = ito.stability_boundary(scalar, 0.1, 4.0, kind="almost-sure")
    assert found.low <= 1.7 <= found.high


def test_the_boundary_of_convex_losses_is_that_of_linear_solves(monkeypatch):
    """One eigenvalue against a search by solves: batches, ridge, repeated and weakly seen directions, and d = 12."""
    cases = []
    for d, size, ridge, scales in [
        (2, 1, 0.0, 1.0),
        (3, 2, 0.1, [1.0, 1e-3, 1.0]),
        (12, 5, 0.0, 1.0),
        (1, 1, 0.2, 1.0),
    ]:
        x = np.random.default_rng(d).normal(size=(20, d)) * scales
        cases.append(partial(ito.LinearRegressionSGD, x, np.zeros(20), batch_size=size, ridge=ridge))
    curved = np.array([np.diag([2.0, 1.0]), [[1.0, 1.0], [1.0, 1.0]]])
    cases.append(partial(ito.QuadraticSGD, curved, np.zeros((2, 2))))
    found = [ito.stability_boundary(lambda h, make=make: make(step_size=h), 1e-3, 4.0).value for make in cases]
    monkeypatch.setattr(stability, "critical_step_size", lambda maps: None)
    for make, value in zip(cases, found, strict=True):
        searched = ito.stability_boundary(lambda h, make=make: make(step_size=h), 1e-3, 4.0).value
        # The excess of a solve is off by size·eps·‖G‖, ‖G‖ < 8 here, over a slope of about one over the step size.
        assert value == pytest.approx(searched, rel=8 * (make(step_size=1.0).dim + 1) ** 2 * EPS)


def test_losses_that_change_with_the_step_size_are_not_taken_for_one():
    """The ridge takes half of h² away: the one eigenvalue of the first step size would be another boundary."""
    features = np.array([[1.0], [2.0]])

    def with_ridge(h):
        return ito.LinearRegressionSGD(features, [0.0, 1.0], h, ridge=h)

    found = ito.stability_boundary(with_ridge, 0.1, 2.0).value
    # E(1 − h(a² + h))² = 1 at h·E(a² + h)² = 2·E(a² + h): h³ + 5h² + 6.5h − 5 = 0.
    roots = np.roots([1.0, 5.0, 6.5, -5.0])
    assert found == pytest.approx(float(roots[np.abs(roots.imag) == 0.0].real.max()), rel=64 * EPS)
    assert (
        abs(found - ito.stability_boundary(lambda h: ito.LinearRegressionSGD(features, [0.0, 1.0], h), 0.1, 2).value)
        > 0.02
    )


@pytest.mark.parametrize("kind", ["mean-square", "almost-sure"])
def test_the_search_tells_how_far_it_is(kind):
    shares = []
    ito.stability_boundary(scalar, 0.1, 4.0, kind=kind, progress=shares.append)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert len(shares) > 40
    with pytest.raises(ito.InvalidInputError, match="progress is 'bar'"):
        ito.stability_boundary(scalar, 0.1, 4.0, progress="bar")


def test_something_that_makes_no_maps_is_refused():
    for make in (3, scalar(0.1), lambda: scalar(0.1)):
        with pytest.raises(ito.InvalidInputError, match=r"make_maps is .*give a function of the step size"):
            ito.stability_boundary(make, 0.1, 1.0)
    with pytest.raises(ito.InvalidInputError, match=r"make_maps returns a float for the step size 0\.1: give"):
        ito.stability_boundary(lambda h: h, 0.1, 1.0)

    def fails(h):
        raise KeyError("a mistake inside")

    with pytest.raises(KeyError, match="a mistake inside"):
        ito.stability_boundary(fails, 0.1, 1.0)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((1.0, 2.0), {}, "low is 1.0, where the system is not stable"),
        ((0.1, 0.2), {}, "high is 0.2, and the system is stable"),
        ((0.2, 0.1), {}, "give low < high"),
        ((0.1, 2.0), {"kind": "moral"}, "kind is 'moral'"),
    ],
)
def test_bad_boundaries_are_refused(arguments, options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.stability_boundary(scalar, *arguments, **options)


def test_unknown_stability_is_told():
    with pytest.raises(ito.InvalidInputError, match=r"mean-square stability at step size 0\.1 is not known"):
        ito.stability_boundary(lambda h: ito.gallery.double_well(h, 0.2), 0.1, 1.0)


# ------------------------------------------------------------------------------------------------------------- brackets


@pytest.mark.parametrize(
    "maps", [quadratic(3), regression(3, ridge=0.1), logistic(3)], ids=["quadratic", "linear", "logistic"]
)
def test_brackets_against_differences(maps):
    """Hessians by central differences of gradients; the bracket by its definition."""
    x, step = np.array([0.3, -0.2, 0.5]), EPS ** (1 / 3)
    columns = [(maps.gradients(x + step * e) - maps.gradients(x - step * e)) / (2 * step) for e in np.eye(3)]
    by_differences = np.stack(columns, axis=-1)
    for i, j in ((0, 1), (2, 0)):
        np.testing.assert_allclose(maps.hessian(x, i), by_differences[i], rtol=0, atol=1e3 * EPS ** (2 / 3))
        slopes = maps.gradients(x)
        expected = maps.hessian(x, i) @ slopes[j] - maps.hessian(x, j) @ slopes[i]
        np.testing.assert_array_equal(ito.lie_bracket(maps, i, j, x), expected)
        np.testing.assert_allclose(ito.lie_bracket(maps, j, i, x), -expected, rtol=0, atol=16 * EPS)
    assert not ito.lie_bracket(maps, 1, 1, x).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ito.gallery.sierpinski(), 0, 1, [0.0, 0.0]), "maps is an AffineMaps"),
        ((regression(2), 0, 99, [0.0, 0.0]), "j is 99"),
        ((regression(2), 0, 1, [0.0]), r"x has shape \(1,\)"),
    ],
)
def test_bad_brackets_are_refused(arguments, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.lie_bracket(*arguments)


# ------------------------------------------------------------------------------------------------- estimated constants


def test_estimates_of_lipschitz_constants_reach_what_is_there_and_claim_no_more():
    maps = quadratic(3)
    found = ito.estimate_lipschitz(maps, [-1.0, 1.0], seed=1)
    assert 0.8 * maps.lipschitz_max < found.value <= maps.lipschitz_max * (1 + 1e-9)
    assert (found.low, found.high, found.exact) == (found.value, math.inf, False)
    # x − 0.1·(x³ − x ± 0.2) on [−1.5, 1.5]: |1 + 0.1 − 0.3x²| is largest at 0.
    assert ito.estimate_lipschitz(ito.gallery.double_well(0.1, 0.2), [-2.0, 2.0], seed=1).value == pytest.approx(
        1.1, abs=0.01
    )
    wide = ito.estimate_lipschitz(ito.gallery.double_well(0.1, 0.2), [[-4.0, 4.0]], seed=1)
    assert wide.value > 3.0


def test_what_was_seen_is_no_rounding():
    """Of x/2 about 10¹² differences are rounded to a tenth: 1.0 was told as a lower bound of the constant ½."""
    for unit, centre in ((1.0, 1e12), (1.0, 1e15), (1e-200, 0.0), (1e200, 0.0)):
        halves = ito.AffineMaps([0.5 * np.eye(2)], [[0.5 * centre, 0.5 * centre]])
        found = ito.estimate_lipschitz(halves, [centre - unit, centre + unit], seed=0)
        assert found.low <= 0.5
        assert found.low == pytest.approx(0.5, abs=64.0 * EPS * (centre / unit + 1.0)) or centre / unit > 1e14
    with pytest.raises(ito.InvalidInputError, match="wider than the largest"):
        ito.estimate_lipschitz(regression(2), [-1.7e308, 1.7e308], seed=1)


@pytest.mark.parametrize(
    ("box", "message"),
    [([1.0, -1.0], "lower end below"), ([[0.0, 1.0]] * 3, r"box has shape \(3, 2\)"), ([0.0], r"box has shape \(1,\)")],
)
def test_bad_boxes_are_refused(box, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.estimate_lipschitz(regression(2), box, seed=1)


@pytest.mark.parametrize("seed", range(8))
def test_the_boundary_of_maps_that_are_not_symmetric(seed):
    """Mean-square equations are singular at the boundary, to rounding: there the eigenvalue decides."""
    matrices = np.random.default_rng(seed).normal(size=(3, 2, 2))
    operator = sum(np.kron(matrix, matrix) for matrix in matrices) / 3
    exact = 1.0 / math.sqrt(abs(np.linalg.eigvals(operator)).max())
    found = ito.stability_boundary(lambda h: ito.AffineMaps(h * matrices, np.ones((3, 2))), 0.01, 5.0).value
    # An eigenvalue of a 4×4 matrix is off by its rounding over what tells it from the others, of these tenths at least.
    assert found == pytest.approx(exact, rel=1000 * EPS)
    assert found != pytest.approx(exact * 1.001, rel=1000 * EPS)
