"""Training of networks in every order: against literal twins, to the bit on the stacked path."""

from __future__ import annotations

import dataclasses
import importlib
import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iterorder as ito
from iterorder import noise
from iterorder.kernels.cpu.item_tables import item_table
from iterorder.networks import MLP, StepModel, TrainingRun, coupled_starts, train
from iterorder.networks import plan as plans
from iterorder.networks.batches import Batches
from iterorder.networks.plan import coarse_to_fine, gradients_of, planned, steps_of
from iterorder.networks.training_request import borders_of, checked, demand_of, effort_of
from iterorder.sampling import Sampling
from tests import naive_networks

RNG = np.random.default_rng(3)
FEATURES, LABELS = RNG.normal(size=(40, 5)), RNG.integers(0, 3, 40)
ORDERS = ["forward", "backward", ito.Window(4), ito.Window(start=6)]
SEED = 0x9E3779B97F4A7C15


def model(**options):
    return MLP(FEATURES, LABELS, **{"hidden": (6,), "step_size": 0.2, "dtype": "float64"} | options)


def run(of, order, **options):
    common = {"batch_size": 3, "n_steps": 20, "seed": SEED, "save_steps": "all", "keep_states": True}
    return train(of, order=order, **common | options)


# ----------------------------------------------------------------------------------------------------------- one step


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("hidden", [(), (6,), (7, 4)])
@pytest.mark.parametrize(
    "extra", [{}, {"weight_decay": 0.1}, {"momentum": 0.9}, {"momentum": 0.5, "weight_decay": 0.1}]
)
@pytest.mark.parametrize("stacked", [True, False])
def test_a_step_is_that_of_the_chain_rule_item_by_item(activation, hidden, extra, stacked):
    of = model(hidden=hidden, activation=activation, stacked=stacked, **extra)
    state = of.start(3, seed=1, start=0)
    layers = range(len(hidden) + 1)
    twin = naive_networks.Network(
        [state[f"weight{k}"][0] for k in layers],
        [state[f"bias{k}"][0] for k in layers],
        activation,
        0.2,
        extra.get("weight_decay", 0.0),
        extra.get("momentum", 0.0),
    )
    for k in range(5):
        items = np.random.default_rng(k).integers(0, 40, 4)
        state = of.step(state, items if k % 2 else np.tile(items, (3, 1)), k)
        twin.step(FEATURES[items], LABELS[items])
    # Five steps of sums of at most 64 products of numbers below eight; errors grow by less than two a step.
    bound = 5 * 2**5 * 64 * 8 * np.finfo(float).eps
    np.testing.assert_allclose(of.position(state), np.tile(twin.position(), (3, 1)), rtol=0, atol=bound)


def test_a_wrong_gradient_would_be_seen():
    """The control: without the bound on rounding the derivative at one half of the activation is far off."""
    of = model(activation="tanh")
    theta = of.position(of.start(1, seed=1, start=0))[0]
    step = of.position(of.step(of.start(1, seed=1, start=0), [1, 2], 0))[0] - theta
    assert np.abs(step + 0.2 * of.gradient(theta, [1, 2])).max() < 1e-14
    assert np.abs(step + 0.2 * of.gradient(theta, [1, 3])).max() > 1e-3


def test_the_loss_has_that_gradient():
    of = model(activation="tanh")
    theta = of.position(of.start(1, seed=1, start=0))[0]
    loss = lambda position: of.observe(of.at(position))["loss"][0]  # noqa: E731
    gradient, h = of.gradient(theta), 2.0**-17
    for i in (0, 7, 29, 31, -1):
        e = np.zeros_like(theta)
        e[i] = h
        # Central differences: h²/6 of a third derivative below 64, and rounding of the loss over h.
        bound = 64 * h**2 / 6 + 8 * np.finfo(float).eps / h
        assert abs((loss(theta + e) - loss(theta - e)) / (2 * h) - gradient[i]) < bound


def test_step_leaves_its_state_and_advance_may_write():
    of, items = model(momentum=0.5, weight_decay=0.1), [1, 2, 3]
    state = of.start(2, seed=1, start=0)
    before = {name: array.copy() for name, array in state.items()}
    after = of.step(state, items, 0)
    assert all((state[name] == before[name]).all() for name in state)
    there = of.advance(of.take(state, [0, 1]), np.array(items), 0)
    assert all((there[name] == after[name]).all() for name in state)


def test_a_factor_is_a_smaller_step_of_each_replica():
    of, small = model(weight_decay=0.1), model(weight_decay=0.1, step_size=0.05)
    state = of.start(2, seed=1, start=0)
    both = of.position(of.step(state, [1, 2], 0, factor=np.array([1.0, 0.25])))
    assert (both[0] == of.position(of.step(state, [1, 2], 0))[0]).all()
    assert (both[1] == small.position(small.step(state, [1, 2], 0))[0]).all()


