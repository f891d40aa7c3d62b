"""Sweeps that ship with the package: a TOML file each in the folder ``sweeps/presets``."""

from __future__ import annotations

from pathlib import Path

from iterorder.errors import InvalidInputError

FOLDER = Path(__file__).parent / "sweeps" / "presets"


def preset_names() -> list[str]:
    """The names of the presets, in alphabetical order."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def preset_path(name: str) -> Path:
    """The file of a preset.

    Raises
    ------
    InvalidInputError
        If there is no such preset.

    Examples
    --------
    >>> preset_path("paired_reversal").name
    'paired_reversal.toml'
    """
    if name not in preset_names():
        raise InvalidInputError(f"preset is {name!r}: give one of {', '.join(preset_names())}")
    return FOLDER / f"{name}.toml"


def preset_title(name: str) -> str:
    """What a preset is, from the comment on its first line."""
    with preset_path(name).open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").strip()
