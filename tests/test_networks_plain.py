"""A step of any framework: the wrapper for plain functions, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from iterorder.networks import MLP, PlainModel, train
from tests import naive_networks

RNG = np.random.default_rng(4)
TARGETS = RNG.normal(size=(20, 3))
ORDERS = ["forward", "backward", ito.Window(3), ito.Window(start=5)]


def step(state, items, k):
    """Heavy ball on the mean of squared distances, with a step that falls."""
    v = 0.5 * state["v"] + state["x"] - TARGETS[items].mean(axis=0)
    return {"x": state["x"] - 0.3 / (1 + k) * v, "v": v, "count": state["count"] + 1}


def start(seed, number):
    return {"x": np.full(3, float(seed % 7 + number)), "v": np.zeros(3), "count": np.zeros((), np.int64)}


def observe(state):
    return {"square": float((state["x"] ** 2).sum()), "count": int(state["count"])}


def model(**options):
    common = {"n_items": 20, "observe": observe, "digest": "heavy ball 1", "parameters": ["x"]}
    return PlainModel(options.pop("step", step), options.pop("start", start), **common | options)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_every_iterate_is_the_naive_one_to_the_bit(order, tmp_path):
    of = model()
    options = {"batch_size": 4, "n_steps": 12, "save_steps": "all", "keep_states": True, "n_starts": 2, "seed": 9}
    found = train(of, order=order, folder=tmp_path, **options)
    for begin in range(2):
        for n in range(13):
            state = naive_networks.iterate(of, order, n, batch_size=4, seed=9, start=begin)
            assert (found.states[begin, 0, n] == state["x"][0]).all()
            assert found.observables["count"][begin, 0, n] == n
    assert (train(of, order=order, folder=tmp_path, **options).states == found.states).all()


def test_a_step_of_jax_is_that_of_the_array_code():
    jax = pytest.importorskip("jax", reason="needs jax")
    own = MLP(TARGETS, np.arange(20) % 3, hidden=(4,), step_size=0.2, activation="tanh")
    features, labels = jax.numpy.asarray(TARGETS, "float32"), jax.numpy.asarray(np.arange(20) % 3)

    def loss(state, items):
        h = jax.numpy.tanh(features[items] @ state["weight0"].T + state["bias0"])
        logits = h @ state["weight1"].T + state["bias1"]
        return -jax.nn.log_softmax(logits)[jax.numpy.arange(len(items)), labels[items]].mean()

    gradient = jax.jit(jax.grad(loss))

    def jax_step(state, items, k):
        return {name: value - 0.2 * gradient(state, items)[name] for name, value in state.items()}

    def jax_start(seed, number):
        return {name: array[0] for name, array in own.start(1, seed=seed, start=number).items()}

    of = PlainModel(
        jax_step, jax_start, n_items=20, observe=lambda state: {"b": float(state["bias1"][0])}, digest="jax"
    )
    options = {"batch_size": 4, "n_steps": 10, "order": "backward", "keep_states": True, "seed": 1}
    first, second = train(of, **options).states, train(own, **options).states
    # Ten steps of sums of at most 16 products below four in float32, on which errors grow by less than two a step.
    np.testing.assert_allclose(first, second, rtol=0, atol=10 * 2.0**10 * 64 * np.finfo(np.float32).eps)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": 3}, "step is an int"),
        ({"digest": ""}, "digest is ''"),
        ({"parameters": ["y"]}, "parameters names 'y'"),
        ({"start": lambda seed, number: 3}, "start returned an int"),
        ({"n_items": 0}, "n_items is 0"),
        (
            {"step": lambda state, items: state},
            r"step takes \(state, items\), and is called as step\(state, items, k\)",
        ),
        ({"start": lambda: {"x": np.zeros(3)}}, r"start takes \(\), and is called as start\(seed, start\)"),
        ({"observe": lambda: {"x": 1.0}}, r"observe takes \(\)"),
        ({"observe": lambda state: {"x": state["x"]}}, r"observe returned 'x' of shape \(3,\) and dtype float64"),
        ({"observe": lambda state: {"x": "far"}}, r"observe returned 'x' of shape \(\)"),
        ({"observe": lambda state: state["x"]}, "observe returned a.* return a dict of numbers"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        model(**options)


def test_arguments_with_defaults_and_arrays_of_one_number_are_taken():
    """The control of what is refused."""
    of = model(step=lambda state, items, k, rate=0.1: state, observe=lambda state: {"x": state["x"][:1]})
    assert of.observe(of.start(2, seed=1))["x"].shape == (2,)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda state, items, k: {"x": state["x"]}, "return the whole state"),
        (lambda state, items, k: {**state, "x": state["x"][:2]}, r"x of shape \(2,\)"),
        (lambda state, items, k: {**state, "x": state["x"].astype("float32")}, "dtype float32"),
        (lambda state, items, k: None, "step returned a NoneType"),
    ],
)
def test_a_step_that_changes_the_state_is_told(bad, message):
    of = model(step=bad)
    with pytest.raises(ito.InvalidInputError, match=message):
        of.step(of.start(1, seed=0), [1], 0)
