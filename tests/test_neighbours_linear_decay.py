"""Exact risks of schedules against the mean over all sequences of items, and wrong ones that are rejected."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.neighbours.linear_decay import Moments, linear_steps, refined_steps, schedule_risk

ROOT = Path(__file__).resolve().parents[1]
SIDECAR = json.loads((ROOT / "figures" / "neighbours_linear_decay.json").read_text(encoding="utf-8"))
EPS = np.finfo(float).eps
COUNT, STEP = 5, 0.2


def regression(**more):
    rng = np.random.default_rng(2)
    return ito.LinearRegressionSGD(rng.normal(size=(3, 2)), rng.normal(size=3), STEP, **more)


def paths(maps, steps, order=1):
    """The states after 0 … n steps over all sequences of items, shape (3ⁿ, n+1, 2): gradients and nothing else."""
    found = []
    for items in itertools.product(range(3), repeat=len(steps)):
        states = [np.ones(2)]
        for item, step in zip(items[::order], steps, strict=True):
            states.append(states[-1] - step * maps.gradients(states[-1])[item])
        found.append(states)
    return np.array(found)


def excess(maps, states):
    """The mean over states (R, 2) of the mean loss above the least one."""
    errors = states - ito.minimizer(maps)
    return 0.5 * float(np.mean((errors @ maps.features.T) ** 2))


def test_risks_are_means_over_all_sequences():
    """243 sequences of five items; rounding of sums of so many terms. Neighbouring definitions are further away."""
    maps = regression()
    found = schedule_risk(maps, 0, n_steps=COUNT)
    constant = paths(maps, np.full(COUNT, STEP))
    squares = np.array(
        [np.mean([(maps.gradients(x) ** 2).sum(axis=1).mean() for x in constant[:, k]]) for k in range(COUNT)]
    )
    literal = {
        "risk_backward": excess(maps, constant[:, -1]),
        "risk_average": excess(maps, constant[:, COUNT // 2 + 1 :].mean(axis=1)),
        "risk_linear": excess(maps, paths(maps, linear_steps(STEP, COUNT))[:, -1]),
        "risk_refined": excess(maps, paths(maps, refined_steps(STEP, squares))[:, -1]),
    }
    scale = excess(maps, constant[:, 0])
    for name, value in literal.items():
        assert found[name] == pytest.approx(value, abs=1024 * EPS * scale), name
    assert found["risk_backward"] == pytest.approx(
        excess(maps, paths(maps, np.full(COUNT, STEP), -1)[:, -1]), abs=1024 * EPS * scale
    )
    # The controls: an average that begins one step earlier, and one without covariances between its errors.
    other = excess(maps, constant[:, COUNT // 2 :].mean(axis=1))
    assert abs(found["risk_average"] - other) > 1e-3 * scale
    uncorrelated = sum(excess(maps, constant[:, k]) for k in (3, 4, 5)) / 9
    assert abs(found["risk_average"] - uncorrelated) > 1e-3 * scale


def test_linear_steps_are_those_of_the_optimizer():
    maps = ito.Optimizer(regression(), schedule="linear", horizon=COUNT)
    np.testing.assert_allclose(linear_steps(STEP, COUNT), maps.step_sizes[:-1], rtol=4 * EPS)
    literal = [1 / s * sum(1 / t for t in [4.0, 1.0, 2.0][k:]) for k, s in enumerate([4.0, 1.0, 2.0])]
    np.testing.assert_allclose(refined_steps(0.3, np.array([4.0, 1.0, 2.0])), 0.3 * np.array(literal) / max(literal))


def test_the_risk_of_many_steps_is_the_stationary_one():
    """½ tr(H C) of the moment equations of `theory`, which must not be that of half the step."""
    maps = regression()
    moments = Moments(maps, np.ones(2))
    expected = 0.5 * np.trace(moments.hessian @ ito.theory(maps).covariance)
    found = schedule_risk(maps, 0, n_steps=4000)["risk_backward"]
    assert found == pytest.approx(expected, rel=1e-9)
    half = ito.LinearRegressionSGD(maps.features, maps.targets, STEP / 2)
    assert abs(0.5 * np.trace(moments.hessian @ ito.theory(half).covariance) - found) > 0.1 * found


def test_batches_and_other_samplings_are_refused():
    for more in ({"batch_size": 2}, {"sampling": "reshuffle"}):
        with pytest.raises(InvalidInputError, match="batch_size=1"):
            schedule_risk(regression(**more), 0)


def test_the_figure_ranks_the_methods_as_the_page_says():
    """At the best step of each: from 128 gradients on the average, then both decays, then backward; not at 32."""
    data = {name: np.array(values, dtype=float) for name, values in SIDECAR["data"].items()}
    least = {name: data[f"risk_{name}"].min(axis=1) for name in ("backward", "average", "linear", "refined")}
    later = data["n_steps"] >= 128
    assert (least["average"] < 0.95 * least["linear"])[later].all()
    assert (least["linear"] < 0.6 * least["backward"])[later].all()
    assert (np.abs(least["refined"] / least["linear"] - 1) < 0.02)[later].all()
    assert (least["average"] > least["linear"])[data["n_steps"] == 32].all()
