"""`train`: a network in any order of composition."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from iterorder.errors import DivergenceError
from iterorder.log import say
from iterorder.networks.blas import one_blas_thread
from iterorder.networks.coupling import forecast
from iterorder.networks.folder import Folder
from iterorder.networks.model import StepModel, is_scheduled
from iterorder.networks.pace import OutOfTime, until
from iterorder.networks.plan import Unit, gradients_of
from iterorder.networks.run import RESULT, TrainingRun
from iterorder.networks.training_request import Request, check_memory, checked
from iterorder.networks.walk import Found
from iterorder.networks.work import computed, kept
from iterorder.orders import BACKWARD, FORWARD, Order
from iterorder.progress import Progress, as_progress
from iterorder.types import PathLike, SaveSteps, Seed
from iterorder.validation import as_float

#: A forecast is made where the run costs so many times as much, and so many gradient steps.
WORTH_A_FORECAST, LONG_RUN = 20, 100_000
#: Pairs of forward runs of a forecast, as many as are worth it; it takes two at least.
FORECAST_PAIRS = 8
#: Of the time that was given, the most that a forecast may take: the rest is for the run.
FORECAST_SHARE = 0.25


def train(
    model: StepModel,
    *,
    batch_size: int,
    sampling: str = "iid",
    n_steps: int,
    order: Order = FORWARD,
    save_steps: SaveSteps = None,
    pairs: bool = False,
    n_starts: int = 1,
    n_sequences: int = 1,
    seed: Seed,
    keep_states: bool = False,
    memory: int | None = None,
    folder: PathLike | None = None,
    max_seconds: float | None = None,
    progress: Progress = False,
) -> TrainingRun:
    """Compose the training steps of a network in a given order.

    The same seed, sequence and step always meet the same batch, whatever the order. A backward iterate Z_n starts
    anew from θ_0 and takes n steps, the newest batch first, so all of them up to N cost N(N + 1)/2 gradient steps.

    Parameters
    ----------
    model : StepModel
        The network with its data and step: an `MLP`, a `TorchModel`, a `PlainModel`, or an object of one's own.
    batch_size : int
        Distinct items of a batch.
    sampling : {"iid", "reshuffle", "cyclic"}
        Independent batches, a fresh permutation of the items every epoch, or items in a fixed cycle.
    n_steps : int
        N: up to this number of steps iterates can be saved.
    order : "forward", "backward" or Window
        The order in which the steps are composed, as in `iterorder.simulate`.
    save_steps : increasing ints in [0, n_steps], "all" or None
        None saves the last step.
    pairs : bool
        Save n + 1 beside every n, as far as n_steps: `TrainingRun.moves` needs both.
    n_starts, n_sequences : int
        Start weights, and sequences of batches; each start meets each sequence.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the start weights and of the batches; a generator is advanced by one draw, and `TrainingRun.seed` is what was
        used.
    keep_states : bool
        Keep the parameters of every saved iterate.
    memory : int, optional
        Bytes that the run may take; by default those of the machine.
    folder : path-like, optional
        Where finished pieces are kept. The same call with the same folder goes on where it was interrupted, with
        the same bits. ``result.npz`` in it is the run so far, without states (`TrainingRun.load`): it is written when
        the call returns, and on Ctrl-C. After a kill the same call with ``max_seconds=0`` writes it.
    max_seconds : float, optional
        Stop after so long, the forecast included, and return what there is (`TrainingRun.done`); with 0 nothing is
        computed, and what the folder holds comes back. Pieces are taken from coarse to fine, and one that is not
        finished gives nothing: of a small network it holds up to 64 neighbours in `save_steps`, on a GPU 4096, and
        takes as long as its last n, so that a short time may give the first piece alone, the smallest n. A forecast
        that would take more than a quarter of the time is left out.
    progress : bool or function
        As in `iterorder.simulate`.

    Returns
    -------
    TrainingRun
        What the model observed of each saved iterate, and how far neighbours are apart.

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

    Before a long backward run with i.i.d. batches and no schedule such a forecast is made and said on standard error.

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
    begun = time.monotonic()
    request = checked(
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
    check_memory(request, memory, progress)
    where = None if folder is None else Folder(folder, request.digest, request.description())
    told = ""
    try:
        with one_blas_thread(request.model):
            told = _forecast(request, where, None if limit is None else begun + FORECAST_SHARE * limit)
            if limit is not None:
                limit = max(0.0, limit - (time.monotonic() - begun))
            found = computed(request, where, limit, progress)
    except KeyboardInterrupt:
        if where is not None:
            _write(_assembled(request, kept(request.units(), where), told), where)
            say(f"kept in {where.path}: the same call goes on")
        raise
    run = _assembled(request, found, told)
    _check_finite(run)
    if where is not None:
        _write(run, where)
    return run


def _write(run: TrainingRun, where: Folder) -> None:
    """The run so far, where `TrainingRun.load` reads it; its states are in the pieces."""
    dataclasses.replace(run, states=None).save(where.path / RESULT)


def _forecast(request: Request, where: Folder | None, deadline: float | None) -> str:
    """Whether backward increments will shrink, where that is much cheaper to ask than to see, and there is time."""
    steps = int(request.saves[-1])
    if request.order != BACKWARD or request.law.kind != "iid" or not steps or is_scheduled(request.model):
        return ""
    cost = int(request.saves.sum()) * request.n_runs
    pairs = min(FORECAST_PAIRS, cost // (WORTH_A_FORECAST * 2 * steps))
    if pairs < 2 or cost < LONG_RUN:
        return ""
    if where is not None and (kept := where.read("forecast")) is not None:
        return kept["text"].tobytes().decode()
    try:
        told = forecast(request.model, steps, request.law.batch_size, pairs, request.seed, until(deadline))
    except OutOfTime:
        return ""
    say(f"forecast: {told}")
    if where is not None:
        where.write("forecast", {"text": np.frombuffer(told.encode(), np.uint8)})
    return told


def _assembled(request: Request, found: dict[Unit, Found], told: str) -> TrainingRun:
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
    return TrainingRun(
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


def _check_finite(run: TrainingRun) -> None:
    """Refuse to return a run of which nothing is a number."""
    if run.complete and run.save_steps[-1] > 0 and not any(np.isfinite(v).any() for v in run.observables.values()):
        raise DivergenceError(
            "no saved iterate is finite: take a smaller step_size, or a smaller momentum",
            run,  # type: ignore[arg-type]
            holds="the run",
        )
