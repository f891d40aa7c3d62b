"""The notebooks of examples/ run, as scripts of their own, and print what they hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_prints_what_it_holds(path, tmp_path):
    """Functions of a script live where those of a notebook do, in __main__: its workers get them by value."""
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    script = tmp_path / "notebook.py"
    script.write_text("\n\n".join("".join(cell["source"]) for cell in cells), encoding="utf-8")
    held = "".join(
        "".join(output["text"]) for cell in cells for output in cell["outputs"] if output.get("name") == "stdout"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert held
    assert result.stdout == held
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"])


def test_there_are_notebooks():
    assert NOTEBOOKS
