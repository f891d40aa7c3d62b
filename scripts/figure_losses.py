"""Losses of linear models: how far a residual pulls, and what law SGD with each of them has on data with outliers."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import LinearModelSGD, Loss, stationary_sample
from iterorder.maps.loss import RESIDUAL
from iterorder.maps.losses import LOSSES
from iterorder.plotting import COLUMN, PAGE, house_style, panel_title

STEP_SIZE, RIDGE, N_POINTS, SEED = 0.2, 0.02, 200, 0
#: Losses of the residual, by the names that the library knows: a new one is drawn without a line here.
NAMES = tuple(name for name in LOSSES if Loss.named(name).kind == RESIDUAL)
RESIDUALS = np.linspace(-3.0, 3.0, 401)
LINES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))


def location(name: str) -> LinearModelSGD:
    """The centre of 200 points, of which one in ten is an outlier far to the right."""
    rng = np.random.default_rng(SEED)
    points = rng.normal(size=N_POINTS)
    points[: N_POINTS // 10] += 12.0
    return LinearModelSGD(np.ones((N_POINTS, 1)), points, STEP_SIZE, loss=name, ridge=RIDGE)


def numbers(effort: str) -> dict[str, np.ndarray]:
    """Slopes, and exact samples of the stationary law."""
    count = 20_000 if effort == "full" else 4000
    found = {"residuals": RESIDUALS}
    for name in NAMES:
        found[f"slope_{name}"] = Loss.named(name).slopes(RESIDUALS, 0.0)
        found[f"law_{name}"] = np.sort(stationary_sample(location(name), count, seed=SEED).points[:, 0])
    return found


def draw_slopes(axes: Axes, data: dict[str, np.ndarray], colors) -> None:
    """Bounded ones bend away from the straight line of the squared loss."""
    for name, color, line in zip(NAMES, colors, cycle(LINES), strict=False):
        axes.plot(data["residuals"], data[f"slope_{name}"], color=color, ls=line, lw=1.5, label=name)
    axes.set(xlabel="residual $u$", ylabel="slope $\\ell'(u)$")
    axes.legend(loc="upper left")


def draw_laws(axes: Axes, data: dict[str, np.ndarray], colors) -> None:
    """Distribution functions of exact samples."""
    for name, color, line in zip(NAMES, colors, cycle(LINES), strict=False):
        points = data[f"law_{name}"]
        axes.plot(points, (np.arange(len(points)) + 0.5) / len(points), color=color, ls=line, lw=1.5)
    axes.set(xlabel="state $x$", ylabel="stationary distribution function")


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files."""
    data = numbers(effort)
    colors = colormaps["viridis"](np.linspace(0.0, 0.85, len(NAMES)))
    with house_style():
        figure = Figure(figsize=(PAGE, 0.8 * COLUMN))
        slopes, laws = figure.subplots(1, 2)
        draw_slopes(slopes, data, colors)
        panel_title(slopes, "a", "how far a residual pulls", "a step of size $h$ moves by $-h\\,\\ell'(u)$")
        draw_laws(laws, data, colors)
        panel_title(laws, "b", "a centre under outliers", "one point in ten is far to the right")
        parameters = {"effort": effort, "step_size": STEP_SIZE, "ridge": RIDGE, "n_points": N_POINTS}
        return save_figure(figure, folder, "losses", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
