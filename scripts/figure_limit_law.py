"""The law of the backward limit: backward iterates after many steps are draws from the stationary law (claim C4).

(a) The distribution functions of the uniform and of the Cantor law, the devil's staircase, over the exact ones, and
(b) how far they are apart; (c) Sierpinski's triangle, (d) Barnsley's fern. Every replica is one backward path run to
its limit; black is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, LogNorm
from matplotlib.figure import Figure

from iterorder import AffineMaps, gallery, simulate
from iterorder.maps import RandomMaps
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
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
        Where the distribution functions are compared; a power of three for the Cantor law, whose gaps then fall on
        whole bins.
    color : str
        Of the empirical one: two shades of the backward order.
    cdf : callable
    curve : tuple of ndarray
        Corners of the distribution function as it is drawn.
    """

    name: str
    title: str
    maps: RandomMaps
    bins: int
    color: str
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
            name="uniform",
            title="$h=1/2$: uniform",
            maps=uniform,
            bins=200,
            color=ORDER_COLORS["backward"],
            cdf=lambda x: np.clip(x, 0, 1),
            curve=(corners, corners),
        ),
        LineLaw(
            name="cantor",
            title="$h=2/3$: Cantor",
            maps=cantor,
            bins=3**CANTOR_LEVEL,
            color="#7A3300",
            cdf=cantor_cdf,
            curve=staircase(STAIRCASE_LEVEL),
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
            view=(-3.5, 3.7, -0.5, 12.4),
            ticks=(0, 2, 4, 6, 8, 10),
            varies=True,
        ),
    )


def backward_limits(maps: RandomMaps, steps: int, replicas: int, first_replica: int = 0) -> np.ndarray:
    """One limit a replica, shape (replicas, dim), from the origin; other replicas make independent samples."""
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


@dataclass(frozen=True, eq=False)
class Compared:
    """Limits of a law on the line beside its distribution function."""

    law: LineLaw
    edges: np.ndarray
    counts: np.ndarray
    kolmogorov_distance: float

    @property
    def empirical(self) -> np.ndarray:
        """The share of limits up to each edge."""
        return np.concatenate([[0.0], np.cumsum(self.counts) / self.counts.sum()])

    def as_data(self) -> dict[str, object]:
        """What is drawn, by name."""
        return {
            "edges": self.edges,
            "counts": self.counts,
            "kolmogorov_distance": self.kolmogorov_distance,
            "band": dkw_band(int(self.counts.sum())),
        }


def compared(law: LineLaw, sample: np.ndarray) -> Compared:
    """Limits counted between edges, and the distance of their distribution function over all points."""
    counts, edges = np.histogram(sample, bins=law.bins, range=(0.0, 1.0))
    return Compared(law, edges, counts, kolmogorov_distance(sample, law.cdf))


def draw_functions(axes: Axes, lines: list[Compared]) -> None:
    """Distribution functions of the limits, wide, under the exact ones."""
    for line in lines:
        axes.plot(line.edges, line.empirical, color=line.law.color, linewidth=2.6, label=line.law.title)
        axes.plot(*line.law.curve, color=ORDER_COLORS["theory"], linewidth=0.7)
    axes.plot([], [], color=ORDER_COLORS["theory"], linewidth=0.7, label="exact")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.6), xticks=[0.0, 0.5, 1.0], yticks=[0.0, 0.5, 1.0])
    axes.set(xlabel="$x$", ylabel="$F(x)=P(Z_n\\leq x)$")
    axes.legend(loc="upper left", labelspacing=0.2, borderaxespad=0.0)


def draw_errors(axes: Axes, lines: list[Compared]) -> None:
    """How far they are apart, with the band that holds all of it with probability 99 %."""
    band = dkw_band(int(lines[0].counts.sum()))
    for line in lines:
        error = line.empirical - line.law.cdf(line.edges)
        axes.plot(line.edges, 1e3 * error, color=line.law.color, linewidth=0.8)
    for side in (-band, band):
        axes.axhline(1e3 * side, color=ORDER_COLORS["theory"], linewidth=0.7, linestyle="--")
    axes.text(0.5, 1e3 * 1.1 * band, "99 % band", ha="center", va="bottom", fontsize=7)
    axes.set(xlim=(-0.02, 1.02), ylim=(-1.3e3 * band, 1.9e3 * band), xticks=[0.0, 0.5, 1.0])
    axes.set(xlabel="$x$", ylabel="$10^3\\,(F_R-F)$")


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
    digits = 5 if exact < 1 else 3
    text = "\n".join(
        [
            rf"$\mathrm{{tr\,Cov}}\,Z_n={squares.mean():.{digits}f}\pm{error:.{digits}f}$ (s.e.)",
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
        figure = Figure(figsize=(PAGE, 3.0))
        grid = figure.add_gridspec(2, 3, width_ratios=[1.3, 1.25, 0.95])
        # All systems read the same bits: other replicas make their samples independent.
        first = iter(range(0, 4 * replicas, replicas))
        limits = [
            compared(line, backward_limits(line.maps, STEPS["line"], replicas, next(first))[:, 0]) for line in lines
        ]
        data |= {line.law.name: line.as_data() for line in limits}
        functions, errors = (figure.add_subplot(grid[row, 0]) for row in (0, 1))
        draw_functions(functions, limits)
        panel_title(functions, "a", "two-point SGD, step size $h$")
        draw_errors(errors, limits)
        panel_title(errors, "b", f"$F_R$ of $R={replicas}$ limits, less $F$")
        for column, plane in enumerate(planes):
            axes = figure.add_subplot(grid[:, column + 1])
            sample = backward_limits(plane.maps, STEPS["plane"], replicas, next(first))
            data[plane.name] = draw_plane(axes, plane, sample)
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
