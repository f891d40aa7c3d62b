"""Modules of PyTorch: against PyTorch's own optimisers, in every order, with all of their state."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import iterorder as ito
from iterorder.networks import MLP, coupled_starts, hessian_ends, lyapunov_exponent, step_lipschitz, tail_average, train
from tests import naive_networks

torch = pytest.importorskip("torch", reason="needs PyTorch: pip install iterorder[torch]")

from torch import nn  # noqa: E402

from iterorder.networks.resnet import resnet18, resnet50, small_cnn  # noqa: E402
from iterorder.networks.settings import preset  # noqa: E402
from iterorder.networks.torch_model import TorchModel  # noqa: E402

torch.set_num_threads(1)  # modules of a few numbers: the second thread only waits

RNG = np.random.default_rng(3)
FEATURES, LABELS = RNG.normal(size=(40, 5)), RNG.integers(0, 3, 40)
IMAGES = RNG.normal(size=(24, 3, 8, 8)).astype(np.float32)
CLASSES = RNG.integers(0, 10, 24)
SEED = 11
ORDERS = ["forward", "backward", ito.Window(3), ito.Window(start=5)]
OPTIMIZERS = [
    {"name": "sgd", "lr": 0.1},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    {"name": "adam", "lr": 0.01, "weight_decay": 0.01},
    {"name": "adamw", "lr": 0.01, "betas": (0.8, 0.9)},
]


def dense():
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def normed():
    return nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)).double()


def model(module=None, **options):
    options = {"optimizer": {"name": "sgd", "lr": 0.1}} | options
    return TorchModel(dense() if module is None else module, "cross-entropy", FEATURES, LABELS, **options)


def torch_optimizer(settings, parameters):
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings["name"]]
    return kind(parameters, **{key: value for key, value in settings.items() if key != "name"})


def loaded(module, state, row=0):
    """A copy of a module with the parameters and buffers of one replica."""
    module = copy.deepcopy(module).train()
    with torch.no_grad():
        for kind, values in (("parameter", module.named_parameters()), ("buffer", module.named_buffers())):
            for name, value in values:
                value.copy_(state[f"{kind}.{name}"][row])
    return module


@pytest.mark.parametrize("engine", ["vmap", "loop"])
@pytest.mark.parametrize("settings", OPTIMIZERS, ids=lambda s: f"{s['name']}-{len(s)}")
@pytest.mark.parametrize("make", [dense, normed])
def test_steps_are_those_of_torch_optim(engine, settings, make):
    of = model(make(), optimizer=settings, engine=engine)
    state = of.start(3, seed=1)
    module = loaded(of._training, state)
    optimizer = torch_optimizer(settings, module.parameters())
    for k in range(6):
        items = np.random.default_rng(k).integers(0, 40, 5)
        state = of.step(state, items if k % 2 else np.tile(items, (3, 1)), k)
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(torch.as_tensor(FEATURES[items])), torch.as_tensor(LABELS[items])).backward()
        optimizer.step()
    # Six steps that are rounded otherwise. A bias before BatchNorm has the gradient zero, and Adam divides its
    # rounding, of sums of at most 64 numbers below one, by no less than 10⁻⁸.
    eps = np.finfo(float).eps
    bound = 2**20 * eps if settings["name"] == "sgd" else 6 * settings["lr"] * 64 * eps / 1e-8
    for row in range(3):
        for name, value in module.named_parameters():
            np.testing.assert_allclose(state[f"parameter.{name}"][row], value.detach(), rtol=0, atol=bound)
        for name, value in module.named_buffers():
            np.testing.assert_allclose(state[f"buffer.{name}"][row], value, rtol=0, atol=bound)


def test_another_optimiser_would_be_seen():
    """The control of the test above."""
    first, second = (model(optimizer=settings) for settings in OPTIMIZERS[1:3])
    states = []
    for of in (first, second):
        state = of.start(1, seed=1)
        for k in range(6):
            state = of.step(state, [k, k + 1], k)
        states.append(of.position(state))
    assert np.abs(states[0] - states[1]).max() > 1e-4


def test_a_step_is_that_of_the_array_code():
    """The same network from the same weights, in the two implementations."""
    own = MLP(FEATURES, LABELS, hidden=(6,), step_size=0.1, activation="tanh", dtype="float64")
    of = model()
    theta = own.position(own.start(1, seed=1, start=0))
    first, second = own.at(theta), of.at(theta)
    for k in range(5):
        first, second = own.step(first, [k, k + 3], k), of.step(second, [k, k + 3], k)
    bound = 5 * 2**5 * 64 * 8 * np.finfo(float).eps  # as for the array code against its twin
    np.testing.assert_allclose(of.position(second), own.position(first), rtol=0, atol=bound)
    for name, values in own.observe(first).items():
        np.testing.assert_allclose(of.observe(second)[name], values, rtol=64 * 40 * np.finfo(float).eps)
    v = np.random.default_rng(1).normal(size=theta.shape[1])
    np.testing.assert_allclose(
        of.hessian_products(theta[0], v, [1, 2]), own.hessian_products(theta[0], v, [1, 2]), atol=1e3 * 64 * 2.0**-52
    )
    assert hessian_ends(of, theta[0]) == pytest.approx(hessian_ends(own, theta[0]), rel=1e-9)
    assert step_lipschitz(of, theta[0], [1, 2]) == pytest.approx(step_lipschitz(own, theta[0], [1, 2]), rel=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_norm_of_a_step_with_decay_in_its_gradient(momentum):
    """By differences of the step on parameters and velocities."""
    of = model(optimizer={"name": "sgd", "lr": 0.3, "momentum": momentum, "weight_decay": 0.2})
    theta, h = of.position(of.start(1, seed=1))[0], 2.0**-17
    state = of.at(theta)
    size = sum(value.numel() for value in state.values())

    def moved(direction):
        there, used = {}, 0
        for name, value in state.items():
            part = torch.as_tensor(direction[used : used + value.numel()])
            there[name] = value + part.reshape(value.shape)
            used += value.numel()
        after = of.step(there, [1, 5, 9], 0)
        return torch.cat([after[name].reshape(-1) for name in state]).numpy()

    derivative = np.array([(moved(h * e) - moved(-h * e)) / (2 * h) for e in np.eye(size)]).T
    bound = size * (256 * h**2 / 6 + 16 * np.finfo(float).eps / h)
    assert step_lipschitz(of, theta, [1, 5, 9]) == pytest.approx(np.linalg.norm(derivative, 2), abs=bound)


def test_of_adam_no_norm_of_a_step_is_told():
    of = model(optimizer={"name": "adam", "lr": 0.01})
    with pytest.raises(ito.InvalidInputError, match="derivative of its step"):
        step_lipschitz(of, of.position(of.start(1, seed=1))[0], [1])


@pytest.mark.parametrize("order", ORDERS, ids=str)
@pytest.mark.parametrize("settings", [OPTIMIZERS[1], OPTIMIZERS[3]], ids=["sgd", "adam"])
def test_every_iterate_is_the_naive_one(order, settings):
    """To the bit by the loop; with BatchNorm, whose statistics are part of the state."""
    of = model(normed(), optimizer=settings, engine="loop")
    found = train(of, batch_size=4, n_steps=9, order=order, save_steps="all", keep_states=True, seed=SEED, n_starts=2)
    for start in range(2):
        for n in range(10):
            state = naive_networks.iterate(of, order, n, batch_size=4, seed=SEED, start=start)
            assert (found.states[start, 0, n] == of.position(state)[0]).all()
            for name, values in of.observe(state).items():
                assert found.observables[name][start, 0, n] == values[0]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_vmap_differs_from_the_loop_by_rounding(order):
    options = {"batch_size": 4, "n_steps": 9, "save_steps": "all", "keep_states": True, "seed": SEED}
    apart, together = (train(model(normed(), engine=engine), order=order, **options) for engine in ("loop", "vmap"))
    # Nine steps on which errors grow by less than four a step, as BatchNorm divides by the spread of four items.
    np.testing.assert_allclose(together.states, apart.states, rtol=0, atol=4.0**9 * 64 * np.finfo(float).eps)
    assert apart.digest != together.digest


def test_without_the_statistics_the_order_would_not_be_composed():
    """The control: observing with the module's own statistics gives other losses."""
    of = model(normed())
    state = naive_networks.iterate(of, "backward", 9, batch_size=4, seed=SEED)
    fresh = of.start(1, seed=SEED)
    mixed = {**state, **{name: value for name, value in fresh.items() if name.startswith("buffer.")}}
    assert abs(of.observe(state)["loss"][0] - of.observe(mixed)["loss"][0]) > 1e-3


