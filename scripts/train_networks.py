"""Train networks in both orders: python scripts/train_networks.py NAME [--order …] [--device …] [--max-seconds …].

NAME is a preset of iterorder/networks/presets, or a .toml file of one's own like them. What is finished is kept in a
folder beside the figures, and the same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _common import FIGURES
from _networks import draw_experiment
from rich.console import Console
from rich.table import Table

from iterorder.errors import IterorderError
from iterorder.networks.experiment import Experiment, experiment, orders_of, planned_steps
from iterorder.networks.settings import preset, preset_names

REPORTS = FIGURES.parent / "reports" / "networks"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment, print its numbers and draw its figure; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Train networks forward and backward.", epilog="Presets: " + ", ".join(preset_names())
    )
    parser.add_argument("name", metavar="NAME", help="a preset, or a .toml file")
    parser.add_argument("--order", choices=("forward", "backward", "anchored"), help="this order alone, no figure")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="default: cpu")
    parser.add_argument("--max-seconds", type=float, help="stop after so long, with a coarse figure")
    parser.add_argument("--data-dir", type=Path, help="where the files of the data set are")
    parser.add_argument("--partial", action="store_true", help="take what is there of a data set in several files")
    parser.add_argument("--folder", type=Path, default=REPORTS, help="where runs are kept (default: reports/networks)")
    parser.add_argument("--figures", type=Path, default=FIGURES, help="where the figure goes (default: figures/)")
    options = parser.parse_args(arguments)
    try:
        found = _run(options)
    except IterorderError as error:
        print(f"train_networks: {error}", file=sys.stderr)
        return 2
    print_numbers(found)
    if options.order is None:
        for file in draw_experiment(found, options.figures):
            print(file.name)
    if not found.complete:
        print("the time was over: the same command goes on, and the figure is a coarse one until then")
    return 0


def _run(options: argparse.Namespace) -> Experiment:
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
    Console().print(table)
    print(f"{found.seconds:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
