"""What a module must be to be trained in any order: it starts anew by itself, and draws nothing that has no index."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from iterorder.errors import InvalidInputError
from iterorder.networks.torch_dropout import TorchDropout
from iterorder.shown import a_kind

#: What PyTorch raises where tensors do not fit; other errors are those of a user's own code, and are left as they are.
MISFITS = (RuntimeError, ValueError, IndexError, TypeError)
#: The label that PyTorch's cross-entropy leaves out.
IGNORED = -100


def check_initialisers(module: nn.Module) -> None:
    """Every part that holds parameters must be able to draw its start weights."""
    for where, part in module.named_modules():
        own = [name for name, _ in part.named_parameters(recurse=False)]
        if own and not hasattr(part, "reset_parameters"):
            raise InvalidInputError(
                f"module {where or type(part).__name__} holds {own[0]} and has no reset_parameters: give init, a "
                "function of the module that sets its start weights"
            )


def _told(tensor) -> str:
    return f"shape {tuple(tensor.shape)} and {tensor.dtype}" if isinstance(tensor, torch.Tensor) else a_kind(tensor)


def outputs_of(name: str, module: nn.Module, x, state: tuple = ()) -> Any:
    """The outputs of a few items, or an error that tells what does not fit."""
    try:
        with torch.no_grad():
            return torch.func.functional_call(module, state, (x,)) if state else module(x)
    except InvalidInputError:
        raise
    except MISFITS as error:
        dtype = next(module.parameters()).dtype
        raise InvalidInputError(
            f"module {type(module).__name__}, whose parameters are {dtype}, does not take {name} with a batch of "
            f"{_told(x)} (PyTorch: {error}): give {name} of the shape and the type that it takes"
        ) from error


def check_loss(name: str, loss, function, outputs, labels) -> None:
    """The loss must take the outputs of a few items with their labels, and every label must be a class."""
    if loss == "cross-entropy" and not labels.is_floating_point() and getattr(outputs, "ndim", 0) > 1:
        # Told before PyTorch meets them: on a GPU a class out of range ends the process.
        classes = labels[labels != IGNORED]
        wrong = classes[(classes < 0) | (classes >= outputs.shape[1])]
        if len(wrong):
            raise InvalidInputError(
                f"{name} holds class {int(wrong[0])}, and module gives {outputs.shape[1]} outputs: give classes 0 to "
                f"{outputs.shape[1] - 1}, or a module with an output for each class"
            )
    try:
        with torch.no_grad():
            value = function(outputs, labels[: len(outputs)])
    except MISFITS as error:
        raise InvalidInputError(
            f"loss does not take outputs of {_told(outputs)} with {name} of {_told(labels[: len(outputs)])} (PyTorch: "
            f"{error}): give {name} that fit, for cross-entropy classes as int64"
        ) from error
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise InvalidInputError(f"loss returned {_told(value)}: return one number, the mean over the batch")


def check_no_noise(module: nn.Module, dropout: TorchDropout, x) -> Any:
    """Two training passes of a few items under other seeds must give the same outputs, which are returned.

    `dropout` learns its shapes.
    """
    parameters: dict[str, Any] = dict(module.named_parameters())
    outputs = []
    for seed in (1, 2):
        dropout.forget()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            own = {name: value.clone() for name, value in module.named_buffers()}
            outputs.append(outputs_of("features", module, x, (parameters, own)))
    if not torch.equal(outputs[0], outputs[1]):
        raise InvalidInputError(
            "module draws random numbers in training, not by a layer nn.Dropout, which are no function of their "
            "index: the orders would not meet the same maps; take them out, or make them such layers"
        )
    dropout.learn(len(x))
    return outputs[0]
