"""`iterorder completion`: a script with which a shell completes commands, options, names and files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from iterorder.cli import output
from iterorder.cli.options import add_command

SHELLS = ("bash", "zsh", "fish")
EXAMPLES = ("iterorder completion bash", "iterorder completion zsh", "iterorder completion fish --json -")
#: What an argument of such a name is completed with.
FILES, FOLDERS = ("FILE", "FILE.py", "CONFIG.toml | status FOLDER | resume FOLDER"), ("FOLDER", "DIR")


def add_to(commands) -> None:
    """The arguments of the command."""
    parser = add_command(
        commands,
        "completion",
        run=run,
        help="print a script that completes in bash, zsh or fish",
        description="Print a script with which a shell completes commands, options, names and files. bash: "
        'eval "$(iterorder completion bash)" in ~/.bashrc. zsh: write it to a file _iterorder in a folder of $fpath. '
        "fish: write it to ~/.config/fish/completions/iterorder.fish. Once more after an update.",
        examples=EXAMPLES,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(arguments: argparse.Namespace) -> int:
    """Print the script; the exit status."""
    output.check_targets(json=arguments.json)
    text = script(arguments.shell)
    output.deliver(arguments, {"shell": arguments.shell, "script": text}, lambda: print(text))
    return output.OK


def script(shell: str) -> str:
    """The script, made from the parser itself."""
    import shtab

    from iterorder.cli.command import _parser

    parser = _parser()
    words = {dest: make() for dest, make in _words().items()}
    for command, action in _actions(parser):
        key = action.dest if action.dest in words else f"{command}.{action.dest}"
        if key in words:
            action.choices = words[key]
        elif action.metavar in (*FILES, *FOLDERS):
            action.complete = shtab.DIRECTORY if action.metavar in FOLDERS else shtab.FILE  # type: ignore[attr-defined]
    return shtab.complete(parser, shell=shell)


def _actions(parser: argparse.ArgumentParser, command: str = "") -> Iterator[tuple[str, argparse.Action]]:
    """The arguments of all commands, each with the name of its command."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for shown in action._choices_actions:
                action.choices[shown.dest].description = shown.help  # a line, as there is no room for more
            for name, inner in action.choices.items():
                yield from _actions(inner, name)
        else:
            yield command, action


def _words() -> dict[str, Callable[[], list[str]]]:
    """Words that are no choices, as others are accepted as well or the message is better: by argument."""
    from iterorder.claims.check import CLAIMS
    from iterorder.cli.figures import known_figures
    from iterorder.cli.order_option import ORDERS
    from iterorder.cli.system_options import GALLERY
    from iterorder.maps.losses import LOSSES
    from iterorder.networks.settings import preset_names
    from iterorder.sampling import SAMPLINGS
    from iterorder.sweeps.systems import FAMILIES

    return {
        "system": lambda: [name.removeprefix(GALLERY) for name in FAMILIES],
        "loss": lambda: list(LOSSES),
        "sampling": lambda: list(SAMPLINGS),
        "simulate.order": lambda: [order.rstrip("WM") for order in ORDERS],
        "backend": lambda: ["cpu", "cuda"],
        "check.claims": lambda: list(CLAIMS),
        "train.name": preset_names,
        "figures.names": known_figures,
    }
