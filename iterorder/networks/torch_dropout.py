"""Dropout of a module of PyTorch by factors that are given: its own layers read a generator that only goes forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from iterorder.errors import InvalidInputError
from iterorder.networks.dropout import as_rate, dropout_factors
from iterorder.networks.step_noise import StepNoise

#: Layers that drop single numbers, and those that drop whole channels.
SINGLE, CHANNELS = (nn.Dropout,), (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class GivenDropout(nn.Module):
    """A layer in the place of a dropout layer that multiplies by `factors`; while there are none it changes nothing."""

    def __init__(self, rate: float, whole_channels: bool) -> None:
        super().__init__()
        self.rate, self.whole_channels = rate, whole_channels
        self.factors: Any = None
        #: Shapes that came in since `calls` was emptied.
        self.calls: list[tuple[int, ...]] = []

    def forward(self, x):
        """The input, times the factors."""
        if self.factors is None:
            self.calls.append(tuple(x.shape))
            return x
        return x * self.factors


class TorchDropout:
    """The dropout layers of a module, replaced in place; those of rate 0 are left, as they draw nothing.

    Attributes
    ----------
    layers : list of GivenDropout
        In the order of ``named_modules``, which is that of the words of a step.
    """

    def __init__(self, module: nn.Module) -> None:
        self.layers: list[GivenDropout] = []
        self.shapes: list[tuple[int, ...]] = []
        places: dict[int, GivenDropout] = {}
        for name, part in list(module.named_modules(remove_duplicate=False)):
            if type(part) not in (*SINGLE, *CHANNELS) or not part.p:
                continue
            if id(part) not in places:
                places[id(part)] = GivenDropout(as_rate(part.p), type(part) in CHANNELS)
                self.layers.append(places[id(part)])
            parent, _, own = name.rpartition(".")
            setattr(module.get_submodule(parent), own, places[id(part)])

    def __bool__(self) -> bool:
        return bool(self.layers)

    def forget(self) -> None:
        """Without factors: the module is what it is in evaluation, but for BatchNorm."""
        for layer in self.layers:
            layer.factors, layer.calls = None, []

    def learn(self, batch: int) -> None:
        """Read the shapes of the units from a pass of a batch of that size that was just made after `forget`."""
        self.shapes = []
        for layer in self.layers:
            if len(layer.calls) != 1:
                raise InvalidInputError(
                    f"module calls a dropout layer {len(layer.calls)} times in a pass: give each place a layer of its "
                    "own, and take out those that are not used"
                )
            (shape,) = layer.calls
            if shape[0] != batch or (layer.whole_channels and len(shape) < 3):
                raise InvalidInputError(
                    f"module gives an array of shape {shape} to a dropout layer for a batch of {batch}: the first axis "
                    "must be that of the batch" + (", the second that of channels" if layer.whole_channels else "")
                )
            self.shapes.append((shape[1], *[1] * (len(shape) - 2)) if layer.whole_channels else shape[1:])
            layer.calls = []

    def factors(self, step_noise: StepNoise | None, n_slots: int, like) -> tuple:
        """Those of a step, one tensor a layer, on the device and of the type of a parameter."""
        if step_noise is None or not self.layers:
            return ()
        rates = [layer.rate for layer in self.layers]
        found = dropout_factors(step_noise, rates, n_slots, self.shapes, np.float64)
        return tuple(torch.as_tensor(one).to(device=like.device, dtype=like.dtype) for one in found)

    def give(self, factors: tuple) -> None:
        """Those that the next pass multiplies by."""
        for layer, one in zip(self.layers, factors, strict=True):
            layer.factors = one