def test_a_schedule_reads_the_number_of_the_step():
    of = model(step_size=[0.3, 0.2, 0.1])
    for k, h in ((0, 0.3), (1, 0.2), (2, 0.1), (9, 0.1)):
        other = model(step_size=h)
        state = of.start(2, seed=1, start=0)
        assert (of.position(of.step(state, [1, 2], k)) == other.position(other.step(state, [1, 2], 0))).all()
    mixed = of.position(of.step(of.start(2, seed=1, start=0), [[1, 2], [1, 2]], np.array([0, 2])))
    assert (mixed[0] == of.position(of.step(of.start(1, seed=1, start=0), [1, 2], 0))[0]).all()
    assert (mixed[1] == of.position(of.step(of.start(1, seed=1, start=0), [1, 2], 2))[0]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_of_a_replica_do_not_depend_on_those_beside_it(dtype):
    of = model(dtype=dtype, hidden=(30, 17), activation="tanh")
    alone = together = None
    for replicas in (1, 2, 5, 64):
        state = of.start(replicas, seed=1, start=0)
        for k in range(12):
            items = np.random.default_rng(k).integers(0, 40, 13)
            state = of.step(state, items if k % 2 else np.tile(items, (replicas, 1)), k)
        together = of.position(state)
        alone = together if alone is None else alone
        assert (together == alone[0]).all()
        assert len({*of.observe(state)["loss"].tolist(), of.observe(of.take(state, [0]))["loss"][0]}) == 1


def test_start_weights_are_a_function_of_seed_and_start():
    of = model()
    first, same, other = (of.position(of.start(2, seed=s, start=a)) for s, a in ((1, 0), (1, 0), (1, 1)))
    assert (first == same).all()
    assert (first != other).mean() > 0.99
    assert np.abs(of.start(1, seed=1, start=0)["weight0"]).max() <= 5**-0.5
    uniforms = noise.start_uniforms(7, 3, 5)
    words = [noise.words(7, block, 3, 4 << 24) for block in range(3)]
    expected = [(int(w[2 * k]) >> 5) * 2**26 + (int(w[2 * k + 1]) >> 6) for w in words for k in (0, 1)]
    assert uniforms.tolist() == [value * 2.0**-53 for value in expected][:5]


def test_start_weights_do_not_read_the_words_of_draws():
    draws = {tuple(noise.words(1, block, 0, 0)) for block in range(50)}
    assert not draws & {tuple(noise.words(1, block, 0, noise.START << 24)) for block in range(50)}


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "weight_decay": 0.1}])
def test_the_way_without_blas_is_the_same_formula(options):
    """A GPU has no product that adds to its target: the array code alone differs by rounding."""
    own, plain = model(stacked=False, **options), model(stacked=False, **options)
    plain._gemm = None
    first, second = (of.start(3, seed=1, start=0) for of in (own, plain))
    for k in range(5):
        first, second = own.step(first, [k, k + 1], k), plain.step(second, [k, k + 1], k)
    bound = 5 * 2**5 * 64 * 8 * np.finfo(float).eps  # as for the first test
    np.testing.assert_allclose(own.position(first), plain.position(second), rtol=0, atol=bound)


# ------------------------------------------------------------------------------------------------------------ batches


@pytest.mark.parametrize(
    ("n", "size", "kind"),
    [
        (2, 1, "iid"),
        (7, 1, "iid"),
        (50, 2, "iid"),
        (50, 5, "iid"),
        (60, 40, "iid"),
        (30, 4, "reshuffle"),
        (5000, 8, "reshuffle"),
        (30, 4, "cyclic"),
    ],
)
def test_tables_hold_the_draws(n, size, kind):
    law = Sampling.validated(n, batch_size=size, kind=kind)
    table = item_table(law, SEED, 3, 2, 256, 140)
    for replica in range(2):
        for step in (0, 1, 31, 127, 128, 139):
            np.testing.assert_array_equal(table[step, replica], np.atleast_1d(law.draw(SEED, 3 + replica, 256 + step)))


def test_batches_are_read_in_any_order(monkeypatch):
    monkeypatch.setattr("iterorder.networks.batches.TABLE_ITEMS", 128 * 3 * 2)
    law = Sampling.validated(40, batch_size=3)
    batches = Batches(law, 5, 2, 700)
    assert batches.rows == 128
    for step in (699, 3, 512, 130, 699, 0):
        for sequence in range(2):
            np.testing.assert_array_equal(batches.at(step)[sequence], law.draw(5, sequence, step))
    np.testing.assert_array_equal(batches.of(1, np.array([600, 2])), [law.draw(5, 1, 600), law.draw(5, 1, 2)])


# ------------------------------------------------------------------------------------------------------------- orders


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(), (6,), (9, 17)])
@pytest.mark.parametrize("own", [False, True])
def test_several_steps_at_once_are_the_steps_one_by_one(dtype, hidden, own):
    """Of one batch for all replicas, and of batches of their own; the wrong target: another step size at the last."""
    of = model(dtype=dtype, hidden=hidden, weight_decay=0.03, step_size=[0.2, 0.1, 0.3, 0.15])
    start, items = of.start(5, seed=2, start=1), RNG.integers(0, of.n_items, (7, 5, 3) if own else (7, 3))
    steps = np.arange(7)[::-1]
    single = {name: array.copy() for name, array in start.items()}
    for k, batch in zip(steps.tolist(), items, strict=True):
        single = of.advance(single, batch, k)
    together = of.advance_many({name: array.copy() for name, array in start.items()}, items, steps)
    other = of.advance_many({name: array.copy() for name, array in start.items()}, items, np.append(steps[:-1], 1))
    assert all(np.array_equal(together[name], single[name]) for name in single)
    assert not all(np.array_equal(other[name], single[name]) for name in single)
    assert together["bias0"].dtype == dtype


