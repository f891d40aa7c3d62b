"""What a function of a user computes, as a digest: the same for the same, another for all that a compiler sees."""

from __future__ import annotations

import math
import types
from collections import namedtuple

import numba
import numpy as np
import pytest

from iterorder.maps.fingerprint import fingerprint
from iterorder.maps.kept_functions import with_outside
from iterorder.maps.outside import read_outside

STEP = """
def step(x, draw, params, out):
    out[0] = {body}
"""


def step_of(body="x[0]", **names):
    """A step that reads some names from outside."""
    space = {"__name__": "__main__", "math": math, "np": np, **names}
    exec(STEP.format(body=body), space)
    return space["step"]


def digest(function):
    return fingerprint(function, read_outside(function))


def helper(body, *signature, **options):
    space = {"math": math}
    exec(f"def helper(x):\n    return {body}", space)
    return numba.njit(*signature, **options)(space["helper"])


def module(**attributes):
    made = types.ModuleType("settings")
    made.__dict__.update(attributes)
    return made


AB, BA = namedtuple("AB", "a b"), namedtuple("AB", "b a")

PAIRS = {
    "constant": (step_of("x[0] * 0.5"), step_of("x[0] * 0.25")),
    "zero": (step_of("x[0] * 0.0"), step_of("x[0] * -0.0")),
    "type of a constant": (step_of("x[0] * 1"), step_of("x[0] * 1.0")),
    "operation": (step_of("x[0] + 1"), step_of("x[0] - 1")),
    "function of a module": (step_of("math.sin(x[0])"), step_of("math.cos(x[0])")),
    "module": (step_of("np.floor(x[0])"), step_of("np.floor(x[0])", np=math)),
    "global": (step_of("x[0] * k", k=1.0), step_of("x[0] * k", k=2.0)),
    "type of a global": (step_of("x[0] * k", k=1), step_of("x[0] * k", k=1.0)),
    "precision of a global": (step_of("x[0] * k", k=np.float32(1)), step_of("x[0] * k", k=np.float64(1))),
    "attribute": (step_of("x[0] * s.k", s=module(k=1.0)), step_of("x[0] * s.k", s=module(k=2.0))),
    "fields": (step_of("x[0] * t.a", t=AB(1.0, 2.0)), step_of("x[0] * t.a", t=BA(1.0, 2.0))),
    "helper": (step_of("h(x[0])", h=helper("x + 1.0")), step_of("h(x[0])", h=helper("x + 2.0"))),
    "options": (step_of("h(x[0])", h=helper("x + 1.0")), step_of("h(x[0])", h=helper("x + 1.0", fastmath=True))),
    "signature": (
        step_of("h(x[0])", h=helper("x / 3", "float64(float64)")),
        step_of("h(x[0])", h=helper("x / 3", "float32(float32)")),
    ),
    "result": (
        step_of("h(x[0])", h=helper("x / 3", "float64(float64)")),
        step_of("h(x[0])", h=helper("x / 3", "float32(float64)")),
    ),
}


@pytest.mark.parametrize(("one", "other"), PAIRS.values(), ids=PAIRS)
def test_functions_that_differ_have_other_digests(one, other):
    assert len(digest(one)) == len(digest(other)) == 64
    assert digest(one) != digest(other)


@pytest.mark.parametrize("function", [pair[0] for pair in PAIRS.values()], ids=PAIRS)
def test_the_same_function_has_one_digest(function):
    """In another place, and as it was kept."""
    again = types.FunctionType(function.__code__.replace(co_firstlineno=99), function.__globals__, "step")
    assert digest(again) == digest(function)
    kept = with_outside(function, read_outside(function))
    assert vars(kept)["_iterorder_fingerprint"] == digest(function)


@numba.vectorize(["float64(float64)"])
def doubled(x):
    return 2.0 * x


def plain(x):
    return x + 1.0


@pytest.mark.parametrize(
    "function",
    [
        step_of("f(x[0])", f=doubled),
        step_of("f(x[0])", f=plain),  # which may compile through an overload
        step_of("f(x[0])", f=numba.int64),
        step_of("f(x[0])", f=np.poly1d([1.0, 2.0])),
        step_of("x[0] if s else x[0]", s=module(k=1.0)),  # under another name anything may be read
    ],
    ids=["vectorize", "plain", "type", "instance", "module"],
)
def test_what_nobody_knows_has_no_digest(function):
    assert digest(function) == ""


def test_a_declared_type_comes_back_from_kept_functions():
    """Of float32(float64), a helper returns what was rounded to float32."""
    kept = with_outside(step := step_of("h(x[0])", h=helper("x / 3", "float32(float64)")), read_outside(step))
    assert kept.__globals__["h"](1.0) == float(np.float32(1 / 3)) != 1 / 3


def test_modules_under_another_name_are_kept_at_each_moment():
    """`m = settings; m.k`: what is read cannot be told, so that nothing is taken for the same."""
    settings = module(k=1.0)
    step = step_of("x[0] if s else x[0]", s=settings)
    first = with_outside(step, read_outside(step))
    settings.k = 2.0
    second = with_outside(step, read_outside(step))
    assert (first.__globals__["s"].k, second.__globals__["s"].k) == (1.0, 2.0)
