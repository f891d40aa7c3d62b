"""Real data: diabetes (linear regression) and breast cancer (ridge logistic regression), SGD with batches of one point.

Clouds of backward limits on the two principal directions of the stationary covariance with its ellipses; the paths of
both orders along the first direction; and the spread E‖x−θ*‖² against the step size with its O(h) line (C9). The
covariance is exact for linear regression (C6) and the small-step one, C with HC + CH = hS, for logistic regression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.optimize import brentq

from iterorder import LinearRegressionSGD, LogisticRegressionSGD, simulate
from iterorder.datasets import breast_cancer, diabetes
from iterorder.orders import BACKWARD, FORWARD
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.progress import Report
from iterorder.theory.families import analyse
from iterorder.theory.small_step import mean_hessian, minimizer, small_step_covariance

SEED = 17
LIMITS = {"quick": 1500, "full": 6000}
#: Of them are drawn and kept.
SHOWN_LIMITS = 800
SPREAD_REPLICAS = {"quick": 128, "full": 1024}
SPREAD_SAVES = 64
PATHS = 2
#: The slowest direction of the squared distance forgets its start like exp(−2hλ_min·n): to 2 % in so many units.
BURN_IN_UNITS = 4.0
#: The ellipses: one and two standard deviations.
RADII = (1.0, 2.0)
#: Saved forward states that are joined by lines over the cloud.
FORWARD_TAIL = 40
COORDINATE = r"$u_{}\cdot(x-\theta^{{\ast}})$"

Regression = LinearRegressionSGD | LogisticRegressionSGD


@dataclass(frozen=True, eq=False)
class Study:
    """One data set with the settings that its time scales ask for (theory.md, law 7).

    Attributes
    ----------
    name, title, system, ellipse : str
        `ellipse` says which covariance is drawn.
    maps_at : callable
        The maps at a step size.
    covariance_of : callable
        The stationary covariance of such maps.
    step_size : float
        Of the cloud and the paths.
    depth : int
        Steps after which a backward iterate has settled to less than a thousandth of the cloud's width.
    shown : int
        Steps of the paths.
    step_sizes : ndarray
        At which the spread is measured.
    headroom : float
        The top of the axis of the spread, over the largest one.
    """

    name: str
    title: str
    system: str
    ellipse: str
    maps_at: Callable[[float], Regression]
    covariance_of: Callable[[Regression], np.ndarray]
    step_size: float
    depth: int
    shown: int
    step_sizes: np.ndarray
    headroom: float


def exact_covariance(maps: Regression) -> np.ndarray:
    """By a linear solve (C6); what `iterorder.theory` reports, without the rest of its report."""
    return analyse(maps, seed=0, effort="quick").covariance()


def studies() -> tuple[Study, Study]:
    """Both data sets."""
    linear, logistic = diabetes(), breast_cancer()
    return (
        Study(
            name="diabetes",
            title="diabetes",
            system="linear regression",
            ellipse="exact covariance",
            maps_at=lambda h: LinearRegressionSGD(*linear, h),
            covariance_of=exact_covariance,
            step_size=0.05,
            depth=40_000,
            shown=1200,
            step_sizes=np.geomspace(0.0025, 0.08, 6),
            headroom=400.0,
        ),
        Study(
            name="breast_cancer",
            title="breast cancer",
            system="logistic regression, ridge 0.1",
            ellipse="small-step covariance",
            maps_at=lambda h: LogisticRegressionSGD(*logistic, h, ridge=0.1),
            covariance_of=small_step_covariance,
            step_size=0.01,
            depth=15_000,
            shown=4000,
            step_sizes=np.geomspace(0.0005, 0.018, 6),
            headroom=8.0,
        ),
    )


def principal_directions(covariance: np.ndarray) -> np.ndarray:
    """The two directions of largest variance as columns, shape (d, 2), each with its largest component positive."""
    directions = np.linalg.eigh(covariance)[1][:, :-3:-1]
    largest = np.abs(directions).argmax(axis=0)
    return directions * np.sign(directions[largest, [0, 1]])


def projected(points: np.ndarray, centre: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Coordinates of points (..., d) along the directions, from the centre."""
    return (points - centre) @ directions


def mean_square_boundary(study: Study) -> float:
    """The step size at which linear regression stops to be mean-square stable (C7)."""

    def excess(h: float) -> float:
        return float(analyse(study.maps_at(h), seed=0, effort="quick").mean_square_radius()) - 1.0

    return brentq(excess, study.step_sizes[-1], 1.0)


