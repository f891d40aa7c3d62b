"""Results go into JSON by `to_dict`, with all of their attributes."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

import iterorder as ito

MAPS = ito.gallery.two_point_quadratic(0.5)
HOW = {"n_replicas": 20, "seed": 1}


def coupling() -> ito.CouplingDistance:
    return ito.coupling_distance(MAPS, [0.0], [1.0], 20, order="forward", **HOW)


def path() -> ito.Trajectory:
    return ito.simulate(ito.gallery.ar1(0.5, 1.0), [0.0], 2000, save_steps="all", seed=1)


def two_basins():
    maps = ito.gallery.double_well(0.1, 0.1)
    return ito.basins(maps, [[-1.0], [1.0]], n_steps=400, n_replicas=20, seed=1)


RESULTS = {
    "theory": lambda: ito.theory(MAPS),
    "coupling": coupling,
    "rate": lambda: ito.fit_rate(coupling()),
    "diagnosis": lambda: ito.diagnose(MAPS, [0.0], 40, order="backward", **HOW),
    "distance": lambda: ito.wasserstein_estimate(np.arange(20.0), np.arange(20.0) + 1.0, n_bootstrap=20),
    "estimate": lambda: ito.Estimate(1.0, math.nan, -math.inf, math.inf, False),
    "stationarity": lambda: ito.stationarity_test(path()),
    "basins": two_basins,
}


@pytest.mark.parametrize("name", RESULTS)
def test_every_attribute_goes_into_strict_json_and_comes_back(name):
    result = RESULTS[name]()
    found = result.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found) == [item.name for item in dataclasses.fields(result)]


def test_numbers_are_those_of_the_result_and_none_where_there_are_none():
    theory = ito.theory(MAPS)
    found = theory.to_dict()
    assert found["lyapunov_exponent"]["value"] == float(theory.lyapunov_exponent)
    assert found["mean"] == theory.mean.tolist()
    assert found["cycle"] is None
    assert found["maps"] == repr(MAPS)
    estimate = RESULTS["estimate"]().to_dict()
    assert estimate == {"value": 1.0, "standard_error": None, "low": None, "high": None, "exact": False}
    diagnosis = RESULTS["diagnosis"]()
    assert diagnosis.to_dict()["evidence"]["ratio"] == diagnosis.evidence.ratio
