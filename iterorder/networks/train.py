"""`train`: a network in any order of composition."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress

import numpy as np

from iterorder import resources
from iterorder.errors import DivergenceError, InvalidInputError
from iterorder.log import say
from iterorder.networks.batches import Batches
from iterorder.networks.blas import one_blas_thread
from iterorder.networks.coupling import forecast
from iterorder.networks.folder import Folder
from iterorder.networks.model import StepModel, as_model, sampling_of
from iterorder.networks.pace import OutOfTime, Pace
from iterorder.networks.plan import Unit, anchor_of, coarse_to_fine, gradients_of, planned, rows_for, steps_of, width_of
from iterorder.networks.run import TrainingRun
from iterorder.networks.walk import Found, Walk
from iterorder.noise import MAX_REPLICAS
from iterorder.orders import BACKWARD, FORWARD, Order, Window, as_order
from iterorder.progress import Progress, as_progress, reported
from iterorder.request import as_save_steps
from iterorder.sampling import Sampling
from iterorder.validation import as_float, as_int, as_seed

SCHEMA = "iterorder.training/1"
#: A forecast is made where the run costs so many times as much, and so many gradient steps.
WORTH_A_FORECAST, LONG_RUN = 20, 100_000
#: Pairs of forward runs of a forecast, as many as are worth it; it takes two at least.
FORECAST_PAIRS = 8
#: Seconds between two looks at the threads.
NAP = 0.1


def train(
    model,
    *,
    batch_size,
    sampling="iid",
    n_steps,
    order: Order = FORWARD,
    save_steps=None,
    pairs=False,
    n_starts=1,
    n_sequences=1,
    seed,
    keep_states=False,
    memory=None,
    folder=None,
    max_seconds=None,
    progress: Progress = False,
) -> TrainingRun:
    """Compose the training steps of a network in a given order.

    The same seed, sequence and step always meet the same batch, whatever the order. A backward iterate Z_n starts
    anew from θ_0 and takes n steps, the newest batch first, so all of them up to N cost N(N + 1)/2 gradient steps.

    Parameters
    ----------
    model : StepModel
    batch_size : int
    sampling : {"iid", "reshuffle", "cyclic"}
    n_steps : int
    order : {"forward", "backward"} or Window
    save_steps : increasing ints in [0, n_steps], "all" or None
        None saves the last step.
    pairs : bool
        Save n + 1 beside every n, as far as n_steps: `TrainingRun.moves` needs both.
    n_starts, n_sequences : int
        Start weights, and sequences of batches; each start meets each sequence.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
    keep_states : bool
        Keep the parameters of every saved iterate.
    memory : int, optional
        Bytes that the run may take; by default those of the machine.
    folder : path-like, optional
        Where finished pieces are kept. The same call with the same folder goes on where it was interrupted, with
        the same bits.
    max_seconds : float, optional
        Stop after so long and return what there is, a coarse run before a fine one (`TrainingRun.done`).
    progress : bool or function
        As in `iterorder.simulate`.

    Returns
    -------
    TrainingRun

    Raises
    ------
    InvalidInputError
        If an argument is not as described, the run needs more memory, or the folder is that of another run.
    DivergenceError
        If no iterate of a complete run is finite; its ``trajectory`` is the run.

    See Also
    --------
    coupled_starts : whether backward increments shrink, at the cost of two forward runs.

    Notes
    -----
    A backward loss curve is smooth because neighbours share their last batches, whether or not the network settles.
    Whether it does is told by `TrainingRun.moves`, by `coupled_starts`, and by the spread between sequences.

    Before a long backward run with i.i.d. batches such a forecast is made and said on standard error.

    References
    ----------
    .. [1] arXiv:2502.01557, on forward and backward training of networks.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> from iterorder.networks import MLP
    >>> model = MLP(rng.normal(size=(50, 4)), rng.integers(0, 3, 50), hidden=(8,), step_size=0.1)
    >>> run = train(model, batch_size=4, n_steps=30, order="backward", save_steps=[10, 20, 30], seed=1)
    >>> run.observables["loss"].shape
    (1, 1, 3)
    """
    request = _checked(
        model=model,
        batch_size=batch_size,
        sampling=sampling,
        n_steps=n_steps,
        order=order,
        save_steps=save_steps,
        pairs=pairs,
        n_starts=n_starts,
        n_sequences=n_sequences,
        seed=seed,
        keep_states=keep_states,
    )
    progress = as_progress(progress)
    limit = None if max_seconds is None else as_float("max_seconds", max_seconds, low=0.0)
    begun = time.monotonic()
    _check_memory(request, memory, progress)
    where = None if folder is None else Folder(folder, request.digest, request.description())
    with one_blas_thread(request.model):
        told = _forecast(request, where)
        if limit is not None:
            limit = max(0.0, limit - (time.monotonic() - begun))
        found = _computed(request, where, limit, progress)
    return _assembled(request, found, told)


@dataclasses.dataclass(frozen=True, eq=False)
class _Request:
    """A checked request."""

    model: StepModel
    law: Sampling
    n_steps: int
    order: Order
    saves: np.ndarray
    n_starts: int
    n_sequences: int
    seed: int
    keep_states: bool

    @property
    def n_runs(self) -> int:
        return self.n_starts * self.n_sequences

    def units(self) -> list[Unit]:
        return planned(self.order, self.saves, self.n_runs, self.model.bytes_per_replica())

    def description(self) -> dict:
        """What the folder says of its run."""
        saves = hashlib.sha256(self.saves.tobytes()).hexdigest()[:16]
        return {
            "model": self.model.digest(),
            "batch_size": self.law.batch_size,
            "sampling": self.law.kind,
            "order": str(self.order),
            "n_steps": self.n_steps,
            "save_steps": f"{len(self.saves)} steps, {saves}",
            "n_starts": self.n_starts,
            "n_sequences": self.n_sequences,
            "seed": self.seed,
            "keep_states": self.keep_states,
            "rows": rows_for(self.model.bytes_per_replica()),
        }

    @property
    def digest(self) -> str:
        """Of everything that changes the numbers, the size of a block included."""
        return hashlib.sha256(json.dumps([SCHEMA, self.description()]).encode()).hexdigest()


def _checked(
    *, model, batch_size, sampling, n_steps, order, save_steps, pairs, n_starts, n_sequences, seed, keep_states
) -> _Request:
    model, order = as_model(model), as_order(order)
    n_steps = as_int("n_steps", n_steps, low=0, high=2**40)
    saves = as_save_steps(save_steps, n_steps)
    if pairs:
        saves = np.union1d(saves, saves[saves < n_steps] + 1)
    n_starts = as_int("n_starts", n_starts, low=1, high=2**20)
    n_sequences = as_int("n_sequences", n_sequences, low=1, high=min(MAX_REPLICAS, 2**20))
    law = sampling_of(model, batch_size, sampling)
    return _Request(model, law, n_steps, order, saves, n_starts, n_sequences, as_seed(seed), bool(keep_states))


def _workers(request: _Request, units: int) -> int:
    """Threads: each runs a unit of its own with one thread of BLAS."""
    return max(1, min(resources.threads(), units)) if getattr(request.model, "side_by_side", False) else 1


def _check_memory(request: _Request, memory, progress: Progress) -> None:
    """Say what the run takes, and refuse what does not fit, before it begins."""
    there = resources.memory() if memory is None else as_int("memory", memory, low=0, high=2**60)
    units, each = request.units(), request.model.bytes_per_replica()
    rows = max(
        max(len(unit.runs), unit.last - unit.first + unit.extra if unit.kind != "forward" else 0) for unit in units
    )
    states = rows * each * _workers(request, len(units))
    kept = 8 * request.n_runs * len(request.saves) * 4
    if request.keep_states:
        kept += request.n_runs * len(request.saves) * each
    borders = each * sum(len(steps) for steps in _borders(request, units).values())
    total = states + kept + borders
    steps = sum(steps_of(unit, request.order, request.saves) for unit in units)
    text = f"{request.order} order: {steps:,} gradient steps in {len(units):,} pieces, {_size(total)} of memory"
    if total > there:
        parts = (
            f"{rows} states side by side {_size(states)}, results {_size(kept)}, states between pieces {_size(borders)}"
        )
        advice = "give keep_states=False or fewer save_steps" if request.keep_states else "give fewer save_steps"
        if states > kept + borders:
            advice = "take a smaller model" + (
                ", or float32" if getattr(request.model, "dtype", None) == np.float64 else ""
            )
        raise InvalidInputError(
            f"the run needs {_size(total)} of memory ({parts}), and there are {_size(there)}: {advice}, or raise memory"
        )
    if progress is True:
        say(text)


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"


def _forecast(request: _Request, where: Folder | None) -> str:
    """Whether backward increments will shrink, where that is much cheaper to ask than to see."""
    steps = int(request.saves[-1])
    if request.order != BACKWARD or request.law.kind != "iid" or not steps:
        return ""
    cost = int(request.saves.sum()) * request.n_runs
    pairs = min(FORECAST_PAIRS, cost // (WORTH_A_FORECAST * 2 * steps))
    if pairs < 2 or cost < LONG_RUN:
        return ""
    if where is not None and (kept := where.read("forecast")) is not None:
        return kept["text"].tobytes().decode()
    told = forecast(request.model, steps, request.law.batch_size, pairs, request.seed)
    say(f"forecast: {told}")
    if where is not None:
        where.write("forecast", {"text": np.frombuffer(told.encode(), np.uint8)})
    return told


def _borders(request: _Request, units: list[Unit]) -> dict[int, list[int]]:
    """For each run the steps whose forward iterates blocks begin from."""
    if not isinstance(request.order, Window):
        return {}
    wanted: dict[int, set[int]] = {}
    for unit in units:
        if unit.kind == "forward":
            continue
        width = width_of(request.order)
        n = max(0, int(request.saves[unit.first]) - width) if width else anchor_of(request.order)
        wanted.setdefault(unit.runs[0], set()).add(n)
    return {run: sorted(steps - {0}) for run, steps in wanted.items()}


def _computed(request: _Request, where: Folder | None, limit: float | None, progress: Progress) -> dict[Unit, Found]:
    """What every unit found, as far as the time allows."""
    units = request.units()
    borders = _borders(request, units)
    total = sum(steps_of(unit, request.order, request.saves) for unit in units)
    pace = Pace(total + sum(steps[-1] for steps in borders.values() if steps), limit)
    order = request.order
    walk = Walk(
        request.model,
        Batches(request.law, request.seed, request.n_sequences, max(1, request.n_steps)),
        request.seed,
        request.saves,
        anchor=anchor_of(order),
        width=width_of(order),
        keep_states=request.keep_states,
        pace=pace,
        folder=where,
    )
    found: dict[Unit, Found] = {}
    todo = []
    for unit in coarse_to_fine(units):
        arrays = None if where is None else where.read(_unit_name(unit))
        if arrays is None:
            todo.append(unit)
        else:
            found[unit] = Found.of_arrays(arrays)
            pace.add(steps_of(unit, order, request.saves))
    if not todo:
        return found
    with suppress(OutOfTime), reported(progress, f"{order} training") as report:
        walk.report = report
        walk.lay_borders(borders)
        workers = _workers(request, len(todo))
        found |= _alone(walk, todo) if workers == 1 else _side_by_side(walk, todo, workers, report)
        if len(found) < len(units):
            raise OutOfTime  # past the bar, which would tell that all is done
    return found


def _unit_name(unit: Unit) -> str:
    return f"unit-{unit.number:05d}"


def _one(walk: Walk, unit: Unit) -> Found | None:
    """What a unit found, also on disk; None where the time was over."""
    if walk.pace.is_over:
        return None
    try:
        found = walk.found(unit)
    except OutOfTime:
        return None
    if walk.folder is not None:
        walk.folder.write(_unit_name(unit), found.arrays())
        walk.folder.remove(f"half-{unit.number:05d}")
    return found


def _alone(walk: Walk, units: list[Unit]) -> dict[Unit, Found]:
    results = {unit: _one(walk, unit) for unit in units}
    return {unit: found for unit, found in results.items() if found is not None}


def _side_by_side(walk: Walk, units: list[Unit], workers: int, report: Callable | None) -> dict[Unit, Found]:
    """In threads: arrays are computed without the interpreter's lock. The main thread reports and hears Ctrl-C."""
    walk.report = None
    results: dict[Unit, Found] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="iterorder-train") as pool:
        waiting = {pool.submit(_one, walk, unit): unit for unit in units}
        try:
            while waiting:
                ready, _ = wait(waiting, timeout=NAP, return_when=FIRST_COMPLETED)
                for future in ready:
                    unit = waiting.pop(future)
                    if (found := future.result()) is not None:
                        results[unit] = found
                if report is not None:
                    report(walk.pace.share)
        except BaseException:
            walk.pace.stop.set()
            for future in waiting:
                future.cancel()
            raise
    return results


