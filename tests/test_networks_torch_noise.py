"""Dropout layers and augmentation of modules of PyTorch: functions of (seed, sequence, step), as those of the MLP."""

from __future__ import annotations

import numpy as np
import pytest

import iterorder as ito
from iterorder.networks import MLP, Augmentation, StepNoise, step_lipschitz, train
from iterorder.networks.data import ImageData
from iterorder.networks.settings import preset
from tests import naive_networks

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install iterorder[torch]")

from torch import nn  # noqa: E402

from iterorder.networks.torch_model import TorchModel  # noqa: E402

torch.set_num_threads(1)  # modules of a few numbers: the second thread only waits

RNG = np.random.default_rng(3)
IMAGES, LABELS = RNG.normal(size=(24, 2, 4, 4)), RNG.integers(0, 3, 24)
ORDERS = ["forward", "backward", ito.Window(3), ito.Window(start=5)]
SEED = 11
EPS = np.finfo(float).eps


def dense():
    layers = (nn.Flatten(), nn.Linear(32, 6), nn.Tanh(), nn.Dropout(0.4), nn.Linear(6, 5), nn.Tanh(), nn.Dropout(0.4))
    return nn.Sequential(*layers, nn.Linear(5, 3)).double()


def convolving():
    layers = (nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.5), nn.Flatten(), nn.Linear(16, 3))
    return nn.Sequential(*layers).double()


def model(module=None, **options):
    options = {"optimizer": {"name": "sgd", "lr": 0.1}} | options
    return TorchModel(dense() if module is None else module, "cross-entropy", IMAGES, LABELS, **options)


@pytest.mark.parametrize("engine", ["vmap", "loop"])
@pytest.mark.parametrize("augment", [None, Augmentation(1, True)])
def test_a_step_is_that_of_the_array_code_which_has_a_twin(engine, augment):
    """The same words feed the same units, shared by the replicas or one place for each."""
    own = MLP(IMAGES, LABELS, hidden=(6, 5), step_size=0.1, activation="tanh", dtype="float64", dropout=0.4,
              augment=augment)  # fmt: skip
    of = model(engine=engine, augment=augment)
    theta = own.position(own.start(3, seed=1))
    first, second = own.at(theta), of.at(theta)
    for k in range(5):
        items = np.array([k, k + 3, 9]) if k < 3 else np.array([[k, 1, 2], [3, 4, k + 5], [6, 7, 8]])
        place = StepNoise(SEED, 2 if k % 2 else np.arange(3), k)
        first = own.step(first, items, k, step_noise=place)
        second = of.step(second, items, k, step_noise=place)
    bound = 5 * 2**5 * 64 * 8 * EPS  # as for the array code against its twin
    np.testing.assert_allclose(of.position(second), own.position(first), rtol=0, atol=bound)
    assert np.abs(own.position(first)[1] - own.position(first)[0]).max() > 1e-4  # the places were different


def test_channels_are_dropped_whole():
    """Against a module whose layer multiplies by the factors of the twin, one word a channel."""

    class Given(nn.Module):
        def forward(self, x):
            return x * torch.as_tensor(self.factors)[:, :, None, None]

    of = model(convolving(), engine="loop", augment=Augmentation(1, False))
    state = of.start(1, seed=1)
    twin = convolving().train()
    twin[3] = Given()
    twin.load_state_dict({name.partition(".")[2]: value[0] for name, value in state.items()})
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
    for k in range(4):
        items = [k, k + 1, k + 7]
        state = of.step(state, items, k, step_noise=StepNoise(SEED, 3, k))
        x = np.array([naive_networks.moved(IMAGES[i], SEED, 3, k, slot, 1, False) for slot, i in enumerate(items)])
        twin[3].factors = naive_networks.dropped(SEED, 3, k, 0.5, 3, (4,))[0]
        optimizer.zero_grad()
        nn.functional.cross_entropy(twin(torch.as_tensor(x)), torch.as_tensor(LABELS[items])).backward()
        optimizer.step()
    for name, value in twin.state_dict().items():
        kept = next(values for key, values in state.items() if key.partition(".")[2] == name)
        np.testing.assert_allclose(kept[0], value, rtol=0, atol=4 * 2**5 * 64 * 8 * EPS)


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("make", [dense, convolving])
def test_every_iterate_is_the_naive_one(order, make):
    of = model(make(), engine="loop", augment=Augmentation(1, True))
    how = {"batch_size": 3, "n_steps": 8, "seed": SEED, "save_steps": "all", "keep_states": True}
    found = train(of, order=order, n_sequences=2, **how)
    for sequence in range(2):
        for n in range(9):
            state = naive_networks.iterate(of, order, n, batch_size=3, seed=SEED, sequence=sequence)
            assert (found.states[0, sequence, n] == of.position(state)[0]).all()


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_vmap_differs_from_the_loop_by_rounding(order):
    how = {"batch_size": 3, "n_steps": 8, "seed": SEED, "save_steps": "all", "keep_states": True, "n_sequences": 2}
    apart, together = (train(model(engine=engine), order=order, **how) for engine in ("loop", "vmap"))
    np.testing.assert_allclose(together.states, apart.states, rtol=0, atol=8 * 2**8 * 64 * EPS)


def test_what_is_seen_is_the_network_without_noise():
    of, plain = (
        model(augment=Augmentation(1, True)),
        model(nn.Sequential(*[p for p in dense() if type(p) is not nn.Dropout])),
    )
    theta = of.position(of.start(1, seed=3))
    assert of.observe(of.at(theta))["loss"] == plain.observe(plain.at(theta))["loss"]
    v = np.random.default_rng(1).normal(size=theta.shape[1])
    np.testing.assert_array_equal(of.hessian_products(theta[0], v), plain.hessian_products(theta[0], v))
    with pytest.raises(ito.InvalidInputError, match="draws dropout or augmentation"):
        step_lipschitz(of, theta[0], [0, 1])


def test_digests_tell_noise_apart():
    assert len({model(augment=a).digest() for a in (None, Augmentation(1, True), Augmentation(2, True))}) == 3


def test_presets_of_modules_may_augment():
    images = ImageData(*(np.zeros((4, 3, 32, 32), np.float32), LABELS[:4]) * 2)
    settings = preset("cifar10-cnn").model | {"augment": {"padding": 2}}
    assert preset("cifar10-cnn").make_model(images, settings).augment == Augmentation(2, True)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop, self.inner = nn.Dropout(0.5), nn.Linear(32, 3).double()

    def forward(self, x):
        return self.drop(self.drop(self.inner(x.flatten(1))))


class Turned(Twice):
    def forward(self, x):
        return self.drop(self.inner(x.flatten(1)).T).T


class Functional(Twice):
    def forward(self, x):
        return nn.functional.dropout(self.inner(x.flatten(1)), 0.5, self.training)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Twice(), "calls a dropout layer 2 times"),
        (Turned(), "first axis must be that of the batch"),
        (Functional(), "draws random numbers"),
        (nn.Sequential(nn.Flatten(), nn.Linear(32, 3).double(), nn.AlphaDropout(0.5)), "draws random numbers"),
        (nn.Sequential(nn.Flatten(), nn.Linear(32, 3).double(), nn.Dropout(1.0)), "dropout is 1.0"),
    ],
)
def test_noise_that_has_no_place_is_refused(module, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        model(module)


def test_a_step_that_needs_its_place_says_so():
    of = model()
    with pytest.raises(ito.InvalidInputError, match=r"give StepNoise\(seed, sequence, step\)"):
        of.step(of.start(1, seed=0), [0, 1], 0)
