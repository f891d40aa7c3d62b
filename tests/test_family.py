"""No system is run, or analysed, as another: changed subclasses, unknown families, unknown ways to draw."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder.forms import Stateful
from iterorder.kernels import draw_tables
from iterorder.kernels.cpu import packing
from iterorder.kernels.cpu.incremental_steps import incremental_steps_of
from iterorder.kernels.cpu.steps import steps_of
from iterorder.maps.base import RandomMaps
from iterorder.maps.descent import SGDMaps
from iterorder.maps.family import FAMILIES
from iterorder.request import as_system
from iterorder.sampling import FreshNoise, Sampling
from tests.systems import EVERY

FEATURES, TARGETS = [[1.0, 0.5], [0.5, 1.0]], [1.0, -1.0]


class Doubled(ito.LinearRegressionSGD):
    """Another gradient."""

    def gradient(self, x, draw):
        return 2.0 * super().gradient(x, draw)


class Renamed(ito.LinearRegressionSGD):
    """The same system with a name, made from a file of numbers, say."""

    note = "of 2026"

    def __init__(self, step_size):
        super().__init__(FEATURES, TARGETS, step_size)

    def __repr__(self):
        return "Renamed()"

    def risk(self, x):
        return 0.5 * float(((np.asarray(FEATURES) @ x - TARGETS) ** 2).mean())


@dataclass(frozen=True, eq=False)
class Ridged(ito.LinearRegressionSGD):
    """The same family with another default and one more field."""

    ridge: float = field(default=0.5, kw_only=True)
    source: str = field(default="here", kw_only=True)


CHANGES = {
    "apply": lambda self, x, draw: x,
    "images": lambda self, x: x,
    "draw": lambda self, seed, replica, step: 0,
    "dim": property(lambda self: 2),
    "lipschitz": lambda self, draw: 0.5,
    "lipschitz_max": property(lambda self: 0.5),
    "gradients": lambda self, x: x,
    "curvature_range": lambda self, draw=None: (0.0, 1.0),
    "step_size": property(lambda self: 0.1, lambda self, value: None),
    "_items": lambda self, draw: draw,
    "__getattribute__": lambda self, name: object.__getattribute__(self, name),
}
USES = {
    "simulate": lambda maps: ito.simulate(maps, np.zeros(maps.dim), 3, seed=1),
    "coupling_distance": lambda maps: ito.coupling_distance(
        maps, np.zeros(maps.dim), np.ones(maps.dim), 3, order="forward", n_replicas=2, seed=1
    ),
    "stationary_sample": lambda maps: ito.stationary_sample(maps, 3, seed=1),
    "diagnose": lambda maps: ito.diagnose(maps, np.zeros(maps.dim), 100, order="backward", n_replicas=4, seed=1),
    "theory": ito.theory,
    "estimate_lipschitz": lambda maps: ito.estimate_lipschitz(maps, [-1.0, 1.0], seed=1),
    "stability_boundary": lambda maps: ito.stability_boundary(lambda h: maps, 0.1, 0.5),
    "lie_bracket": lambda maps: ito.lie_bracket(maps, 0, 1, np.zeros(maps.dim)),
    "Optimizer": lambda maps: ito.Optimizer(maps, momentum=0.5),
}


@pytest.mark.parametrize("use", USES)
def test_a_changed_subclass_is_refused_everywhere(use):
    with pytest.raises(ito.InvalidInputError, match="is a Doubled, which changes 'gradient' of LinearRegressionSGD"):
        USES[use](Doubled(FEATURES, TARGETS, 0.1))


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_found(name):
    changed = type("Changed", (ito.LinearRegressionSGD,), {name: CHANGES[name]})
    with pytest.raises(ito.InvalidInputError, match=f"is a Changed, which changes {name!r}"):
        ito.simulate(changed(FEATURES, TARGETS, 0.1), np.zeros(2), 3, seed=1)


@pytest.mark.parametrize("family", [ito.AffineMaps, ito.CustomMaps, ito.GaussianRegressionSGD, ito.Optimizer])
def test_the_same_in_every_family(family):
    system = next(maps for maps in EVERY.values() if type(maps) is family)
    changed = type("Changed", (family,), {"apply": lambda self, x, draw: x})
    copy = object.__new__(changed)
    vars(copy).update(vars(system))
    with pytest.raises(ito.InvalidInputError, match=f"which changes 'apply' of {family.__name__}"):
        ito.simulate(copy, np.zeros(copy.dim), 3, seed=1)


def test_a_change_through_a_mixin_or_on_the_system_itself_is_found():
    class Mixin:
        def apply(self, x, draw):
            return x

    class Mixed(Mixin, ito.AffineMaps):
        pass

    single = ito.AffineMaps([[[0.5]]], [[0.0]])
    object.__setattr__(single, "apply", lambda x, draw: x)
    for maps in (Mixed([[[0.5]]], [[0.0]]), single):
        with pytest.raises(ito.InvalidInputError, match="which changes 'apply' of AffineMaps"):
            ito.simulate(maps, [0.0], 3, seed=1)


def test_a_subclass_that_only_adds_is_its_family(tmp_path):
    """The control of the refusals: the same bits, the same theory, and a file that can be read without the class."""
    plain = ito.LinearRegressionSGD(FEATURES, TARGETS, 0.1)
    for maps, twin in (
        (Renamed(0.1), plain),
        (Ridged(FEATURES, TARGETS, 0.1), ito.LinearRegressionSGD(FEATURES, TARGETS, 0.1, ridge=0.5)),
        (ito.Optimizer(Renamed(0.1), momentum=0.5), ito.Optimizer(plain, momentum=0.5)),
    ):
        runs = [ito.simulate(one, np.zeros(one.dim), 20, n_replicas=3, seed=1) for one in (maps, twin)]
        np.testing.assert_array_equal(runs[0].states, runs[1].states)
        np.testing.assert_array_equal(ito.theory(maps).mean, ito.theory(twin).mean)
        runs[0].save(tmp_path / "run.npz")
        loaded = ito.load(tmp_path / "run.npz").maps
        assert type(loaded) is type(twin)
        np.testing.assert_array_equal(loaded.apply(np.ones(maps.dim), 0), maps.apply(np.ones(maps.dim), 0))


def test_the_systems_of_the_tests_and_of_the_gallery_are_unchanged():
    for maps in EVERY.values():
        assert as_system(maps) is maps


# --------------------------------------------------------------------------------------------------- unknown families


class Foreign(RandomMaps):
    """A family that the kernels were never told of."""

    sampling_law = Sampling(2)
    dim = 1

    def apply(self, x, draw):
        return x

    def lipschitz(self, draw):
        return 1.0

    lipschitz_max = 1.0


class ForeignSGD(SGDMaps):
    """Losses of which the kernels know nothing."""

    sampling_law, step_size, batch_size, dim = Sampling(2), 0.1, 1, 1

    def gradient(self, x, draw):
        return x

    def gradients(self, x):
        return np.stack([x, x])

    def curvature_range(self, draw=None):
        return 1.0, 1.0


@pytest.mark.parametrize("maps", [Foreign(), ForeignSGD()])
def test_an_unknown_family_is_refused(maps):
    with pytest.raises(ito.InvalidInputError, match=r"maps is a Foreign\w*: give one of AffineMaps"):
        ito.simulate(maps, [0.0], 3, seed=1)
    with pytest.raises(ito.InvalidInputError, match=r"maps is a Foreign\w*: give one of QuadraticSGD"):
        ito.Optimizer(maps)
    with pytest.raises(TypeError, match=r"Foreign\w* has no form"):
        maps.form()


def test_an_unknown_form_is_refused():
    with pytest.raises(TypeError, match="no kernel for object"):
        packing.pack(object(), np.dtype(float))


@dataclass(frozen=True, eq=False)
class Strange:
    """A form that nobody told the kernels of."""

    is_affine = True
    dim, batch_size = 3, 1


@pytest.mark.parametrize("form", [Strange(), Stateful(Strange(), 0.0, 0.5, 0.0, np.ones(1))])
def test_a_form_without_a_step_is_not_run_as_another(form):
    """Where a step is chosen: the last branch took what came, and ran it as linear regression."""
    packed = packing.pack(EVERY["linear d=3 batch 2"].form(), np.dtype(float))
    draws = draw_tables.draws_of(form, Sampling(2), 0)
    for choose in (
        lambda: steps_of(form, packed, draws, False),
        lambda: steps_of(form, packed, draws, True),
        lambda: incremental_steps_of(form, packed, draws),
        lambda: packing.pack(form, np.dtype(float)),
    ):
        with pytest.raises(TypeError, match=r"no (step|incremental step|kernel) for"):
            choose()


def test_incremental_steps_are_for_affine_maps():
    """The control: logistic steps have no linear part to carry, and were given that of linear regression."""
    form = EVERY["logistic d=3 reshuffle"].form()
    draws = draw_tables.draws_of(form, Sampling(20), 0)
    with pytest.raises(TypeError, match="no incremental step for a loss that is not quadratic"):
        incremental_steps_of(form, packing.pack(form, np.dtype(float)), draws)


def test_an_unknown_way_to_draw_is_refused():
    """When a law is made, and where one is used: a law that came in by another way stands for one added later."""
    with pytest.raises(ito.InvalidInputError, match="sampling is 'stratified'"):
        Sampling(4, kind="stratified")
    with pytest.raises(ito.InvalidInputError, match="noise is 'poisson'"):
        FreshNoise("poisson", 1)
    law, noise = Sampling(4), FreshNoise("normal", 1)
    object.__setattr__(law, "kind", "stratified")
    object.__setattr__(noise, "noise", "poisson")
    form = EVERY["linear d=3 batch 2"].form()
    with pytest.raises(ValueError, match="no way to draw by 'stratified'"):
        law.draw(0, 0, 0)
    with pytest.raises(ValueError, match="no way to draw by 'stratified'"):
        draw_tables.draws_of(form, law, 0)
    with pytest.raises(ValueError, match="no way to draw 'poisson' noise"):
        noise.draw(0, 0, 0)
    with pytest.raises(ValueError, match="no way to draw 'poisson' noise"):
        draw_tables.draws_of(form, noise, 0)


#: Where a family is told by its class outside of maps/: whether it is one at all, and which attributes a checker of
#: types may take for granted. What is done with maps is asked of their form, their methods or a table by kind.
TOLD_BY_CLASS = {
    "neighbours/notes.py": ["SGDMaps"],  # the argument of a user
    "stationary/probability.py": ["CustomMaps"],  # asserted: no other fresh maps have bounds
    "stationary/products.py": ["CustomMaps"],
    "sweeps/registered.py": ["Optimizer", "Optimizer", "RowMaps", "SGDMaps"],  # starts of an optimiser; losses of SGD
    "sweeps/systems.py": ["SGDMaps", "SGDMaps"],  # guards: options of an optimiser
    "theory/affine/critical_step.py": ["SGDMaps"],  # a guard: quadratics of any family, with their step size
    "theory/brackets.py": ["SGDMaps"],  # the argument of a user
    "theory/lyapunov.py": ["RowMaps"],  # the losses of an optimiser
    "theory/small_step.py": ["RowMaps", "RowMaps", "SGDMaps"],  # losses that are not quadratic; the argument
    "theory/stability.py": ["SGDMaps"],  # asserted: the step size of those that have a critical one
    "theory/tangent.py": ["RowMaps", "RowMaps"],  # asserted: the losses of an optimiser
}


def told_by_class(source: str) -> list[str]:
    """The families that a file tests by their class, with their bases but for that of all."""
    families = {base.__name__ for cls in FAMILIES.values() for base in cls.__mro__[:-1]} - {"RandomMaps", "ABC"}
    found = []
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("isinstance", "issubclass"):
            named = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(call.args[1])}
            found += sorted(named & families)
    return sorted(found)


def test_families_are_asked_and_not_told_by_their_class():
    """A new family needs its own file and what the theory knows of it, not an edit of everything that meets maps."""
    package = Path(ito.__file__).parent
    found = {
        file.relative_to(package).as_posix(): told
        for file in sorted(package.rglob("*.py"))
        if file.parent.name != "maps" and (told := told_by_class(file.read_text(encoding="utf-8")))
    }
    assert found == TOLD_BY_CLASS
    assert told_by_class("isinstance(maps, (RowMaps, float)) and isinstance(maps, ito.CustomMaps)") == [
        "CustomMaps",
        "RowMaps",
    ]
