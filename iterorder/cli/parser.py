"""A parser whose errors show what was typed and what was perhaps meant."""

from __future__ import annotations

import argparse
import re
import sys

from iterorder.cli.exit_status import USAGE
from iterorder.validation import did_you_mean

#: Over the options that commands share, in their help.
SHARED_TITLE = "options of several commands"
#: What argparse says, as patterns, and how the library says it; applied in this order.
OUR_WORDS = (
    (r"^argument (.+?):? (?=is |invalid|expected|'|not )", r"\1 "),
    (r"invalid int value: ('.*')$", r"is \1: give an integer"),
    (r"invalid (?:float|number) value: ('.*')$", r"is \1: give a number, such as 1000, 1e6 or 0.1"),
    (r"expected (?:one|at least one) argument$", "has no value: give one behind it"),
    (r"^the following arguments are required: (.+)$", r"missing: \1"),
)


class Parser(argparse.ArgumentParser):
    """Of the command and of each of its commands: arguments that it does not know are its own error."""

    def __init__(self, *args, **options) -> None:
        # An abbreviation that is silently another option is worse than an error: --sav for --save, not for --systems.
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def parse_known_args(self, args=None, namespace=None):
        """As argparse does, but with nothing left over: a command knows its own options, the program does not."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def _print_message(self, message, file=None) -> None:
        """As argparse does, which keeps it to itself when nothing can be written."""
        print(message, end="", file=file or sys.stderr)

    def format_help(self) -> str:
        """The options that all commands have come last: a reader knows them."""
        self._action_groups.sort(key=lambda group: group.title == SHARED_TITLE)
        return super().format_help()

    def error(self, message: str):
        """The message in one line and in our words, with what was perhaps meant; exit status 2."""
        known = [option for action in self._actions for option in action.option_strings]
        if unknown := re.match(r"unrecognized arguments: ([^\s=]+)", message):
            message += self._meant(unknown[1], known)
        elif choice := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            words = [word.strip(" '") for word in choice[2].split(",")]
            told = f"is {choice[1]!r}: give one of {', '.join(words)}{did_you_mean(choice[1], words)}"
            message = message.replace(choice[0], told)
        for pattern, ours in OUR_WORDS:
            message = re.sub(pattern, ours, message)
        self.exit(USAGE, f"{self.prog.partition(' ')[0]}: {message}; see {self.prog} --help\n")

    def _meant(self, word: str, known: list[str]) -> str:
        """The option that a word is near, or that a Python file belongs to."""
        if word.startswith("-"):
            return did_you_mean(word, known)
        return f"; did you mean --systems {word}?" if word.endswith(".py") and "--systems" in known else ""
