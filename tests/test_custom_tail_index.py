"""Kesten's index of maps that a user wrote, against the families with a closed form.

Monte Carlo is judged at five standard errors, a level of 6·10⁻⁷ for each comparison; the seeds are fixed.
"""

from __future__ import annotations

import math

import pytest

import iterorder as ito
from iterorder.estimate import Estimate
from iterorder.theory.custom_tail_index import custom_tail_index
from iterorder.theory.undefined import Undefined

LEVEL = 5.0


def score(found: Estimate, target: float) -> float:
    return (found.value - target) / found.standard_error


def kesten(x, draw, params, out):
    """Least squares on fresh normal data."""
    out[0] = x[0] - params[0] * draw[0] * (draw[0] * x[0] - draw[1])


def tail(step, dim=1, **options) -> Estimate:
    return custom_tail_index(ito.CustomMaps(step, dim=dim, **options), seed=1, effort="quick")


@pytest.mark.parametrize(("h", "kappa"), [(2.0 / 3.0, 2.0), (1.0, 1.0908), (1.5, 0.4774)])
def test_kesten_of_gaussian_regression(h, kappa):
    found = tail(kesten, noise="normal", noise_dim=2, params=(h,))
    exact = ito.theory(ito.GaussianRegressionSGD([1.0], 1.0, h)).tail_index.value
    assert exact == pytest.approx(kappa, abs=5e-5)
    assert abs(score(found, exact)) < LEVEL
    assert abs(score(found, 1.1 * exact)) > LEVEL
    assert found.standard_error < 0.01


def scaled_cauchy(x, draw, params, out):
    out[0] = params[0] * math.tan(math.pi * (draw[0] - 0.5)) * x[0] + 1.0


def test_kesten_of_heavy_tailed_factors():
    """E|ξC|^κ = ξ^κ/cos(πκ/2): κ = ⅓ at ξ = cos(π/6)³, with a finite variance of |ξC|^κ."""
    found = tail(scaled_cauchy, params=(math.cos(math.pi / 6.0) ** 3,))
    assert abs(score(found, 1.0 / 3.0)) < LEVEL
    assert abs(score(found, 0.4)) > LEVEL
    # κ = 0.8, where that variance is infinite and no standard error is known.
    with pytest.raises(Undefined, match="makes up"):
        tail(scaled_cauchy, params=(math.cos(0.4 * math.pi) ** 1.25,))


def test_finitely_many_maps_are_listed():
    def golden(x, draw, params, out):
        out[0] = 2.0 * x[0] + 1.0 if draw[0] == 0 else 0.25 * x[0]

    found = tail(golden, noise="index", n_maps=2)
    assert abs(found.value - math.log2(0.5 * (1.0 + math.sqrt(5.0)))) <= found.standard_error < 1e-13


def test_what_has_no_tail_index():
    def fixes_two(x, draw, params, out):
        out[0] = 2.0 + 3.0 * draw[0] * (x[0] - 2.0)

    def halves(x, draw, params, out):
        for k in range(len(x)):
            out[k] = draw[0] * x[k] + 1.0

    def bends(x, draw, params, out):
        out[0] = draw[0] * abs(x[0]) + 1.0

    def stays_or_halves(x, draw, params, out):
        out[0] = x[0] if draw[0] < 0.5 else x[0] - 0.5 * (x[0] - draw[0])  # 1 to rounding, and no more

    reasons = {
        fixes_two: "common fixed point",
        halves: "exceeds one",
        stays_or_halves: "exceeds one",
        bends: "not affine",
    }
    for step, reason in reasons.items():
        with pytest.raises(Undefined, match=reason):
            tail(step)
    with pytest.raises(Undefined, match="no stationary law"):
        tail(kesten, noise="normal", noise_dim=2, params=(3.0,))
    with pytest.raises(Undefined, match="makes up"):  # κ = 102: no draw among a million is as rare as those that count
        tail(kesten, noise="normal", noise_dim=2, params=(0.1,))
    with pytest.raises(Undefined, match="600 numbers is too long"):
        tail(halves, noise_dim=600)
    with pytest.raises(Undefined, match="one dimension"):
        tail(halves, dim=2)
