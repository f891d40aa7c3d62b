"""Three panels of a training experiment: the loss, how far neighbours are apart, and where the variance is.

Never one without the others: a backward loss curve is smooth because neighbours share their last batches, and that says
nothing of whether the network settles.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _common import save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder.networks.experiment import Experiment
from iterorder.networks.run import TrainingRun
from iterorder.networks.settings import Preset
from iterorder.plotting import COLUMN, ORDER_COLORS, PAGE, house_style, panel_title

#: Points of a curve that are drawn and kept: more are closer than a pixel.
MOST_POINTS = 700
CONTROL = {"forward": (0, (1, 1)), "backward": (0, (4, 1.5))}
SEED_OF_JITTER = 0


def figure_name(preset: Preset) -> str:
    """The stem of its files."""
    return f"network_{preset.name.replace('-', '_')}"


def thinned(count: int) -> np.ndarray:
    """Indices of at most so many points, spread evenly, the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int))


def numbers(found: Experiment) -> dict[str, np.ndarray]:
    """What is plotted."""
    data: dict[str, np.ndarray] = {}
    for name, run in found.runs.items():
        first = shown_from(name, found.preset)
        late = run.save_steps >= first
        _add_curve(data, name, run.save_steps[late], run.observables["loss"][0, 0, late])
        _add_moves(data, name, run, first)
    for name, run in found.controls.items():
        _add_moves(data, f"control_{name}", run)
    for name, baseline in found.baselines.items():
        _add_curve(data, name.replace(" ", "_"), baseline.save_steps, baseline.observables["loss"])
    for name, run in found.sequences.items():
        if not run.complete:
            continue  # a spread of those that happen to be done would be one of other steps
        within, between, interval = found.spread(name)
        data |= {f"within_{name}": within, f"between_{name}": np.array(between), f"between_interval_{name}": interval}
    return data


def shown_from(name: str, preset: Preset) -> int:
    """The first step of a curve that is drawn: up to its anchor an anchored run is the forward one."""
    return preset.run["anchor"] if name == "anchored" else 0


def _add_curve(data: dict[str, np.ndarray], name: str, steps: np.ndarray, values: np.ndarray) -> None:
    known = np.flatnonzero(np.isfinite(values))
    chosen = known[thinned(len(known))] if len(known) else known
    data |= {f"{name}_n": steps[chosen], f"{name}_loss": values[chosen]}


def _add_moves(data: dict[str, np.ndarray], name: str, run: TrainingRun, first: int = 0) -> None:
    moves = run.moves[0, 0]
    known = np.flatnonzero(np.isfinite(moves) & (run.save_steps >= max(1, first)))
    chosen = known[thinned(len(known))] if len(known) else known
    data |= {f"{name}_move_n": run.save_steps[chosen], f"{name}_move": moves[chosen]}


def draw_losses(axes: Axes, data: dict[str, np.ndarray], orders: list[str]) -> None:
    """Of all orders and baselines."""
    widths = {"forward": 0.5, "backward": 1.1, "anchored": 0.9}
    for name in orders:
        axes.plot(data[f"{name}_n"], data[f"{name}_loss"], color=ORDER_COLORS[name], linewidth=widths[name], label=name)
    if "tail_average_n" in data:
        axes.plot(
            data["tail_average_n"],
            data["tail_average_loss"],
            color=ORDER_COLORS["average"],
            linewidth=0.9,
            label="tail average",
        )
    if "linear_decay_n" in data:
        axes.plot(
            data["linear_decay_n"],
            data["linear_decay_loss"],
            ".",
            color=ORDER_COLORS["decay"],
            markersize=2.5,
            label="linear decay to $n$",
        )
    axes.set(
        yscale="log", xlabel="steps $n$", ylabel="test loss, without its start", **_without_the_beginning(data, orders)
    )
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="y", which="minor", labelsize=6)
    axes.legend(loc="upper right")


