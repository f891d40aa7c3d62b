"""Losses of linear models: their functions, the checks of those that users give, and steps along rows of any loss."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder.maps import losses
from iterorder.maps.loss_trial import check_loss
from iterorder.maps.on_arrays import on_arrays
from tests import naive_losses
from tests.contract import check_maps

EPS = float(np.finfo(np.float64).eps)
RNG = np.random.default_rng(20261128)
NAMES = list(naive_losses.LOSSES)


def targets_of(name: str, values: np.ndarray) -> np.ndarray:
    """Labels, counts or numbers."""
    if name in naive_losses.SIGNS:
        return np.where(values > 0.0, 1.0, -1.0)
    return np.round(np.abs(values)) if name in naive_losses.COUNTS else values


def model(name, dim=3, n=20, step_size=0.1, **options):
    """A data set that suits a loss."""
    rng = np.random.default_rng(5)
    features = rng.normal(size=(n, dim)) / math.sqrt(dim)
    values = features @ rng.normal(size=dim) + 0.5 * rng.normal(size=n)
    return ito.LinearModelSGD(features, targets_of(name, values), step_size, loss=name, **options)


# ------------------------------------------------------------------------------------------------------------ functions


@pytest.mark.parametrize("name", NAMES)
@given(st.floats(-30.0, 30.0), st.floats(-5.0, 5.0))
def test_a_loss_is_that_of_the_textbooks(name, z, b):
    """Value, slope and curvature, to rounding of the numbers that the textbook's formula adds."""
    (b,) = targets_of(name, np.array([b]))
    expected = naive_losses.LOSSES[name](z, b)
    loss, z, b = losses.as_loss(name), np.array([z]), np.array([b])
    found = loss.values(z, b)[0], loss.slopes(z, b)[0], loss.curvatures(z, b)[0]
    # The textbook's logistic and log-cosh values lose the digits of their small results to a one and to a log 2.
    scale = 1.0 + abs(z[0]) + abs(b[0]) + max(map(abs, expected))
    np.testing.assert_allclose(found, expected, rtol=16 * EPS, atol=16 * EPS * scale)


@pytest.mark.parametrize("name", NAMES)
def test_known_losses_pass_the_trial_of_given_ones(name):
    """Third derivatives too, against differences; the control is below."""
    check_loss(losses.as_loss(name))


@pytest.mark.parametrize("name", sorted(set(NAMES) - naive_losses.COUNTS))
def test_no_margin_overflows(name):
    """From the smallest to the largest float, without a warning: σ among them."""
    margins = np.array([-1e308, -800.0, -1e-320, 0.0, 800.0, 1e308])
    with np.errstate(all="raise"):
        loss = losses.as_loss(name)
        slopes, curvatures = loss.slopes(margins, np.ones(6)), loss.curvatures(margins, np.ones(6))
    assert np.isfinite(slopes).all()
    low, high = loss.curvature_range
    assert np.isfinite(curvatures).all()
    assert ((curvatures >= low) & (curvatures <= high)).all()
    assert np.isnan([loss.slopes(np.nan, 1.0), loss.values(np.nan, 1.0)]).all()
    assert np.isnan(loss.curvatures(np.nan, 1.0)) == (name != "squared")  # which is one everywhere


def test_every_known_loss_has_a_textbook():
    assert set(NAMES) == set(losses.LOSSES)


