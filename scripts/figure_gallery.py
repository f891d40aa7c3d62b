"""The gallery: for each system one path in both orders, its stationary law, and two starts under the same maps.

One figure a system, gallery_NAME; docs/gallery.md shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import main, number, save_figure
from _gallery import SEED, System, systems
from figure_increments import short_form
from figure_limit_law import DENSITY, deviation_ellipse
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from iterorder import simulate
from iterorder.convergence import CouplingDistance, Rate, coupling_distance, fit_rate
from iterorder.orders import BACKWARD, FORWARD
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report
from iterorder.theory import theory

SAMPLES = {"quick": 50_000, "full": 500_000}
COUPLED = {"quick": 2000, "full": 20_000}
#: Of the paths: one whose limits are not at an end of the laws.
PATH_SEED = 7
#: Of a row of panels in inches, and of one with a plane, which shows no more than its height allows.
HEIGHT, TALL = 2.05, 2.6
#: Rounding of states of order one, below which a distance is not drawn.
SMALLEST = 1e-16
CELLS = 220


@dataclass(frozen=True, eq=False)
class Measured:
    """What is drawn: a path in both orders, a sample of the law, and two starts under the same maps."""

    paths: dict[str, np.ndarray]
    points: np.ndarray
    made: str
    coupling: CouplingDistance
    fit: Rate | None


def measure(system: System, effort: str) -> Measured:
    """Everything that a figure shows."""
    maps = system.maps
    paths = {
        order: simulate(
            maps, np.array(system.x0), system.path_steps, order=order, seed=PATH_SEED, save_steps="all"
        ).states[0]
        for order in (FORWARD, BACKWARD)
    }
    points, made = system.sample(maps, SAMPLES[effort])
    coupling = coupling_distance(
        maps,
        np.array(system.x0),
        np.array(system.y0),
        system.steps,
        order=BACKWARD,
        n_replicas=COUPLED[effort],
        seed=SEED + 1,
        p=1,
        save_steps=np.arange(0, system.steps + 1, max(1, system.steps // 1000)),
    )
    return Measured(paths, points, made, coupling, _fit(system, coupling))


def _fit(system: System, coupling: CouplingDistance) -> Rate | None:
    """A rate, where distances decay exponentially and a mean of products can be trusted for some steps."""
    if system.name in ("reflected_walk", "cyclic_walk", "gaussian_regression"):
        return None
    return fit_rate(coupling)


def draw_paths(axes: Axes, system: System, measured: Measured) -> dict[str, object]:
    """The same maps, composed forward and backward."""
    data = {}
    for order, states in measured.paths.items():
        # Along the direction of the largest spread where there are many.
        values = states[:, 0] if system.directions is None else states @ system.directions[0]
        # Orders that agree, as maps that commute have them, are drawn side by side.
        shift = {"forward": 0.06, "backward": -0.06}[order] if system.lattice else 0.0
        axes.plot(values + shift, lw=0.8, color=ORDER_COLORS[order], label=order)
        if system.lattice:
            axes.lines[-1].set_drawstyle("steps-post")
        data[order] = values
    low, high = axes.get_ylim()
    axes.set(xlabel="steps $n$", xlim=(0, system.path_steps), ylim=(low, high + 0.25 * (high - low)))
    state = "state (drawn apart)" if system.lattice else "state"
    axes.set_ylabel({1: state, 2: "$x_1$"}.get(len(system.x0), "along $v_1$, of largest variance"))
    axes.legend(loc="upper right", ncols=2, borderaxespad=0.1, columnspacing=1.0, handlelength=1.4)
    return data


def draw_line_law(axes: Axes, system: System, points: np.ndarray) -> dict[str, object]:
    """A histogram, and the exact law of the same bins."""
    edges = np.asarray(system.edges)
    counts, _ = np.histogram(points[:, 0], bins=edges)
    widths = np.ones(len(counts)) if system.lattice else np.diff(edges)
    density = counts / (len(points) * widths)
    axes.stairs(density, edges, fill=True, color=ORDER_COLORS["backward"], alpha=0.6, lw=0)
    data: dict[str, object] = {"edges": edges, "counts": counts}
    if system.cdf is not None:
        exact = np.diff(system.cdf(edges)) / widths
        axes.stairs(exact, edges, color=ORDER_COLORS["theory"], lw=0.8, baseline=None, label="exact")
        data["exact"] = exact
        axes.legend(loc="upper right", borderaxespad=0.1, handlelength=1.4)
    axes.set_ylabel("probability" if system.lattice else "density")
    axes.set(xlabel="$x$", ylim=(0, 1.2 * density.max()), xlim=(edges[0], edges[-1]))
    return data


def draw_plane_law(axes: Axes, system: System, points: np.ndarray) -> dict[str, object]:
    """Counts on a grid, and the exact ellipse of one standard deviation."""
    plane = np.asarray(system.directions)
    seen, known = points @ plane.T, theory(system.maps)
    mean, covariance = plane @ np.asarray(known.mean), plane @ np.asarray(known.covariance) @ plane.T
    # Square cells over all points: a plane has one unit.
    low, high = seen.min(axis=0), seen.max(axis=0)
    side = (high - low).max() / (CELLS if system.fractal else CELLS // 3)
    cells = [max(1, int(np.ceil(width / side))) for width in high - low]
    high = low + side * np.array(cells)
    counts, x, y = np.histogram2d(seen[:, 0], seen[:, 1], bins=cells, range=[[low[0], high[0]], [low[1], high[1]]])
    image = np.where(counts > 0, counts, np.nan).T
    axes.imshow(
        image,
        origin="lower",
        extent=(x[0], x[-1], y[0], y[-1]),
        cmap=DENSITY,
        norm=LogNorm(),
        interpolation="nearest",
    )
    axes.plot(*deviation_ellipse(mean, covariance).T, color=ORDER_COLORS["theory"], lw=0.9)
    axes.plot(*mean, "+", color=ORDER_COLORS["theory"], ms=4)
    names = ("$x_1$", "$x_2$") if system.fractal else ("along $v_1$", "along $v_2$")
    axes.set(xlabel=names[0], ylabel=names[1])
    border = 0.04 * (high - low)
    axes.set_xlim(low[0] - border[0], high[0] + border[0], auto=True)
    axes.set_ylim(low[1] - border[1], high[1] + border[1], auto=True)
    # The panel keeps its size beside the others; what is left of it stays empty.
    axes.set_aspect("equal", adjustable="datalim")
    occupied = np.flatnonzero(counts)
    return {
        "extent": [x[0], x[-1], y[0], y[-1]],
        "cells": cells,
        "occupied": occupied,
        "counts": counts.ravel()[occupied].astype(int),
        "mean": seen.mean(axis=0),
        "covariance": np.cov(seen.T),
        "exact_mean": mean,
        "exact_covariance": covariance,
    }


def draw_tail(axes: Axes, system: System, points: np.ndarray) -> dict[str, object]:
    """P(|x| > t) on logarithmic axes, with the power of the tail index."""
    sizes = np.sort(np.abs(points[:, 0]))
    share = 1.0 - np.arange(len(sizes)) / len(sizes)
    t = np.geomspace(0.1, sizes[-20], 40)
    tail = share[np.searchsorted(sizes, t)]
    kappa = number(theory(system.maps).tail_index)
    middle = len(t) * 2 // 3
    error = 2.0 * np.sqrt(tail * (1.0 - tail) / len(sizes))
    axes.errorbar(t, tail, error, fmt="o", ms=2.2, elinewidth=0.7, color=ORDER_COLORS["backward"], label="± 2 s.e.")
    line = tail[middle] * (t / t[middle]) ** -kappa
    seen = line < 1.0
    axes.loglog(
        t[seen], line[seen], "--", color=ORDER_COLORS["theory"], lw=0.9, label=rf"$t^{{-\kappa}}$, $\kappa={kappa:.3f}$"
    )
    axes.set(xscale="log", yscale="log", xlabel="$t$", ylabel="$P(|x|>t)$")
    axes.legend(loc="upper right", borderaxespad=0.1, handlelength=1.8)
    return {"t": t, "share": tail, "kappa": kappa}


def draw_coupling(axes: Axes, system: System, measured: Measured) -> dict[str, object]:
    """The distance of two starts: quantiles over the replicas, its mean, and what is known of it."""
    coupling, color = measured.coupling, ORDER_COLORS
    n, per_replica = coupling.steps, coupling.per_replica
    low, median, high = np.quantile(per_replica, [0.05, 0.5, 0.95], axis=0)
    shown = np.maximum(np.stack([low, median, high]), SMALLEST)
    axes.fill_between(n, shown[0], shown[2], color=color["coupling"], alpha=0.2, lw=0)
    alive = median > SMALLEST
    axes.plot(n[alive], median[alive], color=color["coupling"], lw=2.0, label="median; shaded: 90 %")
    data = {"steps": n, "low": low, "median": median, "high": high, "mean": coupling.distance}
    if system.exponent is not None:
        # The exponent says nothing about the level: the line passes through the middle of the median.
        middle = int(alive.sum()) // 2
        typical = median[middle] * np.exp(system.exponent * (n - n[middle]))
        label = rf"Lyapunov $e^{{\gamma n}}$, $\gamma={system.exponent:.3g}$"
        axes.plot(n, typical, "--", color=color["theory"], lw=0.9, label=label)
    if system.mean is not None:
        # Beyond its fit the mean of products is not to be trusted.
        trusted = n <= (n[-1] if measured.fit is None else measured.fit.last)
        axes.plot(n[trusted], coupling.distance[trusted], color=color["floor"], lw=1.4, label="mean")
        data["known_mean"] = system.mean(n)
        axes.plot(n, data["known_mean"], ":", color=color["theory"], lw=1.1, label=system.mean_label)
    axes.set(yscale="log", xlabel="steps $n$", xlim=(0, n[-1]))
    axes.set_ylabel("distance of two starts")
    if system.name == "reflected_walk":
        axes.set(xscale="log", xlim=(1, n[-1]), ylim=(1e-5, 2))
    elif system.name == "cyclic_walk":
        axes.set(ylim=(0.1, 60))
    else:
        # Room for the legend.
        axes.set(ylim=(SMALLEST, 1e12 * median[0]), yticks=10.0 ** np.arange(-16, 1, 4))
    # Below a slow decay, above a fast one.
    low = system.name == "reflected_walk"
    axes.legend(loc=3 if low else 1, borderaxespad=0.0, labelspacing=0.25, handlelength=1.6, handletextpad=0.5)
    return data


def rate_text(fit: Rate) -> str:
    """The rate, with its standard error in the last digits where that is to be seen."""
    if fit.standard_error < 5e-6:
        return f"{fit.rate:.4g}".replace("-", "−")
    return short_form(fit.rate, fit.standard_error).replace("-", "−")


def draw_system(system: System, measured: Measured, effort: str, folder: str | Path) -> list[Path]:
    """The figure of one system."""
    law = draw_plane_law if system.directions is not None else draw_tail if system.edges is None else draw_line_law
    with house_style():
        figure = Figure(figsize=(PAGE, HEIGHT if system.directions is None else TALL))
        paths, middle, right = figure.subplots(1, 3)
        data: dict[str, object] = {"path": draw_paths(paths, system, measured)}
        data["law"] = law(middle, system, measured.points)
        data["coupling"] = draw_coupling(right, system, measured)
        panel_title(paths, "a", "one path, same maps", system.formula)
        panel_title(middle, "b", "stationary law", measured.made)
        fit = measured.fit
        panel_title(right, "c", "two starts, same maps", f"rate of the mean: {rate_text(fit)}" if fit else " ")
        data["fit"] = {} if fit is None else dict(vars(fit))
        parameters = {
            "effort": effort,
            "family": type(system.maps).__name__,
            "x0": system.x0,
            "y0": system.y0,
            "samples": SAMPLES[effort],
            "made": measured.made,
            "coupled": COUPLED[effort],
            "path_seed": PATH_SEED,
            "exponent": system.exponent,
        }
        return save_figure(figure, folder, f"gallery_{system.name}", parameters=parameters, seed=SEED, data=data)


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figures and return their files; half of each system's seconds are compilers, which are not spared."""
    files: list[Path] = []
    chosen = systems()
    for done, system in enumerate(chosen, 1):
        files += draw_system(system, measure(system, effort), effort, folder)
        if report is not None:
            report(done / len(chosen))
    return files


if __name__ == "__main__":
    main(draw, __doc__)
