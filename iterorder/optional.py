"""Packages that only some uses need: imported when they are, or an error that says what to install."""

from __future__ import annotations

import importlib
from typing import Any

from iterorder.errors import BackendUnavailableError


def imported(module: str, *, extra: str, use: str) -> Any:
    """A module that an extra of this package installs, for `use`, which the error names."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise BackendUnavailableError(f"{use}: {module} is not installed: pip install iterorder[{extra}]") from error
