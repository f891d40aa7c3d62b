"""The law of the backward limit: backward iterates after many steps are draws from the stationary law (claim C4).

(a) uniform, (b) Cantor with the devil's staircase, (c) Sierpinski's triangle, (d) Barnsley's fern. Every replica is one
backward path run to its limit; the histograms are over replicas, the black curves are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import main
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, LogNorm
from matplotlib.figure import Figure

from iterorder import AffineMaps, gallery, simulate
from iterorder.maps import RandomMaps
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title, save_figure
from iterorder.theory import theory

SEED = 31
REPLICAS = {"quick": 300_000, "full": 3_000_000}
#: The maps contract by at most 2/3 (fern: .86) a step, so that what is left of the start is below rounding.
STEPS = {"line": 80, "plane": 260}
#: Of the band that the empirical distribution function leaves with this probability (Dvoretzky, Kiefer, Wolfowitz).
BAND_LEVEL = 1e-2
CANTOR_LEVEL = 5
STAIRCASE_LEVEL = 8

# One hue, light to dark, so that density also reads in grey: the colour of the backward order in the middle.
DENSITY = LinearSegmentedColormap.from_list("backward", ["#FCE6D8", ORDER_COLORS["backward"], "#4A1E00"])


@dataclass(frozen=True)
class LineLaw:
    """A law on [0, 1] with its distribution function.

    Attributes
    ----------
    name, title : str
    maps : RandomMaps
    bins : int
        Of the histogram; a power of three for the Cantor law, whose gaps then fall on whole bins.
    cdf : callable
    curve : tuple of ndarray
        Corners of the distribution function as it is drawn.
    """

    name: str
    title: str
    maps: RandomMaps
    bins: int
    cdf: Callable[[np.ndarray], np.ndarray]
    curve: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class PlaneLaw:
    """A law on the plane, counted on `shape` (columns, rows) cells over `extent`.

    `view` are the limits of the axes and `ticks` those of the vertical one; `varies`: the density is not constant.
    """

    name: str
    title: str
    maps: AffineMaps
    shape: tuple[int, int]
    extent: tuple[float, float, float, float]
    view: tuple[float, float, float, float]
    ticks: tuple[float, ...]
    varies: bool


def cantor_cdf(x) -> np.ndarray:
    """The devil's staircase: binary digits from the ternary digits of x, up to the first digit 1.

    Examples
    --------
    >>> cantor_cdf([0.0, 1 / 4, 1 / 2, 1.0]).round(9).tolist()
    [0.0, 0.333333333, 0.5, 1.0]
    """
    rest = np.clip(np.asarray(x, np.float64), 0.0, 1.0)
    value, weight, open_ = np.zeros_like(rest), 0.5, np.ones(rest.shape, bool)
    for _ in range(40):  # 3⁻⁴⁰ is far below the spacing of floats at 1
        rest = 3.0 * rest
        digit = np.minimum(np.floor(rest), 2.0)
        value += np.where(open_ & (digit > 0), weight, 0.0)
        open_ &= digit != 1.0
        rest, weight = rest - digit, weight / 2.0
    return value + np.where(open_, 2.0 * weight, 0.0) * (rest >= 1.0)


def staircase(level: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the staircase: the ends of the 2^level intervals of that level."""
    left = np.zeros(1)
    for k in range(level):
        left = np.concatenate([left, left + 2.0 * 3.0 ** -(k + 1)])
    left = np.sort(left)
    x = np.stack([left, left + 3.0**-level], axis=1).ravel()
    heights = np.arange(2**level + 1) / 2**level
    return x, np.repeat(heights, 2)[1:-1]


def line_laws() -> tuple[LineLaw, LineLaw]:
    """The two-point quadratic at the step sizes whose stationary laws are the uniform and the Cantor law."""
    corners = np.array([0.0, 1.0])
    uniform = gallery.two_point_quadratic(1 / 2)
    cantor = gallery.two_point_quadratic(2 / 3)
    return (
        LineLaw(
            "uniform", "two-point SGD, $h=1/2$: uniform", uniform, 50, lambda x: np.clip(x, 0, 1), (corners, corners)
        ),
        LineLaw(
            "cantor", "two-point SGD, $h=2/3$: Cantor", cantor, 3**CANTOR_LEVEL, cantor_cdf, staircase(STAIRCASE_LEVEL)
        ),
    )


