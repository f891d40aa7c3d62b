"""A parser whose errors show what was typed and what was perhaps meant."""

from __future__ import annotations

import argparse
import re

from iterorder.validation import did_you_mean

#: Over the options that commands share, in their help.
SHARED_TITLE = "options of several commands"


class Parser(argparse.ArgumentParser):
    """Of the command and of each of its commands: arguments that it does not know are its own error."""

    def parse_known_args(self, args=None, namespace=None):
        """As argparse does, but with nothing left over: a command knows its own options, the program does not."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def format_help(self) -> str:
        """The options that all commands have come last: a reader knows them."""
        self._action_groups.sort(key=lambda group: group.title == SHARED_TITLE)
        return super().format_help()

    def error(self, message: str):
        """The usage and the message, with a likely word for one that is not known; exit status 2."""
        if unknown := re.match(r"unrecognized arguments: (--[^\s=]+)", message):
            known = [option for action in self._actions for option in action.option_strings]
            message += did_you_mean(unknown[1], known)
        elif choice := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            message += did_you_mean(choice[1], [word.strip(" '") for word in choice[2].split(",")])
        super().error(message)
