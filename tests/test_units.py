"""What theory says of a system in another unit: the same, or that floating point has no such numbers."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from iterorder.sampling import Sampling
from iterorder.theory.affine.items import affine_items
from iterorder.theory.affine.law import step_law
from iterorder.theory.affine.moments import SecondMoments
from iterorder.theory.undefined import Undefined

EPS = float(np.finfo(np.float64).eps)
MATRICES = np.array([[[0.5, 0.1], [0.0, 0.4]], [[0.3, 0.0], [0.2, -0.6]]])
POINT = np.array([3.0, 1.0])
TARGETS = np.array([1.0, -1.0, 2.0, 0.5])
ROWS = np.array([[1.0, 0.5], [-0.5, 1.0], [0.25, 2.0], [1.5, -1.0]])
IN_UNITS = {
    "affine": lambda unit: ito.AffineMaps(MATRICES, unit * np.array([[1.0, 2.0], [0.5, -1.0]])),
    "affine, one point": lambda unit: ito.AffineMaps(MATRICES, unit * ((np.eye(2) - MATRICES) @ POINT)),
    "translations": lambda unit: ito.AffineMaps(MATRICES[[0, 0]], unit * np.array([[1.0, 2.0], [0.5, -1.0]])),
    "least squares, one point": lambda unit: ito.LinearRegressionSGD(ROWS, unit * (ROWS @ POINT), 0.1),
    "least squares, iid": lambda unit: ito.LinearRegressionSGD(ROWS, unit * TARGETS, 0.1),
    "least squares, reshuffle": lambda unit: ito.LinearRegressionSGD(ROWS, unit * TARGETS, 0.1, sampling="reshuffle"),
    "least squares, cyclic": lambda unit: ito.LinearRegressionSGD(ROWS, unit * TARGETS, 0.1, sampling="cyclic"),
}


@pytest.mark.parametrize("exponent", [-600, 500])
@pytest.mark.parametrize("name", IN_UNITS)
def test_points_and_means_are_the_same_in_every_unit(name, exponent):
    """Squares of lengths vanish or overflow: every candidate passed for a common fixed point, with no covariance."""
    unit = 2.0**exponent
    one, other = ito.theory(IN_UNITS[name](1.0)), ito.theory(IN_UNITS[name](unit))
    for field in ("mean", "common_fixed_point", "cycle"):
        expected, found = getattr(one, field), getattr(other, field)
        assert (expected is None) == (found is None), field
        if expected is not None:
            # Powers of two commute with every rounding; corrections in twice the precision stop at their own digits.
            np.testing.assert_allclose(found, unit * expected, rtol=64 * EPS, atol=0)
    if one.covariance is not None and one.covariance.any():  # the control: zero is for points alone
        if other.covariance is None:
            assert "range of floating point: give a larger unit" in other.reasons["covariance"]
        else:
            assert other.covariance.any() or exponent < 0  # squares of 10⁻¹⁸¹ are zero


def test_a_loss_that_overflows_is_a_reason():
    far = 2.0**600 * TARGETS
    known = ito.theory(ito.LinearModelSGD(ROWS, far, 0.1, loss=ito.losses.huber(delta=2.0**600), ridge=0.1))
    assert known.mean is None
    assert "overflows near the origin" in known.reasons["lyapunov_exponent"]


@pytest.mark.parametrize("unit", [1.0, 1e160, 1e-170])
def test_a_negative_variance_is_told_from_rounding_in_every_unit(unit, monkeypatch):
    moments = SecondMoments(step_law(Sampling(2), affine_items(IN_UNITS["affine"](1.0))))
    solved = np.diag([unit, -0.5 * unit])
    monkeypatch.setattr(SecondMoments, "solve", lambda self, source: solved)
    with pytest.raises(Undefined, match="would have a negative variance"):
        moments.covariance()
    solved = np.diag([unit, -1e-20 * unit])  # the control: rounding
    np.testing.assert_array_equal(moments.covariance(), np.diag([unit, 0.0]))
