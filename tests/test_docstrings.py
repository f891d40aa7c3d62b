"""Docstrings: what they list by name and type, they also describe."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "iterorder"
FILES = sorted(PACKAGE.rglob("*.py"))
SECTIONS = ("Parameters", "Other Parameters", "Returns", "Yields", "Attributes")


def sections_of(docstring: str) -> dict[str, str]:
    """The text below each heading of numpydoc."""
    parts = re.split(r"^(\S.*)\n-+$", inspect.cleandoc(docstring), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def undescribed(docstring: str) -> list[str]:
    """The entries of lists of parameters, results and attributes below which nothing is said."""
    found = []
    for heading, text in sections_of(docstring).items():
        if heading in SECTIONS:
            lines = [line for line in text.splitlines() if line]
            found += [line for line, below in zip(lines, [*lines[1:], ""], strict=True) if is_bare(line, below)]
    return found


def is_bare(line: str, below: str) -> bool:
    return not line.startswith(" ") and not below.startswith(" ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_every_entry_has_a_description(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            bare = undescribed(ast.get_docstring(node) or "")
            assert bare == [], f"{getattr(node, 'name', file.name)}: say what they mean"


def test_an_entry_without_a_description_is_found():
    """The control, beside entries that are described: by more than a line, and for two names at once."""
    text = """A step.

    Parameters
    ----------
    maps : RandomMaps
    x, y : float
        Two points.

        A second paragraph.
    seed : int

    Returns
    -------
    Trajectory

    Notes
    -----
    Nothing.
    """
    assert undescribed(text) == ["maps : RandomMaps", "seed : int", "Trajectory"]
    assert undescribed(text.replace("Trajectory\n", "Trajectory\n        Of both.\n")) == [
        "maps : RandomMaps",
        "seed : int",
    ]
