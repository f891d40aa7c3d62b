"""Boundaries of stability that others have computed: in closed form, in papers, and by the definition."""

from __future__ import annotations

import math

import numpy as np
import pytest

import iterorder as ito
from tests import naive_theory

EPS = np.finfo(np.float64).eps
KINDS = ("mean-square", "almost-sure")


# ----------------------------------------------------------------------------------------------------------- heavy ball


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "steps",
    [
        lambda h: ito.QuadraticSGD([2.5], [1.0], h),
        lambda h: ito.QuadraticSGD([np.diag([2.5, 0.5])], [[1.0, 0.0]], h),
        lambda h: ito.LinearRegressionSGD([[math.sqrt(2.5)]], [1.0], h),
        lambda h: ito.LinearRegressionSGD([[1.0], [2.0]], [1.0, 0.0], h, batch_size=2),
    ],
    ids=["quadratic", "two curvatures", "regression", "full batch"],
)
def test_heavy_ball_is_stable_to_twice_one_plus_momentum(steps, kind):
    """hλ < 2 + 2β (Polyak 1964), where an eigenvalue of the one map is −1: both kinds of stability end there."""
    found = ito.stability_boundary(lambda h: ito.Optimizer(steps(h), momentum=0.9), 0.1, 3.0, kind=kind)
    assert found.exact
    # The eigenvalues −1 and −β of the map are β − 1 apart, so that rounding of its entries of size hλ = 3.8 is felt
    # 1/(1 − β) times; another 16 stand for the roundings of its entries.
    assert found.value * 2.5 == pytest.approx(3.8, rel=16 * EPS / (1 - 0.9))
    assert abs(found.value * 2.5 - 2.0) > 1.0  # the control: the boundary without momentum


# ------------------------------------------------------------------------------------------------------- Gaussian rows


@pytest.mark.parametrize("d", [1, 2, 5, 10, 100])
def test_least_squares_on_gaussian_rows_is_stable_to_two_over_d_plus_two(d):
    found = ito.stability_boundary(lambda h: ito.GaussianRegressionSGD(np.ones(d), 1.0, h), 1e-3, 1.5)
    # An eigenvalue of a d×d matrix whose norm is one, over the slope −2 of 1 − 2h + (d + 2)h².
    assert found.value == pytest.approx(2 / (d + 2), abs=d * EPS)
    assert found.value != pytest.approx(2 / (d + 1), abs=1000 * d * EPS)


# ------------------------------------------------------------------------------------------- batches of distinct points


def mixed_boundary(features, share: float) -> float:
    """Of share·E_i[A_i⊗A_i] + (1 − share)·Ā⊗Ā, by bisection on the dense operators."""

    def operator(h):
        single, full = (naive_theory.linear_parts(features, h, size) for size in (1, len(features)))
        second = naive_theory.second_moment_operator
        return share * second(single) + (1 - share) * second(full)

    return naive_theory.first_unstable(operator)


@pytest.mark.parametrize(("n", "d", "size"), [(4, 1, 2), (5, 2, 2), (5, 2, 3), (6, 3, 4), (5, 2, 1), (4, 3, 4)])
def test_batches_have_the_boundary_of_a_mixture_of_single_and_full_steps(n, d, size):
    """With p = (n − B)/(B(n − 1)) (Mulayoff, Michaeli 2024); with p = 1/B, as with replacement, they have not."""
    features = np.random.default_rng(n * d + size).normal(size=(n, d))
    found = ito.stability_boundary(
        lambda h: ito.LinearRegressionSGD(features, np.zeros(n), h, batch_size=size), 1e-3, 20.0
    ).value
    listed = naive_theory.first_unstable(
        lambda h: naive_theory.second_moment_operator(naive_theory.linear_parts(features, h, size))
    )
    # d² eigenvalues of a matrix of norm (1 + h‖a‖²)² at most, over a slope of about 1/h at the boundary.
    tolerance = 16 * d**2 * EPS * (1 + found * (features**2).sum(axis=1).max()) ** 2
    assert found == pytest.approx(listed, rel=tolerance)
    assert found == pytest.approx(mixed_boundary(features, (n - size) / (size * (n - 1))), rel=tolerance)
    if size > 1:
        assert found != pytest.approx(mixed_boundary(features, 1 / size), rel=1000 * tolerance)


# ----------------------------------------------------------------------------------------------------------------- heat

NODES = 29
LAPLACIAN = np.eye(NODES, k=1) + np.eye(NODES, k=-1) - 2 * np.eye(NODES)
#: Of explicit Euler on 29 inner nodes of unit spacing between cold ends: arXiv 2206.02001, figure 1.
HEAT_STEP = 1 / (2 * math.cos(math.pi / 60) ** 2)


def heat(dt):
    return ito.AffineMaps([np.eye(NODES) + dt * LAPLACIAN], [np.zeros(NODES)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_step_of_the_heat_equation(kind):
    assert round(HEAT_STEP, 9) == 0.501373288
    found = ito.stability_boundary(heat, 0.1, 1.0, kind=kind)
    # The smallest eigenvalue of I + dt·L is off by n·eps·‖D‖, ‖D‖ = 2, and its slope in dt is −4.
    assert found.value == pytest.approx(HEAT_STEP, abs=NODES * EPS)
    assert abs(found.value - 0.5) > 1000 * NODES * EPS  # the control: the limit of many nodes


@pytest.mark.parametrize("order", ["forward", "backward"])
@pytest.mark.parametrize(("factor", "grows"), [(0.999, False), (1.001, True)])
def test_heat_grows_in_both_orders_above_the_boundary(order, factor, grows):
    """The fastest mode is multiplied by 1 − 4·dt·cos²(π/60) in each step."""
    dt, n = factor * HEAT_STEP, 2000
    mode = np.sin(np.arange(1, NODES + 1) * math.pi * NODES / (NODES + 1))
    run = ito.simulate(heat(dt), mode, n, order=order, seed=1, save_steps=[n // 2, n])
    sizes = np.linalg.norm(run.states[0], axis=1) / np.linalg.norm(mode)
    rate = math.log(sizes[1] / sizes[0]) / (n // 2)
    assert (rate > 0.0) == grows
    # A step adds three products of numbers of the size of the state, and n/2 of them an error of the logarithm each.
    assert rate == pytest.approx(math.log(abs(1 - 4 * dt * math.cos(math.pi / 60) ** 2)), abs=NODES * 8 * EPS)
