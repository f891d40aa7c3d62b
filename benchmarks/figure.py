"""The figure of a benchmark report."""

from __future__ import annotations

import numpy as np
from measure import LIBRARY

from iterorder.plotting import house_style, panel_title, save_figure


def draw(report: dict, folder: str = "figures") -> None:
    """Speeds beside the peers, the grid of replicas and dimensions, backward ratios, and time and memory over steps."""
    import matplotlib.pyplot as plt

    with house_style():
        figure, axes = plt.subplots(2, 2, figsize=(10, 7.6), layout="constrained")
        _forward(axes[0, 0], report["forward"])
        _grid(figure, axes[0, 1], report["scaling"]["grid"])
        _backward(axes[1, 0], report["backward"])
        _lengths(axes[1, 1], report["scaling"]["lengths"])
        parameters = {key: report[key] for key in ("machine", "rounds", "packages")}
        data = {
            "forward": {r["work"]: {name: s["median"] for name, s in r["speeds"].items()} for r in report["forward"]},
            "backward": {r["work"]: r["ratios"] for r in report["backward"]},
            "grid": report["scaling"]["grid"],
            "lengths": _columns(report["scaling"]["lengths"]),
        }
        save_figure(figure, folder, "benchmark", parameters=parameters, seed=0, data=data)
        plt.close(figure)


def _columns(rows: list[dict]) -> dict[str, list]:
    return {key: [row[key] for row in rows] for key in rows[0]}


def _forward(axes, rows: list[dict]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row["speeds"]))
    places = np.arange(len(rows))[::-1]
    for k, name in enumerate(names):
        have = [
            (p, row["speeds"][name]["median"]) for p, row in zip(places, rows, strict=True) if name in row["speeds"]
        ]
        where, speeds = zip(*have, strict=True)
        height = 0.8 / len(names)
        axes.barh(np.array(where) + 0.4 - (k + 0.5) * height, speeds, height, label=name)
    axes.set(yticks=places, yticklabels=[row["work"] for row in rows], xscale="log", xlabel="10⁹ maps per second")
    axes.legend(fontsize="small")
    panel_title(axes, "a", "forward iterates beside the peers")


def _grid(figure, axes, grid: dict) -> None:
    time = np.array(grid["nanoseconds"]) / np.array(grid["dimensions"])[:, None]
    image = axes.imshow(np.log10(time), aspect="auto", origin="lower", cmap="viridis_r")
    axes.set(
        xticks=range(len(grid["replicas"])),
        xticklabels=grid["replicas"],
        yticks=range(len(grid["dimensions"])),
        yticklabels=grid["dimensions"],
        xlabel="replicas",
        ylabel="dimension",
    )
    middle = np.log10(time).mean()
    for i, row in enumerate(time):
        for j, value in enumerate(row):
            color = "black" if np.log10(value) < middle else "white"
            axes.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=6, color=color)
    figure.colorbar(image, ax=axes, label="log₁₀ (ns per map and dimension)")
    panel_title(axes, "b", "linear regression: time over replicas and dimension")


def _backward(axes, rows: list[dict]) -> None:
    peers = list(dict.fromkeys(peer for row in rows for peer in row["ratios"]))
    places = np.arange(len(rows))[::-1]
    for k, peer in enumerate(peers):
        have = [(p, row["ratios"][peer]) for p, row in zip(places, rows, strict=True) if peer in row["ratios"]]
        where = np.array([p for p, _ in have]) + 0.25 - 0.25 * k
        medians = np.array([ratio["median"] for _, ratio in have])
        ends = [medians - [ratio["low"] for _, ratio in have], [ratio["high"] for _, ratio in have] - medians]
        axes.errorbar(medians, where, xerr=ends, fmt="o", markersize=4, label=peer)
    labels = [row["work"].removeprefix("backward, ") for row in rows]
    axes.axvline(1.0, color="0.6", linewidth=0.8)
    axes.set(yticks=places, yticklabels=labels, xscale="log", xlabel=f"speed of {LIBRARY} in units of …")
    axes.legend(fontsize="small", loc="lower right")
    panel_title(axes, "c", "all backward iterates Z₁ … Z₂₀₀₀")


def _lengths(axes, rows: list[dict]) -> None:
    for threads in sorted({row["threads"] for row in rows}):
        mine = [row for row in rows if row["threads"] == threads]
        axes.plot([r["steps"] for r in mine], [r["seconds"] for r in mine], "o-", label=f"seconds, threads: {threads}")
    mine = [row for row in rows if row["threads"] == max(r["threads"] for r in rows)]
    axes.plot(
        [r["steps"] for r in mine], [r["peak_megabytes"] for r in mine], "s--", color="0.5", label="peak memory: MB"
    )
    axes.set(xscale="log", yscale="log", xlabel="steps", ylabel="seconds, or MB")
    axes.legend(fontsize="small")
    panel_title(axes, "d", "10⁴ replicas, d = 10")