def measured_spread(maps: Regression, replicas: int) -> tuple[float, float]:
    """E‖x−θ*‖² in equilibrium and its standard error.

    Forward iterates after a burn-in from θ* have the law of backward limits (C1, C4) and one run gives many of them;
    the error is that of independent replicas, each averaged over its run.
    """
    centre = minimizer(maps)
    slowest = np.linalg.eigvalsh(mean_hessian(maps, centre))[0]
    burn_in = int(np.ceil(BURN_IN_UNITS / (2.0 * maps.step_size * slowest)))
    saves = np.unique(np.linspace(burn_in, 2 * burn_in, SPREAD_SAVES).astype(int))
    run = simulate(maps, centre, int(saves[-1]), n_replicas=replicas, seed=SEED, save_steps=saves)
    squares = ((run.states - centre) ** 2).sum(axis=2).mean(axis=1)
    return float(squares.mean()), float(squares.std(ddof=1) / np.sqrt(replicas))


def draw_cloud(
    axes: Axes, limits: np.ndarray, covariance: np.ndarray, forward: np.ndarray, backward: np.ndarray, name: str
) -> None:
    """Backward limits, the ellipses of the theory, a backward path from the origin, and forward after that time."""
    orange, black = ORDER_COLORS[BACKWARD], ORDER_COLORS["theory"]
    axes.plot(*limits[:SHOWN_LIMITS].T, ".", color=orange, ms=2.2, mew=0, alpha=0.4, rasterized=True)
    axes.plot(*forward[-FORWARD_TAIL:].T, color=ORDER_COLORS[FORWARD], lw=0.5, alpha=0.8)
    axes.plot(*backward.T, color="white", lw=2.0)
    axes.plot(*backward.T, color=orange, lw=1.0)
    axes.plot(*backward[-1], "o", color=orange, ms=4, mec="white", mew=0.6, zorder=5)
    angle = np.linspace(0.0, 2.0 * np.pi, 121)
    root = np.linalg.cholesky(covariance)
    for radius in RADII:
        axes.plot(*(radius * root @ [np.cos(angle), np.sin(angle)]), color=black, lw=0.9)
    # All that is drawn, with room for the text above; equal units, so that the ellipse keeps its shape.
    half = 1.05 * max(np.abs(points).max() for points in (limits[:SHOWN_LIMITS], backward, forward[-FORWARD_TAIL:]))
    axes.set(xlim=(-1.2 * half, 1.2 * half), ylim=(-half, 1.4 * half), aspect="equal")
    axes.set(xlabel=COORDINATE.format(1), ylabel=COORDINATE.format(2))
    squares, theory = (limits[:, 0] - limits[:, 0].mean()) ** 2, np.sqrt(covariance[0, 0])
    sample = np.sqrt(squares.mean())
    error = squares.std(ddof=1) / np.sqrt(len(squares)) / (2.0 * sample)
    text = f"s.d. along $u_1$: {sample:.4f} ± {error:.4f}\n{name}: {theory:.4f}"
    axes.text(0.02, 1.0, text, transform=axes.transAxes, va="top", fontsize=6)


def draw_paths(axes: Axes, steps: np.ndarray, forward: np.ndarray, backward: np.ndarray, deviation: float) -> None:
    """The first coordinate of some replicas in both orders, and the two-deviation band of the theory."""
    axes.axhspan(-2.0 * deviation, 2.0 * deviation, color="#EBEBEB", lw=0)
    axes.plot(steps, forward.T, color=ORDER_COLORS[FORWARD], lw=0.6)
    axes.plot(steps, backward.T, color="white", lw=2.2)  # an edge, so that the path stands out of the others
    axes.plot(steps, backward.T, color=ORDER_COLORS[BACKWARD], lw=1.2)
    axes.set(xlabel="steps $n$", ylabel=COORDINATE.format(1), xlim=(0, steps[-1]))


def draw_spread(axes: Axes, study: Study, measured: np.ndarray, limits: tuple[float, float]) -> dict[str, object]:
    """Measured spread with two standard errors, the O(h) line, and for linear regression the exact curve."""
    black, grey = ORDER_COLORS["theory"], ORDER_COLORS["floor"]
    sizes = study.step_sizes
    slope = float(np.trace(small_step_covariance(study.maps_at(1.0))))
    ends = np.array([0.7 * sizes[0], 1.7 * sizes[-1]])
    axes.loglog(ends, slope * ends, "--", color=black, lw=0.9, label=f"$O(h)$ line: ${slope:.2f}\\,h$")
    data: dict[str, object] = {"step_sizes": sizes, "spread": measured[:, 0], "error": measured[:, 1], "slope": slope}
    if study.covariance_of is exact_covariance:
        boundary = mean_square_boundary(study)
        fine = np.append(np.geomspace(ends[0], 0.8 * boundary, 30), boundary * (1.0 - np.geomspace(0.19, 1e-3, 20)))
        exact = np.array([np.trace(exact_covariance(study.maps_at(h))) for h in fine])
        axes.loglog(fine, exact, color=black, lw=1.0, label="exact")
        axes.axvline(boundary, color=grey, lw=0.9, ls=":", label=f"unstable: $h\\geq{boundary:.3f}$")
        data |= {"exact_step_sizes": fine, "exact_spread": exact, "mean_square_boundary": boundary}
    _errorbars(axes, sizes, measured, "o", FORWARD, "forward, ± 2 s.e.")
    _errorbars(axes, np.array([study.step_size]), np.array([limits]), "D", BACKWARD, "backward, ± 2 s.e.")
    axes.set(xlabel="step size $h$", ylabel=r"$E\,\|x-\theta^{\ast}\|^2$")
    axes.set_ylim(top=study.headroom * max(measured[:, 0]))  # for the legend
    axes.legend(loc="upper left", handlelength=1.6, labelspacing=0.3, borderpad=0.0)
    return data | {"backward_limits_spread_and_error": limits}


