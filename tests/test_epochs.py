"""Moments of epochs whose maps all but keep or turn over a direction, or hardly move, against rational arithmetic."""

from __future__ import annotations

import contextlib
import decimal
import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iterorder import theory
from iterorder.maps import AffineMaps, LinearRegressionSGD, Optimizer, QuadraticSGD
from iterorder.theory.affine.commuting import CommutingEpoch
from iterorder.theory.affine.composition import compose
from iterorder.theory.affine.items import affine_items, single_maps
from iterorder.theory.affine.listed_epochs import listed_law
from iterorder.theory.affine.mean import fixed_point_of_mean
from iterorder.theory.affine.slow_epochs import SLOW
from iterorder.theory.affine.subsets import mean_offset
from iterorder.theory.affine.twofold import Twofold
from iterorder.theory.families import analyse
from iterorder.theory.undefined import Undefined
from tests import naive_theory

EPS = np.finfo(np.float64).eps
OFFSETS = np.array([1.0, 3.0, -2.0, 0.5])
DIGITS, SIGNS = st.floats(0.5, 12.0), st.sampled_from([-1, 1])


def known(maps):
    return analyse(maps, seed=0, effort="quick")


def exact_maps(maps):
    """A and b of the items as the library stores them: quadratics round h·H, and no more."""
    singles, exact = single_maps(affine_items(maps)), naive_theory.exact_array
    increments, offsets = (exact(numbers.high) + exact(numbers.low) for numbers in singles)
    return increments + exact(np.eye(maps.dim)), offsets


def exact_moments(maps):
    return naive_theory.exact_moments(naive_theory.exact_epochs(*exact_maps(maps), maps.sampling_law.batch_size))


def assert_exact(maps, exact=None):
    """Both moments to some roundings of their norms, whatever the condition."""
    found, (mean, covariance) = known(maps), exact_moments(maps) if exact is None else exact
    # What loses less than a factor of sixteen is left to working precision, with some roundings for each item.
    tolerance = 16 * 8 * maps.sampling_law.n_items * maps.dim**2 * EPS
    np.testing.assert_allclose(found.mean(), mean, rtol=0, atol=tolerance * np.linalg.norm(mean))
    np.testing.assert_allclose(found.covariance(), covariance, rtol=0, atol=tolerance * np.linalg.norm(covariance))
    assert (np.diag(found.covariance()) >= 0.0).all()


def line(slopes, offsets, sampling="reshuffle"):
    return AffineMaps(np.reshape(slopes, (-1, 1, 1)), np.reshape(offsets, (-1, 1)), sampling=sampling)


# ---------------------------------------------------------------------------------------------------------- on the line


@settings(max_examples=60)
@given(st.integers(2, 4), DIGITS, SIGNS, st.booleans())
@example(2, 9.0, -1, False)
@example(2, 9.0, 1, False)
@example(3, 9.0, -1, True)
@example(4, 12.0, -1, True)
def test_slopes_near_one_and_minus_one(n, digits, sign, equal):
    slopes = [sign * (1.0 - 10.0**-digits * (1.0 if equal else (1 + k) / 4)) for k in range(n)]
    assert_exact(line(slopes, OFFSETS[:n]))


@settings(max_examples=30)
@given(DIGITS, st.lists(SIGNS, min_size=3, max_size=4))
def test_slopes_of_both_signs(digits, signs):
    assert_exact(line([s * (1.0 - 10.0**-digits * (1 + k) / 4) for k, s in enumerate(signs)], OFFSETS[: len(signs)]))


def test_a_small_variance_about_a_huge_mean():
    """Its moments about zero leave −4.6e-9 in working precision."""
    maps = line([1.0 - 1e-9, 1.0 - 2e-9], [1.0, 3.0])
    found, (mean, covariance) = known(maps), exact_moments(maps)
    assert found.mean()[0] == pytest.approx(mean[0], rel=2 * EPS)
    assert found.covariance()[0, 0] == pytest.approx(covariance[0, 0], rel=8 * EPS)
    assert mean[0] > 1e9
    assert 4e-11 < covariance[0, 0] < 5e-11


