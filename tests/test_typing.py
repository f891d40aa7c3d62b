"""Annotations of what users import: every public signature has them, and a script of a user runs as it is checked.

That they are right is mypy's to say: `make lint` reads the modules of the public surface, and tests/user_script.py, by
strict rules.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import iterorder
from iterorder.types import FloatArray
from tests import user_script
from tests.surface import callables, not_annotated, public_objects

PUBLIC = public_objects()


def bare_of(name: str, value: object) -> dict[str, list[str]]:
    """The functions of a public object that lack types, with what lacks them."""
    found = {place: not_annotated(function) for place, function in callables(name, value)}
    return {place: bare for place, bare in found.items() if bare}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_signature_is_annotated(name):
    assert bare_of(name, PUBLIC[name]) == {}


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
    """What mypy reads is no fiction: it runs, and arrays are of the types that the annotations name."""
    user_script.main(tmp_path)
    assert capsys.readouterr().out.count("\n") > 5
    run = iterorder.simulate(iterorder.gallery.sierpinski(), [0.0, 0.0], 3, n_replicas=2, seed=1, save_steps="all")
    assert isinstance(run.states, np.ndarray)
    assert run.states.dtype == np.float64
    assert run.save_steps.dtype == run.diverged_at.dtype == np.int64
    assert inspect.signature(iterorder.lie_bracket).return_annotation == "FloatArray"
    assert FloatArray.__args__[1].__args__ == (np.float64,)
