"""The walk that is slowed by its distance: its law, its exponential moment, both orders, and wrong ones."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder.errors import InvalidInputError
from iterorder.neighbours.slow_diffusion import law_of_walk, logarithmic_growth, slow_walk

ROOT = Path(__file__).resolve().parents[1]
SIDECAR = json.loads((ROOT / "figures" / "neighbours_slow_diffusion.json").read_text(encoding="utf-8"))
DATA = {name: np.array(values) for name, values in SIDECAR["data"].items()}
EPS = np.finfo(float).eps
#: 108 comparisons miss by less, but for one run in a hundred: 2·Φ(−4.1)·108 < 0.01. Seeds are fixed.
Z = 4.1


def literal_law(base, n_steps):
    """In fractions, over all numbers of steps."""
    law = {0: Fraction(1)}
    for _ in range(n_steps):
        after = {}
        for x, share in law.items():
            chance = Fraction(1) / Fraction(base) ** x
            after[x + 1] = after.get(x + 1, Fraction(0)) + share * chance
            after[x] = after.get(x, Fraction(0)) + share * (1 - chance)
        law = after
    return law


def test_the_law_and_its_exponential_moment():
    """E 2^X = 1 + n exactly, not 1 + 2n; floats to a rounding at each step."""
    law = literal_law(2, 12)
    assert sum(share * 2**x for x, share in law.items()) == 1 + 12
    assert sum(share * 3**x for x, share in literal_law(3, 12).items()) == 1 + 2 * 12
    found = law_of_walk(2.0, 12)
    np.testing.assert_allclose(found, [float(law.get(x, 0)) for x in range(len(found))], rtol=0, atol=4 * 12 * EPS)
    many = law_of_walk(1.5, 3000)
    assert many @ 1.5 ** np.arange(len(many)) == pytest.approx(1 + 0.5 * 3000, rel=4 * 3000 * EPS)


def test_backward_paths_never_go_down_and_forward_ones_have_other_values():
    """Maps keep the order of whole numbers, and T(0) ≥ 0; both orders have one law (C1), not one path."""
    paths = {
        order: ito.simulate(slow_walk(2.0), [0.0], 200, order=order, n_replicas=50, seed=1, save_steps="all").states
        for order in ("forward", "backward")
    }
    assert (np.diff(paths["backward"], axis=1) >= 0).all()
    assert (paths["forward"] != paths["backward"]).any()


def test_the_figure_agrees_with_the_law_and_not_with_that_of_another_time():
    for name, exact in (("distance", "exact"),):
        off = np.abs(DATA[name] - DATA[exact]) / np.maximum(DATA[f"{name}_error"], 1e-5 * DATA[exact])
        assert off.max() < Z, name
        late = DATA["n_steps"] >= 30
        wrong = np.abs(DATA[name][..., late] - 1.1 * DATA[exact][..., late]) / DATA[f"{name}_error"][..., late]
        assert wrong.min() > Z
    # From 100 steps on the mean grows by log 3/log a a factor of three, to what the ends of its law oscillate by.
    gained = np.diff(DATA["exact"][:, 0, 4::2], axis=1) / np.log(10.0) * np.log(DATA["base"])[:, None]
    assert np.abs(gained - 1.0).max() < 0.05


def test_bad_arguments_are_refused():
    with pytest.raises(InvalidInputError, match="base"):
        slow_walk(1.0)
    with pytest.raises(InvalidInputError, match=r"neighbours\.slow_walk"):
        logarithmic_growth(ito.gallery.vervaat(), 0)
