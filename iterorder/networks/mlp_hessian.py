"""Exact products of the Hessian of a multilayer perceptron with vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.networks.model import on_host
from iterorder.validation import as_floats

if TYPE_CHECKING:
    from iterorder.networks.mlp import MLP


def hessian_products(model: MLP, position, directions, items=None) -> np.ndarray:
    """`MLP.hessian_products`: in float64, whatever the type of the model."""
    given = as_floats("directions", directions, ndim=(1, 2))
    rows = np.atleast_2d(given)
    position = as_floats("position", position, ndim=(1,))
    for name, array in (("position", position), ("directions", rows)):
        if array.shape[-1] != model.n_parameters:
            raise InvalidInputError(f"{name} has {array.shape[-1]} numbers a row: give {model.n_parameters}")
    chosen = np.arange(model.n_items) if items is None else np.asarray(items)
    x = on_host(model._features[chosen]).astype(np.float64).T[None]
    targets = on_host(model._targets(chosen)).astype(np.float64).T
    theta, v = _layers(model, position[None]), _layers(model, rows)
    inputs, moved, slopes, bends = _forward(model, theta, v, x)
    z, rz = inputs.pop(), moved.pop()
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    delta = (p - targets) / len(chosen)
    r_delta = p * (rz - (p * rz).sum(axis=1, keepdims=True)) / len(chosen)
    parts: list[np.ndarray] = []
    for layer in range(len(theta) - 1, -1, -1):
        h, rh = inputs[layer].swapaxes(1, 2), moved[layer].swapaxes(1, 2)
        of_weights = r_delta @ h + (delta @ rh if layer else 0.0)
        parts = [of_weights.reshape(len(rows), -1), r_delta.sum(axis=2), *parts]
        if layer:
            weight, of_v = theta[layer][0].swapaxes(1, 2), v[layer][0].swapaxes(1, 2)
            back = weight @ delta
            r_delta = (weight @ r_delta + of_v @ delta) * slopes[layer] + back * bends[layer]
            delta = back * slopes[layer]
    return np.concatenate(parts, axis=1).reshape(given.shape)


def _layers(model: MLP, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases of each layer, (rows, out, in) and (rows, out)."""
    ends = np.cumsum([int(np.prod(shape)) for shape in model.shapes.values()])[:-1]
    arrays = [
        part.reshape(-1, *shape)
        for shape, part in zip(model.shapes.values(), np.split(rows, ends, axis=1), strict=True)
    ]
    return list(zip(arrays[::2], arrays[1::2], strict=True))


def _forward(model: MLP, theta, v, x) -> tuple[list, list, list, list]:
    """Inputs of each layer and the logits, how both move along v, σ' of each hidden layer, and σ'' times its move."""
    inputs, moved = [x], [np.zeros((1, 1, 1))]
    slopes: list = [None]
    bends: list = [None]
    for layer, ((weight, bias), (dw, db)) in enumerate(zip(theta, v, strict=True)):
        z = weight @ inputs[-1] + bias[:, :, None]
        rz = dw @ inputs[-1] + db[:, :, None]
        if layer:
            rz = rz + weight @ moved[-1]
        if layer + 1 < len(theta):
            if model.activation == "relu":
                h, slope = np.maximum(z, 0.0), (z > 0) * 1.0
                bends.append(0.0)
            else:
                h = np.tanh(z)
                slope = 1.0 - h * h
                bends.append(-2.0 * h * slope * rz)
            slopes.append(slope)
            inputs.append(h)
            moved.append(slope * rz)
        else:
            inputs.append(z)
            moved.append(rz)
    return inputs, moved, slopes, bends
