"""On which line a user's function stops being one that can be compiled, where the compiler does not say.

The function is cut behind its first, second, … statement, and the first piece that fails ends with the mistake.
"""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable
from types import FunctionType


def failing_line(function: FunctionType, fails: Callable[[FunctionType], bool]) -> int | None:
    """The line in its file of the first statement with which a function fails; None where that cannot be found.

    Parameters
    ----------
    function : function
        Plain Python that does not compile.
    fails : function
        Whether a shorter version of the function fails. Called about log₂ as often as there are statements.
    """
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):  # typed at a prompt, or part of a longer expression
        return None
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        return None
    statements = list(_in_order(definition.body))
    low, high = 0, len(statements)  # the first `low` statements do not fail, the first `high` do
    if not fails(_shortened(function, definition, high)):
        return None  # another function than the source says
    while high - low > 1:
        middle = (low + high) // 2
        if fails(_shortened(function, definition, middle)):
            high = middle
        else:
            low = middle
    return first + statements[high - 1].lineno - 1


def _in_order(body: list[ast.stmt]):
    """All statements, each before those inside of it."""
    for statement in body:
        yield statement
        for inner in _blocks(statement):
            yield from _in_order(inner)


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks of statements inside of an if, a loop, a function, …, in their order."""
    blocks = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    return [block for block in blocks if isinstance(block, list)]


def _shortened(function: FunctionType, definition: ast.FunctionDef, count: int) -> FunctionType:
    """The function with its first `count` statements alone, and with the names that the whole one sees."""
    body, _ = _first(definition.body, count)
    short = copy.copy(definition)
    short.body, short.decorator_list, short.returns = body or [ast.Pass()], [], None
    module = ast.fix_missing_locations(ast.Module([short], type_ignores=[]))
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    names = {**function.__globals__, **{name: cell.cell_contents for name, cell in cells.items()}}
    exec(compile(module, function.__code__.co_filename, "exec"), names)
    return names[definition.name]


def _first(body: list[ast.stmt], count: int) -> tuple[list[ast.stmt], int]:
    """The first `count` statements in order, and how many of the `count` are left for what follows."""
    kept = []
    for statement in body:
        if count == 0:
            break
        shorter, count = copy.copy(statement), count - 1
        for name, block in zip(("body", "orelse", "finalbody"), _blocks(statement), strict=False):
            inner, count = _first(block, count)
            setattr(shorter, name, inner or ([ast.Pass()] if name == "body" else []))
        kept.append(shorter)
    return kept, count
