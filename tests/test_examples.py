"""Every example that a reader may copy works: blocks of the Markdown files, and the docstrings.

In README.md, CONTRIBUTING.md and the pages of docs/
- blocks fenced ``python`` run in order, in one namespace and one temporary folder per file;
- a block fenced ``text output`` below one of these is what it prints, to the letter;
- in blocks fenced ``console`` the lines that begin with ``$ iterorder`` run, in that same folder, after the ``python``
  blocks above them;
- a block fenced ``python needs-polars`` runs where that package, which the tests do not install, is there;
- in ``console no-run``, ``bash``, ``sh`` and ``shell`` blocks such lines (of minutes, say) are only checked:
  the subcommand must exist and its help must name every long option;
- in all of these the targets of ``make`` and the scripts given to ``python`` must exist; nothing else is looked at.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import iterorder

ROOT = Path(__file__).resolve().parents[1]
PAGES = [path for name in ("README.md", "CONTRIBUTING.md", "docs/**/*.md") for path in sorted(ROOT.glob(name))]
REQUIRED = {"iterorder", "numpy", "numba", "llvmlite", "scipy", "matplotlib", "rich", "shtab", "threadpoolctl"}
MOST_LETTERS = 120  # of a line of code on a page: more do not fit a window of 1280 pixels
COMMAND_LIMIT_SECONDS = 300  # one that takes longer belongs in a no-run block


@dataclass(frozen=True)
class Block:
    """A fenced block: `line` is that of its first line of content, counted from one."""

    path: Path
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        return self.info.partition(" ")[0]

    @property
    def missing(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        needed = [word.removeprefix("needs-") for word in self.info.split() if word.startswith("needs-")]
        return [name for name in needed if importlib.util.find_spec(name) is None]


@dataclass(frozen=True)
class Command:
    """One command of a shell block; `run` tells whether it is run or only checked."""

    path: Path
    line: int
    words: tuple[str, ...]
    run: bool


def example_id(example: Block | Command) -> str:
    return f"{example.path.relative_to(ROOT).as_posix()}:{example.line}"


def blocks_of(path: Path) -> list[Block]:
    """Return the fenced blocks of a Markdown file; one that is not closed is an error, as its end is unknown."""
    blocks, content, opening, start = [], [], None, 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fence = re.match(r"(\s*)(`{3,}|~{3,})\s*([^`]*)$", line)
        if opening is None and fence:
            opening, content, start = fence, [], number + 1
        elif opening and fence and fence[2].startswith(opening[2]) and not fence[3]:
            blocks.append(Block(path, start, opening[3].strip(), "\n".join(content) + "\n"))
            opening = None
        elif opening:
            content.append(line.removeprefix(opening[1]))  # the block of a list item is indented as a whole
    if opening:
        raise ValueError(f"{path}:{start - 1}: this block is not closed")
    return blocks


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a shell block: in ``console`` the lines with a prompt, in scripts all lines."""
    console = block.language == "console"
    if not console and block.language not in ("bash", "sh", "shell"):
        return []
    commands, pending, first = [], "", 0
    for number, line in enumerate(block.text.splitlines(), start=block.line):
        if not pending:
            if console and not line.startswith("$ "):
                continue  # what the command printed
            first = number
        pending += line.removeprefix("$ " if console and not pending else "")
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        run = console and "no-run" not in block.info.split()
        commands += [Command(block.path, first, words, run) for words in simple_commands(pending)]
        pending = ""
    return commands