@pytest.mark.parametrize("sign", [1, -1])
def test_working_precision_is_rejected(sign):
    """The control: the same maps composed in working precision are off by far more than the tolerance above."""
    slopes = sign * np.array([1.0 - 1e-9, 1.0 - 2e-9])
    exact = exact_moments(line(slopes, [1.0, 3.0]))[1][0, 0]
    steps, offsets = (slopes - 1.0)[:, None, None], np.array([[1.0], [3.0]])
    increments, ends = compose(steps, offsets, steps[::-1], offsets[::-1])
    increment, moves = increments[0, 0, 0], ends[:, 0] + increments[:, 0, 0] * (-ends.mean() / increments.mean())
    literal = np.var(moves) / (-increment * (2.0 + increment))
    assert abs(literal / exact - 1.0) > 1e5 * EPS


# ------------------------------------------------------------------------------------------------------- small steps


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(1, 2), st.floats(1.5, 12.0), st.integers(1, 2))
@example(3, 1, 9.0, 1)
@example(3, 2, 12.0, 1)
def test_small_steps(n, dim, digits, batch_size):
    """The orders of an epoch differ in the square of the step, and their covariance is of third order (C12)."""
    random = np.random.default_rng(n)
    roots = random.normal(size=(n, dim, dim))
    curvatures, minimizers = roots @ np.swapaxes(roots, 1, 2), random.normal(size=(n, dim))
    assert_exact(QuadraticSGD(curvatures, minimizers, 10.0**-digits, batch_size=batch_size, sampling="reshuffle"))


def test_maps_near_the_identity_commute_only_if_what_they_do_commutes():
    """I − hH is within rounding of I for h = 1e-12, and of a diagonal matrix in any basis."""
    curvatures = np.array([[[2.0, 0.5], [0.5, 1.0]], [[1.0, -0.25], [-0.25, 2.0]]])
    maps = QuadraticSGD(curvatures, [[0.0, 1.0], [1.0, 2.0]], 1e-12, sampling="reshuffle")
    assert CommutingEpoch.of(affine_items(maps)) is None
    diagonal = QuadraticSGD([np.diag(c.diagonal()) for c in curvatures], [[0.0, 1.0], [1.0, 2.0]], 1e-12)
    assert CommutingEpoch.of(affine_items(diagonal)) is not None


# ------------------------------------------------------------------------------------------------------------ the plane


def rotation(angle, factor=1.0):
    c, s = np.cos(angle), np.sin(angle)
    return factor * np.array([[c, -s], [s, c]])


def symmetric(angle, first, second):
    matrix = rotation(angle) @ np.diag([first, second]) @ rotation(-angle)
    return 0.5 * (matrix + matrix.T)


@settings(max_examples=20)
@given(st.floats(0.5, 10.0), st.floats(0.0, 2 * np.pi), st.booleans())
@example(9.0, 2 * np.pi / 3, True)
def test_rotations_that_hardly_shrink(digits, angle, equal):
    matrices = [rotation(angle * (1 if equal else k), 1.0 - 10.0**-digits) for k in range(1, 4)]
    assert_exact(AffineMaps(matrices, [[1.0, 0.5], [-1.0, 2.0], [0.25, -3.0]], sampling="reshuffle"))


@settings(max_examples=20)
@given(st.floats(0.5, 11.0), st.floats(0.5, 11.0), st.floats(0.0, np.pi), SIGNS, SIGNS)
@example(9.0, 9.0, 0.5, 1, -1)
@example(9.0, 0.5, 0.5, -1, 1)
def test_common_axes_that_are_almost_kept_or_turned_over(first, second, angle, sign, other):
    """They commute to rounding, which is more than what is left of them."""
    matrices = [
        symmetric(angle, sign * (1.0 - k * 10.0**-first / 3), other * (1.0 - (4 - k) * 10.0**-second / 3))
        for k in range(1, 4)
    ]
    assert_exact(AffineMaps(matrices, [[1.0, 0.5], [-1.0, 2.0], [0.25, -3.0]], sampling="reshuffle"))


