"""`simulate`: chooses the algorithm and runs the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from iterorder.bound_trials import check_bounds
from iterorder.certificates import SureCertificate, fewer_steps, sure_certificate
from iterorder.device_arrays import along_steps, to_numpy
from iterorder.errors import DivergenceError, InvalidInputError
from iterorder.kernels.backends import Backend, backend_named
from iterorder.kernels.problem import Out, Place, Problem
from iterorder.lengths import euclidean_norm
from iterorder.maps import RandomMaps
from iterorder.orders import BACKWARD, FORWARD, Order, Window
from iterorder.progress import Progress, Report, part, reported
from iterorder.request import Request, checked_request
from iterorder.rounding import TRUNCATION, RoundingError, geometric_growth, rounding_of
from iterorder.trajectory import Trajectory, kept_start
from iterorder.types import ArrayLike, DTypeLike, PathLike, SaveSteps, Seed


def simulate(
    maps: RandomMaps,
    x0: ArrayLike,
    n_steps: int,
    *,
    order: Order = FORWARD,
    n_replicas: int = 1,
    seed: Seed,
    save_steps: SaveSteps = None,
    noise: str = "independent",
    first_step: int = 0,
    first_replica: int = 0,
    backend: str = "cpu",
    dtype: DTypeLike = "float64",
    tol: float = 0.0,
    chunk: int | None = None,
    progress: Progress = False,
    checkpoint: PathLike | None = None,
) -> Trajectory:
    """Compose random maps in a given order, for many replicas at once.

    The same seed, replica and step always meet the same map, whatever the order, so forward and backward runs are
    coupled, results do not depend on threads or on how replicas are split, and a run can be cut and continued.

    Parameters
    ----------
    maps : RandomMaps
        The system: any family of this package, or `CustomMaps` of one's own.
    x0 : array_like, shape (dim,) or (n_replicas, dim)
        Where the replicas start: one state for all, or one for each. With backend="cuda" also
        what lives on the GPU, of any library that knows DLPack.
    n_steps : int in [0, 2⁶²]
        How many maps are composed.
    order : "forward", "backward" or Window
        Which map is applied last: the newest, X_n = T_n ∘ ⋯ ∘ T_1(x0); the first one, Z_n = T_1 ∘ ⋯ ∘ T_n(x0); or, in a
        `Window`, the newest first over the last maps only.
    n_replicas : int ≥ 1
        Independent paths, side by side: the first axis of the states.
    seed : int in [0, 2⁶⁴), numpy SeedSequence, or numpy Generator
        A generator is advanced by one draw of 64 bits; ``Trajectory.seed`` is the integer that was used.
    save_steps : increasing ints in [0, n_steps], "all" or None
        None saves the last state, "all" those after 0, 1, …, n_steps steps.
    noise : {"independent", "shared"}
        Shared: every replica meets the maps of replica 0, to compare starts.
    first_step, first_replica : int
        Where in the noise the run starts: forward n, then m more from ``first_step=n``, equals n + m in one go. A
        backward run is cut by composing its inner piece, of the later steps, first.
    backend : {"cpu", "cuda"}
        "cuda": on a GPU, with the same integers, and floats that differ by rounding at most; states are arrays of CuPy.
    dtype : {"float64", "float32"}
        Of the states, and of the arithmetic.
    tol : float ≥ 0
        Euclidean error that a sure certificate may use to cut backward work, rounding included; zero cuts nothing.
        Other orders ignore it. A Lipschitz bound that the user gave is tried first, on pairs of states where the
        iterates are.
    chunk : int ≥ 1, optional
        Replicas that a GPU works on at a time; as many as fit unless it is given. Results do not depend on it.
    progress : bool or function
        True: show how far the run is (a bar in a terminal or a notebook, sparse lines on standard error elsewhere). A
        function is called with the finished share of the whole run, up to 1; an exception that it raises ends the run.
    checkpoint : path-like, optional
        A folder, made if it is not there, for a long run: what is computed is written some times a minute, and a run
        that was interrupted or killed goes on from there when it is called again, with the same bits. A forward run is
        cut into steps, the others into blocks of replicas. The folder belongs to one run: another is refused. States
        are then NumPy's on every backend.

    Returns
    -------
    Trajectory
        The states of every replica at the saved steps, and what is known of them.

    Raises
    ------
    InvalidInputError
        If an argument is not as described; the message shows it. If tol > 0 is below the rounding of the iterates, or
        a given Lipschitz bound is exceeded.
    DivergenceError
        If every replica left the finite numbers; carries the trajectory.
    NotContractiveError
        If tol > 0 and the maps have no sure certificate.
    BackendUnavailableError
        If the backend cannot be used; its ``reason`` is one word.
    MapCompilationError
        If a GPU cannot run a function that the user gave.

    Notes
    -----
    Cost of n steps: forward n maps; a backward iterate n maps; all backward iterates n incremental steps for affine
    maps, otherwise one sweep of at most n²/2 maps, as iterates that have met go on as one; a sliding window its width
    for each saved step. Memory: the saved states and, on the processor, one block of replicas a core; during a sweep
    also the saved states of one replica a core.

    Rounding: an iterate of `AffineMaps` in d dimensions, however it is computed, is off by at most
    (d + 2)(n + 1)·eps·(Π_n |x0| + Σ_k Π_(k−1) |b_k|), entry by entry and to first order in eps. Here x → A_k x + b_k
    are its maps from the outermost on and Π_k = |A_1|⋯|A_k|: as maps contract, the rounding of a far start is
    forgotten. Where all backward iterates are carried along, an A_1⋯A_k below 2⁻⁹⁶⁰ (float32: 2⁻¹⁰⁰) counts as zero.

    References
    ----------
    .. [1] Diaconis, Freedman (1999), Iterated random functions, SIAM Review 41(1).

    Examples
    --------
    >>> from iterorder import gallery, simulate
    >>> maps = gallery.two_point_quadratic(0.5)
    >>> run = simulate(maps, [0.25], 60, order="backward", n_replicas=3, seed=1, save_steps=[20, 40, 60])
    >>> run.states.shape
    (3, 3, 1)
    >>> bool(abs(run.states[:, 2] - run.states[:, 1]).max() < 1e-11)
    True
    """
    request = checked_request(
        maps,
        x0,
        n_steps,
        order=order,
        n_replicas=n_replicas,
        seed=seed,
        save_steps=save_steps,
        noise=noise,
        first_step=first_step,
        first_replica=first_replica,
        backend=backend,
        dtype=dtype,
        tol=tol,
        chunk=chunk,
        progress=progress,
    )
    if checkpoint is not None:
        from iterorder.checkpoint import in_pieces

        return _checked(in_pieces(request, checkpoint, _execute))
    return _checked(_execute(request))


def simulated(maps: RandomMaps, x0: ArrayLike, n_steps: int, *, backend: str, **options: Any) -> Trajectory:
    """What `simulate` returns, with NumPy's states whatever computed them: for what goes on with them there."""
    try:
        return simulate(maps, x0, n_steps, backend=backend, **options).to_numpy()
    except DivergenceError as error:
        error.trajectory = error.trajectory and error.trajectory.to_numpy()
        raise


