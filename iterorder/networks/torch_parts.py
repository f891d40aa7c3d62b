"""Small parts of `TorchModel`: its arguments, and states by their names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from iterorder.errors import BackendUnavailableError, InvalidInputError
from iterorder.networks.model import State


def text_of(thing) -> str:
    """The source of a class or a function; its name where there is none."""
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"


def as_device(device) -> torch.device:
    """A device that is there."""
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InvalidInputError(f"device is {device!r}: give 'cpu', or 'cuda'") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        reason = "PyTorch sees no GPU: use device='cpu'"
        raise BackendUnavailableError(f"device is {device!r}: {reason}", "no-device")
    return found


def as_loss(loss) -> Callable:
    """A loss by its name, or as a function."""
    if loss == "cross-entropy":
        return torch.nn.functional.cross_entropy
    if not callable(loss):
        raise InvalidInputError(f"loss is {loss!r}: give 'cross-entropy', or a function of outputs and labels")
    return loss


def engine_of(engine: str, module, device: torch.device) -> str:
    """The engine, of "auto" the faster one as measured."""
    if engine != "auto":
        return engine
    convolves = any(isinstance(part, torch.nn.modules.conv._ConvNd) for part in module.modules())
    return "loop" if convolves and device.type == "cpu" else "vmap"


def part_of(state: State, kind: str) -> dict[str, Any]:
    """The entries of a state whose names begin with a word, without it."""
    return {name.removeprefix(f"{kind}."): value for name, value in state.items() if name.startswith(f"{kind}.")}


def row_of(values: Mapping[str, Any], r: int) -> dict[str, Any]:
    """Those of one replica."""
    return {name: value[r] for name, value in values.items()}


def stacked(rows) -> dict[str, Any]:
    """Replicas side by side."""
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def split_rows(rows: np.ndarray, shapes: Mapping[str, Any], device) -> dict[str, Any]:
    """Rows of numbers as parameters, each with a leading axis of rows."""
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    if sum(sizes) != rows.shape[1]:
        raise InvalidInputError(f"a row has {rows.shape[1]} numbers: give {sum(sizes)}, one a parameter")
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    return {
        name: torch.as_tensor(part.reshape(-1, *shape), device=device)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }
