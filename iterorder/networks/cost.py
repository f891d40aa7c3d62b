"""What the experiment of a preset will take, from timed pieces of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from iterorder.log import QUIET, speaking
from iterorder.networks.data import ImageData
from iterorder.networks.experiment import planned_runs
from iterorder.networks.model import StepModel, load_of
from iterorder.networks.plan import rows_for
from iterorder.networks.settings import Preset
from iterorder.networks.train import train
from iterorder.networks.training_request import checked, demand_of, effort_of
from iterorder.orders import BACKWARD, FORWARD, Order, Window
from iterorder.progress import Progress, reported

#: Seconds of a timed piece, about, and the steps of the first one.
SAMPLE_SECONDS, FIRST = 0.3, 1


@dataclass(frozen=True)
class Stage:
    """A part of an experiment.

    Attributes
    ----------
    name : str
        What is run, such as "backward".
    steps : int
        Gradient steps, over all iterates.
    seconds : float
        Estimated, on this machine as it is now.
    """

    name: str
    steps: int
    seconds: float


def estimate_experiment(
    preset: Preset, model: StepModel, images: ImageData, *, order: str | None = None, progress: Progress = False
) -> tuple[list[Stage], int]:
    """The stages of `experiment` with the same arguments, and the bytes of the largest of them.

    Runs of fewer steps are timed, those of the model in every order and those of the control; the rest is taken in
    proportion to the gradient steps, or to the calls where a GPU takes many at the price of few. Short runs have fewer
    pieces to share between the cores, so that the truth is often less.

    Parameters
    ----------
    preset : Preset
        The settings, as for `experiment`.
    model : StepModel
        That of the preset.
    images : ImageData
        Those of the preset.
    order : {"forward", "backward", "anchored"}, optional
        This order alone, without control, sequences and baselines.
    progress : bool or function
        As in `simulate`.
    """
    common = {name: preset.run[name] for name in ("batch_size", "n_steps", "seed")}
    runs = planned_runs(preset, model, images, order)
    stages, rates, largest = [], {}, 0
    with reported(progress, "timing") as report:
        for done, planned in enumerate(runs, start=1):
            of, which = planned.model, planned.order
            request = _request(of, which, {**common, **planned.options})
            demand = demand_of(request)
            key = (id(of), isinstance(which, Window) or which)
            if key not in rates:
                rates[key] = _seconds_each(of, which, preset.run)
            stages.append(Stage(planned.title, demand.steps, effort_of(request) * rates[key]))
            largest = max(largest, demand.total)
            if report is not None:
                report(done / len(runs))
    if order is None and preset.baselines:
        each, stride, n_steps = rates[id(model), FORWARD], preset.baselines["stride"], preset.run["n_steps"]
        ends, (size, many) = np.arange(stride, n_steps + 1, stride), load_of(model)
        decays, rows = int(ends.sum()), rows_for(size, many)
        effort = int(ends[rows - 1 :: rows].sum() + ends[-1]) if many else decays
        stages.append(Stage("tail average", n_steps, n_steps * each))
        stages.append(Stage("linear decay", decays, effort * rates[id(model), BACKWARD]))
    return stages, largest


def _request(model: StepModel, order: Order, options: dict[str, Any]):
    defaults = {"sampling": "iid", "pairs": False, "n_starts": 1, "n_sequences": 1, "keep_states": False}
    return checked(model=model, order=order, **(defaults | options))


def _seconds_each(model: StepModel, order: Order, run: dict[str, Any]) -> float:
    """Of a unit of `effort_of`, from runs that grow until one takes long enough, or is the whole one."""
    n_steps, whole, warm = FIRST, run["n_steps"], False
    with speaking(QUIET):
        while True:
            n_steps = min(n_steps, whole)
            shorter = (
                Window(start=order.start * n_steps // whole) if isinstance(order, Window) and order.start else order
            )
            stride = min(run["stride"], n_steps)
            options = {"batch_size": run["batch_size"], "seed": run["seed"], "n_steps": n_steps}
            options["pairs"] = run["stride"] > 1
            options["save_steps"] = np.arange(0, n_steps + 1, stride)
            start = time.perf_counter()
            train(model, order=shorter, **options)
            spent = time.perf_counter() - start
            if warm and (spent >= SAMPLE_SECONDS or n_steps == whole):
                return spent / max(1, effort_of(_request(model, shorter, options)))
            n_steps, warm = (2 * n_steps if warm else n_steps), True  # the first one imports, and fills caches
