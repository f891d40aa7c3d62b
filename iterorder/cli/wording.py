"""Errors of the library in the words of the command: arguments are named as their options are typed.

What an argument is called is told by the parser of the command: an option's `dest` is its name in the library.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping

#: What is left as it is: a call, such as the repr of maps, and a quoted word, which a user typed.
KEPT = r"\w+\([^()]*\)|'[^']*'"
#: A name is no part of a path, an option, or another name; a value is a quoted word, or a number.
BEFORE, AFTER = r"(?<![\w./\\-])", r"(?![\w/\\-]|\.\w)"
VALUE = r"'[^']*'|[\w.+-]*\w"
#: Arguments that are no English words, though they have no underscore.
NO_WORDS = ("tol", "rtol", "x0")
#: What follows an argument of one letter at the beginning; before other words it is an article, as "a" is.
VERBS = r"(?:is|has|holds|gives|must)\b|\["
#: Functions of the library that errors advise, by the commands that call them.
COMMANDS = {"stationary_sample": "iterorder sample"}


def options_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """The options of a command by the names of the arguments that they are."""
    return {
        action.dest: next(flag for flag in action.option_strings if flag.startswith("--"))
        for action in parser._actions
        if action.option_strings and action.dest != "help"
    }


def typed(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> frozenset[str]:
    """The arguments that were given on the command line, as far as they are not their defaults."""
    return frozenset(name for name, value in vars(arguments).items() if value != parser.get_default(name))


def as_typed(message: str, options: Mapping[str, str], given: frozenset[str]) -> str:
    """A message of the library with options in place of arguments.

    At its beginning stands the argument that is wrong: an option, if it was given. Elsewhere only what no English word
    is called is taken for an argument: names with an underscore, and those with a value.

    Examples
    --------
    >>> options = {"n_steps": "--steps", "tol": "--tol", "seed": "--seed"}
    >>> as_typed("n_steps is -1: give an integer", options, frozenset({"n_steps"}))
    '--steps is -1: give an integer'
    >>> as_typed("tol is 0.1: give tol=0, or fewer n_steps of one seed", options, frozenset({"tol"}))
    '--tol is 0.1: give --tol 0, or fewer --steps of one seed'
    """
    options = COMMANDS | dict(options)
    names = "|".join(map(re.escape, sorted(options, key=len, reverse=True)))
    first = re.match(rf"({names}){AFTER}(?![=(])(?:(?<=\w\w)|(?=\[| (?:{VERBS})))", message)
    begin = ""
    if first and first[1] in given:
        begin, message = options[first[1]], message[first.end() :]

    def replaced(found: re.Match[str]) -> str:
        if (name := found["set"]) is not None:
            return f"{options[name]} {found['value'].strip(chr(39))}"
        name = found["name"]
        return options[name] if name is not None and ("_" in name or name in NO_WORDS) else found[0]

    with_value, alone = f"{BEFORE}(?P<set>{names})=(?P<value>{VALUE})", f"{BEFORE}(?P<name>{names}){AFTER}"
    return begin + re.sub(f"{with_value}|{KEPT}|{alone}", replaced, message)


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number of things, one of which is no plural: with an s, unless another one is given.

    Examples
    --------
    >>> counted(1, "replica"), counted(10_000, "replica")
    ('1 replica', '10,000 replicas')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural or f'{noun}s'}"
