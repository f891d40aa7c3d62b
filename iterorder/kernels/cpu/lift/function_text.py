"""The text of a function as a tree, and a tree as code that runs in its place."""

from __future__ import annotations
import __future__

import ast
import copy
import inspect
import textwrap
import types

FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


def tree_of(function) -> ast.FunctionDef | None:
    """The text of a function; None where there is none, or not the one that runs."""
    try:
        module = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    tree = module.body[0]
    if not isinstance(tree, ast.FunctionDef):
        return None
    tree.decorator_list, tree.returns = [], None
    # A file may have been edited since it was read.
    return (
        tree if any(_same(code_of(tree, function, imported), function.__code__) for imported in (True, False)) else None
    )


def _same(code, other) -> bool:
    if code.co_code != other.co_code or code.co_names != other.co_names or code.co_varnames != other.co_varnames:
        return False
    pairs = list(zip(code.co_consts, other.co_consts, strict=False))
    return len(code.co_consts) == len(other.co_consts) and all(
        _same(a, b) if isinstance(a, types.CodeType) and isinstance(b, types.CodeType) else repr(a) == repr(b)
        for a, b in pairs
    )


def code_of(tree: ast.FunctionDef, function, imported: bool = True) -> types.CodeType:
    """The code of a text with the closure of a function, whose modules may have been imported at the top of its file.

    Python compiles a call of what such a name has in another way.
    """
    cells = [ast.arg(name) for name in function.__code__.co_freevars]
    arguments = ast.arguments([], cells, None, [], [], None, [])
    inner = copy.deepcopy(tree)
    inner.args.defaults, inner.args.kw_defaults = [], [None] * len(inner.args.kwonlyargs)
    for argument in (*inner.args.args, *inner.args.posonlyargs, *inner.args.kwonlyargs):
        argument.annotation = None
    outer = ast.FunctionDef("closure", arguments, [inner, ast.Return(ast.Name(tree.name, ast.Load()))], [])
    if hasattr(outer, "type_params"):
        outer.type_params = []
    known = function.__globals__
    modules = [name for name in function.__code__.co_names if isinstance(known.get(name), types.ModuleType)]
    imports: list[ast.stmt] = [ast.Import([ast.alias(name)]) for name in modules if imported]
    module = ast.fix_missing_locations(ast.Module([*imports, outer], []))
    flags = function.__code__.co_flags & FUTURE
    code = compile(module, function.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    for name in ("closure", tree.name):
        code = next(item for item in code.co_consts if isinstance(item, types.CodeType) and item.co_name == name)
    return code
