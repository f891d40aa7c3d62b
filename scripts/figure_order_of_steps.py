"""What the order of steps changes: the Lie bracket of two of them (C11); reshuffled beside independent data (C12)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import LogisticRegressionSGD, QuadraticSGD, lie_bracket, simulate, theory
from iterorder.plotting import COLUMN, ORDER_COLORS, PAGE, house_style, panel_title

STEP_SIZES = np.geomspace(3e-3, 1.0, 11)
POINT = np.array([0.7, -0.4])
MINIMIZERS = np.array([-2.0, -1.0, 0.0, 0.5, 2.5])
SIMULATED = np.array([0.03, 0.1, 0.3, 0.9])
EPOCHS, SEED = 400, 0


def logistic(h: float) -> LogisticRegressionSGD:
    """Two points of the plane, one of each class."""
    return LogisticRegressionSGD([[1.0, 2.0], [-1.0, 0.5]], [1, -1], h, ridge=0.1)


def composed(h: float, items: tuple[int, ...]) -> np.ndarray:
    """T_i∘T_j∘… at the point, the first index outermost."""
    maps, x = logistic(h), POINT
    for i in reversed(items):
        x = maps.apply(x, i)
    return x


def differences() -> dict[str, np.ndarray]:
    """How far two orders of the same steps are apart, for each step size."""
    swapped = [composed(h, (0, 1)) - composed(h, (1, 0)) for h in STEP_SIZES]
    after = [d - h * h * lie_bracket(logistic(h), 0, 1, POINT) for d, h in zip(swapped, STEP_SIZES, strict=True)]
    mirrored = [composed(h, (0, 1, 1, 0)) - composed(h, (1, 0, 0, 1)) for h in STEP_SIZES]
    return {
        "step_sizes": STEP_SIZES,
        "swapped": np.linalg.norm(swapped, axis=1),
        "without_bracket": np.linalg.norm(after, axis=1),
        "palindromes": np.linalg.norm(mirrored, axis=1),
    }


def quadratics(h: float, sampling: str) -> QuadraticSGD:
    """Five losses of curvature one."""
    return QuadraticSGD(np.ones(len(MINIMIZERS)), MINIMIZERS, h, sampling=sampling)


def variances(effort: str) -> dict[str, np.ndarray]:
    """Stationary variance at epoch ends, by theory and simulated."""
    count, n = 40_000 if effort == "full" else 10_000, EPOCHS * len(MINIMIZERS)
    found: dict[str, np.ndarray] = {"simulated_step_sizes": SIMULATED}
    for sampling in ("iid", "reshuffle"):
        exact = []
        for h in STEP_SIZES:
            covariance = theory(quadratics(h, sampling)).covariance
            assert covariance is not None
            exact.append(covariance[0, 0])
        found[f"variance_{sampling}"] = np.array(exact)
        start = [MINIMIZERS.mean()]
        ends = [simulate(quadratics(h, sampling), start, n, n_replicas=count, seed=SEED).states for h in SIMULATED]
        squares = [(x - x.mean()) ** 2 for x in ends]
        found[f"simulated_{sampling}"] = np.array([square.mean() for square in squares])
        found[f"simulated_error_{sampling}"] = np.array([square.std() / np.sqrt(count) for square in squares])
    return found


def draw_brackets(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """Powers of the step size."""
    h = data["step_sizes"]
    for name, color, label in (
        ("swapped", ORDER_COLORS["backward"], "$T_1T_2-T_2T_1$"),
        ("without_bracket", ORDER_COLORS["forward"], "the same less $h^2$ × Lie bracket"),
        ("palindromes", ORDER_COLORS["anchored"], "$T_1T_2T_2T_1-T_2T_1T_1T_2$"),
    ):
        axes.loglog(h, data[name], "o-", ms=2.5, color=color, label=label)
    for power, value in ((2, 0.35 * data["swapped"][0]), (3, 0.25 * data["without_bracket"][0])):
        axes.loglog(h, value * (h / h[0]) ** power, "--", color=ORDER_COLORS["theory"], lw=0.8)
        axes.annotate(
            f"$h^{power}$", (h[-1], value * (h[-1] / h[0]) ** power), xytext=(4, -3), textcoords="offset points"
        )
    axes.set(xlabel="step size $h$", ylabel="distance of the two ends", xlim=(0.8 * h[0], 1.8 * h[-1]))
    axes.legend(loc="lower right", labelspacing=0.25)


def draw_variances(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """Both variances: lines are exact, markers simulated."""
    h = data["step_sizes"]
    for sampling, color, label in (
        ("iid", "forward", "independent draws"),
        ("reshuffle", "coupling", "reshuffled, at epoch ends"),
    ):
        axes.loglog(h, data[f"variance_{sampling}"], color=ORDER_COLORS[color], label=label)
        axes.errorbar(
            data["simulated_step_sizes"],
            data[f"simulated_{sampling}"],
            2.0 * data[f"simulated_error_{sampling}"],
            fmt="o",
            ms=3.5,
            mfc="none",
            color=ORDER_COLORS[color],
        )
    axes.set(xlabel="step size $h$", ylabel="stationary variance")
    axes.legend(loc="lower right")


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files."""
    data = differences() | variances(effort)
    with house_style():
        figure = Figure(figsize=(PAGE, 0.8 * COLUMN))
        brackets, spread = figure.subplots(1, 2)
        draw_brackets(brackets, data)
        panel_title(brackets, "a", "two orders of the same steps", "two maps $T_1$, $T_2$ of a logistic regression")
        draw_variances(spread, data)
        panel_title(spread, "b", "lines: exact; markers: simulated, ± 2 s.e.", "five quadratic losses of one curvature")
        parameters = {"effort": effort, "point": POINT, "minimizers": MINIMIZERS, "epochs": EPOCHS}
        return save_figure(figure, folder, "order_of_steps", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