def plane_laws() -> tuple[PlaneLaw, PlaneLaw]:
    """The triangle on a grid that its triangles of side 2⁻⁷ fit, and the fern on square cells."""
    height = np.sqrt(0.75)
    return (
        PlaneLaw(
            name="sierpinski",
            title="Sierpinski triangle",
            maps=gallery.sierpinski(),
            shape=(256, 128),
            extent=(0.0, 1.0, 0.0, height),
            view=(-0.02, 1.02, -0.06, 1.1),
            ticks=(0.0, 0.25, 0.5, 0.75),
            varies=False,
        ),
        PlaneLaw(
            name="fern",
            title="Barnsley fern",
            maps=gallery.barnsley_fern(),
            shape=(150, 300),
            extent=(-2.4, 2.8, -0.2, 10.2),
            view=(-2.6, 2.9, -0.2, 12.4),
            ticks=(0, 2, 4, 6, 8, 10),
            varies=True,
        ),
    )


def backward_limits(maps: RandomMaps, steps: int, replicas: int, first_replica: int = 0) -> np.ndarray:
    """One limit a replica, shape (replicas, dim), from the origin."""
    run = simulate(
        maps,
        np.zeros(maps.dim),
        steps,
        order="backward",
        n_replicas=replicas,
        seed=SEED,
        first_replica=first_replica,
    )
    return run.states[:, -1]


def kolmogorov_distance(sample: np.ndarray, cdf: Callable[[np.ndarray], np.ndarray]) -> float:
    """Sup |F_R − F| of a sample and a continuous distribution function."""
    values = cdf(np.sort(sample))
    ranks = np.arange(len(sample) + 1) / len(sample)
    return float(max((ranks[1:] - values).max(), (values - ranks[:-1]).max()))


def dkw_band(replicas: int, level: float = BAND_LEVEL) -> float:
    """The sup |F_R − F| that is exceeded with probability at most `level` (Massart's constant)."""
    return float(np.sqrt(np.log(2.0 / level) / (2.0 * replicas)))


def deviation_ellipse(mean, covariance, points: int = 121) -> np.ndarray:
    """The points one standard deviation from the mean, shape (points, 2)."""
    angle = np.linspace(0.0, 2.0 * np.pi, points)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(mean) + circle @ np.linalg.cholesky(covariance).T


def draw_line(axes: Axes, law: LineLaw, sample: np.ndarray) -> dict[str, object]:
    """Histogram of the limits (left axis) under the exact distribution function (right axis)."""
    replicas = len(sample)
    counts, edges = np.histogram(sample, bins=law.bins, range=(0.0, 1.0))
    density = counts * law.bins / replicas
    distance, band = kolmogorov_distance(sample, law.cdf), dkw_band(replicas)
    # The tops of the histogram and of the distribution function share a height, and the text stands above both.
    headroom = 1.3
    axes.stairs(density, edges, fill=True, color=ORDER_COLORS["backward"], alpha=0.6, linewidth=0)
    axes.set(xlim=(-0.02, 1.02), ylim=(0.0, headroom * density.max()), xticks=[0.0, 0.5, 1.0])
    axes.set_ylabel("density of $Z_n$", color=ORDER_COLORS["backward"])
    right = axes.twinx()
    right.plot(*law.curve, color=ORDER_COLORS["theory"], linewidth=1.0)
    right.set(ylim=(0.0, headroom), yticks=[0.0, 0.5, 1.0], ylabel=r"exact $F(x)$")
    right.spines["right"].set_visible(True)
    text = rf"$\sup|F_R-F|={distance:.4f}$; 99% band: ${band:.4f}$"
    axes.text(0.5, 1.0, text, transform=axes.transAxes, ha="center", va="top", fontsize=6)
    return {"edges": edges, "counts": counts, "kolmogorov_distance": distance, "band": band}


