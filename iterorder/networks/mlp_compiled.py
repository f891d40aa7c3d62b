"""The steps of a multilayer perceptron on the CPU, by the compiled kernels of its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.kernels.cpu import dense_layers as dense
from iterorder.kernels.cpu import dense_steps
from iterorder.kernels.cpu.packing import padded
from iterorder.kernels.targets import check_compiler
from iterorder.networks.model import State, n_replicas_of
from iterorder.networks.step_noise import StepNoise

if TYPE_CHECKING:
    from iterorder.networks.mlp import MLP

ACTIVATIONS = {"relu": dense.RELU, "tanh": dense.TANH}


def move(model: MLP, state: State, items: np.ndarray, h, step_noise: StepNoise | None) -> None:
    """θ ← (1 − h·weight_decay)·θ − h·v in the arrays of `state`; h is a number, or one for each replica."""
    check_compiler()
    replicas, n_slots, is_shared = n_replicas_of(state), items.shape[-1], items.ndim == 1
    factors = model._dropped(step_noise, n_slots)
    layers = _tables(model, state, "")
    changed = _tables(model, state, "velocity.") if model.momentum else layers
    rows = _rows(model, items, step_noise)
    images = _forward(model, layers, rows, n_slots, factors, is_shared)
    slopes = images.pop()
    keep = _of_replicas(model, replicas, model.momentum or 1.0 - h * model.weight_decay)
    keeps = bool(model.momentum or model.weight_decay)
    scale = _of_replicas(model, replicas, (1.0 if model.momentum else -h) / n_slots)
    dense.softmax_slopes(slopes, model._classes[items].reshape(-1, n_slots), scale, n_slots)
    for layer in range(model.n_layers - 1, -1, -1):
        below, inputs = slopes, rows
        if layer:
            below = _below(model, layers[layer][0], layer, slopes, images[layer], factors, n_slots)
            inputs = np.zeros((replicas * n_slots, padded(model.sizes[layer], model.dtype)), model.dtype)
            dense.transpose(images[layer], model.sizes[layer], n_slots, n_slots, inputs)
        dense.change(*changed[layer], slopes, inputs, is_shared and layer == 0, n_slots, keeps, keep)
        slopes = below
    if model.momentum:
        _descend(model, state, h)


#: Multiply-adds of a call of `move_many`, and those whose time a step takes beside them: a call is some hundredths of a
#: second, after which the time and Ctrl-C are heard, and has so many steps at most.
WORK_OF_CALL, WORK_OF_STEP, MOST_STEPS = 2**30, 2**18, 1024


def steps_at_once(model: MLP, replicas: int, n_slots: int) -> int:
    """How many steps `move_many` takes in one call; 1 where it cannot: momentum and noise are of single steps."""
    if model.momentum or model.draws_noise:
        return 1
    work = 3 * replicas * n_slots * model.n_parameters + WORK_OF_STEP
    return max(1, min(MOST_STEPS, WORK_OF_CALL // work))


def move_many(model: MLP, state: State, items: np.ndarray, h: np.ndarray) -> None:
    """`move` for several steps, with the same bits: items (S, B) of all replicas, or (S, R, B), and h of each step."""
    check_compiler()
    replicas, n_slots = n_replicas_of(state), items.shape[-1]
    batches = items if items.ndim == 3 else items[:, None]
    sizes = np.array(model.sizes)
    widths = np.array([padded(width, model.dtype) for width in (*model.sizes, n_slots)])
    work = dense_steps.work_of(sizes, widths, batches.shape[1], n_slots, replicas)
    scale, keep = np.empty((2, len(items), replicas), model.dtype)
    scale[:], keep[:] = (-h / n_slots)[:, None], (1.0 - h * model.weight_decay)[:, None]
    parameters = np.concatenate([state[name].reshape(-1) for name in model.shapes], dtype=model.dtype)
    dense_steps.descend(
        parameters,
        sizes,
        widths,
        model._rows,
        batches,
        model._classes[batches],
        scale,
        keep,
        bool(model.weight_decay),
        ACTIVATIONS[model.activation],
        np.zeros(work, model.dtype),
    )
    ends = np.cumsum([state[name].size for name in model.shapes])[:-1]
    for name, part in zip(model.shapes, np.split(parameters, ends), strict=True):
        state[name] = part.reshape(state[name].shape)


def _tables(model: MLP, state: State, prefix: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases of each layer as tables of two axes that share the memory of the state."""
    tables = []
    for name in model.shapes:
        state[prefix + name] = array = np.ascontiguousarray(state[prefix + name], model.dtype)
        tables.append(array.reshape(-1, array.shape[-1]))
    return list(zip(tables[::2], tables[1::2], strict=True))


def _rows(model: MLP, items: np.ndarray, step_noise: StepNoise | None) -> np.ndarray:
    """The inputs of each item, for each replica that has a batch of its own, in columns that fill registers."""
    if model.augment is None or step_noise is None:
        return model._rows[items].reshape(-1, model._rows.shape[1])
    moved = model._batch(items, step_noise)
    rows = np.zeros((moved.size // model.sizes[0], model._rows.shape[1]), model.dtype)
    rows[:, : model.sizes[0]] = moved.reshape(len(rows), -1)
    return rows


def _forward(model: MLP, layers, rows, n_slots: int, factors, is_shared: bool) -> list[np.ndarray]:
    """What each layer is given, and the logits: a row for each unit of each replica, a column for each item."""
    width, columns = model.sizes[0], padded(n_slots, model.dtype)
    images = [np.zeros((len(rows) // n_slots * width, columns), model.dtype)]
    dense.transpose(rows, n_slots, width, width, images[0])
    for layer, (weight, bias) in enumerate(layers):
        image = np.empty((bias.size, columns), model.dtype)
        is_hidden = layer + 1 < model.n_layers
        activation = ACTIVATIONS[model.activation] if is_hidden else dense.IDENTITY
        dense.forward(weight, bias, images[-1], is_shared and layer == 0, activation, image)
        if is_hidden and factors:
            image.reshape(*bias.shape, columns)[..., :n_slots] *= factors[layer]
        images.append(image)
    return images


def _below(model: MLP, weight, layer: int, slopes, image, factors, n_slots: int) -> np.ndarray:
    """The slopes of what a layer was given, before its weights change."""
    below = np.empty_like(image)
    kept = model.dtype.type(1.0 - model.dropout)
    dense.backward(weight, slopes, image, ACTIVATIONS[model.activation], kept, n_slots, below)
    if factors:
        below.reshape(-1, model.sizes[layer], below.shape[1])[..., :n_slots] *= factors[layer - 1]
    return below


def _descend(model: MLP, state: State, h) -> None:
    """θ ← (1 − h·weight_decay)·θ − h·v."""
    for name in model.shapes:
        array = state[name]
        if model.weight_decay:
            array *= model._of_replicas(1.0 - h * model.weight_decay, array.ndim)
        array -= model._of_replicas(h, array.ndim) * state[f"velocity.{name}"]


def _of_replicas(model: MLP, replicas: int, numbers) -> np.ndarray:
    """A number for each replica, in the states' type."""
    found = np.empty(replicas, model.dtype)
    found[...] = numbers
    return found
