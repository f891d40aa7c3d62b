"""C21: a sliding window has the law of X_n and, once n > w, moves like forward.

Its outermost map changes every step; only an anchored window, and backward, settle.
Increments of the four orders side by side, on the two-point quadratic and on the diabetes data. Control: the sliding
window at rest.
"""

from __future__ import annotations

import numpy as np

from iterorder.claims.ensembles import mean_square_increment, path_statistics
from iterorder.claims.formulas import AffineSystem
from iterorder.claims.judge import EPS, Judge
from iterorder.claims.registry import Claim, replicas, stream
from iterorder.claims.systems import diabetes_regression, rounding_bound
from iterorder.claims.table import ClaimRow
from iterorder.maps import gallery
from iterorder.orders import BACKWARD, FORWARD, Window
from iterorder.simulate import simulated


def check(seed: int, effort: str, judge: Judge) -> list[ClaimRow]:
    """Rows of C21."""
    return [
        *_two_point(judge, stream(seed, "C21", "two-point"), replicas(effort, 20_000)),
        *judge.where_available("diabetes", lambda: _diabetes(judge, stream(seed, "C21", "diabetes"), effort)),
    ]


def _two_point(judge: Judge, seed: int, count: int) -> list[ClaimRow]:
    """The four orders side by side, each in closed form."""
    h, n, width, start = 0.3, 100, 60, 40
    system, maps, saves = "two-point quadratic, h=0.3", gallery.two_point_quadratic(h), [n, n + 1]
    states = {}
    for order in (FORWARD, BACKWARD, Window(width), Window(start=start)):
        # The forward ensemble is independent of the sliding one, to compare their laws.
        first = count if order == FORWARD else 0
        run = simulated(
            maps,
            [0.25],
            n + 1,
            order=order,
            n_replicas=count,
            seed=seed,
            backend=judge.backend,
            save_steps=saves,
            first_replica=first,
        )
        states[order] = run.states[:, :, 0]
    moves = {order: np.abs(pair[:, 1] - pair[:, 0]) for order, pair in states.items()}
    moving = h**2 / (2.0 * (2.0 - h))
    # What the outermost (1−h)^k leave of a move, at most h; for the mean squares: the same truncation of V_n.
    left, rounding = (1.0 - h) ** np.array([n, width, n - start]), 2.0 * rounding_bound(1.0, 1, 1.0 - h)
    return [
        judge.same_law(
            system,
            f"sup|F_V − F_X|, w = {width}, n = {n}",
            states[Window(width)][:, :1],
            states[FORWARD][:, :1],
            rounding=4.0 * EPS,
        ),
        judge.mean(system, "forward: E|X(n+1) − X(n)|²", moving, moves[FORWARD] ** 2, bias=left[0]),
        judge.mean(system, f"sliding, w = {width}: E|V(n+1) − V(n)|²", moving, moves[Window(width)] ** 2, bias=left[1]),
        judge.compare(system, "backward: largest |Z(n+1) − Z(n)|", 0.0, moves[BACKWARD].max(), h * left[0] + rounding),
        judge.compare(
            system,
            f"anchored at {start}: largest |A(n+1) − A(n)|",
            0.0,
            moves[Window(start=start)].max(),
            h * left[2] + rounding,
        ),
        judge.test(
            system,
            f"sliding, w = {width}: median |V(n+1) − V(n)|",
            0.0,
            np.median(moves[Window(width)]),
            h * left[1] + rounding,
            control=True,
        ),
    ]


def _diabetes(judge: Judge, seed: int, effort: str) -> list[ClaimRow]:
    """Ridge 0.5 and h = 0.02: the mean map contracts by 0.99, so that a window of 2500 leaves 10⁻¹¹."""
    maps = diabetes_regression(0.02, ridge=0.5)
    system, formulas = "diabetes, ridge 0.5, h=0.02", AffineSystem.of(maps)
    moving, width, n, count = formulas.mean_square_increment, 2_500, 3_000, replicas(effort, 2_000)
    rho, steps = formulas.radius, np.arange(n, n + 33)
    bias = maps.dim**0.5 * rho**width * moving
    rows = [
        judge.mean(
            system,
            f"{name}: E|ΔV|², n ≥ {n}",
            moving,
            path_statistics(
                maps,
                formulas.mean,
                steps,
                mean_square_increment,
                count=count,
                seed=seed,
                backend=judge.backend,
                order=order,
            ),
            bias=bias,
        )
        for name, order in (("forward", FORWARD), (f"sliding, w = {width}", Window(width)))
    ]
    anchored = simulated(
        maps,
        formulas.mean,
        n + width + 1,
        order=Window(start=n),
        n_replicas=count,
        seed=seed,
        backend=judge.backend,
        save_steps=[n + width, n + width + 1],
    ).states
    # ‖P·move‖ with P the product of `width` symmetric maps: mean square at most √d·ρ^w·E‖move‖², then Markov.
    allowed = (maps.dim**0.25 * rho ** (width / 2) * moving**0.5 + rounding_bound(5.0, maps.dim, rho**0.5)) * (
        count / judge.level
    ) ** 0.5
    largest = np.linalg.norm(anchored[:, 1] - anchored[:, 0], axis=1).max()
    rows.append(judge.test(system, f"anchored at {n}: largest |ΔA|, n = {n + width}", 0.0, largest, allowed))
    return rows


CLAIM = Claim("C21", "a sliding window has the law of the forward iterate and keeps moving", 7, check)
