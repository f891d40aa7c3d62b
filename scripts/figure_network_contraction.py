"""Do the maps of training contract? Lyapunov exponents over step size and weight decay, of a network and a control."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from iterorder.networks import MLP, lyapunov_exponent
from iterorder.networks.data import digits
from iterorder.plotting import COLUMN, PAGE, house_style, panel_title
from iterorder.progress import Report

STEP_SIZES, DECAYS = (0.02, 0.1, 0.5), (0.0, 1e-3, 1e-2, 3e-2)
BATCH, SEED = 16, 1
STEPS = {"quick": 2000, "full": 20_000}
REPLICAS = {"quick": 8, "full": 16}
SYSTEMS = {"network": (32,), "control": ()}
TITLES = {"network": "MLP 64-32-10", "control": "ridge softmax regression"}
#: Below this a colour is that of zero.
SMALLEST = 1e-4


def numbers(effort: str, report: Report | None = None) -> dict[str, np.ndarray]:
    """Exponents (step size, decay) of both systems with the ends of their intervals."""
    images, done = digits(), 0
    found: dict[str, np.ndarray] = {}
    shape = (len(STEP_SIZES), len(DECAYS))
    for name, hidden in SYSTEMS.items():
        table = np.empty((3, *shape))
        for i, h in enumerate(STEP_SIZES):
            for j, decay in enumerate(DECAYS):
                model = MLP(
                    images.features, images.labels, hidden=hidden, step_size=h, weight_decay=decay, dtype="float64"
                )
                rate = lyapunov_exponent(model, STEPS[effort], batch_size=BATCH, n_replicas=REPLICAS[effort], seed=SEED)
                table[:, i, j] = rate.value, rate.low, rate.high
                done += 1
                if report is not None:
                    report(done / (len(SYSTEMS) * len(STEP_SIZES) * len(DECAYS)))
        found |= {name: table[0], f"{name}_low": table[1], f"{name}_high": table[2]}
    return found


def draw_grid(axes: Axes, data: dict[str, np.ndarray], name: str, norm: SymLogNorm):
    """Each cell with its exponent and half the width of its interval, in thousandths a step."""
    values = data[name]
    image = axes.imshow(values, norm=norm, cmap="RdBu_r", aspect="auto")
    half = (data[f"{name}_high"] - data[f"{name}_low"]) / 2
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            strong = abs(norm(values[i, j]) - 0.5) > 0.33
            # Two digits of the half width, and the value to as many.
            digits = max(0, 1 - math.floor(math.log10(1e3 * half[i, j])))
            text = f"{1e3 * values[i, j]:.{digits}f}\n±{1e3 * half[i, j]:.{digits}f}".replace("-", "−")
            axes.text(j, i, text, ha="center", va="center", fontsize=6.5, color="white" if strong else "black")
    axes.set(xlabel="weight decay", ylabel="step size $h$", xticks=range(len(DECAYS)), yticks=range(len(STEP_SIZES)))
    axes.set_xticklabels([f"{decay:g}" for decay in DECAYS])
    axes.set_yticklabels([f"{h:g}" for h in STEP_SIZES])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    return image


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    parameters = {
        "effort": effort,
        "step_sizes": STEP_SIZES,
        "weight_decays": DECAYS,
        "batch_size": BATCH,
        "n_steps": STEPS[effort],
        "n_replicas": REPLICAS[effort],
    }
    return draw_numbers(numbers(effort, report), parameters, folder)


def draw_numbers(data: dict[str, np.ndarray], parameters: Mapping[str, object], folder: str | Path) -> list[Path]:
    """Both grids on one scale of colours."""
    top = max(np.abs(data[name]).max() for name in SYSTEMS)
    norm = SymLogNorm(SMALLEST, vmin=-top, vmax=top)
    with house_style():
        figure = Figure(figsize=(PAGE, 0.78 * COLUMN))
        panels = figure.subplots(1, 2)
        for axes, letter, name in zip(panels, "ab", SYSTEMS, strict=True):
            image = draw_grid(axes, data, name, norm)
            # Without decay there are directions that no map contracts: adding a constant to the weights of all classes.
            high = data[f"{name}_high"][:, np.array(DECAYS) > 0]
            what = f"with decay {(high < 0).sum()} of {high.size} intervals below zero"
            panel_title(axes, letter, TITLES[name], what)
        bar = figure.colorbar(image, ax=panels, pad=0.015, aspect=25)
        bar.set_label("Lyapunov exponent a step")
        figure.supxlabel("numbers: the exponent in $10^{-3}$ a step, ± half of its 95 % interval", fontsize=7)
        return save_figure(figure, folder, "network_contraction", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
