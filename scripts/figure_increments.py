"""Increments along one path: backward ones fall like exp(γn), forward ones do not fall (claims C2 and C3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import described, few_features_logistic, main, number, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import LinearRegressionSGD, QuadraticSGD, simulate
from iterorder.datasets import diabetes
from iterorder.maps.descent import SGDMaps
from iterorder.orders import BACKWARD, FORWARD, Order
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.theory import Theory, theory

SEED = 41
REPLICAS = {"quick": 400, "full": 2000}
SHOWN = 4
EPS = float(np.finfo(np.float64).eps)
# Two losses of unequal curvature: γ = ½(log .85 + log .55), and the paths spread about it like a random walk.
CURVATURES, MINIMIZERS, STEP_SIZE = (0.5, 1.5), (0.0, 1.0), 0.3


@dataclass(frozen=True, eq=False)
class Case:
    """A system, the steps at which its increments are looked at, and those between which the slope is measured."""

    maps: SGDMaps
    x0: np.ndarray
    steps: np.ndarray
    slope_steps: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Increments:
    """Increments (replica, step) of both orders, the slope of the backward ones, and what theory says.

    Attributes
    ----------
    rounding : float
        Half a last digit of the states: increments below it are not seen.
    slope, slope_error : float
        Of the logarithm of the backward increments per step.
    exponent : float
        γ, which the slope should be.
    level : float
        Logarithm of the line of slope γ at n = 0, laid through the medians: theory does not give it.
    forward_level : float or None
        √(E_π E‖T(x)−x‖²), which the root mean square of the forward increments should be (C3).
    """

    forward: np.ndarray
    backward: np.ndarray
    rounding: float
    slope: float
    slope_error: float
    exponent: float
    level: float
    forward_level: float | None


def closed_form_case() -> Case:
    """Two quadratics of unequal curvature, from the middle of their minimisers."""
    maps = QuadraticSGD(np.array(CURVATURES), np.array(MINIMIZERS), STEP_SIZE)
    return Case(maps, np.array([0.5]), np.arange(91), (0, 50))


def cases() -> dict[str, Case]:
    """Closed form, linear regression and logistic regression; each over about thirteen decades."""
    features, targets = diabetes()
    linear = LinearRegressionSGD(features, targets, 0.05, ridge=0.1)
    logistic = few_features_logistic()
    return {
        "quadratic": closed_form_case(),
        "linear": Case(linear, np.zeros(linear.dim), np.arange(0, 6601, 100), (1500, 3000)),
        "logistic": Case(logistic, np.zeros(logistic.dim), np.arange(0, 2641, 40), (840, 1400)),
    }


def increments(case: Case, order: Order, n_replicas: int) -> tuple[np.ndarray, float]:
    """‖Z_(n+1) − Z_n‖ at the steps of a case, shape (n_replicas, n_steps), and the size of the last states."""
    saves = np.union1d(case.steps, case.steps + 1)
    run = simulate(case.maps, case.x0, int(saves[-1]), order=order, n_replicas=n_replicas, seed=SEED, save_steps=saves)
    at = np.searchsorted(saves, case.steps)
    moves = np.linalg.norm(run.states[:, at + 1] - run.states[:, at], axis=2)
    return moves, float(np.linalg.norm(run.states[:, -1], axis=1).mean())


def stationary_move(law: Theory) -> float | None:
    """√(E_π E‖T(x)−x‖²) of affine maps drawn singly (C3), from the stationary mean and covariance; None for others."""
    maps = law.maps
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


def measure(case: Case, n_replicas: int) -> Increments:
    """Both orders, and the end-point slope of the logarithms of the backward increments over all replicas."""
    forward, _ = increments(case, FORWARD, n_replicas)
    backward, size = increments(case, BACKWARD, n_replicas)
    rounding = EPS * size
    between = np.searchsorted(case.steps, case.slope_steps)
    ends = backward[:, between]
    if ends.min() < 16 * rounding:  # its logarithm would be off by more than 1/16
        raise ValueError(f"an increment is {ends.min():g} before step {case.slope_steps[1]}: rounding spoils the slope")
    slopes = np.diff(np.log(ends), axis=1)[:, 0] / np.diff(case.slope_steps)
    law = theory(case.maps)
    exponent = number(law.lyapunov_exponent)
    inside = slice(between[0], between[1] + 1)
    level = float((np.log(np.median(backward[:, inside], axis=0)) - exponent * case.steps[inside]).mean())
    return Increments(
        forward=forward,
        backward=backward,
        rounding=rounding,
        slope=float(slopes.mean()),
        slope_error=float(slopes.std(ddof=1) / np.sqrt(n_replicas)),
        exponent=exponent,
        level=level,
        forward_level=stationary_move(law),
    )


def averages(found: Increments) -> dict[str, np.ndarray]:
    """Over the replicas: root mean square of forward, as in C3; median of backward, as means follow the largest."""
    return {FORWARD: np.sqrt((found.forward**2).mean(axis=0)), BACKWARD: np.median(found.backward, axis=0)}


def short_form(value: float, error: float) -> str:
    """A number with the error of its last digit in brackets: −0.0055(1)."""
    digits = max(0, -int(np.floor(np.log10(error))))
    return f"{value:.{digits}f}({error * 10**digits:.0f})"


def draw_panel(axes: Axes, case: Case, found: Increments) -> None:
    """Paths of both orders, their averages, and the theory."""
    color, n = ORDER_COLORS, case.steps
    labels = {FORWARD: "forward, root mean square", BACKWARD: "backward, median"}
    for order, average in averages(found).items():
        axes.plot(n, getattr(found, order)[:SHOWN].T, color=color[order], lw=0.5, alpha=0.6)
        axes.plot(n, average, color=color[order], lw=1.8, label=labels[order])
    axes.plot([], [], color="0.4", lw=0.5, label=f"{SHOWN} single paths")
    line = np.exp(found.level + found.exponent * n)
    axes.plot(
        n, line, color=color["theory"], lw=0.9, ls="--", label=r"$\propto e^{\gamma n}$, $\gamma$ Lyapunov exponent"
    )
    if found.forward_level is not None:
        axes.axhline(
            found.forward_level,
            color=color["theory"],
            lw=0.9,
            ls=":",
            label=r"$(E\|T(x)-x\|^2)^{1/2}$ for $x\sim\pi$, exact",
        )
    axes.axhline(found.rounding, color=color["floor"], lw=0.9, label="rounding")
    text = f"$\\gamma={found.exponent:.4g}$\nslope ${short_form(found.slope, found.slope_error)}$"
    axes.text(0.97, 0.75, text, transform=axes.transAxes, fontsize=7, linespacing=1.4, ha="right", va="top")
    axes.set(yscale="log", xlabel="steps $n$", xlim=(0, n[-1]), ylim=(2e-18, 3))


def plotted(case: Case, found: Increments) -> dict[str, object]:
    """The numbers of one panel."""
    numbers: dict[str, object] = {"n": case.steps, "slope_steps": case.slope_steps}
    for order, average in averages(found).items():
        numbers[order] = {"paths": getattr(found, order)[:SHOWN], "average": average}
    names = ("rounding", "slope", "slope_error", "exponent", "level", "forward_level")
    return numbers | {name: getattr(found, name) for name in names}


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files."""
    n_replicas, data = REPLICAS[effort], {}
    titles = (
        ("backward falls, forward does not", f"curvatures 1/2 and 3/2, $h={STEP_SIZE}$"),
        ("so too in linear regression", "diabetes data"),
        ("and in logistic regression", "breast cancer data, 5 features"),
    )
    parameters: dict[str, object] = {"effort": effort, "replicas": n_replicas}
    with house_style():
        figure = Figure(figsize=(PAGE, 3.0))
        axes = figure.subplots(1, 3, sharey=True)
        for panel, letter, title, (name, case) in zip(axes, "abc", titles, cases().items(), strict=True):
            found = measure(case, n_replicas)
            draw_panel(panel, case, found)
            panel_title(panel, letter, *title)
            data[name] = plotted(case, found)
            parameters[name] = described(case.maps) | {"x0": case.x0[0]}
        axes[0].set_ylabel(r"$\|X_{n+1}-X_n\|$ and $\|Z_{n+1}-Z_n\|$")
        handles, labels = axes[0].get_legend_handles_labels()
        slope = "slope: of the logarithm of backward increments, the standard error of its last digit in brackets"
        figure.legend(handles, labels, loc="outside lower center", ncols=3, title=slope, title_fontsize=7)
        return save_figure(figure, folder, "increments", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
