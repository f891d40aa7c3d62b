"""Equilibrium of the norm under weight decay (C16), and what becomes of last-bit differences (C17)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import main, save_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iterorder import CustomMaps, simulate
from iterorder.claims.c16_norm_equilibrium import equilibrium, normalised_weights
from iterorder.plotting import COLUMN, ORDER_COLORS, PAGE, house_style, panel_title

GRID = ((0.2, 0.05), (0.2, 0.2), (0.8, 0.05))
N_NORM, N_BITS, STARTS, SEED = 400, 70, 200, 0


def expanding(x, draw, params, out):
    """x → 4x(1 − x), its gradient multiplied by k and divided again."""
    gradient = 4.0 * x[0] * x[0] - 3.0 * x[0]
    out[0] = x[0] - params[0] * (gradient / params[0])


def contracting(x, draw, params, out):
    """SGD on two quadratics, in the same way."""
    gradient = x[0] - params[1][draw[0]]
    out[0] = x[0] - (0.1 * params[0]) * (gradient / params[0])


def norms() -> dict[str, np.ndarray]:
    """‖w‖² from a small and a large start, over the equilibrium."""
    found = {}
    for h, decay in GRID:
        target = equilibrium(h, decay)
        for name, factor in (("small", 0.1), ("large", 10.0)):
            start = [float(np.sqrt(factor * target)), 0.0]
            states = simulate(normalised_weights(h, decay), start, N_NORM, seed=SEED, save_steps="all").states[0]
            found[f"{name}_{h}_{decay}"] = (states**2).sum(axis=1) / target
    return found


def differences() -> dict[str, np.ndarray]:
    """Mean logarithm of the difference between k = 1 and k = 3 (zeros left out), for both systems and orders."""
    starts = np.random.default_rng(SEED).uniform(0.1, 0.9, (STARTS, 1))
    found = {}
    for order in ("forward", "backward"):
        for name in ("expanding", "contracting"):
            runs = []
            for k in (1.0, 3.0):
                maps = (
                    CustomMaps(expanding, dim=1, params=(k,))
                    if name == "expanding"
                    else CustomMaps(contracting, dim=1, noise="index", n_maps=2, params=(k, [0.0, 1.0]), lipschitz=0.9)
                )
                run = simulate(maps, starts, N_BITS, order=order, n_replicas=STARTS, seed=SEED, save_steps="all")
                runs.append(run.states[:, :, 0])
            found[f"{name}_{order}"] = np.abs(runs[1] - runs[0]).max(axis=0)
    return found


def draw_norms(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """Both starts for each pair of step size and decay, over hλn."""
    colors = (ORDER_COLORS["forward"], ORDER_COLORS["anchored"], ORDER_COLORS["decay"])
    for (h, decay), color, line in zip(GRID, colors, ("-", "--", ":"), strict=True):
        time = h * decay * np.arange(N_NORM + 1)
        axes.semilogy(time, data[f"small_{h}_{decay}"], ls=line, color=color, label=rf"$h={h}$, $\lambda={decay}$")
        axes.semilogy(time, data[f"large_{h}_{decay}"], ls=line, color=color)
    axes.axhline(1.0, color=ORDER_COLORS["theory"], ls="--", lw=0.8, label="equilibrium, exact")
    axes.set(xlabel=r"$h\lambda n$, after $n$ steps", ylabel=r"$\|w_n\|^2$ over its equilibrium", xlim=(0, 3))
    axes.legend(loc="lower right", title=r"step size $h$, weight decay $\lambda$", title_fontsize=7)


def draw_differences(axes: Axes, data: dict[str, np.ndarray]) -> None:
    """The largest difference over the starts."""
    n = np.arange(N_BITS + 1)
    named = {"expanding": "$x\\to4x(1-x)$", "contracting": "two quadratics"}
    for name, markers in (("expanding", "ox"), ("contracting", "s+")):
        for order, marker in zip(("forward", "backward"), markers, strict=True):
            values = np.where(data[f"{name}_{order}"] > 0.0, data[f"{name}_{order}"], np.nan)
            axes.semilogy(
                n,
                values,
                marker,
                ms=3,
                mfc="none",
                mew=0.8,
                color=ORDER_COLORS[order],
                label=f"{named[name]}, {order}",
            )
    axes.semilogy(
        n, np.minimum(1e-16 * 2.0**n, 1.0), "--", color=ORDER_COLORS["theory"], lw=0.9, label="$2^n$ last bits"
    )
    axes.set(xlabel="steps $n$", ylabel=f"largest difference of {STARTS} starts", ylim=(3e-17, 5))
    axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.35), labelspacing=0.3, handlelength=1.4, borderaxespad=0.0)


def draw(effort: str, folder: str | Path) -> list[Path]:
    """Draw the figure and return its files; both efforts are the same."""
    data = norms() | differences()
    with house_style():
        figure = Figure(figsize=(PAGE, 0.9 * COLUMN))
        norm, bits = figure.subplots(1, 2)
        draw_norms(norm, data)
        panel_title(norm, "a", "the norm finds its equilibrium", "scale-invariant loss with weight decay")
        draw_differences(bits, data)
        panel_title(bits, "b", "last bits grow where maps expand", "a step $h\\,g$ and the same as $(3h)\\cdot(g/3)$")
        parameters = {"effort": effort, "grid": GRID, "n_norm": N_NORM, "n_bits": N_BITS, "starts": STARTS}
        return save_figure(figure, folder, "restrained", parameters=parameters, seed=SEED, data=data)


if __name__ == "__main__":
    main(draw, __doc__)
