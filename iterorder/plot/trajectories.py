"""Pictures of a trajectory: paths, clouds, increments, the last density, and points of the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iterorder.device_arrays import to_numpy
from iterorder.errors import InvalidInputError
from iterorder.lengths import euclidean_norm
from iterorder.plot.axes import (
    SIZE,
    SQUARE,
    as_coordinate,
    axes_for,
    component,
    draw_exact,
    draw_histogram,
    draw_points,
    finite_quantiles,
    letter,
)
from iterorder.plotting import order_color
from iterorder.trajectory import Trajectory
from iterorder.validation import as_choice, as_int

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("paths", "cloud", "increments", "density", "scatter")
#: Up to so many replicas are drawn as paths, unless a number is given.
FEW = 50
#: Shares of the replicas that the bands of a cloud hold, and how dark each is.
BANDS = ((0.9, 0.2), (0.5, 0.4))


def draw(run: Trajectory, ax, *, kind: str | None, coordinate, replicas, bins) -> Axes:
    """See `Trajectory.plot`."""
    kind = _kind(run) if kind is None else as_choice("kind", kind, KINDS)
    k = as_coordinate("coordinate", coordinate, run.states.shape[2], run.maps)
    states, color = to_numpy(run.states), order_color(run.order)
    columns = 2 if kind in ("cloud", "increments", "density") else 0
    with axes_for(ax, SQUARE if kind == "scatter" else SIZE, columns=columns) as axes:
        if kind == "paths":
            shown = min(FEW, len(states)) if replicas is None else as_int("replicas", replicas, low=1, high=len(states))
            _paths(axes, run, states[:shown, :, k], color)
        elif kind == "cloud":
            _cloud(axes, run, states[:, :, k], color)
        elif kind == "increments":
            _increments(axes, run, states, color)
        elif kind == "density":
            _density(axes, run, states[:, -1, k], bins, color)
        else:
            _scatter(axes, run, states[:, -1], color)
        if kind in ("paths", "cloud"):
            axes.set(xlabel="step $n$", ylabel=component(f"{letter(run.order)}_n", k, states.shape[2], run.maps))
        elif kind == "density":
            n = int(run.save_steps[-1])
            axes.set(xlabel=component(f"{letter(run.order)}_{{{n}}}", k, states.shape[2], run.maps), ylabel="density")
    return axes


def _kind(run: Trajectory) -> str:
    """What shows the most of it."""
    replicas, saved, dim = run.states.shape
    if saved == 1:
        return "scatter" if dim == 2 and replicas > 1 else "density"
    return "paths" if replicas <= FEW else "cloud"


def _paths(ax: Axes, run: Trajectory, values: np.ndarray, color: str) -> None:
    faint = max(0.25, 1.0 / np.sqrt(len(values)))
    for r, path in enumerate(values):
        ax.plot(run.save_steps, path, color=color, linewidth=0.8, alpha=faint, label=str(run.order) if r == 0 else None)


def _cloud(ax: Axes, run: Trajectory, values: np.ndarray, color: str) -> None:
    with np.errstate(all="ignore"):
        for share, alpha in BANDS:
            low, high = finite_quantiles(values, (0.5 - share / 2, 0.5 + share / 2))
            label = f"{share:.0%} of the replicas"
            ax.fill_between(run.save_steps, low, high, color=color, alpha=alpha, linewidth=0.0, label=label)
        ax.plot(run.save_steps, finite_quantiles(values, (0.5,))[0], color=color, label=f"median, {run.order}")


def _increments(ax: Axes, run: Trajectory, states: np.ndarray, color: str) -> None:
    first = np.flatnonzero(np.diff(run.save_steps) == 1)
    if first.size == 0:
        raise InvalidInputError(
            "kind is 'increments', and no two saved steps follow each other: give save_steps='all' to simulate"
        )
    moves = euclidean_norm(states[:, first + 1] - states[:, first])
    moves = np.where(moves > 0.0, moves, np.nan)  # iterates that are equal have no place on a logarithmic axis
    if not np.isfinite(moves).any():
        raise InvalidInputError("kind is 'increments', and no iterate differs from the one before: nothing moves")
    steps, symbol = run.save_steps[first], letter(run.order)
    low, middle, high = finite_quantiles(moves, (0.05, 0.5, 0.95))
    ax.fill_between(steps, low, high, color=color, alpha=0.25, linewidth=0.0, label="90% of the replicas")
    ax.plot(steps, middle, color=color, label=f"median, {run.order}")
    ax.set(xlabel="step $n$", ylabel=rf"$\|{symbol}_{{n+1}}-{symbol}_n\|$", yscale="log")


def _density(ax: Axes, run: Trajectory, values: np.ndarray, bins, color: str) -> None:
    edges = draw_histogram(ax, values, bins, color, f"{run.order}, {len(values)} replicas")
    if run.maps is not None and run.states.shape[2] == 1:
        draw_exact(ax, run.maps.law, edges)


def _scatter(ax: Axes, run: Trajectory, points: np.ndarray, color: str) -> None:
    if points.shape[1] < 2:
        raise InvalidInputError("kind is 'scatter', and the states are numbers: give kind='density'")
    draw_points(ax, points[:, :2], color)
    symbol = f"{letter(run.order)}_{{{int(run.save_steps[-1])}}}"
    ax.set(**{f"{axis}label": component(symbol, k, points.shape[1], run.maps) for k, axis in enumerate("xy")})
