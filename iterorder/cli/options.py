"""What commands have in common: the options that mean the same in all of them, each written once."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from iterorder.cli.exit_status import FAILED, MEANINGS, OK, USAGE
from iterorder.cli.parser import SHARED_TITLE, Parser
from iterorder.validation import EFFORTS, MAX_SEED

#: Where `--json -` goes.
STANDARD_OUTPUT = Path("-")
#: Columns of help texts.
WIDTH = 96


def number(text: str) -> int | float:
    """A number as it is typed: 1000, 1e6 or 0.1."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def seed(text: str) -> int:
    """A key of the noise."""
    if not text.isdecimal() or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: give an integer in [0, 2⁶⁴)")
    return int(text)


#: Options by the names under which commands ask for them: flags, and what argparse is told.
SHARED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "seed": (("--seed",), {"type": seed, "default": 0, "metavar": "N", "help": "of all noise, in [0, 2⁶⁴); default 0"}),
    "effort": (
        ("--effort",),
        {"choices": EFFORTS, "default": "quick", "help": "how much is computed: within a minute, or minutes"},
    ),
    "backend": (
        ("--backend",),
        {"default": "cpu", "metavar": "NAME", "help": "what computes: cpu or cuda; default cpu"},
    ),
    "dry-run": (
        ("--dry-run",),
        {"action": "store_true", "help": "check all, time a small piece, tell seconds and memory, and stop there"},
    ),
    "json": (
        ("--json",),
        {"type": Path, "metavar": "FILE", "help": "write what is printed as JSON; - is standard output, and no table"},
    ),
    "threads": (
        ("--threads",),
        {"type": int, "metavar": "N", "help": "processors to use; default: all that this process may"},
    ),
    "quiet": (("--quiet", "-q"), {"action": "store_true", "help": "no progress, only the result"}),
    "verbose": (
        ("--verbose", "-v"),
        {"action": "store_true", "help": "a log on standard error: what is used, read, chosen and written"},
    ),
}
#: Of every command.
COMMON = ("json", "threads", "quiet", "verbose")


def add_command(
    commands,
    name: str,
    *,
    run: Callable[[argparse.Namespace], int],
    help: str,
    description: str,
    examples: Sequence[str],
    options: Sequence[str] = (),
    fails: str = "",
    changed: Mapping[str, dict[str, Any]] = MappingProxyType({}),
) -> Parser:
    """The parser of a command, with the options that all commands have and those of `SHARED` that it asks for.

    Parameters
    ----------
    commands
        What `add_subparsers` returned.
    name : str
        The word behind ``iterorder``.
    run : function
        Called with the parsed arguments; returns the exit status.
    help, description : str
        One line for the list of commands; some sentences for its own help.
    examples : sequence of str
        Commands that a reader may copy. A test runs each of them.
    options : sequence of str
        Keys of `SHARED`, beside those of `COMMON`.
    fails : str
        What exit status 1 says, for a command that has it.
    changed : dict
        By key of `SHARED`, what argparse is told otherwise.
    """
    parser: Parser = commands.add_parser(
        name,
        help=help,
        description=textwrap.fill(description, WIDTH),
        epilog=_epilog(examples, fails),
        formatter_class=help_format,
    )
    shared = parser.add_argument_group(SHARED_TITLE)
    for key in (*options, *COMMON):
        flags, how = SHARED[key]
        shared.add_argument(*flags, **(how | changed.get(key, {})))
    # What errors are told with: the parser, and names of arguments that are typed in another way than as options.
    parser.set_defaults(run=run, examples=tuple(examples), parser=parser, by_hand={})
    return parser


def add_out(parser, help: str, *, metavar: str = "FILE", default: Path | None = None, old: Sequence[str] = ()) -> None:
    """`--out`: where the result of a command goes; `old` are spellings that were there before."""
    parser.add_argument("--out", *old, dest="out", type=Path, metavar=metavar, default=default, help=help)


def add_format(parser) -> None:
    """`--format`: of the commands that guard something in continuous integration."""
    parser.add_argument(
        "--format",
        choices=("table", "github"),
        default="table",
        help="github: a line for each failure in its own format",
    )


def exit_statuses(meanings: Mapping[int, str]) -> str:
    """Lines of a help text."""
    lines = ["exit status:"]
    for status, meaning in meanings.items():
        lines += textwrap.wrap(meaning, WIDTH, initial_indent=f"  {status:<5}", subsequent_indent=" " * 7)
    return "\n".join(lines)


def help_format(prog: str) -> argparse.HelpFormatter:
    """Texts as they are broken here, and options in one column."""
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=30)


def _epilog(examples: Sequence[str], fails: str) -> str:
    lines = "\n".join(f"  {example}" for example in examples)
    own = {OK: MEANINGS[OK], **({FAILED: fails} if fails else {}), USAGE: MEANINGS[USAGE]}
    return f"examples:\n{lines}\n\n{exit_statuses(own)}\n  others: iterorder --help"