def _without_the_beginning(data: dict[str, np.ndarray], orders: list[str]) -> dict[str, tuple[float, float]]:
    """Limits of the losses: the first tenth of the steps would leave no room for the rest."""
    losses = np.concatenate([data[f"{name}_loss"] for name in orders])
    steps = np.concatenate([data[f"{name}_n"] for name in orders])
    if not steps.size or not steps.max():
        return {}
    late = losses[steps > steps.max() // 10]
    return {"ylim": (0.93 * late.min(), 1.3 * late.max()), "xlim": (0, 1.03 * float(steps.max()))}


def draw_moves(axes: Axes, data: dict[str, np.ndarray], orders: list[str]) -> None:
    """‖θ_(n+1) − θ_n‖, and those of the control, which settles."""
    for name in orders:
        if len(data[f"{name}_move_n"]):
            axes.plot(data[f"{name}_move_n"], data[f"{name}_move"], color=ORDER_COLORS[name], linewidth=0.5, label=name)
    for name, dashes in CONTROL.items():
        if f"control_{name}_move_n" in data:
            axes.plot(
                data[f"control_{name}_move_n"],
                data[f"control_{name}_move"],
                color=ORDER_COLORS[name],
                linestyle=dashes,
                linewidth=0.9,
                label=f"control, {name}",
            )
    axes.set(yscale="log", xlabel="steps $n$", ylabel=r"$\|\theta_{n+1}-\theta_n\|$, $\theta$ the weights")
    low, high = axes.get_ylim()
    axes.set_ylim(low * (low / high) ** 0.6, high)  # room for the legend, below what decays
    axes.legend(loc="lower left", labelspacing=0.25)


def draw_spreads(axes: Axes, data: dict[str, np.ndarray], orders: list[str]) -> None:
    """Within each sequence over n, and of the means between the sequences."""
    shown = [name for name in orders if f"within_{name}" in data]
    if not shown:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "not finished", ha="center", transform=axes.transAxes)
        return
    rng = np.random.default_rng(SEED_OF_JITTER)
    for place, name in enumerate(shown):
        within, color = data[f"within_{name}"], ORDER_COLORS[name]
        places = place - 0.15 + rng.uniform(-0.07, 0.07, len(within))
        axes.plot(places, within, ".", color=color, markersize=3, alpha=0.7)
        between, (low, high) = float(data[f"between_{name}"]), data[f"between_interval_{name}"]
        error = [[between - low], [high - between]]
        axes.errorbar(place + 0.15, between, error, fmt="D", color=color, markersize=4, capsize=2, linewidth=0.9)
    grey: dict[str, Any] = {"color": "0.4", "linestyle": "none"}
    axes.plot([], [], marker=".", markersize=3, label="over $n$, each sequence", **grey)
    axes.plot([], [], marker="D", markersize=4, label="of means; bar: 95 %", **grey)
    axes.set(xlabel="order", xlim=(-0.5, len(shown) - 0.5), ylabel="std of the test loss", xticks=range(len(shown)))
    axes.set_ylim(0.0, 1.3 * axes.get_ylim()[1])  # room for the legend
    axes.set_xticklabels(shown)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, 1.02))


def draw_experiment(found: Experiment, folder: str | Path) -> list[Path]:
    """Draw the three panels and return the files."""
    preset = found.preset
    parameters = {
        "preset": preset.name,
        "model": preset.model,
        "run": preset.run,
        "sequences": preset.sequences,
        "control": preset.control,
        "device": next(iter(found.runs.values())).device,
    }
    return draw_numbers(preset, numbers(found), parameters, folder)


def draw_numbers(
    preset: Preset, data: dict[str, np.ndarray], parameters: Mapping[str, object], folder: str | Path
) -> list[Path]:
    """The three panels from what is kept beside them."""
    orders = [name for name in ("forward", "backward", "anchored") if f"{name}_n" in data]
    settings = preset.model
    rate = settings["step_size"] if "step_size" in settings else settings["optimizer"]["lr"]
    system = f"batch {preset.run['batch_size']}, step size $h={rate:g}$"
    count = preset.sequences["count"]
    with house_style():
        figure = Figure(figsize=(PAGE, 0.82 * COLUMN))
        losses, moves, spreads = figure.subplots(1, 3, width_ratios=(1.1, 1.1, 1.0))
        draw_losses(losses, data, orders)
        panel_title(losses, "a", preset.title, system)
        draw_moves(moves, data, orders)
        controlled = any(name.startswith("control_") for name in data)
        control = "control: ridge softmax regression" if controlled else "the step maps contract on average"
        panel_title(moves, "b", "distance of neighbours", control)
        draw_spreads(spreads, data, orders)
        panel_title(spreads, "c", "where the variance is", f"{count} sequences, last third")
        return save_figure(
            figure, folder, figure_name(preset), parameters=parameters, seed=preset.run["seed"], data=data
        )
