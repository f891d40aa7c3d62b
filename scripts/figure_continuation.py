"""Laws over a parameter: two steps of SGD, a density that gets a second mode, and a memory of where paths came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from iterorder import CustomMaps, continuation, gallery
from iterorder.laws.continued import Continuation
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report, part

SEED = 3
REPLICAS = {"quick": 2000, "full": 20_000}
#: Euler steps of ẋ = ax − x³ with noise, and gradient steps in x⁴/4 − x²/2 − sx with less.
TIME_STEP, NOISE = 0.05, 0.05
STEP_SIZE, KICK = 0.1, 0.01
#: Where the deterministic wells disappear: s² = 4/27.
FOLD = 2.0 / (3.0 * 3.0**0.5)


def _pitchfork(x, draw, params, out):
    out[0] = x[0] + params[1] * (params[0] * x[0] - x[0] * x[0] * x[0]) + params[2] * draw[0]


def _tilted(x, draw, params, out):
    out[0] = x[0] - params[1] * (x[0] * x[0] * x[0] - x[0] - params[0]) + params[2] * draw[0]


def pitchfork(a: float) -> CustomMaps:
    """ẋ = ax − x³ with noise."""
    return CustomMaps(_pitchfork, dim=1, noise="normal", params=(a, TIME_STEP, NOISE))


def tilted(s: float) -> CustomMaps:
    """Noisy gradient steps in two wells, tilted by s."""
    return CustomMaps(_tilted, dim=1, noise="normal", params=(s, STEP_SIZE, KICK))


def followed(n_replicas: int, report: Report | None) -> dict[str, Continuation]:
    """The laws of the three panels."""
    rising = np.linspace(-0.6, 0.6, 49)
    how: dict[str, Any] = {"n_replicas": n_replicas, "seed": SEED}
    return {
        "two_point": continuation(
            gallery.two_point_quadratic,
            np.linspace(0.04, 1.96, 97),
            x0=[0.5],
            n_steps=1000,
            progress=part(report, 0.0, 0.4),
            **how,
        ),
        "pitchfork": continuation(
            pitchfork, np.linspace(-1.0, 1.0, 41), x0=[0.0], n_steps=2000, progress=part(report, 0.4, 0.7), **how
        ),
        "tilted": continuation(
            tilted,
            np.concatenate([rising, rising[::-1]]),
            x0=[-1.0],
            n_steps=500,
            progress=part(report, 0.7, 1.0),
            **how,
        ),
    }


def draw_panels(axes: np.ndarray, found: dict[str, Continuation]) -> None:
    """The three diagrams, without the legends that each has by itself."""
    shown: dict[str, dict[str, Any]] = {
        "two_point": {"bins": 200, "limits": (-1.0, 2.0)},
        "pitchfork": {"bins": 90},
        "tilted": {"bins": 120},
    }
    for ax, (name, laws) in zip(axes, found.items(), strict=True):
        laws.plot(ax, **shown[name])
        ax.get_legend().remove()
        ax.set_ylabel("state $x$")
    for band in list(axes[0].patches):  # a fractal law has as many modes as a sample shows
        band.remove()
    panel_title(axes[0], "a", "two points, shades: density", "SGD on $x^2/2$ and $(x-1)^2/2$")
    panel_title(axes[1], "b", "a second mode is sure", "$\\dot x = ax - x^3$ with noise")
    panel_title(axes[2], "c", "up and down: wells are kept", "descent in $x^4/4 - x^2/2 - sx$")
    axes[0].set_xlabel("step size $h$")
    axes[1].set_xlabel("$a$")
    axes[2].set_xlabel("tilt $s$")
    axes[2].set_ylim(-1.3, 2.3)  # room for the words
    for fold in (-FOLD, FOLD):
        axes[2].axvline(fold, ymax=0.68, color="0.3", lw=0.8, ls=":")
    _legends(axes)


def _legends(axes: np.ndarray) -> None:
    mean = Line2D([], [], color=ORDER_COLORS["forward"], lw=1.2, label="mean")
    quantiles = Line2D([], [], color=ORDER_COLORS["forward"], lw=0.7, ls="--", label="5 % and 95 %")
    band = Patch(color=ORDER_COLORS["coupling"], alpha=0.25, lw=0.0, label="modes change")
    ways = [
        Line2D([], [], color=ORDER_COLORS[order], lw=1.2, label=label)
        for order, label in (("forward", "$s$ rising"), ("backward", "$s$ falling"))
    ]
    folds = Line2D([], [], color="0.3", lw=0.8, ls=":", label="folds")
    _legend(axes[0], [mean, quantiles])
    _legend(axes[1], [mean, quantiles, band])
    _legend(axes[2], [*ways, folds])


def _legend(ax: Axes, handles: list[Any]) -> None:
    how: dict[str, Any] = {"handlelength": 1.5, "borderaxespad": 0.2}
    ax.legend(handles=handles, loc="upper left", **how)


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    found = followed(REPLICAS[effort], report)
    with house_style():
        figure = Figure(figsize=(PAGE, 2.6))
        axes = figure.subplots(1, 3)
        draw_panels(axes, found)
        parameters = {
            "effort": effort,
            "n_replicas": REPLICAS[effort],
            "n_steps": {name: laws.n_steps for name, laws in found.items()},
            "pitchfork": {"time_step": TIME_STEP, "noise": NOISE},
            "tilted": {"step_size": STEP_SIZE, "noise": KICK, "folds": FOLD},
        }
        data = {
            name: {
                "parameter": laws.values,
                "quantiles": laws.quantiles[:, :, 0],
                "probabilities": laws.probabilities,
                "sure_modes": laws.sure_modes[:, 0],
            }
            for name, laws in found.items()
        }
        return save_figure(figure, folder, "continuation", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