def _errorbars(axes: Axes, sizes: np.ndarray, measured: np.ndarray, marker: str, order: str, label: str) -> None:
    """Values and two standard errors."""
    values, errors = measured.T
    axes.errorbar(
        sizes, values, 2.0 * errors, ls="none", marker=marker, color=ORDER_COLORS[order], ms=3.2, mew=0.0, label=label
    )


def draw_study(row, letters: str, study: Study, effort: str) -> dict[str, object]:
    """The three panels of one data set; returns the plotted numbers."""
    maps = study.maps_at(study.step_size)
    centre, covariance = minimizer(maps), study.covariance_of(maps)
    directions = principal_directions(covariance)
    start = np.zeros(maps.dim)
    ends = simulate(maps, start, study.depth, order=BACKWARD, n_replicas=LIMITS[effort], seed=SEED).states[:, -1]
    steps = np.linspace(0, study.shown, 161).astype(int)
    forward, backward = (
        projected(
            simulate(maps, start, study.shown, order=order, n_replicas=PATHS, seed=SEED, save_steps=steps).states,
            centre,
            directions,
        )
        for order in (FORWARD, BACKWARD)
    )
    limits, plane = projected(ends, centre, directions), directions.T @ covariance @ directions
    squares = ((ends - centre) ** 2).sum(axis=1)
    measured = np.array([measured_spread(study.maps_at(h), SPREAD_REPLICAS[effort]) for h in study.step_sizes])
    draw_cloud(row[0], limits, plane, forward[0], backward[0], study.ellipse)
    draw_paths(row[1], steps, forward[..., 0], backward[..., 0], float(np.sqrt(plane[0, 0])))
    error = squares.std(ddof=1) / np.sqrt(len(squares))
    spread = draw_spread(row[2], study, measured, (float(squares.mean()), float(error)))
    panel_title(row[0], letters[0], f"{study.title}: limits", study.system)
    panel_title(row[1], letters[1], "paths of two replicas", f"batch size 1, $h={study.step_size:g}$")
    panel_title(row[2], letters[2], "spread in equilibrium", study.title)
    return {
        "limits": limits[:SHOWN_LIMITS],
        "covariance_of_limits": np.cov(limits.T),
        "covariance_plane": plane,
        "steps": steps,
        "forward": forward,
        "backward": backward,
        "spread": spread,
    }


def legend_handles() -> list[Line2D | Patch]:
    """What the colours of the first two columns mean."""
    orange, blue, black = ORDER_COLORS[BACKWARD], ORDER_COLORS[FORWARD], ORDER_COLORS["theory"]
    return [
        Line2D([], [], color=orange, marker=".", ms=4, mew=0, ls="none", label="backward limits"),
        Line2D([], [], color=orange, label="backward $Z_n$"),
        Line2D([], [], color=blue, lw=0.8, label="forward $X_n$"),
        Line2D([], [], color=black, lw=0.9, label="theory: 1 and 2 s.d."),
        Patch(color="#EBEBEB", lw=0, label="theory: ± 2 s.d."),
    ]


def draw(effort: str, folder: str | Path, *, report: Report | None = None) -> list[Path]:
    """Draw the figure and return its files."""
    both = studies()
    data: dict[str, object] = {}
    with house_style():
        figure = Figure(figsize=(PAGE, 4.5))
        axes = figure.subplots(2, 3, width_ratios=[1.0, 1.25, 1.0])
        for done, (row, letters, study) in enumerate(zip(axes, ("abc", "def"), both, strict=True), 1):
            data[study.name] = draw_study(row, letters, study, effort)
            if report is not None:
                report(done / len(both))
        title = r"$\theta^{\ast}$: the minimiser; $u_1$, $u_2$: directions of largest variance"
        figure.legend(
            handles=legend_handles(),
            loc="outside lower center",
            ncols=5,
            columnspacing=1.4,
            title=title,
            title_fontsize=7,
        )
        parameters = {
            "effort": effort,
            "batch_size": 1,
            "x0": "origin; the minimiser for the spread",
            "n_limits": LIMITS[effort],
            "spread_replicas": SPREAD_REPLICAS[effort],
            **{study.name: {"step_size": study.step_size, "depth": study.depth} for study in both},
        }
        return save_figure(figure, folder, "real_data", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
