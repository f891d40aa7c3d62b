"""How results find the modules that draw them, which stand above: by name, and when a picture is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def drawn_by(module: str, result: object, ax, **options) -> Any:
    """What ``iterorder.plot.<module>.draw`` makes of a result."""
    return import_module(f"iterorder.plot.{module}").draw(result, ax, **options)
