"""Where the theorem does not help, or only locally: a slow walk (C19), a cyclic one (C20), a double well (C22)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import gallery, simulate
from iterorder.plotting import COLUMN, ORDER_COLORS, PAGE, house_style, panel_title

GAP_STEPS = np.unique(np.geomspace(1, 1000, 40).astype(int))
WALK_STEPS, WELL_STEPS, WELLS = 60, 250, 24
TILT, SEED = 0.2, 0


def gaps(effort: str) -> dict[str, np.ndarray]:
    """Mean gap of the chains from 0 and 1 under the same maps, and its middle 90 %."""
    count = 80_000 if effort == "full" else 20_000
    low, high = (
        simulate(
            gallery.reflected_walk(), [start], int(GAP_STEPS[-1]), n_replicas=count, seed=SEED, save_steps=GAP_STEPS
        ).states[:, :, 0]
        for start in (0.0, 1.0)
    )
    gap = np.abs(high - low)
    return {
        "steps": GAP_STEPS,
        "gap": gap.mean(axis=0),
        "low": np.quantile(gap, 0.05, 0),
        "high": np.quantile(gap, 0.95, 0),
    }


def paths() -> dict[str, np.ndarray]:
    """One path of the cyclic walk in both orders, and backward paths in a double well from several starts."""
    walk, well = gallery.cyclic_walk(5), gallery.double_well(0.1, TILT)
    starts = np.linspace(-1.8, 1.8, WELLS)[:, None]
    found = {
        order: simulate(walk, [0.0], WALK_STEPS, order=order, seed=SEED, save_steps="all").states[0, :, 0]
        for order in ("forward", "backward")
    }
    found["wells"] = simulate(
        well, starts, WELL_STEPS, order="backward", n_replicas=WELLS, seed=SEED, save_steps="all", noise="shared"
    ).states[:, :, 0]
    return found


def draw_gaps(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """The gap against 1/(n+1)."""
    n = data["steps"]
    axes.fill_between(n, data["low"], data["high"], color=ORDER_COLORS["coupling"], alpha=0.2, lw=0)
    axes.loglog(n, data["gap"], "o", ms=2.5, color=ORDER_COLORS["coupling"], label="mean; shaded: middle 90 %")
    axes.loglog(n, 1.0 / (n + 1.0), "--", color=ORDER_COLORS["theory"], lw=0.9, label="$1/(n+1)$, exact")
    axes.set(xlabel="steps $n$", ylabel="gap of the chains from 0 and 1", ylim=(1e-5, 2))
    axes.legend(loc="lower left")


def draw_walk(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """One path in both orders."""
    for order, shift in (("forward", 0.06), ("backward", -0.06)):
        axes.step(
            np.arange(WALK_STEPS + 1), data[order] + shift, where="post", lw=0.9, color=ORDER_COLORS[order], label=order
        )
    axes.set(xlabel="steps $n$", ylabel="state; the two drawn apart", yticks=range(5), ylim=(-0.3, 5.2))
    axes.legend(loc="upper right", ncols=2)


def draw_wells(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """Backward paths, all under the same maps: two limits, and starts between the wells that reach either of them."""
    # Between the middle roots of x³ − x ± s the sign of the tilt decides where a map leads.
    between = np.abs(data["wells"][:, 0]) < float(np.abs(np.roots([1.0, 0.0, -1.0, TILT])).min())
    for chosen, color, label in (
        (between, ORDER_COLORS["floor"], "from between the wells"),
        (~between, ORDER_COLORS["backward"], "from a well"),
    ):
        lines = axes.plot(data["wells"][chosen].T, color=color, lw=0.7)
        lines[0].set_label(label)
    # Room for the legend: the grey paths jump between the wells for as long as anything is drawn.
    axes.set(xlabel="steps $n$", ylabel="backward $Z_n$ from $x_0$", xlim=(0, WELL_STEPS), ylim=(-2.0, 3.1))
    axes.set_yticks([-2, -1, 0, 1, 2])
    axes.legend(loc="upper right")


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files."""
    data = gaps(effort) | paths()
    with house_style():
        figure = Figure(figsize=(PAGE, 0.72 * COLUMN))
        slow, never, wells = figure.subplots(1, 3)
        draw_gaps(slow, data)
        panel_title(slow, "a", "slow: Lipschitz constants of one", r"$x\to|\theta-x|$, $\theta$ uniform")
        draw_walk(never, data)
        panel_title(never, "b", "backward never settles", "$x\\to x$ or $x+1$ modulo 5")
        draw_wells(wells, data)
        panel_title(wells, "c", "two wells, two random points", "double well, same maps")
        parameters = {"effort": effort, "walk_steps": WALK_STEPS, "well_steps": WELL_STEPS}
        return save_figure(figure, folder, "slow_and_never", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