@settings(max_examples=15)
@given(st.floats(0.5, 11.0), SIGNS)
@example(11.0, -1)
def test_maps_near_plus_or_minus_the_identity_that_do_not_commute(digits, sign):
    roots = np.random.default_rng(3).normal(size=(3, 2, 2))
    matrices = sign * (np.eye(2) - 10.0**-digits * roots @ np.swapaxes(roots, 1, 2) / 8)
    assert_exact(AffineMaps(matrices, [[1.0, 0.5], [-1.0, 2.0], [0.25, -3.0]], sampling="reshuffle"))


@pytest.mark.parametrize("curvatures", [[1.0, 1.0, 1.0], [1.0, 2.0, 0.5]])
def test_momentum_with_small_steps(curvatures):
    steps = QuadraticSGD(curvatures, [0.0, 1.0, -1.0], 1e-8, sampling="reshuffle")
    assert_exact(Optimizer(steps, momentum=0.5))


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_the_point_of_batches_of_all_items_with_momentum(momentum):
    """The position moves by far less than the velocity: one of the equations of a common fixed point hides it."""
    steps = QuadraticSGD([1.0, 2.0], [30.0, -1.0], 1e-10, batch_size=2, sampling="reshuffle")
    maps = Optimizer(steps, momentum=momentum)
    point = known(maps).common_fixed_point()
    np.testing.assert_allclose(point, exact_moments(maps)[0], rtol=0, atol=8 * EPS * np.linalg.norm(point))


@pytest.mark.parametrize("sampling", ["iid", "reshuffle"])
def test_the_point_of_maps_that_are_the_same(sampling):
    """The matrices are exact, and A − I is not: in a direction that is almost kept its rounding would show."""
    matrix = rotation(0.5) @ np.diag([1.0 - 1e-11, -0.5]) @ rotation(-0.5)
    maps = AffineMaps([matrix, matrix], [[1.0, 0.5], [1.0, 0.5]], sampling=sampling)
    exact = naive_theory.exact_moments([(1, matrix, np.array([1.0, 0.5]))])[0]
    np.testing.assert_allclose(known(maps).mean(), exact, rtol=0, atol=8 * EPS * np.linalg.norm(exact))


def test_equal_maps_with_different_offsets_share_no_point():
    """The offsets differ by a rounding of A x, for x near the end of a direction that is almost kept."""
    matrix = rotation(0.5) @ np.diag([1.0 - 1e-11, -0.5]) @ rotation(-0.5)
    maps = AffineMaps([matrix, matrix], [[1e6, 1e6], [1e6 + 1.0, 1e6]], sampling="reshuffle")
    with pytest.raises(Undefined, match="they differ by translations of up to 1"):
        known(maps).common_fixed_point()
    assert_exact(maps)


# --------------------------------------------------------------------------------------- more items than can be listed

MANY = np.random.default_rng(8).uniform(0.5, 2.0, 8)
MANY_OFFSETS = np.random.default_rng(9).normal(size=8)


@pytest.mark.parametrize(("digits", "sign"), [(1, 1), (5, 1), (12, 1), (3, -1), (9, -1)])
def test_eight_slopes_near_one_and_minus_one(digits, sign):
    slopes = sign * (1.0 - MANY * 10.0**-digits / 2)
    assert_exact(
        line(slopes, MANY_OFFSETS), naive_theory.exact_moments_of_many(*exact_maps(line(slopes, MANY_OFFSETS)))
    )


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 12.0), st.lists(SIGNS, min_size=8, max_size=8))
def test_no_variance_is_negative(digits, signs):
    """Slopes of both signs: where rounding hides the variance there is none."""
    slopes = np.array(signs) * (1.0 - MANY * 10.0**-digits / 2)
    with contextlib.suppress(Undefined):
        assert known(line(slopes, MANY_OFFSETS)).covariance()[0, 0] >= 0.0


