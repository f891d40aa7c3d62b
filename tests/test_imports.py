"""Imports go one way: no circle, and nothing below imports what stands above it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "iterorder"
#: Folders and files from the bottom to the top.
LAYERS = (
    (
        "errors",
        "types",
        "optional",
        "noise",
        "orders",
        "roles",
        "shown",
        "html",
        "device_arrays",
        "tables",
        "arrays",
        "validation",
        "sampling",
        "estimate",
        "files",
        "number_table",
        "records",
        "presets",
        "resources",
        "drawn",
    ),
    ("log", "lengths", "chunks"),
    ("forms", "progress"),
    ("kernels",),
    ("maps",),
    (
        "simulate",
        "request",
        "trajectory",
        "saved_moments",
        "archive",
        "labelled",
        "certificates",
        "rounding",
        "bound_trials",
        "datasets",
        "checkpoint",
        "cost",
        "installation",
    ),
    ("wasserstein", "theory", "convergence", "stationary"),
    ("dimensions", "laws"),
    ("claims", "gate", "networks", "neighbours", "plotting", "loading"),
    ("sweeps", "plot"),
    ("report", "explore"),
    ("cli",),
)


@cache
def modules() -> dict[str, ast.Module]:
    """The parsed files of the package by their dotted names."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = ast.parse(file.read_text(encoding="utf-8"))
    return found


def imported(tree: ast.AST, known: set[str], *, lazily: bool) -> Iterator[str]:
    """Modules of the package that a file imports when it is imported; `lazily` adds what its functions import."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not lazily:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "iterorder":
            for name in node.names:
                below = f"{node.module}.{name.name}"
                yield below if below in known else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in known)
        yield from imported(node, known, lazily=lazily)


@cache
def graph(*, lazily: bool) -> dict[str, set[str]]:
    trees = modules()
    return {
        name: {other for other in imported(tree, set(trees), lazily=lazily) if other != name}
        for name, tree in trees.items()
    }


def circle(edges: dict[str, set[str]]) -> list[str]:
    """The modules of a circle, in order; empty without one."""
    done: set[str] = set()

    def search(module, path):
        if module in path:
            return path[path.index(module) :]
        if module in done:
            return []
        for other in sorted(edges.get(module, ())):
            if found := search(other, [*path, module]):
                return found
        done.add(module)
        return []

    return next((found for module in edges if (found := search(module, []))), [])


def layer_of(module: str) -> int | None:
    first = module.split(".")[1] if "." in module else ""
    return next((k for k, names in enumerate(LAYERS) if first in names), None)


def test_every_module_has_a_layer():
    assert [name for name in modules() if layer_of(name) is None] == [
        "iterorder",
        "iterorder.__main__",
        "iterorder._version",
    ]


def test_no_module_imports_itself_in_a_circle():
    """Packages import their modules, which may not import the package; the control is one edge more."""
    edges = graph(lazily=False)
    assert circle(edges) == []
    assert circle({**edges, "iterorder.noise": {"iterorder.simulate"}})


@pytest.mark.parametrize("lazily", [False, True])
def test_nothing_imports_what_stands_above(lazily):
    """At import, and in functions too."""
    wrong = [
        f"{module} → {other}"
        for module, others in graph(lazily=lazily).items()
        for other in others
        if (low := layer_of(module)) is not None and (high := layer_of(other)) is not None and high > low
    ]
    assert wrong == []


def test_maps_ask_no_compiler_when_they_are_imported():
    """Bodies are plain Python, which maps may share with kernels."""
    compiled = {name for name in modules() if ".kernels." in name and ".bodies" not in name}
    assert not [name for name, others in graph(lazily=False).items() if ".maps" in name and others & compiled]
