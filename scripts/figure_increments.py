"""Increments along one path: backward ones fall like exp(γn), forward ones do not fall (claims C2 and C3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import cancer_logistic, main
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import LinearRegressionSGD, QuadraticSGD, simulate
from iterorder.datasets import diabetes
from iterorder.maps import RandomMaps
from iterorder.orders import BACKWARD, FORWARD, Order
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title, save_figure
from iterorder.theory import theory

SEED = 41
REPLICAS = {"quick": 100, "full": 1000}
SHOWN = 4
EPS = float(np.finfo(np.float64).eps)
# Two losses of unequal curvature: γ = ½(log .85 + log .55), and the paths spread about it like a random walk.
CURVATURES, MINIMIZERS, STEP_SIZE = (0.5, 1.5), (0.0, 1.0), 0.3


@dataclass(frozen=True, eq=False)
class Case:
    """A system, where its increments are looked at, and from which of these steps on the slope is measured."""

    maps: RandomMaps
    x0: np.ndarray
    steps: np.ndarray
    slope_from: int


@dataclass(frozen=True, eq=False)
class Increments:
    """Increments (replica, step) of both orders, their rounding, and the slope of the backward ones."""

    forward: np.ndarray
    backward: np.ndarray
    rounding: float
    slope: float
    slope_error: float
    exponent: float
    level: float


def cases() -> dict[str, Case]:
    """Closed form, linear regression and logistic regression; each over about thirteen decades."""
    features, targets = diabetes()
    linear = LinearRegressionSGD(features, targets, 0.05, ridge=0.1)
    logistic = cancer_logistic()
    return {
        "quadratic": Case(QuadraticSGD(CURVATURES, MINIMIZERS, STEP_SIZE), np.array([0.5]), np.arange(0, 81), 0),
        "linear": Case(linear, np.zeros(linear.dim), np.arange(0, 5001, 100), 10),
        "logistic": Case(logistic, np.zeros(logistic.dim), np.arange(0, 18_001, 300), 20),
    }


def increments(case: Case, order: Order, n_replicas: int) -> tuple[np.ndarray, float]:
    """‖Z_(n+1) − Z_n‖ at the steps of a case, shape (n_replicas, n_steps), and the size of the last states."""
    saves = np.union1d(case.steps, case.steps + 1)
    run = simulate(
        case.maps, case.x0, int(saves[-1]), order=order, n_replicas=n_replicas, seed=SEED, save_steps=saves
    )
    at = np.searchsorted(saves, case.steps)
    moves = np.linalg.norm(run.states[:, at + 1] - run.states[:, at], axis=2)
    return moves, float(np.linalg.norm(run.states[:, -1], axis=1).mean())


def measure(case: Case, n_replicas: int) -> Increments:
    """Both orders, and the end-point slope of the logarithms of the backward increments over all replicas."""
    forward, _ = increments(case, FORWARD, n_replicas)
    backward, size = increments(case, BACKWARD, n_replicas)
    if not (backward > 0).all():  # a zero would be legitimate, but these systems have none above rounding
        raise ValueError("an increment is zero: shorten the steps of the case")
    logs = np.log(backward)
    first, last = case.slope_from, len(case.steps) - 1
    slopes = (logs[:, last] - logs[:, first]) / (case.steps[last] - case.steps[first])
    exponent = float(theory(case.maps).lyapunov_exponent)
    level = float((logs - exponent * case.steps)[:, first:].mean())
    return Increments(
        forward=forward,
        backward=backward,
        rounding=EPS * size,
        slope=float(slopes.mean()),
        slope_error=float(slopes.std(ddof=1) / np.sqrt(n_replicas)),
        exponent=exponent,
        level=level,
    )


def stationary_move(maps: RandomMaps) -> float | None:
    """√(E_π E‖T(x)−x‖²) of affine maps drawn singly (C3), from the stationary mean and covariance; None for others."""
    law = theory(maps)
    if law.mean is None or law.covariance is None:
        return None
    steps = np.eye(maps.dim)
    squares = []
    for item in range(maps.sampling_law.n_items):
        move = maps.apply(law.mean, item) - law.mean
        # The linear part of T − 1, column by column: T is affine.
        slope = (maps.apply(law.mean + steps, item) - law.mean - steps - move).T
        squares.append(move @ move + np.trace(slope @ law.covariance @ slope.T))
    return float(np.sqrt(np.mean(squares)))


def draw_panel(axes: Axes, case: Case, found: Increments, forward_level: float | None) -> None:
    """Paths of both orders, the geometric mean of backward, and the theory."""
    color, n = ORDER_COLORS, case.steps
    for order, moves in ((FORWARD, found.forward), (BACKWARD, found.backward)):
        axes.plot(n, moves[:SHOWN].T, color=color[order], lw=0.5, alpha=0.6)
        axes.plot(n, np.exp(np.log(moves).mean(axis=0)), color=color[order], lw=1.8, label=f"{order}, geometric mean")
    axes.plot([], [], color="0.4", lw=0.5, label=f"{SHOWN} single paths")
    line = np.exp(found.level + found.exponent * n)
    axes.plot(n, line, color=color["theory"], lw=0.9, ls="--", label=r"$\propto e^{\gamma n}$")
    if forward_level is not None:
        axes.axhline(forward_level, color=color["theory"], lw=0.9, ls=":", label=r"$(E_\pi\|T(x)-x\|^2)^{1/2}$")
    axes.axhline(found.rounding, color=color["floor"], lw=0.8, label="rounding")
    text = f"$\\gamma={found.exponent:.4g}$\nslope ${found.slope:.4g}\\pm{found.slope_error:.1g}$"
    axes.text(0.04, 0.12, text, transform=axes.transAxes, fontsize=7)
    axes.set(yscale="log", xlabel="steps $n$", xlim=(0, n[-1]), ylim=(found.rounding / 3, None))


def plotted(case: Case, found: Increments, forward_level: float | None) -> dict[str, object]:
    """The numbers of one panel."""
    numbers: dict[str, object] = {"n": case.steps, "slope_from": case.steps[case.slope_from]}
    for order, moves in ((FORWARD, found.forward), (BACKWARD, found.backward)):
        numbers[order] = {"paths": moves[:SHOWN], "geometric_mean": np.exp(np.log(moves).mean(axis=0))}
    numbers |= {name: getattr(found, name) for name in ("rounding", "slope", "slope_error", "exponent", "level")}
    return numbers | ({} if forward_level is None else {"forward_level": forward_level})


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files."""
    n_replicas, data = REPLICAS[effort], {}
    titles = ("two quadratics", "linear regression, diabetes", "logistic regression, cancer")
    with house_style():
        figure = Figure(figsize=(PAGE, 2.6))
        axes = figure.subplots(1, 3)
        for panel, letter, title, (name, case) in zip(axes, "abc", titles, cases().items(), strict=True):
            found, forward_level = measure(case, n_replicas), stationary_move(case.maps)
            draw_panel(panel, case, found, forward_level)
            panel_title(panel, letter, title)
            data[name] = plotted(case, found, forward_level)
        axes[0].set_ylabel(r"increment $\|Z_{n+1}-Z_n\|$")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6)
        parameters = {"effort": effort, "replicas": n_replicas}
        return save_figure(figure, folder, "increments", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
