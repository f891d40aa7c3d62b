"""The part of this package that needs PyTorch, imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from iterorder.errors import BackendUnavailableError


def torch_model() -> ModuleType:
    """The module of `TorchModel`."""
    return _needs_torch("torch_model")


def resnet() -> ModuleType:
    """The module of residual networks."""
    return _needs_torch("resnet")


def _needs_torch(name: str) -> ModuleType:
    try:
        return import_module(f"iterorder.networks.{name}")
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        reason = "PyTorch is not installed: pip install iterorder[torch]"
        raise BackendUnavailableError(f"networks of modules: {reason}") from error
