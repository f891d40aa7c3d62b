"""Networks in sweeps: the model of a preset with other settings, and what is measured of its training."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.networks.data import ImageData
from iterorder.networks.late import late_saves
from iterorder.networks.model import StepModel
from iterorder.networks.settings import preset, preset_names
from iterorder.networks.train import train
from iterorder.orders import FORWARD, Order
from iterorder.shown import a_kind
from iterorder.validation import as_choice, as_int


def network(
    name: str = "digits-mlp", *, step_size=None, weight_decay=None, momentum=None, hidden=None, activation=None
) -> StepModel:
    """The model of a preset that ships with the package; what is given stands in place of the preset's own."""
    settings = preset(as_choice("name", name, tuple(preset_names())))
    given = {
        "step_size": step_size,
        "weight_decay": weight_decay,
        "momentum": momentum,
        "hidden": [hidden] if isinstance(hidden, int) else hidden,
        "activation": activation,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    if changes and settings.model.get("kind", "mlp") != "mlp":
        raise InvalidInputError(f"name is {name!r}, a module of PyTorch: only an MLP takes {', '.join(changes)}")
    return settings.make_model(_images(name), settings.model | changes)


@cache
def _images(name: str) -> ImageData:
    return preset(name).images()


def training(
    model: StepModel,
    seed: int,
    *,
    order: Order = FORWARD,
    batch_size: int = 16,
    n_steps: int = 300,
    n_sequences: int = 4,
    stride: int = 10,
) -> dict[str, Any]:
    """The loss over the last third of the steps, its two spreads, and how far neighbouring iterates are apart."""
    if not isinstance(model, StepModel):
        raise InvalidInputError(f"training is of a network, and the system is {a_kind(model)}: give family = 'network'")
    last = as_int("n_steps", n_steps, low=3, high=2**62)
    step = as_int("stride", stride, low=1, high=max(1, last // 3))
    saves = late_saves(last, step)
    how: dict[str, Any] = {"order": order, "batch_size": batch_size, "n_sequences": n_sequences, "seed": seed}
    late = train(model, n_steps=last, save_steps=np.union1d(saves, saves - 1), **how).late()
    return {
        "loss": late.mean,
        "loss_within": late.mean_within,
        "loss_between": late.between,
        "move": late.move,
    }
