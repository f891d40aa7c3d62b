"""Increments of affine maps in few dimensions against their twins: every rounding, batches of one and of more."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from iterorder.kernels.cpu import compiled, incremental_lanes, packing
from iterorder.kernels.cpu.algorithm import algorithm
from iterorder.kernels.cpu.incremental import new_carry
from iterorder.kernels.cpu.incremental_steps import incremental_steps_of
from iterorder.kernels.cpu.profile import PROFILE
from tests import naive
from tests.systems import affine, quadratic, regression
from tests.test_kernels import is_fused

SEED, FIRST = 0xFEDCBA9876543210, 5
LARGEST_AFFINE, LARGEST_ROWS = PROFILE.max_lane_dim_affine, PROFILE.max_lane_dim_rows
STEPS = {
    "pair": lambda maps: incremental_lanes.pair_steps(),
    "line": lambda maps: incremental_lanes.line_steps(),
    "affine": lambda maps: incremental_lanes.affine_lane_steps(maps.dim),
    "regression of one": lambda maps: incremental_lanes.single_regression_lane_steps(maps.dim, maps.ridge > 0),
    "regression of more": lambda maps: incremental_lanes.regression_lane_steps(maps.dim, maps.ridge > 0),
}
SYSTEMS = {
    "pair": [ito.AffineMaps([[[0.5]], [[-0.7]]], [[1.0], [0.25]])],
    "line": [affine(1, m=7), ito.QuadraticSGD([1.0, 2.0, 0.5], [0.0, 1.0, -1.0], 0.3)],
    "affine": [
        quadratic(1, batch_size=2),
        quadratic(1, batch_size=6),
        affine(2),
        quadratic(2, batch_size=3),
        affine(LARGEST_AFFINE),
        quadratic(LARGEST_AFFINE, batch_size=2),
    ],
    "regression of one": [
        regression(1),
        regression(1, ridge=0.1),
        regression(LARGEST_ROWS - 1),
        regression(LARGEST_ROWS, ridge=0.1),
    ],
    "regression of more": [
        regression(1, batch_size=2),
        regression(2, batch_size=20, ridge=0.1),
        regression(LARGEST_ROWS, batch_size=2, ridge=0.1),
        regression(LARGEST_ROWS, batch_size=3),
    ],
}
CASES = [pytest.param(steps, maps, id=f"{steps}-{k}") for steps in SYSTEMS for k, maps in enumerate(SYSTEMS[steps])]


def steps_of(maps):
    """The function that makes the steps."""
    form = maps.form()
    packed = packing.pack(form, np.dtype(np.float64))
    return incremental_steps_of(form, packed, compiled.draws_of(form, maps.sampling_law, 0))


def twin(maps, x0, n: int, replica: int) -> list[list[float]]:
    form, d = maps.form(), maps.dim
    drawn = [np.atleast_1d(maps.draw(SEED, replica, FIRST + step)).tolist() for step in range(n)]
    packed = packing.pack(form, np.dtype(np.float64))
    if hasattr(form, "rows"):
        shrink, scale = float(packed.shrink), float(packed.scale)
        return naive.carried_regression(packed.table[:, : d + 1], drawn, x0, shrink, scale, is_fused())
    table = packed.table[:, : d * (d + 1)].reshape(-1, d, d + 1)
    return naive.carried_affine(table, drawn, x0, is_fused())


@pytest.mark.parametrize(("steps", "maps"), CASES)
def test_increments_have_the_order_of_their_twin(steps, maps):
    """A whole block of eight replicas, whose iterates are transposed, and one more; more steps than it keeps."""
    assert steps_of(maps) is STEPS[steps](maps)
    n, count = 300 if maps.dim <= 2 else 40, 9
    assert n > len(new_carry(packing.pack(maps.form(), np.dtype(np.float64))).keep)
    assert algorithm(maps.form(), np.arange(n + 1), count) == "incremental"
    starts = np.linspace(-1.0, 2.0, count * maps.dim).reshape(count, maps.dim)
    how = {"order": "backward", "n_replicas": count, "seed": SEED, "first_step": FIRST}
    run = ito.simulate(maps, starts, n, save_steps="all", **how)
    for replica in (0, 7, 8):
        expected = [starts[replica], *twin(maps, starts[replica].tolist(), n, replica)]
        np.testing.assert_array_equal(run.states[replica], expected)


def test_the_order_of_the_roundings_is_seen():
    """The control: a batch whose items come in another order has other bits."""
    maps = quadratic(2, batch_size=3)
    form, d = maps.form(), maps.dim
    table = packing.pack(form, np.dtype(np.float64)).table[:, : d * (d + 1)].reshape(-1, d, d + 1)
    drawn = [maps.draw(SEED, 0, step).tolist() for step in range(20)]
    turned = [items[::-1] for items in drawn]
    one, other = (naive.carried_affine(table, batches, [1.0, -1.0], is_fused()) for batches in (drawn, turned))
    np.testing.assert_allclose(one, other, rtol=1e3 * np.finfo(float).eps)
    assert one != other