def _execute(request: Request) -> Trajectory:
    n_replicas, saves = len(request.x0), request.save_steps
    backend, problem = backend_named(request.backend, request.chunk), _problem(request)
    bounds = np.zeros((1, len(saves)))
    with reported(request.progress, str(request.order)) as report:
        if request.order == FORWARD:
            out = backend.forward(problem, report)
        elif request.order == BACKWARD:
            out, bounds = _backward(request, backend, problem, report)
        else:
            out = _windowed(request.order, backend, problem, report)
    return Trajectory(
        states=out.states,
        save_steps=saves,
        diverged_at=out.diverged,
        error_bound=np.broadcast_to(bounds, (n_replicas, len(saves))),
        order=request.order,
        seed=request.seed,
        maps=request.maps,
        first_step=request.first_step,
        first_replica=request.first_replica,
        noise=request.noise,
        x0=kept_start(request.x0),
    )


def _problem(request: Request) -> Problem:
    shared = request.noise == "shared"
    place = Place(0 if shared else request.first_replica, 0 if shared else 1, request.first_step)
    maps = request.maps
    return Problem(maps.form(), maps.sampling_law, request.seed, place, request.x0, request.save_steps)


def _backward(request: Request, backend: Backend, problem: Problem, report: Report | None) -> tuple[Out, np.ndarray]:
    """Backward iterates, cut where a sure certificate allows, and the error bound of each saved step."""
    saves = request.save_steps
    if request.tol == 0.0:
        return backend.backward(problem, report), np.zeros((1, len(saves)))
    starts = to_numpy(request.x0)
    certificate = sure_certificate(request.maps, starts)
    check_bounds(request.maps, starts, request.seed, request.backend)
    rounding = _rounding(request, certificate, starts)  # first, as it refuses a tolerance that is next to nothing
    depth = certificate.depth(TRUNCATION * request.tol)
    cut = certificate.bound(depth) + rounding
    kept, source = np.unique(np.minimum(saves, depth), return_inverse=True)
    states, diverged = backend.backward(problem.saving(kept), report)
    gone = diverged >= 0  # noted at a step that was kept, told of the next saved one
    diverged[gone] = saves[np.searchsorted(saves, diverged[gone])]
    return Out(along_steps(states, source), diverged), np.where(saves > depth, cut, 0.0)[None, :]


