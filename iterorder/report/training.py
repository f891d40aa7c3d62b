"""Runs of training: the loss and how far neighbours are apart, never one without the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from iterorder.networks.late import late_training
from iterorder.report.document import Code, Part, Picture, Section, Table, Text, drawn, known

if TYPE_CHECKING:
    from iterorder.networks.baselines import Baseline
    from iterorder.networks.run import TrainingRun

HEADS = (
    "run",
    "steps",
    "gradient steps",
    "done",
    "loss, last third",
    "std over n",
    "sd between sequences",
    "median move",
)
CAUTION = (
    "A backward loss curve is smooth because neighbours share their last batches, whether or not the network settles: "
    "the distance between neighbours and the spread between sequences tell."
)


def training(folder: Path) -> Iterator[Section]:
    """The runs in a folder, or in folders one below."""
    from iterorder.networks.baselines import baselines_in
    from iterorder.networks.run import runs_in

    runs = dict(sorted(runs_in(folder), key=lambda named: _place(named[0])))
    if not runs:
        return
    parts: list[Part] = [Text(CAUTION)]
    baselines = dict(baselines_in(folder))
    with_loss = {name: run for name, run in runs.items() if "loss" in run.observables and run.done.any()}
    alone = {name: run for name, run in with_loss.items() if run.moves.shape[1] == 1}
    if alone or with_loss:
        parts.append(_picture(alone or with_loss, baselines))
    elif not any(run.done.any() for run in runs.values()):
        parts.append(Text("No iterate is finished yet: there is nothing to be drawn."))
    rows = [_row(name, run) for name, run in runs.items()]
    parts.append(Table(HEADS, rows + [_row_beside(name, found) for name, found in baselines.items()]))
    parts += [Text(f"{name}, forecast: {run.forecast}.") for name, run in runs.items() if run.forecast]
    again = _again(folder, next(iter(runs.values())))
    yield Section("Training", [*parts, *([Code(again)] if again else [])], "run of training", len(runs))


def _place(name: str) -> tuple[bool, int, str]:
    """The runs of one sequence first, and forward before backward, as everywhere."""
    return "-" in name, ("forward" not in name) + ("anchored" in name), name


def _picture(runs: dict[str, TrainingRun], baselines: dict[str, Baseline]) -> Picture:
    from matplotlib.figure import Figure

    from iterorder.plotting import ORDER_COLORS, PAGE, house_style

    panels = {"loss": runs}
    if neighbours := {name: run for name, run in runs.items() if run.has_neighbours}:
        panels["move"] = neighbours
    with house_style():
        figure = Figure(figsize=(PAGE * len(panels) / 2, 0.42 * PAGE))
        places = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (observable, shown) in zip(places, panels.items(), strict=True):
            for name, run in shown.items():
                first = len(axes.lines)
                run.plot(axes, observable=observable)
                axes.lines[first].set_label(", ".join(filter(None, (name, run.reached))))
                for line in axes.lines[first:] if "-" in name else ():  # the control, in the same colours
                    line.set_linestyle(":")
            for name, found in baselines.items() if observable == "loss" else ():
                color = ORDER_COLORS["average" if "average" in name else "decay"]
                axes.plot(found.save_steps, found.observables["loss"], "--", color=color, linewidth=0.9, label=name)
            axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize="x-small")
            if observable == "move":
                axes.set_yscale("log")
    seen = "The loss and the distance between neighbouring iterates" if neighbours else "The loss"
    return drawn(figure, f"{seen} over the step")


def _row(name: str, run: TrainingRun) -> list[object]:
    gradients = int(run.gradients[-1]) * run.moves.shape[0] * run.moves.shape[1]
    facts: list[object] = [name, int(run.save_steps[-1]), gradients, f"{run.done.mean():.0%}"]
    unseen = np.full(run.moves.shape, np.nan)
    late = run.late() if "loss" in run.observables else late_training(run.save_steps, unseen, run.moves)
    return [*facts, *map(known, (late.mean, late.mean_within, late.between, late.move))]


def _row_beside(name: str, found: Baseline) -> list[object]:
    """Of a baseline, which has one sequence and no neighbours."""
    late = found.late()
    facts: list[object] = [f"{name}, a baseline", int(found.save_steps[-1]), int(found.gradients[-1]), "100%"]
    return [*facts, *map(known, (late.mean, late.mean_within, np.nan, np.nan))]


def _again(folder: Path, run: TrainingRun) -> str:
    """The command of a preset, where the folder is that of one."""
    from iterorder.networks.settings import preset_names

    name = folder.resolve().name
    device = "" if run.device == "cpu" else f" --device {run.device}"
    return f"iterorder train {name}{device} --out {folder.parent}" if name in preset_names() else ""