def test_an_interrupted_run_goes_on_with_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("iterorder.networks.walk.CHECKPOINT_SECONDS", 0.0)
    of = model(normed(), optimizer=OPTIMIZERS[1], engine="loop")
    options = {"batch_size": 4, "n_steps": 12, "order": "backward", "save_steps": "all", "keep_states": True}
    whole = train(of, seed=SEED, **options)
    left = [7]

    class Killed(Exception):
        pass

    class Limited:
        def __getattr__(self, name):
            return getattr(of, name)

        def advance(self, state, items, k):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return of.advance(state, items, k)

    with pytest.raises(Killed):
        train(Limited(), seed=SEED, folder=tmp_path, **options)
    left[0] = 5
    found = train(Limited(), seed=SEED, folder=tmp_path, **options)
    assert (found.states == whole.states).all()
    assert (found.observables["loss"] == whole.observables["loss"]).all()


def test_starts_are_functions_of_seed_and_number_and_leave_torchs_generator_alone():
    of = model()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (of.position(of.start(1, seed=1, start=k)) for k in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert torch.equal(before, torch.random.get_rng_state())


def test_own_initialisers():
    def zero(module):
        with torch.no_grad():
            for value in module.parameters():
                value.zero_()

    of = model(init=zero)
    assert not of.position(of.start(1, seed=1)).any()

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3, dtype=torch.float64))
            self.inner = nn.Linear(5, 3).double()

        def forward(self, x):
            return self.scale * self.inner(x)

    with pytest.raises(ito.InvalidInputError, match="module Bare holds scale and has no reset_parameters"):
        model(Bare())
    assert model(Bare(), init=zero).position(model(Bare(), init=zero).start(1, seed=1)).shape == (1, 21)


