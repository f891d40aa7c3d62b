"""What to hold beside both orders at equal numbers of gradients: a tail average, and a step size that decays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iterorder.archive import loaded, write_result
from iterorder.errors import InvalidInputError
from iterorder.files import as_path
from iterorder.networks.batches import Batches
from iterorder.networks.blas import one_blas_thread
from iterorder.networks.folder import prefixed, without_prefix
from iterorder.networks.late import LateTraining, late_training
from iterorder.networks.model import State, StepModel, advancing, as_model, load_of, sampling_of
from iterorder.networks.plan import rows_for
from iterorder.progress import Progress, as_progress, reported
from iterorder.request import as_save_steps
from iterorder.shown import a_kind
from iterorder.types import FloatArray, IntArray, PathLike, SaveSteps, Seed
from iterorder.validation import as_choice, as_int, as_seed

#: What a file of a baseline says that it is, and its name in the folder of the baseline.
SCHEMA, FILE = "iterorder.baseline/1", "baseline.npz"


@dataclass(frozen=True, eq=False)
class Baseline:
    """What a baseline reaches after n gradient steps.

    Attributes
    ----------
    save_steps : ndarray of int64, shape (n_saved,)
        The n, numbers of gradient steps of the run that is compared with.
    observables : dict of str to ndarray, shape (n_saved,)
        What the model observes of the baseline's position for each n, by name.
    gradients : ndarray of int64, shape (n_saved,)
        Gradient steps that all values up to this one need.
    """

    save_steps: IntArray
    observables: dict[str, FloatArray]
    gradients: IntArray

    def save(self, path: PathLike) -> None:
        """Write everything to one .npz file (no pickle): first under a temporary name, then renamed."""
        arrays = {"save_steps": self.save_steps, "gradients": self.gradients}
        write_result(path, {"schema": SCHEMA}, arrays | prefixed("observable", self.observables), shown="run.gradients")

    @classmethod
    def load(cls, path: PathLike) -> Baseline:
        """Read a baseline that `save` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        InvalidInputError
            If the file is cut or holds something else.
        """
        return loaded(as_path(path), {SCHEMA: cls._of_parts})

    @classmethod
    def _of_parts(cls, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Baseline:
        observables, saves = without_prefix("observable", arrays), arrays["save_steps"]
        for name, array in {"gradients": arrays["gradients"], **observables}.items():
            if array.shape != saves.shape or saves.ndim != 1:
                raise ValueError(f"{name} has shape {array.shape} beside {len(saves)} saved steps")
        return cls(saves, observables, arrays["gradients"])

    def late(self, observable: str = "loss") -> LateTraining:
        """As `TrainingRun.late`: of one start and one sequence, without moves."""
        values = self.observables[as_choice("observable", observable, tuple(self.observables))]
        return late_training(self.save_steps, values[None, None])


def baselines_in(folder: Path) -> list[tuple[str, Baseline]]:
    """The baselines that `experiment` has left in the folders one below, by their names."""
    files = sorted(folder.glob(f"[!.]*/{FILE}"), reverse=True)  # the tail average first
    return [(path.parent.name.replace("-", " "), Baseline.load(path)) for path in files]


def tail_average(
    model: StepModel,
    *,
    batch_size: int,
    sampling: str = "iid",
    n_steps: int,
    save_steps: SaveSteps = None,
    seed: Seed,
    start: int = 0,
    sequence: int = 0,
    progress: Progress = False,
) -> Baseline:
    """The mean of the forward iterates θ_(⌊n/2⌋+1), …, θ_n, for each saved n: one forward run.

    Parameters
    ----------
    model : StepModel
        With ``at(positions)``, the state with given parameters, such as `MLP`.
    batch_size, sampling, n_steps, save_steps, seed, progress
        As for `train`.
    start, sequence : int
        Which start weights and which batches.

    Returns
    -------
    Baseline
        What the model observes at the mean for each saved n, and the gradient steps that took.

    Raises
    ------
    InvalidInputError
        If an argument is not as described; the message shows it.
    """
    model = as_model(model)
    if not hasattr(model, "at"):
        raise InvalidInputError(f"model is {a_kind(model)} without at(positions): its parameters cannot be averaged")
    how = _How.checked(model, batch_size, sampling, n_steps, save_steps, seed, start, sequence, progress)
    advance, state = advancing(model, how.seed), how.start_state()
    total, halves, averages = 0.0, {}, []
    wanted, saved = set((how.saves // 2).tolist()), set(how.saves.tolist())
    with one_blas_thread(model), reported(how.progress, "tail average") as report:
        for n in range(int(how.saves[-1]) + 1):
            if n:
                state = advance(state, how.batches.at(n - 1)[sequence], n - 1, sequence)
                total = total + model.position(state)[0].astype(np.float64)
            if n in wanted:
                halves[n] = total
            if n in saved:
                mean = (total - halves[n // 2]) / (n - n // 2) if n else model.position(state)[0]
                averages.append(_seen(model, model.at(mean)))
                halves = {m: sum_ for m, sum_ in halves.items() if 2 * m >= n}
            if report is not None:
                report(n / max(1, int(how.saves[-1])))
    return Baseline(how.saves, _stacked(averages), how.saves.copy())


def linear_decay(
    model: StepModel,
    *,
    batch_size: int,
    sampling: str = "iid",
    n_steps: int,
    save_steps: SaveSteps = None,
    seed: Seed,
    start: int = 0,
    sequence: int = 0,
    progress: Progress = False,
) -> Baseline:
    """The last iterate of a run of n steps whose step size falls linearly to zero, for each saved n a run of its own.

    Step k of n has the step size h·(1 − k/n). All meet the same batches as the forward run.

    Parameters
    ----------
    model : StepModel
        Whose ``advance`` takes a factor of the step size, such as `MLP`.
    batch_size, sampling, n_steps, save_steps, seed, start, sequence, progress
        As for `tail_average`.

    Returns
    -------
    Baseline
        What the model observes at the last iterate for each saved n, and the gradient steps that took.

    Raises
    ------
    InvalidInputError
        If an argument is not as described; the message shows it.
    """
    model = as_model(model)
    how = _How.checked(model, batch_size, sampling, n_steps, save_steps, seed, start, sequence, progress)
    method = getattr(model, "advance", None)
    if method is None or "factor" not in method.__code__.co_varnames:
        raise InvalidInputError(f"model is {a_kind(model)} whose advance takes no factor: its step size cannot decay")
    seen: list[dict[str, float]] = []
    advance = advancing(model, how.seed)
    size, total = rows_for(*load_of(model)), max(1, int(how.saves.sum()))
    with one_blas_thread(model), reported(how.progress, "linear decay") as report:
        done = 0
        for first in range(0, len(how.saves), size):
            ends = how.saves[first : first + size][::-1]  # falling, so that the first rows are those that go on
            state, k, finished = how.start_state(len(ends)), 0, []
            live = len(ends)
            while live:
                while live and ends[live - 1] == k:
                    live -= 1
                    finished.append(_seen(model, model.take(state, [live])))
                if not live:
                    break
                state = model.take(state, np.arange(live)) if len(next(iter(state.values()))) > live else state
                factor = 1.0 - k / ends[:live]
                state = advance(state, how.batches.at(k)[sequence], k, sequence, factor)
                k, done = k + 1, done + live
                if report is not None:
                    report(done / total)
            seen += finished
    return Baseline(how.saves, _stacked(seen), np.cumsum(how.saves))


@dataclass(frozen=True, eq=False)
class _How:
    """Checked arguments."""

    model: StepModel
    batches: Batches
    saves: IntArray
    seed: int
    start: int
    progress: Progress

    @classmethod
    def checked(
        cls,
        model: StepModel,
        batch_size: int,
        sampling: str,
        n_steps: int,
        save_steps: SaveSteps,
        seed: Seed,
        start: int,
        sequence: int,
        progress: Progress,
    ) -> _How:
        n_steps = as_int("n_steps", n_steps, low=0, high=2**40)
        seed, sequence = as_seed(seed), as_int("sequence", sequence, low=0, high=2**20)
        batches = Batches(sampling_of(model, batch_size, sampling), seed, sequence + 1, max(1, n_steps))
        start = as_int("start", start, low=0, high=2**32 - 1)
        return cls(model, batches, as_save_steps(save_steps, n_steps), seed, start, as_progress(progress))

    def start_state(self, n_replicas: int = 1) -> State:
        return self.model.start(n_replicas, seed=self.seed, start=self.start)


def _seen(model: StepModel, state: State) -> dict[str, float]:
    return {name: float(values[0]) for name, values in model.observe(state).items()}


def _stacked(seen: list[dict[str, float]]) -> dict[str, np.ndarray]:
    return {name: np.array([one[name] for one in seen]) for name in seen[0]}
