"""The experiment of a preset: both orders and an anchored one, a control that settles, baselines, many sequences."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.files import make_folder
from iterorder.networks.baselines import FILE, Baseline, linear_decay, tail_average
from iterorder.networks.data import ImageData
from iterorder.networks.late import late_saves
from iterorder.networks.model import StepModel, load_of
from iterorder.networks.pace import OutOfTime, until
from iterorder.networks.plan import planned, steps_of
from iterorder.networks.run import TrainingRun
from iterorder.networks.settings import Preset
from iterorder.networks.train import train
from iterorder.orders import BACKWARD, FORWARD, Order, Window
from iterorder.progress import Progress, Report
from iterorder.types import FloatArray, IntArray, PathLike

#: The attributes of an experiment that hold runs, and what those beside the main ones are called.
RUNS, CONTROLS, SEQUENCES = "runs", "controls", "sequences"
BESIDE = {CONTROLS: "control", SEQUENCES: "sequences"}


@dataclass(eq=False)
class Experiment:
    """What was computed of a preset.

    Attributes
    ----------
    preset : Preset
        The settings that were run.
    model, control : StepModel or None
        What was trained, and the model beside it that settles in the backward order; None where there was none.
    runs : dict of str to TrainingRun
        By "forward", "backward" and "anchored", of sequence 0.
    controls : dict of str to TrainingRun
        The control in the forward and the backward order.
    sequences : dict of str to TrainingRun
        Both orders with many sequences of batches, over the last third of the steps.
    baselines : dict of str to Baseline
        "tail average" and "linear decay".
    seconds : float
        Of wall time.
    missed : list of str
        The baselines that the time was not enough for.
    """

    preset: Preset
    model: StepModel
    control: StepModel | None = None
    runs: dict[str, TrainingRun] = field(default_factory=dict)
    controls: dict[str, TrainingRun] = field(default_factory=dict)
    sequences: dict[str, TrainingRun] = field(default_factory=dict)
    baselines: dict[str, Baseline] = field(default_factory=dict)
    seconds: float = 0.0
    missed: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the time was enough for everything."""
        runs = [*self.runs.values(), *self.controls.values(), *self.sequences.values()]
        return all(run.complete for run in runs) and not self.missed

    def spread(self, order: str, observable: str = "loss") -> tuple[FloatArray, float, FloatArray]:
        """Standard deviations over n within each sequence, and that of the means over n between the sequences.

        Returns
        -------
        within : ndarray, shape (n_sequences,)
            How far an observable moves along each sequence.
        between : float
            How far the means of the sequences are apart.
        interval : ndarray, shape (2,)
            Of `between` at 95 %, if the means are normal.
        """
        late = self.sequences[order].late(observable)
        return late.within[0], late.between, late.between_interval()


class PlannedRun(NamedTuple):
    """A run of an experiment before it is made: where it belongs, its name there, and what `train` is given.

    `kind` is the attribute of `Experiment` that holds it.
    """

    kind: str
    name: str
    model: StepModel
    order: Order
    options: dict[str, Any]

    @property
    def title(self) -> str:
        """In words."""
        return f"{BESIDE[self.kind]}, {self.name}" if self.kind in BESIDE else self.name

    @property
    def folder(self) -> str:
        """The name of the folder that it is kept in."""
        return self.title.replace(", ", "-")


def orders_of(preset: Preset) -> dict[str, Order]:
    """The orders of an experiment by their names."""
    found: dict[str, Order] = {FORWARD: FORWARD, BACKWARD: BACKWARD}
    return found | ({"anchored": Window(start=preset.run["anchor"])} if "anchor" in preset.run else {})


def saves_of(preset: Preset) -> IntArray:
    """0, stride, 2·stride, …, n_steps."""
    return np.arange(0, preset.run["n_steps"] + 1, preset.run["stride"])


def planned_steps(preset: Preset, model: StepModel) -> dict[str, int]:
    """Gradient steps of each run of the model, before any is made."""
    saves = saves_of(preset)
    if preset.run["stride"] > 1:
        saves = np.union1d(saves, saves[:-1] + 1)
    return {
        name: sum(steps_of(unit, order, saves) for unit in planned(order, saves, 1, *load_of(model)))
        for name, order in orders_of(preset).items()
    }