def test_digits_that_rounding_hides_are_refused():
    signs = np.array([1, -1] * 4)
    found = known(line(signs * (1.0 - 1e-9 * MANY), MANY_OFFSETS))
    with pytest.raises(Undefined, match="rounding leaves too few digits of the noise of an epoch"):
        found.covariance()
    assert np.isfinite(found.mean()).all()


def test_axes_that_are_shared_to_rounding_only_are_refused_where_that_shows():
    """Eight maps on rotated axes commute to an eps, which is 1e-5 of what is left of them."""
    for digits, shows in ((3, False), (11, True)):
        matrices = [symmetric(0.5, 1.0 - g * 10.0**-digits, 1.0 - g**2 * 10.0**-digits) for g in MANY / 8]
        found = known(AffineMaps(matrices, np.stack([MANY_OFFSETS, MANY], axis=1), sampling="reshuffle"))
        if shows:
            with pytest.raises(Undefined, match="40320 orders of different 2×2 maps"):
                found.mean()
        else:
            assert np.isfinite(found.mean()).all()


@pytest.mark.parametrize("sampling", ["iid", "reshuffle"])
def test_a_direction_without_noise_has_no_variance(sampling):
    maps = AffineMaps([np.diag([0.5, 0.3]), np.diag([0.25, 0.7])], [[1.0, 0.0], [-3.0, 0.0]], sampling=sampling)
    covariance = known(maps).covariance()
    assert covariance[0, 0] > 0.0
    assert covariance[1].tolist() == covariance[:, 1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("step", [1e-9, 1e-3, 0.05])
@pytest.mark.parametrize("other", [1.0, 1e-4, 12.0])
def test_slow_coordinates_beside_others_agree_with_a_list(step, other):
    """Six quadratics on two axes: from what differs between orders, and from all of them in twice the precision."""
    curvatures = np.random.default_rng(4).uniform(0.5, 2.0, (6, 2)) * [1.0, other]
    maps = QuadraticSGD(
        [np.diag(c) for c in curvatures], OFFSETS[:2] + np.arange(12.0).reshape(6, 2) ** 2, step, sampling="reshuffle"
    )
    epoch, law = CommutingEpoch.of(affine_items(maps)), listed_law(maps.sampling_law, affine_items(maps))
    assert (np.abs(epoch.steps.rounded).sum(axis=0) < SLOW).any()
    mean, point = fixed_point_of_mean(law), epoch.fixed_point()
    np.testing.assert_allclose(point.rounded, mean.rounded, rtol=128 * EPS)
    np.testing.assert_allclose(epoch.offset_covariance().rounded, law.noise_covariance(mean).rounded, rtol=1024 * EPS)


@given(st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=20)
def test_mean_offset_from_means_over_subsets(n, seed):
    steps, offsets = np.random.default_rng(seed).normal(size=(2, n, 1))
    exact = naive_theory.exact_array
    a, b = 1 + exact(steps), exact(offsets)
    orders = list(itertools.permutations(range(n)))
    wanted = sum(naive_theory.exact_epoch(a[:, :, None], b, order)[1][0] for order in orders) / len(orders)
    found = mean_offset(Twofold(steps), Twofold(offsets))
    size = np.prod(1.0 + np.abs(steps)) * np.abs(offsets).sum()
    assert abs(Fraction(found.high[0]) + Fraction(found.low[0]) - wanted) <= 16 * n * Fraction(EPS) ** 2 * Fraction(
        size
    )


# --------------------------------------------------------------------------------------------------------- fixed orders


@pytest.mark.parametrize("step", [0.3, 1e-4, 1e-9])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_cycles_of_small_steps(step, batch_size):
    """A correction from the states themselves would be off by their rounding over all that an epoch moves."""
    roots = np.random.default_rng(5).normal(size=(4, 2, 2))
    curvatures, minimizers = roots @ np.swapaxes(roots, 1, 2), np.random.default_rng(6).normal(size=(4, 2))
    maps = QuadraticSGD(curvatures, minimizers, step, batch_size=batch_size, sampling="cyclic")
    matrix, offset = naive_theory.exact_epoch(*exact_maps(maps), range(4), batch_size)
    end = naive_theory.exact_moments([(1, matrix, offset)])[0]
    # The states after it are rounded once for each map.
    np.testing.assert_allclose(known(maps).cycle()[-1], end, rtol=0, atol=64 * EPS * np.linalg.norm(end))


# ---------------------------------------------------------------------------------------------------------------- rates


def as_decimal(number: Fraction) -> decimal.Decimal:
    return decimal.Decimal(number.numerator) / decimal.Decimal(number.denominator)


def exact_rate(maps, order):
    """log ρ of the product per map, from its trace and determinant, to a hundred digits."""
    matrix, _ = naive_theory.exact_epoch(*exact_maps(maps), order, maps.sampling_law.batch_size)
    with decimal.localcontext(prec=100):
        if maps.dim == 1:
            return float(abs(as_decimal(matrix[0, 0])).ln() / len(order))
        trace = as_decimal(matrix[0, 0] + matrix[1, 1])
        determinant = as_decimal(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])
        discriminant = trace**2 - 4 * determinant
        if discriminant < 0:
            return float(determinant.ln() / 2 / len(order))
        return float(max(abs((trace + s * discriminant.sqrt()) / 2).ln() for s in (1, -1)) / len(order))


