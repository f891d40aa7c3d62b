"""`iterorder figures`: draws the figures of the documentation, where their scripts are."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tomllib
from pathlib import Path
from types import ModuleType

from iterorder.cli import output
from iterorder.cli.options import add_command, add_out
from iterorder.errors import InvalidInputError
from iterorder.files import make_folder
from iterorder.validation import did_you_mean

#: Where the package lies: in a clone of the repository, unless it was installed as a copy.
HOME = Path(__file__).resolve().parents[2]
ENTRY = "make_figures"
#: As `make reproduce`, which leaves the files of the repository alone.
FOLDER = Path("reports/figures")
EXAMPLES = (
    "iterorder figures --list",
    "iterorder figures one_path --effort quick --out drawn",
)


def add_to(commands) -> None:
    """The arguments of the command."""
    parser = add_command(
        commands,
        "figures",
        run=run,
        help="draw the figures of the documentation, from a clone of the repository",
        description="Draw the figures of the README and the documentation, each with a JSON file of its parameters and "
        "numbers. Their scripts are part of the repository, not of an installed package: run it in a clone. "
        "Seeds are fixed in the scripts.",
        examples=EXAMPLES,
        options=("effort",),
    )
    parser.add_argument("names", nargs="*", metavar="FIGURE", help="figures to draw; default: all")
    parser.add_argument("--list", action="store_true", help="print the names of the figures and stop")
    add_out(parser, f"the folder of the files; default: {FOLDER}", metavar="FOLDER", default=FOLDER, old=["--folder"])


def run(arguments: argparse.Namespace) -> int:
    """List or draw; the exit status."""
    output.check_targets(json=arguments.json)
    scripts = _scripts()
    known = scripts.names()
    if arguments.list:
        output.deliver(arguments, {"figures": known}, lambda: print("\n".join(known)))
        return output.OK
    for name in arguments.names:
        if name not in known:
            raise InvalidInputError(
                f"FIGURE {name!r} is not known: give some of {', '.join(known)}{did_you_mean(name, known)}"
            )
    make_folder(arguments.out, "--out")
    chosen = list(dict.fromkeys(arguments.names)) or known
    written = scripts.draw_all(dict.fromkeys(chosen, arguments.effort), arguments.out, tell=output.teller(arguments))
    content = {"effort": arguments.effort, "files": {name: list(files) for name, files in written.items()}}
    output.deliver(arguments, content, lambda: None)
    return output.OK


def known_figures() -> list[str]:
    """The names of the figures; none where the scripts are not."""
    return [] if _clone() is None else _scripts().names()


def _clone() -> Path | None:
    """The clone that the package lies in, or else the one that the command is run in."""
    here = Path.cwd()
    return next((folder for folder in (HOME, here, *here.parents) if _is_clone(folder)), None)


def _is_clone(folder: Path) -> bool:
    """Whether a folder has the scripts, and is of this project: those of another one are not run."""
    if not (folder / "scripts" / f"{ENTRY}.py").is_file():
        return False
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return project.get("project", {}).get("name") == "iterorder"


def _scripts() -> ModuleType:
    """The script that draws all figures."""
    clone = _clone()
    if clone is None:
        raise InvalidInputError(
            "the scripts of the figures are not installed with the package: clone its repository, and run iterorder "
            "figures in its folder"
        )
    os.environ.setdefault("MPLBACKEND", "Agg")  # files, no windows
    if (scripts := str(clone / "scripts")) not in sys.path:
        sys.path.insert(0, scripts)
    try:
        return importlib.import_module(ENTRY)
    except ImportError as error:
        raise InvalidInputError(
            f"the scripts in {scripts} cannot be used with the installed package ({error}): install the package from "
            f"that clone, by pip install -e {clone}"
        ) from error
