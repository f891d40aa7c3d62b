"""Branches of a function that may differ between lanes, made choices between the results of both ways.

Names are found to vary or not from the text alone; a branch that is wrongly taken for one that does not vary fails to
compile, so the text decides about speed and never about numbers.
"""

from __future__ import annotations

import ast
import copy

from iterorder.kernels.cpu.lift.liveness import live_before, live_before_all, live_in_loop, loaded, stored
from iterorder.kernels.cpu.lift.one_exit import (
    RETURNED,
    CannotLift,
    Plain,
    contains,
    leaves_loop,
    returns_last,
    without_returns,
)
from iterorder.kernels.cpu.lift.rows_of_table import hoist_rows

#: Statements and expressions that are left to single numbers.
FOREIGN: tuple = (ast.Lambda, ast.NamedExpr, ast.Global, ast.Nonlocal, ast.Try, ast.With, ast.Delete, ast.Match)
FOREIGN += (
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.Yield,
    ast.YieldFrom,
    ast.Await,
    ast.ClassDef,
)
UNIFORM = ("size", "shape", "ndim")


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _set(name: str, value: ast.expr) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], value)


def _call(tool: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_name(f"_lanes_{tool}"), list(arguments), [])


class Choices:
    """One function on its way."""

    def __init__(self, tree: ast.FunctionDef, varying, tables) -> None:
        self.tree, self.tables, self.count, self.loops = tree, tables, 0, 0
        jumps = contains(tree.body, (ast.Break, ast.Continue))
        self.always = loaded(tree) if jumps else set()  # what may matter after every statement
        arguments = {argument.arg for argument in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs)}
        self.varying = set(arguments if varying is None else varying)
        self.defined = set(arguments)

    def rewrite(self) -> None:
        """Replace the body of the function."""
        if contains(self.tree.body, FOREIGN) or contains(self.tree.body, (ast.FunctionDef, ast.AsyncFunctionDef)):
            raise CannotLift("has an expression or a statement that is left to single numbers")
        if self.tree.args.vararg or self.tree.args.kwarg:
            raise CannotLift("takes any number of arguments")
        self.tree = Plain().visit(self.tree)
        self._find_varying()
        self.tree.body = returns_last(self.tree.body)
        hoist_rows(self.tree, self.varies, self.tables)
        self._find_varying()
        self.tree.body = self._block(self.tree.body, set(), None) or [ast.Pass()]

    def _fresh(self, name: str) -> str:
        self.count += 1
        return f"_lanes_{name}{self.count}"

    # ---- what differs between lanes

    def varies(self, node: ast.AST) -> bool:
        """Whether an expression may differ between lanes."""
        if isinstance(node, ast.Name):
            return node.id in self.varying
        if isinstance(node, ast.Attribute) and node.attr in UNIFORM:
            return False
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "len":
                return False
            return any(map(self.varies, (*node.args, *node.keywords)))
        return any(map(self.varies, ast.iter_child_nodes(node)))

    def _find_varying(self) -> None:
        before = -1
        while len(self.varying) != before:
            before = len(self.varying)
            for statement in self.tree.body:
                self._mark(statement, inside=False)

    def _mark(self, node: ast.stmt, *, inside: bool) -> None:
        """Add the names that a statement makes vary; `inside` of a branch that does."""
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            if inside or self.varies(node.value):
                self.varying |= stored(node)
        elif isinstance(node, ast.For) and self.varies(node.iter):
            self.varying |= stored(node.target)
        inside = inside or (isinstance(node, (ast.If, ast.While)) and self.varies(node.test))
        for child in (*getattr(node, "body", ()), *getattr(node, "orelse", ())):
            self._mark(child, inside=inside)

    # ---- statements

    def _block(self, statements: list, after: set[str], mask: str | None) -> list:
        """Statements as they are done in all lanes, where `mask` holds only."""
        lives = [after | self.always]
        for statement in reversed(statements):
            lives.append(live_before(statement, lives[-1]) | self.always)
        lives.reverse()
        made: list = []
        for statement, live in zip(statements, lives[1:], strict=True):
            made += self._statement(statement, live, mask)
        return made

    def _statement(self, node: ast.stmt, live: set[str], mask: str | None) -> list:
        if isinstance(node, ast.If) and self.varies(node.test):
            return self._choice(node, live, mask)
        if isinstance(node, ast.Return) and mask is not None:
            raise CannotLift("returns from inside of a loop in some lanes only")
        if isinstance(node, (ast.Assign, ast.AugAssign)) and mask is not None:
            made = self._masked(node, mask)
        elif isinstance(node, (ast.If, ast.For, ast.While)):
            made = [self._uniform(node, live, mask)]
        else:
            made = [_Expressions(self).visit(node)]
        self.defined |= stored(node)
        return made

    def _uniform(self, node, live: set[str], mask: str | None):
        """A loop or a branch that is the same in all lanes."""
        node, inner = copy.copy(node), live
        if isinstance(node, ast.For):
            node.iter = _Expressions(self).visit(node.iter)
            self.defined |= stored(node.target)
        else:
            if self.varies(node.test):
                raise CannotLift("repeats a loop in some lanes only")
            node.test = _Expressions(self).visit(node.test)
        if not isinstance(node, ast.If):
            inner = live_in_loop(node, live)
            self.loops += 1
        node.body = self._block(node.body, inner, mask) or [ast.Pass()]
        self.loops -= not isinstance(node, ast.If)
        node.orelse = self._block(node.orelse, live, mask)
        return node

    def _masked(self, node, mask: str) -> list:
        """An assignment in some lanes: names are chosen between later, entries of arrays now."""
        if isinstance(node, ast.AugAssign):
            if isinstance(node.target, ast.Name):
                return [_Expressions(self).visit(node)]
            before = copy.deepcopy(node.target)
            before.ctx = ast.Load()
            node = ast.Assign([node.target], ast.BinOp(before, node.op, node.value))
        value = _Expressions(self).visit(node.value)
        if len(node.targets) > 1:
            whole = self._fresh("whole")
            return [
                _set(whole, value),
                *(made for part in node.targets for made in self._put(part, _name(whole), mask)),
            ]
        return self._put(node.targets[0], value, mask)

    def _put(self, target: ast.expr, value: ast.expr, mask: str) -> list:
        if isinstance(target, (ast.Tuple, ast.List)):
            parts = [self._fresh("part") for _ in target.elts]
            made: list = [ast.Assign([ast.Tuple([ast.Name(part, ast.Store()) for part in parts], ast.Store())], value)]
            for part, inner in zip(parts, target.elts, strict=True):
                made += self._put(inner, _name(part), mask)
            return made
        if isinstance(target, ast.Name):
            return [ast.Assign([target], value)]
        if not isinstance(target, ast.Subscript):
            raise CannotLift("sets an attribute")
        before = copy.deepcopy(target)
        before.ctx = ast.Load()
        chosen = _call("choose", _name(mask), value, _Expressions(self).visit(before))
        return [ast.Assign([_Expressions(self).visit(target)], chosen)]

    def _choice(self, node: ast.If, live: set[str], mask: str | None) -> list:
        """Both ways of a branch, one after the other, and the names of either chosen between."""
        if any(leaves_loop(way) for way in (node.body, node.orelse)):
            raise CannotLift("leaves a loop in some lanes only")
        returns = contains([*node.body, *node.orelse], ast.Return)
        if returns and self.loops:
            raise CannotLift("returns from inside of a loop in some lanes only")
        if returns:
            node = ast.If(node.test, *(without_returns(way) for way in (node.body, node.orelse)))
            live = live | {RETURNED}
            if mask is not None:
                returns = False  # the outermost of the branches returns
        condition, opposite = self._fresh("condition"), self._fresh("opposite")
        made: list = [_set(condition, _call("truth", _Expressions(self).visit(node.test)))]
        made.append(_set(opposite, _call("opposite", _name(condition))))
        masks = [condition, opposite]
        if mask is not None:
            masks = [self._fresh("mask"), self._fresh("mask")]
            for name, part in zip(masks, (condition, opposite), strict=True):
                made.append(_set(name, _call("both", _name(mask), _name(part))))
        made += self._both_ways(node, live, condition, masks)
        if returns:
            has_value = RETURNED in self.defined
            made.append(ast.Return(_name(RETURNED) if has_value else None))
        return made

    def _both_ways(self, node: ast.If, live: set[str], condition: str, masks: list[str]) -> list:
        before, assigned = set(self.defined), stored(*node.body, *node.orelse)
        needed = sorted(assigned & (live | live_before_all(node.orelse, live)) & before)
        old = {name: self._fresh("before") for name in needed}
        made: list = [_set(old[name], _name(name)) for name in needed]
        made += self._block(node.body, live, masks[0])
        first = before | (self.defined & stored(*node.body))
        kept = {name: self._fresh("first") for name in sorted(assigned & live & first)}
        made += [_set(kept[name], _name(name)) for name in kept]
        made += [_set(name, _name(old[name])) for name in needed]
        self.defined = set(before)
        made += self._block(node.orelse, live, masks[1])
        for name in sorted(assigned & live):
            if name not in kept or name not in self.defined:
                raise CannotLift(f"{name} is set on one way only")
            made.append(_set(name, _call("choose", _name(condition), _name(kept[name]), _name(name))))
        self.defined = before | (first & self.defined)
        return made


