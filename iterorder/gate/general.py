"""The general claims C1 to C5 on systems of which nothing but the maps is known."""

from __future__ import annotations

import math

import numpy as np

from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import TOTAL_LEVEL, replicas, stream
from iterorder.claims.table import ClaimRow, ClaimTable
from iterorder.convergence import coupling_distance
from iterorder.errors import DivergenceError
from iterorder.gate.systems_file import Entry
from iterorder.kernels.backends import as_backend
from iterorder.lengths import euclidean_norm
from iterorder.maps import RandomMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.progress import Progress, Report, as_progress, part, reported
from iterorder.simulate import simulated
from iterorder.stationary.products import epoch_of
from iterorder.theory import Theory, theory

#: Statistical tests of one system.
TESTS = 5
SHORT, LONG = 7, 400
#: What is left, when an iterate has settled, of the moves that forward iterates make.
SETTLED = 1e-3
#: A start is this many moves away from the law at most, beside the 1/|γ| moves that the width of a slow law is.
AWAY = 1e3
#: Numbers (steps × replicas × dim × batch) that the runs of one system may take, some seconds, and the multiple of n
#: that they go: backward iterates to n and to 2n, and forward ones to 2n twice.
MOST_NUMBERS, RUNS = 2**31, 7
#: Standard errors by which a drawn mean contraction is enlarged: it is too small once in 3·10⁶.
MARGIN = 5.0
#: Forward moves that grow by more while the steps double: the system expands. `diagnose` has the same bound.
GROWS = 10.0


def check_systems(
    systems: list[Entry],
    *,
    seed: int = 0,
    effort: str = "quick",
    backend: str = "cpu",
    progress: Progress = False,
) -> ClaimTable:
    """Rows for every system.

    The orders have one law (C1), backward settles (C2) and forward does not (C3), the limit has the law that forward
    keeps (C4), starts approach no slower than the mean contraction says (C5). Where all maps share a fixed point both
    orders settle on it (C14), and C3 is skipped. A system that does not contract fails C2,
    as it should, with a note: the table tells whether the theory applies to it. Where a system expands, C3 and C4,
    which compare laws that nothing keeps, are skipped; so are both and C1 where the maps come in an order of their own
    (cyclic sampling, a schedule of step sizes), as reading it backward is another order. C2 to C4 look as far as the
    Lyapunov exponent asks for, and are skipped where that is too far. C5 is skipped where no mean contraction is
    known, or steps are not independent.
    """
    backend, level = as_backend(backend), TOTAL_LEVEL / (TESTS * len(systems))
    rows: list[ClaimRow] = []
    with reported(as_progress(progress), "systems") as report:
        for done, entry in enumerate(systems, start=1):
            share = part(report, (done - 1) / len(systems), done / len(systems))
            rows += _rows(entry, level, seed, replicas(effort, 2000), backend, share)
            if report is not None:
                report(done / len(systems))
    return ClaimTable(tuple(rows), seed, effort)


def _rows(entry: Entry, level: float, seed: int, count: int, backend: str, report: Report | None) -> list[ClaimRow]:
    known = theory(entry.maps, seed=seed, backend=backend)
    steps, too_slow = _steps(known, count, entry.maps)
    try:
        rows = _judged(entry, known, steps, level, seed, count, backend, report)
    except DivergenceError as error:
        # Not a row that is skipped: the theory promised a limit, and there is none.
        note = f"the system expands, {str(error).split(':')[0]}{_with_smaller_steps(entry.maps)}"
        return [ClaimRow.compared("C2", entry.name, "backward iterates settle", 0.0, math.inf, 0.0, note=note)]
    if not too_slow:
        return rows
    # The orders have one law at any n, and starts approach from the first step on.
    return [row if row.claim in ("C1", "C5") else ClaimRow.skipped(row.claim, entry.name, too_slow) for row in rows]


