"""`iterorder explore`: the explorer in a browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from iterorder.cli import output
from iterorder.cli.options import add_command
from iterorder.errors import BackendUnavailableError, InvalidInputError

EXAMPLES = (
    "iterorder explore",
    "iterorder explore --system barnsley_fern",
    "iterorder explore --maps my_maps.py:make --view 'step_size=0.1'",
    "iterorder explore --run reports/networks/digits-mlp",
)


def add_to(commands) -> None:
    """The arguments of the command."""
    explore = add_command(
        commands,
        "explore",
        run=run,
        help="watch both orders in a browser",
        description="Serve a page on this machine (127.0.0.1) on which systems are watched forward and backward under "
        "the same maps, and open it. The address that is printed has the token without which nothing is answered.",
        examples=EXAMPLES,
    )
    explore.add_argument("--port", type=int, default=0, metavar="N", help="default: a free one")
    explore.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    explore.add_argument("--system", metavar="NAME", help="a system of the gallery, or linear_model")
    explore.add_argument("--maps", metavar="FILE.py:NAME", help="maps of a Python file, or a function that makes them")
    explore.add_argument("--run", type=Path, metavar="FOLDER", dest="folder", help="show the training in a folder")
    explore.add_argument("--view", default="", metavar="TEXT", help="what follows # in a link of the page")
    explore.add_argument("--print", action="store_true", dest="printed", help="print the numbers of the view and end")


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted; the exit status."""
    from dataclasses import replace

    try:
        import aiohttp  # noqa: F401
    except ImportError as error:
        reason = "aiohttp is not installed: pip install iterorder[explore]"
        raise BackendUnavailableError(f"iterorder explore: {reason}", reason) from error
    from iterorder.explore.snippet import printed
    from iterorder.explore.systems import Catalogue, own_maps
    from iterorder.explore.training import training_runs
    from iterorder.explore.view import View

    if not 0 <= arguments.port <= 65535:
        raise InvalidInputError(f"--port {arguments.port}: give a number up to 65535, or 0 for a free one")
    catalogue = Catalogue(own_maps(arguments.maps) if arguments.maps else None)
    view = View.from_query(arguments.view)
    if arguments.system or (arguments.maps and "system=" not in arguments.view):
        view = replace(view, system=arguments.system or "file")
    catalogue.check(view)
    runs = training_runs(arguments.folder) if arguments.folder else []
    if arguments.printed:
        print(printed(catalogue, view), end="")
        return output.OK
    return _served(catalogue, runs, arguments, view.query)


def _served(catalogue, runs: list[dict], arguments: argparse.Namespace, query: str) -> int:
    from iterorder.explore.server import serve

    def ready(address: str) -> None:
        whole = f"{address}#{query}" if query else address
        print(f"{whole}\nServing on this machine alone until Ctrl-C.", flush=True)
        if not arguments.no_browser:
            import webbrowser

            webbrowser.open(whole)

    try:
        serve(catalogue, runs, port=arguments.port, ready=ready)
    except OSError as error:
        raise InvalidInputError(
            f"--port {arguments.port} cannot be used: {error.strerror or error}: give another one, or "
            "none for one that is free"
        ) from None
    return output.OK
