"""One path in both orders under the same maps: forward keeps moving, backward settles (Diaconis and Freedman).

Beside each path, how long forward stays where: by ergodicity this is the stationary law. The point on which backward
settles is one draw from that same law; another seed gives another point.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _common import cancer_logistic, described, main, principal_direction, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import gallery, simulate
from iterorder.maps import RandomMaps
from iterorder.orders import BACKWARD, FORWARD
from iterorder.plotting import ORDER_COLORS, PAGE, house_style, panel_title

SEED = 4
LONG_RUN = {"quick": 20_000, "full": 200_000}
STEP_SIZE = 0.3


@dataclass(frozen=True, eq=False)
class Path1D:
    """One coordinate of the two iterates, and of forward on a long run in equilibrium."""

    steps: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    visits: np.ndarray


def follow(
    maps: RandomMaps, x0: np.ndarray, steps: np.ndarray, n_visits: int, direction: np.ndarray | None = None
) -> Path1D:
    """Both iterates along `direction` (by default that of largest variance), and `n_visits` later forward states."""
    last, stride = int(steps[-1]), int(steps[1])
    paths = [simulate(maps, x0, last, order=o, seed=SEED, save_steps=steps).states[0] for o in (FORWARD, BACKWARD)]
    later = np.arange(last, last + stride * n_visits, stride)
    visits = simulate(maps, x0, int(later[-1]), seed=SEED, save_steps=later).states[0]
    if direction is None:
        direction = principal_direction(visits)
    return Path1D(steps, paths[0] @ direction, paths[1] @ direction, visits @ direction)


def draw_path(axes: Axes, strip: Axes, path: Path1D, marker: str | None) -> np.ndarray:
    """Both paths, and beside them the histogram of the long run; returns its bin edges and densities."""
    width = 0.8 if marker else 1.0
    for order, states, label in (
        (FORWARD, path.forward, "forward $X_n$"),
        (BACKWARD, path.backward, "backward $Z_n$"),
    ):
        axes.plot(path.steps, states, marker=marker, ms=2.2, lw=width, color=ORDER_COLORS[order], label=label)
    margin = 0.02 * path.steps[-1] if marker else 0.0  # for the markers at the ends
    axes.set(xlabel="steps $n$", xlim=(-margin, path.steps[-1] + margin))
    density, edges = np.histogram(path.visits, bins=40, density=True)
    strip.stairs(density, edges, orientation="horizontal", fill=True, color=ORDER_COLORS[FORWARD], alpha=0.35)
    strip.axhline(path.backward[-1], color=ORDER_COLORS[BACKWARD], lw=1.0)
    strip.tick_params(labelleft=False, left=False)
    strip.set(xticks=[0], xlabel="long-run\ndensity", xlim=(0, None))
    return np.array([edges[:-1], edges[1:], density])


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files."""
    n_visits = LONG_RUN[effort]
    cancer = cancer_logistic()
    panels = {
        "two_point": follow(gallery.two_point_quadratic(STEP_SIZE), np.ones(1), np.arange(61), n_visits, np.ones(1)),
        "logistic": follow(cancer, np.zeros(cancer.dim), np.arange(0, 8001, 10), n_visits),
    }
    data: dict[str, object] = {}
    with house_style():
        figure = Figure(figsize=(PAGE, 2.4))
        axes = figure.subplots(1, 4, sharey=False, gridspec_kw={"width_ratios": [4, 0.8, 4, 0.8], "wspace": 0.02})
        for column, (name, path) in enumerate(panels.items()):
            main_axes, strip = axes[2 * column], axes[2 * column + 1]
            strip.sharey(main_axes)
            histogram = draw_path(main_axes, strip, path, "o" if name == "two_point" else None)
            data[name] = {
                "n": path.steps,
                "forward": path.forward,
                "backward": path.backward,
                "forward_visits_low_high_density": histogram,
            }
        panel_title(axes[0], "a", "forward jumps on, backward settles", "SGD on $x^2/2$ and $(x-1)^2/2$, $h=0.3$")
        panel_title(axes[2], "b", "the same on real data", "breast cancer data; $u$: direction of largest variance")
        axes[0].set_ylabel("state $x$")
        axes[2].set_ylabel("projection $u\\cdot x$")
        axes[0].legend(loc="upper right", ncols=2, borderaxespad=0.0, handlelength=1.6)
        axes[0].set_ylim(-0.05, 1.25)
        axes[0].set_yticks([0, 0.5, 1])
        axes[2].legend(loc="lower right", ncols=2, borderaxespad=0.0, handlelength=1.6)
        parameters = {
            "effort": effort,
            "two_point": {"step_size": STEP_SIZE, "x0": 1.0},
            "logistic": described(cancer) | {"x0": 0.0},
            "long_run": n_visits,
        }
        return save_figure(figure, folder, "one_path", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
