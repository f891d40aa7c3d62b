"""`MLP`: a multilayer perceptron as array code, all replicas at once; without a hidden layer, softmax regression."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from iterorder import noise
from iterorder.device_arrays import cupy
from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.networks.augmentation import Augmentation, as_augmentation
from iterorder.networks.data_arguments import (
    as_items,
    as_labels,
    as_rows,
    as_step_sizes,
    as_test,
    as_widths,
    check_length,
    classes_of,
)
from iterorder.networks.dropout import as_rate
from iterorder.networks.mlp_arrays import ArrayPasses
from iterorder.networks.model import ArrayStates, State, n_replicas_of, on_host
from iterorder.networks.step_noise import StepNoise, check_step_noise, items_of_replicas
from iterorder.tables import check_same_rows
from iterorder.types import ArrayLike, DTypeLike, FloatArray, IntArray, Seed
from iterorder.validation import as_choice, as_float, as_floats, as_int, as_seed

ACTIVATIONS = ("relu", "tanh")
#: Numbers of the hidden layer that are held while replicas are observed (16 MiB in float32).
OBSERVED_ENTRIES = 2**22


class MLP(ArrayPasses, ArrayStates):
    """SGD on the mean cross-entropy of a multilayer perceptron.

    The step is v ← momentum·v + g, θ ← (1 − h·weight_decay)·θ − h·v with g the gradient of the batch, as in
    `iterorder.Optimizer`; without momentum v is g. Weights and biases start uniform in ±1/√(inputs of the layer).

    Parameters
    ----------
    features : array_like, shape (n, d) or (n, ...)
        Flattened to rows.
    labels : array_like of int, shape (n,)
        Classes 0, 1, …, K − 1.
    hidden : tuple of int
        Widths of the hidden layers. With none this is softmax regression, whose loss is convex: with weight decay it
        contracts for small steps, and is the control beside any network.
    step_size : float > 0, or array_like, shape (N,)
        h, or one for each step; later steps have the last.
    weight_decay, momentum : float ≥ 0; momentum < 1
        λ, by which weights shrink to 1 − h·λ of themselves a step, and the factor of the velocity.
    activation : {"relu", "tanh"}
        Of the hidden layers.
    dropout : float in [0, 1)
        The probability that a hidden unit is dropped for an item of a batch; the others are divided by 1 − dropout.
    augment : Augmentation, optional
        Random crops and flips of the images of a batch; `features` is then (n, C, H, W) or (n, H, W).
    test : (features, labels), optional
        What `observe` evaluates; without it the training set.
    dtype : {"float32", "float64"}
        Of the data, the parameters and every step.
    backend : {"cpu", "cuda"}
        NumPy, or CuPy on a GPU.
    stacked : bool
        True: the bits of a replica do not depend on how many run beside it; on the CPU by compiled kernels, on a GPU by
        matrix products of every replica's own. False: by the matrix products of a BLAS, one for the first layers of all
        replicas that meet one batch.

    Raises
    ------
    InvalidInputError
        If an argument is not as described; the message shows it.
    BackendUnavailableError
        If backend is "cuda" and CuPy is missing.

    Notes
    -----
    `observe` records ``loss`` and ``accuracy`` on the test set and ``norm``, the Euclidean norm of the parameters.
    Dropout and augmentation belong to the training step alone: `observe`, `gradient` and `hessian_products` are of the
    network and the images as they are. A step that draws them needs their place, a `StepNoise`; `train` gives it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> model = MLP(rng.normal(size=(50, 4)), rng.integers(0, 3, 50), hidden=(8,), step_size=0.1)
    >>> state = model.start(2, seed=1, start=0)
    >>> model.position(model.step(state, [3, 5, 8], 0)).shape
    (2, 67)
    """

    def __init__(
        self,
        features: ArrayLike,
        labels: ArrayLike,
        *,
        hidden: Sequence[int] = (32,),
        step_size: ArrayLike,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        activation: str = "relu",
        dropout: float = 0.0,
        augment: Augmentation | Mapping[str, Any] | None = None,
        test: tuple[ArrayLike, ArrayLike] | None = None,
        dtype: DTypeLike = "float32",
        backend: str = "cpu",
        stacked: bool = True,
    ) -> None:
        self.dtype = np.dtype(as_choice("dtype", dtype, ("float32", "float64")))
        self.dropout, self.augment = as_rate(dropout), as_augmentation(augment)
        self._image = self.augment.image_shape(np.shape(features)) if self.augment is not None else None
        check_same_rows(features, "labels", labels)
        features, labels = as_rows("features", features, self.dtype), as_labels("labels", labels)
        check_length("labels", labels, features)
        self.n_items, width = features.shape
        test_features, test_labels = as_test(test, features, labels, self.dtype)
        self.n_classes = classes_of(labels, test_labels)
        if self.n_classes < 2:
            raise InvalidInputError("labels are all 0: give at least two classes, 0 and 1")
        self.sizes = (width, *as_widths(hidden), self.n_classes)
        self.step_sizes = as_step_sizes(step_size)
        self.weight_decay = as_float("weight_decay", weight_decay, low=0.0)
        self.momentum = as_float("momentum", momentum, low=0.0)
        if self.momentum >= 1.0:
            raise InvalidInputError(f"momentum is {self.momentum!r}: give a number in [0, 1)")
        self.activation = as_choice("activation", activation, ACTIVATIONS)
        self.backend = as_choice("backend", backend, ("cpu", "cuda"))
        self.xp = np if self.backend == "cpu" else _cupy()
        self.stacked = bool(stacked)
        self.side_by_side, self.many_side_by_side = self.backend == "cpu", self.backend == "cuda"
        self.shapes: dict[str, tuple[int, ...]] = {}
        for layer, (inputs, outputs) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            self.shapes[f"weight{layer}"], self.shapes[f"bias{layer}"] = (outputs, inputs), (outputs,)
        self.n_parameters = sum(math.prod(shape) for shape in self.shapes.values())
        place = self.xp.asarray
        self._compiled_move = _compiled_move() if self.backend == "cpu" and self.stacked else None
        self._rows = _in_whole_registers(features) if self._compiled_move else place(features)
        self._features, self._classes = self._rows[:, :width], place(labels)
        self._test = place(np.ascontiguousarray(test_features.T)), place(test_labels)
        self._digest = _digest(self, features, labels, test_features, test_labels)
        self._gemm = _accumulating_product(self.dtype) if self.backend == "cpu" and not self.stacked else None

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return f"MLP({sizes}, {self.n_parameters} parameters, {self.activation}, {self.dtype.name}, {self.backend})"

    @property
    def device(self) -> str:
        """Where it runs: "cpu", or the name of the GPU."""
        if self.backend == "cpu":
            return "cpu"
        return self.xp.cuda.runtime.getDeviceProperties(self.xp.cuda.Device().id)["name"].decode()

    @property
    def draws_noise(self) -> bool:
        """Whether a step draws random numbers beside its batch."""
        return self.augment is not None or (self.dropout > 0 and self.n_layers > 1)

    def start(self, n_replicas: int, *, seed: Seed, start: int = 0) -> State:
        """`n_replicas` times the start of that number: a function of the seed and the number alone."""
        n_replicas = as_int("n_replicas", n_replicas, low=1, high=2**31 - 1)
        start = as_int("start", start, low=0, high=noise.MAX_REPLICAS - 1)
        uniform = 2.0 * noise.start_uniforms(as_seed(seed), start, self.n_parameters) - 1.0
        state, used = {}, 0
        for i, (name, shape) in enumerate(self.shapes.items()):
            size = math.prod(shape)
            bound = self.sizes[i // 2] ** -0.5
            one = (bound * uniform[used : used + size]).astype(self.dtype).reshape(shape)
            state[name] = self.xp.asarray(np.repeat(one[None], n_replicas, axis=0))
            used += size
        if self.momentum:
            state |= {f"velocity.{name}": self.xp.zeros_like(state[name]) for name in self.shapes}
        return state

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
        return self.advance({name: array.copy() for name, array in state.items()}, items, k, factor, step_noise)

    def advance(
        self,
        state: State,
        items: ArrayLike,
        k: int | IntArray,
        factor: ArrayLike | None = None,
        step_noise: StepNoise | None = None,
    ) -> State:
        """`step` that writes to the state it is given."""
        check_step_noise(self, step_noise)
        items = np.asarray(items)
        if self.draws_noise:
            items = items_of_replicas(items, step_noise, n_replicas_of(state))
        h = self.step_sizes[np.minimum(k, len(self.step_sizes) - 1)] * (1.0 if factor is None else np.asarray(factor))
        with np.errstate(over="ignore", invalid="ignore"):  # a replica that diverges is data
            if self._compiled_move is None:
                try:
                    self._move(state, self.xp.asarray(items), h, step_noise)
                except MemoryError as error:  # CuPy's is one
                    raise InvalidInputError(
                        f"batch_size of {items.shape[-1]} for {n_replicas_of(state)} networks side by side does not "
                        f"fit into the memory of {self.device}: give a smaller one"
                    ) from error
            else:
                self._compiled_move(self, state, items, h, step_noise)
        return state

    def steps_at_once(self, n_replicas: int, batch_size: int) -> int:
        """How many steps one call of `advance_many` should take; 1 where there is no faster way than `advance`."""
        if self._compiled_move is None or type(self).advance is not MLP.advance:
            return 1
        from iterorder.networks.mlp_compiled import steps_at_once

        return steps_at_once(self, n_replicas, batch_size)

    def advance_many(self, state: State, items: IntArray, steps: IntArray) -> State:
        """`advance` for several steps (S,), one after the other: items (S, B) of all replicas, or (S, R, B)."""
        if self.steps_at_once(n_replicas_of(state), items.shape[-1]) == 1:
            for batch, k in zip(items, steps.tolist(), strict=True):
                state = self.advance(state, batch, k)
            return state
        from iterorder.networks.mlp_compiled import move_many

        with np.errstate(over="ignore", invalid="ignore"):  # a replica that diverges is data
            move_many(self, state, items, self.step_sizes[np.minimum(steps, len(self.step_sizes) - 1)])
        return state

    def position(self, state: State) -> FloatArray:
        """The parameters of each replica, shape (R, P): of each layer the weights by output, then the biases."""
        rows = [state[name].reshape(n_replicas_of(state), -1) for name in self.shapes]
        return on_host(self.xp.concatenate(rows, axis=1))

    def at(self, positions: ArrayLike) -> State:
        """The state with these parameters, shape (P,) or (R, P), at rest where there is momentum."""
        positions = np.atleast_2d(as_floats("positions", positions, ndim=(1, 2))).astype(self.dtype)
        if positions.shape[1] != self.n_parameters:
            raise InvalidInputError(
                f"positions has shape {positions.shape}: give {self.n_parameters} parameters a replica"
            )
        ends = np.cumsum([math.prod(shape) for shape in self.shapes.values()])[:-1]
        parts = zip(self.shapes.items(), np.split(positions, ends, axis=1), strict=True)
        state = {name: self.xp.asarray(np.ascontiguousarray(part.reshape(-1, *shape))) for (name, shape), part in parts}
        if self.momentum:
            state |= {f"velocity.{name}": self.xp.zeros_like(state[name]) for name in self.shapes}
        return state

    def observe(self, state: State) -> dict[str, FloatArray]:
        """Loss and accuracy on the test set, and the norm of the parameters, each of shape (R,)."""
        xp, (x, labels) = self.xp, self._test
        replicas, count = n_replicas_of(state), x.shape[1]
        loss, accuracy = np.empty(replicas), np.empty(replicas)
        size = max(1, OBSERVED_ENTRIES // (max(self.sizes[1:]) * count))
        columns = xp.arange(count)
        with np.errstate(over="ignore", invalid="ignore"):
            for first in range(0, replicas, size):
                part = slice(first, first + size)
                z = self._test_logits({name: state[name][part] for name in self.shapes})
                top = z.max(axis=1)
                total = xp.log(xp.exp(z - top[:, None]).sum(axis=1, dtype=np.float64)) + top
                loss[part] = on_host((total - z[:, labels, columns]).mean(axis=1))
                accuracy[part] = on_host((z.argmax(axis=1) == labels).mean(axis=1))
            squares = sum(
                (state[name].astype(np.float64).reshape(replicas, -1) ** 2).sum(axis=1) for name in self.shapes
            )
            norm = on_host(xp.sqrt(squares))
        return {"loss": loss, "accuracy": np.where(np.isfinite(loss), accuracy, np.nan), "norm": norm}

    def _test_logits(self, state: State) -> Any:
        """Each replica by itself: what is observed of it does not depend on how many are."""
        xp, h = self.xp, self._test[0]
        for layer in range(self.n_layers):
            h = xp.matmul(state[f"weight{layer}"], h)
            h += state[f"bias{layer}"][:, :, None]
            if layer + 1 < self.n_layers:
                h = xp.maximum(h, 0, out=h) if self.activation == "relu" else xp.tanh(h, out=h)
        return h

    def gradient(self, position: ArrayLike, items: ArrayLike | None = None) -> FloatArray:
        """The gradient of the mean loss of a batch, of all items by default, at parameters (P,), without decay."""
        state = self.at(position)
        items = np.arange(self.n_items) if items is None else np.asarray(items)
        x, inputs, slope = self._forward(state, self.xp.asarray(items))
        slope /= items.shape[-1]
        parts = []
        for layer in range(self.n_layers - 1, -1, -1):
            below = inputs[layer].transpose(0, 2, 1) if layer else x
            parts += [slope.sum(axis=2), self.xp.matmul(slope, below)]
            if layer:
                slope = self.xp.matmul(state[f"weight{layer}"].transpose(0, 2, 1), slope)
                slope *= self._derivative(inputs[layer])
        return on_host(self.xp.concatenate([part.reshape(-1) for part in reversed(parts)]))

    def hessian_products(
        self, position: ArrayLike, directions: ArrayLike, items: ArrayLike | None = None
    ) -> FloatArray:
        """H·v for each direction v, exactly, with H the Hessian of the mean loss of a batch, without decay.

        Parameters
        ----------
        position : array_like, shape (P,)
            The parameters at which.
        directions : array_like, shape (P,) or (m, P)
            The vectors v.
        items : array_like of int, shape (B,), optional
            Default: all items.

        Returns
        -------
        ndarray of float64, as `directions`
            Of a ReLU network the Hessian inside the piece of the position: at kinks there is none.

        Notes
        -----
        Pearlmutter's operator [1]_: derivatives along v of the forward and the backward pass. Differences of gradients
        cross kinks and are off by orders of magnitude.

        References
        ----------
        .. [1] Pearlmutter (1994), Fast exact multiplication by the Hessian, Neural Computation 6(1).
        """
        from iterorder.networks.mlp_hessian import hessian_products

        return hessian_products(self, position, directions, items)

    def digest(self) -> str:
        """Of the data, the sizes and all settings."""
        return self._digest

    def bytes_per_replica(self) -> int:
        """The state, and a gradient beside it."""
        arrays = 3 if self.momentum else 2
        return arrays * self.n_parameters * self.dtype.itemsize


def _digest(model: MLP, *arrays: np.ndarray) -> str:
    settings = [
        "iterorder.mlp/1" if model._compiled_move is None else "iterorder.mlp/2",
        list(model.sizes),
        model.step_sizes.tolist(),
        model.weight_decay,
        model.momentum,
        model.activation,
        model.dtype.name,
        model.backend,
        model.stacked,
    ]
    if model.draws_noise:  # without it digests are those of older versions
        settings.append([model.dropout, repr(model.augment)])
    total = hashlib.sha256(json.dumps(settings).encode())
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _compiled_move() -> Callable[..., None]:
    from iterorder.networks.mlp_compiled import move

    return move


def _in_whole_registers(rows: np.ndarray) -> np.ndarray:
    """The rows, with zeros behind them where they end within a register."""
    from iterorder.kernels.cpu.packing import padded

    width = padded(rows.shape[1], rows.dtype)
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) if width > rows.shape[1] else rows


def _accumulating_product(dtype: np.dtype[Any]) -> Any:
    """SciPy's product that adds to its target: NumPy's makes a temporary of the size of all weights."""
    from scipy.linalg import blas

    return blas.sgemm if dtype == np.float32 else blas.dgemm


def _cupy() -> Any:
    try:
        return cupy()
    except ImportError as error:
        from iterorder.kernels.device.availability import obstacle

        found = obstacle()  # without a driver no package helps, which is told first
        what = "CuPy is not installed: pip install 'iterorder[cuda13]'"
        reason, code = (what, "cupy-missing") if found is None else (f"{found.message}: {found.remedy}", found.reason)
        raise BackendUnavailableError(f"backend is 'cuda': {reason}", code) from error