def test_coupled_starts_exponents_and_averages_take_modules():
    of = model(nn.Linear(5, 3).double(), optimizer={"name": "sgd", "lr": 0.2, "weight_decay": 0.5})
    coupling = coupled_starts(of, 60, batch_size=4, n_replicas=2, seed=1)
    assert coupling.distance[-1] < 0.9**60 * 1.01 * coupling.distance[0]  # 1 − h·decay = .9
    rate = lyapunov_exponent(of, 100, batch_size=4, n_replicas=2, seed=1)
    assert rate.value == pytest.approx(np.log(0.9), abs=0.02)
    assert np.isfinite(tail_average(of, batch_size=4, n_steps=5, seed=1).observables["loss"]).all()
    with pytest.raises(ito.InvalidInputError, match="has buffers"):
        tail_average(model(normed()), batch_size=4, n_steps=5, seed=1)


@pytest.mark.parametrize(
    ("make", "count"),
    [(lambda: small_cnn(width=4), None), (lambda: resnet18(width=4), None), (lambda: resnet50(10, width=2), None)],
    ids=["cnn", "resnet18", "resnet50"],
)
def test_convolutional_networks_train_in_both_orders(make, count):
    of = TorchModel(make(), "cross-entropy", IMAGES, CLASSES, optimizer=OPTIMIZERS[1])
    assert of.engine == "loop"
    options = {"batch_size": 4, "n_steps": 3, "save_steps": [2], "pairs": True, "seed": 1}
    runs = [train(of, order=order, **options) for order in ("forward", "backward")]
    for run in runs:
        assert np.isfinite(run.observables["loss"]).all()
        assert np.isfinite(run.moves[0, 0, 0])
    assert runs[0].observables["loss"][0, 0, -1] != runs[1].observables["loss"][0, 0, -1]


def test_residual_networks_have_the_numbers_of_parameters_of_the_paper():
    """Of their forms for 32 × 32 pixels: 3 × 3 and 64 channels first; counted layer by layer in He et al.'s blocks."""

    def stage(inputs, outputs):
        first = 9 * inputs * outputs + 9 * outputs**2 + 4 * outputs
        shortcut = inputs * outputs + 2 * outputs if inputs != outputs else 0
        return first + shortcut + 18 * outputs**2 + 4 * outputs

    expected = 27 * 64 + 128 + sum(stage(*pair) for pair in ((64, 64), (64, 128), (128, 256), (256, 512))) + 5130
    assert sum(p.numel() for p in resnet18().parameters()) == expected == 11_173_962
    assert sum(p.numel() for p in resnet50().parameters()) == 23_705_252
    assert resnet18(7, width=4)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize("name", ["cifar10-resnet18", "cifar100-resnet50", "cifar10-cnn"])