def draw_plane(axes: Axes, law: PlaneLaw, sample: np.ndarray) -> dict[str, object]:
    """Counts of the limits on a grid, darker where there are more, with the exact ellipse of the stationary law."""
    left, right, bottom, top = law.extent
    ranges = np.array([[left, right], [bottom, top]])
    counts, _, _ = np.histogram2d(sample[:, 0], sample[:, 1], bins=list(law.shape), range=ranges)
    cell = (right - left) * (top - bottom) / (law.shape[0] * law.shape[1])
    density = np.where(counts > 0, counts, np.nan).T / (len(sample) * cell)
    if law.varies:
        colours: dict[str, object] = {"cmap": DENSITY, "norm": LogNorm()}
    else:
        colours = {"cmap": ListedColormap([ORDER_COLORS["backward"]])}
    image = axes.imshow(density, origin="lower", extent=law.extent, interpolation="nearest", **colours)  # type: ignore[arg-type]
    if law.varies:
        axes.figure.colorbar(image, ax=axes, fraction=0.06, pad=0.03).set_label("density of $Z_n$", labelpad=1)
    moments = theory(law.maps)
    assert moments.mean is not None
    assert moments.covariance is not None
    axes.plot(*deviation_ellipse(moments.mean, moments.covariance).T, color=ORDER_COLORS["theory"], linewidth=0.9)
    axes.plot(*moments.mean, "+", color=ORDER_COLORS["theory"], markersize=5)
    squares = ((sample - sample.mean(axis=0)) ** 2).sum(axis=1)
    error, exact = squares.std() / np.sqrt(len(sample)), float(np.trace(moments.covariance))
    digits = 4 if exact < 1 else 2
    text = "\n".join(
        [
            rf"$\mathrm{{tr\,Cov}}\,Z_n={squares.mean():.{digits}f}\pm{error:.{digits}f}$",
            f"exact: ${exact:.{digits}f}$",
            "ellipse: exact, 1 s.d.",
        ]
    )
    axes.text(0.03, 0.99, text, transform=axes.transAxes, va="top", fontsize=6.5)
    # The box keeps its size, so that all panels align; the room above is for the text.
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.set_xlim(law.view[:2], auto=True)
    axes.set_ylim(law.view[2:], auto=True)
    axes.set_yticks(law.ticks)
    occupied = np.flatnonzero(counts)
    return {
        "extent": law.extent,
        "cells": law.shape,
        "occupied": occupied,
        "counts": counts.ravel()[occupied].astype(int),
        "mean": sample.mean(axis=0),
        "covariance": np.cov(sample.T),
        "exact_mean": moments.mean,
        "exact_covariance": moments.covariance,
        "covariance_trace_and_error": [squares.mean(), error],
    }


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files."""
    replicas = REPLICAS[effort]
    lines, planes = line_laws(), plane_laws()
    data: dict[str, object] = {}
    with house_style():
        figure = Figure(figsize=(PAGE, 2.7))
        grid = figure.add_gridspec(2, 3, width_ratios=[1.3, 1.25, 0.95])
        for row, line in enumerate(lines):
            axes = figure.add_subplot(grid[row, 0])
            # The two systems read the same bits: other replicas make the two samples independent.
            sample = backward_limits(line.maps, STEPS["line"], replicas, row * replicas)[:, 0]
            data[line.name] = draw_line(axes, line, sample)
            panel_title(axes, "ab"[row], line.title)
        axes.set_xlabel("$x$")
        for column, plane in enumerate(planes):
            axes = figure.add_subplot(grid[:, column + 1])
            data[plane.name] = draw_plane(axes, plane, backward_limits(plane.maps, STEPS["plane"], replicas))
            panel_title(axes, "cd"[column], plane.title)
        parameters = {
            "effort": effort,
            "order": "backward",
            "x0": "origin",
            "n_replicas": replicas,
            "n_steps": STEPS,
            "band_level": BAND_LEVEL,
        }
        return save_figure(figure, folder, "limit_law", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