def test_steps_at_once_are_none_where_each_needs_more():
    assert model().steps_at_once(64, 16) > 1
    for options in ({"momentum": 0.5}, {"dropout": 0.1}, {"stacked": False}):
        assert model(**options).steps_at_once(64, 16) == 1
    assert model().steps_at_once(2**20, 2**10) == 1  # nor where one takes long


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9, "weight_decay": 0.01},
        {"step_size": [0.3, 0.2, 0.1, 0.05]},
        {"hidden": (5, 4), "activation": "tanh", "weight_decay": 0.01},
        {"hidden": (), "weight_decay": 0.01},
    ],
    ids=["plain", "momentum", "schedule", "deep", "flat"],
)
def test_every_iterate_is_the_naive_one_to_the_bit(order, options, monkeypatch):
    monkeypatch.setattr(plans, "MOST_ROWS", 5)
    monkeypatch.setattr(plans, "LEAST_ROWS", 1)
    of = model(**options)
    found = run(of, order, n_starts=2, n_sequences=2)
    for start in range(2):
        for sequence in range(2):
            positions = []
            for n in range(21):
                state = naive_networks.iterate(of, order, n, batch_size=3, seed=SEED, start=start, sequence=sequence)
                positions.append(of.position(state)[0])
                assert (found.states[start, sequence, n] == positions[-1]).all()
                for name, values in of.observe(state).items():
                    assert found.observables[name][start, sequence, n] == values[0]
            moves = np.linalg.norm(np.diff(positions, axis=0), axis=1)
            # Norms of 57 numbers, each rounded twice.
            np.testing.assert_allclose(found.moves[start, sequence, :-1], moves, rtol=57 * np.finfo(float).eps)
            assert np.isnan(found.moves[start, sequence, -1])


@pytest.mark.parametrize("sampling", ["reshuffle", "cyclic"])
@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_other_samplings(order, sampling):
    of = model()
    found = run(of, order, sampling=sampling, n_steps=30)
    for n in (0, 7, 30):
        state = naive_networks.iterate(of, order, n, batch_size=3, sampling=sampling, seed=SEED)
        assert (found.states[0, 0, n] == of.position(state)[0]).all()


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_one_product_of_all_replicas_differs_by_rounding(order):
    """A float64 path of 20 steps on which errors grow by less than two a step: see the first test."""
    apart, together = run(model(), order), run(model(stacked=False), order)
    bound = 20 * 2**20 * 64 * np.finfo(float).eps
    np.testing.assert_allclose(together.states, apart.states, rtol=0, atol=bound)
    assert together.digest != apart.digest


def test_orders_differ():
    """The control of all above: another order is seen at once."""
    states = {str(order): run(model(), order).states[0, 0, 20] for order in ORDERS}
    names = list(states)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            assert np.abs(states[first] - states[second]).max() > 1e-3


@settings(max_examples=25)
@given(
    st.sampled_from(ORDERS),
    st.sets(st.integers(0, 25), min_size=1),
    st.integers(1, 4),
    st.booleans(),
)
def test_what_is_saved_does_not_change_the_iterates(order, saves, sequences, pairs):
    saves = sorted(saves)
    of = model()
    found = run(of, order, n_steps=26, save_steps=saves, n_sequences=sequences, pairs=pairs)
    wanted = sorted({*saves, *(n + 1 for n in saves)}) if pairs else saves
    assert found.save_steps.tolist() == wanted
    for i in (0, len(wanted) - 1):
        state = naive_networks.iterate(of, order, wanted[i], batch_size=3, seed=SEED, sequence=sequences - 1)
        assert (found.states[0, -1, i] == of.position(state)[0]).all()
    known = np.append(np.diff(wanted) == 1, False)
    assert (np.isfinite(found.moves[0, 0]) == known).all()


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("many", [False, True])
def test_what_the_time_goes_with_is_counted(order, many, monkeypatch):
    """Calls where a step of many takes as long as one of few, gradient steps elsewhere: of a model that counts."""

    class Counting(MLP):
        calls = steps = 0

        def advance(self, state, items, k, factor=None, step_noise=None):
            type(self).calls += 1
            type(self).steps += len(state["bias0"])
            return super().advance(state, items, k, factor, step_noise)

    monkeypatch.setattr(plans, "MOST_ROWS", 5)
    monkeypatch.setattr(plans, "MANY_ROWS", 8)
    monkeypatch.setattr(plans, "LEAST_ROWS", 1)
    of = Counting(FEATURES, LABELS, hidden=(6,), step_size=0.2)
    of.many_side_by_side = many
    run(of, order, n_sequences=3)
    request = checked(
        model=of, batch_size=3, sampling="iid", n_steps=20, order=order, save_steps="all", pairs=False, n_starts=1,
        n_sequences=3, seed=SEED, keep_states=False,
    )  # fmt: skip
    borders = sum(max(steps, default=0) for steps in borders_of(request, request.units()).values())
    assert effort_of(request) + borders == (Counting.calls if many else Counting.steps)


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_small_networks_hear_the_time_and_tell_how_far_they_are(order):
    """However fast a step is, a call has a bounded number of them."""
    of, told = model(hidden=()), []
    run(of, order, n_steps=5000, save_steps=[5000], batch_size=1, progress=told.append)
    assert len(told) >= 5
    assert of.steps_at_once(1, 1) <= 1024
    start = time.perf_counter()
    run(of, order, n_steps=10**7, save_steps=[10**7], batch_size=1, max_seconds=0.1)
    assert time.perf_counter() - start < 10.0  # of 10⁷ steps, which take minutes


