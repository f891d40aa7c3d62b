"""Two laws of training on networks: what the last bit does (C17), and the equilibrium of normalised weights (C16)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder.networks import MLP, train
from iterorder.networks.data import ImageData, digits
from iterorder.networks.normalised import NormalisedMLP
from iterorder.plotting import COLUMN, ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report

SEED, BATCH = 1, 16
#: h·g is replaced by (h·k)·(g/k): the same number but for its last bit.
FACTORS = (1, 3, 5, 7, 9, 11)
BIT_STEP, BIT_STEPS = 0.5, {"quick": 2000, "full": 8000}
BIT_SAVES = 25
GRID = [(h, decay) for h in (0.1, 0.4, 1.6) for decay in (0.002, 0.01, 0.05)]
#: Runs of so many times 1/(hλ), from norms above and below those of the equilibrium.
LENGTH, START_NORMS = 4.0, {"above": 4.0, "below": 0.25}
PATHS = 4


class LastBit(MLP):
    """The same network, whose slopes are divided by k and whose step size is multiplied by it."""

    def __init__(self, images: ImageData, k: int) -> None:
        self.k = k
        how: dict[str, Any] = {
            "hidden": (32,),
            "step_size": BIT_STEP,
            "stacked": False,
        }  # array code, which `_forward` is a part of
        super().__init__(images.features, images.labels, test=images.test, **how)

    def _forward(self, state, items, step_noise=None, factors=()):
        x, inputs, slope = super()._forward(state, items, step_noise, factors)
        slope /= self.dtype.type(self.k)
        return x, inputs, slope

    def advance(self, state, items, k, factor=None, step_noise=None):
        """The step h·k on gradients over k."""
        return super().advance(state, items, k, self.k)

    def digest(self) -> str:
        """Of the network and the factor."""
        return f"{super().digest()} last bit {self.k}"


def last_bits(images: ImageData, n_steps: int, report: Report | None) -> dict[str, np.ndarray]:
    """In both orders, over n: the spread of θ over the factors, and over as many sequences of batches."""
    saves = np.unique(np.geomspace(1, n_steps, BIT_SAVES).astype(int))
    how: dict[str, Any] = {
        "batch_size": BATCH,
        "n_steps": n_steps,
        "save_steps": saves,
        "keep_states": True,
        "seed": SEED,
    }
    data: dict[str, np.ndarray] = {"bits_n": saves}
    for i, order in enumerate(("forward", "backward")):
        of_bits = [train(LastBit(images, k), order=order, **how).states for k in FACTORS]
        of_seeds = train(LastBit(images, 1), order=order, n_sequences=len(FACTORS), **how).states
        assert of_seeds is not None
        data[f"bits_{order}"] = spread(np.stack([found[0, 0] for found in of_bits if found is not None]))
        data[f"seeds_{order}"] = spread(of_seeds[0])
        if report is not None:
            report(0.3 * (i + 1))
    return data


def spread(states: np.ndarray) -> np.ndarray:
    """Root of the mean squared distance from the mean, of states (copies, saved, parameters)."""
    wide = states.astype(np.float64)
    return np.sqrt(((wide - wide.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0))


def equilibrium_time(images: ImageData, h: float, decay: float, start_norm: float) -> float:
    """Steps until the mean of ‖w‖⁴ has come within 1/e of its way to the mean of the last quarter."""
    model = NormalisedMLP(images.features, images.labels, hidden=32, step_size=h, weight_decay=decay)
    n_steps = round(LENGTH / (h * decay))
    saves = np.unique(np.linspace(0, n_steps, 1200).astype(int))
    scale = start_norm * reference_norm(images, h, decay)
    started = model.with_start_norm(scale)
    how: dict[str, Any] = {
        "batch_size": BATCH,
        "n_steps": n_steps,
        "save_steps": saves,
        "n_sequences": PATHS,
        "seed": SEED,
    }
    quartic = train(started, **how).observables["quartic"][0].mean(axis=0)
    end = quartic[-len(quartic) // 4 :].mean()
    inside = np.abs(quartic - end) <= math.exp(-1) * abs(quartic[0] - end)
    return float(saves[np.argmax(inside)])


def reference_norm(images: ImageData, h: float, decay: float) -> float:
    """The norm of the equilibrium, from a run of 1/(hλ) steps."""
    model = NormalisedMLP(images.features, images.labels, hidden=32, step_size=h, weight_decay=decay)
    n_steps = round(1.0 / (h * decay))
    found = train(model, batch_size=BATCH, n_steps=n_steps, n_sequences=PATHS, seed=SEED)
    return float(found.observables["quartic"].mean() ** 0.25)


def numbers(effort: str, report: Report | None = None) -> dict[str, np.ndarray]:
    """What is plotted."""
    images = digits()
    data = last_bits(images, BIT_STEPS[effort], report)
    data["inverse"] = np.array([1.0 / (h * decay) for h, decay in GRID])
    for name, norm in START_NORMS.items():
        data[f"time_{name}"] = np.array([equilibrium_time(images, h, decay, norm) for h, decay in GRID])
        if report is not None:
            report(0.8 if name == "above" else 1.0)
    return data


def draw_bits(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """Rounding beside the randomness of the batches."""
    for order in ("forward", "backward"):
        color = ORDER_COLORS[order]
        axes.plot(data["bits_n"], data[f"seeds_{order}"], color=color, label=f"{order}, over sequences")
        axes.plot(data["bits_n"], data[f"bits_{order}"], color=color, linestyle="--", label=f"{order}, over $k$")
    axes.set(xscale="log", yscale="log", xlabel="steps $n$", ylabel="spread of the weights")
    axes.legend(loc="center left", bbox_to_anchor=(0.0, 0.55))


def draw_times(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """Measured, beside the line of a gradient of constant size."""
    line = np.array([data["inverse"].min(), data["inverse"].max()])
    axes.plot(line, line / 4, color=ORDER_COLORS["theory"], linewidth=0.8, label="$1/(4h\\lambda)$")
    for name, marker, color in (("above", "v", ORDER_COLORS["coupling"]), ("below", "^", ORDER_COLORS["decay"])):
        axes.plot(data["inverse"], data[f"time_{name}"], marker, color=color, markersize=4, label=f"norm from {name}")
    axes.set(xscale="log", yscale="log", xlabel="$1/(h\\lambda)$", ylabel="steps to equilibrium, up to $1/e$")
    axes.legend(loc="upper left", title=f"means of {PATHS} paths", title_fontsize=7)


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    parameters = {"effort": effort, "factors": FACTORS, "batch_size": BATCH, "grid": GRID}
    return draw_numbers(numbers(effort, report), parameters, folder)


def draw_numbers(data: dict[str, np.ndarray], parameters: Mapping[str, object], folder: str | Path) -> list[Path]:
    """Both panels."""
    with house_style():
        figure = Figure(figsize=(PAGE, 0.8 * COLUMN))
        bits, times = figure.subplots(1, 2)
        draw_bits(bits, data)
        panel_title(
            bits,
            "a",
            "steps $h\\,g$ computed as $(hk)\\cdot(g/k)$",
            f"$k=1,3,\\ldots,11$; MLP 64-32-10, $h={BIT_STEP}$",
        )
        draw_times(times, data)
        panel_title(times, "b", "norms of normalised weights", "nine pairs of step size $h$ and decay $\\lambda$")
        return save_figure(figure, folder, "network_restrained", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
