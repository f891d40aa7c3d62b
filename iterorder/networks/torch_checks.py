"""What a module must be to be trained in any order: it starts anew by itself, and draws nothing that has no index."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from iterorder.errors import InvalidInputError
from iterorder.networks.torch_dropout import TorchDropout


def check_initialisers(module: nn.Module) -> None:
    """Every part that holds parameters must be able to draw its start weights."""
    for where, part in module.named_modules():
        own = [name for name, _ in part.named_parameters(recurse=False)]
        if own and not hasattr(part, "reset_parameters"):
            raise InvalidInputError(
                f"module {where or type(part).__name__} holds {own[0]} and has no reset_parameters: give init, a "
                "function of the module that sets its start weights"
            )


def check_no_noise(module: nn.Module, dropout: TorchDropout, x) -> None:
    """Two training passes of a few items under other seeds must give the same outputs; `dropout` learns its shapes."""
    parameters: dict[str, Any] = dict(module.named_parameters())
    outputs = []
    for seed in (1, 2):
        dropout.forget()
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            own = {name: value.clone() for name, value in module.named_buffers()}
            outputs.append(torch.func.functional_call(module, (parameters, own), (x,)))
    if not torch.equal(outputs[0], outputs[1]):
        raise InvalidInputError(
            "module draws random numbers in training, not by a layer nn.Dropout, which are no function of their "
            "index: the orders would not meet the same maps; take them out, or make them such layers"
        )
    dropout.learn(len(x))
