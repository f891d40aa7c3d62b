"""`TorchModel`: any module of PyTorch as a random map on all of its state."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from iterorder import noise
from iterorder.arrays import as_array
from iterorder.errors import InvalidInputError
from iterorder.networks.augmentation import Augmentation, as_augmentation
from iterorder.networks.data_arguments import as_items
from iterorder.networks.model import State, n_replicas_of
from iterorder.networks.step_noise import StepNoise, check_step_noise, items_of_replicas
from iterorder.networks.torch_checks import check_initialisers, check_loss, check_no_noise, outputs_of
from iterorder.networks.torch_dropout import TorchDropout
from iterorder.networks.torch_engines import gradients_by
from iterorder.networks.torch_optimizer import TorchOptimizer
from iterorder.networks.torch_parts import as_device, as_loss, engine_of, part_of, row_of, text_of
from iterorder.sampling import Sampling
from iterorder.shown import a_kind
from iterorder.tables import check_same_rows
from iterorder.types import ArrayLike, FloatArray, IntArray, Seed
from iterorder.validation import as_choice, as_floats, as_int, as_seed

ENGINES = ("auto", "vmap", "loop")
#: Items of the test set that are evaluated at once.
TEST_CHUNK = 500
#: Items of the passes in which a module is tried.
TRIED = 4
PARAMETER, BUFFER = "parameter", "buffer"


class TorchModel:
    """A module, its optimiser and its data as a map on (parameters, buffers, state of the optimiser).

    Running statistics of BatchNorm, velocities, moments and counters are part of the state, with a leading axis of
    replicas like the parameters: without them the step would not be a function of its state.

    Parameters
    ----------
    module : torch.nn.Module
        Copied. Its dropout layers (``nn.Dropout``, and those of one to three dimensions, which drop channels) read the
        package's noise of the step instead of PyTorch's generator. Whatever else draws random numbers in training is
        refused, as these would not be functions of their index.
    loss : callable or "cross-entropy"
        ``loss(outputs, labels)``, the mean over the batch.
    features, labels : array_like or Tensor, shape (n, ...)
        The training set: what the module is given, and what the loss compares its outputs with.
    optimizer : dict
        ``{"name": "sgd", "lr": …, "momentum": 0, "nesterov": False, "weight_decay": 0}``, or "adam" or "adamw" with
        lr, betas, eps, weight_decay: as the classes of `torch.optim`.
    test : (features, labels), optional
        What `observe` evaluates, in evaluation mode; without it the training set.
    augment : Augmentation, optional
        Random crops and flips of the images of a batch; `features` is then (n, C, H, W) or (n, H, W).
    init : callable, optional
        ``init(module)`` sets start weights in place, by PyTorch's generator, which is seeded for each start. Default:
        ``reset_parameters`` of all submodules.
    device : str
        Where it runs: "cpu", "cuda" or "cuda:1".
    engine : {"auto", "vmap", "loop"}
        All replicas at once by torch.func.vmap, or one after the other. By measurement on processors, vmap is many
        times faster for dense layers and slower for convolutions: "auto" loops where there is one on the processor.

    Raises
    ------
    InvalidInputError
        If an argument is not as described, or the step draws random numbers.
    BackendUnavailableError
        If PyTorch is missing.

    Notes
    -----
    `observe` records ``loss``, with labels of classes ``accuracy``, and ``norm`` of the parameters. Bits of a step by
    vmap may depend on the number of replicas; those of the loop do not. On a GPU, cuDNN's deterministic algorithms are
    used.
    """

    side_by_side = False

    def __init__(
        self,
        module: torch.nn.Module,
        loss: Callable[[Any, Any], Any] | str,
        features: ArrayLike | torch.Tensor,
        labels: ArrayLike | torch.Tensor,
        *,
        optimizer: Mapping[str, Any],
        test: tuple[ArrayLike | torch.Tensor, ArrayLike | torch.Tensor] | None = None,
        augment: Augmentation | Mapping[str, Any] | None = None,
        init: Callable[[torch.nn.Module], object] | None = None,
        device: str = "cpu",
        engine: str = "auto",
    ) -> None:
        if not isinstance(module, torch.nn.Module):
            raise InvalidInputError(f"module is {a_kind(module)}: give a torch.nn.Module")
        self._device = as_device(device)
        self._training = copy.deepcopy(module).to(self._device).train()
        self._dropout = TorchDropout(self._training)
        self._evaluated = copy.deepcopy(module).to(self._device).eval()
        self._loss = as_loss(loss)
        self.optimizer = TorchOptimizer.of(optimizer)
        check_same_rows(features, "labels", labels)
        self._features, self._labels = self._tensor("features", features), self._tensor("labels", labels)
        if len(self._features) != len(self._labels):
            raise InvalidInputError(
                f"labels has {len(self._labels)} entries: give one for each of the {len(self._features)} features"
            )
        self.n_items = len(self._features)
        self.augment = as_augmentation(augment)
        self._image = None if self.augment is None else self.augment.image_shape(tuple(self._features.shape))
        self.draws_noise = bool(self._dropout) or self.augment is not None
        if test is not None and (not isinstance(test, (tuple, list)) or len(test) != 2):
            raise InvalidInputError("test is no pair: give (features, labels), or None for the training set")
        if test is not None:
            check_same_rows(test[0], "test[1]", test[1], of="test[0]")
        self._test = (
            (self._features, self._labels)
            if test is None
            else (self._tensor("test[0]", test[0]), self._tensor("test[1]", test[1]))
        )
        self.init = init
        self.names = [name for name, _ in self._training.named_parameters()]
        if not self.names:
            raise InvalidInputError("module has no parameters: there is nothing to train")
        self.engine = engine_of(as_choice("engine", engine, ENGINES), module, self._device)
        if init is None:
            check_initialisers(self._training)
        outputs = check_no_noise(self._training, self._dropout, self._features[:TRIED])
        check_loss("labels", loss, self._loss, outputs, self._labels)
        outputs = outputs_of("test[0]" if test else "features", self._evaluated, self._test[0][:TRIED])
        check_loss("test[1]" if test else "labels", loss, self._loss, outputs, self._test[1])
        self._gradients = gradients_by(self.engine, self._training, self._loss, self._dropout)
        self._digest = self._made_digest(module, loss)

    def __repr__(self) -> str:
        count = sum(p.numel() for p in self._training.parameters())
        name = type(self._training).__name__
        return f"TorchModel({name}, {count} parameters, {self.optimizer.name}, {self.engine}, {self.device})"

    @property
    def device(self) -> str:
        """Where it runs: "cpu", or the name of the GPU."""
        return torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else str(self._device)

    #: Weight decay is part of the gradient and so of the velocity, as in `torch.optim.SGD`.
    coupled_decay = True

    @property
    def momentum(self) -> float:
        """Of SGD, as `step_lipschitz` reads it."""
        self._check_plain_sgd()
        return float(self.optimizer.settings["momentum"])

    @property
    def weight_decay(self) -> float:
        """Of SGD."""
        return float(self.optimizer.settings["weight_decay"])

    def _check_plain_sgd(self) -> None:
        if self.optimizer.name != "sgd" or self.optimizer.settings["nesterov"]:
            raise AttributeError("momentum")  # of another optimiser the derivative of the step is not known

    @property
    def step_sizes(self) -> FloatArray:
        """The step size, as `step_lipschitz` reads it."""
        return np.array([self.optimizer.settings["lr"]])

    def sampling(self, batch_size: int, sampling: str = "iid") -> Sampling:
        """The law of the batches: its ``draw(seed, sequence, step)`` are the items of a step."""
        return Sampling.validated(self.n_items, batch_size=batch_size, kind=sampling)

    def start(self, n_replicas: int, *, seed: Seed, start: int = 0) -> State:
        """`n_replicas` times the start of that number, by PyTorch's initialisers: a function of the seed and number."""
        n_replicas = as_int("n_replicas", n_replicas, low=1, high=2**31 - 1)
        start = as_int("start", start, low=0, high=noise.MAX_REPLICAS - 1)
        fresh = copy.deepcopy(self._training).cpu()
        with torch.random.fork_rng(devices=[]):  # on the processor, so that devices begin alike
            torch.manual_seed(noise.start_seed(as_seed(seed), start) >> 1)
            if self.init is not None:
                self.init(fresh)
            else:
                for part in fresh.modules():
                    if callable(reset := getattr(part, "reset_parameters", None)):
                        reset()
        state = {f"{PARAMETER}.{name}": value.detach() for name, value in fresh.named_parameters()}
        state |= {f"{BUFFER}.{name}": value.detach() for name, value in fresh.named_buffers()}
        rows = {name: torch.stack([value] * n_replicas).to(self._device) for name, value in state.items()}
        parameters = {name: rows[f"{PARAMETER}.{name}"] for name in self.names}
        return {**rows, **self.optimizer.start(parameters)}

    def step(
        self,
        state: State,
        items: ArrayLike,
        k: int | IntArray,
        factor: ArrayLike | None = None,
        step_noise: StepNoise | None = None,
    ) -> State:
        """The map of step k; `factor`, a number or one for each replica, multiplies the step size.

        `step_noise` is where dropout and augmentation are read.
        """
        items = as_items(items, self.n_items, n_replicas_of(state))
        return self.advance(state, items, k, factor, step_noise)

    def advance(
        self,
        state: State,
        items: ArrayLike,
        k: int | IntArray,
        factor: ArrayLike | None = None,
        step_noise: StepNoise | None = None,
    ) -> State:
        """`step` without a check of the items; it writes to no state."""
        check_step_noise(self, step_noise)
        items = np.asarray(items, np.int64)
        if self.draws_noise:
            items = items_of_replicas(items, step_noise, n_replicas_of(state)).copy()
        index = torch.as_tensor(items, device=self._device)
        x, y = self._moved(self._features[index], step_noise), self._labels[index]
        parameters, buffers = part_of(state, PARAMETER), part_of(state, BUFFER)
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False):
            factors = self._dropout.factors(step_noise, items.shape[-1], parameters[self.names[0]])
            each = step_noise is not None and not step_noise.is_shared
            gradients, buffers = self._gradients(parameters, buffers, factors, x, y, each, index.ndim == 2)
            self._dropout.forget()
        rest = {name: value for name, value in state.items() if not name.startswith((f"{PARAMETER}.", f"{BUFFER}."))}
        parameters, rest = self.optimizer.step(parameters, gradients, rest, factor)
        with_names = {f"{PARAMETER}.{name}": value for name, value in parameters.items()}
        return {**with_names, **{f"{BUFFER}.{name}": value for name, value in buffers.items()}, **rest}

    def take(self, state: State, rows: ArrayLike) -> State:
        """A copy of some replicas, in the order of `rows`."""
        index = torch.as_tensor(np.array(rows, np.int64, order="C", copy=True), device=self._device)
        return {name: value[index] for name, value in state.items()}

    def join(self, first: State, second: State) -> State:
        """The replicas of both, one after the other."""
        return {name: torch.cat([value, second[name]]) for name, value in first.items()}

    def placed(self, state: Mapping[str, np.ndarray]) -> State:
        """A state on the device of the model, from arrays of NumPy."""
        return {name: torch.as_tensor(np.array(value), device=self._device) for name, value in state.items()}

    def position(self, state: State) -> FloatArray:
        """The parameters of each replica in the order of the module, shape (R, P)."""
        rows = [state[f"{PARAMETER}.{name}"].reshape(n_replicas_of(state), -1) for name in self.names]
        return torch.cat(rows, dim=1).cpu().numpy()

    def at(self, positions: ArrayLike) -> State:
        """The state with these parameters, shape (P,) or (R, P), and the optimiser's state at its start.

        Raises
        ------
        InvalidInputError
            If the module has buffers: those that belong to the parameters are not known.
        """
        positions = np.atleast_2d(as_floats("positions", positions, ndim=(1, 2)))
        state = self.start(len(positions), seed=0)
        if any(name.startswith(f"{BUFFER}.") for name in state):
            raise InvalidInputError("the module has buffers, such as those of BatchNorm: parameters are not all of it")
        used = 0
        for name in self.names:
            target = state[f"{PARAMETER}.{name}"]
            size = target[0].numel()
            part = torch.as_tensor(positions[:, used : used + size], device=self._device)
            target.copy_(part.reshape(target.shape))
            used += size
        if used != positions.shape[1]:
            raise InvalidInputError(f"positions has shape {positions.shape}: give {used} parameters a replica")
        return state

    def observe(self, state: State) -> dict[str, FloatArray]:
        """Loss on the test set in evaluation mode, accuracy where labels are classes, the norm of the parameters."""
        parameters, buffers = part_of(state, PARAMETER), part_of(state, BUFFER)
        rows = [self._evaluate(row_of(parameters, r), row_of(buffers, r)) for r in range(n_replicas_of(state))]
        found = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        squares = sum((value.double().flatten(1) ** 2).sum(dim=1) for value in parameters.values())
        return {**found, "norm": torch.sqrt(torch.as_tensor(squares)).cpu().numpy()}

    @torch.no_grad()
    def _evaluate(self, parameters, buffers) -> dict[str, float]:
        x, y = self._test
        classes = not y.is_floating_point()
        loss = right = 0.0
        for first in range(0, len(y), TEST_CHUNK):
            part, labels = x[first : first + TEST_CHUNK], y[first : first + TEST_CHUNK]
            outputs = torch.func.functional_call(self._evaluated, (parameters, buffers), (part,))
            loss += float(self._loss(outputs, labels).double()) * len(labels)
            if classes:
                right += int((outputs.argmax(dim=1) == labels).sum())
        found = {"loss": loss / len(y)}
        if classes:
            found["accuracy"] = right / len(y) if np.isfinite(loss) else np.nan
        return found

    def digest(self) -> str:
        """Of the module's text, its shapes, the optimiser, the engine and the data; PyTorch's version included."""
        return self._digest

    def bytes_per_replica(self) -> int:
        """The state and a gradient beside it; what the layers keep for the backward pass comes on top."""
        parameters = sum(p.numel() * p.element_size() for p in self._training.parameters())
        buffers = sum(b.numel() * b.element_size() for b in self._training.buffers())
        return (2 + self.optimizer.copies) * parameters + buffers

    def hessian_products(
        self, position: ArrayLike, directions: ArrayLike, items: ArrayLike | None = None
    ) -> FloatArray:
        """H·v for each direction v, exactly and in float64, of the mean loss of a batch in training mode.

        As `MLP.hessian_products`, by a derivative of the gradient along v. Buffers are those of the module; dropout
        and augmentation are left out.
        """
        from iterorder.networks.torch_hessian import hessian_products

        return hessian_products(self, position, directions, items)

    # ----------------------------------------------------------------------------------------------------- internals

    def _moved(self, x, step_noise: StepNoise | None):
        """The images of a batch as the step moves them, to the bit."""
        if self.augment is None or self._image is None or step_noise is None:
            return x
        _, height, width = self._image
        sources = self.augment.sources(step_noise, x.shape[x.ndim - self._features.ndim], height, width)
        images = x.reshape(*x.shape[: x.ndim - self._features.ndim + 1], *self._image)
        flat = torch.nn.functional.pad(images.flatten(-2), (0, 1))
        index = torch.as_tensor(sources, device=x.device).unsqueeze(-2).expand(*flat.shape[:-1], -1)
        return flat.gather(-1, index).reshape(x.shape)

    def _tensor(self, name: str, value) -> torch.Tensor:
        tensor = value if isinstance(value, torch.Tensor) else torch.as_tensor(np.array(as_array(name, value)))
        if tensor.ndim == 0 or len(tensor) == 0:
            raise InvalidInputError(f"{name} has shape {tuple(tensor.shape)}: give a row for each item")
        return tensor.detach().to(self._device)

    def _made_digest(self, module, loss) -> str:
        kinds = {type(part) for part in module.modules() if not type(part).__module__.startswith("torch.")}
        texts = sorted(text_of(kind) for kind in kinds)
        names = [loss if isinstance(loss, str) else text_of(loss), "" if self.init is None else text_of(self.init)]
        settings = [
            "iterorder.torch/1",
            torch.__version__,
            repr(module),
            {key: list(value.shape) for key, value in module.state_dict().items()},
            str(next(iter(self._training.parameters())).dtype),
            names,
            texts,
            self.optimizer.settings,
            self.optimizer.name,
            self.engine,
            self._device.type,
        ]
        if self.draws_noise:  # without it digests are those of older versions
            settings.append(["step noise/1", repr(self.augment)])
        total = hashlib.sha256(json.dumps(settings).encode())
        for tensor in (self._features, self._labels, *self._test):
            total.update(tensor.cpu().numpy().tobytes())
        return total.hexdigest()