def _rounding(request: Request, certificate: SureCertificate, starts: np.ndarray) -> float:
    """Of an iterate in the type of its states, which never leave the ball around x0 in which the limit lies."""
    size = float(euclidean_norm(starts.astype(np.float64)).max()) + certificate.distance
    growth, eps = geometric_growth(certificate.contraction), float(np.finfo(request.x0.dtype).eps)
    try:
        return float(rounding_of(request.maps, size, growth, request.tol, eps=eps))
    except RoundingError as error:
        better = ", dtype='float64'" if request.x0.dtype == np.float32 else ""
        raise InvalidInputError(f"{error}{better}, or tol=0, which cuts nothing") from None


def _windowed(order: Order, backend: Backend, problem: Problem, report: Report | None) -> Out:
    assert isinstance(order, Window)
    if order.width is not None:
        return backend.window(problem, order.width, report)
    assert order.start is not None  # a window has one of the two
    return _anchored(order.start, backend, problem, report)


def _anchored(anchor: int, backend: Backend, problem: Problem, report: Report | None) -> Out:
    """Forward to the anchor, then backward from the state there."""
    saves = problem.saves
    start = min(anchor, int(saves[-1]))
    early, late = saves[saves < start], saves[saves >= start] - start
    share = start / max(1, start + backend.backward_work(problem.saving(late)))
    forward = backend.forward(problem.saving(np.append(early, start)), part(report, 0.0, share))
    from_there = problem.continued(forward.states[:, -1], start, late)
    backward = backend.backward(from_there, part(report, share, 1.0))
    diverged = forward.diverged.copy()
    newly = (diverged < 0) & (backward.diverged >= 0)
    diverged[newly] = backward.diverged[newly] + start
    # Found at any step before the anchor, told of the next saved one like everywhere but in the forward order.
    gone = diverged >= 0
    diverged[gone] = saves[np.minimum(np.searchsorted(saves, diverged[gone]), len(saves) - 1)]
    return Out(backend.joined(forward.states[:, :-1], backward.states), diverged)


def _checked(trajectory: Trajectory) -> Trajectory:
    """The trajectory, unless every replica diverged."""
    diverged = trajectory.diverged_at
    if (diverged >= 0).all():
        first, last = int(diverged.min()), int(diverged.max())
        when = f"by the saved step {last}"
        if trajectory.order == FORWARD:
            when = f"at step {last}" if first == last else f"between steps {first} and {last}"
        who = "the only replica" if len(diverged) == 1 else f"all {len(diverged)} replicas"
        raise DivergenceError(
            f"{who} left the finite numbers, {when}: {fewer_steps(trajectory.maps)}",
            trajectory,
            holds="the saved steps, with NaN from there",
        )
    return trajectory
