"""Lyapunov exponents of maps that a user wrote, against known numbers and the families with a derivative.

Monte Carlo is judged at five standard errors, a level of 6·10⁻⁷ for each comparison; the seeds are fixed.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.estimate import Estimate
from iterorder.kernels.cpu.images import images_of, words_of
from iterorder.theory import lyapunov
from iterorder.theory.custom import custom_spectrum, looks_affine
from iterorder.theory.differences import EPS, SHIFT, pushed_by_differences
from iterorder.theory.families import analyse
from iterorder.theory.undefined import NoLawReachedError, Undefined
from tests.systems import FRESH

LEVEL = 5.0
RNG = np.random.default_rng(22)
EULER = 0.5772156649015329


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    """A fifth of the quick effort."""
    monkeypatch.setitem(lyapunov.WORK, "quick", 2e8)


def score(found: Estimate, target: float) -> float:
    return (found.value - target) / found.standard_error


def agrees(found: Estimate, other: Estimate) -> bool:
    return abs(found.value - other.value) < LEVEL * math.hypot(found.standard_error, other.standard_error)


def spectrum(maps, k=None, seed=1):
    return custom_spectrum(maps, maps.dim if k is None else k, seed=seed, effort="quick")


def exponent(step, dim=1, **options) -> Estimate:
    return spectrum(ito.CustomMaps(step, dim=dim, **options), 1)[0]


# ------------------------------------------------------------------------------------------------------ linear products


def ginibre(x, draw, params, out):
    """A matrix of four normals."""
    out[0] = draw[0] * x[0] + draw[1] * x[1]
    out[1] = draw[2] * x[0] + draw[3] * x[1]


def cauchy_strip(x, draw, params, out):
    """The matrix [[ξC, 1], [1, 0]], C Cauchy."""
    before = x[0]
    out[0] = params[0] * math.tan(math.pi * (draw[0] - 0.5)) * before + x[1]
    out[1] = before


def test_products_of_ginibre_matrices():
    """Newman (1986): 2γ_k = log 2 + ψ((d − k + 1)/2), ψ(1) = −γ_E, ψ(½) = −γ_E − 2 log 2."""
    first, second = spectrum(ito.CustomMaps(ginibre, dim=2, noise="normal", noise_dim=4))
    exact = 0.5 * (math.log(2.0) - EULER), 0.5 * (-math.log(2.0) - EULER)
    assert exact[0] == pytest.approx(0.0579658, abs=1e-7)
    assert abs(score(first, exact[0])) < LEVEL
    assert abs(score(second, exact[1])) < LEVEL
    assert abs(score(first, 0.0)) > LEVEL  # the controls: each for the other, and log ρ of nothing
    assert abs(score(second, exact[0])) > LEVEL


@pytest.mark.parametrize("xi", [0.5, 1.0, 2.0])
def test_heavy_tailed_products(xi):
    """The Lloyd model: γ = arsinh(ξ/2), although no entry has a mean."""
    first, second = spectrum(ito.CustomMaps(cauchy_strip, dim=2, params=(xi,)))
    assert abs(score(first, math.asinh(0.5 * xi))) < LEVEL
    assert abs(score(first, math.asinh(xi))) > LEVEL  # the control
    assert first.value + second.value == pytest.approx(0.0, abs=1e-9)  # the determinant is −1


def test_affine_maps_in_disguise_have_the_exponents_of_the_family():
    features = RNG.normal(size=(20, 3))

    def step(x, draw, params, out):
        row, h = params[0][draw[0]], params[1]
        product = 0.0
        for k in range(3):
            product += row[k] * x[k]
        for k in range(3):
            out[k] = x[k] - h * (product - 1.0) * row[k]

    for h in (0.3, 1e-4):  # the second so small that no direction aligns
        found = spectrum(ito.CustomMaps(step, dim=3, noise="index", n_maps=20, params=(features, h)))
        family = analyse(ito.LinearRegressionSGD(features, np.ones(20), h), seed=1, effort="quick").lyapunov_spectrum(3)
        assert all(agrees(*pair) for pair in zip(found, family, strict=True))
        assert not agrees(found[0], family[2])


def test_singular_linear_parts_end_in_minus_infinity():
    def rank_one(x, draw, params, out):
        out[0] = draw[0] * x[0] + draw[1] * x[1]
        out[1] = 2.0 * out[0]

    def forgets(x, draw, params, out):
        out[0] = draw[0]

    first, second = spectrum(ito.CustomMaps(rank_one, dim=2, noise="normal", noise_dim=2))
    # |(1, 2)·(g₀, g₁)| is √5 times a normal: E log|g| = −(γ_E + log 2)/2.
    assert abs(score(first, 0.5 * (math.log(5.0) - EULER - math.log(2.0)))) < LEVEL
    assert second.value == -math.inf
    assert exponent(forgets).value == -math.inf


# ---------------------------------------------------------------------------------------------------------- along paths


def test_the_logistic_map_has_log_two():
    def step(x, draw, params, out):
        out[0] = 4.0 * x[0] * (1.0 - x[0])

    found = exponent(step)
    assert abs(score(found, math.log(2.0))) < LEVEL
    assert abs(score(found, math.log(4.0))) > LEVEL  # the controls: at the fixed point 0, where the origin stays,
    assert abs(score(found, math.log(4.0) - 1.0)) > LEVEL  # and under the uniform law, not the arcsine law


def test_the_henon_map_contracts_areas_by_its_parameter():
    def step(x, draw, params, out):
        before = x[0]
        out[0] = 1.0 - 1.4 * before * before + x[1]
        out[1] = 0.3 * before

    first, second = spectrum(ito.CustomMaps(step, dim=2))
    assert first.value + second.value == pytest.approx(math.log(0.3), abs=1e-6)
    assert abs(score(first, 0.4192)) < LEVEL + 1e-4 / first.standard_error  # four decimals: Sprott (2003)
    assert abs(score(first, 0.6)) > LEVEL


def test_logistic_regression_by_hand():
    features = RNG.normal(size=(30, 2))
    labels = np.where(RNG.uniform(size=30) < 0.6, 1.0, -1.0)

    def step(x, draw, params, out):
        row, label, h, ridge = params[0][draw[0]], params[1][draw[0]], params[2], params[3]
        slope = label / (1.0 + math.exp(label * (row[0] * x[0] + row[1] * x[1])))
        for k in range(2):
            out[k] = (1.0 - h * ridge) * x[k] + h * slope * row[k]

    found = spectrum(ito.CustomMaps(step, dim=2, noise="index", n_maps=30, params=(features, labels, 0.8, 0.1)))
    family = ito.LogisticRegressionSGD(features, labels, 0.8, ridge=0.1)
    known = analyse(family, seed=1, effort="quick").lyapunov_spectrum(2)
    assert all(agrees(*pair) for pair in zip(found, known, strict=True))
    bounds = np.log([family.lipschitz(i) for i in range(30)])
    assert found[0].high < bounds.mean()  # γ < E log Lip


@pytest.mark.parametrize(
    ("maps", "gamma", "wrong"),
    [
        (ito.gallery.vervaat(), -1.0, -0.5),  # E log u
        (ito.gallery.arcsine(), -1.0, -0.5),
        (ito.gallery.ar1(0.5, 1.0), math.log(0.5), 0.0),
        (ito.gallery.reflected_walk(), 0.0, -1e-6),  # kinks, and isometries beside them
        (ito.gallery.cyclic_walk(5), 0.0, -1e-6),  # states that sit on jumps
    ],
    ids=["vervaat", "arcsine", "ar1", "reflected walk", "cyclic walk"],
)
def test_gallery_systems(maps, gamma, wrong):
    found = ito.theory(maps, seed=1).lyapunov_exponent
    assert not found.exact
    assert found.standard_error > 0.0
    assert abs(score(found, gamma)) < LEVEL
    assert abs(score(found, wrong)) > LEVEL


def test_both_wells_contract():
    found = ito.theory(ito.gallery.double_well(0.1, 0.2)).lyapunov_exponent
    assert found.high < 0.0
    assert abs(score(found, math.log(1.0 - 0.1 * 2.0))) < 0.05 * abs(found.value) / found.standard_error  # near f″ = 2


def test_a_map_that_is_flat_with_positive_probability_forgets_its_start():
    def clipped(x, draw, params, out):
        out[0] = min(max(2.0 * x[0] + draw[0] - 0.5, -1.0), 1.0)

    assert exponent(clipped).value == -math.inf


def test_the_step_size_where_a_custom_system_loses_stability():
    """Least squares on fresh normal data: E log|1 − hg²| = 0 at h = 2.42125."""

    def step(x, draw, params, out):
        out[0] = x[0] - params[0] * draw[0] * (draw[0] * x[0] - draw[1])

    def make(h):
        return ito.CustomMaps(step, dim=1, noise="normal", noise_dim=2, params=(h,))

    found = ito.stability_boundary(make, 2.0, 3.0, kind="almost-sure", seed=1)
    assert abs(score(found, 2.42125)) < LEVEL
    assert abs(score(found, 2.5)) > LEVEL


# ----------------------------------------------------------------------------------------------------- scales of states


def bends(x, draw, params, out):
    """x → x/2 + 0.3·sin x + U, in units of `params[0]` about `params[1]`."""
    unit, centre = params
    y = (x[0] - centre) / unit
    out[0] = centre + unit * (0.5 * y + 0.3 * math.sin(y) + draw[0])


@pytest.mark.parametrize(("unit", "centre"), [(1e-250, 0.0), (1e-9, 0.0), (1e100, 0.0), (1e200, 0.0), (1.0, 1e9)])
def test_a_law_of_any_size_and_place_has_its_exponent(unit, centre):
    """It was log ½ ± 10⁻⁷ for a law of width one about 10⁹, the mean slope over thousands, and −∞ for one of 10²⁰⁰."""
    found = exponent(bends, params=(unit, centre))
    here = exponent(bends, params=(1.0, 0.0))
    assert agrees(found, here)
    assert found.standard_error < 0.01
    assert abs(score(found, math.log(0.5))) > LEVEL  # the control


def test_coordinates_of_different_units():
    """A coordinate of size 10⁸ beside one that bends over units: −0.6931 ± 10⁻⁷ was the mean slope of the second."""

    def step(x, draw, params, out):
        out[0] = 0.2 * x[0] + 1e8 * draw[0]
        out[1] = 0.5 * x[1] + 0.3 * math.sin(x[1]) + draw[1]

    first, second = spectrum(ito.CustomMaps(step, dim=2, noise_dim=2))
    assert agrees(first, exponent(bends, params=(1.0, 0.0)))
    assert second.value == pytest.approx(math.log(0.2), abs=LEVEL * second.standard_error)
    assert abs(score(first, math.log(0.5))) > LEVEL


def test_an_angle_that_is_never_wrapped():
    """The standard map at K = 10, with γ near log(K/2), after its angle has grown to 10⁷ radians: it was 0 ± 10⁻⁴."""

    def step(x, draw, params, out):
        momentum = x[1] + 10.0 * math.sin(x[0]) + 6.0 * draw[0]
        out[0], out[1] = x[0] + momentum, momentum

    first, second = spectrum(ito.CustomMaps(step, dim=2))
    assert first.value == pytest.approx(math.log(5.0), abs=0.02)
    assert first.standard_error < 0.01
    assert first.value + second.value == pytest.approx(0.0, abs=LEVEL * first.standard_error)  # areas stay


@pytest.mark.parametrize("scale", [1e-300, 1e60, 1e120, 1e200])
def test_offsets_of_any_size_leave_the_linear_part(scale):
    def step(x, draw, params, out):
        out[0] = 0.5 * x[0] + params[0] * draw[0]

    found = exponent(step, params=(scale,))
    assert found.value == pytest.approx(math.log(0.5), abs=64.0 * EPS)  # it was −∞ from 10⁸⁰ on


def test_a_slope_that_is_a_number_is_known_to_rounding_alone():
    """x → 2x + {0, ½} mod 1, on paths that rounding brings to the jump: an error of 10⁻¹⁴ was told, and 10⁻¹¹ made."""

    def step(x, draw, params, out):
        moved = 2.0 * x[0] + (0.5 if draw[0] < 0.5 else 0.0)
        out[0] = moved - math.floor(moved)

    found = exponent(step)
    assert abs(score(found, math.log(2.0))) < LEVEL
    assert found.standard_error < EPS ** (2.0 / 3.0)


# ------------------------------------------------------------------------------------------------- what has no exponent


def test_paths_that_leave_have_no_law():
    def grows(x, draw, params, out):
        out[0] = x[0] + x[0] * x[0] + draw[0]

    with pytest.raises(NoLawReachedError, match=r"256 of 256 paths .* leave the finite numbers"):
        exponent(grows)


def test_starts_that_lead_to_different_growth_are_told():
    def two_wells(x, draw, params, out):
        side = 1.0 if x[0] > 0.0 else -1.0
        out[0] = side + (0.5 if x[0] > 0.0 else 0.2) * (x[0] - side) + 0.1 * math.sin(x[0] - side)

    def flat_on_one_side(x, draw, params, out):
        out[0] = -1.0 if x[0] < 0.0 else 0.5 * x[0] + 1.0 + 0.1 * draw[0] + 0.01 * math.sin(x[0])

    def flat_in_rare_steps(x, draw, params, out):
        out[0] = 0.0 if draw[0] < 1e-3 else 0.5 * x[0] + 0.1 * math.sin(x[0]) + draw[0]

    with pytest.raises(Undefined, match="different starts grow at different rates"):
        exponent(two_wells)
    with pytest.raises(Undefined, match="on the others they never do"):
        exponent(flat_on_one_side)
    assert exponent(flat_in_rare_steps).value == -math.inf  # the control: sooner or later on every path


def test_derivatives_below_what_differences_resolve_are_told():
    def superattracting(x, draw, params, out):
        out[0] = draw[0] * x[0] * x[0] + x[0] * x[0] * x[0]

    def nearly_flat(x, draw, params, out):
        out[0] = 1e-12 * math.sin(x[0]) + draw[0]

    with pytest.raises(Undefined, match="superattracting"):
        exponent(superattracting)
    known = ito.theory(ito.CustomMaps(nearly_flat, dim=1))
    assert known.lyapunov_exponent is None
    assert "below what differences resolve" in known.reasons["lyapunov_exponent"]
    assert known.lyapunov_spectrum() is None
    assert known.reasons["lyapunov_spectrum"] == known.reasons["lyapunov_exponent"]


def test_too_many_dimensions_are_told():
    def halves(x, draw, params, out):
        for k in range(len(x)):
            out[k] = 0.5 * x[k] + draw[0]

    with pytest.raises(Undefined, match="differences of maps in 20000 dimensions"):
        exponent(halves, dim=20_000)


# ---------------------------------------------------------------------------------------------------------- differences


# One for each kind of draw, and one in so many dimensions that states are not kept in registers.
@pytest.mark.parametrize(
    "name", ["vervaat", "double well", "custom d=2 normals", "custom d=20 index", "custom d=3 index and normals"]
)
def test_images_are_those_of_simulate(name):
    maps = FRESH[name]
    states = RNG.normal(size=(5, maps.dim))
    run = ito.simulate(maps, states, 6, n_replicas=5, seed=7, first_replica=3, first_step=5)
    images = images_of(maps.form())
    for words in words_of(maps.sampling_law, 7, np.arange(3, 8), 5, 6):
        states = images(states[:, None], words)[:, 0]
    assert (states == run.states[:, 0]).all()


FACTORS = st.integers(-3072, 3072).map(lambda k: k / 1024)  # no image is subnormal


@given(st.floats(-8.0, 8.0), FACTORS, FACTORS)
def test_the_error_of_a_smooth_derivative_is_bounded(x, a, b):
    def images(points, words):
        return np.sin(a * points) + b * points * points

    _, slope, error = pushed_by_differences(images, np.full((1, 1), x), np.ones((1, 1, 1)), None)
    exact = a * math.cos(a * x) + 2.0 * b * x
    assert abs(slope[0, 0, 0] - exact) <= error[0, 0]
    assert error[0, 0] < 1e-5 * (1.0 + abs(a) + abs(b)) ** 3


@pytest.mark.parametrize("kink", [1.0, 1.0 + 1e-6, 1.0 - 1e-5])
def test_kinks_and_jumps_beside_a_state_do_not_count(kink):
    def images(points, words):
        return np.where(points >= kink, 3.0 * points + 5.0, 0.5 * points)

    _, slope, error = pushed_by_differences(images, np.ones((1, 1)), np.ones((1, 1, 1)), None)
    assert min(abs(slope[0, 0, 0] - 3.0), abs(slope[0, 0, 0] - 0.5)) < 1e-9
    # Ten roundings, and one of what changed: of an image of at most 8, and of a state that is stretched by 3.
    assert error[0, 0] < 11.0 * EPS * (8.0 + 3.0) / SHIFT


def affine_looking(step, dim=1, **options) -> bool:
    maps = ito.CustomMaps(step, dim=dim, **options)
    return looks_affine(maps, images_of(maps.form()), 0)


def test_what_is_affine_in_the_state():
    def quadratic_in_the_draw(x, draw, params, out):
        out[0] = draw[0] ** 2 * x[0] + math.exp(draw[0])

    def wrapped(x, draw, params, out):
        moved = x[0] + draw[0]
        while moved >= 100.0:  # a point far away would take for ever
            moved -= 100.0
        out[0] = moved

    def bent_once_in_a_thousand(x, draw, params, out):
        out[0] = abs(x[0]) if draw[0] < 1e-3 else 0.5 * x[0]

    assert affine_looking(quadratic_in_the_draw, noise="normal")
    assert affine_looking(ginibre, dim=2, noise="normal", noise_dim=4)
    assert not affine_looking(wrapped)
    assert not affine_looking(bent_once_in_a_thousand)
    assert not affine_looking(lambda x, draw, params, out: out.fill(0.5 * x[0] + 1e-9 * math.sin(x[0])))
