"""Clouds of replicas over time, in four orders: one law at every step, four ways to move in it.

With independent draws the four clouds have the same law at each n. Replicas of the forward and of the sliding cloud
keep moving inside it; those of the backward cloud, and of the anchored one after its anchor, come to rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import factorial, prod
from pathlib import Path

import numpy as np
from _common import cancer_logistic, described, main, principal_direction, save_figure
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from iterorder import Window, gallery, simulate
from iterorder.maps.descent import SGDMaps
from iterorder.orders import BACKWARD, FORWARD, Order
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, order_color, panel_title
from iterorder.progress import Report

SEED = 11
# The stationary law of x → (1−h)x + hB is a sum of three uniforms for (1−h)³ = ½ (theory.md, exact law 3).
STEP_SIZE = 1 - 2 ** (-1 / 3)
# Replicas of the clouds, and of the histograms at the last step.
CLOUD = 60
HISTOGRAM = {"two_point": {"quick": 100_000, "full": 400_000}, "logistic": {"quick": 40_000, "full": 100_000}}
HIGHLIGHTED = 2
# Lines that coincide are drawn into each other, widest first, so that every order stays visible.
NESTED_WIDTHS = {"forward": 3.4, "backward": 2.4, "sliding": 1.4, "anchored": 0.6}


@dataclass(frozen=True, eq=False)
class Case:
    """A system and how it is watched."""

    maps: SGDMaps
    x0: np.ndarray
    steps: np.ndarray
    window: int
    anchor: int
    bins: int
    direction: np.ndarray
    coordinate: str

    @property
    def orders(self) -> dict[str, Order]:
        """The four orders by their names."""
        return {
            "forward": FORWARD,
            "backward": BACKWARD,
            "sliding": Window(self.window),
            "anchored": Window(start=self.anchor),
        }

    def cloud(self, order: Order, n_replicas: int, steps: np.ndarray) -> np.ndarray:
        """The watched coordinate of all replicas, shape (n_replicas, n_steps)."""
        last = int(steps[-1])
        run = simulate(self.maps, self.x0, last, order=order, n_replicas=n_replicas, seed=SEED, save_steps=steps)
        return run.states @ self.direction


def two_point_case() -> Case:
    """The two-point quadratic from the end of its interval."""
    maps = gallery.two_point_quadratic(STEP_SIZE)
    return Case(maps, np.ones(1), np.arange(61), window=15, anchor=30, bins=50, direction=np.ones(1), coordinate="$x$")


def logistic_case() -> Case:
    """Logistic regression from zero, along the direction of largest stationary variance."""
    maps = cancer_logistic()
    x0 = np.zeros(maps.dim)
    # Other noise than the figure's: the direction must not be chosen by the points that are shown.
    pilot = simulate(maps, x0, 6000, n_replicas=1000, seed=SEED + 1).states[:, 0]
    steps = np.arange(0, 8001, 100)
    direction = principal_direction(pilot)
    return Case(maps, x0, steps, window=2000, anchor=4000, bins=40, direction=direction, coordinate="$u\\cdot x$")


def two_point_density(x: np.ndarray, h: float = STEP_SIZE) -> np.ndarray:
    """Density of ½ plus three independent uniforms on ±h(1−h)^j, j < 3, by differences of powers."""
    halves = h * (1 - h) ** np.arange(3)
    signs = [np.array(choice) for choice in product((-1, 1), repeat=3)]
    terms = [prod(sign) * np.maximum(x - 0.5 + sign @ halves, 0) ** 2 for sign in signs]
    return np.sum(terms, axis=0) / (factorial(2) * np.prod(2 * halves))


def draw_cloud(axes: Axes, steps: np.ndarray, cloud: np.ndarray, order: Order) -> None:
    """All replicas as grey dots, two of them as paths, one of these darker."""
    n = np.broadcast_to(steps, cloud.shape)
    # Whole pixels: smoothed edges of so many dots would double the size of the file.
    axes.scatter(n, cloud, s=0.7, marker="s", lw=0, color="0.62", antialiased=False, rasterized=True)
    color = np.array(to_rgb(order_color(order)))
    for path, shade in zip(cloud[:HIGHLIGHTED], (color, 0.45 * color), strict=True):
        axes.plot(steps, path, color=tuple(shade), lw=0.9)
    axes.set(xlim=(steps[0], steps[-1]), xticks=steps[[0, len(steps) // 2, -1]])


def as_printed(cloud: np.ndarray) -> np.ndarray:
    """Rounded to a thousandth of the range, finer than a pixel: more digits would double the sidecar."""
    return np.round(cloud, 3 - int(np.floor(np.log10(np.ptp(cloud)))))


def mark_window(axes: Axes, step: int, text: str) -> None:
    """A dotted line at the step where an order changes its ways."""
    axes.axvline(step, color=ORDER_COLORS["theory"], lw=0.6, ls=":")
    axes.text(step, 1.0, f" {text}", transform=axes.get_xaxis_transform(), va="top", fontsize=7)


def draw_row(axes: np.ndarray, case: Case, n_histogram: int) -> dict[str, object]:
    """Four clouds and the histograms of their last step; returns what was plotted."""
    clouds = {name: case.cloud(order, CLOUD, case.steps) for name, order in case.orders.items()}
    last = {name: case.cloud(order, n_histogram, case.steps[-1:])[:, 0] for name, order in case.orders.items()}
    # From the least to the largest of all: nothing is cut.
    edges = np.linspace(min(x.min() for x in last.values()), max(x.max() for x in last.values()), case.bins + 1)
    densities = {name: np.histogram(x, edges, density=True)[0] for name, x in last.items()}
    for panel, (name, order) in zip(axes, case.orders.items(), strict=False):
        draw_cloud(panel, case.steps, clouds[name], order)
        how = {"color": ORDER_COLORS[name], "lw": NESTED_WIDTHS[name], "baseline": None, "joinstyle": "round"}
        axes[-1].stairs(densities[name], edges, orientation="horizontal", **how)
        panel.set_xlabel("steps $n$")
    low, high = edges[0], max(edges[-1], *(cloud.max() for cloud in clouds.values()))
    axes[0].set_ylim(min(low, *(cloud.min() for cloud in clouds.values())), high + 0.14 * (high - low))  # for the words
    mark_window(axes[2], case.window, f"window {case.window}")
    mark_window(axes[3], case.anchor, f"anchor {case.anchor}")
    axes[-1].set(xticks=[0], xlim=(0, None), xlabel=f"density of {case.coordinate}\nat $n={case.steps[-1]}$")
    return {
        "n": case.steps,
        "clouds": {name: as_printed(cloud) for name, cloud in clouds.items()},
        "density_edges": edges,
        "density": densities,
    }


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    cases = {"two_point": two_point_case(), "logistic": logistic_case()}
    data: dict[str, object] = {}
    parameters: dict[str, object] = {"effort": effort, "cloud": CLOUD}
    with house_style():
        figure = Figure(figsize=(PAGE, 3.8))
        axes = figure.subplots(2, 5, sharey="row", gridspec_kw={"width_ratios": [3, 3, 3, 3, 2]})
        for done, (row, (name, case)) in enumerate(zip(axes, cases.items(), strict=True), 1):
            n_histogram = HISTOGRAM[name][effort]
            data[name] = draw_row(row, case, n_histogram)
            parameters[name] = described(case.maps) | {
                "x0": case.x0[0],
                "window_width": case.window,
                "window_start": case.anchor,
                "histogram": n_histogram,
            }
            if report is not None:
                report(done / len(cases))
        x = np.linspace(0, 1, 101)
        axes[0, -1].plot(two_point_density(x), x, color=ORDER_COLORS["theory"], lw=0.8, ls="--")
        data["two_point_theory"] = {"x": x, "density": two_point_density(x)}
        axes[0, 0].set_yticks([0.0, 0.5, 1.0])
        axes[0, 0].set_ylabel("two quadratics\nstate $x$")
        axes[1, 0].set_ylabel("logistic regression\nbreast cancer, $u\\cdot x$")
        figure.supxlabel(
            "two paths of each cloud in colour; $u$: the direction of largest variance; dashes: the exact density",
            fontsize=7,
        )
        titles = ("forward: moves on", "backward: rests", "sliding: moves on", "anchored: rests", "one law")
        for panel, letter, text in zip(axes[0], "abcde", titles, strict=True):
            panel_title(panel, letter, text)
        return save_figure(figure, folder, "clouds", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
