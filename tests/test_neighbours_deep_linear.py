"""Deep linear nets on the line: the flow's solutions, the leading term of the lag, and wrong ones that are rejected."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.neighbours.deep_linear import deep_linear, flow_gap, flow_product, flow_time

ROOT = Path(__file__).resolve().parents[1]
SIDECAR = json.loads((ROOT / "figures" / "neighbours_deep_linear.json").read_text(encoding="utf-8"))
DATA = {name: np.array(values, dtype=float) for name, values in SIDECAR["data"].items()}
EPS = np.finfo(float).eps


@given(depth=st.integers(1, 6), start=st.floats(0.01, 0.5), time=st.floats(0.01, 3.0))
def test_the_flow_is_that_of_a_solver(depth, start, time):
    """At the solver's tolerance of 10⁻¹⁰, over a short time in which the flow stretches by less than 10³."""
    found = flow_product(start, time, depth)
    run = solve_ivp(
        lambda t, p: depth * p ** (2 - 2 / depth) * (1 - p), (0, time), [start], "DOP853", rtol=1e-10, atol=1e-12
    )
    assert found == pytest.approx(run.y[0, -1], abs=1e-7)
    # Close to 1 the time of a product that is rounded is not that time any more: by ε over its speed.
    speed = depth * found ** (2 - 2 / depth) * (1 - found)
    assert flow_time(start, found, depth) == pytest.approx(time, abs=1e-8 * time + 16 * EPS / speed)


def test_two_layers_are_a_sigmoid_and_not_one_of_half_the_rate():
    times = np.linspace(0, 5, 11)
    literal = 1 / (1 + np.exp(-(2 * times + math.log(0.01 / 0.99))))
    found = np.array([flow_product(0.01, time, 2) for time in times])
    np.testing.assert_allclose(found, literal, rtol=64 * EPS)
    assert np.abs(found - 1 / (1 + np.exp(-(times + math.log(0.01 / 0.99))))).max() > 0.5


def test_a_step_is_the_gradient_of_the_product_of_equal_weights():
    """By the partial derivative with all weights free: ∂/∂w_1 ½(w_1⋯w_L − 1)² = (∏ − 1) ∏_{k>1} w_k."""
    for depth in (1, 2, 5):
        weights = np.full(depth, 0.8)
        slope = (weights.prod() - 1.0) * weights[1:].prod()
        assert deep_linear(0.1, depth).apply([0.8], 0)[0] == pytest.approx(0.8 - 0.1 * slope, abs=8 * EPS)


@pytest.mark.parametrize("depth", range(1, 7))
def test_the_lag_is_its_leading_term_and_a_remainder_of_order_h(depth):
    """gap/predicted − 1 is O(h): at most 0.7 of it is left when h is halved; of a leading term of half the size all."""
    found = [flow_gap(deep_linear(h, depth), 0) for h in (0.02, 0.01, 0.005, 0.0025)]
    rest = np.array([f["gap"] / f["predicted"] - 1.0 for f in found])
    assert abs(rest[-1]) < 0.02
    assert (np.abs(rest[1:] / rest[:-1]) < 0.7).all()
    wrong = np.array([f["gap"] / (0.5 * f["predicted"]) - 1.0 for f in found])
    assert (np.abs(wrong[1:] / wrong[:-1]) > 0.9).all()


def test_descent_is_stable_up_to_two_over_the_depth():
    """The multiplier at the product 1 is 1 − hL."""
    for depth in (2, 3):
        for factor, settles in ((0.9, True), (1.1, False)):
            run = ito.simulate(deep_linear(factor * 2 / depth, depth), [1.0 + 1e-6], 100, seed=0)
            assert (abs(run.states[0, 0, 0] - 1.0) < 1e-6) == settles


def test_the_figure_has_order_one():
    slopes = np.diff(np.log(np.abs(DATA["gap"][:, :8]))) / np.diff(np.log(DATA["step_size"][:8]))
    assert np.abs(slopes - 1.0).max() < 0.1
    np.testing.assert_allclose(DATA["sigmoid"], [flow_product(0.01, t, 2) for t in DATA["times"]], rtol=1e-5)


def test_bad_arguments_are_refused():
    with pytest.raises(InvalidInputError, match="depth"):
        deep_linear(0.1, 0)
    with pytest.raises(InvalidInputError, match="reached is 1"):
        flow_gap(deep_linear(0.1, 2), 0, reached=1.0)
    with pytest.raises(InvalidInputError, match=r"neighbours\.deep_linear"):
        flow_gap(ito.gallery.ar1(0.5, 1.0), 0)