def test_presets_of_modules_make_their_models(name):
    from iterorder.networks.data import ImageData

    found = preset(name)
    images = ImageData(IMAGES, CLASSES, IMAGES[:4], CLASSES[:4])
    settings = found.model if name == "cifar10-cnn" else {**found.model, "width": 2}
    of = found.make_model(images, settings)
    assert of.observe(of.start(1, seed=0))["loss"].shape == (1,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": {"name": "lion", "lr": 1.0}}, "optimizer is 'lion'"),
        ({"optimizer": {"name": "sgd"}}, "has no lr"),
        ({"optimizer": {"name": "sgd", "lr": -1.0}}, "optimizer lr is -1.0"),
        ({"optimizer": {"name": "adam", "lr": 1.0, "momentum": 0.9}}, "has 'momentum'"),
        ({"optimizer": {"name": "sgd", "lr": 1.0, "momentum": 1.5}}, "momentum is 1.5"),
        ({"optimizer": 0.1}, "optimizer is 'a float'"),
        ({"engine": "jit"}, "engine is 'jit'"),
        ({"device": "abacus"}, "device is 'abacus'"),
        ({"test": 3}, "test is no pair"),
        ({"module": nn.Sequential(nn.Linear(5, 3), nn.RReLU()).double()}, "draws random numbers"),
        ({"module": nn.ReLU()}, "no parameters"),
    ],
)
def test_arguments_are_checked(options, message):
    with pytest.raises(ito.InvalidInputError, match=message):
        model(options.pop("module", None), **options)


def test_other_arguments_are_checked():
    with pytest.raises(ito.InvalidInputError, match="module is an int"):
        TorchModel(3, "cross-entropy", FEATURES, LABELS, optimizer=OPTIMIZERS[0])
    with pytest.raises(ito.InvalidInputError, match="loss is 'mse'"):
        TorchModel(dense(), "mse", FEATURES, LABELS, optimizer=OPTIMIZERS[0])
    with pytest.raises(ito.InvalidInputError, match="labels has 3"):
        TorchModel(dense(), "cross-entropy", FEATURES, LABELS[:3], optimizer=OPTIMIZERS[0])
    of = model()
    with pytest.raises(ito.InvalidInputError, match="items holds 0…40"):
        of.step(of.start(1, seed=0), [0, 40], 0)
    if not torch.cuda.is_available():
        with pytest.raises(ito.BackendUnavailableError, match="sees no GPU"):
            model(device="cuda")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": FEATURES[:, :4]}, r"does not take features with a batch of shape \(4, 4\).*PyTorch"),
        ({"features": FEATURES.astype(np.float32)}, r"parameters are torch.float64.*torch.float32.*PyTorch"),
        ({"labels": np.append(LABELS[:-1], 3)}, "labels holds class 3, and module gives 3 outputs"),
        ({"labels": LABELS - 1}, "labels holds class -1"),
        ({"labels": LABELS.astype(float)}, r"labels of shape \(4,\) and torch.float64 \(PyTorch.*int64"),
        ({"test": (FEATURES[:, :4], LABELS)}, r"does not take test\[0\]"),
        ({"test": (FEATURES, LABELS + 5)}, r"test\[1\] holds class [5-7]"),
        ({"loss": lambda outputs, labels: outputs.sum(dim=1)}, r"loss returned shape \(4,\)"),
    ],
)
def test_data_that_do_not_fit_the_module_are_told_before_a_run(change, message):
    """The same model with data that fit is the control."""
    how = {"loss": "cross-entropy", "features": FEATURES, "labels": LABELS, "optimizer": OPTIMIZERS[0]}
    assert TorchModel(dense(), **how).n_items == 40
    with pytest.raises(ito.InvalidInputError, match=message):
        TorchModel(dense(), **how | change)


def test_an_error_in_a_forward_pass_of_ones_own_stays_what_it_is():
    class Broken(nn.Linear):
        def forward(self, x):
            return self.missing(x)

    with pytest.raises(AttributeError, match="missing"):
        model(Broken(5, 3))


def test_the_digest_tells_modules_losses_and_data_apart():
    class Other(nn.Sequential):
        def forward(self, x):
            return 2.0 * super().forward(x)

    same = dense()
    digests = {
        model(same).digest(),
        model(Other(*same)).digest(),
        model(same, optimizer=OPTIMIZERS[1]).digest(),
        TorchModel(
            same, lambda a, b: nn.functional.cross_entropy(a, b), FEATURES, LABELS, optimizer=OPTIMIZERS[0]
        ).digest(),
        TorchModel(same, "cross-entropy", FEATURES + 1, LABELS, optimizer=OPTIMIZERS[0]).digest(),
    }
    assert len(digests) == 5
    assert model(dense()).digest() == model(dense()).digest()


def test_labels_that_are_no_classes():
    of = TorchModel(
        nn.Linear(5, 1).double(), nn.functional.mse_loss, FEATURES, FEATURES[:, :1], optimizer=OPTIMIZERS[0]
    )
    assert set(of.observe(of.start(2, seed=0))) == {"loss", "norm"}
