"""`iterorder train`: the experiment of a preset, in both orders, with what is finished kept on disk."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from iterorder.cli import output

if TYPE_CHECKING:
    from iterorder.networks.experiment import Experiment

#: Where runs are kept unless another folder is given.
RUNS = Path("reports") / "networks"


def add_to(commands) -> None:
    """The arguments of the command."""
    train = commands.add_parser(
        "train",
        help="train a network forward and backward",
        description="Train a network in several orders and print what was seen. The same command goes on where it was "
        "interrupted.",
    )
    add_options(train)
    train.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those that the script which draws the figure has too."""
    parser.add_argument("name", metavar="NAME", help="a preset, such as digits-mlp, or a .toml file like them")
    parser.add_argument("--order", choices=("forward", "backward", "anchored"), help="this order alone")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="default: cpu")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="stop after so long, with a coarse run")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where the files of the data set are")
    parser.add_argument("--partial", action="store_true", help="take what is there of a data set in several files")
    parser.add_argument(
        "--folder", type=Path, default=RUNS, metavar="DIR", help=f"where runs are kept (default: {RUNS})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, print; the exit status."""
    found = trained(arguments)
    print_numbers(found)
    if not found.complete:
        print("the time was over: the same command goes on")
    return output.OK


def trained(options: argparse.Namespace) -> Experiment:
    """The experiment, after its steps have been said."""
    from iterorder.networks.experiment import experiment, planned_steps
    from iterorder.networks.settings import preset

    settings = preset(options.name)
    images = settings.images(options.data_dir, whole=not options.partial)
    model = settings.make_model(images, device=options.device)
    for name, steps in planned_steps(settings, model).items():
        if options.order in (None, name):
            print(f"{name}: {steps:,} gradient steps", flush=True)
    return experiment(
        settings,
        images=images,
        device=options.device,
        order=options.order,
        folder=options.folder / settings.name,
        max_seconds=options.max_seconds,
        progress=True,
    )


def print_numbers(found: Experiment) -> None:
    """Of the last third of the steps: the loss, its spreads, and how far neighbours are apart."""
    from rich.table import Table

    from iterorder.networks.experiment import orders_of

    late = 2 * found.preset.run["n_steps"] // 3
    table = Table(title=f"{found.preset.title}, last third of the steps")
    for column in ("", "test loss", "accuracy", "std over n", "sd between sequences", "median move"):
        table.add_column(column, justify="left" if not column else "right")
    for name in orders_of(found.preset):
        if (run := found.runs.get(name)) is None:
            continue
        kept = run.save_steps > late
        loss, accuracy = (run.observables[key][0, 0, kept] for key in ("loss", "accuracy"))
        if not np.isfinite(loss).any():
            continue
        between = f"{found.spread(name)[1]:.4f}" if name in found.sequences and found.sequences[name].complete else ""
        moves = run.moves[0, 0, kept]
        move = f"{np.nanmedian(moves):.3g}" if np.isfinite(moves).any() else ""
        cells = f"{np.nanmean(loss):.4f}", f"{np.nanmean(accuracy):.4f}", f"{np.nanstd(loss):.4f}"
        table.add_row(name, *cells, between, move)
    for name, baseline in found.baselines.items():
        kept = baseline.save_steps > late
        loss, accuracy = (baseline.observables[key][kept] for key in ("loss", "accuracy"))
        table.add_row(name, f"{loss.mean():.4f}", f"{accuracy.mean():.4f}", f"{loss.std():.4f}", "", "")
    for name, run in found.controls.items():
        moves = run.moves[0, 0, run.save_steps > late]
        if np.isfinite(moves).any():
            table.add_row(f"control, {name}", "", "", "", "", f"{np.nanmedian(moves):.3g}")
    output.console().print(table)
    print(f"{found.seconds:.0f} s")
