"""Two boundaries of stability (C7), and the power tail between them (C8).

Least squares with a common spread of features on the line: below the lower boundary the stationary variance is finite;
between the two backward iterates still converge, to a law of infinite variance; above the upper one nothing converges.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import GaussianRegressionSGD, LinearRegressionSGD, simulate, stability_boundary, theory
from iterorder.plotting import COLUMN, ORDER_COLORS, PAGE, house_style, panel_title

#: Features of eight points of the line: a few large ones, which make a batch of one jump.
FEATURES = np.array([0.3, 0.5, 0.6, 0.8, 1.0, 1.2, 1.9, 2.6])
TAIL_STEPS = (0.3, 1.0, 1.5)
N_STEPS, SEED = 400, 0


def regression(step_size: float, batch_size: int) -> LinearRegressionSGD:
    """Least squares on eight points that no line through the origin fits."""
    targets = np.where(np.arange(len(FEATURES)) % 2, 1.0, -1.0)
    return LinearRegressionSGD(FEATURES[:, None], targets, step_size, batch_size=batch_size)


def boundaries() -> dict[str, np.ndarray]:
    """Both boundaries for every batch size."""
    sizes = np.arange(1, len(FEATURES) + 1)
    top = 2.0 * len(FEATURES) / float((FEATURES**2).sum())

    def boundary(kind: str, batch_size: int) -> float:
        def make(h: float) -> LinearRegressionSGD:
            return regression(h, batch_size)

        return stability_boundary(make, 0.02 * top, 4.0 * top, kind=kind).value

    def of(kind: str) -> np.ndarray:
        return np.array([boundary(kind, int(size)) for size in sizes])

    return {"batch_sizes": sizes, "mean_square": of("mean-square"), "almost_sure": of("almost-sure")}


def tails(effort: str) -> dict[str, np.ndarray]:
    """P(|Z| > t) of Gaussian regression for three step sizes, from the sorted samples, and Kesten's index."""
    count = 400_000 if effort == "full" else 100_000
    found: dict[str, np.ndarray] = {"samples": np.array(count)}
    for h in TAIL_STEPS:
        maps = GaussianRegressionSGD([1.0], 1.0, h)
        values = np.sort(np.abs(simulate(maps, [0.0], N_STEPS, n_replicas=count, seed=SEED).states[:, 0, 0]))
        ranks = np.unique(np.geomspace(10, count - 1, 120).astype(int))
        index = theory(maps).tail_index
        assert index is not None
        found |= {f"t_{h}": values[-ranks], f"share_{h}": ranks / count, f"kappa_{h}": np.array(index.value)}
    return found


def draw_diagram(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """The three regions over batch size and step size."""
    sizes, lower, upper = data["batch_sizes"], data["mean_square"], data["almost_sure"]
    top = 1.15 * float(upper.max())
    finite, heavy, black = ORDER_COLORS["anchored"], ORDER_COLORS["decay"], ORDER_COLORS["theory"]
    axes.fill_between(sizes, 0.0, lower, color=finite, alpha=0.25, lw=0)
    axes.fill_between(sizes, lower, upper, color=heavy, alpha=0.35, lw=0)
    axes.fill_between(sizes, upper, top, color=ORDER_COLORS["floor"], alpha=0.3, lw=0)
    axes.plot(sizes, upper, "s--", color=black, ms=2.5, label="almost-sure boundary")
    axes.plot(sizes, lower, "o-", color=black, ms=2.5, label="mean-square boundary")
    axes.text(5.2, 0.3 * lower[4], "backward: a point\nfinite variance", ha="center")
    axes.text(2.4, 0.54 * (lower[1] + upper[1]), "backward: a point\ninfinite variance", ha="center", va="center")
    axes.text(6.2, 0.5 * (upper[4] + top), "divergence", ha="center", va="center")
    axes.set(xlabel="batch size", ylabel="step size $h$", xlim=(0.8, len(sizes) + 0.2), ylim=(0, top))
    axes.set_xticks(sizes)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)


def draw_tails(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """Tails on logarithmic axes with two standard errors, and lines of Kesten's slope beside them."""
    count = float(data["samples"])
    colors = (ORDER_COLORS["anchored"], ORDER_COLORS["decay"], ORDER_COLORS["backward"])
    for h, color in zip(TAIL_STEPS, colors, strict=True):
        t, share, kappa = data[f"t_{h}"], data[f"share_{h}"], float(data[f"kappa_{h}"])
        error = 2.0 * np.sqrt(share * (1.0 - share) / count)
        axes.fill_between(t, share - error, share + error, color=color, alpha=0.3, lw=0)
        axes.loglog(t, share, color=color, label=rf"$h={h}$: $\kappa={kappa:.2f}$")
        some = share < 1e-2
        anchor = int(np.argmax(~some)) if not some.all() else len(t) - 1
        axes.loglog(
            t[some], 1.6 * share[anchor] * (t[some] / t[anchor]) ** -kappa, "--", color=ORDER_COLORS["theory"], lw=0.8
        )
    axes.set(xlabel="$t$", ylabel=f"$P(|X_n|>t)$, $n={N_STEPS}$", xlim=(0.1, None), ylim=(2e-5, 1.5))
    axes.plot([], [], "--", color=ORDER_COLORS["theory"], lw=0.8, label=r"slope $-\kappa$ (Kesten)")
    axes.legend(loc="upper right", title="tail index $\\kappa$; shaded: ± 2 s.e.", title_fontsize=7, labelspacing=0.25)


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files."""
    data = boundaries() | tails(effort)
    with house_style():
        figure = Figure(figsize=(PAGE, 0.86 * COLUMN))
        diagram, tail = figure.subplots(1, 2)
        draw_diagram(diagram, data)
        panel_title(diagram, "a", "two boundaries of stability", "least squares, eight points of the line")
        draw_tails(tail, data)
        panel_title(tail, "b", "power tails", "Gaussian least squares, $d=1$, noise 1")
        parameters = {"effort": effort, "features": FEATURES, "step_sizes": TAIL_STEPS, "n_steps": N_STEPS}
        return save_figure(figure, folder, "stability", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