def _assembled(request: _Request, found: dict[Unit, Found], told: str) -> TrainingRun:
    shape = (request.n_runs, len(request.saves))
    # A run without any finished unit has observables too, all of them NaN.
    some = next(iter(found.values()), None)
    names = some.observables if some else request.model.observe(request.model.start(1, seed=request.seed, start=0))
    observables = {name: np.full(shape, np.nan) for name in names}
    moves, done, states = np.full(shape, np.nan), np.zeros(shape, bool), None
    for unit, part in found.items():
        where = np.ix_(unit.runs, range(unit.first, unit.last))
        for name, values in part.observables.items():
            observables[name][where] = values
        moves[where], done[where] = part.moves, True
        if part.positions is not None:
            if states is None:
                states = np.zeros((*shape, part.positions.shape[2]), part.positions.dtype)
            states[where] = part.positions
    outer = (request.n_starts, request.n_sequences)
    run = TrainingRun(
        save_steps=request.saves,
        observables={name: values.reshape(*outer, -1) for name, values in observables.items()},
        gradients=gradients_of(request.order, request.saves),
        moves=moves.reshape(*outer, -1),
        states=None if states is None else states.reshape(*outer, *states.shape[1:]),
        done=done.reshape(*outer, -1),
        order=request.order,
        seed=request.seed,
        digest=request.digest,
        device=str(getattr(request.model, "device", "cpu")),
        forecast=told,
    )
    if run.complete and run.save_steps[-1] > 0 and not any(np.isfinite(v).any() for v in run.observables.values()):
        raise DivergenceError(
            "no saved iterate is finite: take a smaller step_size, or a smaller momentum (the error's .trajectory is "
            "the run)",
            run,  # type: ignore[arg-type]
        )
    return run
