"""`simulate`: chooses the algorithm and runs the kernels."""

from __future__ import annotations

import numpy as np

from iterorder.certificates import fewer_steps, sure_certificate
from iterorder.errors import DivergenceError
from iterorder.maps import AffineMaps, LinearRegressionSGD, QuadraticSGD, RandomMaps
from iterorder.orders import BACKWARD, FORWARD, Order, Window
from iterorder.progress import Progress, part, reported
from iterorder.request import Request, checked_request
from iterorder.trajectory import Trajectory

# Replicas, or saved iterates of one, that a vector holds side by side.
LANES = 8


def simulate(
    maps: RandomMaps,
    x0,
    n_steps: int,
    *,
    order: Order = FORWARD,
    n_replicas: int = 1,
    seed,
    save_steps=None,
    noise: str = "independent",
    first_step: int = 0,
    first_replica: int = 0,
    backend: str = "cpu",
    dtype="float64",
    tol: float = 0.0,
    progress: Progress = False,
) -> Trajectory:
    """Compose random maps in a given order, for many replicas at once.

    The same seed, replica and step always meet the same map, whatever the order, so forward and backward runs are
    coupled, results do not depend on threads or on how replicas are split, and a run can be cut and continued.

    Parameters
    ----------
    maps : RandomMaps
    x0 : array_like, shape (dim,) or (n_replicas, dim)
    n_steps : int in [0, 2⁶²]
    order : {"forward", "backward"} or Window
    n_replicas : int ≥ 1
    seed : int in [0, 2⁶⁴), numpy SeedSequence, or numpy Generator
        A generator is advanced by one draw of 64 bits; ``Trajectory.seed`` is the integer that was used.
    save_steps : increasing ints in [0, n_steps], "all" or None
        None saves the last state, "all" those after 0, 1, …, n_steps steps.
    noise : {"independent", "shared"}
        Shared: every replica meets the maps of replica 0, to compare starts.
    first_step, first_replica : int
        Where in the noise the run starts: forward n, then m more from ``first_step=n``, equals n + m in one go. A
        backward run is cut by composing its inner piece, of the later steps, first.
    backend : {"cpu"}
    dtype : {"float64", "float32"}
    tol : float ≥ 0
        Euclidean error that a sure certificate may use to cut backward work; zero is exact. Other orders ignore it.
    progress : bool or function
        True: show how far the run is (a bar in a terminal or a notebook, sparse lines on standard error elsewhere). A
        function is called with the finished share of the whole run, up to 1; an exception that it raises ends the run.

    Returns
    -------
    Trajectory

    Raises
    ------
    InvalidInputError
        If an argument is not as described; the message shows it.
    DivergenceError
        If every replica left the finite numbers; carries the trajectory.
    NotContractiveError
        If tol > 0 and the maps have no sure certificate.
    BackendUnavailableError
        If the backend is not installed.

    Notes
    -----
    Cost of n steps: forward n maps; a backward iterate n maps; all backward iterates n incremental steps for affine
    maps, otherwise one sweep of at most n²/2 maps, as iterates that have met go on as one; a sliding window its width
    for each saved step. Memory: the saved states and one block of replicas a core; during a sweep also the saved states
    of one replica a core.

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
        progress=progress,
    )
    return _checked(_execute(request))


def _execute(request: Request) -> Trajectory:
    # Numba takes longer to import than the rest of iterorder together: only a simulation pays for it.
    from iterorder.kernels import cpu, systems

    n_replicas, dim = request.x0.shape
    system = systems.system_of(request.maps, request.x0.dtype)
    draws = systems.draws_of(system, request.maps.sampling_law, request.seed)
    shared = request.noise == "shared"
    place = cpu.Noise(0 if shared else request.first_replica, 0 if shared else 1, request.first_step)
    saves = request.save_steps
    states = np.empty((n_replicas, len(saves), dim), request.x0.dtype)
    diverged = np.full(n_replicas, -1, np.int64)
    bounds = np.zeros((1, len(saves)))
    with reported(request.progress, str(request.order)) as report:
        if request.order == FORWARD:
            cpu.run_forward(system, draws, place, request.x0, saves, states, diverged, report)
        elif request.order == BACKWARD:
            bounds = _backward(request, system, draws, place, states, diverged, report)
        elif isinstance(request.order, Window) and request.order.width is not None:
            width = request.order.width
            cpu.run_sliding(width, system, draws, place, request.x0, saves, states, diverged, report)
        else:
            _anchored(request, system, draws, place, states, diverged, report)
    return Trajectory(
        states=states,
        save_steps=saves,
        diverged_at=diverged,
        error_bound=np.broadcast_to(bounds, (n_replicas, len(saves))),
        order=request.order,
        seed=request.seed,
        maps=request.maps,
        first_step=request.first_step,
        first_replica=request.first_replica,
        noise=request.noise,
    )


def _backward(request, system, draws, place, states, diverged, report) -> np.ndarray:
    """Backward iterates, cut where a sure certificate allows; returns the error bound of each saved step."""
    from iterorder.kernels import cpu

    saves = request.save_steps
    if request.tol == 0.0:
        algorithm = _algorithm(request.maps, saves, len(states))
        cpu.run_backward(algorithm, system, draws, place, request.x0, saves, states, diverged, report)
        return np.zeros((1, len(saves)))
    certificate = sure_certificate(request.maps, request.x0)
    depth = certificate.depth(request.tol)
    kept, source = np.unique(np.minimum(saves, depth), return_inverse=True)
    part = np.empty((len(states), len(kept), states.shape[2]), states.dtype)
    algorithm = _algorithm(request.maps, kept, len(states))
    cpu.run_backward(algorithm, system, draws, place, request.x0, kept, part, diverged, report)
    np.take(part, source, axis=1, out=states)
    gone = diverged >= 0  # noted at a step that was kept, told of the next saved one
    diverged[gone] = saves[np.searchsorted(saves, diverged[gone])]
    return np.where(saves > depth, certificate.bound(depth), 0.0)[None, :]


def _anchored(request, system, draws, place, states, diverged, report) -> None:
    """Forward to the anchor, then backward from the state there."""
    from iterorder.kernels import cpu

    saves, start = request.save_steps, min(request.order.start, int(request.save_steps[-1]))
    early = saves[saves < start]
    to_anchor = np.append(early, start)
    forward = np.empty((len(states), len(to_anchor), states.shape[2]), states.dtype)
    late = saves[saves >= start] - start
    algorithm = _algorithm(request.maps, late, len(states))
    share = start / max(1, start + _work(algorithm, request.maps, late))
    cpu.run_forward(system, draws, place, request.x0, to_anchor, forward, diverged, part(report, 0.0, share))
    states[:, : len(early)] = forward[:, :-1]
    later_noise = place._replace(first_step=place.first_step + start)
    anchor = np.ascontiguousarray(forward[:, -1])
    ends = np.empty((len(states), len(late), states.shape[2]), states.dtype)
    settled = np.full(len(states), -1, np.int64)
    rest = part(report, share, 1.0)
    cpu.run_backward(algorithm, system, draws, later_noise, anchor, late, ends, settled, rest)
    states[:, len(early) :] = ends
    newly = (diverged < 0) & (settled >= 0)
    diverged[newly] = settled[newly] + start
    # Found at any step before the anchor, told of the next saved one like everywhere but in the forward order.
    gone = diverged >= 0
    diverged[gone] = saves[np.minimum(np.searchsorted(saves, diverged[gone]), len(saves) - 1)]


def _algorithm(maps: RandomMaps, saves: np.ndarray, n_replicas: int) -> str:
    """The cheapest way to the backward iterates after `saves` steps.

    Carrying the linear part of affine maps takes max(n) steps of about d² numbers (d³ against d² for full matrices),
    and rounds differently: this choice never depends on the number of replicas. Each by itself takes Σn maps, with
    replicas side by side in the lanes of a vector; the sweep has the saved iterates of one replica there, reads the
    data once, and goes on with one of those that have met. Those two give the same bits.
    """
    maps_applied = _work("each", maps, saves)
    affine = isinstance(maps, (AffineMaps, QuadraticSGD, LinearRegressionSGD))
    if affine and maps_applied > _work("incremental", maps, saves):
        return "incremental"
    each = -(-n_replicas // LANES) * maps_applied
    sweep = n_replicas * sum(saves[::-LANES].tolist())
    return "sweep" if len(saves) >= LANES or sweep < each else "each"


def _work(algorithm: str, maps: RandomMaps, saves: np.ndarray) -> int:
    """Maps that an algorithm applies for each replica, in the time of one; in Python's integers, for n may be 2⁶²."""
    return (maps.dim + 2) * int(saves[-1]) if algorithm == "incremental" else sum(saves.tolist())


def _checked(trajectory: Trajectory) -> Trajectory:
    """The trajectory, unless every replica diverged."""
    diverged = trajectory.diverged_at
    if (diverged >= 0).all():
        first, last = int(diverged.min()), int(diverged.max())
        when = f"between steps {first} and {last}" if trajectory.order == FORWARD else f"by the saved step {last}"
        raise DivergenceError(
            f"all {len(diverged)} replicas left the finite numbers, {when}: {fewer_steps(trajectory.maps)} (the "
            "error's .trajectory holds the saved steps, with NaN from there)",
            trajectory,
        )
    return trajectory
