"""The same as a view, without the page: lines of Python, the command, and the numbers both print."""

from __future__ import annotations

import shlex

from iterorder.explore.systems import Catalogue
from iterorder.explore.view import View
from iterorder.orders import FORWARD
from iterorder.simulate import simulate


def python_lines(catalogue: Catalogue, view: View) -> str:
    """Lines that print mean and standard deviation of every coordinate, in both orders, at the last step."""
    lines = [
        "import numpy as np",
        "import iterorder as ito",
        "",
        *catalogue.code(view),
        f"start = {_start(view)}",
        f'for order in ("forward", {_order(view)}):',
        f"    run = ito.simulate(maps, start, {view.steps}, order=order, n_replicas={view.replicas}, seed={view.seed})",
        "    states = run.states[:, -1]",
        "    print(order, states.mean(axis=0).tolist(), states.std(axis=0).tolist())",
    ]
    return "\n".join(lines) + "\n"


def _start(view: View) -> str:
    return f"np.array({list(view.start)})" if isinstance(view.start, tuple) else f"np.full(maps.dim, {view.start!r})"


def _order(view: View) -> str:
    order = view.composition
    return f'"{order}"' if isinstance(order, str) else f"ito.{order!r}"


def command(catalogue: Catalogue, view: View) -> str:
    """The command that opens the page with the view; empty for maps of a notebook. --print prints its numbers."""
    own = catalogue.own if view.system == "file" else None
    if own is not None and own.path is None:
        return ""
    maps = f" --maps {shlex.quote(f'{own.path}:{own.name}')}" if own is not None else ""
    return f"iterorder explore{maps} --view {shlex.quote(view.query or 'system=' + view.system)}"


def printed(catalogue: Catalogue, view: View) -> str:
    """What the lines of Python print."""
    maps = catalogue.maps(view)
    start = view.starts(maps.dim)
    lines = []
    for order in (FORWARD, view.composition):
        run = simulate(maps, start, view.steps, order=order, n_replicas=view.replicas, seed=view.seed, backend="cpu")
        states = run.states[:, -1]
        lines.append(f"{order} {states.mean(axis=0).tolist()} {states.std(axis=0).tolist()}\n")
    return "".join(lines)