def test_the_page_of_losses_names_each_of_them():
    page = (Path(__file__).resolve().parents[1] / "docs" / "how-to" / "add-a-loss.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"\nThe losses are (.*?)\.\s", page, re.DOTALL)
    assert sorted(re.findall(r'"([\w-]+)"', sentence)) == sorted(losses.LOSSES)


ODD = {
    "three to compare": lambda u, params: max(u, -0.5, params[0]),
    "a base": lambda u, params: math.log(u + 9.0, 2.0),
    "a function inside": lambda u, params: (lambda v: v if v > 0.0 else -v)(u),
    "not": lambda u, params: 1.0 if not (u > 0.0) else 2.0,
    "a global": lambda u, params: EPS * u,
    "overflow": lambda u, params: 0.0 * u - math.exp(1000.0 * abs(u)) if u == u else u,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_functions_mean_numbers(name):
    """What they give number by number, in NumPy's arithmetic: an overflow is infinite, as in kernels."""
    function, u = ODD[name], np.array([[-2.0, 0.75], [3.0, 0.25]])
    infinite = name == "overflow"
    expected = [(-math.inf if abs(v) > 0.71 else None) if infinite else function(v, (0.5,)) for v in u.ravel()]
    found = on_arrays(function)(u, (0.5,))
    for a, b in zip(found.ravel(), expected, strict=True):
        assert b is None or a == b or a == pytest.approx(b, rel=4 * EPS)


def test_arrays_of_the_caller_are_left_alone():
    """A function may write z -= target, which means a number."""

    def in_place(z, target, params):
        z -= target
        target *= 2.0
        return math.tanh(z) + 0.0 * target

    z, target = np.array([1.0, 2.0]), np.broadcast_to(0.5, 2)
    found = on_arrays(in_place)(z, target, ())
    np.testing.assert_allclose(found, np.tanh([0.5, 1.5]), rtol=4 * EPS)
    assert (z.tolist(), target.tolist()) == ([1.0, 2.0], [0.5, 0.5])
    assert losses.as_loss("huber").slopes(0.0, np.array([0.25, -3.0])).tolist() == [-0.25, 1.0]


def test_functions_with_conditions_and_loops_apply_to_arrays():
    """Number by number, where the code asks for a value; what cannot be computed is NaN."""

    def branched(x, y, params):
        total = 0.0
        for k in range(3):
            total += params[0] * x**k if x > y else -1.0
        return math.log(total)

    found = on_arrays(branched)(np.array([[2.0, 0.5]]), np.array([[1.0, 1.0]]), (2.0,))
    np.testing.assert_allclose(found[0, 0], math.log(14.0), rtol=4 * EPS)
    assert np.isnan(found[0, 1])


# ------------------------------------------------------------------------------------------------------ losses of users


def slope(z, target, params):
    return math.atan((z - target) / params[0])


def curvature(z, target, params):
    u = (z - target) / params[0]
    return 1.0 / (params[0] * (1.0 + u * u))


def value(z, target, params):
    u = (z - target) / params[0]
    return params[0] * (u * math.atan(u) - 0.5 * math.log(1.0 + u * u))


ATAN = {"curvature": curvature, "curvature_range": (0.0, 0.5), "value": value, "params": (2.0,)}
WRONG = {
    "curvature": (
        lambda z, target, params: 2.0 * curvature(z, target, params),
        "curvature is .* at z = .* differences",
    ),
    "value": (lambda z, target, params: slope(z, target, params), "slope is .* at z = .* of the value give"),
    "third": (curvature, "third is .* at z = .* of the curvature give"),
    "curvature_range": ((0.0, 0.4), r"curvature_range is \(0, 0.4\), and at z = .* curvature is 0\.[45]"),
    "params": (np.zeros((2, 2), complex), "params is"),
}


def test_a_loss_that_a_user_gives():
    loss = ito.Loss(slope, **ATAN)
    z, target = np.linspace(-3.0, 3.0, 7), np.ones(7)
    np.testing.assert_array_equal(loss.slopes(z, target), [slope(a, 1.0, (2.0,)) for a in z])
    assert loss.has("curvature")
    assert not loss.has("third")
    assert repr(loss) == "Loss(slope)"


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_derivative_or_range_is_refused_with_its_place(what):
    wrong, message = WRONG[what]
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.Loss(slope, **{**ATAN, what: wrong})


@pytest.mark.parametrize("unit", [1e-12, 5e-4, 1e9])
def test_wrong_derivatives_are_found_in_any_unit(unit):
    """A loss of small curvature is no flat one: room for rounding has the scale of the function."""

    def small(z, target, params):
        return params[0] * math.atan(z - target)

    def right(z, target, params):
        return params[0] / (1.0 + (z - target) * (z - target))

    ito.Loss(small, curvature=right, curvature_range=(0.0, unit), params=(unit,))
    for wrong in (
        {"curvature_range": (0.0, 0.0)},
        {"curvature_range": (0.0, 0.9 * unit)},
        {"curvature": lambda z, target, params: -0.6 * params[0], "curvature_range": (-unit, unit)},
    ):
        with pytest.raises(ito.InvalidInputError, match="curvature"):
            ito.Loss(small, **{"curvature_range": (0.0, unit), "params": (unit,), **wrong})


def gamma(z, target, params):
    return 1.0 - target * math.exp(-z)


def gamma_curvature(z, target, params):
    return target * math.exp(-z)


GAMMA = {"curvature": gamma_curvature, "curvature_range": (0.0, math.inf), "least_target": 0.0}


def test_a_loss_for_some_targets_only():
    """The deviance of Gamma laws is convex for targets from zero on, and is refused below and where less is told."""
    loss = ito.Loss(gamma, **GAMMA)
    assert pickle.loads(pickle.dumps(loss)).least_target == 0.0
    ito.LinearModelSGD([[1.0], [2.0]], [0.0, 3.0], 0.1, loss=loss)
    with pytest.raises(ito.InvalidInputError, match=r"targets\[1\] is -2: the loss Loss\(gamma\) is for numbers of at"):
        ito.LinearModelSGD([[1.0], [2.0]], [0.0, -2.0], 0.1, loss=loss)
    for wrong, message in (
        ({"least_target": None}, "target = -1 the curvature is .* or the least_target= from which they hold"),
        ({"least_target": -0.5}, r"target = -0\.5 the curvature is .* target$"),
        ({"curvature_range": (0.0, 5.0)}, "for every margin and target$|or the least_target"),
        ({"curvature": lambda z, target, params: -gamma_curvature(z, target, params)}, "curvature is .* differences"),
        ({"least_target": math.inf}, "least_target is inf: give a finite real number"),
        ({"least_target": "0"}, "least_target is '0'"),
    ):
        with pytest.raises(ito.InvalidInputError, match=message):
            ito.Loss(gamma, **{**GAMMA, **wrong})


@pytest.mark.parametrize("least", [-100.0, 0.0, 2.0, 1e6])
def test_functions_are_tried_on_targets_of_the_loss_alone(least):
    """From the least one on, whichever that is; the control is a slope of other targets."""

    def root(z, target, params):
        return z + (target - params[0]) ** 0.5  # complex below

    ito.Loss(root, curvature_range=(1.0, 1.0), least_target=least, params=(least,))
    with pytest.raises(ito.MapCompilationError, match="a complex"):
        ito.Loss(root, least_target=least, params=(max(1.0, least) + 1.0,))


def test_other_mathematics_under_the_name_of_a_loss_is_refused():
    with pytest.raises(ito.InvalidInputError, match="changes 'slopes' of Loss"):
        type("Other", (ito.Loss,), {"slopes": lambda self, z, target: 0.0 * z})
    named = type("Named", (ito.Loss,), {"source": "a paper"})
    assert named(slope, **ATAN).source == "a paper"


def test_a_kink_has_either_curvature():
    """Huber's loss by hand, with ½ at the kink refused nowhere: the trial meets no kink exactly."""

    def huber(z, target, params):
        return min(max(z - target, -1.0), 1.0)

    for curvature in (lambda z, t, p: 1.0 if abs(z - t) < 1.0 else 0.0, lambda z, t, p: 1.0 * (abs(z - t) <= 1.0)):
        loss = ito.Loss(huber, curvature=curvature, curvature_range=(0, 1))
        inside, outside, kink = loss.curvatures(np.array([0.5, 2.0, 1.0]), np.zeros(3))
        assert (inside, outside, kink) == (1.0, 0.0, curvature(1.0, 0.0, ()))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"curvature_range": (1.0, 0.0)}, "low <= high"),
        ({"curvature_range": 2.0}, r"give two numbers \(low, high\)"),
        ({"slope": lambda z, target, params: math.nan}, "slope gives no finite number"),
    ],
)
def test_bad_losses(given, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        ito.Loss(**{"slope": slope, **given})


WRONG_CODE = {
    "no function": (3.0, "slope is a float: give a plain Python function"),
    "two arguments": (lambda z, target: z, "takes"),
    "a list from outside": (lambda z, target, params: z - OUTSIDE[0], "reads the list 'OUTSIDE' from outside"),
    "a misspelt name": (lambda z, target, params: z - tagret, "fails in plain Python: NameError"),  # noqa: F821
    "params that are not there": (lambda z, target, params: params[0] * z, "fails in plain Python: IndexError"),
    "an array": (lambda z, target, params: np.array([z, z]), "returns array"),
    "a text": (lambda z, target, params: "a", "returns 'a', a str"),
    "what cannot be compiled": (lambda z, target, params: float(str(z)), "cannot be compiled"),
}
OUTSIDE = [1.0]


@pytest.mark.parametrize("what", WRONG_CODE)
def test_slopes_that_cannot_be_compiled(what):
    wrong, message = WRONG_CODE[what]
    with pytest.raises(ito.MapCompilationError, match=message) as caught:
        ito.Loss(wrong)
    speaks_of_a_loss(caught, "slope")


def speaks_of_a_loss(caught, called):
    text = str(caught.value)
    assert text.startswith((f"the {called} '", f"{called} is a"))
    assert not re.search(r"\bmaps?\b|\bout\b|\bdraw\b|\bx\b", text.partition("hint:")[2])


def raises(z, target, params):
    raise ValueError


def draws(z, target, params):
    return np.random.normal() + z  # noqa: NPY002


def prints(z, target, params):
    print(z)
    return z


def counts(z, target, params):
    global SCALE
    SCALE = SCALE + 1.0
    return z


def adds_arrays(z, target, params):
    return (params[0] + z)[0]


def makes_an_array(z, target, params):
    return np.zeros(3)[0] + z


def writes(z, target, params):
    params[0][0] = z
    return z


ADVICE = {
    raises: "return math.nan",
    draws: "what is random is which row",
    prints: "loss.slopes",
    counts: "remembers nothing",
    adds_arrays: "a loop over entries, and return one number",
    makes_an_array: "return one number, keep numbers",
    writes: "read-only",
}


@pytest.mark.parametrize("function", ADVICE, ids=lambda function: function.__name__)
def test_what_is_wrong_with_a_slope_is_said_of_a_slope(function):
    """And what to do is no advice for a map; the control is the same function as a value."""
    with pytest.raises(ito.MapCompilationError, match=ADVICE[function]) as caught:
        ito.Loss(function, params=(np.ones(3),))
    speaks_of_a_loss(caught, "slope")
    if function in (raises, draws, prints, counts):
        with pytest.raises(ito.MapCompilationError) as caught:
            ito.Loss(slope, value=function, params=(2.0,))
        speaks_of_a_loss(caught, "value")


SCALE = 1.0


def scaled(z, target, params):
    return SCALE * (z - target)


def test_a_loss_keeps_what_it_read_from_outside(monkeypatch):
    """A sweep over a global gives different losses, and what changes later reaches none of them."""
    first = ito.Loss(scaled)
    monkeypatch.setitem(globals(), "SCALE", 0.5)
    second = ito.Loss(scaled)
    monkeypatch.setitem(globals(), "SCALE", 0.25)
    assert [float(loss.slopes(np.ones(1), np.zeros(1))[0]) for loss in (first, second)] == [1.0, 0.5]
    ends = [ito.LinearModelSGD([[1.0]], [0.0], 0.5, loss=loss) for loss in (first, second)]
    assert [float(ito.simulate(maps, [1.0], 1, seed=0).states[0, 0, 0]) for maps in ends] == [0.5, 0.75]


def test_bad_models():
    features = [[1.0], [2.0]]
    with pytest.raises(ito.InvalidInputError, match="loss is 'hubert'"):
        ito.LinearModelSGD(features, [0.0, 1.0], 0.1, loss="hubert")
    for function, message in (
        (slope, r"the function slope, not a loss: wrap it: ito\.Loss\(slope\)"),
        (lambda z, target, params: z, r"wrap it: ito\.Loss\(slope\)"),
        (ito.losses.huber, r"makes 'huber', not a loss: call it: huber\(\)"),
        (ito.losses.LOSSES["squared"], "give its name, 'squared'"),
        (3.0, "loss is 3.0: give one of 'squared'"),
    ):
        with pytest.raises(ito.InvalidInputError, match=message):
            ito.LinearModelSGD(features, [0.0, 1.0], 0.1, loss=function)
    with pytest.raises(ito.InvalidInputError, match="targets holds"):
        ito.LinearModelSGD(features, [0.0, 3.0], 0.1, loss="logistic")
    with pytest.raises(ito.InvalidInputError, match=r"targets\[1\] is -2: the loss poisson\(\) is for numbers of at"):
        ito.LinearModelSGD(features, [0.0, -2.0], 0.1, loss="poisson")
    with pytest.raises(ito.InvalidInputError, match="width is 0"):
        ito.Loss.named("smoothed-quantile", width=0.0)
    with pytest.raises(ito.InvalidInputError, match=r"level is 1\.5"):
        ito.Loss.named("smoothed-quantile", level=1.5)
    with pytest.raises(ito.InvalidInputError, match="no parameter 'width'"):
        ito.Loss.named("huber", width=1.0)


# ---------------------------------------------------------------------------------------------------------------- steps


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_of_maps(name):
    maps = model(name, ridge=0.1, batch_size=2)
    if not np.isfinite(maps.loss.curvature_range).all():  # no Lipschitz constant: the rest of the contract
        assert maps.lipschitz_max is None
        assert maps.lipschitz([0, 1]) is None
    check_maps(maps)


@pytest.mark.parametrize(
    ("name", "family"), [("squared", "LinearRegressionSGD"), ("logistic", "LogisticRegressionSGD")]
)
@pytest.mark.parametrize("dim", [3, 20, 120])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_two_losses_have_families_of_their_own_with_the_same_bits(name, family, dim, dtype):
    """And the same theory; the control is a loss that differs by a little."""
    maps = model(name, dim=dim, ridge=0.1, batch_size=2)
    twin = getattr(ito, family)(maps.features, maps.targets, 0.1, ridge=0.1, batch_size=2)
    other = model("huber", dim=dim, ridge=0.1, batch_size=2)
    run = {"n_replicas": 5, "seed": 1, "dtype": dtype, "order": "backward", "save_steps": [5, 30]}
    states = [ito.simulate(one, np.zeros(dim), 30, **run).states for one in (maps, twin, other)]
    np.testing.assert_array_equal(states[0], states[1])
    assert not np.array_equal(states[0], states[2])
    assert maps.lipschitz_max == twin.lipschitz_max
    assert maps.lipschitz([1, 2]) == twin.lipschitz([1, 2])


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_saved_with_its_loss(name, tmp_path):
    loss = {
        "huber": ito.Loss.named("huber", delta=0.25),
        "smoothed-quantile": ito.Loss.named("smoothed-quantile", level=0.9, width=0.5),
    }.get(name, name)
    maps = ito.LinearModelSGD(model(name).features, model(name).targets, 0.1, loss=loss, ridge=0.2)
    ito.simulate(maps, np.zeros(3), 4, seed=1).save(tmp_path / "run.npz")
    loaded = ito.load(tmp_path / "run.npz").maps
    assert repr(loaded.loss) == repr(maps.loss)
    np.testing.assert_array_equal(loaded.apply(np.ones(3), 2), maps.apply(np.ones(3), 2))


@pytest.mark.parametrize("loss", [*NAMES, ito.Loss.named("huber", delta=0.25), ito.Loss(slope, **ATAN)], ids=str)
def test_models_are_pickled_replaced_and_closed(loss):
    targets = targets_of(loss if isinstance(loss, str) else "", np.array([-1.0, 2.0]))
    maps = ito.LinearModelSGD([[1.0], [2.0]], targets, 0.1, loss=loss)
    for twin in (pickle.loads(pickle.dumps(maps)), dataclasses.replace(maps), copy.deepcopy(maps)):
        np.testing.assert_array_equal(twin.apply([0.5], 1), maps.apply([0.5], 1))
        assert repr(twin.loss) == repr(maps.loss)
    with pytest.raises(AttributeError, match="curvature_range of a loss cannot be changed"):
        maps.loss.curvature_range = (0.0, 0.0)
    with pytest.raises(AttributeError, match="params of a loss cannot be deleted"):
        del maps.loss.params
    if maps.loss.parameters:
        with pytest.raises(TypeError, match="item assignment"):
            maps.loss.parameters["delta"] = 9.0


def test_a_pickled_loss_keeps_what_it_read_from_outside(monkeypatch):
    loss = ito.Loss(scaled)
    written = pickle.dumps(loss)
    monkeypatch.setitem(globals(), "SCALE", 7.0)
    assert pickle.loads(written).slopes(np.ones(1), np.zeros(1))[0] == 1.0


def test_a_model_with_a_loss_of_its_own_is_saved_without_its_maps(tmp_path):
    maps = ito.LinearModelSGD([[1.0]], [0.0], 0.1, loss=ito.Loss(slope, **ATAN))
    ito.simulate(maps, [0.5], 4, seed=1).save(tmp_path / "run.npz")
    assert ito.load(tmp_path / "run.npz").maps is None
