"""Steps of SGD and Adam as functions of a state that has an axis of replicas: those of `torch.optim`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from iterorder.errors import InvalidInputError
from iterorder.shown import a_kind
from iterorder.validation import as_float

DEFAULTS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0},
    "adam": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
    "adamw": {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-2},
}
VELOCITY, FIRST, SECOND, COUNT = "velocity", "first", "second", "count"


@dataclass(frozen=True)
class TorchOptimizer:
    """An optimiser by its name and settings.

    Attributes
    ----------
    name : {"sgd", "adam", "adamw"}
        Which update rule it is.
    settings : dict
        With all defaults filled in.
    """

    name: str
    settings: dict[str, Any]

    @classmethod
    def of(cls, given) -> TorchOptimizer:
        """From the dict of a user."""
        if not isinstance(given, dict) or given.get("name") not in DEFAULTS:
            shown = given.get("name") if isinstance(given, dict) else a_kind(given)
            raise InvalidInputError(
                f"optimizer is {shown!r}: give a dict such as {{'name': 'sgd', 'lr': 0.1}}, with the name "
                f"{', '.join(map(repr, DEFAULTS))}"
            )
        name, settings = given["name"], {key: value for key, value in given.items() if key != "name"}
        if "lr" not in settings:
            raise InvalidInputError("optimizer has no lr: give its step size")
        if unknown := sorted(set(settings) - {"lr", *DEFAULTS[name]}):
            raise InvalidInputError(f"optimizer has {unknown[0]!r}: {name} takes lr, {', '.join(DEFAULTS[name])}")
        found = DEFAULTS[name] | settings
        as_float("optimizer lr", found["lr"], low=0.0, strict=True)
        as_float("optimizer weight_decay", found["weight_decay"], low=0.0)
        if name == "sgd" and not 0.0 <= as_float("optimizer momentum", found["momentum"]) < 1.0:
            raise InvalidInputError(f"optimizer momentum is {found['momentum']!r}: give a number in [0, 1)")
        return cls(name, found)

    @property
    def copies(self) -> int:
        """Copies of the parameters that its state holds."""
        return 2 if self.name != "sgd" else int(bool(self.settings["momentum"]))

    def start(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Its state before the first step: all zero."""
        zeros = {name: torch.zeros_like(value) for name, value in parameters.items()}
        if self.name == "sgd":
            return {f"{VELOCITY}.{name}": zero for name, zero in zeros.items()} if self.copies else {}
        some = next(iter(parameters.values()))
        moments = {f"{kind}.{name}": zero.clone() for kind in (FIRST, SECOND) for name, zero in zeros.items()}
        return {**moments, COUNT: torch.zeros(len(some), dtype=torch.int64, device=some.device)}

    def step(self, parameters, gradients, state, factor=None) -> tuple[dict[str, Any], dict[str, Any]]:
        """New parameters and a new state; a factor multiplies the step size, of all replicas or of each."""
        rate = self.settings["lr"] if factor is None else self.settings["lr"] * np.asarray(factor)
        return (self._sgd if self.name == "sgd" else self._adam)(parameters, gradients, state, rate)

    def _sgd(self, parameters, gradients, state, rate):
        """Weight decay is part of the gradient, and of the velocity: v ← momentum·v + g + decay·θ, θ ← θ − h·v."""
        momentum, decay = self.settings["momentum"], self.settings["weight_decay"]
        new, rest = {}, {}
        for name, theta in parameters.items():
            g = gradients[name] + decay * theta if decay else gradients[name]
            if momentum:
                v = momentum * state[f"{VELOCITY}.{name}"] + g
                rest[f"{VELOCITY}.{name}"] = v
                g = g + momentum * v if self.settings["nesterov"] else v
            new[name] = theta - _of_replicas(rate, theta) * g
        return new, rest

    def _adam(self, parameters, gradients, state, rate):
        """Moments with their bias taken out; decay in the gradient, or, of "adamw", in the parameters."""
        (a, b), eps, decay = self.settings["betas"], self.settings["eps"], self.settings["weight_decay"]
        count = state[COUNT] + 1
        new, rest = {}, {COUNT: count}
        for name, theta in parameters.items():
            each = count.reshape(-1, *[1] * (theta.ndim - 1)).to(torch.float64)
            first_bias, second_bias = (1.0 - a**each).to(theta.dtype), (1.0 - b**each).to(theta.dtype)
            h, g = _of_replicas(rate, theta), gradients[name]
            if decay and self.name == "adam":
                g = g + decay * theta
            kept = theta * (1.0 - h * decay) if decay and self.name == "adamw" else theta
            m = a * state[f"{FIRST}.{name}"] + (1.0 - a) * g
            v = b * state[f"{SECOND}.{name}"] + (1.0 - b) * g * g
            rest |= {f"{FIRST}.{name}": m, f"{SECOND}.{name}": v}
            new[name] = kept - h / first_bias * m / (torch.sqrt(v / second_bias) + eps)
        return new, rest


def _of_replicas(rate, like):
    """A number, or one for each replica with axes to multiply `like`."""
    if np.ndim(rate) == 0:
        return float(rate)
    return torch.as_tensor(rate, dtype=like.dtype, device=like.device).reshape(-1, *[1] * (like.ndim - 1))
