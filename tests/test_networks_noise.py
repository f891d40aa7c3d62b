"""Dropout and augmentation as functions of (seed, sequence, step): against literal twins, in every order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

import iterorder as ito
from iterorder import noise
from iterorder.kernels.cpu.purpose_words import purpose_words as compiled_words
from iterorder.networks import (
    MLP,
    Augmentation,
    StepNoise,
    coupled_starts,
    linear_decay,
    lyapunov_exponent,
    step_lipschitz,
    tail_average,
    train,
)
from iterorder.networks import plan as plans
from iterorder.networks.data import ImageData
from iterorder.networks.dropout import dropout_factors
from iterorder.networks.settings import preset
from tests import naive, naive_networks

RNG = np.random.default_rng(3)
IMAGES, LABELS = RNG.normal(size=(40, 2, 3, 4)), RNG.integers(0, 3, 40)
ORDERS = ["forward", "backward", ito.Window(4), ito.Window(start=6)]
SEED = 0x9E3779B97F4A7C15
KEYS, NUMBERS = st.integers(0, 2**64 - 1), st.integers(0, 2**31)
LEVEL = 1e-6
EPS = np.finfo(float).eps


def model(images=IMAGES, **options):
    return MLP(images, LABELS, **{"hidden": (6, 5), "step_size": 0.2, "dtype": "float64", "dropout": 0.4} | options)


# -------------------------------------------------------------------------------------------------------------- draws


@pytest.mark.parametrize("purpose", [noise.AUGMENT, noise.DROPOUT])
def test_words_are_read_where_the_layout_says(purpose):
    for words_of in (noise.purpose_words, compiled_words):
        found = words_of(SEED, [[0], [2**32 - 1]], [3, 2**40], purpose, 6)
        assert found.shape == (2, 2, 6)
        for r, replica in enumerate((0, 2**32 - 1)):
            for s, step in enumerate((3, 2**40)):
                words = [w for group in (0, 1) for w in naive.philox(step, replica, (purpose << 24) + group, SEED)]
                assert found[r, s].tolist() == words[:6]


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3), st.integers(1, 150))
def test_compiled_words_are_those_of_numpy(seed, sequences, count):
    steps = np.arange(len(sequences)) + 2**33
    found = compiled_words(seed, sequences, steps, noise.DROPOUT, count)
    assert (found == noise.purpose_words(seed, sequences, steps, noise.DROPOUT, count)).all()
    assert (found != noise.purpose_words(seed, sequences, steps, noise.AUGMENT, count)).any()


def test_the_layout_is_frozen():
    assert (noise.AUGMENT, noise.DROPOUT) == (5, 6)
    assert noise.purpose_words(0, 0, 0, noise.AUGMENT, 2).tolist() == [3558109717, 542656113]
    assert noise.purpose_words(0, 0, 0, noise.DROPOUT, 2).tolist() == [2229674761, 2157275295]


@settings(deadline=None, max_examples=25)
@given(
    KEYS, NUMBERS, NUMBERS, st.integers(1, 4), st.lists(st.integers(1, 5), min_size=1, max_size=3), st.floats(0, 0.9)
)
def test_factors_are_those_of_the_twin(seed, sequence, step, slots, widths, rate):
    shapes = [(width,) for width in widths]
    found = dropout_factors(StepNoise(seed, sequence, [step, step + 1]), [rate] * len(widths), slots, shapes, float)
    for row, k in enumerate((step, step + 1)):
        for own, twin in zip(found, naive_networks.dropped(seed, sequence, k, rate, slots, widths), strict=True):
            np.testing.assert_array_equal(own[row], twin)
    alone = dropout_factors(StepNoise(seed, sequence, step), [rate] * len(widths), slots, shapes, float)
    assert all((one == both[0]).all() for one, both in zip(alone, found, strict=True))


@settings(deadline=None, max_examples=25)
@given(KEYS, NUMBERS, NUMBERS, st.integers(0, 5), st.booleans(), st.integers(1, 4), st.integers(1, 5))
def test_images_are_moved_as_by_the_twin(seed, sequence, step, padding, flip, height, width):
    images = np.random.default_rng(0).normal(size=(2, 3, 2, height, width))
    places = StepNoise(seed, [sequence, sequence + 1], step)
    found = Augmentation(padding, flip).moved(images, places)
    for r in range(2):
        for slot in range(3):
            twin = naive_networks.moved(images[r, slot], seed, sequence + r, step, slot, padding, flip)
            np.testing.assert_array_equal(found[r, slot], twin)


def test_draws_have_their_law():
    """Exact tests at level 10⁻⁶ each; a rate that is wrong by a hundredth, and a narrower crop, are rejected."""
    (factors,) = dropout_factors(StepNoise(7, 0, np.arange(2500)), [0.3], 10, [(20,)], float)
    gone, count = int((factors == 0).sum()), factors.size
    assert binomtest(gone, count, 0.3).pvalue > LEVEL
    assert binomtest(gone, count, 0.31).pvalue < LEVEL
    sources = Augmentation(2, True).sources(StepNoise(7, 0, np.arange(4000)), 5, 1, 9)[..., 4:5].ravel()
    # The pixel in the middle of a row of nine is one of five, or outside with the four vertical shifts of five.
    counts = np.bincount(sources, minlength=10)
    expected = np.array([0, 0, 1, 1, 1, 1, 1, 0, 0, 20]) * len(sources) / 25
    assert (counts[expected == 0] == 0).all()
    assert chisquare(counts[expected > 0], expected[expected > 0]).pvalue > LEVEL
    narrow = np.array([1.2, 1.2, 0.2, 1.2, 1.2, 20]) * len(sources) / 25
    assert chisquare(counts[expected > 0], narrow).pvalue < LEVEL
    row = Augmentation(0, True).sources(StepNoise(7, 0, np.arange(4000)), 5, 1, 2)[..., 0]
    assert binomtest(int(row.sum()), row.size, 0.5).pvalue > LEVEL


# -------------------------------------------------------------------------------------------------------------- steps


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize("options", [{}, {"augment": Augmentation(1, True)}, {"momentum": 0.9, "weight_decay": 0.1}])
def test_a_step_is_that_of_the_chain_rule_item_by_item(activation, stacked, options):
    of = model(activation=activation, stacked=stacked, **options)
    state = of.start(3, seed=1, start=0)
    start = [[state[f"{kind}{k}"][0] for k in range(3)] for kind in ("weight", "bias")]
    steps = [options.get("weight_decay", 0.0), options.get("momentum", 0.0)]
    twins = [naive_networks.Network(*start, activation, 0.2, *steps) for _ in range(3)]
    for k in range(5):
        items = np.random.default_rng(k).integers(0, 40, 4)
        sequences = [0, 0, 0] if k % 2 else [0, 1, 2]
        state = of.step(state, items, k, step_noise=StepNoise(SEED, 0 if k % 2 else np.arange(3), k))
        for twin, sequence in zip(twins, sequences, strict=True):
            images = IMAGES[items]
            if "augment" in options:
                images = [naive_networks.moved(x, SEED, sequence, k, i, 1, True) for i, x in enumerate(images)]
            factors = naive_networks.dropped(SEED, sequence, k, 0.4, 4, (6, 5))
            twin.step([x.ravel() for x in images], LABELS[items], factors)
    # Five steps on which errors grow by less than 2⁵ a step, of sums of at most 64 numbers below 8.
    bound = 5 * 2**5 * 64 * 8 * EPS
    for row, twin in enumerate(twins):
        np.testing.assert_allclose(of.position(state)[row], twin.position(), rtol=0, atol=bound)


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("options", [{}, {"augment": Augmentation(1, True), "momentum": 0.9}, {"dropout": 0.0}])
def test_every_iterate_is_the_naive_one_to_the_bit(order, options, monkeypatch):
    monkeypatch.setattr(plans, "MOST_ROWS", 5)
    monkeypatch.setattr(plans, "LEAST_ROWS", 1)
    of = model(**{"augment": Augmentation(2, False)} | options)
    how = {"batch_size": 3, "n_steps": 12, "seed": SEED, "save_steps": "all", "keep_states": True}
    found = train(of, order=order, n_starts=2, n_sequences=2, **how)
    for start in range(2):
        for sequence in range(2):
            for n in range(13):
                state = naive_networks.iterate(of, order, n, batch_size=3, seed=SEED, start=start, sequence=sequence)
                assert (found.states[start, sequence, n] == of.position(state)[0]).all()


def test_another_place_is_another_map():
    """The control: the step reads seed, sequence and step."""
    of = model(augment=Augmentation(1, True))
    places = [StepNoise(SEED, 0, 3), StepNoise(SEED + 1, 0, 3), StepNoise(SEED, 1, 3), StepNoise(SEED, 0, 4)]
    found = [of.position(of.step(of.start(1, seed=1), [1, 2, 5], 0, step_noise=place)) for place in places]
    assert (np.abs(np.diff(found, axis=0)).max(axis=2) > 1e-4).all()


class Interrupt(Exception):
    pass


def test_an_interrupted_run_goes_on_with_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "MOST_ROWS", 5)
    of = model(augment=Augmentation(1, True))
    how = {"batch_size": 3, "n_steps": 40, "save_steps": "all", "order": "backward", "seed": 5}
    whole, advance, left = train(of, **how), of.advance, 100

    def interrupted(*given, **named):
        nonlocal left
        left -= 1
        if left < 0:
            raise Interrupt
        return advance(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(of, "advance", interrupted)
        with pytest.raises(Interrupt):
            train(of, folder=tmp_path, **how)
    assert any(tmp_path.glob("unit-*.npz"))
    again = train(of, folder=tmp_path, **how)
    np.testing.assert_array_equal(again.observables["loss"], whole.observables["loss"])


# ---------------------------------------------------------------------------------------------- beside both orders


def test_coupled_starts_are_two_forward_runs():
    of = model(augment=Augmentation(1, True))
    found = coupled_starts(of, 5, batch_size=3, n_replicas=2, seed=4)
    law = of.sampling(3)
    for r in range(2):
        near = of.start(1, seed=4, start=0)
        far = of.step(near, law.draw(4, r, 5), 0, step_noise=StepNoise(4, r, 5))
        for n in range(6):
            gap = np.linalg.norm(of.position(far) - of.position(near))
            assert found.per_replica[r, n] == pytest.approx(gap, rel=of.n_parameters * EPS)
            place = StepNoise(4, r, n)
            near, far = (of.step(state, law.draw(4, r, n), n, step_noise=place) for state in (near, far))


def test_baselines_and_exponents_read_the_noise():
    of, how = model(), {"batch_size": 3, "seed": 4}
    theta = [of.position(naive_networks.iterate(of, "forward", n, **how))[0] for n in (3, 4)]
    average = tail_average(of, n_steps=4, save_steps=[4], **how)
    # Sums of four positions whose differences are averaged: as many roundings of weights below 4, in 40 losses.
    expected = of.observe(of.at(np.mean(theta, axis=0)))["loss"][0]
    assert average.observables["loss"][0] == pytest.approx(expected, abs=4 * 4 * of.n_parameters * EPS)
    state, law = of.start(1, seed=4), of.sampling(3)
    for k in range(3):
        state = of.step(state, law.draw(4, 0, k), k, 1 - k / 3, step_noise=StepNoise(4, 0, k))
    decay = linear_decay(of, n_steps=3, save_steps=[3], **how)
    assert decay.observables["loss"][0] == of.observe(state)["loss"][0]
    # The control: with a learning rate of next to nothing neighbours keep their distance, whatever is dropped.
    still = lyapunov_exponent(model(step_size=1e-12), 40, n_replicas=2, **how)
    assert abs(still.value) < 1e-6


def test_the_derivative_of_a_noisy_step_is_refused():
    of = model()
    with pytest.raises(ito.InvalidInputError, match="draws dropout or augmentation"):
        step_lipschitz(of, of.position(of.start(1, seed=0))[0], [0, 1])


def test_what_is_seen_is_the_network_without_noise():
    plain, of = model(dropout=0.0), model(augment=Augmentation(1, True))
    state = plain.start(2, seed=3)
    for name, values in plain.observe(state).items():
        np.testing.assert_array_equal(of.observe(state)[name], values)
    theta = plain.position(state)[0]
    np.testing.assert_array_equal(of.gradient(theta), plain.gradient(theta))


def test_digests_tell_noise_apart():
    """And those of models without are what they were before there was any."""
    options = [{}, {"dropout": 0.3}, {"augment": {"padding": 1}}, {"augment": Augmentation(1, False)}]
    assert len({model(**one).digest() for one in options}) == 4
    assert model(hidden=()).digest() == model(hidden=(), dropout=0.0).digest()
    assert not model(hidden=()).draws_noise


def test_presets_may_ask_for_it():
    images = ImageData(IMAGES.astype(np.float32), LABELS, IMAGES[:5].astype(np.float32), LABELS[:5])
    chosen = {"hidden": [4], "step_size": 0.1, "dropout": 0.2, "augment": {"padding": 1, "flip": False}}
    made = preset("digits-mlp").make_model(images, chosen)
    assert made.augment == Augmentation(1, False)
    assert made.dropout == 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"augment": 4}, "augment is an int"),
        ({"augment": {"pad": 4}}, "augment is {'pad': 4}"),
        ({"augment": {"padding": -1}}, "padding is -1"),
        ({"augment": {"padding": 40}}, "padding is 40, and images have"),
        ({"augment": {"flip": 1}}, "flip is 1"),
        ({"augment": {}, "images": IMAGES.reshape(40, -1)}, r"features has shape \(40, 24\)"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        model(**options)


def test_a_step_that_needs_its_place_says_so():
    of = model()
    with pytest.raises(ito.InvalidInputError, match=r"give StepNoise\(seed, sequence, step\)"):
        of.step(of.start(1, seed=0), [0, 1], 0)


@pytest.mark.parametrize("shape", [(20, 8, 8, 1), (20, 8, 8, 3), (20, 32, 32, 3)])
def test_images_with_channels_last_are_refused(shape):
    with pytest.raises(ito.InvalidInputError, match=r"images are \(n, C, H, W\).*moveaxis"):
        Augmentation(padding=1).image_shape(shape)


@pytest.mark.parametrize("shape", [(20, 1, 8, 8), (20, 3, 32, 32), (20, 4, 8, 3), (20, 16, 8, 8), (20, 8, 8)])
def test_images_with_channels_first_are_taken(shape):
    assert Augmentation(padding=1).image_shape(shape)[1:] == shape[-2:]
