"""Literal twins of training: one replica, one item at a time, and every iterate from the start."""

from __future__ import annotations

import numpy as np

from iterorder.networks import StepNoise
from iterorder.orders import BACKWARD, FORWARD
from tests import naive


def indices_in_order(order, n: int) -> list[int]:
    """The numbers of the batches that the iterate of n steps meets, the first one first."""
    if order == FORWARD:
        return list(range(n))
    if order == BACKWARD:
        return list(range(n))[::-1]
    split = max(0, n - order.width) if order.width is not None else min(n, order.start)
    return list(range(split)) + list(range(split, n))[::-1]


def iterate(model, order, n: int, *, batch_size: int, sampling="iid", seed: int, start=0, sequence=0):
    """The state of one replica, stepped alone through all its batches."""
    law = model.sampling(batch_size, sampling)
    state = model.start(1, seed=seed, start=start)
    for k in indices_in_order(order, n):
        own = {"step_noise": StepNoise(seed, sequence, k)} if getattr(model, "draws_noise", False) else {}
        state = model.step(state, np.atleast_1d(law.draw(seed, sequence, k)), k, **own)
    return state


def activation(name: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Its value and two derivatives."""
    if name == "relu":
        return np.maximum(z, 0.0), (z > 0) * 1.0, np.zeros_like(z)
    t = np.tanh(z)
    return t, 1 - t**2, -2 * t * (1 - t**2)


def dropped(seed, sequence, step, rate, n_slots, widths) -> list[np.ndarray]:
    """The factors of each hidden layer, (slot, unit), one word at a time: purpose 6."""
    found, entry = [], 0
    for width in widths:
        factors = np.empty((n_slots, width))
        for slot in range(n_slots):
            for unit in range(width):
                word = naive.philox(step, sequence, 6 * 2**24 + entry // 4, seed)[entry % 4]
                factors[slot, unit] = 0.0 if word < round(rate * 2**32) else 1 / (1 - rate)
                entry += 1
        found.append(factors)
    return found


def moved(image, seed, sequence, step, slot, padding, flip) -> np.ndarray:
    """An image (C, H, W) padded, cropped and flipped, by purpose 5."""
    words = naive.philox(step, sequence, 5 * 2**24 + slot, seed)
    top, left = (words[axis] * (2 * padding + 1) >> 32 for axis in (0, 1))
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    crop = padded[:, top : top + image.shape[1], left : left + image.shape[2]]
    return crop[:, :, ::-1] if flip and words[2] >> 31 else crop


def gradient(weights, biases, x, y, act: str, factors=None):
    """The gradients of −log softmax(logits)[y] of one item, by the chain rule; `factors` multiply hidden units."""
    hidden, slopes = [x], []
    for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = w @ hidden[-1] + b
        if layer + 1 < len(weights):
            value, slope, _ = activation(act, z)
            factor = 1.0 if factors is None else factors[layer]
            hidden.append(value * factor)
            slopes.append(slope * factor)
    p = np.exp(z - z.max())
    delta = p / p.sum()
    delta[y] -= 1.0
    of_weights, of_biases = [], []
    for layer in range(len(weights) - 1, -1, -1):
        of_weights.insert(0, np.outer(delta, hidden[layer]))
        of_biases.insert(0, delta)
        if layer:
            delta = (weights[layer].T @ delta) * slopes[layer - 1]
    return of_weights, of_biases


class Network:
    """Parameters as lists, a step as loops: θ ← (1 − h·decay)θ − h·v, v ← momentum·v + g."""

    def __init__(self, weights, biases, act, step_size, decay=0.0, momentum=0.0):
        self.weights, self.biases = [w.copy() for w in weights], [b.copy() for b in biases]
        self.act, self.h, self.decay, self.momentum = act, step_size, decay, momentum
        self.v = [np.zeros_like(p) for p in (*self.weights, *self.biases)]

    def step(self, xs, ys, factors=None):
        total = [np.zeros_like(p) for p in (*self.weights, *self.biases)]
        for slot, (x, y) in enumerate(zip(xs, ys, strict=True)):
            own = None if factors is None else [layer[slot] for layer in factors]
            found = gradient(self.weights, self.biases, x, y, self.act, own)
            for t, g in zip(total, (*found[0], *found[1]), strict=True):
                t += g / len(xs)
        for i, p in enumerate((*self.weights, *self.biases)):
            self.v[i] = self.momentum * self.v[i] + total[i]
            p *= 1 - self.h * self.decay
            p -= self.h * self.v[i]

    def position(self):
        return np.concatenate([a.ravel() for pair in zip(self.weights, self.biases, strict=True) for a in pair])
