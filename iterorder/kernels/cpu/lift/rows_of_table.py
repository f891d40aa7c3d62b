"""Rows of a table of parameters that a body reads entry by entry, found in its text: each is then read as a whole."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable

#: Calls that give the same number for the same arguments, as every function does that is not the user's.
PURE = {"int", "abs", "min", "max", "len"}


def hoist_rows(tree: ast.FunctionDef, varies: Callable[[ast.AST], bool], tables) -> None:
    """Replace entries params[c][i, k] and params[c][i][k], i varying and k not, by those of rows that are read once.

    `tables` holds the length of a row for each two-dimensional array among the parameters that is to be read so.
    """
    if tables:
        _Rows(tree, varies, tables).rewrite()


class _Rows(ast.NodeTransformer):
    def __init__(self, tree: ast.FunctionDef, varies, tables) -> None:
        self.tree, self.varies, self.tables = tree, varies, tables
        self.params, self.out = (argument.arg for argument in tree.args.args[2:4])
        names = [item for item in ast.walk(tree) if isinstance(item, ast.Name)]
        self.stores = Counter(item.id for item in names if isinstance(item.ctx, ast.Store))
        self.arguments = {argument.arg for argument in tree.args.args} - set(self.stores)
        self.places: dict[str, int] = {}  # of names that are set once, in the body itself
        self.named: dict[str, int] = {}  # the parameters that names stand for
        for place, node in enumerate(tree.body):
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                self._note(node.targets[0], node.value, place)
        self.rows: dict[tuple[int, str], tuple[str, int, ast.expr]] = {}

    def _note(self, target: ast.expr, value: ast.expr, place: int) -> None:
        """What a name stands for that is set once."""
        if isinstance(target, ast.Name) and self.stores[target.id] == 1:
            self.places[target.id] = place
            index = self._parameter(value)
            if index is not None:
                self.named[target.id] = index
        whole = isinstance(value, ast.Name) and value.id == self.params and self.params in self.arguments
        if whole and isinstance(target, ast.Tuple) and len(target.elts) == len(self.tables):
            for index, inner in enumerate(target.elts):
                if isinstance(inner, ast.Name) and self.stores[inner.id] == 1:
                    self.places[inner.id], self.named[inner.id] = place, index

    def _parameter(self, node: ast.expr) -> int | None:
        """Which of the parameters an expression is."""
        if isinstance(node, ast.Name):
            return self.named.get(node.id)
        if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == self.params):
            return None
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if not isinstance(index, int) or self.params not in self.arguments:
            return None
        return index if 0 <= index < len(self.tables) else None

    def _row(self, table: ast.expr, index: ast.expr) -> ast.Name | None:
        """The name of a row, if it can be read before all that reads it."""
        which = self._parameter(table)
        if which is None or self.tables[which] is None or not self.varies(index):
            return None
        place = self._place(index)
        if place is None:
            return None
        key = which, ast.dump(index)
        name, _, _ = self.rows.setdefault(key, (f"_lanes_row{len(self.rows)}", place, self._read(which, index)))
        return ast.Name(name, ast.Load())

    def _read(self, which: int, index: ast.expr) -> ast.expr:
        table = ast.Subscript(ast.Name(self.params, ast.Load()), ast.Constant(which), ast.Load())
        return ast.Call(ast.Name("_lanes_row", ast.Load()), [table, index, ast.Constant(self.tables[which])], [])

    def _place(self, index: ast.expr) -> int | None:
        """After which statement of the body an expression has its value for good; −1 from the beginning."""
        place = -1
        for item in ast.walk(index):
            if isinstance(item, ast.Call) and not (isinstance(item.func, ast.Name) and item.func.id in PURE):
                return None
            if not isinstance(item, ast.Name) or item.id in PURE or item.id in self.arguments - {self.out}:
                continue
            if item.id not in self.places:
                return None
            place = max(place, self.places[item.id])
        return place

    def visit_Subscript(self, node: ast.Subscript):
        """An entry of a row."""
        row = None
        if isinstance(node.ctx, ast.Load):
            if isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
                index, entry = node.slice.elts
                row = None if self.varies(entry) else self._row(node.value, index)
            elif isinstance(node.value, ast.Subscript):
                entry = node.slice
                row = self._row(node.value.value, node.value.slice)
        if row is None:
            return self.generic_visit(node)
        return ast.Subscript(row, self.visit(entry), ast.Load())

    def visit_Assign(self, node: ast.Assign):
        """A row that has a name."""
        target, value = node.targets[0], node.value
        if len(node.targets) > 1 or not (isinstance(target, ast.Name) and isinstance(value, ast.Subscript)):
            return self.generic_visit(node)
        which = self._parameter(value.value) if self.stores[target.id] == 1 and self._is_row(target.id) else None
        if which is None or self.tables[which] is None or not self.varies(value.slice):
            return self.generic_visit(node)
        row = self._row(value.value, value.slice)
        node.value = self._read(which, value.slice) if row is None else row
        return node

    def _is_row(self, name: str) -> bool:
        """Whether of all that a name stands for only entries and the length are read."""
        read = sum(isinstance(item, ast.Name) and item.id == name for item in ast.walk(self.tree)) - 1
        for item in ast.walk(self.tree):
            base = item.value if isinstance(item, (ast.Subscript, ast.Attribute)) else None
            if isinstance(item, ast.Attribute) and item.attr not in ("size", "shape"):
                base = None
            if isinstance(item, ast.Call) and isinstance(item.func, ast.Name) and item.func.id == "len":
                base = item.args[0]
            read -= isinstance(base, ast.Name) and base.id == name
        return read == 0

    def rewrite(self) -> None:
        """Put the rows behind what their indices are made of."""
        body = [self.visit(node) for node in self.tree.body]
        for place in range(len(body), -1, -1):
            rows = [(name, value) for name, at, value in self.rows.values() if at == place - 1]
            body[place:place] = [ast.Assign([ast.Name(name, ast.Store())], value) for name, value in rows]
        self.tree.body = body