class _Expressions(ast.NodeTransformer):
    """Choices inside of expressions."""

    def __init__(self, rewriting: Choices) -> None:
        self.varies = rewriting.varies

    def visit_IfExp(self, node: ast.IfExp):
        chosen = self.varies(node.test)
        self.generic_visit(node)
        return _call("choose", _call("truth", node.test), node.body, node.orelse) if chosen else node

    def visit_BoolOp(self, node: ast.BoolOp):
        chosen = self.varies(node)
        self.generic_visit(node)
        if not chosen:
            return node
        return _joined("both" if isinstance(node.op, ast.And) else "either", node.values)

    def visit_Compare(self, node: ast.Compare):
        chosen = len(node.ops) > 1 and self.varies(node)
        self.generic_visit(node)
        if not chosen:
            return node
        sides = [node.left, *node.comparators]
        parts = [
            ast.Compare(copy.deepcopy(left), [sign], [copy.deepcopy(right)])
            for left, sign, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return _joined("both", parts)

    def visit_Subscript(self, node: ast.Subscript):
        several = isinstance(node.slice, ast.Tuple) and isinstance(node.ctx, ast.Load) and self.varies(node.slice)
        self.generic_visit(node)
        return _call("entry", node.value, node.slice) if several else node


def _joined(tool: str, values: list) -> ast.expr:
    found = values[0]
    for value in values[1:]:
        found = _call(tool, found, value)
    return found
