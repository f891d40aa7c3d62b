"""`estimate_cost`: what a simulation will take, from a timed piece of it."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass

import numpy as np

from iterorder.errors import DivergenceError
from iterorder.kernels.backends import backend_named
from iterorder.kernels.problem import Place, Problem
from iterorder.maps import RandomMaps
from iterorder.orders import BACKWARD, FORWARD, Order, Window
from iterorder.request import Request, checked_request
from iterorder.simulate import simulate
from iterorder.types import ArrayLike, DTypeLike, SaveSteps, Seed

#: Seconds of the timed piece, about, and replicas of it at most for each of those asked for.
SAMPLE_SECONDS, REPLICAS = 0.2, 64
#: Bytes of a saved step beside its states: its number, and a bound for each replica.
WORD = 8


@dataclass(frozen=True)
class Cost:
    """What a simulation is estimated to take.

    Attributes
    ----------
    seconds : float
        On this machine as it is now, without the time to compile.
    bytes : int
        Of the result: states, bounds and step numbers.
    """

    seconds: float
    bytes: int


def estimate_cost(
    maps: RandomMaps,
    n_steps: int,
    *,
    order: Order = FORWARD,
    n_replicas: int = 1,
    save_steps: SaveSteps = None,
    x0: ArrayLike | None = None,
    seed: Seed = 0,
    backend: str = "cpu",
    dtype: DTypeLike = "float64",
) -> Cost:
    """Time and memory of `simulate` with the same arguments, before it is run.

    A piece of the run, of fewer steps and replicas, is timed, and the rest taken in proportion to the maps that the
    algorithm applies. It is an estimate: other programs, a cache that no longer holds the states, and backward iterates
    that meet make runs slower or faster. Nothing is known of a `tol`.

    Parameters
    ----------
    maps, n_steps, order, n_replicas, save_steps, seed, backend, dtype
        As in `simulate`.
    x0 : array_like, shape (dim,) or (n_replicas, dim), optional
        The origin by default.

    Returns
    -------
    Cost
        Seconds on this machine as it is now, and the most memory that is taken.

    Raises
    ------
    InvalidInputError
        If an argument is not as described, or the result would not fit into half of the memory.

    Examples
    --------
    >>> from iterorder import gallery
    >>> cost = estimate_cost(gallery.two_point_quadratic(0.5), 10**9, n_replicas=1000)
    >>> cost.bytes, cost.seconds > 0
    (16008, True)
    """
    request = checked_request(
        maps,
        np.zeros(maps.dim) if x0 is None else x0,
        n_steps,
        order=order,
        n_replicas=n_replicas,
        seed=seed,
        save_steps=save_steps,
        noise="independent",
        first_step=0,
        first_replica=0,
        backend=backend,
        dtype=dtype,
        tol=0.0,
        chunk=None,
        progress=False,
    )
    replicas, saved = request.x0.shape[0], len(request.save_steps)
    size = replicas * saved * (request.x0.dtype.itemsize * maps.dim + WORD) + saved * WORD
    return Cost(_seconds(request), size)


def _seconds(request: Request) -> float:
    """From a piece that grows until it takes long enough, or is the whole run."""
    whole, replicas = _work(request, request.save_steps), min(len(request.x0), REPLICAS)
    share = min(1.0, 64 / max(1, int(request.save_steps[-1])))
    _run(request, _fewer(request.save_steps, share), replicas)  # compiles
    while True:
        saves = _fewer(request.save_steps, share)
        spent = _run(request, saves, replicas)
        if share == 1.0 and replicas == len(request.x0):
            return spent
        if spent >= SAMPLE_SECONDS or (share == 1.0 and replicas < len(request.x0) and spent > SAMPLE_SECONDS / 8):
            scale = whole / _work(request, saves) * (len(request.x0) / replicas)
            return spent * scale
        factor = min(8.0, max(2.0, SAMPLE_SECONDS / max(spent, 1e-6)))
        if share < 1.0:
            share = min(1.0, share * math.sqrt(factor))
        else:
            replicas = min(len(request.x0), int(replicas * factor) + 1)


def _run(request: Request, saves: np.ndarray, replicas: int) -> float:
    start = time.perf_counter()
    with contextlib.suppress(DivergenceError):  # which takes as long
        simulate(
            request.maps,
            request.x0[:replicas],
            int(saves[-1]),
            order=request.order,
            n_replicas=replicas,
            seed=request.seed,
            save_steps=saves,
            backend=request.backend,
            dtype=request.x0.dtype,
        )
    return time.perf_counter() - start


def _fewer(saves: np.ndarray, share: float) -> np.ndarray:
    """The saved steps of a shorter run, as dense as they were."""
    if share >= 1.0:
        return saves
    end = max(1, math.ceil(int(saves[-1]) * share))
    early = saves[saves < end]
    return np.append(early, end)


def _work(request: Request, saves: np.ndarray) -> float:
    """Maps that a replica applies, at least one."""
    last, order = int(saves[-1]), request.order
    if order == FORWARD:
        return max(1, last)
    maps, place = request.maps, Place()
    width, anchor = (order.width, order.start or 0) if isinstance(order, Window) else (None, 0)
    if order == BACKWARD:
        problem = Problem(maps.form(), maps.sampling_law, request.seed, place, request.x0, saves)
        return max(1, backend_named(request.backend).backward_work(problem))
    if width is not None:
        return max(1.0, last + float(np.minimum(saves, width).sum()))
    start = min(anchor, last)
    late = saves[saves >= start] - start
    problem = Problem(maps.form(), maps.sampling_law, request.seed, place, request.x0, late)
    return max(1, start + backend_named(request.backend).backward_work(problem))
