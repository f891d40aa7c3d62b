"""Functions with simple assignments and one way out: what is left of returns that only some lanes take."""

from __future__ import annotations

import ast
import copy

from iterorder.kernels.cpu.lift.liveness import loaded, stored

RETURNED = "_lanes_returned"


class CannotLift(Exception):
    """A function that is left to single numbers, with the reason."""


class Plain(ast.NodeTransformer):
    """Assignments without what they say of types, and one at a time where the order does not matter."""

    def visit_Assign(self, node: ast.Assign):
        target, value = node.targets[0], node.value
        if len(node.targets) > 1 or not (isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)):
            return node
        names = len(target.elts) == len(value.elts) and all(isinstance(part, ast.Name) for part in target.elts)
        if not names or stored(target) & loaded(value):
            return node
        return [ast.Assign([name], part) for name, part in zip(target.elts, value.elts, strict=True)]

    def visit_AnnAssign(self, node: ast.AnnAssign):
        return ast.Pass() if node.value is None else ast.Assign([node.target], node.value)


def contains(nodes: list, kinds) -> bool:
    return any(isinstance(item, kinds) for node in nodes for item in ast.walk(node))


def leaves_loop(statements: list) -> bool:
    """Whether there is a break or continue of a loop outside."""
    for node in statements:
        if isinstance(node, (ast.Break, ast.Continue)):
            return True
        if isinstance(node, ast.If) and (leaves_loop(node.body) or leaves_loop(node.orelse)):
            return True
        if isinstance(node, (ast.For, ast.While)) and leaves_loop(node.orelse):
            return True
    return False


def returns_last(statements: list) -> list:
    """The same statements, where nothing follows a branch in which there is a return."""
    for k, node in enumerate(statements):
        if isinstance(node, ast.Return):
            return statements[: k + 1]
        if isinstance(node, ast.If) and contains([node], ast.Return):
            rest = statements[k + 1 :]
            ways = [returns_last([*way, *copy.deepcopy(rest)]) for way in (node.body, node.orelse)]
            return [*statements[:k], ast.If(node.test, ways[0] or [ast.Pass()], ways[1])]
    return statements


def without_returns(statements: list) -> list:
    """A way through a branch, at the end of which stands what it returned."""
    made: list = []
    for node in statements:
        if isinstance(node, ast.Return):
            made += [] if node.value is None else [ast.Assign([ast.Name(RETURNED, ast.Store())], node.value)]
        elif isinstance(node, ast.If):
            made.append(ast.If(node.test, without_returns(node.body) or [ast.Pass()], without_returns(node.orelse)))
        elif contains([node], ast.Return):
            raise CannotLift("returns from inside of a loop in some lanes only")
        else:
            made.append(node)
    return made or [ast.Pass()]
