"""Rounding of stationary samples: bounds of what later maps leave of it, against exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.rounding import geometric_growth, rounding_of
from iterorder.stationary import mean_square_growth as growth
from iterorder.stationary.probability import second_moment_flow
from iterorder.theory.affine.items import DenseItems
from iterorder.theory.affine.law import AffineLaw
from iterorder.theory.affine.moments import SecondMoments
from iterorder.theory.undefined import Undefined
from tests import naive

EPS = float(np.finfo(np.float64).eps)
SHEAR = [[0.5, 3e3], [0.0, 0.5]]


def law_of(linear_parts) -> AffineLaw:
    n, dim = np.shape(linear_parts)[:2]
    return AffineLaw(DenseItems.given(np.array(linear_parts), np.zeros((n, dim))), np.full(n, 1.0 / n))


def literal_growth(law, terms) -> float:
    """Σ_k √(tr Lᵏ(S)), term by term, until a term is below a rounding of the sum."""
    matrix, total, term = np.diag(terms**2), 0.0, math.inf
    while term > EPS * total:
        term = math.sqrt(np.trace(matrix))
        total += term
        matrix = sum(w * a @ matrix @ a.T for w, a in zip(law.weights, law.items.linear_parts, strict=True))
    return total


def exact_sample(linear, offsets, seed, replica, n_steps) -> list[Fraction]:
    """The backward iterate of the origin in rational arithmetic."""
    x = [Fraction(0)] * len(offsets[0])
    for step in reversed(range(n_steps)):
        chosen = naive.index(seed, replica, step, len(linear))
        image = [sum(Fraction(a) * v for a, v in zip(row, x, strict=True)) for row in linear[chosen]]
        x = [value + Fraction(b) for value, b in zip(image, offsets[chosen], strict=True)]
    return x


def test_the_rounding_of_maps_that_are_not_symmetric_is_bounded():
    """They stretch an error of one coordinate by thousands before it shrinks, and b and A x cancel."""
    linear, offsets = [SHEAR, SHEAR], [[-300.0, 0.05], [-299.99, 0.05]]
    maps = ito.AffineMaps(linear, offsets)
    sample = ito.stationary_sample(maps, 30, seed=1, tol=1e-9)
    assert sample.certificate == "probability"
    # Truncation adds nothing that is seen: .5ⁿ of 62 steps, forty steps later of all the rest.
    errors = []
    for replica, point in enumerate(sample.points.tolist()):
        exact = exact_sample(linear, offsets, 1, replica, int(sample.n_steps[replica]))
        errors.append(math.hypot(*(float(Fraction(a) - b) for a, b in zip(point, exact, strict=True))))
    flow, sizes = second_moment_flow(maps, np.zeros(2)), float(np.linalg.norm(sample.points, axis=1).max())
    assert max(errors) <= rounding_of(maps, sizes, flow.growth, 1e-9)
    # The control: the spectral radius alone, 1/(1 − ½), as if no product of maps ever grew.
    assert max(errors) > rounding_of(maps, sizes, geometric_growth(flow.decay), 1e-9)


matrices = st.lists(st.lists(st.floats(-1, 1), min_size=4, max_size=4), min_size=1, max_size=3)


@given(matrices, st.floats(0.05, 0.95), st.floats(1e-3, 1e3), st.booleans())
def test_the_growth_is_above_the_series(entries, contraction, unit, dense):
    """For random maps of a given mean-square contraction and coordinates in different units, by each of three ways."""
    linear = np.array(entries).reshape(-1, 2, 2)
    radius = math.sqrt(max(1.0 + SecondMoments(law_of(linear)).excess, 0.0))
    if not radius > 1e-3:
        return
    law = law_of(linear * (contraction / radius) * np.array([[1.0, unit], [1.0 / unit, 1.0]]))
    moments, terms = SecondMoments(law), np.array([1.0, 0.3])
    moments.dense = dense
    try:
        found = growth.mean_square_growth(moments, terms)
    except Undefined:  # the iterative solver, of coordinates in very different units: no bound
        assert not dense
        return
    assert found >= literal_growth(law, terms) * (1 - 1e-6)


@pytest.mark.parametrize("contraction", [0.5, 0.9, 0.999])
def test_the_growth_of_equal_contractions_is_that_of_lengths(contraction):
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    for linear in (np.eye(2), turn):
        moments, terms = SecondMoments(law_of([contraction * linear])), np.array([3.0, 3.0])
        exact = math.sqrt(18.0) / (1.0 - contraction)
        assert growth.mean_square_growth(moments, terms) == pytest.approx(exact, rel=1e-9)
        assert literal_growth(law_of([contraction * linear]), terms) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    "maps",
    [
        ito.AffineMaps([SHEAR, [[0.1, -2.0], [0.0, 0.2]]], [[1.0, -2.0], [0.5, 3.0]]),
        ito.LinearRegressionSGD([[1.0, 2.0], [0.5, -1.0]], [3.0, -4.0], 0.1, ridge=0.2),
        ito.Optimizer(ito.QuadraticSGD([3.0, 1.0], [0.1, -0.2], 0.1), momentum=0.5),
    ],
    ids=["affine", "regression", "momentum"],
)
def test_the_terms_of_a_step_are_those_of_the_definition(maps):
    """By random states with independent coordinates; the bound takes √d at most for their cross terms."""
    from iterorder.theory.affine.items import affine_items
    from iterorder.theory.affine.law import step_law

    law, sizes = step_law(maps.sampling_law, affine_items(maps)), np.arange(1.0, maps.dim + 1)
    found = growth.step_terms(law, sizes)
    rng, dim = np.random.default_rng(0), maps.dim
    states = sizes * rng.choice([-1.0, 1.0], size=(1000, dim))
    images, origin = np.array([maps.images(x) for x in np.vstack([np.eye(dim), np.zeros(dim)])]), -1
    offsets = images[origin]  # (n, d)
    increments = np.moveaxis(images[:origin] - offsets, 0, 2) - np.eye(dim)  # (n, d, d)
    terms = np.abs(increments * states[:, None, None]).sum(axis=3)
    literal = np.sqrt((terms**2).mean(axis=(0, 1))) + sizes + np.sqrt((offsets**2).mean(axis=0))
    assert (found >= literal * (1 - 8 * EPS)).all()
    assert (found <= math.sqrt(dim) * literal * (1 + 8 * EPS)).all()
