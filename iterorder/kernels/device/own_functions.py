"""Functions that users wrote, for a device."""

from __future__ import annotations

from collections.abc import Callable

from iterorder.errors import MapCompilationError


def for_device(function: Callable) -> Callable:
    """The compiled function; not yet there."""
    raise MapCompilationError.of(function, "is not compiled for a GPU by this version", "use backend='cpu'")