def test_a_batch_that_does_not_fit_is_told(monkeypatch):
    of = model(stacked=False)

    def full(*_):
        raise MemoryError("Out of memory allocating 2,400,024,000,000 bytes")

    monkeypatch.setattr(of, "_move", full)
    with pytest.raises(ito.InvalidInputError, match="batch_size of 3 for 1 networks side by side does not fit"):
        run(of, "backward", pairs=True)


def test_who_changes_the_step_is_asked_for_every_one():
    """By a subclass and by a wrapper; the network itself does one by one what it cannot at once."""

    class Clipped(MLP):
        def advance(self, state, items, k, factor=None, step_noise=None):
            state = super().advance(state, items, k, factor, step_noise)
            return {name: array.clip(-0.05, 0.05) for name, array in state.items()}

    class Wrapper:
        def __init__(self, of):
            self.of = of

        def __getattr__(self, name):
            return getattr(self.of, name)

        def advance(self, state, items, k):
            state = self.of.advance(state, items, k)
            return {name: array.clip(-0.05, 0.05) for name, array in state.items()}

    clipped = Clipped(FEATURES, LABELS, hidden=(6,), step_size=0.2)
    for of in (clipped, Wrapper(model())):
        assert np.abs(run(of, "backward").states[..., 1:, :]).max() <= 0.05
    items, steps = RNG.integers(0, 10, (4, 3)), np.arange(4)
    for options in ({"momentum": 0.9}, {"stacked": False}, {"dtype": "float32"}):
        of = model(**options)
        single = together = of.start(2, seed=1, start=0)
        for k, batch in enumerate(items):
            single = of.step(single, batch, k)
        together = of.advance_many({name: array.copy() for name, array in together.items()}, items, steps)
        assert all(np.array_equal(single[name], together[name]) for name in single)
    assert of.advance_many(together, items[:0], steps[:0])["bias0"].shape == (2, 6)


def test_gradients_count_the_steps():
    saves = np.arange(21)
    totals = {}
    for order in ORDERS:
        found, units = run(model(), order), planned(order, saves, 1, 8)
        totals[str(order)] = found.gradients[-1]
        assert found.gradients[-1] <= sum(steps_of(unit, order, saves) for unit in units)
        assert (np.diff(found.gradients) >= 0).all()
    assert totals == {
        "forward": 20,
        "backward": 210,
        "Window(width=4)": 16 + 1 + 2 + 3 + 4 * 17,
        "Window(start=6)": 6 + sum(range(15)),
    }
    assert gradients_of("backward", np.array([3, 10])).tolist() == [3, 13]


# -------------------------------------------------------------------------------------------------------------- units


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(
    "saves", [np.arange(200), np.arange(0, 200, 7), np.array([5]), np.array([0, 1, 150, 151, 152])]
)
@pytest.mark.parametrize("each", [100, 2**26])
def test_every_saved_step_belongs_to_one_unit(order, saves, each):
    units = planned(order, saves, 3, each)
    owned = np.zeros((3, len(saves)), int)
    for unit in units:
        for one in unit.runs:
            owned[one, unit.first : unit.last] += 1
        if unit.extra:
            assert saves[unit.last] == saves[unit.last - 1] + 1
    assert (owned == 1).all()
    assert sorted(unit.number for unit in units) == list(range(len(units)))
    assert {unit.number for unit in coarse_to_fine(units)} == {unit.number for unit in units}


def test_large_networks_take_one_n_at_a_time_from_coarse_to_fine():
    saves = np.arange(50, 801, 50)
    units = planned("backward", np.union1d(saves, saves + 1), 1, 2**26)
    assert [(unit.first, unit.last) for unit in units[:2]] == [(0, 2), (2, 4)]
    numbers = [unit.number for unit in coarse_to_fine(units)]
    assert numbers[:4] == [0, 15, 8, 4]
    assert planned("backward", saves, 1, 100)[0].last == len(saves)


def test_blocks_depend_on_the_model_and_on_nothing_else():
    assert plans.rows_for(100) == 64
    assert plans.rows_for(2**20) == 8
    assert plans.rows_for(2**17) == 64
    assert plans.rows_for(2**18) == 32
    assert plans.rows_for(2**30) == 8
    assert plans.rows_for(100, many_side_by_side=True) == 4096
    assert plans.rows_for(2**20, many_side_by_side=True) == 1024
    assert plans.rows_for(2**30, many_side_by_side=True) == 8
    assert planned("backward", np.arange(5000), 1, 100, many_side_by_side=True)[0].last == 4096


# ------------------------------------------------------------------------------------------------- interrupted runs


class Interrupt(Exception):
    pass


class Limited:
    """A model that stops after so many steps, as if the process were killed; some of them may be taken at once."""

    error: type[BaseException] = Interrupt

    def __init__(self, of, steps, at_once=1):
        self.of, self.left, self.at_once, self.side_by_side = of, steps, at_once, False

    def __getattr__(self, name):
        return getattr(self.of, name)

    def advance(self, state, items, k):
        if self.left == 0:
            raise self.error
        self.left -= 1
        return self.of.advance(state, items, k)

    def steps_at_once(self, n_replicas, batch_size):
        return self.at_once

    def advance_many(self, state, items, steps):
        if self.left < len(steps):
            raise self.error
        self.left -= len(steps)
        return self.of.advance_many(state, items, steps)


