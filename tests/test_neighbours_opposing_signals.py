"""Groups that pull against each other: gradients that cancel, what the flow keeps, and the boundary it leads to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.neighbours.opposing_signals import group_losses, learned_square, opposing_growth, opposing_signals

ROOT = Path(__file__).resolve().parents[1]
SIDECAR = json.loads((ROOT / "figures" / "neighbours_opposing_signals.json").read_text(encoding="utf-8"))
DATA = {name: np.array(values, dtype=float) for name, values in SIDECAR["data"].items()}
EPS = np.finfo(float).eps
WEIGHTS = st.floats(-2.0, 2.0)


def gradients(state, pull: float) -> np.ndarray:
    """Of each group's loss, by hand: the net is c·(u + sign·k·v)."""
    u, v, c = state
    rows = []
    for sign in (1.0, -1.0):
        error = c * (u + sign * pull * v) - 1.0
        rows.append([error * c, error * c * sign * pull, error * (u + sign * pull * v)])
    return np.array(rows)


@given(u=WEIGHTS, v=WEIGHTS, c=WEIGHTS, pull=st.floats(0.1, 10.0))
def test_a_step_is_the_mean_gradient_of_the_groups(u, v, c, pull):
    """To roundings of the largest term."""
    state = np.array([u, v, c])
    each = gradients(state, pull)
    size = 1.0 + np.abs(state).max() + np.abs(each).max() * (1.0 + pull)
    found = opposing_signals(0.1 * pull**2, pull).apply(state, 0)
    np.testing.assert_allclose(found, state - 0.1 * each.mean(axis=0), atol=64 * EPS * size)


def test_the_groups_cancel_along_the_weight_between_them_and_not_elsewhere():
    each = gradients([0.5, 0.0, 0.5], 6.0)
    assert each[:, 1].mean() == 0.0
    assert np.abs(each[:, 1]).min() > 2.0
    assert abs(each[:, 0].mean()) > 0.3
    assert group_losses([0.5, 0.1, 0.5], 6.0).shape == (2,)


@given(v=st.floats(1e-9, 1.0), c=st.floats(0.1, 2.0), h=st.floats(0.001, 0.2))
def test_the_weight_between_is_multiplied_by_one_minus_h_times_its_curvature(v, c, h):
    moved = opposing_signals(25 * h, 5.0).apply([0.3, v, c], 0)[1]
    assert moved == pytest.approx(v * (1 - h * 25 * c * c), abs=8 * EPS * v * (1 + h * 25 * c * c))


@pytest.mark.parametrize(("u0", "c0"), [(0.1, 0.1), (0.3, 1.1), (1.2, 0.2)])
def test_the_flow_ends_at_the_square_of_its_constant(u0, c0):
    """By a solver at 10⁻¹⁰, to a time at which e^(−2·40) is below it; the square without the constant is another."""

    def flow(t, x):
        return -gradients(x, 5.0).mean(axis=0)

    run = solve_ivp(flow, (0, 40), [u0, 1e-9, c0], "LSODA", rtol=1e-10, atol=1e-13)
    assert run.y[2, -1] ** 2 == pytest.approx(learned_square(u0, c0), abs=1e-7)
    kept = run.y[2] ** 2 - run.y[0] ** 2 - run.y[1] ** 2
    np.testing.assert_allclose(kept, kept[0], atol=1e-7)
    if u0 != c0:
        assert abs(run.y[2, -1] ** 2 - 1.0) > 0.1


@pytest.mark.parametrize("pull", [4.0, 8.0])
def test_the_weight_grows_above_the_boundary_and_not_below(pull):
    """At 0.9 and 1.1 of h k² = 2/c²: c of gradient descent is that of the flow to order h."""
    boundary = 2.0 / learned_square(0.1, 0.1)
    below, above = (opposing_growth(opposing_signals(share * boundary, pull), 0) for share in (0.9, 1.1))
    assert below["growth"] == 1.0
    assert below["square"] == pytest.approx(below["flow_square"], rel=0.1)
    assert above["growth"] > 1e3
    assert above["swing"] > 10 * below["swing"]


def test_the_figure_is_of_the_boundary():
    growth, sharpness = DATA["growth"].ravel(), DATA["sharpness"].ravel()
    assert (growth[sharpness < 1.9] == 1.0).all()
    assert (sharpness > 2.2).sum() > 50
    assert (growth[(sharpness > 2.2) & np.isfinite(growth)] > 1e3).all()
    # In the burst the groups' losses swing against each other: where one goes up the other goes down.
    swing = np.abs(DATA["loss_plus"] - DATA["loss_minus"])
    burst = np.flatnonzero(swing > 0.2 * swing.max())
    moves = np.stack([np.diff(DATA["loss_plus"])[burst], np.diff(DATA["loss_minus"])[burst]])
    assert np.corrcoef(moves)[0, 1] < -0.9


def test_other_maps_are_refused():
    with pytest.raises(InvalidInputError, match=r"neighbours\.opposing_signals"):
        opposing_growth(ito.gallery.ar1(0.5, 1.0), 0)
