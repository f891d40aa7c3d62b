"""`iterorder train`: the experiment of a preset, in both orders, with what is finished kept on disk."""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iterorder.cli import output
from iterorder.cli.dry_run import spoken, tell_cost
from iterorder.cli.options import add_command, add_out
from iterorder.validation import as_float

if TYPE_CHECKING:
    from iterorder.networks.data import ImageData
    from iterorder.networks.experiment import Experiment
    from iterorder.networks.model import StepModel
    from iterorder.networks.settings import Preset

#: Where runs are kept unless another folder is given.
RUNS = Path("reports") / "networks"
ORDERS = ("forward", "backward", "anchored")
EXAMPLES = (
    "iterorder train digits-mlp --dry-run",
    "iterorder train digits-mlp --order forward --max-seconds 60 --out runs",
    "iterorder train my_network.toml --out runs --seed 3 --json numbers.json",
)
#: Of a row of the table, in JSON.
KEYS = ("run", "test_loss", "accuracy", "std_over_n", "sd_between_sequences", "median_move")


def add_to(commands) -> None:
    """The arguments of the command."""
    parser = add_command(
        commands,
        "train",
        run=run,
        help="train a network forward and backward",
        description="Train a network in several orders and print what was seen. The same command goes on where it was "
        "interrupted. A name that is no preset lists the presets.",
        examples=EXAMPLES,
        options=("seed", "dry-run"),
        fails="no saved iterate is finite",
        changed={"seed": {"default": None, "help": "of batches and start weights; default: that of the preset"}},
    )
    add_options(parser)
    parser.set_defaults(by_hand={"preset": "NAME"})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those that the script which draws the figure has too."""
    parser.add_argument("name", metavar="NAME", help="a preset, such as digits-mlp, or a .toml file like them")
    parser.add_argument("--order", choices=ORDERS, help="this order alone")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="default: cpu")
    parser.add_argument("--max-seconds", type=float, metavar="S", help="stop after so long in all, with a coarse run")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where the files of the data set are")
    parser.add_argument("--partial", action="store_true", help="take what is there of a data set in several files")
    add_out(parser, f"where runs are kept (default: {RUNS})", metavar="FOLDER", default=RUNS, old=["--folder"])


def run(arguments: argparse.Namespace) -> int:
    """Train, print; the exit status."""
    output.check_targets(json=arguments.json)
    if arguments.dry_run:
        return _plan(arguments)
    found = trained(arguments, tell=output.teller(arguments), seed=arguments.seed)

    def show() -> None:
        print_numbers(found)
        folder = arguments.out / found.preset.name
        print(f"kept in {folder}: iterorder report {folder}")
        if not found.complete:
            print("the time was over: the same command goes on")

    output.deliver(arguments, _content(found), show)
    return output.OK


def trained(
    options: argparse.Namespace, tell: Callable[[str], object] = output.say_line, seed: int | None = None
) -> Experiment:
    """The experiment, after its steps have been said."""
    from iterorder.networks.experiment import experiment, planned_steps

    limit, begun = options.max_seconds, time.monotonic()
    if limit is not None:
        limit = as_float("--max-seconds", limit, low=0.0)
    settings, images, model = _asked(options, seed)
    for name, steps in planned_steps(settings, model).items():
        if options.order in (None, name):
            tell(f"{name}: {steps:,} gradient steps")
    return experiment(
        settings,
        images=images,
        device=options.device,
        order=options.order,
        folder=options.out / settings.name,
        max_seconds=None if limit is None else max(0.0, limit - (time.monotonic() - begun)),
        progress=True,
    )


def _asked(
    options: argparse.Namespace, seed: int | None, *, download: bool = True
) -> tuple[Preset, ImageData, StepModel]:
    """The settings, with another seed where one is given, their data and their model."""
    from iterorder.networks.settings import preset
    from iterorder.validation import as_seed

    settings = preset(options.name)
    if seed is not None:
        settings = dataclasses.replace(settings, run={**settings.run, "seed": as_seed(seed)})
    images = settings.images(options.data_dir, whole=not options.partial, download=download)
    return settings, images, settings.make_model(images, device=options.device)


def _plan(arguments: argparse.Namespace) -> int:
    from iterorder.networks.cost import estimate_experiment

    settings, images, model = _asked(arguments, arguments.seed, download=False)
    stages, size = estimate_experiment(settings, model, images, order=arguments.order, progress=True)
    seconds = sum(stage.seconds for stage in stages)
    parts = [{"name": stage.name, "gradient_steps": stage.steps, "seconds": stage.seconds} for stage in stages]
    lines = [f"{stage.name}: {stage.steps:,} gradient steps, {spoken(stage.seconds)}" for stage in stages]
    return tell_cost(arguments, "\n".join(lines), seconds, size, {"preset": settings.name, "runs": parts})


def _content(found: Experiment) -> dict[str, Any]:
    """For JSON: the numbers of the table."""
    return {
        "preset": found.preset.name,
        "seed": found.preset.run["seed"],
        "complete": found.complete,
        "seconds": found.seconds,
        "rows": [dict(zip(KEYS, row, strict=True)) for row in _rows(found)],
    }


def _rows(found: Experiment) -> Iterator[tuple]:
    """Of late training, by run: the loss, accuracy, their spreads, and how far neighbours are apart."""
    from iterorder.networks.experiment import orders_of

    for name in orders_of(found.preset):
        if (run := found.runs.get(name)) is None or not run.done.any():
            continue
        late = run.late()
        between = found.sequences[name].late().between if name in found.sequences else math.nan
        yield _row(name, late.mean, run.late("accuracy").mean, late.mean_within, between, late.move)
    for name, baseline in found.baselines.items():
        late = baseline.late()
        yield _row(name, late.mean, baseline.late("accuracy").mean, late.mean_within, late.between, late.move)
    for name, run in found.controls.items():
        if math.isfinite(move := run.late().move):
            yield _row(f"control, {name}", *[math.nan] * 4, move)


def _row(name: str, *numbers: float) -> tuple:
    """What is not known is None."""
    return name, *(None if math.isnan(number) else number for number in numbers)


def print_numbers(found: Experiment) -> None:
    """The table, and the time."""
    from rich.table import Table

    table = Table(title=f"{found.preset.title}, last third of the steps")
    for column in ("", "test loss", "accuracy", "std over n", "sd between sequences", "median move"):
        table.add_column(column, justify="left" if not column else "right")
    for name, *numbers, move in _rows(found):
        cells = ["" if value is None else f"{value:.4f}" for value in numbers]
        run = found.runs.get(name)
        part = "" if run is None or run.complete else f", {run.done.mean():.0%} done"  # late numbers of what there is
        table.add_row(name + part, *cells, "" if move is None else f"{move:.3g}")
    if table.row_count:
        output.console().print(table)
    else:
        print("no iterate is finished: give more --max-seconds")
    print(f"{found.seconds:.0f} s")
