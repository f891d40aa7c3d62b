"""Cyclic order of five maps: forward tends to a cycle of five points, backward to one point that is not on it (C13).

Both are known beforehand from linear solves: the cycle through the fixed point of T_5∘…∘T_1, the backward limit as
the fixed point of T_1∘…∘T_5. Nothing is random here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import QuadraticSGD, simulate
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title
from iterorder.theory import theory

#: The minimisers of the five losses, and the directions (in degrees) in which each loss is steep.
MINIMIZERS = np.array([[1.0, 0.1], [0.5, 1.0], [-0.8, 0.7], [-0.9, -0.6], [0.4, -0.9]])
STEEP_ANGLES = np.array([20.0, 85.0, 160.0, 240.0, 300.0])
STEEP, FLAT = 1.6, 0.2
STEP_SIZE = 0.3
START = np.array([1.4, -0.9])
EPOCHS = 14


def five_losses() -> QuadraticSGD:
    """SGD in cyclic order on five quadratic losses of the plane, each steep in a direction of its own."""
    angle = np.deg2rad(STEEP_ANGLES)
    steep = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    projections = steep[:, :, None] * steep[:, None, :]
    curvatures = (STEEP - FLAT) * projections + FLAT * np.eye(2)
    return QuadraticSGD(curvatures, MINIMIZERS, STEP_SIZE, sampling="cyclic")


def backward_point(maps: QuadraticSGD) -> tuple[np.ndarray, float]:
    """The fixed point of T_1∘…∘T_N by a linear solve, and the spectral radius of that map: the rate of an epoch."""
    linear, offset = np.eye(maps.dim), np.zeros(maps.dim)
    for curvature, minimizer in zip(maps.curvatures[::-1], maps.minimizers[::-1], strict=True):
        step = np.eye(maps.dim) - maps.step_size * curvature
        linear, offset = step @ linear, step @ offset + maps.step_size * curvature @ minimizer
    point = np.linalg.solve(np.eye(maps.dim) - linear, offset)
    return point, float(np.abs(np.linalg.eigvals(linear)).max())


def draw_plane(axes: Axes, forward: np.ndarray, backward: np.ndarray, cycle: np.ndarray, point: np.ndarray) -> None:
    """Both paths on the plane, and where they tend."""
    axes.plot(*MINIMIZERS.T, "x", color=ORDER_COLORS["floor"], ms=4, label="minimisers $c_i$")
    black = ORDER_COLORS["theory"]
    axes.plot(*START, "s", color=black, ms=3)
    axes.annotate("$x_0$", (START[0], START[1]), xytext=(4, -2), textcoords="offset points")
    for path, order, name in ((forward, "forward", "forward $X_n$"), (backward, "backward", "backward $Z_n$")):
        axes.plot(*path.T, "o-", color=ORDER_COLORS[order], ms=1.8, lw=0.8, label=name)
    for points, marker, size, name in (
        (cycle, "o", 6.5, "forward cycle $y_k$, exact"),
        (point[None], "D", 6.0, "backward limit $z$, exact"),
    ):
        axes.plot(*points.T, marker, color=black, mfc="none", mew=0.9, ms=size, zorder=4, label=name)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")


def draw_distances(axes: Axes, distances: dict[str, np.ndarray], rate: float, n_maps: int) -> None:
    """How fast both get there, and that forward never gets to the backward limit."""
    steps = np.arange(len(distances["backward"]))
    blue, orange, black = (ORDER_COLORS[name] for name in ("forward", "backward", "theory"))
    axes.semilogy(steps, distances["forward_to_point"], color=blue, lw=1.0)
    # The two distances nearly coincide: one as a line, the other as markers on it.
    axes.semilogy(steps, distances["backward"], color=orange)
    axes.semilogy(steps[::2], distances["forward"][::2], "o", color=blue, ms=2.6, mfc="none", mew=0.7)
    axes.semilogy(steps, 5.0 * distances["forward"][0] * rate ** (steps / n_maps), "--", color=black, lw=0.9)
    last = steps[-1]
    axes.text(last, 3.0, "forward to the backward limit\n$\\|X_n-z\\|$", color=blue, ha="right", va="bottom")
    axes.text(
        0.56 * last,
        1e-3,
        rf"$\propto\rho^{{n/5}},\ \rho={rate:.2f}$, spectral" "\nradius of an epoch",
        color=black,
        va="center",
    )
    axes.text(1.0, 3e-9, r"backward to its limit $\|Z_n-z\|$", color=orange)
    axes.text(1.0, 6e-11, r"forward to its cycle $\|X_n-y_{n\,\mathrm{mod}\,5}\|$", color=blue)
    axes.set(xlabel="steps $n$", ylabel="distance", xlim=(-1.5, last + 1.5), ylim=(1e-11, 1e3))


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files; both efforts are the same."""
    maps = five_losses()
    n_maps, n_steps = len(MINIMIZERS), EPOCHS * len(MINIMIZERS)
    forward, backward = (
        simulate(maps, START, n_steps, order=order, seed=0, save_steps="all").states[0]
        for order in ("forward", "backward")
    )
    cycle = theory(maps).cycle
    assert cycle is not None
    point, rate = backward_point(maps)
    # After n steps forward has applied map (n−1) mod N last, and cycle[k] is the state after map k.
    distances = {
        "forward": np.linalg.norm(forward - cycle[(np.arange(n_steps + 1) - 1) % n_maps], axis=1),
        "backward": np.linalg.norm(backward - point, axis=1),
        "forward_to_point": np.linalg.norm(forward - point, axis=1),
    }
    with house_style():
        figure = Figure(figsize=(PAGE, 2.8))
        plane, decay = figure.subplots(1, 2, width_ratios=[1.25, 1.0])
        draw_plane(plane, forward, backward, cycle, point)
        panel_title(plane, "a", "five quadratic losses in cyclic order")
        draw_distances(decay, distances, rate, n_maps)
        panel_title(decay, "b", "forward reaches a cycle, backward a point")
        figure.legend(*plane.get_legend_handles_labels(), loc="outside lower center", ncols=5)
        parameters = {
            "effort": effort,
            "sampling": "cyclic",
            "step_size": STEP_SIZE,
            "minimizers": MINIMIZERS,
            "steep_angles_degrees": STEEP_ANGLES,
            "curvatures": [STEEP, FLAT],
            "x0": START,
            "n_steps": n_steps,
        }
        data = {
            "forward": forward,
            "backward": backward,
            "cycle": cycle,
            "backward_point": point,
            "rate_per_epoch": rate,
            "distance_of_point_to_cycle": np.linalg.norm(cycle - point, axis=1).min(),
            **{f"distance_{name}": values for name, values in distances.items()},
        }
        return save_figure(figure, folder, "cyclic", parameters=parameters, seed=0, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