def same(first: TrainingRun, second: TrainingRun) -> bool:
    pairs = [(first.observables[name], second.observables[name]) for name in first.observables]
    pairs += [(first.moves, second.moves), (first.states, second.states)]
    return first.digest == second.digest and all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize(("often", "at_once"), [(False, 1), (True, 1), (False, 3), (True, 3)])
def test_a_run_that_was_killed_goes_on_with_the_same_bits(order, often, at_once, tmp_path, monkeypatch):
    """With half a unit on disk after every step, or after every few, and with finished units alone."""
    monkeypatch.setattr(plans, "MOST_ROWS", 4)
    monkeypatch.setattr(plans, "LEAST_ROWS", 1)
    if often:
        monkeypatch.setattr("iterorder.networks.walk.CHECKPOINT_SECONDS", 0.0)
    of, options = model(momentum=0.5 if at_once == 1 else 0.0), {"n_sequences": 2}
    whole = run(of, order, **options)
    tries = 0
    while True:
        tries += 1
        try:
            found = run(Limited(of, 60, at_once), order, folder=tmp_path, **options)
            break
        except Interrupt:
            assert tries < 60
    assert tries > 1 or order == "forward"
    assert same(found, whole)
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob("half-*"))
    again = run(Limited(of, 0), order, folder=tmp_path, **options)  # all is there
    assert same(again, whole)


def test_forward_runs_keep_what_is_half_done(tmp_path, monkeypatch):
    monkeypatch.setattr("iterorder.networks.walk.CHECKPOINT_SECONDS", 0.0)
    of = model()
    with pytest.raises(Interrupt):
        run(Limited(of, 15), "forward", folder=tmp_path)
    counter = Limited(of, 1000)
    found = run(counter, "forward", folder=tmp_path)
    assert 1000 - counter.left == 5
    assert same(found, run(of, "forward"))


def test_a_run_whose_time_is_over_returns_what_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "MOST_ROWS", 4)
    monkeypatch.setattr(plans, "LEAST_ROWS", 1)
    of = model()
    nothing = run(of, "backward", max_seconds=0, folder=tmp_path)
    assert not nothing.done.any()
    assert not nothing.complete
    with pytest.raises(Interrupt):
        run(Limited(of, 40), "backward", folder=tmp_path)
    part = run(of, "backward", max_seconds=0, folder=tmp_path)
    assert part.done.any()
    assert not part.done.all()
    assert (np.isfinite(part.observables["loss"]) == part.done).all()
    kept = ito.networks.TrainingRun.load(tmp_path / "result.npz")
    np.testing.assert_array_equal(kept.observables["loss"], part.observables["loss"])
    whole = run(of, "backward", folder=tmp_path)
    assert ito.networks.TrainingRun.load(tmp_path / "result.npz").complete
    assert whole.complete
    assert (part.observables["loss"][part.done] == whole.observables["loss"][part.done]).all()
    assert "done" in repr(part)


