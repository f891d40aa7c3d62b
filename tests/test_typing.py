"""Annotations of what users import: every public signature has them, and a script of a user runs as it is checked.

That they are right is mypy's to say: `make lint` reads the modules of the public surface, and tests/user_script.py, by
strict rules.
"""

from __future__ import annotations

import dataclasses
import tomllib

import numpy as np
import pytest
from numpy.typing import NDArray

import iterorder
from iterorder import types
from iterorder.networks import MLP, tail_average, train
from tests import user_script
from tests.surface import ROOT, callables, not_annotated, public_objects

PUBLIC = public_objects()


def bare_of(name: str, value: object) -> dict[str, list[str]]:
    """The functions of a public object that lack types, with what lacks them."""
    found = {place: not_annotated(function) for place, function in callables(name, value)}
    return {place: bare for place, bare in found.items() if bare}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_signature_is_annotated(name):
    assert bare_of(name, PUBLIC[name]) == {}


def test_mypy_reads_every_public_module_by_strict_rules():
    """A module that brings a public name joins the list in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    strict = {
        module for rules in settings["overrides"] if "disallow_incomplete_defs" in rules for module in rules["module"]
    }
    modules = {value.__module__ for value in PUBLIC.values()}
    assert modules <= strict
    assert "iterorder.simulate" in modules
    assert "iterorder.kernels.targets" not in strict


def test_a_signature_without_types_is_found():
    """The control: a function, a method, a property and a class method, each with something left out."""

    class Bare(iterorder.RandomMaps):
        __module__ = "iterorder.bare"

        def __init__(self, x) -> None: ...

        @property
        def here(self): ...

        @classmethod
        def made(cls, x: float, *, seed) -> Bare: ...

        def _own(self, x): ...

    assert bare_of("f", lambda x: x) == {"f": ["x", "return"]}
    found = bare_of("Bare", Bare)
    prefix = f"iterorder.bare.{Bare.__qualname__}"
    assert found == {f"{prefix}.__init__": ["x"], f"{prefix}.here": ["return"], f"{prefix}.made": ["seed"]}


def test_the_surface_is_more_than_a_few_names():
    """Else the test above would pass on nothing."""
    for name in iterorder.__all__:
        value = getattr(iterorder, name)
        if callable(value):
            assert f"{value.__module__}.{value.__qualname__}" in PUBLIC
    assert {"iterorder.maps.gallery.sierpinski", "iterorder.maps.losses.huber", "iterorder.networks.train.train"} < set(
        PUBLIC
    )


def test_a_script_of_a_user_runs(tmp_path, capsys):
    """What mypy reads is no fiction."""
    user_script.main(tmp_path)
    assert capsys.readouterr().out.count("\n") > 5


#: The types of `iterorder.types` that results name, and the kinds of numbers behind them.
KINDS = {"FloatArray": np.float64, "IntArray": np.int64, "BoolArray": np.bool_}


def results() -> list[object]:
    """One of each kind of result that holds arrays."""
    maps = iterorder.gallery.two_point_quadratic(0.5)
    how = {"order": "forward", "n_replicas": 20, "seed": 1}
    diagnosis = iterorder.diagnose(maps, [0.0], 40, **how)
    features = np.arange(12.0).reshape(6, 2)
    model = MLP(features, np.arange(6) % 2, hidden=(), step_size=0.1, dtype="float64")
    training = {"batch_size": 2, "n_steps": 4, "seed": 1}
    return [
        iterorder.simulate(maps, [0.0], 3, **how),
        iterorder.coupling_distance(maps, [0.0], [1.0], 9, **how),
        diagnosis.evidence,
        iterorder.stationary_sample(maps, 5, seed=1),
        iterorder.basins(iterorder.gallery.double_well(0.1, 0.2), [-1.0, 1.0], n_steps=50, n_replicas=4, seed=1),
        iterorder.theory(iterorder.gallery.sierpinski()),
        iterorder.LogisticRegressionSGD(features, np.arange(6) % 2, 0.1),
        iterorder.QuadraticSGD([1, 1], [0, 1], 0.5),
        train(model, keep_states=True, **training),
        tail_average(model, **training),
    ]


def wrong_arrays(result: object) -> list[str]:
    """The fields of a result that hold an array of another type than the one that is named."""
    found = []
    for field in dataclasses.fields(result):
        kind = KINDS.get(field.type.removesuffix(" | None"))
        value = getattr(result, field.name)
        if kind is not None and value is not None and not (isinstance(value, np.ndarray) and value.dtype == kind):
            found.append(f"{type(result).__name__}.{field.name}: {field.type}")
    return found


def test_results_hold_the_arrays_that_they_name():
    found = results()
    assert [wrong_arrays(result) for result in found] == [[] for _ in found]
    control = dataclasses.replace(found[0], diverged_at=found[0].diverged_at.astype(float))
    assert wrong_arrays(control) == ["Trajectory.diverged_at: IntArray"]


def test_names_of_arrays_are_those_types():
    for name, kind in KINDS.items():
        assert getattr(types, name) == NDArray[kind]
