"""The passes of a multilayer perceptron as array code: of NumPy with the products of a BLAS, and of CuPy on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from iterorder.networks.augmentation import Augmentation
from iterorder.networks.data_arguments import targets_of
from iterorder.networks.dropout import dropout_factors
from iterorder.networks.model import State
from iterorder.networks.step_noise import StepNoise


class ArrayPasses:
    """What `MLP` does with arrays of all replicas, shape (replica, ...), of the module `xp`."""

    xp: Any
    dtype: np.dtype
    sizes: tuple[int, ...]
    activation: str
    dropout: float
    augment: Augmentation | None
    momentum: float
    weight_decay: float
    stacked: bool
    _features: Any
    _classes: Any
    n_classes: int
    _image: tuple[int, ...] | None
    _gemm: Any

    @property
    def n_layers(self) -> int:
        """Layers of weights."""
        return len(self.sizes) - 1

    def _move(self, state: State, items, h, step_noise: StepNoise | None) -> None:
        """θ ← (1 − h·weight_decay)·θ − h·v, layer by layer from the last one down."""
        factors = self._dropped(step_noise, items.shape[-1])
        x, inputs, slope = self._forward(state, items, step_noise, factors)
        scale = -1.0 / items.shape[-1] if self.momentum else self._of_replicas(-h / items.shape[-1], 3)
        slope *= scale
        for layer in range(self.n_layers - 1, -1, -1):
            weight, bias = state[f"weight{layer}"], state[f"bias{layer}"]
            below = None
            if layer:
                below = self.xp.matmul(weight.transpose(0, 2, 1), slope)
                below *= self._derivative(inputs[layer])
                if factors:
                    below *= factors[layer - 1]
            if self.momentum:
                self._move_with_velocity(state, layer, x, inputs[layer], slope, h)
            else:
                if self.weight_decay:
                    weight *= self._of_replicas(1.0 - h * self.weight_decay, 3)
                    bias *= self._of_replicas(1.0 - h * self.weight_decay, 2)
                self._add_product(weight, slope, inputs[layer], x, layer)
                bias += slope.sum(axis=2)
            slope = below

    def _move_with_velocity(self, state: State, layer: int, x, inputs, slope, h) -> None:
        """The velocity holds −v: `slope` has the sign of a descent."""
        for name in (f"weight{layer}", f"bias{layer}"):
            velocity = state[f"velocity.{name}"]
            velocity *= -self.momentum
            if velocity.ndim == 3:
                self._add_product(velocity, slope, inputs, x, layer)
            else:
                velocity += slope.sum(axis=2)
            if self.weight_decay:
                state[name] *= self._of_replicas(1.0 - h * self.weight_decay, velocity.ndim)
            state[name] += velocity * self._of_replicas(h, velocity.ndim)
            self.xp.negative(velocity, out=velocity)

    def _of_replicas(self, numbers, ndim: int):
        """A number, or one for each replica with axes to multiply an array of `ndim` axes, in the states' type."""
        if np.ndim(numbers) == 0:
            return self.dtype.type(numbers)
        return self.xp.asarray(numbers.astype(self.dtype)).reshape(-1, *[1] * (ndim - 1))

    def _add_product(self, target, slope, inputs, x, layer: int) -> None:
        """target += slope @ inputsᵀ of each replica; of the first layer and one batch, in one product."""
        xp = self.xp
        if layer:
            target += xp.matmul(slope, inputs.transpose(0, 2, 1))
        elif x.ndim == 3 or self.stacked:
            target += xp.matmul(slope, x)
        elif self._gemm is None:
            target += xp.matmul(slope.reshape(-1, slope.shape[2]), x).reshape(target.shape)
        else:
            # C ← AB + C in one pass over C. BLAS reads columns, so all are the transposes of what NumPy has in rows.
            whole = target.reshape(-1, target.shape[2])
            self._gemm(1.0, x.T, slope.reshape(-1, slope.shape[2]).T, beta=1.0, c=whole.T, overwrite_c=1)

    def _dropped(self, step_noise: StepNoise | None, n_slots: int) -> list:
        """Factors of each hidden layer, (width, batch) or (replica, width, batch); none without dropout."""
        if step_noise is None or not self.dropout or self.n_layers < 2:
            return []
        widths = [(width,) for width in self.sizes[1:-1]]
        found = dropout_factors(step_noise, [self.dropout] * len(widths), n_slots, widths, self.dtype)
        return [self.xp.asarray(np.ascontiguousarray(factors.swapaxes(-1, -2))) for factors in found]

    def _batch(self, items, step_noise: StepNoise | None):
        """The rows of a batch, of images moved by the step."""
        x = self._features[items]
        if step_noise is None or self.augment is None or self._image is None:
            return x
        return self.augment.moved(x.reshape(*items.shape, *self._image), step_noise, self.xp).reshape(x.shape)

    def _forward(self, state: State, items, step_noise: StepNoise | None = None, factors=()):
        """The batch, the inputs of each layer (replica, width, batch), and p − y before the mean."""
        x, targets = self._batch(items, step_noise), self._targets(items)
        inputs, z = self._layers_of(state, x, factors)
        z -= z.max(axis=1, keepdims=True)
        self.xp.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        z -= targets.swapaxes(-1, -2)
        return x, inputs, z

    def _targets(self, items):
        return targets_of(self._classes[items], self.n_classes, self.dtype, self.xp)

    def _layers_of(self, state: State, x, factors=()) -> tuple[list, Any]:
        """The inputs of each layer but the first, and the logits (replica, class, batch)."""
        xp = self.xp
        inputs: list[Any] = [None]
        for layer in range(self.n_layers):
            weight, bias = state[f"weight{layer}"], state[f"bias{layer}"]
            if layer:
                z = xp.matmul(weight, inputs[-1])
            elif x.ndim == 2 and not self.stacked:
                z = xp.matmul(weight.reshape(-1, weight.shape[2]), x.T).reshape(*weight.shape[:2], len(x))
            else:
                z = xp.matmul(weight, x.swapaxes(-1, -2))
            z += bias[:, :, None]
            if layer + 1 < self.n_layers:
                z = xp.maximum(z, 0, out=z) if self.activation == "relu" else xp.tanh(z, out=z)
                if factors:
                    z *= factors[layer]
                inputs.append(z)
        return inputs, z

    def _derivative(self, output):
        """Of the activation, from its output; where that was dropped, whatever it is meets the factor zero."""
        if self.activation == "relu":
            return output > 0
        if self.dropout:
            output = output * self.dtype.type(1.0 - self.dropout)  # what was kept is divided by it
        return 1 - output * output
