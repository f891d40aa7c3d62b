"""The figure of a benchmark report: dots with what the rounds spread over, as speeds have no zero to start from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from measure import LIBRARY

from iterorder.plotting import PAGE, house_style, panel_title, save_figure

#: Where it goes unless it is to be committed: scripts/update_readme.py gives figures/.
REPORTS = Path(__file__).resolve().parents[1] / "reports" / "figures"
#: Marker and place in the colour map of each peer; the library is black.
PEERS = {
    "C limit": ("|", 0.0),
    "C, same bits": ("s", 0.25),
    "JAX tuned": ("^", 0.5),
    "JAX plain": ("v", 0.65),
    "NumPy": ("x", 0.85),
    "compiled loop": ("o", 0.0),
    "own kernels, each n": ("^", 0.45),
    "exact sweep": ("s", 0.8),
}


def numbers(report: dict) -> dict[str, object]:
    """What is plotted: medians with the least and the largest of the rounds."""
    return {
        "forward": {row["work"]: row["speeds"] for row in report["forward"]},
        "backward": {row["work"].removeprefix("backward, "): row["ratios"] for row in report["backward"]},
        "grid": report["scaling"]["grid"],
        "lengths": {key: [row[key] for row in report["scaling"]["lengths"]] for key in report["scaling"]["lengths"][0]},
    }


def draw(report: dict, folder: str | Path = REPORTS) -> list[Path]:
    """Speeds beside the peers, the grid of replicas and dimensions, backward ratios, and time and memory over steps."""
    parameters = {key: report[key] for key in ("machine", "rounds", "packages")}
    data = numbers(report)
    with house_style():
        figure = figure_of(data, report["rounds"])
        return save_figure(figure, folder, "benchmark", parameters=parameters, seed=0, data=data)


def figure_of(data: Mapping, rounds: int) -> Figure:
    """The five panels, from what is kept beside them; inside the house style."""
    figure = Figure(figsize=(PAGE, 8.8))
    # Apart, so that the long names of systems above take no room below.
    top, bottom = np.ravel(np.asarray(figure.subfigures(2, 1, height_ratios=[1.35, 1.0])))
    forward, backward = top.subplots(2, 1, height_ratios=[1.0, 1.1])
    _forward(forward, data["forward"])
    panel_title(forward, "a", f"forward iterates beside the peers; bars: least to largest of {rounds} rounds")
    _backward(backward, data["backward"])
    panel_title(backward, "b", "all backward iterates $Z_1,\\ldots,Z_{2000}$; bars as in (a)")
    grid = bottom.add_gridspec(2, 2, width_ratios=[1.9, 1.0])
    table, seconds, memory = (bottom.add_subplot(place) for place in (grid[:, 0], grid[0, 1], grid[1, 1]))
    _grid(table, data["grid"])
    panel_title(table, "c", "linear regression: time over replicas and dimension")
    _lengths(seconds, data["lengths"], "seconds", "seconds")
    panel_title(seconds, "d", "$10^4$ replicas, $d=10$: time")
    seconds.legend(title="threads", title_fontsize=7, loc="upper left")
    _lengths(memory, data["lengths"], "peak_megabytes", "peak memory, MB")
    panel_title(memory, "e", "the same: memory")
    memory.set(yscale="linear", ylim=(0.0, 1.4 * max(data["lengths"]["peak_megabytes"])))
    return figure


def _dots(axes: Axes, rows: Mapping[str, Mapping[str, Mapping[str, float]]], names: list[str]) -> None:
    """Medians of each row with the range of the rounds, one marker a name, a little apart."""
    places = dict(zip(rows, np.arange(len(rows))[::-1], strict=True))
    for k, name in enumerate(names):
        have = [(places[work], values[name]) for work, values in rows.items() if name in values]
        shift = 0.5 * (0.5 - (k + 0.5) / len(names))
        middle = np.array([spread["median"] for _, spread in have])
        ends = np.array([[v["median"] - v["low"] for _, v in have], [v["high"] - v["median"] for _, v in have]])
        marker, shade = PEERS.get(name, ("o", None))
        color = "black" if shade is None else colormaps["viridis"](shade)
        how: dict[str, Any] = {"fmt": marker, "ms": 4.5, "mew": 1.0, "elinewidth": 0.9, "color": color}
        heights = np.array([place for place, _ in have]) + shift
        axes.errorbar(middle, heights, xerr=np.maximum(ends, 0.0), label=name, **how)  # the median may be an end
    axes.set(yticks=list(places.values()), yticklabels=list(places), xscale="log", ylabel="system")
    axes.grid(axis="x", color="0.9", lw=0.6)
    axes.set_axisbelow(True)


def _forward(axes: Axes, rows: Mapping) -> None:
    names = [name for name in (*PEERS, LIBRARY) if any(name in speeds for speeds in rows.values())]
    _dots(axes, rows, names)
    axes.set(xlabel="$10^9$ maps per second")
    axes.legend(loc="lower right")


def _backward(axes: Axes, rows: Mapping) -> None:
    names = [name for name in PEERS if any(name in ratios for ratios in rows.values())]
    _dots(axes, rows, names)
    axes.axvline(1.0, color="0.4", linewidth=0.8)
    axes.set(xlabel=f"speed of {LIBRARY} over that of each peer")
    axes.legend(loc="lower right")


def _grid(axes: Axes, grid: Mapping) -> None:
    """Nanoseconds a map and dimension, with their numbers."""
    time = np.array(grid["nanoseconds"]) / np.array(grid["dimensions"])[:, None]
    image = axes.imshow(time, aspect="auto", origin="lower", cmap="viridis_r", norm=LogNorm())
    axes.set(xticks=range(len(grid["replicas"])), yticks=range(len(grid["dimensions"])))
    axes.set_xticklabels(grid["replicas"])
    axes.set_yticklabels(grid["dimensions"])
    axes.set(xlabel="replicas", ylabel="dimension $d$")
    middle = np.log10(time).mean()
    for i, row in enumerate(time):
        for j, value in enumerate(row):
            color = "black" if np.log10(value) < middle else "white"
            axes.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=6, color=color)
    axes.figure.colorbar(image, ax=axes, label="ns per map and dimension")


def _lengths(axes: Axes, lengths: Mapping, quantity: str, label: str) -> None:
    """One quantity over steps, a line for each number of threads."""
    threads, steps, values = (np.array(lengths[key]) for key in ("threads", "steps", quantity))
    for count, color, marker in zip(sorted(set(threads.tolist())), ("black", "0.55", "0.75"), "os^", strict=False):
        mine = threads == count
        axes.plot(steps[mine], values[mine], marker=marker, ms=3.5, color=color, label=f"{count}")
    axes.set(xscale="log", yscale="log", xlabel="steps", ylabel=label)
