"""The page as one ES module, which is what a notebook takes: no build step, its files put one behind the other."""

from __future__ import annotations

import json
import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"
#: The module that has no file: the page's elements and its styles.
ASSETS = "assets.js"

IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w.]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?(?:function|class|const) (\w+))", re.MULTILINE)


def bundled(entry: str = "widget.js") -> str:
    """The text of an ES module whose default export has what `entry` exports.

    Each file becomes a function that runs once and returns what the file exports, so names of one file are not seen in
    another. The files keep to one line for each import, by name, and to exports where something is declared.
    """
    assets = {
        "markup": (STATIC / "index.html").read_text(encoding="utf-8"),
        "styles": (STATIC / "page.css").read_text(encoding="utf-8"),
    }
    lines = [f"const modules = {{ {json.dumps(ASSETS)}: {json.dumps(assets)} }};"]
    lines += [_wrapped(name, (STATIC / name).read_text(encoding="utf-8")) for name in _in_order(entry)]
    return "\n".join([*lines, f"export default modules[{json.dumps(entry)}];", ""])


def _in_order(entry: str) -> list[str]:
    """The files that `entry` needs, each after those that it imports; itself last."""
    found: list[str] = []

    def visit(name: str) -> None:
        if name in found or name == ASSETS:
            return
        for _, needed in IMPORT.findall((STATIC / name).read_text(encoding="utf-8")):
            visit(needed)
        found.append(name)

    visit(entry)
    return found


def _wrapped(name: str, text: str) -> str:
    exported = ", ".join(given for _, given in EXPORT.findall(text))
    text = IMPORT.sub(r'const { \1 } = modules["\2"];', text)
    text = EXPORT.sub(r"\1", text)
    return f"modules[{json.dumps(name)}] = (() => {{\n{text}\nreturn {{ {exported} }};\n}})();"
