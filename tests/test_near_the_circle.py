"""Moments of maps that all but keep a direction, whichever way they turn it, against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from iterorder.maps import AffineMaps
from iterorder.theory.affine.composition import LOST_DIGITS
from iterorder.theory.affine.twofold import Twofold, refined, total, two_product, two_sum
from iterorder.theory.families import analyse
from tests import naive_theory

EPS = np.finfo(np.float64).eps


def known(maps):
    return analyse(maps, seed=0, effort="quick")


def listed(maps):
    return list(zip(maps.sampling_law.weights, maps.matrices, maps.offsets, strict=True))


def assert_exact(maps):
    """Both moments to a few roundings of each entry of the source, whatever the condition of the equations."""
    found, (mean, covariance) = known(maps), naive_theory.exact_moments(listed(maps))
    tolerance = 16 * maps.dim**2 * EPS
    np.testing.assert_allclose(found.mean(), mean, rtol=0, atol=tolerance * max(1.0, np.linalg.norm(mean)))
    np.testing.assert_allclose(found.covariance(), covariance, rtol=0, atol=tolerance * np.linalg.norm(covariance))


# ---------------------------------------------------------------------------------------------------------- on the line


@settings(max_examples=60)
@given(st.floats(0.0, 15.0), st.sampled_from([-1, 1]))
@example(9.0, -1)
@example(9.0, 1)
def test_the_variance_of_a_walk_with_two_steps_is_exact_on_both_sides(digits, sign):
    """x → a x ± 1 has the variance 1/(1 − a²): near a = −1 as near a = 1."""
    a = sign * (1.0 - 10.0**-digits)
    found = known(AffineMaps([[[a]], [[a]]], [[1.0], [-1.0]]))
    variance = 1 / (1 - Fraction(a) ** 2)
    assert float(abs(Fraction(float(found.covariance()[0, 0])) / variance - 1)) <= 8 * EPS
    assert found.mean_square_stable() is True
    excess = Fraction(a) ** 2 - 1
    assert found.moments.excess == pytest.approx(float(excess), rel=8 * EPS)


@settings(max_examples=40)
@given(st.floats(1.0, 12.0), st.floats(-1.0, 1.0), st.sampled_from([-1, 1]))
def test_maps_on_the_line_that_differ(digits, other, sign):
    a = sign * (1.0 - 10.0**-digits)
    assert_exact(
        AffineMaps([[[a]], [[a * (1.0 - 2.0**-20)]], [[a * other]]], [[1.0], [-2.0], [0.5]], [0.5, 0.25, 0.25])
    )


def test_the_increment_from_one_loses_what_is_needed_near_minus_one():
    """The control: D = a − 1 rounds a near −1, and −D(2 + D) is off by a tenth of a millionth."""
    a = -(1.0 - 1e-9)
    increment = a - 1.0
    variance = 1 / (1 - Fraction(a) ** 2)
    assert float(abs(1 / Fraction(-increment * (2.0 + increment)) / variance - 1)) > 1e8 * EPS


# ------------------------------------------------------------------------------------------------------------ the plane


def rotation(angle, factor=1.0):
    c, s = np.cos(angle), np.sin(angle)
    return factor * np.array([[c, -s], [s, c]])


@settings(max_examples=40)
@given(st.floats(1.0, 9.0), st.floats(0.0, 2 * np.pi), st.floats(-2.0, 2.0))
@example(9.0, np.pi, 1.0)
@example(9.0, np.pi / 2, 1.0)
def test_rotations_that_hardly_shrink(digits, angle, turn):
    """One rotation about random centres: no diagonal of ±1 is near it."""
    matrix = rotation(angle, 1.0 - 10.0**-digits)
    assert_exact(AffineMaps([matrix, matrix], [[1.0, turn], [-1.0, -turn]]))


@settings(max_examples=40)
@given(
    st.floats(1.0, 9.0), st.floats(1.0, 9.0), st.floats(0.0, np.pi), st.sampled_from([-1, 1]), st.sampled_from([-1, 1])
)
@example(9.0, 9.0, 0.0, -1, 1)
@example(9.0, 0.3, 0.5, -1, 1)
@example(4.0, 1.0, 2.0, -1, 1)  # offsets that are almost orthogonal to the slow direction
def test_two_directions_that_are_almost_kept_or_turned_over(first, second, angle, sign, other):
    basis = rotation(angle)
    matrix = basis @ np.diag([sign * (1.0 - 10.0**-first), other * (1.0 - 10.0**-second)]) @ basis.T
    assert_exact(AffineMaps([matrix, matrix], [[1.0, 0.5], [-1.0, -0.5]]))


@settings(max_examples=30)
@given(st.integers(1, 4), st.floats(1.0, 9.0), st.sampled_from([-1, 1]))
@example(3, 9.0, 1)
@example(2, 9.0, -1)
@example(2, 1.35571536791109, -1)
def test_cycles_that_are_hardly_contracted(n, digits, sign):
    """The end of an epoch of maps x → a_k x + b_k is B/(1 − a_1⋯a_n), however little is left of the denominator."""
    slopes = [sign * (1.0 - 10.0**-digits * (1 + k)) for k in range(n)]
    offsets = [1.0 + k for k in range(n)]
    cycle = known(AffineMaps([[[a]] for a in slopes], [[b] for b in offsets], sampling="cyclic")).cycle()
    slope, offset = Fraction(1), Fraction(0)
    for a, b in zip(slopes, offsets, strict=True):
        slope, offset = Fraction(a) * slope, Fraction(a) * offset + Fraction(b)
    end = offset / (1 - slope)
    # The last point is the image of the end of the epoch before by n rounded maps; the denominator may have lost as
    # many digits as are not worth twice the precision.
    size = max(abs(end), max(map(abs, offsets)))
    assert abs(Fraction(float(cycle[-1, 0])) - end) <= (4 * (n + 1) + int(LOST_DIGITS)) * Fraction(EPS) * size


def test_the_literal_solution_is_rejected():
    """The control: the equations are ill-conditioned, and what double precision makes of them is far off."""
    matrix = rotation(0.5) @ np.diag([-(1.0 - 1e-9), 0.5]) @ rotation(-0.5)
    maps = AffineMaps([matrix, matrix], [[1.0, 0.5], [-1.0, -0.5]])
    exact = naive_theory.exact_moments(listed(maps))[1]
    literal = naive_theory.stationary_moments(listed(maps))[1]
    assert np.linalg.norm(literal - exact) > 1e5 * EPS * np.linalg.norm(exact)


# ------------------------------------------------------------------------------------------------------------- twofold

NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False).filter(lambda x: x == 0.0 or abs(x) > 1e-9)


@given(NUMBERS, NUMBERS)
def test_sums_and_products_leave_no_error(a, b):
    total, lost = two_sum(a, b)
    assert Fraction(total) + Fraction(lost) == Fraction(a) + Fraction(b)
    product, left_out = two_product(a, b)
    assert Fraction(product) + Fraction(left_out) == Fraction(a) * Fraction(b)
    assert total == a + b
    assert product == a * b


def error_of(found: Twofold, wanted) -> np.ndarray:
    exact = naive_theory.exact_array
    return np.abs(np.asarray(exact(found.high) + exact(found.low) - wanted).astype(float))


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(0, 999))
def test_products_of_matrices_have_twice_the_precision(d, seed):
    random, exact = np.random.default_rng(seed), naive_theory.exact_array
    a, high, low = random.normal(size=(3, 2, d, d))
    low = EPS * low
    b, size = exact(high) + exact(low), np.abs(a) @ np.abs(high)
    # d sums of d products, each of which leaves an error of eps².
    assert (error_of(Twofold(a) @ Twofold(high, low), exact(a) @ b) <= 8 * d**2 * EPS**2 * size).all()
    assert (error_of(a @ Twofold(high, low), exact(a) @ b) <= 8 * d**2 * EPS**2 * size).all()


@settings(max_examples=40)
@given(arrays(float, (2, 5), elements=NUMBERS), arrays(float, (2, 5), elements=st.floats(-1.0, 1.0)))
def test_arithmetic_of_two_numbers_has_twice_the_precision(high, low):
    low = EPS * low * high
    a, b = (Twofold(*pair) for pair in zip(high, low, strict=True))
    exact = naive_theory.exact_array
    x, y = (exact(c.high) + exact(c.low) for c in (a, b))
    sizes = np.abs(high)
    assert (error_of(a + b, x + y) <= 4 * EPS**2 * sizes.sum(axis=0)).all()
    assert (error_of(a - b, x - y) <= 4 * EPS**2 * sizes.sum(axis=0)).all()
    assert (error_of(1.0 - a, 1 - x) <= 4 * EPS**2 * (1.0 + sizes[0])).all()
    assert (error_of(a * b, x * y) <= 8 * EPS**2 * sizes.prod(axis=0)).all()
    assert (error_of(a * high[1], x * exact(high[1])) <= 8 * EPS**2 * sizes.prod(axis=0)).all()
    assert error_of(total(a), x.sum()) <= 16 * EPS**2 * sizes[0].sum()
    nonzero = high[1] != 0.0
    quotient = (x[nonzero] / y[nonzero]).astype(float)
    assert (error_of(a[nonzero] / b[nonzero], x[nonzero] / y[nonzero]) <= 16 * EPS**2 * np.abs(quotient)).all()


def test_what_all_but_cancels_is_lost_in_working_precision():
    """The control for the bounds above."""
    a, b = np.array([1.0 + 2.0**-40]), np.array([-1.0 + 2.0**-40])
    exact = naive_theory.exact_array
    wanted = exact(a) * exact(b) + 1
    assert float((a * b + 1.0)[0]) == 0.0
    assert (Twofold(a) * b + 1.0).rounded[0] == float(wanted[0]) > 0.0


def test_corrections_end_where_nothing_more_is_gained():
    third = refined(Twofold(np.array([0.3])), lambda x: ((1.0 - 3.0 * x) / 3.0).rounded)[0]
    assert error_of(third, [Fraction(1, 3)]) <= EPS**2
    # A residual that does not shrink is told by the size of the last correction.
    solution, last = refined(np.array([1.0]), lambda x: np.array([0.5]) * (-1) ** round(float(x[0])))
    assert np.isfinite(solution).all()
    assert last > EPS**0.5