@settings(max_examples=30)
@given(st.floats(0.5, 12.0), st.integers(0, 4))
@example(12.0, 0)
@example(12.0, 4)
def test_exponents_keep_their_digits_where_the_radius_is_near_one(digits, kind):
    """The log of 1 − δ has the rounding of one over δ, and that of the difference does not."""
    offsets, scale = [[1.0, 0.5], [-1.0, 2.0], [0.25, -3.0]], 10.0**-digits
    roots = np.random.default_rng(7).normal(size=(3, 2, 2)) / 3
    curvatures = roots @ np.swapaxes(roots, 1, 2)
    maps = [
        AffineMaps(-np.eye(2) + scale * curvatures, offsets, sampling="cyclic"),
        AffineMaps([rotation(k, 1.0 - k * scale / 4) for k in (1, 2, 3)], offsets, sampling="cyclic"),
        QuadraticSGD(curvatures, offsets, scale, sampling="cyclic"),
        QuadraticSGD([1.0, 2.0, 0.5], [0.0, 1.0, 2.0], scale, sampling="cyclic"),
        AffineMaps([rotation(0.3, 1.0 - scale)] * 3, offsets),
    ][kind]
    rate = exact_rate(maps, range(3) if maps.sampling_law.kind == "cyclic" else [0])
    assert known(maps).lyapunov_exponent().value == pytest.approx(rate, rel=64 * EPS)


def test_the_log_of_a_rounded_radius_is_rejected():
    maps = AffineMaps([rotation(0.3, 1.0 - 1e-9)], [[1.0, 0.0]])
    literal = np.log(np.abs(np.linalg.eigvals(maps.matrices[0])).max())
    assert abs(literal / exact_rate(maps, [0]) - 1.0) > 1e5 * EPS


def test_a_direction_that_reshuffled_maps_keep_has_a_radius_and_no_mean():
    """One row in two dimensions: I − h·aaᵀ keeps what is orthogonal to a, so that the radius is 1."""
    rows, targets = [[1.0, 2.0]] * 3, [1.0, 2.0, 5.0]
    kept = theory(LinearRegressionSGD(rows, targets, 0.1, sampling="reshuffle"))
    assert kept.mean_square_radius.value == 1.0
    assert kept.mean is None
    # The control: with a ridge of .1 that direction shrinks by .99 a step, three times an epoch.
    shrunk = theory(LinearRegressionSGD(rows, targets, 0.1, ridge=0.1, sampling="reshuffle"))
    assert shrunk.mean_square_radius.value == pytest.approx(0.99**6, rel=16 * EPS)
    assert shrunk.mean is not None