def _steps(known: Theory, count: int, maps: RandomMaps) -> tuple[int, str]:
    """The n at which C2 to C4 are tested, from the exponent γ; and why they are not, where that takes too many steps.

    A difference is e^(γn) of what it was. Where γ is not known to be negative `LONG` steps show what there is.
    """
    exponent = known.lyapunov_exponent
    if exponent is None or not -math.inf < exponent.high < -64.0 * maps.dim * EPS:  # which may be a zero, rounded
        return LONG, ""
    rate = -exponent.high
    needed = max(LONG, math.ceil((math.log(AWAY / SETTLED) + max(-math.log(rate), 0.0)) / rate))
    most = max(LONG, MOST_NUMBERS // (RUNS * count * maps.dim * maps.sampling_law.batch_size))
    if needed <= most:
        return needed, ""
    return LONG, (
        f"not tested, as it is too slow to check: with a Lyapunov exponent of {exponent.value:.3g} a step it settles "
        f"in {needed:.2g} steps, more than the {most} that are tried"
    )


def _judged(
    entry, known: Theory, steps: int, level: float, seed: int, count: int, backend: str, report
) -> list[ClaimRow]:
    maps, x0, name = entry.maps, entry.x0, entry.name
    epoch = epoch_of(maps)
    # Epoch ends: with reshuffling the laws agree there only.
    short, long = -(-SHORT // epoch) * epoch, -(-steps // epoch) * epoch
    parts = [stream(seed, f"C{k}", name) for k in (1, 2, 3, 4, 5)]

    def states(order, n, stream_part, saves=None, share=None) -> np.ndarray:
        how: dict = {"order": order, "n_replicas": count, "seed": stream_part, "backend": backend, "progress": share}
        run = simulated(maps, x0, n, save_steps=saves, **how)
        return np.where(np.isnan(run.states), np.inf, run.states)  # one that diverged is beyond all others

    judge = {k: Judge(f"C{k}", level, backend) for k in range(1, 6)}
    shares = [part(report, first / RUNS, last / RUNS) for first, last in ((0, 3), (3, 5), (5, 7))]
    limits = states(BACKWARD, 2 * long, parts[2], [long, 2 * long], shares[0])
    paths = states(FORWARD, 2 * long + 1, parts[3], [2 * long, 2 * long + 1], shares[1])
    later = states(FORWARD, 2 * long + 1, parts[4], [long, long + 1], shares[2])
    moved, kept, before = (_moves(pair) for pair in (limits, paths, later))
    rounding = 64.0 * EPS * (1.0 + float(np.abs(limits[np.isfinite(limits)]).max(initial=0.0)))
    # Not the median: maps that often do nothing move by zero.
    late, early = (float(np.sort(moves)[int(0.9 * count)]) for moves in (kept, before))
    growth = late / max(early, rounding) if math.isfinite(late) else math.inf
    if rests := _rests(known, paths, kept):
        # Forward moves end too: what backward iterates do is held against the way from the start to the fixed point.
        way = _moves(np.stack([np.broadcast_to(x0, paths[:, 0].shape), paths[:, 0]], axis=1))
        ratio = max(float(np.median(moved)) - rounding, 0.0) / max(float(np.median(way)), rounding)
        against = "|X₂ₙ − x₀|, as all maps fix one point"
    else:
        ratio = float(np.median(moved)) / max(float(np.median(kept)), np.finfo(float).tiny)
        against = "that of forward moves"
    quantity = f"median |Z₂ₙ − Zₙ| over {against}, n = {long}"
    told = "the way from their start" if rests else "what forward ones do"
    settles = judge[2].compare(name, quantity, 0.0, ratio, SETTLED, note=_unsettled(maps, growth, ratio, long, told))
    coupled = _coupled(judge[5], entry, known, short, count, parts[4])
    if ordered := _order_of_its_own(maps):
        return [settles, *(ClaimRow.skipped(claim, name, ordered) for claim in ("C1", "C3", "C4")), *coupled]
    forward, backward = states(FORWARD, short, parts[0])[:, 0], states(BACKWARD, short, parts[1])[:, 0]
    rows = [judge[1].same_law(name, f"sup|F_X − F_Z|, n = {short}", forward, backward, rounding=rounding), settles]
    if growth > GROWS:
        reason = "not tested, as the system expands (see C2)"
        return rows + [ClaimRow.skipped(claim, name, reason) for claim in ("C3", "C4")] + coupled
    if rests:
        rows.append(ClaimRow.skipped("C3", name, rests))
    else:
        quantity = "sup|F − F'| of forward moves, n and 2n"
        rows.append(judge[3].same_law(name, quantity, kept[:, None], before[:, None], rounding=rounding))
    quantity = f"sup|F_Z − F_X|, n = {2 * long}"
    rows.append(judge[4].same_law(name, quantity, limits[:, 1], paths[:, 0], rounding=rounding))
    return rows + coupled


def _order_of_its_own(maps: RandomMaps) -> str:
    """Why the claims about laws of both orders do not apply; empty where they do."""
    if not maps.time_homogeneous:
        return "not tested, as the step size changes with the step: no law is stationary"
    if maps.sampling_law.kind == "cyclic":
        return "not tested, as in cyclic order the law goes round with the epoch (C13)"
    return ""


def _rests(known: Theory, paths: np.ndarray, kept: np.ndarray) -> str:
    """Why forward iterates settle too (C14), so that C3 does not apply; empty where they go on moving.

    Of maps whose fixed points are not known, the last forward moves of all replicas are at the rounding of the states.
    """
    at_rest = np.isfinite(kept).all() and kept.max() <= 64.0 * EPS * np.abs(paths).max()
    if known.common_fixed_point is None and not at_rest:
        return ""
    return "not tested, as all maps share a fixed point: forward iterates settle on it too (C14)"


def _moves(pair: np.ndarray) -> np.ndarray:
    """Distances between two saved states, shape (replica,); inf of those that diverged."""
    with np.errstate(over="ignore", invalid="ignore"):
        moves = euclidean_norm(pair[:, 1] - pair[:, 0])
    return np.where(np.isnan(moves), np.inf, moves)


def _unsettled(maps: RandomMaps, growth: float, ratio: float, n: int, against: str) -> str:
    """What it means where C2 fails; the ratio is to what is named by `against`."""
    if growth > GROWS:
        return (
            f"the system expands: its forward moves grow {growth:.2g}-fold from step {n} to {2 * n}, so neither order "
            f"settles and there is no stationary law{_with_smaller_steps(maps)}"
        )
    return (
        f"backward iterates go on moving, by {ratio:.2g} times {against}: the maps do not contract on "
        f"average, or too slowly for {n} steps"
    )


def _with_smaller_steps(maps: RandomMaps) -> str:
    """The end of a note on a system that expands."""
    advice = maps.smaller_steps
    return f"; take {advice}" if advice else ""


def _without_contraction(maps: RandomMaps) -> str:
    """Why there is no mean contraction of one step for C5."""
    if maps.sampling_law.kind != "iid":
        return f"not tested, as with sampling={maps.sampling_law.kind!r} steps are not independent"
    if not maps.time_homogeneous:
        return "not tested, as the step size changes with the step: the contraction is another at each"
    return f"not tested, as {maps.unbounded or 'no mean contraction is known'}"


def _coupled(judge: Judge, entry: Entry, known: Theory, n: int, count: int, seed: int) -> list[ClaimRow]:
    """E‖X_n − Y_n‖/‖x − y‖ ≤ E Lip(T_n∘…∘T_1), where Lipschitz constants are known and steps independent."""
    maps = entry.maps
    single = known.contraction(1) if maps.sampling_law.kind == "iid" else None
    if single is None:
        return [ClaimRow.skipped("C5", entry.name, _without_contraction(maps))]
    with np.errstate(over="ignore"):
        bounds, block = [float(np.float64(single.high) ** n)], known.contraction(1, block=n)
    if block is not None:  # of momentum and of least squares far below the power of the first
        drawn = MARGIN * block.standard_error if math.isfinite(block.standard_error) else 0.0
        bounds.append(block.value + drawn if block.low > 0.0 else block.high)
    other = entry.other_start
    coupling = coupling_distance(
        maps, entry.x0, other, n, order=FORWARD, n_replicas=count, seed=seed, backend=judge.backend, p=1, save_steps=[n]
    )
    quantity = f"E‖X − Y‖/‖x − y‖ ≤ E Lip(Tₙ∘…∘T₁), n = {n}"
    if not (math.isfinite(min(bounds)) and np.isfinite(coupling.per_replica).all()):
        return [ClaimRow.skipped("C5", entry.name, "not tested, as a mean distance leaves the finite numbers")]
    # Shares of the first distance: squares of a far start would overflow.
    apart = float(euclidean_norm(other - entry.x0))
    size = max(1.0, float(np.abs(other).max()), float(coupling.scale.max()))
    shares, rounding = coupling.per_replica[:, -1] / apart, 128.0 * n * EPS * (size / apart)
    if np.ptp(shares) <= rounding:  # slopes that are all equal: the skewness of what rounding does says nothing
        shares = np.full_like(shares, shares.mean())
    return [judge.mean(entry.name, quantity, min(bounds), shares, bias=rounding, relation="≤")]