def test_ctrl_c_leaves_the_run_so_far_and_a_kill_says_how_to_get_it(tmp_path, monkeypatch, capfd):
    """A kill is another exception, after which nothing is written: the control."""
    monkeypatch.setattr(plans, "MOST_ROWS", 4)
    monkeypatch.setattr(plans, "LEAST_ROWS", 1)
    of, killed = model(), tmp_path / "killed"
    with pytest.raises(Interrupt):
        run(Limited(of, 40), "backward", folder=killed)
    for load in (TrainingRun.load, ito.load):
        with pytest.raises(FileNotFoundError, match=r"result\.npz is not there.*max_seconds=0"):
            load(killed / "result.npz")
        with pytest.raises(FileNotFoundError, match="No such file"):
            load(tmp_path / "result.npz")
    part = run(of, "backward", folder=killed, max_seconds=0)
    assert 0 < part.done.sum() < part.done.size
    monkeypatch.setattr(Limited, "error", KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        run(Limited(of, 40), "backward", folder=tmp_path / "stopped")
    assert f"kept in {tmp_path / 'stopped'}: the same call goes on" in capfd.readouterr().err
    kept = TrainingRun.load(tmp_path / "stopped" / "result.npz")
    assert 0 < kept.done.sum() < kept.done.size
    whole = run(of, "backward")
    assert (kept.observables["loss"][kept.done] == whole.observables["loss"][kept.done]).all()
    assert same(run(of, "backward", folder=tmp_path / "stopped"), whole)


def test_time_that_is_over_in_the_middle_of_a_unit_keeps_its_state(tmp_path):
    class Slow(Limited):
        def advance(self, state, items, k):
            time.sleep(0.05)
            return super().advance(state, items, k)

    of = model()
    part = run(Slow(of, 1000), "backward", max_seconds=0.2, folder=tmp_path, save_steps=[20])
    assert not part.done.any()
    assert list(tmp_path.glob("half-*"))
    counter = Limited(of, 1000)
    whole = run(counter, "backward", folder=tmp_path, save_steps=[20])
    assert 1000 - counter.left < 20
    assert same(whole, run(of, "backward", save_steps=[20]))


def test_a_folder_of_another_run_is_refused(tmp_path):
    run(model(), "backward", folder=tmp_path)
    with pytest.raises(ito.InvalidInputError, match=r"batch_size was 3 and is 4"):
        run(model(), "backward", folder=tmp_path, batch_size=4)
    with pytest.raises(ito.InvalidInputError, match="model"):
        run(model(step_size=0.25), "backward", folder=tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("x")
    with pytest.raises(ito.InvalidInputError, match=r"holds notes.txt"):
        run(model(), "backward", folder=other)
    with pytest.raises(ito.InvalidInputError, match="is a file"):
        run(model(), "backward", folder=other / "notes.txt")


def test_a_damaged_or_foreign_unit_is_refused(tmp_path):
    run(model(), "backward", folder=tmp_path / "a")
    run(model(), "backward", folder=tmp_path / "b", seed=2)
    unit = tmp_path / "a" / "unit-00000.npz"
    content = unit.read_bytes()
    unit.write_bytes(content[:-30])
    with pytest.raises(ito.InvalidInputError, match="unit-00000"):
        run(model(), "backward", folder=tmp_path / "a")
    unit.write_bytes((tmp_path / "b" / "unit-00000.npz").read_bytes())
    with pytest.raises(ito.InvalidInputError, match="belongs to another run"):
        run(model(), "backward", folder=tmp_path / "a")
    (tmp_path / "a" / "run.json").write_text("{")
    with pytest.raises(ito.InvalidInputError, match=r"run\.json"):
        run(model(), "backward", folder=tmp_path / "a")


def test_the_folder_says_what_it_is(tmp_path):
    found = run(model(), "backward", folder=tmp_path)
    described = json.loads((tmp_path / "run.json").read_text())
    assert described["digest"] == found.digest
    assert described["batch_size"] == 3


# ------------------------------------------------------------------------------------------------------- the results


def test_a_run_is_saved_and_loaded(tmp_path):
    for order in ORDERS:
        found = run(model(), order)
        found.save(tmp_path / "run.npz")
        loaded = TrainingRun.load(tmp_path / "run.npz")
        assert same(loaded, found)
        assert (loaded.order, loaded.seed, loaded.device) == (order, SEED, "cpu")
        assert (loaded.gradients == found.gradients).all()
    (tmp_path / "cut.npz").write_bytes((tmp_path / "run.npz").read_bytes()[:-40])
    with pytest.raises(ito.InvalidInputError, match="no result"):
        TrainingRun.load(tmp_path / "cut.npz")
    np.savez(tmp_path / "other.npz", header=np.array([object()]), allow_pickle=True)
    with pytest.raises(ito.InvalidInputError, match="pickled objects"):
        TrainingRun.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        TrainingRun.load(tmp_path / "none.npz")


def test_xarray_has_the_axes_by_name():
    found = run(model(), "backward", n_starts=2, n_sequences=3)
    data = found.to_xarray()
    assert data["loss"].dims == ("start", "sequence", "step")
    assert data["states"].shape == (2, 3, 21, 57)
    assert float(data["loss"].sel(step=5)[1, 2]) == found.observables["loss"][1, 2, 5]


def test_plot_draws_a_line_for_each_sequence():
    found = run(model(), "backward", n_sequences=3)
    axes = found.plot()
    assert len(axes.lines) == 3
    assert len(found.plot(axes, observable="move").lines) == 6
    assert not axes.spines["top"].get_visible()  # the style of the house, on axes of its own
    with pytest.raises(ito.InvalidInputError, match="ax is a str: give matplotlib Axes"):
        found.plot("here")
    with pytest.raises(ito.InvalidInputError, match="observable"):
        found.plot(observable="risk")


def test_a_run_that_is_not_complete_keeps_the_axis_and_says_how_far_it_is(tmp_path):
    """A whole run has no such legend."""
    part = dataclasses.replace(whole := run(model(), "backward"), done=np.arange(21)[None, None] < 8)
    part.observables["loss"][..., 8:] = np.nan
    axes = part.plot()
    assert axes.get_xlim()[1] >= 20
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["backward, to n = 7"]
    assert "missing=7 of 7 iterates, not computed" in repr(part.late())
    assert whole.plot().get_legend() is None
    assert "missing" not in repr(whole.late())


def test_a_run_is_no_array():
    with pytest.raises(ito.InvalidInputError, match="observables"):
        np.asarray(run(model(), "forward"))


def test_progress_is_told_up_to_one():
    told = []
    run(model(), "backward", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_run_whose_time_is_over_is_not_told_as_finished():
    told = []
    assert not run(model(), "backward", max_seconds=0, progress=told.append).complete
    assert 1.0 not in told


def test_a_run_of_which_nothing_is_finite_is_an_error():
    """Momentum of a large step on a quadratic-like bowl; one that stays finite is data."""
    of = model(step_size=1e200)
    with pytest.raises(ito.DivergenceError, match="step_size") as caught:
        run(of, "forward", save_steps=[20])
    assert isinstance(caught.value.trajectory, TrainingRun)


# -------------------------------------------------------------------------------------------------- coupled starts


def test_coupled_starts_are_two_forward_runs():
    of, law = model(), Sampling.validated(40, batch_size=3)
    found = coupled_starts(of, 12, batch_size=3, n_replicas=2, seed=5)
    for replica in range(2):
        near = of.start(1, seed=5, start=0)
        far = of.step(near, law.draw(5, replica, 12), 0)
        for n in range(13):
            gap = np.linalg.norm(of.position(near) - of.position(far))
            assert found.per_replica[replica, n] == pytest.approx(gap, rel=57 * np.finfo(float).eps)
            near, far = (of.step(state, law.draw(5, replica, n), n) for state in (near, far))
    np.testing.assert_allclose(found.distance, np.sqrt((found.per_replica**2).mean(axis=0)))


def test_coupled_starts_have_the_law_of_backward_increments():
    """Two-sample Kolmogorov–Smirnov at level 10⁻³, 300 sequences each; the forward increments are the wrong law."""
    from scipy.stats import ks_2samp

    of, n, count = model(step_size=0.5, weight_decay=0.2), 15, 300
    coupled = coupled_starts(of, n, batch_size=3, n_replicas=count, seed=1).per_replica[:, -1]
    options = {"batch_size": 3, "n_steps": n + 1, "save_steps": [n], "pairs": True, "n_sequences": count, "seed": 2}
    backward, forward = (train(of, order=order, **options).moves[0, :, 0] for order in ("backward", "forward"))
    assert ks_2samp(coupled, backward).pvalue > 1e-3
    assert ks_2samp(coupled, forward).pvalue < 1e-3


def test_a_softmax_regression_is_told_to_settle_and_a_network_not(capfd, tmp_path):
    """Weight decay contracts the convex one by at least 1 − h·decay a step."""
    options = {"batch_size": 3, "n_steps": 700, "order": "backward", "save_steps": "all", "seed": 1}
    settles = train(model(hidden=(), step_size=0.2, weight_decay=0.2), folder=tmp_path, **options)
    assert settles.forecast.startswith("settles by")
    assert settles.forecast in capfd.readouterr().err
    n = int(settles.forecast.split()[2].rstrip(":"))
    moves = settles.moves[0, 0]
    assert np.median(moves[n:-1]) < 0.02 * moves[0]
    again = train(model(hidden=(), step_size=0.2, weight_decay=0.2), folder=tmp_path, **options)
    assert again.forecast == settles.forecast
    network = train(model(hidden=(16,), step_size=0.2), **options)
    assert network.forecast.startswith("does not settle by 700")


def test_a_schedule_has_no_coupled_starts_and_no_forecast():
    """A step size that is told for each step and never changes is no schedule: the control."""
    options = {"batch_size": 3, "n_steps": 700, "order": "backward", "save_steps": "all", "seed": 1}
    falls, stays = (model(hidden=(), step_size=sizes) for sizes in ([0.2, 0.1], [0.2, 0.2]))
    with pytest.raises(ito.InvalidInputError, match="model has a schedule"):
        coupled_starts(falls, 10, batch_size=3, n_replicas=2, seed=1)
    assert coupled_starts(stays, 10, batch_size=3, n_replicas=2, seed=1).distance.shape == (11,)
    assert not train(falls, **options).forecast
    assert train(stays, **options).forecast


class Ticking:
    """A model whose steps take a second each, on a clock of its own."""

    def __init__(self, of):
        self.of, self.now, self.side_by_side, self.advance_many = of, 0.0, False, None

    def __getattr__(self, name):
        return getattr(self.of, name)

    def monotonic(self) -> float:
        return self.now

    def advance(self, state, items, k):
        self.now += 1.0
        return self.of.advance(state, items, k)


@pytest.mark.parametrize(("seconds", "told"), [(400.0, True), (100.0, False), (None, True)])
def test_the_time_of_a_forecast_belongs_to_the_run(seconds, told, monkeypatch):
    """It takes 60 steps of the clock: a quarter of 400 is enough for it, of 100 it is not."""
    of = Ticking(model())
    for module in ("train", "pace"):
        monkeypatch.setattr(importlib.import_module(f"iterorder.networks.{module}"), "time", of)
    for name, least in (("LONG_RUN", 0), ("WORTH_A_FORECAST", 1)):
        monkeypatch.setattr(importlib.import_module("iterorder.networks.train"), name, least)
    found = run(of, "backward", n_steps=60, save_steps="all", max_seconds=seconds)
    assert bool(found.forecast) == told
    assert seconds is None or of.now <= seconds
    assert found.complete == (seconds is None or of.now < seconds)


# ------------------------------------------------------------------------------------------------------ refused input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_size": 0.0}, "step_size is"),
        ({"step_size": [0.1, -1.0]}, r"step_size\[1\]"),
        ({"step_size": "cosine"}, "for a schedule an array with one number a step"),
        ({"step_size": lambda k: 0.1 / (1 + k)}, "step_size is a function: .* one number a step"),
        ({"hidden": 5}, "hidden is 5"),
        ({"hidden": (0,)}, r"hidden\[0\]"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"activation": "gelu"}, "activation is 'gelu'"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"test": 3}, "test is no pair"),
        ({"test": (np.zeros((3, 4)), [0, 1, 2])}, r"test\[0\] has rows of 4"),
        ({"backend": "tpu"}, "backend is 'tpu'"),
    ],
)
def test_settings_of_a_model_are_checked(options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        model(**options)


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.zeros(4), [0, 1, 2, 3], "features has"),
        (np.zeros((2, 3)), [0, 1, 1], "labels has 3"),
        (np.zeros((2, 3)), [0, -1], "labels holds -1"),
        (np.zeros((2, 3)), [0.0, 1.0], "labels has dtype"),
        (np.zeros((2, 3)), [0, 0], "at least two classes"),
        (np.array([[0.0, np.nan], [1.0, 2.0]]), [0, 1], "features holds nan in row 0"),
    ],
)
def test_data_are_checked(features, labels, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        MLP(features, labels, step_size=0.1)


def test_labels_that_are_codes_are_refused_before_a_network_of_that_size():
    codes = np.where(LABELS == 2, 100_000, LABELS)
    with pytest.raises(ito.InvalidInputError, match="labels holds 100000, and there are 3 different values"):
        MLP(FEATURES, codes, step_size=0.1)
    with pytest.raises(ito.InvalidInputError, match=r"test\[1\] holds 100000"):
        MLP(FEATURES, LABELS, test=(FEATURES, codes), step_size=0.1)
    assert MLP(FEATURES[:3], [0, 999, 7], step_size=0.1).n_classes == 1000  # a few images of ImageNet


def test_a_class_that_never_occurs_is_said(capfd):
    MLP(FEATURES, LABELS, step_size=0.1)
    assert not capfd.readouterr().err
    assert MLP(FEATURES, LABELS + 1, step_size=0.1).n_classes == 4
    assert "3 of the classes 0…3 occur, 0 is the first that does not" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 41}, "batch_size is 41"),
        ({"sampling": "shuffle"}, "sampling is 'shuffle'"),
        ({"order": "sideways"}, "order is 'sideways'"),
        ({"order": "anchored"}, r"Window\(start=m\)"),
        ({"order": "sliding"}, r"Window\(width\)"),
        ({"save_steps": [3, 2]}, "save_steps has 3 before 2"),
        ({"save_steps": [21]}, "save_steps holds 21"),
        ({"n_steps": -1}, "n_steps is -1"),
        ({"n_starts": 0}, "n_starts is 0"),
        ({"memory": 10}, r"needs [1-9].* of memory \(1 states .*there are 10 bytes"),
        ({"memory": "1GB"}, "memory is '1GB': give a number of bytes"),
        ({"max_seconds": -1}, "max_seconds"),
        ({"progress": 3}, "progress is 3"),
        ({"folder": 3}, "folder is 3"),
    ],
)
def test_arguments_of_train_are_checked(options, message):
    order = options.pop("order", "forward")
    with pytest.raises(ito.InvalidInputError, match=message):
        run(model(), order, **options)


