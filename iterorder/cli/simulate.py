"""`iterorder simulate`: replicas of random maps in any order, as a table and as a file."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from iterorder.cli import output
from iterorder.cli.dry_run import tell_cost
from iterorder.cli.options import add_command, add_out, number
from iterorder.cli.order_option import ORDERS, as_order, as_save_steps
from iterorder.cli.system_options import add_system, chosen_system
from iterorder.cli.wording import counted
from iterorder.errors import InvalidInputError
from iterorder.log import detail
from iterorder.saved_moments import moments_at
from iterorder.trajectory import LEFT
from iterorder.validation import MAX_STEPS, as_int, as_seed

if TYPE_CHECKING:
    from iterorder.trajectory import Trajectory

EXAMPLES = (
    "iterorder simulate two_point_quadratic --step-size 0.3 --steps 100 --replicas 1000 --order backward",
    "iterorder simulate --data points.csv --loss huber --step-size 0.05 --batch-size 4 --steps 1e4 --replicas 100",
    "iterorder simulate spiral --systems my_systems.py --steps 500 --order sliding:60 --save-steps all --out run.npz",
    "iterorder simulate sierpinski --steps 1e7 --replicas 1000 --dry-run",
)
#: Rows of the table, and coordinates with columns of their own.
ROWS, COORDINATES = 12, 3


def add_to(commands) -> None:
    """The arguments of the command."""
    parser = add_command(
        commands,
        "simulate",
        run=run,
        help="compose random maps in an order, for many replicas",
        description="Compose random maps forward, backward or in a window, for many replicas, print a table of the "
        "saved steps, and write the states. Maps are a system of the gallery, SGD on data with a loss, or those of a "
        "Python file.",
        examples=EXAMPLES,
        options=("seed", "backend", "dry-run"),
        fails="all replicas diverged, or --tol is given and the maps have no certificate",
    )
    add_system(parser)
    group = parser.add_argument_group("run")
    group.add_argument(
        "--steps", dest="n_steps", type=number, required=True, metavar="N", help="maps that are composed, such as 1e6"
    )
    group.add_argument("--replicas", dest="n_replicas", type=number, default=1, metavar="R", help="default 1")
    group.add_argument("--order", default="forward", metavar="ORDER", help=f"{', '.join(ORDERS)}; default forward")
    group.add_argument(
        "--save-steps", metavar="STEPS", help="all, every:K, or numbers such as 10,100; default: the last"
    )
    group.add_argument("--noise", choices=("independent", "shared"), default="independent", help="of the replicas")
    group.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    group.add_argument(
        "--tol", type=number, default=0.0, metavar="X", help="error that may cut backward work; default 0"
    )
    group.add_argument("--first-step", type=number, default=0, metavar="N", help="where in the noise the run starts")
    group.add_argument("--first-replica", type=number, default=0, metavar="R", help="likewise, of a run in parts")
    group.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="keep what is computed, to go on after a kill")
    add_out(group, "write the trajectory as .npz (ito.load reads it)")


def run(arguments: argparse.Namespace) -> int:
    """Simulate, write, print; the exit status."""
    from iterorder.simulate import simulate

    output.check_targets(out=arguments.out, json=arguments.json)
    _check_suffix(arguments.out)
    how = _how(arguments)
    entry = chosen_system(arguments)
    if arguments.dry_run:
        return _plan(arguments, entry, how)
    start = time.perf_counter()
    found = simulate(entry.maps, entry.x0, **how, checkpoint=arguments.checkpoint, progress=True).to_numpy()
    seconds = time.perf_counter() - start
    detail(f"{arguments.order}: {seconds:.2f} s")
    unwritten = output.try_to_write("--out", arguments.out, found.save)
    arguments.out = None if unwritten else arguments.out  # what is printed tells of files that are there
    content = _content(arguments, entry.name, found, seconds)
    output.deliver(arguments, content, lambda: _show(arguments, entry.name, found, seconds), *unwritten)
    return output.OK


def _how(arguments: argparse.Namespace) -> dict[str, Any]:
    """Arguments of `simulate`, those that this command reads itself checked."""
    n_steps = as_int("n_steps", arguments.n_steps, low=0, high=MAX_STEPS)
    return {
        "n_steps": n_steps,
        "order": as_order(arguments.order),
        "n_replicas": arguments.n_replicas,
        "seed": as_seed(arguments.seed),
        "save_steps": as_save_steps(arguments.save_steps, n_steps),
        "noise": arguments.noise,
        "first_step": arguments.first_step,
        "first_replica": arguments.first_replica,
        "backend": arguments.backend,
        "dtype": arguments.dtype,
        "tol": arguments.tol,
    }


def _check_suffix(path: Path | None) -> None:
    if path is not None and path.suffix.lower() != ".npz":
        raise InvalidInputError(
            f"--out {path} has another suffix than .npz, which is what is written: end the name with .npz"
        )


def _plan(arguments: argparse.Namespace, entry, how: dict[str, Any]) -> int:
    from iterorder.cost import estimate_cost

    asked = {name: how[name] for name in ("order", "n_replicas", "save_steps", "seed", "backend", "dtype")}
    cost = estimate_cost(entry.maps, how["n_steps"], x0=entry.x0, **asked)
    steps, replicas = int(how["n_steps"]), int(how["n_replicas"])  # as 1e4 is typed
    what = f"{entry.name}: {steps:,} steps of {counted(replicas, 'replica')}, {arguments.order}"
    return tell_cost(arguments, what, cost.seconds, cost.bytes, {"system": entry.name})


def _content(arguments: argparse.Namespace, name: str, found: Trajectory, seconds: float) -> dict[str, Any]:
    """For JSON: what was run, and of every saved step (of some between, where there are many)."""
    return {
        "system": name,
        "order": arguments.order,
        "seed": found.seed,
        "n_replicas": found.states.shape[0],
        "dim": found.states.shape[2],
        "dtype": str(found.states.dtype),
        "seconds": seconds,
        "diverged": int((found.diverged_at >= 0).sum()),
        "error_bound": float(found.error_bound.max()),
        "out": arguments.out,
        "steps": [vars(moments_at(found, place)) for place in _places(found)],
    }


def _places(found: Trajectory) -> list[int]:
    """Saved steps that are shown: at most `ROWS`, evenly spread."""
    return np.unique(np.linspace(0, len(found.save_steps) - 1, ROWS).round().astype(int)).tolist()


def _show(arguments: argparse.Namespace, name: str, found: Trajectory, seconds: float) -> None:
    from rich import box
    from rich.table import Table

    replicas, saved, dim = found.states.shape
    console, view = output.console(), Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = ["step", "finite"]
    for k in range(min(dim, COORDINATES)):
        mark = f" x{k}" if dim > 1 else ""
        columns += [f"mean{mark}", f"std{mark}"]
    for column in [*columns, "median ‖x‖"]:
        view.add_column(column, justify="right", no_wrap=True)
    for row in (moments_at(found, place) for place in _places(found)):
        numbers = [values[k] for k in range(min(dim, COORDINATES)) for values in (row.mean, row.std)]
        cells = [f"{value:.6g}" if np.isfinite(value) else "-" for value in (*numbers, row.median_norm)]
        view.add_row(f"{row.step:,}", f"{row.finite:,}", *cells)
    console.print(view)
    many = counted(replicas, "replica")
    lines = [f"{name}, {arguments.order}: {many} in dimension {dim}, {saved:,} saved, {seconds:.2f} s"]
    if gone := int((found.diverged_at >= 0).sum()):
        lines.append(f"{gone:,} of {many} {LEFT}")
    if found.error_bound.any():
        lines.append(f"error of the states: at most {found.error_bound.max():.3g}")
    if arguments.out is not None:
        lines.append(f"written to {arguments.out}")
    for line in lines:
        console.print(line, markup=False, highlight=False)
