"""Backward increments at the cost of two forward runs, and what they say of a backward run that is not yet paid for."""

from __future__ import annotations

from typing import Any

import numpy as np

from iterorder.convergence.coupling import CouplingDistance
from iterorder.errors import InvalidInputError
from iterorder.lengths import euclidean_norm
from iterorder.networks.batches import Batches
from iterorder.networks.blas import one_blas_thread
from iterorder.networks.model import StepModel, advancing, as_model, is_scheduled, sampling_of
from iterorder.networks.step_noise import StepNoise
from iterorder.networks.walk import distance
from iterorder.progress import Progress, as_progress, reported
from iterorder.request import as_save_steps
from iterorder.types import SaveSteps, Seed
from iterorder.validation import as_int, as_power, as_seed

#: A backward run is said to settle where its increments have fallen to this share of their first.
SETTLED = 0.01
#: Saved steps of a forecast.
FORECAST_SAVES = 60


def coupled_starts(
    model: StepModel,
    n_steps: int,
    *,
    batch_size: int,
    n_replicas: int,
    seed: Seed,
    start: int = 0,
    save_steps: SaveSteps = "all",
    p: float = 2,
    progress: Progress = False,
) -> CouplingDistance:
    """The law of ‖Z_(n+1) − Z_n‖, the increments of backward training, from two forward runs.

    With independent batches, T_1 ∘ … ∘ T_n and T_n ∘ … ∘ T_1 have one law, so ‖Z_(n+1) − Z_n‖, which is
    ‖T_1 ∘ … ∘ T_n(T_(n+1)θ_0) − T_1 ∘ … ∘ T_n(θ_0)‖, has at each n the law of ‖X_n(Tθ_0) − X_n(θ_0)‖: two forward runs
    under the same batches, from θ_0 and from one step further. That costs 2n steps, not n².

    Parameters
    ----------
    model : StepModel
        Whose map does not depend on the number of the step: a schedule makes the maps differ in law, and is refused
        where the model tells it by ``step_sizes``. Of a `PlainModel` it is not known.
    n_steps : int
        Gradient steps of each run.
    batch_size : int
        Batches are drawn independently.
    n_replicas : int
        Pairs of runs; each has a sequence of batches of its own.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the start weights and of the batches; a generator is advanced by one draw.
    start : int
        The number of the start weights, which all pairs share.
    save_steps : "all", increasing ints in [0, n_steps], or None for the last
        After which numbers of steps the distance is taken.
    p : float ≥ 1 or inf
        The power of the mean over the replicas.
    progress : bool or function
        As in `iterorder.simulate`.

    Returns
    -------
    CouplingDistance
        Of the parameters: momentum and statistics are carried along and not measured.

    Raises
    ------
    InvalidInputError
        If an argument is not as described; the message shows it. If the model has a schedule.

    Notes
    -----
    The law is that of one n: the path of ‖Z_(n+1) − Z_n‖ over n has other correlations. If the step maps contract on
    average the distance tends to zero exponentially; a distance that stays says that backward training does not settle.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> from iterorder.networks import MLP
    >>> softmax = MLP(rng.normal(size=(50, 4)), rng.integers(0, 3, 50), hidden=(), step_size=0.5, weight_decay=0.2)
    >>> coupling = coupled_starts(softmax, 200, batch_size=4, n_replicas=3, seed=1)
    >>> bool(coupling.distance[-1] < 1e-4 * coupling.distance[0])
    True
    """
    model, p, progress = as_model(model), as_power(p), as_progress(progress)
    if is_scheduled(model):
        raise InvalidInputError(
            "model has a schedule, step_sizes that differ: coupled starts have the law of backward increments where "
            "all steps have one law; give one step_size, or save neighbours of a backward run (train with pairs=True)"
        )
    n_steps = as_int("n_steps", n_steps, low=0, high=2**40)
    n_replicas = as_int("n_replicas", n_replicas, low=1, high=2**20)
    start, saves = as_int("start", start, low=0, high=2**32 - 1), as_save_steps(save_steps, n_steps)
    law, advance = sampling_of(model, batch_size, "iid"), advancing(model, as_seed(seed))
    batches = Batches(law, as_seed(seed), n_replicas, n_steps + 1)
    near = model.start(n_replicas, seed=as_seed(seed), start=start)
    # The map that begins: of a step that neither run meets.
    rows = np.arange(n_replicas)
    own = {"step_noise": StepNoise(as_seed(seed), rows, n_steps)} if getattr(model, "draws_noise", False) else {}
    far = model.step(near, batches.at(n_steps), 0, **own)
    state, both = model.join(near, far), np.concatenate([rows, rows])
    gaps, sizes, saved = np.empty((n_replicas, len(saves))), np.empty((n_replicas, len(saves))), set(saves.tolist())
    with one_blas_thread(model), reported(progress, "coupled starts") as report:
        for n in range(n_steps + 1):
            if n in saved:
                positions, i = model.position(state), int(np.searchsorted(saves, n))
                gaps[:, i] = distance(positions[:n_replicas], positions[n_replicas:])
                lengths = euclidean_norm(positions.astype(np.float64))
                sizes[:, i] = np.maximum(lengths[:n_replicas], lengths[n_replicas:])
            if n < n_steps:
                items = batches.at(n)
                state = advance(state, items[both], n, both)
            if report is not None:
                report(n / max(1, n_steps))
    return CouplingDistance.of_replicas(saves, gaps, sizes, p)


def forecast(
    model: StepModel, n_steps: int, batch_size: int, n_pairs: int, seed: int, progress: Progress = False
) -> str:
    """Whether backward increments become small by n_steps, in words."""
    saves = np.append(0, np.unique(np.geomspace(1, n_steps, FORECAST_SAVES).astype(np.int64)))
    how: dict[str, Any] = {"n_replicas": n_pairs, "save_steps": saves, "progress": progress}
    coupling = coupled_starts(model, n_steps, batch_size=batch_size, seed=seed, **how)
    middle = np.median(coupling.per_replica, axis=0)
    first, last = float(middle[0]), float(middle[-1])
    below = middle <= SETTLED * first
    if not np.isfinite(last):
        return f"does not settle: increments are not finite at n = {n_steps} (the median of {n_pairs} coupled pairs)"
    if below[-1]:
        # From the last step on at which it was larger.
        n = int(coupling.steps[np.flatnonzero(~below)[-1] + 1])
        return (
            f"settles by {n}: from there the increments are below {SETTLED:.0%} of the first, {first:.3g} (the median "
            f"of {n_pairs} coupled pairs)"
        )
    return (
        f"does not settle by {n_steps}: the increment there is {last:.3g}, {last / first:.2g} times the first (the "
        f"median of {n_pairs} coupled pairs)"
    )
