"""Which names a function reads and sets, and whose values matter later, from its text.

Loops that are left by break or continue are another matter: there all that is read may matter.
"""

from __future__ import annotations

import ast


def loaded(node: ast.AST) -> set[str]:
    """The names that are read."""
    return {item.id for item in ast.walk(node) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Load)}


def stored(*nodes: ast.AST) -> set[str]:
    """The names that are set."""
    return {
        item.id
        for node in nodes
        for item in ast.walk(node)
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)
    }


def live_before(node: ast.stmt, after: set[str]) -> set[str]:
    """The names whose values before a statement matter."""
    if isinstance(node, ast.Assign):
        return (after - stored(node)) | loaded(node)
    if isinstance(node, ast.AugAssign):
        return after | loaded(node) | stored(node)
    if isinstance(node, ast.If):
        return live_before_all(node.body, after) | live_before_all(node.orelse, after) | loaded(node.test)
    if isinstance(node, (ast.For, ast.While)):
        return live_in_loop(node, after) | loaded(node.iter if isinstance(node, ast.For) else node.test)
    if isinstance(node, ast.Return):
        return loaded(node)
    return after | loaded(node)


def live_before_all(statements: list[ast.stmt], after: set[str]) -> set[str]:
    """The names whose values before some statements matter."""
    for statement in reversed(statements):
        after = live_before(statement, after)
    return after


def live_in_loop(node: ast.For | ast.While, after: set[str]) -> set[str]:
    """The names whose values matter at the end of the body of a loop."""
    head, target = (set(), stored(node.target)) if isinstance(node, ast.For) else (loaded(node.test), set())
    found = set(after)
    for _ in range(2):
        found |= head | (live_before_all(node.body, found) - target)
    return found | live_before_all(node.orelse, after)
