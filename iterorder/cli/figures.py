"""`iterorder figures`: draws the figures of the documentation, where their scripts are."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

from iterorder.cli import output
from iterorder.cli.options import add_command, add_out
from iterorder.errors import InvalidInputError
from iterorder.files import make_folder
from iterorder.validation import did_you_mean

#: The scripts lie beside the package in a clone of the repository, and are not installed with it.
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
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
        "numbers. Their scripts are part of the repository, not of an installed package: elsewhere this says so. "
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
    return _scripts().names() if _is_clone() else []


def _is_clone() -> bool:
    return (SCRIPTS / f"{ENTRY}.py").is_file() and (SCRIPTS.parent / "pyproject.toml").is_file()


def _scripts() -> ModuleType:
    """The script that draws all figures."""
    if not _is_clone():
        raise InvalidInputError(
            "the scripts of the figures are not installed with the package: clone its repository and run "
            "`make reproduce` or `iterorder figures` there; results of your own have a .plot()"
        )
    os.environ.setdefault("MPLBACKEND", "Agg")  # files, no windows
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    return importlib.import_module(ENTRY)
