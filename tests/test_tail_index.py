"""Kesten's index in one dimension."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iterorder.maps import (
    AffineMaps,
    LinearModelSGD,
    LinearRegressionSGD,
    LogisticRegressionSGD,
    Loss,
    QuadraticSGD,
    gallery,
)
from iterorder.theory.families import analyse
from iterorder.theory.tail_index import tail_index
from iterorder.theory.undefined import Undefined
from tests import naive_theory
from tests.systems import SYSTEMS

EPS = np.finfo(np.float64).eps
RNG = np.random.default_rng(15)


def _tanh(z, target, params):
    return math.tanh(z - target)


def known(maps):
    """The parts of `theory` that are asked for, and no Monte Carlo."""
    return analyse(maps, seed=0, effort="quick")


def test_tail_index_solves_its_equation():
    maps = AffineMaps([[[2.0]], [[0.25]]], [[1.0], [0.0]])
    found = known(maps).tail_index()
    assert found.value == pytest.approx(math.log2((1 + math.sqrt(5)) / 2), rel=8 * EPS)
    batch = QuadraticSGD([1.0, 2.0, 12.0, 0.5], [0.0, 1.0, 2.0, 3.0], 0.3, batch_size=2)
    kappa = known(batch).tail_index().value
    assert sum(p * abs(a[0, 0]) ** kappa for p, a, _ in naive_theory.step_maps(batch)) == pytest.approx(1.0, abs=1e-13)


@given(st.lists(st.tuples(st.floats(-5, 3, allow_subnormal=False), st.floats(0.05, 1)), min_size=2, max_size=6))
def test_tail_index_of_any_law(pairs):
    logs, weights = np.transpose(pairs)
    weights = weights / weights.sum()
    if weights @ logs >= 0 or logs.max() <= 0:
        with pytest.raises(Undefined):
            tail_index(logs, weights)
        return
    kappa = tail_index(logs, weights)
    top = kappa * logs.max()  # divided out: κ is large where the top is just above zero
    value = top + math.log(weights @ np.exp(kappa * logs - top))
    assert kappa > 0
    assert abs(value) <= 64 * EPS * (1 + kappa * np.abs(logs).max())


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        (gallery.two_point_quadratic(0.3), "no linear part exceeds one"),
        (QuadraticSGD([1.0, 30.0], [0.0, 1.0], 0.5), "E log|a| is not negative"),
        (QuadraticSGD([1.0, 3.0], [2.0, 2.0], 0.9), "common fixed point"),
        (gallery.sierpinski(), "bounded: each of finitely many maps multiplies distances by at most 0.5"),
        (AffineMaps([[[0.5, 0.0], [0.0, 1.5]], np.zeros((2, 2))], np.eye(2)), "one dimension only"),
        (SYSTEMS["linear d=4 cyclic batch"], "a fixed order has no stationary law"),
        (LogisticRegressionSGD([[1.0], [2.0], [-1.0]], [1, -1, 1], 0.1, ridge=0.1), "gradient of the logistic loss"),
        (
            LinearModelSGD([[1.0], [2.0]], [0.0, 1.0], 0.1, loss=Loss(_tanh)),
            "no bound of the gradient of the custom loss",
        ),
        (
            LinearModelSGD([[1.0], [2.0]], [0.0, 1.0], 0.1, loss=Loss(_tanh, curvature_range=(0.0, 1.0)), ridge=0.1),
            "bounded: each of finitely many maps",
        ),
        (SYSTEMS["linear d=2 large batch"], "one dimension only"),
        (LinearRegressionSGD(RNG.normal(size=(60, 1)), np.ones(60), 3.0, batch_size=20), "too many to list"),
    ],
)
def test_reasons_without_a_tail_index(maps, reason):
    with pytest.raises(Undefined, match=re.escape(reason)):
        known(maps).tail_index()