def simple_commands(line: str) -> list[tuple[str, ...]]:
    """Split a shell line at ``&&``, ``|``, ``;`` and redirections, and drop comments and assignments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("();<>|&"):
            parts.append([])
        elif parts[-1] or not re.match(r"[A-Za-z_]\w*=", word):
            parts[-1].append(word)
    return [tuple(part) for part in parts if part]


BLOCKS = [block for path in PAGES for block in blocks_of(path)]
PYTHON_BLOCKS = [block for block in BLOCKS if block.language == "python"]
COMMANDS = [command for block in BLOCKS for command in commands_of(block)]


@dataclass
class Session:
    """What the blocks of one file share, and what those that have run have printed."""

    folder: Path
    namespace: dict[str, object] = field(default_factory=lambda: {"__name__": "__main__"})
    printed: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory) -> dict[Path, Session]:
    """One session per file."""
    return {path: Session(tmp_path_factory.mktemp(path.stem)) for path in PAGES}


def run_up_to(block: Block, session: Session) -> str:
    """Run a block, after those above it that have not run yet, and return what it printed."""
    siblings = [other for other in PYTHON_BLOCKS if other.path == block.path]
    place = siblings.index(block)
    for other in siblings[len(session.printed) : place + 1]:
        session.printed.append("")  # before it runs: a block that fails is not run again under the name of the next
        # The empty lines make line numbers, and the source that inspect finds, those of the file.
        source = "\n" * (other.line - 1) + other.text
        if other.missing:
            continue
        with contextlib.redirect_stdout(io.StringIO()) as output:
            exec(compile(source, str(other.path), "exec"), session.namespace)
        session.printed[-1] = output.getvalue()
    return session.printed[place]


def output_of(block: Block) -> str | None:
    """What a block prints according to the page: the text of the ``text output`` block that comes next, if one does."""
    siblings = [other for other in BLOCKS if other.path == block.path]
    later = siblings[siblings.index(block) + 1 :]
    return later[0].text if later and later[0].info == "text output" else None


def same_output(printed: str, expected: str) -> bool:
    """Whether two outputs are the same but for one unit in the last digit shown, and for rounding below 10⁻¹².

    Integers are compared exactly. Another processor has other roundings, never other maps.
    """
    number = r"(-?\d+\.\d*(?:e[+-]?\d+)?|-?\d+e[+-]?\d+)"
    ours, theirs = re.split(number, printed), re.split(number, expected)
    if len(ours) != len(theirs) or ours[::2] != theirs[::2]:
        return False
    return all(
        abs(float(a) - float(b)) <= max(1.01 * unit_of(b), 1e-12) for a, b in zip(ours[1::2], theirs[1::2], strict=True)
    )


def unit_of(text: str) -> float:
    """One in the last digit of a number as it is written."""
    digits, _, power = text.partition("e")
    return 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))


def test_readme_has_python_examples():
    assert any(block.path.name == "README.md" for block in PYTHON_BLOCKS)


@pytest.mark.parametrize("block", PYTHON_BLOCKS, ids=example_id)
def test_python_block(block, sessions, monkeypatch):
    """It runs; what it prints is there, and no number of it is missing."""
    if block.missing:
        pytest.skip(f"{', '.join(block.missing)} is not installed")
    monkeypatch.chdir(sessions[block.path].folder)
    printed, expected = run_up_to(block, sessions[block.path]), output_of(block)
    if expected is None:
        assert bool(printed.strip()) >= bool(re.search(r"^\s*print\(", block.text, re.MULTILINE))
        assert not re.search(r"\b(nan|None)\b", printed), printed
    else:
        assert same_output(printed, expected), printed


def test_code_on_the_pages_fits_a_window():
    """Of 1280 pixels; outputs are as they are printed."""
    for block in BLOCKS:
        if block.path.is_relative_to(ROOT / "docs") and block.info != "text output":
            assert [line for line in block.text.splitlines() if len(line) > MOST_LETTERS] == [], (
                block.path,
                block.line,
            )


def test_every_output_belongs_to_a_block():
    claimed = {id(text) for text in map(output_of, PYTHON_BLOCKS) if text is not None}
    outputs = [block for block in BLOCKS if block.info == "text output"]
    assert claimed == {id(block.text) for block in outputs}


def test_outputs_are_compared_digit_by_digit():
    assert same_output("W = 0.0124 in [1, 2.50e-03]\n", "W = 0.0125 in [1, 2.51e-03]\n")
    assert same_output("floor 3.1e-15", "floor 8.2e-16")
    for other in ("W = 0.0127 in [1, 2.50e-03]\n", "V = 0.0124 in [1, 2.50e-03]\n", "W = 0.0124 in [2, 2.50e-03]\n"):
        assert not same_output("W = 0.0124 in [1, 2.50e-03]\n", other)


def run_iterorder(words, folder):
    """Run the command of this checkout and return what it printed; an exit status other than 0 fails the test."""
    # The folder is another one, and the package need not be installed.
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    result = subprocess.run(
        [sys.executable, "-m", "iterorder", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_LIMIT_SECONDS,
        check=False,
    )
    assert result.returncode == 0, f"exit status {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=example_id)
def test_command(command, sessions, makefile_targets, monkeypatch):
    program, *arguments = command.words
    program = Path(program).name  # .venv/bin/iterorder is the same command
    folder = sessions[command.path].folder
    if program == "iterorder" and command.run:
        above = [block for block in PYTHON_BLOCKS if block.path == command.path and block.line < command.line]
        monkeypatch.chdir(folder)
        if above:  # they may write the files that the command reads
            run_up_to(above[-1], sessions[command.path])
        run_iterorder(arguments, folder)
    elif program == "iterorder":
        subcommand = [word for word in arguments[:1] if not word.startswith("-")]
        text = run_iterorder([*subcommand, "--help"], folder)
        options = {word.partition("=")[0] for word in arguments if word.startswith("--")}
        assert options <= set(re.findall(r"--[\w-]+", text))
    elif program == "make":
        targets = {word for word in arguments if "=" not in word and not word.startswith("-")}
        assert targets <= makefile_targets.keys()
    elif program.startswith("python"):
        scripts = [word for word in arguments[:1] if word.endswith(".py")]
        assert all((ROOT / script).exists() for script in scripts), f"no such file: {scripts}"


def public_modules():
    """Return the names of all modules without a leading underscore, the package itself first.

    Those for GPUs are left out: they have no examples, and need a GPU or a simulator to be imported.
    """
    found = [module.name for module in pkgutil.walk_packages(iterorder.__path__, "iterorder.")]
    found = [name for name in found if not name.startswith("iterorder.kernels.device.")]
    return ["iterorder", *(name for name in found if not any(part.startswith("_") for part in name.split(".")))]


@pytest.mark.parametrize("name", public_modules())
def test_docstring_examples(name, tmp_path, monkeypatch):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "iterorder").partition(".")[0] in REQUIRED:
            raise
        pytest.skip(f"{name} needs the optional {error.name}")
    monkeypatch.chdir(tmp_path)  # an example may write files
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0  # doctest has printed the examples that failed