def test_a_model_without_a_method_is_named():
    with pytest.raises(ito.InvalidInputError, match="without n_items, start"):
        run(object(), "forward")
    with pytest.raises(ito.InvalidInputError, match="model is a"):
        run(MLP, "forward")
    assert isinstance(model(), StepModel)


@pytest.mark.parametrize("items", [[0.5], [[[1]]], [], [40], [-1], [[1], [2], [3]]])
def test_items_are_checked(items):
    of = model()
    with pytest.raises(ito.InvalidInputError, match="items"):
        of.step(of.start(2, seed=1, start=0), np.array(items), 0)


def test_a_missing_gpu_is_told():

    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises(ito.BackendUnavailableError, match=r"no NVIDIA driver.*CuPy is missing|CuPy is not"):
            model(backend="cuda")
    else:
        pytest.skip("CuPy is installed")


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("each", [2**10, 2**26])
def test_what_a_run_takes_is_that_of_all_its_pieces(order, each, monkeypatch):
    """Reckoned from the pieces of a single run; one run alone is the wrong number."""
    of = model()
    monkeypatch.setattr(of, "bytes_per_replica", lambda: each)
    how = {"batch_size": 3, "sampling": "iid", "n_steps": 150, "order": order, "save_steps": "all", "pairs": False}
    request = checked(model=of, n_starts=3, n_sequences=50, seed=1, keep_states=True, **how)
    units, demand = request.units(), demand_of(request)
    assert demand.pieces == len(units) != len(dataclasses.replace(request, n_starts=1).units())
    assert demand.steps == sum(steps_of(unit, order, request.saves) for unit in units)
    assert demand.borders == each * sum(len(steps) for steps in borders_of(request, units).values())
    assert demand.rows == max(
        len(unit.runs) if unit.kind == "forward" else unit.last - unit.first + unit.extra for unit in units
    )


def test_what_does_not_fit_is_refused_before_it_is_planned(monkeypatch):
    planned_runs = []
    whole = plans.planned
    monkeypatch.setattr(
        importlib.import_module("iterorder.networks.training_request"),
        "planned",
        lambda order, saves, n_runs, *size: planned_runs.append(n_runs) or whole(order, saves, n_runs, *size),
    )
    with pytest.raises(ito.InvalidInputError, match=r"needs .* of memory.*n_sequences"):
        run(model(), "backward", memory=2**20, n_sequences=100_000)
    assert planned_runs == [1]
    run(model(), "backward", n_sequences=2)
    assert 2 in planned_runs


def test_the_memory_is_said_and_refused_with_advice(capfd):
    run(model(), "backward", progress=True)
    assert "gradient steps" in capfd.readouterr().err
    with pytest.raises(ito.InvalidInputError, match="keep_states=False"):
        run(model(), "backward", memory=2000, save_steps="all")