def experiment(
    preset: Preset,
    *,
    images: ImageData | None = None,
    data_dir: PathLike | None = None,
    device: str = "cpu",
    order: str | None = None,
    folder: PathLike | None = None,
    max_seconds: float | None = None,
    progress: Progress = False,
    report: Report | None = None,
) -> Experiment:
    """Run the experiment of a preset.

    Parameters
    ----------
    preset : Preset
        The settings, such as `preset` reads from a file.
    images : ImageData, optional
        Instead of those that the preset names.
    data_dir : path-like, optional
        Where the files of the data set are.
    device : str
        "cpu", or "cuda".
    order : {"forward", "backward", "anchored"}, optional
        This order alone, without control, sequences and baselines.
    folder : path-like, optional
        Where each run keeps what is finished, to go on after an interruption.
    max_seconds : float, optional
        For all that is done here: loading data, all runs together, and the baselines, each of which is left out where
        it does not end in time.
    progress : bool or function
        As in `iterorder.simulate`, of all runs together.
    report : Report, optional
        Takes the finished share of the runs.
    """
    clock = _Clock(max_seconds)
    images = preset.images(data_dir) if images is None else images
    model = preset.make_model(images, device=device)
    known = orders_of(preset)
    if order is not None and order not in known:
        raise InvalidInputError(f"order is {order!r}: give one of {', '.join(map(repr, known))}")
    result = Experiment(preset, model)
    common = {name: preset.run[name] for name in ("batch_size", "n_steps", "seed")}

    def run(planned: PlannedRun) -> None:
        where = None if folder is None else Path(folder) / planned.folder
        if where is not None:
            make_folder(where)
        options = {**common, **planned.options, "folder": where, "max_seconds": clock.left(), "progress": progress}
        getattr(result, planned.kind)[planned.name] = train(planned.model, order=planned.order, **options)
        if planned.kind == CONTROLS:
            result.control = planned.model

    stages: list[Callable[[], None]] = [partial(run, planned) for planned in planned_runs(preset, model, images, order)]
    if order is None and preset.baselines:
        kept = None if folder is None else Path(folder)
        stages += _baselines(preset, result, kept, {**common, "progress": until(clock.deadline)})
    for done, stage in enumerate(stages):
        stage()
        if report is not None:
            report((done + 1) / len(stages))
    result.seconds = clock.spent()
    return result


def planned_runs(preset: Preset, model: StepModel, images: ImageData, order: str | None = None) -> list[PlannedRun]:
    """The runs of an experiment, in their order; of one order, without the control and the sequences."""
    n_steps, saves, pairs = preset.run["n_steps"], saves_of(preset), preset.run["stride"] > 1
    runs = [
        PlannedRun(RUNS, name, model, which, {"save_steps": saves, "pairs": pairs})
        for name, which in orders_of(preset).items()
        if order in (None, name)
    ]
    if order is None and preset.control:
        control = preset.make_model(images, preset.control)  # on the processor
        coarse = {"save_steps": np.arange(0, n_steps, preset.control["stride"]), "pairs": True}
        runs += [PlannedRun(CONTROLS, which, control, which, coarse) for which in (FORWARD, BACKWARD)]
    if order is None and preset.sequences:
        many = {"save_steps": late_saves(n_steps, preset.sequences["stride"]), "n_sequences": preset.sequences["count"]}
        runs += [PlannedRun(SEQUENCES, which, model, which, many) for which in (FORWARD, BACKWARD)]
    return runs


def _baselines(
    preset: Preset, result: Experiment, folder: Path | None, common: dict[str, Any]
) -> list[Callable[[], None]]:
    """Those at equal gradients; kept beside the runs, which have refused a folder of other settings before."""
    stride, n_steps = preset.baselines["stride"], preset.run["n_steps"]
    each = {
        "tail average": (tail_average, saves_of(preset)[1:]),
        "linear decay": (linear_decay, np.arange(stride, n_steps + 1, stride)),
    }

    def stage(name: str) -> None:
        compute, saves = each[name]
        where = None if folder is None else folder / name.replace(" ", "-")
        if where is not None and (where / FILE).is_file():
            found = Baseline.load(where / FILE)
            if np.array_equal(found.save_steps, saves):
                result.baselines[name] = found
                return
        try:
            found = result.baselines[name] = compute(result.model, save_steps=saves, **common)
        except OutOfTime:
            result.missed.append(name)
            return
        if where is not None:
            make_folder(where)
            found.save(where / FILE)

    return [partial(stage, name) for name in each]


class _Clock:
    """What is left of the time for all runs."""

    def __init__(self, limit: float | None) -> None:
        self.begun, self.limit = time.monotonic(), limit
        self.deadline = None if limit is None else self.begun + limit

    def spent(self) -> float:
        return time.monotonic() - self.begun

    def left(self) -> float | None:
        return None if self.limit is None else max(0.0, self.limit - self.spent())
