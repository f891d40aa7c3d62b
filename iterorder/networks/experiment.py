"""The experiment of a preset: both orders and an anchored one, a control that settles, baselines, many sequences."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.networks.baselines import Baseline, linear_decay, tail_average
from iterorder.networks.data import ImageData
from iterorder.networks.model import StepModel
from iterorder.networks.plan import planned, steps_of
from iterorder.networks.run import TrainingRun
from iterorder.networks.settings import Preset
from iterorder.networks.train import train
from iterorder.orders import BACKWARD, FORWARD, Order, Window
from iterorder.progress import Progress, Report


@dataclass(eq=False)
class Experiment:
    """What was computed of a preset.

    Attributes
    ----------
    preset : Preset
    model, control : StepModel or None
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
    """

    preset: Preset
    model: StepModel
    control: StepModel | None = None
    runs: dict[str, TrainingRun] = field(default_factory=dict)
    controls: dict[str, TrainingRun] = field(default_factory=dict)
    sequences: dict[str, TrainingRun] = field(default_factory=dict)
    baselines: dict[str, Baseline] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether the time was enough for everything."""
        return all(run.complete for runs in (self.runs, self.controls, self.sequences) for run in runs.values())

    def spread(self, order: str, observable: str = "loss") -> tuple[np.ndarray, float, np.ndarray]:
        """Standard deviations over n within each sequence, and that of the means over n between the sequences.

        Returns
        -------
        within : ndarray, shape (n_sequences,)
        between : float
        interval : ndarray, shape (2,)
            Of `between` at 95 %, if the means are normal.
        """
        from scipy.stats import chi2

        values = self.sequences[order].observables[observable][0]
        within, means = values.std(axis=1, ddof=1), values.mean(axis=1)
        between, count = float(means.std(ddof=1)), len(means)
        freedom = count - 1
        return within, between, between * np.sqrt(freedom / chi2.ppf([0.975, 0.025], freedom))


def orders_of(preset: Preset) -> dict[str, Order]:
    """The orders of an experiment by their names."""
    found: dict[str, Order] = {FORWARD: FORWARD, BACKWARD: BACKWARD}
    return found | ({"anchored": Window(start=preset.run["anchor"])} if "anchor" in preset.run else {})


def saves_of(preset: Preset) -> np.ndarray:
    """0, stride, 2·stride, …, n_steps."""
    return np.arange(0, preset.run["n_steps"] + 1, preset.run["stride"])


def planned_steps(preset: Preset, model: StepModel) -> dict[str, int]:
    """Gradient steps of each run of the model, before any is made."""
    saves, each = saves_of(preset), model.bytes_per_replica()
    if preset.run["stride"] > 1:
        saves = np.union1d(saves, saves[:-1] + 1)
    return {
        name: sum(steps_of(unit, order, saves) for unit in planned(order, saves, 1, each))
        for name, order in orders_of(preset).items()
    }


def experiment(
    preset: Preset,
    *,
    images: ImageData | None = None,
    data_dir=None,
    device: str = "cpu",
    order: str | None = None,
    folder=None,
    max_seconds: float | None = None,
    progress: Progress = False,
    report: Report | None = None,
) -> Experiment:
    """Run the experiment of a preset.

    Parameters
    ----------
    preset : Preset
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
        For all runs together.
    progress : bool or function
    report : Report, optional
        Takes the finished share of the runs.
    """
    images = preset.images(data_dir) if images is None else images
    model = preset.make_model(images, device=device)
    result = Experiment(preset, model)
    clock = _Clock(max_seconds)
    common = {name: preset.run[name] for name in ("batch_size", "n_steps", "seed")}

    def run(of: StepModel, name: str, which: Order, saves: np.ndarray, **more) -> TrainingRun:
        where = None if folder is None else Path(folder) / name
        if where is not None:
            where.mkdir(parents=True, exist_ok=True)
        options = {**common, "save_steps": saves, "folder": where, "max_seconds": clock.left(), "progress": progress}
        return train(of, order=which, **options, **more)

    stages: list[Callable[[], None]] = []
    known = orders_of(preset)
    if order is not None and order not in known:
        raise InvalidInputError(f"order is {order!r}: give one of {', '.join(map(repr, known))}")
    saves = saves_of(preset)
    for name, which in known.items():
        if order in (None, name):
            pairs = preset.run["stride"] > 1

            def main(name=name, which=which, pairs=pairs):
                result.runs[name] = run(model, name, which, saves, pairs=pairs)

            stages.append(main)
    if order is None:
        stages += _beside(preset, images, result, run, common)
    for done, stage in enumerate(stages):
        stage()
        if report is not None:
            report((done + 1) / len(stages))
    result.seconds = clock.spent()
    return result


def _beside(preset: Preset, images, result: Experiment, run: Callable, common: dict) -> list[Callable]:
    """The control, on the processor, the sequences and the baselines."""
    stages: list[Callable[[], None]] = []
    n_steps = preset.run["n_steps"]
    if preset.control:
        control = preset.make_model(images, preset.control)
        result.control = control
        coarse = np.arange(0, n_steps, preset.control["stride"])
        for which in (FORWARD, BACKWARD):

            def beside(which=which):
                result.controls[which] = run(control, f"control-{which}", which, coarse, pairs=True)

            stages.append(beside)
    if preset.sequences:
        late = np.arange(n_steps, 2 * n_steps // 3, -preset.sequences["stride"])[::-1]
        count = preset.sequences["count"]
        for which in (FORWARD, BACKWARD):

            def many(which=which):
                result.sequences[which] = run(result.model, f"sequences-{which}", which, late, n_sequences=count)

            stages.append(many)
    if preset.baselines:
        coarse_ends = np.arange(preset.baselines["stride"], n_steps + 1, preset.baselines["stride"])

        def averages():
            result.baselines["tail average"] = tail_average(result.model, save_steps=saves_of(preset)[1:], **common)

        def decays():
            result.baselines["linear decay"] = linear_decay(result.model, save_steps=coarse_ends, **common)

        stages += [averages, decays]
    return stages


class _Clock:
    """What is left of the time for all runs."""

    def __init__(self, limit: float | None) -> None:
        self.begun, self.limit = time.monotonic(), limit

    def spent(self) -> float:
        return time.monotonic() - self.begun

    def left(self) -> float | None:
        return None if self.limit is None else max(0.0, self.limit - self.spent())
