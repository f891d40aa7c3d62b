"""The largest Lyapunov exponent of training: whether the maps of a network contract on average along its path."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from iterorder.errors import InvalidInputError
from iterorder.estimate import Estimate
from iterorder.networks.batches import Batches
from iterorder.networks.blas import one_blas_thread
from iterorder.networks.model import State, StepModel, advancing, as_model, on_host, sampling_of
from iterorder.types import Seed
from iterorder.validation import as_float, as_int, as_seed

#: Steps after which neighbours are brought back to their first distance.
RENEWED = 20


def lyapunov_exponent(
    model: StepModel,
    n_steps: int,
    *,
    batch_size: int,
    n_replicas: int,
    seed: Seed,
    start: int = 0,
    burn_in: int | None = None,
    distance: float = 1e-9,
) -> Estimate:
    """Growth rate per step of the distance of two neighbours under the same batches, on forward paths.

    Parameters
    ----------
    model : StepModel
        In float64: neighbours are closer than float32 tells apart.
    n_steps : int
        Gradient steps of each path, those of `burn_in` included.
    batch_size : int
        Batches are drawn independently.
    n_replicas : int ≥ 2
        Paths, each with batches of its own, from the same start.
    seed : int in [0, 2⁶⁴), SeedSequence or Generator
        Of the start weights and of the batches; a generator is advanced by one draw.
    start : int
        The number of the start weights.
    burn_in : int, optional
        Steps before the rate is measured; default: half of them.
    distance : float
        To which neighbours are brought back every 20 steps. Of ReLU networks it must be small: beyond a kink the
        neighbour feels another map.

    Returns
    -------
    Estimate
        Mean over the paths, with Student's interval at 95 % from their spread. It is one of these steps: a network is
        not stationary, and later the rate may be another.

    Raises
    ------
    InvalidInputError
        If an argument is not as described; the message shows it.

    Notes
    -----
    Negative: the maps contract on average near the path, so backward training from nearby starts would settle.
    Positive or zero: they do not. It says nothing of starts that are far apart; `coupled_starts` does.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> from iterorder.networks import MLP
    >>> features, labels = rng.normal(size=(50, 4)), rng.integers(0, 3, 50)
    >>> softmax = MLP(features, labels, hidden=(), step_size=0.2, weight_decay=0.1, dtype="float64")
    >>> rate = lyapunov_exponent(softmax, 400, batch_size=4, n_replicas=4, seed=1)
    >>> bool(rate.high < 0)
    True
    """
    model = as_model(model)
    n_steps = as_int("n_steps", n_steps, low=2 * RENEWED, high=2**40)
    n_replicas = as_int("n_replicas", n_replicas, low=2, high=2**20)
    burn_in = as_int("burn_in", n_steps // 2 if burn_in is None else burn_in, low=0, high=n_steps - RENEWED)
    distance, seed = as_float("distance", distance, low=0.0, strict=True), as_seed(seed)
    batches = Batches(sampling_of(model, batch_size, "iid"), seed, n_replicas, n_steps)
    near = model.start(n_replicas, seed=seed, start=as_int("start", start, low=0, high=2**32 - 1))
    _check_precision(near)
    rng = np.random.default_rng(0)  # a direction that nothing depends on in the end
    moves = {name: rng.normal(size=tuple(array.shape)) for name, array in near.items() if _is_float(array)}
    state = model.join(near, _beside(model, near, moves, distance))
    rows, growth, measured = np.arange(n_replicas), np.zeros(n_replicas), 0
    advance, both = advancing(model, seed), np.concatenate([rows, rows])
    with one_blas_thread(model):
        for n in range(n_steps):
            state = advance(state, batches.at(n)[both], n, both)
            if (n + 1) % RENEWED == 0:
                near, far = model.take(state, rows), model.take(state, rows + n_replicas)
                moves = {name: on_host(far[name]) - on_host(near[name]) for name in moves}
                if n + 1 - RENEWED >= burn_in:
                    with np.errstate(divide="ignore", invalid="ignore"):
                        growth += np.log(_lengths(moves) / distance)
                    measured += RENEWED
                state = model.join(near, _beside(model, near, moves, distance))
    rates = growth / measured
    from scipy.stats import t

    error = float(rates.std(ddof=1)) / math.sqrt(n_replicas)
    return Estimate.from_mean(float(rates.mean()), error, float(t.ppf(0.975, n_replicas - 1)))


def _is_float(array: Any) -> bool:
    return np.asarray(on_host(array[:1])).dtype.kind == "f"


def _check_precision(state: State) -> None:
    kinds = {on_host(array[:1]).dtype for array in state.values() if _is_float(array)}
    if kinds != {np.dtype(np.float64)}:
        raise InvalidInputError(
            f"the states are of {', '.join(sorted(map(str, kinds)))}: give a model in float64, as neighbours are "
            "closer than others tell apart"
        )


def _lengths(moves: dict[str, np.ndarray]) -> np.ndarray:
    squares = sum((array.reshape(len(array), -1) ** 2).sum(axis=1) for array in moves.values())
    return np.sqrt(squares)


def _beside(model: StepModel, near: State, moves: dict[str, np.ndarray], distance: float) -> State:
    """The state at a distance from `near` in the direction of the moves; where they have met, `near` itself."""
    lengths = _lengths(moves)
    scale = np.divide(distance, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    place = getattr(model, "placed", dict)
    far = {name: on_host(array).copy() for name, array in near.items()}
    for name, move in moves.items():
        far[name] += move * scale.reshape(-1, *[1] * (move.ndim - 1))
    return place(far)
